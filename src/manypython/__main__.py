"""``python -m manypython`` is the ``manypython`` command."""

import sys

from manypython.cli import main

if __name__ == "__main__":
    sys.exit(main())
