"""Portable CPython for Linux: make it, prove it, pack it."""

__version__ = "0.1.0"
