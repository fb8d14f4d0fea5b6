"""`python -m leadrouter.development`: what servers.py says."""

import sys

from .servers import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
