"""Makes a process cheap to fork: a fork copies its page table, and then every page it writes to.

Nothing here is needed for a right result; where the system cannot do it, forks only cost more.
"""

from __future__ import annotations

import ctypes
import logging

MADV_COLLAPSE = 25
HUGE = 2 * 2**20
MAX_HOLES = 200_000  # of one size
SIZES = (
    *(2**power for power in range(20, 14, -1)),
    *range(2**14, 2**10, -512),
    *range(2**10, 0, -16),
)

_libc = ctypes.CDLL(None)
_libc.malloc.restype = _libc.sbrk.restype = ctypes.c_void_p
_libc.malloc.argtypes, _libc.sbrk.argtypes = [ctypes.c_size_t], [ctypes.c_ssize_t]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def fill_holes() -> None:
    """Take for good what was freed between the objects of the libraries.

    What is made from here on lies side by side at the top of the heap, on few pages, and not on
    hundreds that a fork would have to copy.
    """
    top = _libc.sbrk(0)
    for size in SIZES:
        for _ in range(MAX_HOLES):
            if not (_libc.malloc(size) or top) < top:
                break


def forget_handlers() -> None:
    """Do not renew the locks of logging's handlers after a fork: only another thread holds them."""
    logging._at_fork_reinit_lock_weakset.clear()  # type: ignore[attr-defined]


def gather_heap() -> None:
    """Put the heap into huge pages again, which need one entry of the page table for 512.

    The writes of a process split those that it shares with the one that it was forked from.
    """
    try:
        with open("/proc/self/maps") as lines:
            heaps = [line.split()[0].split("-") for line in lines if line.endswith("[heap]\n")]
    except OSError:
        return  # a cell used up the file descriptors
    for bounds in heaps:
        first, last = (int(each, 16) for each in bounds)
        first, last = -(-first // HUGE) * HUGE, last // HUGE * HUGE
        if first < last:
            _libc.madvise(first, last - first, MADV_COLLAPSE)
