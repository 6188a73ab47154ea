"""``python -m nmt …`` is ``nmt …``, so that ``torchrun -m nmt train …`` works."""

import sys

from nmt.cli import main

if __name__ == "__main__":  # not when a worker process imports it again
    sys.exit(main())
