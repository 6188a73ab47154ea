"""``python scripts/translate.py …`` is ``nmt translate …``."""

import sys

from nmt.cli import main

if __name__ == "__main__":
    sys.exit(main(["translate", *sys.argv[1:]]))
