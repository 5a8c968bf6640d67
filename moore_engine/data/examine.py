"""Every check of a data set by name, each with what it found: the checks that a run makes, told one by one.

A run stops at the first that fails. Here the later ones are still made where they can be, and whatever a run would
refuse the set for is among the failures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from moore_engine import terminations
from moore_engine.data import check_physics, d4rl, hdf5, source, validate
from moore_engine.data.errors import DataError
from moore_engine.data.genuine import identify
from moore_engine.data.reference import Reference
from moore_engine.data.state_rows import take
from moore_engine.data.transitions import Bool, Transitions

State = Literal["ok", "warn", "fail", "skip"]
PHYSICS_ROWS = 200


@dataclass(frozen=True)
class Finding:
    """One check: `state` skip where it could not be made; `numbers` for programs."""

    check: str
    state: State
    text: str
    numbers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Set:
    """A data set that could be read, and its flags as they are stored: of the file's rows, or None where rows were
    dropped and the table's are fewer."""

    reference: Reference
    data: Transitions
    terminals: Bool
    timeouts: Bool

    @property
    def name(self) -> str:
        return self.data.path

    @property
    def whole(self) -> bool:
        return self.terminals.size == self.data.n


def examine(reference: Reference, progress: Callable[[int, int], None] = lambda done, total: None) -> Iterator[Finding]:
    """The findings, one after another as they are made; nothing that is wrong with the data set is raised."""
    refused = None
    try:
        data = reference.load(cached=False, progress=progress)
    except DataError as error:
        refused = str(error)
        layout = _layout(reference)
        yield layout
        if layout.state == "fail":
            return
        try:
            data = reference.load(checks=False, cached=False, progress=progress)
        except DataError as unreadable:
            yield Finding("values", "fail", str(unreadable))
            return
    else:
        yield _layout(reference)
    failed = False
    opened = _open(reference, data)
    for check in (_values, _task, _rows, _flags, _version, _alignment, _termination, _columns, _identity, _physics):
        finding = _made(check, opened)
        failed |= finding.state == "fail"
        yield finding
    if refused is not None and not failed:
        yield Finding("run", "fail", refused)


def _made(check: Callable[[_Set], Finding], opened: _Set) -> Finding:
    try:
        return check(opened)
    except DataError as error:
        return Finding(check.__name__.removeprefix("_"), "fail", str(error))


def _layout(reference: Reference) -> Finding:
    try:
        info = source.info(reference.path)
        found, wanted = (info.obs_dim, info.action_dim), (reference.obs_dim, reference.action_dim)
        validate.check_dims(reference.path, reference.task, found, wanted)
    except DataError as error:
        return Finding("layout", "fail", str(error))
    numbers = {"rows": info.rows, "obs_dim": info.obs_dim, "action_dim": info.action_dim, "format": info.format}
    dims = f"{info.obs_dim} observation and {info.action_dim} action dimensions, as {reference.task}"
    return Finding("layout", "ok", f"{info.format}, {info.rows:,} rows of {dims}", numbers)


def _open(reference: Reference, data: Transitions) -> _Set:
    file = reference.file
    if file is not None:
        name = str(file)
        with hdf5.opened(name) as stored:
            d4rl.shape(name, stored)
            terminals = validate.as_flags(name, "terminals", stored["terminals"][()])
            timeouts = np.zeros_like(terminals)
            if "timeouts" in stored:
                timeouts = validate.as_flags(name, "timeouts", hdf5.dataset(name, stored, "timeouts")[()])
        return _Set(reference, data, terminals, timeouts)
    terminals = data.table[:, data.layout.terminal].ravel() != 0
    ends = np.zeros_like(terminals)
    last = np.cumsum(data.lengths) - 1
    if not data.rows_dropped:
        ends[last[last < ends.size]] = True
    return _Set(reference, data, terminals, ends & ~terminals)


def _values(opened: _Set) -> Finding:
    layout = opened.data.layout
    low, high = validate.column_range(opened.data.table)
    text = "all numbers are finite, actions within the task's bounds, flags 0 or 1"
    reach = float(max(abs(low[layout.action]).max(), abs(high[layout.action]).max()))
    return Finding("values", "ok", text, {"largest_action": reach})


def _task(opened: _Set) -> Finding:
    own, asked = opened.data.task, opened.reference.task
    if own is None:
        return Finding("task", "ok", f"the set names no task, it is taken for {asked} ({opened.reference.why})")
    if own.rpartition(":")[2] != asked.rpartition(":")[2]:
        return Finding(
            "task", "fail", f"the set was made with {own} and is asked for as {asked}: set data.task to {own}"
        )
    return Finding("task", "ok", f"{own}, named in the set")


