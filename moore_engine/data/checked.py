"""From what a reader took from its source to a checked data set; the same way for every kind of source."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from numpy.typing import ArrayLike

from moore_engine import terminations
from moore_engine.buffers import Layout
from moore_engine.data import genuine, physics, validate
from moore_engine.data.transitions import Bool, Float32, Transitions, episode_stats, table_hash

Marks = tuple[Bool, Bool]


@dataclass(frozen=True)
class Wanted:
    """What a data set is read for: the Gymnasium task `task`, whose action bounds are `low`, `high` (action_dim,).

    `termination` defaults to the task's known function; without any, that check is left out. `checks=False` keeps only
    the checks of shape, flags, finiteness and action bounds.
    """

    task: str
    obs_dim: int
    action_dim: int
    low: ArrayLike
    high: ArrayLike
    termination: terminations.Termination | None = None
    checks: bool = True

    @property
    def layout(self) -> Layout:
        return Layout(self.obs_dim, self.action_dim)


@dataclass
class Raw:
    """What was read from the source `name`: `table` with actions in the task's units, the flags as they are stored,
    and what else the checks need."""

    name: str
    format: str
    table: Float32
    terminals: Bool
    timeouts: Bool
    task: str | None
    made_by: str | None
    reference: tuple[float, float] | None
    warnings: list[str] = field(default_factory=list)
    samples: physics.Samples | None = None


def finish(
    raw: Raw, wanted: Wanted, marks: Callable[[Raw, Wanted], Marks], identity: Callable[[], genuine.Identity]
) -> Transitions:
    """Checks `raw` (its table is used, not copied) and counts its episodes.

    `marks`, called once values are known to be finite and actions to be in [-1, 1], gives two masks (n,): the last rows
    of episodes, and the rows whose next_obs is known; the others are dropped. Raises DataError.
    """
    name, layout, table, warnings = raw.name, wanted.layout, raw.table, raw.warnings
    span = validate.column_range(table)
    validate.check_finite(name, table, layout, span)
    validate.scale_actions(name, table, layout, span, wanted.low, wanted.high)
    ends, known_next = marks(raw, wanted)
    if wanted.checks:
        termination = wanted.termination or _known_termination(wanted.task)
        if termination is not None:
            both = (raw.terminals, raw.timeouts)
            warnings += validate.check_termination(name, wanted.task, table, layout, both, known_next, termination)
        warnings += validate.constant_columns(name, layout, span)
    known = identity()
    returns, lengths = episode_stats(table[:, layout.reward].ravel(), ends)
    if not known_next.all():
        table = _kept(table, known_next)
    with ThreadPoolExecutor(1) as pool:
        hashed = pool.submit(table_hash, table)
        if wanted.checks:
            warnings += known.warnings(name, wanted.task)
            if known.genuine is None and raw.samples is not None:
                warnings += physics.check(name, wanted.task, raw.samples)
    return Transitions(
        layout=layout,
        table=table,
        path=name,
        sha256=known.sha256,
        table_sha256=hashed.result(),
        format=raw.format,
        returns=returns,
        lengths=lengths,
        terminals=int(raw.terminals.sum()),
        timeouts=int((raw.timeouts & ~raw.terminals).sum()),
        rows_dropped=int((~known_next).sum()),
        task=raw.task,
        made_by=f"D4RL {known.genuine}" if known.genuine else raw.made_by,
        genuine=known.genuine,
        reference=raw.reference,
        warnings=warnings,
    )


def _kept(table: Float32, kept: Bool) -> Float32:
    """The rows that `kept` (n,) marks, moved to the front of the same memory."""
    done = 0
    for start in range(0, len(table), validate.BLOCK):
        rows = table[start : start + validate.BLOCK][kept[start : start + validate.BLOCK]]
        table[done : done + len(rows)] = rows
        done += len(rows)
    return table[:done]


def _known_termination(task: str) -> terminations.Termination | None:
    try:
        return terminations.for_task(task)
    except terminations.TerminationError:
        return None
