"""How the process keeps memory. Batches have ever new shapes, which the defaults of the libraries below don't expect."""

import ctypes
import os

# PyTorch and oneDNN keep what they prepared for each of 1,024 shapes: 1.2 GB in bf16 after a few hundred batches.
_CACHES = {"LRU_CACHE_CAPACITY": "16", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_memory() -> None:
    """Bound the caches of shapes, unless the environment says otherwise; and have glibc keep what is freed.

    glibc gives large blocks back to the system as they are freed, and gets them again, page by page, a moment later: that
    took 6 % of a training step. Other C libraries are left as they are.
    """
    for name, capacity in _CACHES.items():
        os.environ.setdefault(name, capacity)
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_M_MMAP_THRESHOLD, 2**25)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
