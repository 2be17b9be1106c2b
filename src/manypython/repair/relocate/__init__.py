"""Pure text patchers, one per kind of file."""
