"""Proof that a tree is portable."""
