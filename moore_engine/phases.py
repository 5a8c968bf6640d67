"""What a run's loop shares whatever it computes: its way out to the session, and how a phase begins and ends.

Live settings take hold where a phase begins and nowhere else.
"""

from __future__ import annotations

import statistics
from typing import Any, Protocol

from moore_engine.config import Config
from moore_engine.evaluate import Returns

LOSS_EVERY = 500
"""SAC updates between loss events."""


class Desk(Protocol):
    """The loop's way out: facts, boundaries, checkpoints, live settings, time accounting."""

    config: Config

    def emit(self, kind: str, **fields: Any) -> None: ...
    def tick(self) -> None: ...
    def save(self, name: str = "", drop: tuple[str, ...] = (), keep: int | None = None) -> Any: ...
    def settle(self, phase: int) -> list[str]: ...
    def spent(self, phase: str) -> None: ...


class Counts(Protocol):
    """Counters that every run has: phases begun, the one under way ("" for none), evaluations done."""

    phase: int
    open: str
    evaluations: int


class Phased(Protocol):
    """A run whose loop goes by phases."""

    config: Config

    @property
    def counters(self) -> Counts: ...
    def configure(self, config: Config) -> None: ...
    def evaluate(self, episodes: int, tick: Any) -> Returns: ...
    def score(self, mean_return: float) -> float | None: ...


def begin(run: Phased, desk: Desk, phase: str) -> bool:
    """Enter a phase; False when a saved state was in the midst of it. Live settings take hold here and nowhere else."""
    c = run.counters
    if c.open == phase:
        return False
    c.open = phase
    c.phase += 1
    desk.spent(phase)
    if desk.settle(c.phase):
        run.configure(desk.config)
    return True


def end(run: Phased) -> None:
    """Leave the phase."""
    run.counters.open = ""


def evaluate(run: Phased, desk: Desk, baseline: int = 0) -> Returns:
    """An `eval` event; `baseline` numbers those of the frozen policy at the switch, for the dip's null."""
    begin(run, desk, "evaluate")
    result = run.evaluate(run.config.eval.episodes, desk.tick)
    run.counters.evaluations += 1
    end(run)
    desk.emit(
        "eval",
        score=run.score(result.mean),
        return_mean=result.mean,
        return_std=result.std,
        returns=result.returns,
        length_mean=statistics.fmean(result.lengths),
        **({"baseline": baseline} if baseline else {}),
    )
    return result
