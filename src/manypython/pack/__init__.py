"""A verified tree to archives."""
