"""D4RL's normalised score: 100 (R - min) / (max - min), R the undiscounted return of an episode (Fu et al. 2020)."""

from __future__ import annotations

import math
from typing import NamedTuple


class Reference(NamedTuple):
    """Returns of a random and of an expert policy."""

    min: float
    max: float


# D4RL, infos.py: the same numbers for its v0, v1 and v2 data.
_D4RL = {
    "HalfCheetah": Reference(-280.178953, 12135.0),
    "Hopper": Reference(-20.272305, 3234.3),
    "Walker2d": Reference(1.629008, 4592.3),
}
_COMPARABLE_VERSIONS = ("v2", "v3", "v4")


def reference(task: str) -> Reference | None:
    """The task's (min, max) return, or None where D4RL defines none for it."""
    return _D4RL[task.rpartition("-")[0]] if comparable(task) else None


def family(task: str) -> Reference | None:
    """The reference returns of the task's family whatever its version: a rule of thumb, not a score."""
    return _D4RL.get(task.rpartition("-")[0])


def score(task: str, ret: float, ref: tuple[float, float] | None = None) -> float | None:
    """Normalised score of the return `ret`; `ref` is a data set's own (min, max) and goes first.

    None where neither exists. Raises ValueError if `ref` is not finite with min < max.
    """
    used = _used(task, ref)
    return None if used is None else normalise(ret, used.min, used.max)


def normalise(ret: float, low: float, high: float) -> float:
    """0 at the return `low`, 100 at `high`."""
    return 100.0 * (ret - low) / (high - low)


def between(ret: float, low: float | None, high: float | None) -> float | None:
    """`normalise`, or None where a reference return is missing."""
    return None if low is None or high is None else normalise(ret, low, high)


def comparable(task: str) -> bool:
    """True if a score in `task` can stand beside published D4RL scores."""
    family, _, version = task.rpartition("-")
    return family in _D4RL and version in _COMPARABLE_VERSIONS


def _used(task: str, ref: tuple[float, float] | None) -> Reference | None:
    if ref is None:
        return reference(task)
    own = Reference(float(ref[0]), float(ref[1]))
    if not (math.isfinite(own.min) and math.isfinite(own.max) and own.min < own.max):
        raise ValueError(f"the data set's ref_min {own.min:g} and ref_max {own.max:g} must be finite and rising")
    return own
