"""Events of one kind as columns of numbers: what a chart needs of 10 000 events in a fifth of a megabyte.

A column is as narrow as its values allow: 16 bits where they are small counts, else 32 as a rule. Standard library.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

Event = dict[str, Any]

POSITION = ("seq", "t", "online", "epoch", "update", "env_step")
"""Columns that every table has; `online` is 1 or 0, `t` unix seconds."""

EXACT = ("eval", "baseline")
"""Kinds whose values are kept in 64 bits from the start: a run's outcome is computed from them."""

WIDEST = 100
"""Columns of a table at most, whatever a file holds."""

_CODES = {"seq": "H", "t": "d", "online": "b", "epoch": "H", "update": "H", "env_step": "H"}
_WIDER = {"H": "I", "I": "d"}
"""What a column becomes once it cannot hold a value."""
_NOT_COLUMNS = frozenset(("v", "k", "att", "stage", *POSITION))
_NAN = math.nan
_WORDS = {"nan": _NAN, "inf": math.inf, "-inf": -math.inf}


class Table:
    """Rows are events, oldest first; those of `earlier` (of the run that this one branched off) come before the own.

    Numbers are columns under their own name; `holdout` gives holdout_mean, holdout_min, holdout_max, `phases` a
    column phase_<name> each. `generation` rises when rows were taken back, so that whoever keeps rows starts over.
    """

    def __init__(self, kind: str, lock: AbstractContextManager[Any], earlier: Table | None = None) -> None:
        self.kind = kind
        self.generation = 0
        self._lock, self._earlier = lock, earlier
        self._columns: dict[str, array[Any]] = {name: array(code) for name, code in _CODES.items()}
        self._episodes = array("f")
        self._episodes_end = array("I")

    @property
    def inherited(self) -> int:
        """Rows that come from the run this one branched off; they are the first ones."""
        return self._earlier.rows if self._earlier else 0

    @property
    def own(self) -> int:
        """Rows that the run itself wrote."""
        return len(self._columns["seq"])

    @property
    def rows(self) -> int:
        return self.inherited + self.own

    @property
    def names(self) -> tuple[str, ...]:
        """Columns in the order in which events brought them, POSITION first."""
        with self._lock:
            return tuple(dict.fromkeys((*self._columns, *(self._earlier.names if self._earlier else ()))))

    def column(self, name: str, start: int = 0) -> array[float]:
        """A copy of the values from row `start` on, as wide as they are kept; nan where an event lacks the number."""
        with self._lock:
            before = self.inherited
            if start >= before:
                return self._own(name, start - before)
            assert self._earlier
            first, own = self._earlier.column(name, start), self._own(name, 0)
            return first + own if first.typecode == own.typecode else array("d", (*first, *own))

    def value(self, name: str, row: int = -1) -> float:
        """One number; nan where there is none."""
        with self._lock:
            column, row = self._columns.get(name), row if row < 0 else row - self.inherited
            if column is None or not -len(column) <= row < len(column):
                return _NAN
            return float(column[row])

    def episodes(self, row: int) -> list[float]:
        """Returns of the episodes of an own row of `eval` or `baseline`; empty where they are not told."""
        with self._lock:
            ends = self._episodes_end
            return list(self._episodes[ends[row - 1] if row else 0 : ends[row]]) if row < len(ends) else []

    def add(self, events: Sequence[Event]) -> None:
        """Append events of this kind, in order."""
        before, count = self.own, len(events)
        for name in sorted(set().union(*events) - _NOT_COLUMNS):
            self._take(name, [event.get(name) for event in events], before)
        for name in ("seq", "t", "epoch", "update", "env_step"):
            self._append(name, [event.get(name) for event in events])
        self._columns["online"].fromlist([event.get("stage") == "online" for event in events])
        for column in self._columns.values():
            if len(column) < before + count:
                column.extend([_NAN] * count)

    def follow(self, earlier: Table | None) -> None:
        """Put the rows of another run before the own ones, in place of those that stood there."""
        self._earlier = earlier
        self.generation += 1

    def drop_after(self, seq: int) -> bool:
        """Take back the own rows past `seq`; whether there were any."""
        numbers, rows = self._columns["seq"], self.own
        while rows and numbers[rows - 1] > seq:
            rows -= 1
        if rows == self.own:
            return False
        self.generation += 1
        for column in self._columns.values():
            del column[rows:]
        if len(self._episodes_end) > rows:
            del self._episodes[self._episodes_end[rows - 1] if rows else 0 :]
            del self._episodes_end[rows:]
        return True

    def row(self, index: int) -> Event:
        """An own row as the event it was, as far as its numbers tell."""
        numbers = {name: column[index] for name, column in self._columns.items() if name != "online"}
        known = {name: value for name, value in numbers.items() if math.isfinite(value)}
        return {"k": self.kind, "stage": "online" if self._columns["online"][index] else "offline", **known}

    def _own(self, name: str, start: int) -> array[float]:
        column = self._columns.get(name)
        if column is None:
            return array("d", [_NAN]) * max(0, self.own - start)
        return column[start:]

    def _take(self, name: str, values: list[Any], before: int) -> None:
        """A field of some events: a number each, or something that numbers are made of, or nothing of use."""
        if name not in self._columns and len(self._columns) >= WIDEST:
            return
        if name in self._columns or any(map(_is_number, values)):
            self._append(name, values, before)
        elif name == "phases":
            phases = [each if isinstance(each, dict) else {} for each in values]
            for phase in dict.fromkeys(key for each in phases for key in each):
                self._append(f"phase_{phase}", [each.get(phase) for each in phases], before)
        elif name == "holdout":
            lists = [_numbers(each) for each in values]
            for suffix, reduce in (("mean", lambda each: sum(each) / len(each)), ("min", min), ("max", max)):
                self._append(f"holdout_{suffix}", [reduce(each) if each else None for each in lists], before)
        elif name == "returns" and self.kind in EXACT:
            self._keep_episodes(values, before)

    def _append(self, name: str, values: list[Any], before: int = 0) -> None:
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = array("d" if self.kind in EXACT else "f", [_NAN]) * before
        try:
            column.fromlist(values)
        except (TypeError, OverflowError):
            if wider := _WIDER.get(column.typecode):
                self._columns[name] = array(wider, column)
                self._append(name, values)
            else:
                column.extend(map(number, values))

    def _keep_episodes(self, values: list[Any], before: int) -> None:
        ends = self._episodes_end
        ends.extend([len(self._episodes)] * (before - len(ends)))
        for each in values:
            self._episodes.extend(_numbers(each))
            ends.append(len(self._episodes))


def number(value: Any) -> float:
    """A field as a number: events write NaN and infinities as words; nan for what is none."""
    if isinstance(value, str):
        return _WORDS.get(value, _NAN)
    try:
        return float(value)
    except TypeError:
        return _NAN
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or value in ("nan", "inf", "-inf")


def _numbers(values: Any) -> list[float]:
    """A list's numbers if it holds nothing else, else none."""
    if not isinstance(values, list) or not all(isinstance(each, int | float) for each in values):
        return []
    return list(map(number, values))
