"""``python scripts/evaluate.py …`` is ``nmt evaluate …``."""

import sys

from nmt.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
