"""An installed prefix to a portable tree: audit, graft, relocate."""
