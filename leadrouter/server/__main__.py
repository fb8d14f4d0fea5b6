"""Open the port, start the processes, start again who ends, and end all when told to."""

from __future__ import annotations

import sys

from .master import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
