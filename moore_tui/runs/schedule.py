"""The priority schedule that alpha and a data set's size give, before a run is started (MOORe, Eq. 3 and Algorithm 1).

Offline rows have priority f(t) = 1/(alpha t) in online epoch t, online ones 1, so at that epoch's end
P_off = n_off f / (n_off f + t S). Standard library only; the tests hold it against moore_engine.samplers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

SAMPLERS = ("priority", "uniform", "half_half", "online_only")
"""Those whose schedule is known before; `custom` depends on the rows themselves."""

MOST_EPOCHS = 10_000
"""Epochs that are computed at most."""

HALF = 0.5 + 1e-12
"""A half, rounding aside."""

AUTO_HALF = 20.0
"""Epoch at which alpha = "auto" puts the half."""


@dataclass(frozen=True)
class Schedule:
    """Figures at the ends of online epochs 1, 2, ...; `p_off[0]` is epoch 1's.

    `shift` is the total variation between an epoch's sampling law and the one before, `ess` the effective number of
    rows. `half_epoch` is the first epoch at whose end half of the draws or more are online (None if none of these
    is), `half_time` the same without rounding and without end (None if that never comes).
    """

    alpha: float
    p_off: tuple[float, ...]
    shift: tuple[float, ...]
    ess: tuple[float, ...]
    half_epoch: int | None
    half_time: float | None

    @property
    def largest_shift(self) -> float:
        return max(self.shift, default=0.0)

    @property
    def shift_epoch(self) -> int | None:
        """The epoch of the largest shift; the first one of equals."""
        return self.shift.index(self.largest_shift) + 1 if self.shift else None


def preview(
    n_off: int, steps_per_epoch: int, online_epochs: int, alpha: float | str = 1.0, sampler: str = "priority"
) -> Schedule | None:
    """The schedule of a run with `n_off` offline rows; None where it cannot be known (sampler "custom", no rows).

    `alpha` may be "auto". Raises ValueError for a number that is not positive.
    """
    if sampler not in SAMPLERS or n_off < 1 or steps_per_epoch < 1:
        return None
    value = n_off / (steps_per_epoch * AUTO_HALF**2) if alpha == "auto" else float(alpha)
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"alpha must be a positive number, not {alpha}.")
    epochs = range(1, min(online_epochs, MOST_EPOCHS) + 1)
    online = [epoch * steps_per_epoch for epoch in epochs]
    priority = [_priority(sampler, epoch, value, n_off, n_on) for epoch, n_on in zip(epochs, online, strict=True)]
    p_off = [n_off * f / (n_off * f + n_on) for f, n_on in zip(priority, online, strict=True)]
    laws = [(1.0, 0), *zip(p_off, online, strict=True)]
    return Schedule(
        alpha=value,
        p_off=tuple(p_off),
        shift=tuple(_total_variation(*before, *after) for before, after in pairwise(laws)),
        ess=tuple((n_off * f + n) ** 2 / (n_off * f * f + n) for f, n in zip(priority, online, strict=True)),
        half_epoch=next((epoch for epoch, p in zip(epochs, p_off, strict=True) if p <= HALF), None),
        half_time=_half_time(sampler, n_off, steps_per_epoch, value),
    )


def _priority(sampler: str, epoch: int, alpha: float, n_off: int, n_on: int) -> float:
    """Priority of an offline row relative to an online one."""
    if sampler == "priority":
        return 1.0 / (alpha * epoch)
    return {"uniform": 1.0, "half_half": n_on / n_off, "online_only": 0.0}[sampler]


def _half_time(sampler: str, n_off: int, steps: int, alpha: float) -> float | None:
    """Where n_off f(t) = t S."""
    if sampler == "priority":
        return math.sqrt(n_off / (steps * alpha))
    return n_off / steps if sampler == "uniform" else 0.0


def _total_variation(p_before: float, n_before: int, p: float, n: int) -> float:
    """Between drawing offline rows with p_before (over n_before online ones) and with p (over n, those among them)."""
    new = (n - n_before) * (1 - p) / n
    kept = abs((1 - p_before) - (1 - p) * n_before / n)
    return 0.5 * (abs(p - p_before) + kept + new)
