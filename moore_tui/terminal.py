"""What kind of terminal this is, and leaving it in order: ASCII or not, colours or not, hang-up, SIGTERM."""

from __future__ import annotations

import os
import re
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

LEAVE_S = 2.0
"""Longest time to leave after a signal; a terminal that has stopped reading would hold the console for ever."""


def is_ascii(env: Mapping[str, str] = os.environ) -> bool:
    """Whether the locale says that the terminal shows no UTF-8; one that says nothing is taken to show it."""
    locale = next((value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := env.get(name))), "")
    return bool(locale) and not re.search(r"utf-?8", locale, re.IGNORECASE)


@contextmanager
def leaving(leave: Callable[[], object]) -> Iterator[None]:
    """SIGHUP and SIGTERM call `leave`; if that has not ended the process soon, it ends here. Exit code 0 either way.

    The runs belong to their keepers and hear nothing of it.
    """
    with suppress(termios.error, OSError, ValueError):
        as_found = termios.tcgetattr(sys.__stdin__.fileno()) if sys.__stdin__ else None

    def give_up() -> None:
        if as_found:
            with suppress(termios.error, OSError):
                termios.tcsetattr(0, termios.TCSANOW, as_found)
        os._exit(0)

    def on_signal(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _let_go()
        timer = threading.Timer(LEAVE_S, give_up)
        timer.daemon = True
        timer.start()
        leave()

    before: dict[int, Any] = {each: signal.signal(each, on_signal) for each in (signal.SIGHUP, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _let_go() -> None:
    """Point the standard streams at nothing: the terminal that they belong to is gone."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        with suppress(OSError):
            os.dup2(nothing, fd)
