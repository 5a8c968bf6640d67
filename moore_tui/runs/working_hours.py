"""How long a run has worked, kept up to date event by event: without gaps between attempts, without pauses.

The same as compare.working_seconds of all visible events, which needs the events themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from moore_tui.runs.table import Event, number


@dataclass(slots=True)
class _Span:
    """A stretch of one attempt without a pause; `seq` is its first event's."""

    attempt: object
    paused: bool
    seq: int
    start: float
    end: float


class WorkingHours:
    """Stretches of work, oldest first."""

    def __init__(self) -> None:
        self._spans: list[_Span] = []

    @property
    def seconds(self) -> float:
        return sum(max(0.0, span.end - span.start) for span in self._spans if not span.paused)

    def add(self, events: Sequence[Event]) -> None:
        """Take in the next events."""
        if self._goes_on(events):
            self._spans[-1].end = number(events[-1].get("t"))
            return
        for event in events:
            t, attempt = number(event.get("t")), event.get("att")
            span = self._spans[-1] if self._spans else None
            if span is None or span.attempt != attempt:
                paused = span.paused if span else False
                span = _Span(attempt, paused, event["seq"], t, t)
                self._spans.append(span)
            if t > span.end or math.isnan(span.end):
                span.end = t
            if event["k"] == "ack" and event.get("ok") and event.get("verb") in ("pause", "resume"):
                self._spans.append(_Span(attempt, event["verb"] == "pause", event["seq"], t, t))

    def _goes_on(self, events: Sequence[Event]) -> bool:
        """Most often the events prolong the last stretch and no more, which is cheap to see: attempts only rise."""
        return (
            bool(self._spans)
            and self._spans[-1].attempt == events[0].get("att") == events[-1].get("att")
            and self._spans[-1].end <= number(events[-1].get("t"))
            and not any(event["k"] == "ack" for event in events)
        )

    def drop_after(self, seq: int, newest_t: float) -> None:
        """Take back the events past `seq`; `newest_t` is the time of the newest one that is left."""
        while self._spans and self._spans[-1].seq > seq:
            self._spans.pop()
        if self._spans:
            span = self._spans[-1]
            span.end = max(span.start, min(span.end, newest_t))
