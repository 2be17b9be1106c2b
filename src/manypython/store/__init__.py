"""The consumer: from an index to interpreters on this machine."""
