"""Rows of the replay table drawn by priorities that change row by row (Balanced Replay, Lee et al. 2021).

An offline row starts at priority 1. Online rows start at n_off f / ((1 - f) N), so that the first N of them together
hold the share f of all priority; from then on a row has what it was last given.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from moore_engine.buffers import ReplayTable
from moore_engine.sumtree import SumTree


class BalancedRows:
    """A sum tree over `table`'s rows; draws are stratified. `fraction` is f, `arrivals` N above.

    `enter` takes in what was appended to the table. `draw`, `strata` and `set_priority` are static work on static
    memory, so a CUDA graph can hold them, until `reserve` answers True: then capture again.
    """

    def __init__(self, table: ReplayTable, *, fraction: float, arrivals: int) -> None:
        self.table, self.first = table, starting_priority(table.n_off, fraction, arrivals)
        self._known, device = table.n_off, table.rows.device
        self._n_on, self._sums = (torch.zeros(n, dtype=torch.float64, device=device) for n in (1, 2))
        """Online rows taken in; sum over the batches drawn in this epoch of their offline shares, and these batches."""
        self.tree = SumTree(table.rows.shape[0], device)
        self._fill(torch.ones(self._known, dtype=torch.float64, device=device))
        self.begin_epoch()

    @property
    def priorities(self) -> Tensor:
        """Of all rows taken in, (n,) float64, a view."""
        return self.tree.nodes[self.tree.leaves : self.tree.leaves + self._known]

    def enter(self) -> None:
        """Give rows that are new in the table their starting priority."""
        if self._known < len(self.table):
            index = torch.arange(self._known, len(self.table), device=self.table.rows.device)
            self.tree.update(index, torch.full_like(index, self.first, dtype=torch.float64))
            self._known = len(self.table)
            self._n_on.fill_(self._known - self.table.n_off)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Indices (count,) in proportion to priority, one from each of `count` equal parts of all of it."""
        index = self.tree.sample(count, generator, stratified=True)
        self._sums[0] += (index < self.table.n_off).double().mean()
        self._sums[1] += 1.0
        return index

    def strata(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Indices of `count` offline and of `count` online rows, each uniform; there must be online ones."""
        off, on = torch.rand(2, count, dtype=torch.float64, device=self.table.rows.device, generator=generator)
        return (off * self.table.n_off).long(), (on * self._n_on).long() + self.table.n_off

    def set_priority(self, index: Tensor, priority: Tensor) -> None:
        """New priorities (n,) of rows `index` (n,), equal where a row occurs twice."""
        self.tree.update(index, priority)

    def begin_epoch(self) -> None:
        """Count draws, and measure the law's change, from here on."""
        self._sums.zero_()
        self._before = self._law()

    def share(self) -> dict[str, Any]:
        """The facts of a `share` event: the offline rows' share of all priority, and of the rows drawn in this epoch;
        their mean priority over the online rows'; the total variation in [0, 1], row by row, since the epoch began."""
        n_off, law = self.table.n_off, self._law()
        n_on, p_off = law.shape[0] - n_off, float(law[:n_off].sum())
        sampled, batches = self._sums.tolist()
        change = law.clone()
        change[: self._before.shape[0]] -= self._before
        return {
            "p_off": p_off, "p_off_sampled": sampled / batches if batches else math.nan,
            "priority_off": float(law[:n_off].mean() / law[n_off:].mean()) if n_on else 1.0,
            "n_off": n_off, "n_on": n_on, "shift": 0.5 * float(change.abs().sum()),
        }  # fmt: skip

    def reserve(self) -> bool:
        """Make room for as many rows as the table has room for; whether that moved the tree."""
        moved = self.tree.capacity < self.table.rows.shape[0]
        if moved:
            priorities, self.tree = self.priorities, SumTree(self.table.rows.shape[0], self.table.rows.device)
            self._fill(priorities)
        return moved

    def tensors(self) -> list[Tensor]:
        """What `draw` and `set_priority` change."""
        return [self.tree.nodes, self._sums]

    def state_dict(self) -> dict[str, Any]:
        """The priorities are a view: write it out before the next `draw`."""
        return {"priority": self.priorities, "before": self._before, "sums": self._sums.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore; ValueError if the tree has no room for the saved rows."""
        self._fill(state["priority"].to(self.table.rows.device))
        self._before = state["before"].to(self.table.rows.device)
        self._sums.copy_(state["sums"])

    def _fill(self, priority: Tensor) -> None:
        self.tree.load_state_dict({"priority": priority})
        self._known = priority.shape[0]
        self._n_on.fill_(self._known - self.table.n_off)

    def _law(self) -> Tensor:
        return self.priorities / self.priorities.sum()


def starting_priority(n_off: int, fraction: float, arrivals: int) -> float:
    """n_off f / ((1 - f) N): `arrivals` = N new rows then hold the share `fraction` = f beside n_off rows at 1."""
    return n_off * fraction / ((1.0 - fraction) * arrivals)