def _rows(opened: _Set) -> Finding:
    validate.check_row_count(opened.name, opened.data.n)
    numbers = {"rows": opened.data.n, "dropped": opened.data.rows_dropped, "needed": validate.MIN_ROWS}
    if opened.data.rows_dropped:
        text = (
            f"{opened.data.n:,} rows are usable, {opened.data.rows_dropped:,} were dropped, whose next observations "
            f"are not known or those of the next episode"
        )
        return Finding("rows", "warn", text, numbers)
    return Finding("rows", "ok", f"{opened.data.n:,} rows, at least {validate.MIN_ROWS} are needed", numbers)


def _flags(opened: _Set) -> Finding:
    both = int((opened.terminals & opened.timeouts).sum())
    numbers = {"terminals": opened.data.terminals, "timeouts": opened.data.timeouts, "both": both}
    counts = (
        f"{opened.data.terminals:,} terminals, {opened.data.timeouts:,} time-outs, {opened.data.episodes:,} episodes"
    )
    if both:
        text = f"{counts}; {both:,} rows are terminal and timed out, and taken as terminal"
        return Finding("flags", "warn", text, numbers)
    if not opened.data.terminals and not opened.data.timeouts:
        return Finding("flags", "warn", "no row is marked as terminal or timed out", numbers)
    return Finding("flags", "ok", counts, numbers)


def _version(opened: _Set) -> Finding:
    said = {
        "d4rl-v0": "a D4RL v0 file: no next observations are stored and some files have known faults; prefer v2",
        "d4rl-v1": "a D4RL v1 file, some of which have faults (hopper's are swapped); prefer v2",
    }.get(opened.data.format)
    numbers = {"format": opened.data.format}
    return Finding("version", "warn", said, numbers) if said else Finding("version", "ok", opened.data.format, numbers)


def _alignment(opened: _Set) -> Finding:
    data = opened.data
    if not opened.whole:
        return Finding("alignment", "skip", "next observations are those of the following rows by construction")
    ends = opened.terminals | opened.timeouts
    joins = validate.find_joins(opened.name, data.table, data.layout, ends)
    going_on = int((~ends[:-1]).sum())
    numbers = {"rows": going_on, "unmarked_ends": int(joins.sum())}
    if joins.any():
        text = (
            f"{joins.sum():,} of {going_on:,} rows that go on are not followed by their next observation (first: row "
            f"{joins.argmax():,}), and taken as unmarked time-outs"
        )
        return Finding("alignment", "warn", text, numbers)
    return Finding(
        "alignment", "ok", f"all {going_on:,} rows that go on are followed by their next observation", numbers
    )


def _termination(opened: _Set) -> Finding:
    data, task = opened.data, opened.reference.task
    try:
        termination = terminations.for_task(task)
    except terminations.TerminationError:
        return Finding("termination", "skip", f"when {task} ends is not built in")
    terminals, timeouts = opened.terminals, opened.timeouts
    if not opened.whole:
        terminals = data.table[:, data.layout.terminal].ravel() != 0
        timeouts = np.zeros_like(terminals)
    usable = np.ones_like(terminals)
    warnings = validate.check_termination(
        opened.name, task, data.table, data.layout, (terminals, timeouts), usable, termination
    )
    numbers = {"rows": int((~timeouts).sum()), "terminals": int(terminals.sum())}
    if warnings:
        return Finding("termination", "warn", _without(opened.name, warnings[0]), numbers)
    return Finding("termination", "ok", f"terminals are where {task} ends, on {numbers['rows']:,} rows", numbers)


def _columns(opened: _Set) -> Finding:
    data = opened.data
    warnings = validate.constant_columns(opened.name, data.layout, validate.column_range(data.table))
    if warnings:
        return Finding("columns", "warn", "; ".join(_without(opened.name, each) for each in warnings))
    return Finding("columns", "ok", "every column changes")


def _identity(opened: _Set) -> Finding:
    data = opened.data
    numbers = {"sha256": data.sha256, "genuine": data.genuine}
    file = opened.reference.file
    if file is not None:
        warnings = identify(str(file), data.sha256).warnings(str(file), opened.reference.task)
        if warnings:
            return Finding("identity", "warn", _without(str(file), warnings[0]), numbers)
    text = f"D4RL's {data.genuine}" if data.genuine else f"not an official file, sha256 {data.sha256[:12]}..."
    return Finding("identity", "ok", text, numbers)


def _physics(opened: _Set) -> Finding:
    reference = opened.reference
    if opened.data.genuine:
        return Finding("physics", "skip", "the file is genuine")
    try:
        rows = take(reference, PHYSICS_ROWS)
    except DataError as error:
        return Finding("physics", "skip", _without(reference.path, str(error)))
    outcome = check_physics.check(rows, reference.task)
    numbers = {"rows": outcome.rows, "states_from": rows.source}
    if outcome.versions:
        numbers["states_off"] = outcome.versions[0].off("states_off")
        numbers["rewards_off"] = outcome.versions[0].off("rewards_off")
    return Finding("physics", outcome.state, f"{outcome.text} ({outcome.rows:,} replayed)", numbers)


def _without(name: str, text: str) -> str:
    """A sentence without the name it begins with and its full stop."""
    return text.removeprefix(name).lstrip(": ").rstrip(".")
