"""The thread that watches the runs: it polls the feed and tells the console when something changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol


class Polled(Protocol):
    """What the watcher needs of a feed."""

    @property
    def live(self) -> int: ...
    @property
    def more(self) -> bool: ...
    def poll(self, now: float | None = None, budget_s: float = 0.05) -> bool: ...


BLURRED_HZ = 1.0
"""Looks a second while the terminal shows something else, and over a slow link."""
QUIET_S = 2.0
"""Between looks while nothing runs; a run that starts elsewhere is seen this late at most."""
BREATH_S = 0.01
"""Between polls that go on reading, so that keys are served."""


class Watcher:
    """Calls `tell` from its own thread after the first look and each that found something new, at most `hz` a second.

    `broken` gets an error of the feed, in the same thread; the next look comes all the same.
    """

    def __init__(
        self,
        feed: Polled,
        tell: Callable[[], None],
        *,
        hz: float,
        slow_link: bool = False,
        broken: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        self._feed, self._tell, self._broken = feed, tell, broken
        self._hz = min(hz, BLURRED_HZ) if slow_link else hz
        self._focused = True
        self._over = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; returns when it has ended, or after a second."""
        self._over = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def nudge(self) -> None:
        """Look again at once."""
        self._wake.set()

    def focus(self, focused: bool) -> None:
        """Whether the terminal has the focus; without it once a second is enough."""
        self._focused = focused
        if focused:
            self.nudge()

    @property
    def interval_s(self) -> float:
        """Seconds to the next look."""
        if self._feed.live:
            return 1.0 / (self._hz if self._focused else min(self._hz, BLURRED_HZ))
        return QUIET_S

    def _watch(self) -> None:
        told, untold = 0.0, True
        while not self._over:
            try:
                untold |= self._feed.poll()
            except Exception as error:
                self._broken(error)
            now, more = time.monotonic(), self._feed.more
            if untold and (not more or now - told >= 1.0 / self._hz):
                self._tell()
                told, untold = now, False
            self._wake.wait(BREATH_S if more else self.interval_s)
            self._wake.clear()
