"""Which version of a task made a data set: from the state of each of its rows, one step must give the stored next row.

The error of a row's next observation is the largest over its dimensions; a row is off when it exceeds a hundredth of
what the step changed. A step from a float64 state differs from the stored one by float32 rounding, some 1e-7 times the
size of the number; from a state found again in float32 observations by a few times that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from moore_engine.data import physics
from moore_engine.data.state_rows import StateRows

QUANTILES = (0.5, 0.9, 0.99, 1.0)
# Rewards this close are equal: float32 rounding of a few units stays far below, a missing healthy reward of 1 above.
REWARD_OFF = 1e-3
# A version fits when at most this share of the rows is off.
FITS = physics.FITS
GROUPS = ("going on", "terminal", "timed out")

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Group:
    """Rows of one kind: how many, the share that is off, and quantiles of the errors (QUANTILES)."""

    rows: int
    states_off: float
    rewards_off: float
    next_obs: tuple[float, ...]
    reward: tuple[float, ...]


@dataclass(frozen=True)
class Worst:
    """The largest error of one dimension, and where."""

    dimension: int
    error: float
    place: str


@dataclass(frozen=True)
class Version:
    """How one version of the task reproduces the rows, by kind of row; `relative` is the median error as a share of
    what a step changes."""

    task: str
    groups: dict[str, Group]
    worst: tuple[Worst, ...]
    relative: float

    def off(self, what: str) -> float:
        """The share of rows off among those that do not time out."""
        counted = [group for name, group in self.groups.items() if name != "timed out"]
        rows = sum(group.rows for group in counted)
        return sum(getattr(group, what) * group.rows for group in counted) / max(1, rows)

    @property
    def fits(self) -> bool:
        terminal = self.groups.get("terminal")
        return (
            self.off("states_off") <= FITS
            and self.off("rewards_off") <= FITS
            and (terminal is None or terminal.rewards_off <= 0.5)
        )


@dataclass(frozen=True)
class Outcome:
    """What was found: `state` fail where the rows are another version's, warn where a person should know."""

    state: State
    text: str
    versions: tuple[Version, ...]
    rows: int
    misplaced: int


def check(rows: StateRows, task: str, progress: Callable[[int], None] = lambda done: None) -> Outcome:
    """Replay the rows in `task` and in its other versions."""
    tasks = [task, *physics.other_versions(task)]
    count = rows.samples.reward.size
    versions: list[Version] = []
    misplaced = 0
    for number, each in enumerate(tasks):
        replayed = physics.replay_rows(each, rows.samples, lambda done, base=number * count: progress(base + done))  # type: ignore[misc]
        if replayed is None:
            continue
        there = np.abs(replayed.obs - rows.samples.obs).max(axis=1) <= physics.START_TOLERANCE
        if each == task:
            misplaced = int((~there).sum())
        if there.any():
            versions.append(_version(each, rows, replayed, there))
    state, text = _verdict(task, versions, misplaced, count)
    return Outcome(state, text, tuple(versions), count, misplaced)


def steps(task: str, rows: StateRows) -> int:
    """How many steps `check` will take."""
    return (1 + len(physics.other_versions(task))) * int(rows.samples.reward.size)


def _version(task: str, rows: StateRows, replayed: physics.Replayed, there: NDArray[np.bool_]) -> Version:
    samples = rows.samples
    gaps = np.abs(replayed.next_obs - samples.next_obs)
    errors, rewards = gaps.max(axis=1), np.abs(replayed.reward - samples.reward)
    change = np.linalg.norm(samples.next_obs - samples.obs, axis=1) + 1e-3
    relative = np.linalg.norm(gaps, axis=1) / change
    members = dict(zip(GROUPS, (~samples.terminal & ~rows.timed_out, samples.terminal, rows.timed_out), strict=True))
    groups = {}
    for name, member in members.items():
        chosen = member & there
        if chosen.any():
            groups[name] = Group(
                rows=int(chosen.sum()),
                states_off=float((relative[chosen] > physics.MISFIT).mean()),
                rewards_off=float((rewards[chosen] > REWARD_OFF).mean()),
                next_obs=tuple(float(value) for value in np.quantile(errors[chosen], QUANTILES)),
                reward=tuple(float(value) for value in np.quantile(rewards[chosen], QUANTILES)),
            )
    counted = np.flatnonzero(there & ~rows.timed_out) if (there & ~rows.timed_out).any() else np.flatnonzero(there)
    at = gaps[counted].argmax(axis=0)
    worst = [
        Worst(dimension, float(gaps[counted[row], dimension]), rows.place[counted[row]])
        for dimension, row in enumerate(at)
    ]
    worst.sort(key=lambda each: -each.error)
    return Version(task, groups, tuple(worst), float(np.median(relative[counted])))


def _verdict(task: str, versions: list[Version], misplaced: int, count: int) -> tuple[State, str]:
    own = next((each for each in versions if each.task == task), None)
    if own is None:
        if misplaced:
            return "warn", "the stored states are not those of the observations, so nothing can be said"
        return "warn", f"the stored states do not have {task}'s dimensions, so nothing can be said"
    if misplaced > 0.5 * count:
        return (
            "warn",
            f"{misplaced} of {count} stored states are not those of their observations, so nothing can be said",
        )
    others = [each for each in versions if each is not own and each.fits]
    if own.fits:
        also = f" ({others[0].task} as well: they differ in nothing that these rows show)" if others else ""
        return "ok", f"the rows are {task}'s{also}"
    if others:
        other = others[0].task
        if own.off("states_off") > FITS:
            why = f"{task} reaches other next observations on {own.off('states_off'):.0%} of them"
            return "fail", f"the rows are {other}'s, and {why}{physics.known_difference(task, other)}"
        terminal = own.groups.get("terminal")
        where = f"on {terminal.rewards_off:.0%} of the terminal ones" if terminal and terminal.rewards_off else ""
        return "fail", f"the rows are {other}'s, and {task} pays other rewards {where}".rstrip()
    if own.off("states_off") <= FITS:
        return "warn", (
            f"the next observations are {task}'s but the rewards are not on {own.off('rewards_off'):.0%} of the rows, "
            f"so returns are not on the task's scale"
        )
    share = f"{own.off('states_off'):.0%} of the rows"
    if own.off("states_off") > 0.5 and own.relative > 0.5:
        return "fail", f"no version of {task} made these rows: next observations differ on {share}"
    return "warn", (
        f"next observations differ on {share}, by {own.relative:.2g} of a step's change in the median: an older "
        f"simulator or other parameters may have made them"
    )
