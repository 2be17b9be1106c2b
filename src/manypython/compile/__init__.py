"""Sources to an installed prefix."""
