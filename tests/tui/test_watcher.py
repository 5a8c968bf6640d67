"""The watcher: tells once for each look that found something, seldom looks when nothing is live, and ends at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from moore_tui.watcher import BLURRED_HZ, QUIET_S, Watcher
from tests.tui.made_runs import wait_for


class Feed:
    """Says what it is told, and counts how often it was asked."""

    def __init__(self, changes: Callable[[int], bool] = lambda number: False, live: int = 1) -> None:
        self.polls, self.live, self.more = 0, live, False
        self._changes = changes

    def poll(self, now: float | None = None, budget_s: float = 0.05) -> bool:
        self.polls += 1
        return self._changes(self.polls)


@contextmanager
def watching(feed: Feed, tell: Callable[[], None] = lambda: None, **options: Any) -> Iterator[Watcher]:
    watcher = Watcher(feed, tell, **{"hz": 1000.0, **options})
    watcher.start()
    try:
        yield watcher
    finally:
        watcher.stop()


def test_the_first_look_is_told_and_those_that_found_something() -> None:
    told: list[int] = []
    feed = Feed(lambda number: number in (2, 5))
    with watching(feed, lambda: told.append(feed.polls)):
        wait_for(lambda: feed.polls > 8)
    assert told == [1, 2, 5]


def test_it_tells_from_its_own_thread() -> None:
    told: list[str] = []
    feed = Feed(lambda number: number == 1)
    with watching(feed, lambda: told.append(threading.current_thread().name)):
        wait_for(lambda: told)
    assert told == ["watcher"]


@pytest.mark.parametrize(
    ("live", "hz", "focused", "slow_link", "interval"),
    [
        (3, 4.0, True, False, 0.25),
        (3, 4.0, False, False, 1 / BLURRED_HZ),
        (3, 4.0, True, True, 1 / BLURRED_HZ),
        (3, 0.5, False, False, 2.0),
        (0, 4.0, True, False, QUIET_S),
        (0, 4.0, False, False, QUIET_S),
    ],
)
def test_how_often_it_looks(live: int, hz: float, focused: bool, slow_link: bool, interval: float) -> None:
    watcher = Watcher(Feed(live=live), lambda: None, hz=hz, slow_link=slow_link)
    watcher.focus(focused)
    assert watcher.interval_s == interval


def test_a_nudge_has_it_look_at_once_and_so_has_the_focus() -> None:
    feed = Feed(live=0)
    with watching(feed) as watcher:
        wait_for(lambda: feed.polls == 1)
        watcher.nudge()
        wait_for(lambda: feed.polls == 2, timeout=QUIET_S / 2)
        watcher.focus(True)
        wait_for(lambda: feed.polls == 3, timeout=QUIET_S / 2)


def test_what_is_read_in_pieces_is_told_at_most_so_often_and_at_the_end() -> None:
    told: list[int] = []
    feed = Feed(lambda number: number <= 12, live=0)

    def poll_counts() -> None:
        told.append(feed.polls)

    feed.more = True
    with watching(feed, poll_counts, hz=0.001):
        wait_for(lambda: feed.polls >= 6, timeout=QUIET_S)
        feed.more = False
        wait_for(lambda: len(told) == 2)
    assert told[0] == 1 and told[1] >= 6


def test_it_ends_at_once_in_the_middle_of_a_long_wait() -> None:
    feed = Feed(live=0)
    with watching(feed) as watcher:
        wait_for(lambda: feed.polls == 1)
        watcher.stop()
        assert not watcher._thread.is_alive()


def test_a_feed_that_breaks_is_told_and_watched_on() -> None:
    feed = Feed(lambda number: 1 / (number - 2) < 0)
    told: list[BaseException] = []
    with watching(feed, broken=told.append):
        wait_for(lambda: feed.polls > 4)
    assert [type(each) for each in told] == [ZeroDivisionError]
