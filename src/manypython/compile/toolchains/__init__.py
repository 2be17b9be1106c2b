"""Toolchains: each an object that says what it can, and a compiler once it is opened."""
