"""Sum tree over row priorities: draws and updates in O(log n), for priorities that differ row by row (MOORe Eq. 3;
Balanced Replay)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class SumTree:
    """Binary tree in one float64 tensor; node k's children are 2k and 2k+1, the leaves are the last `leaves` nodes.

    All operations take a batch of indices at once. Rows start at priority 0, which is never drawn.
    """

    def __init__(self, capacity: int, device: torch.device | str = "cpu") -> None:
        if capacity < 1:
            raise ValueError(f"a sum tree needs room for at least one row, not {capacity}.")
        self.capacity = capacity
        self.depth = max(1, (capacity - 1).bit_length())
        self.leaves = 1 << self.depth
        self.nodes = torch.zeros(2 * self.leaves, dtype=torch.float64, device=device)

    @property
    def total(self) -> Tensor:
        """Sum of all priorities, a 0-dim tensor on the device."""
        return self.nodes[1]

    def update(self, index: Tensor, priority: Tensor) -> None:
        """Sets the priorities (n,) >= 0 of rows `index` (n,); a row that occurs twice must carry the same priority
        both times."""
        node = index + self.leaves
        self.nodes[node] = priority.to(self.nodes)
        for _ in range(self.depth):
            node = node >> 1
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1]

    def fill(self, priority: Tensor) -> None:
        """Sets rows 0..n-1 to `priority` (n,) and all others to 0, in O(leaves): cheaper than `update` for most rows
        at once."""
        self.nodes.zero_()
        self.nodes[self.leaves : self.leaves + priority.shape[0]] = priority.to(self.nodes)
        for level in range(self.depth - 1, -1, -1):
            below = self.nodes[2 << level : 4 << level]
            self.nodes[1 << level : 2 << level] = below[0::2] + below[1::2]

    def priority(self, index: Tensor) -> Tensor:
        return self.nodes[index + self.leaves]

    def find(self, mass: Tensor) -> Tensor:
        """Row (n,) in whose interval of the running sum each `mass` (n,) in [0, total) lies."""
        mass = mass.clone()
        node = torch.ones_like(mass, dtype=torch.long)
        for _ in range(self.depth):
            left = self.nodes[2 * node]
            # Rounding may leave mass = left at the right edge; an empty right child is never entered.
            right = (mass >= left) & (self.nodes[2 * node + 1] > 0)
            mass -= torch.where(right, left, 0.0)
            node = 2 * node + right.long()
        return node - self.leaves

    def sample(self, count: int, generator: torch.Generator, stratified: bool = False) -> Tensor:
        """`count` rows in proportion to priority; `stratified` takes one from each of `count` equal parts of the
        total mass."""
        uniform = torch.rand(count, dtype=torch.float64, device=self.nodes.device, generator=generator)
        if stratified:
            uniform = (uniform + torch.arange(count, dtype=torch.float64, device=uniform.device)) / count
        return self.find(uniform * self.total)

    def state_dict(self) -> dict[str, Any]:
        """The leaves; the sums above them follow. A view: write it out before the next `update`."""
        return {"priority": self.nodes[self.leaves : self.leaves + self.capacity]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["priority"].shape[0] > self.capacity:
            raise ValueError(
                f"{state['priority'].shape[0]} saved priorities do not fit a tree of {self.capacity} rows."
            )
        self.fill(state["priority"])
