"""Careful reading and deterministic writing of zip and tar."""
