"""What makes a tool take its interpreters from us; each module knows its tool and ``manypython.fetch``."""
