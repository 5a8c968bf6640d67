"""Becoming a process that belongs to no terminal and no parent, with its output in a file and one lock for life."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path


def detach() -> Callable[[int, str], int]:
    """Go on in a child in a session of its own; the parent exits when the child says so.

    Returns what the child calls once: `tell(code, sentence)`. The parent then prints the sentence to stderr, if there
    is one, and exits with the code; so whoever started the parent learns whether the child came up.
    """
    heard, said = os.pipe()
    if os.fork():
        os.close(said)
        with open(heard, "rb") as pipe:
            code, _, sentence = (pipe.read().decode() or "1 it died while starting").partition(" ")
        if sentence:
            sys.stderr.write(f"keeper: {sentence}\n")
            sys.stderr.flush()
        os._exit(int(code))
    os.close(heard)
    os.setsid()

    def tell(code: int, sentence: str) -> int:
        os.write(said, f"{code} {sentence}".encode())
        os.close(said)
        return code

    return tell


def file_stdio(path: Path) -> None:
    """Read from nothing, write to the end of `path`."""
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for fd, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(fd, target)
    os.close(null)
    os.close(log)


def lock(path: Path) -> int:
    """A flock on `path` until this process dies, closed on exec; raises BlockingIOError while another has it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd
