"""Prioritised sampling of offline and online rows (MOORe, Eq. 3 and Algorithm 1), its closed forms, and the holdout
rule.

The priority f(t) = 1/(alpha t) of an offline row, 1 of an online one, depends on the epoch alone, so there are two
strata: P_off = n_off f / (n_off f + n_on), and a row uniformly within its stratum. No importance weights: they would
undo the method.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor

SamplerKind = Literal["priority", "uniform", "half_half", "online_only"]
SAMPLER_KINDS: tuple[str, ...] = get_args(SamplerKind)


class DrawCounts:
    """Counts, of all rows drawn since `reset_counts`, those that were offline; the base of the samplers."""

    _drawn: int
    _drawn_off: Tensor

    def sampled_p_off(self) -> float:
        """Share of offline rows among all drawn since `reset_counts`; nan before the first draw. Reads a device
        tensor."""
        return int(self._drawn_off) / self._drawn if self._drawn else math.nan

    def reset_counts(self) -> None:
        self.set_counts({"drawn": 0, "drawn_off": 0})

    def counts(self) -> dict[str, int]:
        """Rows drawn and, of those, offline ones. Reads a device tensor."""
        return {"drawn": self._drawn, "drawn_off": int(self._drawn_off)}

    def set_counts(self, counts: Mapping[str, Any]) -> None:
        """Goes back to what `counts` gave."""
        self._drawn = int(counts["drawn"])
        self._drawn_off = torch.tensor(int(counts["drawn_off"]), dtype=torch.int64)

    def _count(self, offline: Tensor) -> None:
        if self._drawn_off.device != offline.device:
            self._drawn_off = self._drawn_off.to(offline.device)
        self._drawn_off += offline.sum()
        self._drawn += offline.numel()


class StratumSampler(DrawCounts):
    """One of the four samplers: `priority`; `uniform` (f = 1); `half_half` (exactly one half each); `online_only` (f
    = 0).

    Before the first `begin_epoch` f is that of the offline stage, 1. While there are no online rows `half_half` draws
    offline ones only. A new alpha holds from the next epoch. The rows drawn are counted per stratum.
    """

    def __init__(self, kind: SamplerKind = "priority", alpha: float = 1.0) -> None:
        if kind not in SAMPLER_KINDS:
            raise ValueError(f"unknown sampler {kind!r}: choose one of {', '.join(SAMPLER_KINDS)}.")
        self.kind: SamplerKind = kind
        self.alpha = _positive_alpha(alpha)
        self.next_alpha = self.alpha
        self.t = 0
        self.reset_counts()

    def set_alpha(self, alpha: float) -> None:
        """Takes effect at the next `begin_epoch`, so that priorities are constant within an epoch."""
        self.next_alpha = _positive_alpha(alpha)

    def begin_epoch(self, t: int) -> None:
        """Enters online epoch t = 1..T."""
        if t < 1:
            raise ValueError(f"online epochs start at 1, not {t}.")
        self.t = t
        self.alpha = self.next_alpha

    def f(self, n_off: int, n_on: int) -> float:
        """Priority of an offline row relative to an online one; half_half: n_on/n_off, at which both strata weigh the
        same."""
        if self.kind == "online_only":
            return 0.0
        if self.kind == "half_half":
            return n_on / n_off if n_off and n_on else 1.0
        return priority_off(self.t, self.alpha) if self.kind == "priority" and self.t else 1.0

    def p_off(self, n_off: int, n_on: int) -> float:
        """Probability that a drawn row is offline; ValueError when no row may be drawn (online_only before the first
        online row)."""
        self._need_rows(n_off, n_on)
        return p_off(n_off, n_on, self.f(n_off, n_on))

    def ess(self, n_off: int, n_on: int) -> float:
        """Effective number of rows, `effective_size` at this sampler's f."""
        self._need_rows(n_off, n_on)
        return effective_size(n_off, n_on, self.f(n_off, n_on))

    def draw(
        self,
        shape: int | tuple[int, ...],
        n_off: int,
        n_on: int,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
        off_index: Tensor | None = None,
        on_index: Tensor | None = None,
    ) -> Tensor:
        """Global row indices of the given shape, int64 on `device`, drawn with replacement: offline 0..n_off-1,
        online n_off..n_off+n_on-1.

        `off_index` and `on_index` (global indices) restrict a stratum to those rows without changing P_off. half_half
        alternates the strata along the last dimension, so every even-sized stretch of it holds exactly half of each;
        an odd one's last row is a coin's. ValueError when the sampler has no rows to draw.
        """
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        p = self.p_off(n_off, n_on)
        if p > 0 and off_index is not None and off_index.numel() == 0:
            raise ValueError("off_index is empty, so there is no offline row to draw.")
        if p < 1 and on_index is not None and on_index.numel() == 0:
            raise ValueError("on_index is empty, so there is no online row to draw.")
        coin = torch.rand(shape, dtype=torch.float64, device=device, generator=generator)
        place = torch.rand(shape, dtype=torch.float64, device=device, generator=generator)
        offline = coin < p
        if self.kind == "half_half" and 0 < p < 1:
            paired = shape[-1] - shape[-1] % 2
            offline[..., 0:paired:2] = True
            offline[..., 1:paired:2] = False
        self._count(offline)
        off_rows = _pick(place, n_off, 0, off_index) if p > 0 else None
        on_rows = _pick(place, n_on, n_off, on_index) if p < 1 else None
        if off_rows is None or on_rows is None:
            return on_rows if off_rows is None else off_rows  # type: ignore[return-value]
        return torch.where(offline, off_rows, on_rows)

    def state_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "alpha": self.alpha,
            "next_alpha": self.next_alpha,
            "t": self.t,
            **self.counts(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores epoch, alpha and counts; ValueError for another kind of sampler."""
        if state["kind"] != self.kind:
            raise ValueError(f"the saved sampler is {state['kind']}, this one {self.kind}.")
        self.alpha, self.next_alpha = float(state["alpha"]), float(state["next_alpha"])
        self.t = int(state["t"])
        self.set_counts(state)

    def _need_rows(self, n_off: int, n_on: int) -> None:
        if self.kind == "online_only" and n_on == 0:
            raise ValueError(
                "online_only has no rows before the first environment step: collect some, or choose another sampler."
            )
        if n_off + n_on == 0:
            raise ValueError("there are no rows to draw: load a data set or collect some steps.")


def priority_off(t: int, alpha: float) -> float:
    """f(t) = 1/(alpha t), the priority of an offline row in online epoch t >= 1 (MOORe, Sec. 3.2)."""
    return 1.0 / (alpha * t)


def p_off(n_off: int, n_on: int, f: float) -> float:
    """Probability of the offline stratum, n_off f / (n_off f + n_on)."""
    return n_off * f / (n_off * f + n_on)


def effective_size(n_off: int, n_on: int, f: float) -> float:
    """Effective number of rows under weights f and 1, (sum w)^2 / sum w^2 = (n_off f + n_on)^2 / (n_off f^2 + n_on)."""
    return (n_off * f + n_on) ** 2 / (n_off * f * f + n_on)


def half_time(n_off: int, steps_per_epoch: int, alpha: float) -> float:
    """Epoch at whose end half of the drawn rows are online, sqrt(n_off / (S alpha)); P_off(t) = 1 / (1 +
    (t/half_time)^2)."""
    return math.sqrt(n_off / (steps_per_epoch * alpha))


def auto_alpha(n_off: int, steps_per_epoch: int, t_half: float = 20.0) -> float:
    """The alpha whose half time is `t_half` epochs whatever the size of the data set, n_off / (S t_half^2)."""
    return n_off / (steps_per_epoch * t_half**2)


def shift(p_prev: float, n_off: int, n_on_prev: int, p: float, n_on: int) -> float:
    """Total variation in [0, 1] between two epochs' sampling laws: P_off `p_prev` over n_on_prev online rows, then
    `p` over n_on.

    The online rows of the first are among those of the second, so three groups of equal rows remain and the sum is
    closed.
    """
    new = (n_on - n_on_prev) * (1 - p) / n_on if n_on else 0.0
    kept = abs((1 - p_prev) - (1 - p) * n_on_prev / n_on) if n_on else 0.0
    return 0.5 * (abs(p - p_prev) + kept + new)


def holdout_mask(ids: Tensor, n: int, ratio: float = 0.2, cap: int = 1000) -> Tensor:
    """Bool (n,), true where one of the stratum's rows `ids[:n]` (distinct int64) is held out of the model fit.

    A row is held out when its id's 64-bit hash lies below `ratio` and among the `cap` lowest of the n. As n grows a
    row can enter on its own arrival only, may leave for training later, and never returns.
    """
    if ids.shape[0] < n:
        raise ValueError(f"{ids.shape[0]} ids were given for {n} rows.")
    order = _splitmix64(ids[:n])
    if ratio < 1:
        held = order < int(ratio * 2.0**64) - 2**63
    else:
        held = torch.ones_like(order, dtype=torch.bool)
    candidates = order[held]
    if candidates.numel() > cap:
        held = held & (order <= candidates.sort().values[cap - 1]) if cap > 0 else torch.zeros_like(held)
    return held


def _splitmix64(ids: Tensor) -> Tensor:
    """Steele, Lea and Flood's finaliser (2014), a bijection on 64 bits; the sign bit is flipped so that int64 order
    is unsigned order."""
    z = ids + _signed(0x9E3779B97F4A7C15)
    z = (z ^ _shift_right(z, 30)) * _signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shift_right(z, 27)) * _signed(0x94D049BB133111EB)
    return (z ^ _shift_right(z, 31)) ^ _signed(1 << 63)


def _shift_right(z: Tensor, bits: int) -> Tensor:
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _pick(place: Tensor, count: int, start: int, index: Tensor | None) -> Tensor:
    """Uniform row of a stratum of `count` rows from `start`, or of `index`, for each `place` in [0, 1)."""
    if index is not None:
        return index[(place * index.numel()).long()]
    return (place * count).long() + start


def _positive_alpha(alpha: float) -> float:
    if not (math.isfinite(alpha) and alpha > 0):
        raise ValueError(f"alpha must be a positive number, not {alpha}.")
    return float(alpha)
