"""A bound on the memory that this process may add while it reads what a stranger made.

HDF5 unpacks a chunk into as much memory as it takes, whatever size the file promises: beyond the bound that fails, as
an ordinary error, instead of filling the machine's memory.
"""

from __future__ import annotations

import contextlib
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

_lock = threading.Lock()
_open = threading.local()
_allowed: list[int] = []
_before: tuple[int, int] = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
_used = 0


@contextlib.contextmanager
def bounded_memory(allowance: int) -> Iterator[None]:
    """Within the block the process's data segment grows by at most `allowance` bytes; blocks may run side by side.

    What needs more raises MemoryError, or the library's own error. Where the system tells no sizes, nothing is bounded.
    """
    used = _data_size()
    if used is None:
        yield
        return
    blocks = vars(_open).setdefault("blocks", [])
    blocks.append([allowance])
    _change(used, [allowance], [])
    try:
        yield
    finally:
        _change(used, [], blocks.pop())


def widen(allowance: int) -> None:
    """Let the innermost block of this thread have `allowance` bytes more until it ends; nothing where there is none."""
    if blocks := vars(_open).get("blocks"):
        _change(0, [allowance], [])
        blocks[-1].append(allowance)


def _change(used: int, more: list[int], less: list[int]) -> None:
    """Add to what is allowed and take from it: the limit is what was `used` before the first block, plus all of it."""
    global _before, _used
    with _lock:
        if not _allowed:
            _before, _used = resource.getrlimit(resource.RLIMIT_DATA), used
        _allowed.extend(more)
        for allowance in less:
            _allowed.remove(allowance)
        soft, hard = _before
        if _allowed:
            wanted = _used + sum(_allowed)
            soft = wanted if soft == resource.RLIM_INFINITY else min(soft, wanted)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_size() -> int | None:
    """Bytes of the process's data segment and private mappings now, which RLIMIT_DATA counts."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None
