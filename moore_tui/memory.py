"""Keeps the console small: what it never uses is not loaded, and columns that grow leave no holes behind them."""

from __future__ import annotations

import sys
from contextlib import suppress

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""glibc's malloc.h"""
LARGE = 1 << 15
"""Bytes from which on a block has pages of its own, so that a column grows by moving pages instead of copying."""


def spare() -> None:
    """To be called before asyncio is imported and before any thread is started."""
    _without_ssl()
    _without_holes()


def _without_ssl() -> None:
    """Import asyncio as where Python lacks ssl, which it allows for: 4 MB that a terminal has no use for."""
    if "asyncio" in sys.modules or "ssl" in sys.modules:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]
    try:
        import asyncio  # noqa: F401
    finally:
        del sys.modules["ssl"]


def _without_holes() -> None:
    """One heap for all threads, and large blocks outside of it; nothing where the C library is not glibc."""
    import ctypes

    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE)
