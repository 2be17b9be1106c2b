"""The version of manypython itself; apart, so that no stage imports the front door for it."""

__version__ = "0.1.0"
"""PEP 440."""
