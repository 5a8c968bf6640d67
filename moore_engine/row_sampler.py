"""General priorities f(d, t), one per row and online epoch (MOORe, Eq. 3): the sampler `custom`, drawn by a sum tree.

The two strata of samplers.py are the case in which f looks only at whether a row is offline.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from moore_engine.buffers import ReplayTable
from moore_engine.samplers import DrawCounts
from moore_engine.sumtree import SumTree

Priority = Callable[[Tensor, Tensor, int], Tensor]
"""f(rows (n, width) float32 in the table's layout, offline (n,) bool, t) -> (n,) real, finite and not negative.

Each row's value must follow from that row and t alone: rows come in batches of any size, and again after a resume.
The rows are the table's own and must not be changed.
"""


class PriorityError(ValueError):
    """A priority function returned something that is not one finite, non-negative number a row, or only zeros."""


class RowSampler(DrawCounts):
    """StratumSampler's interface over a function's priorities of `table`'s rows.

    A row keeps its priority within an epoch, an online one from its arrival. All draws are in proportion to priority,
    so restricting them to some rows changes the offline share where priorities within a stratum differ; a
    StratumSampler keeps it. Before the first `begin_epoch` all rows are alike. `n_off` and `n_on` must be the table's,
    ValueError otherwise. An unusable priority raises PriorityError at its first use.
    """

    kind = "custom"
    alpha = 1.0

    def __init__(self, priority: Priority, table: ReplayTable) -> None:
        self.priority = priority
        self.table = table
        self.reset_counts()
        self._enter(0, table.n_off)

    def set_alpha(self, alpha: float) -> None:
        """Does nothing: a function of one's own knows no alpha."""

    def begin_epoch(self, t: int) -> None:
        """Enters online epoch t = 1..T; the rows there are get new priorities."""
        if t < 1:
            raise ValueError(f"online epochs start at 1, not {t}.")
        self._enter(t, len(self.table))

    def f(self, n_off: int, n_on: int) -> float:
        """Mean priority of the offline rows over that of the online ones; 1 while there are none."""
        weights = self._weights(n_off, n_on)
        if not n_on:
            return 1.0
        online = float(weights[n_off:].mean())
        return float(weights[:n_off].mean()) / online if online else math.inf

    def p_off(self, n_off: int, n_on: int) -> float:
        """Share of all priority that offline rows hold: the probability that a drawn row is offline."""
        return float(self._weights(n_off, n_on)[:n_off].sum()) / self._mass

    def ess(self, n_off: int, n_on: int) -> float:
        """Effective number of rows, (sum w)^2 / sum w^2."""
        return 1.0 / float((self._weights(n_off, n_on) / self._mass).square().sum())

    def shift(self) -> float:
        """Total variation in [0, 1] between the law at the end of the epoch before and the one now, by all rows.

        At an epoch's last step this is the whole epoch's, as samplers.shift tells it. The law before epoch 1 is the
        offline stage's.
        """
        now = self._weights(self.table.n_off, self.table.n_on)
        then = torch.zeros_like(now)
        known = self._first if self.t > 1 else self.table.n_off
        then[:known] = self._evaluate(0, known, max(0, self.t - 1))
        return 0.5 * float((now / self._mass - then / then.sum()).abs().sum())

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
        """Global row indices of the given shape, int64 on the table's device (`device` must be it), with replacement.

        `off_index` and `on_index` (global indices) keep a stratum to those rows. The tree over them is built once for
        the same two tensors.
        """
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self._follow(n_off, n_on)
        if off_index is None and on_index is None:
            index = self._tree.sample(math.prod(shape), generator).view(shape)
        else:
            tree, rows = self._among(off_index, on_index, n_off, n_on)
            index = rows[tree.sample(math.prod(shape), generator)].view(shape)
        self._count(index < n_off)
        return index

    def state_dict(self) -> dict[str, Any]:
        """Epoch, rows at its beginning, counts: the priorities follow from the table."""
        return {"kind": self.kind, "t": self.t, "first": self._first, **self.counts()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` gave, on the same table; ValueError for another kind of sampler."""
        if state["kind"] != self.kind:
            raise ValueError(f"the saved sampler is {state['kind']}, this one {self.kind}.")
        self._enter(int(state["t"]), int(state["first"]))
        self.set_counts(state)

    def _enter(self, t: int, first: int) -> None:
        """Epoch t, begun with `first` rows; priorities are worked out when they are first needed."""
        self.t, self._first, self._n, self._mass = t, first, 0, 0.0
        self._restricted: tuple[Tensor | None, Tensor | None, SumTree, Tensor] | None = None
        self._tree = SumTree(1)

    def _weights(self, n_off: int, n_on: int) -> Tensor:
        self._follow(n_off, n_on)
        return self._tree.nodes[self._tree.leaves : self._tree.leaves + n_off + n_on]

    def _follow(self, n_off: int, n_on: int) -> None:
        """The priorities of all rows into the tree.

        The rows the epoch began with go to the function in one call, later ones each in its own: a resumed run makes
        the same calls, so rounding that depends on a batch's size cannot tell them apart.
        """
        n = len(self.table)
        if (n_off, n_on) != (self.table.n_off, self.table.n_on):
            raise ValueError(f"the table has {self.table.n_off} + {self.table.n_on} rows, not {n_off} + {n_on}.")
        if n == self._n:
            return
        device = self.table.rows.device
        if self._n == 0 or n > self._tree.capacity:
            self._tree = SumTree(self.table.rows.shape[0], device)
            self._tree.fill(self._evaluate(0, self._first, self.t))
            self._n = self._first
        if n > self._n:
            arrived = [self._evaluate(row, row + 1, self.t) for row in range(self._n, n)]
            self._tree.update(torch.arange(self._n, n, device=device), torch.cat(arrived))
        self._mass = self._checked_mass(self._tree, f"all {n} rows")
        self._n, self._restricted = n, None

    def _among(
        self, off_index: Tensor | None, on_index: Tensor | None, n_off: int, n_on: int
    ) -> tuple[SumTree, Tensor]:
        """A tree over the given rows alone, and their global indices."""
        kept = self._restricted
        if kept is None or kept[0] is not off_index or kept[1] is not on_index:
            every = torch.arange(n_off + n_on, device=self.table.rows.device)
            off = every[:n_off] if off_index is None else off_index
            on = every[n_off:] if on_index is None else on_index
            rows = torch.cat([off, on])
            tree = SumTree(max(1, rows.numel()), rows.device)
            tree.fill(self._tree.priority(rows))
            self._checked_mass(tree, f"the {rows.numel()} rows to draw from")
            self._restricted = kept = (off_index, on_index, tree, rows)
        return kept[2], kept[3]

    def _checked_mass(self, tree: SumTree, which: str) -> float:
        mass = float(tree.total)
        if not 0.0 < mass < math.inf:
            raise PriorityError(
                f"the priorities of {which} add up to {mass} in online epoch {self.t}: give some row one above 0, "
                "and a finite sum."
            )
        return mass

    def _evaluate(self, start: int, stop: int, t: int) -> Tensor:
        """Priorities (stop - start,) float64 in epoch t; 1 in the offline stage, t = 0."""
        rows = self.table.rows[start:stop]
        if t == 0:
            return torch.ones(stop - start, dtype=torch.float64, device=rows.device)
        offline = torch.arange(start, stop, device=rows.device) < self.table.n_off
        return row_priorities(self.priority, rows, offline, t, start)


def row_priorities(priority: Priority, rows: Tensor, offline: Tensor, t: int, start: int = 0) -> Tensor:
    """The function's priorities (n,) float64 of `rows` (n, width), the first of which is row `start` of its table.

    Raises PriorityError unless they are one finite, non-negative number a row.
    """
    given = priority(rows, offline, t)
    n = rows.shape[0]
    if not isinstance(given, Tensor):
        raise PriorityError(f"the priority function returned a {type(given).__name__}, not a tensor of shape ({n},).")
    if given.shape != (n,):
        raise PriorityError(f"the priority function returned shape {tuple(given.shape)} for {n} rows, not ({n},).")
    weights = given.to(rows.device, torch.float64)
    bad = ~torch.isfinite(weights) | (weights < 0)
    if bool(bad.any()):
        row = int(bad.int().argmax())
        raise PriorityError(
            f"the priority function gave row {start + row} {float(weights[row])} in online epoch {t}; "
            "priorities must be finite and not negative."
        )
    return weights
