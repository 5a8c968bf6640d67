"""Row storage: the replay table (D_off and D_on of MOORe, Algorithm 1) and the model buffer (D_model).

Every transition is one float32 row, obs | action | next_obs | reward | terminal; which rows are drawn is
samplers.py's matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Columns of a transition row, as slices; reward and terminal are one column each, so `rows[:, layout.reward]` is
    (n, 1)."""

    obs_dim: int
    action_dim: int

    @property
    def width(self) -> int:
        return 2 * self.obs_dim + self.action_dim + 2

    @property
    def obs(self) -> slice:
        return slice(0, self.obs_dim)

    @property
    def action(self) -> slice:
        return slice(self.obs_dim, self.obs_dim + self.action_dim)

    @property
    def next_obs(self) -> slice:
        return slice(self.obs_dim + self.action_dim, 2 * self.obs_dim + self.action_dim)

    @property
    def reward(self) -> slice:
        return slice(self.width - 2, self.width - 1)

    @property
    def terminal(self) -> slice:
        return slice(self.width - 1, self.width)


class ReplayTable:
    """Offline rows 0..n_off-1, then online rows n_off..n_off+n_on-1 in order of arrival: one table, one index space."""

    def __init__(
        self, layout: Layout, offline: Tensor, online_capacity: int, device: torch.device | str = "cpu"
    ) -> None:
        """Copies `offline` (n_off, width) to `device` and makes room for `online_capacity` rows; ValueError on a
        wrong shape."""
        if offline.ndim != 2 or offline.shape[1] != layout.width:
            raise ValueError(f"offline rows have shape {tuple(offline.shape)}, the layout needs (n, {layout.width}).")
        self.layout = layout
        self.n_off = int(offline.shape[0])
        self.n_on = 0
        self.rows = torch.empty((self.n_off + online_capacity, layout.width), dtype=torch.float32, device=device)
        self.rows[: self.n_off].copy_(offline)

    def __len__(self) -> int:
        return self.n_off + self.n_on

    @property
    def online_capacity(self) -> int:
        return int(self.rows.shape[0]) - self.n_off

    @property
    def online(self) -> Tensor:
        """The online rows so far, (n_on, width), a view."""
        return self.rows[self.n_off : self.n_off + self.n_on]

    def append(self, row: Tensor) -> int:
        """Stores one online row (width,) and returns its index; IndexError when the online part is full."""
        index = self.n_off + self.n_on
        if index == self.rows.shape[0]:
            raise IndexError(f"the replay table is full at {self.n_on} online rows; give it a larger online_capacity.")
        self.rows[index].copy_(row)
        self.n_on += 1
        return index

    def reserve(self, online_capacity: int) -> None:
        """Makes room for more online rows; the rows there are stay where they are."""
        if online_capacity > self.online_capacity:
            rows = self.rows.new_empty((self.n_off + online_capacity, self.layout.width))
            rows[: len(self)].copy_(self.rows[: len(self)])
            self.rows = rows

    def gather(self, index: Tensor, out: Tensor | None = None) -> Tensor:
        """Rows at `index` (...) as (..., width), into `out` if given."""
        return _gather(self.rows, index, out)

    def state_dict(self) -> dict[str, Any]:
        """The online rows only (a view: they never change once written); the offline ones are known by their file's
        hash."""
        return {"n_off": self.n_off, "online": self.online}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the online rows; ValueError when they belong to another offline set or do not fit."""
        online = state["online"]
        if state["n_off"] != self.n_off:
            raise ValueError(f"the saved table stands on {state['n_off']} offline rows, this one on {self.n_off}.")
        if online.shape[0] > self.online_capacity or online.shape[1] != self.layout.width:
            raise ValueError(
                f"the saved online rows have shape {tuple(online.shape)}, "
                f"this table holds ({self.online_capacity}, {self.layout.width})."
            )
        self.n_on = int(online.shape[0])
        self.online.copy_(online)


class ModelBuffer:
    """FIFO ring of model rollout rows; only written rows are ever drawn.

    The filled size is also a tensor on the device and `sample` works in place with static shapes, so that it can sit
    in a captured CUDA graph. `resize`, `clear` and `load_state_dict` keep that tensor, but `resize` to another
    capacity moves the storage: capture again after it.
    """

    def __init__(self, layout: Layout, capacity: int, device: torch.device | str = "cpu") -> None:
        if capacity < 1:
            raise ValueError(f"a model buffer needs room for at least one row, not {capacity}.")
        self.layout = layout
        self.capacity = capacity
        self.rows = torch.empty((capacity, layout.width), dtype=torch.float32, device=device)
        self.size = 0
        self._next = 0
        self._filled = torch.zeros((), dtype=torch.float64, device=device)
        self._scratch: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return self.size

    def append(self, rows: Tensor) -> None:
        """Stores (k, width) rows, dropping the oldest; of k > capacity rows only the last `capacity` stay."""
        rows = rows[-self.capacity :]
        first = min(rows.shape[0], self.capacity - self._next)
        rest = rows.shape[0] - first
        self.rows[self._next : self._next + first].copy_(rows[:first])
        self.rows[:rest].copy_(rows[first:])
        self._next = (self._next + rows.shape[0]) % self.capacity
        self._set_size(min(self.capacity, self.size + rows.shape[0]))

    def sample(self, out: Tensor, generator: torch.Generator) -> Tensor:
        """Fills `out` (B, width) with rows drawn uniformly with replacement; ValueError while the buffer is empty."""
        if self.size == 0:
            raise ValueError("the model buffer is empty; roll the model out before drawing from it.")
        count = out.shape[0]
        uniform = self._scratch.get(count)
        if uniform is None:
            uniform = self._scratch[count] = torch.empty(count, dtype=torch.float64, device=self.rows.device)
        # Double precision: at two million rows float32's 24 bits would favour some rows by an eighth.
        index = uniform.uniform_(generator=generator).mul_(self._filled).long()
        return torch.index_select(self.rows, 0, index, out=out)

    def gather(self, index: Tensor, out: Tensor | None = None) -> Tensor:
        """Rows at storage positions `index` (...) in 0..size-1 as (..., width); positions follow the ring, not age."""
        return _gather(self.rows, index, out)

    def ordered(self) -> Tensor:
        """All rows, oldest first, (size, width), a copy."""
        start = self._next if self.size == self.capacity else 0
        return torch.cat([self.rows[start : self.size], self.rows[:start]])

    def resize(self, capacity: int) -> None:
        """Changes the capacity, keeping the newest rows."""
        if capacity == self.capacity:
            return
        if capacity < 1:
            raise ValueError(f"a model buffer needs room for at least one row, not {capacity}.")
        kept = self.ordered()[-capacity:]
        self.rows = torch.empty((capacity, self.layout.width), dtype=torch.float32, device=self.rows.device)
        self.capacity = capacity
        self.clear()
        self.append(kept)

    def clear(self) -> None:
        self._next = 0
        self._set_size(0)

    def state_dict(self) -> dict[str, Any]:
        """Capacity, next position and the filled part of the storage as a view: write it out before the next
        `append`."""
        return {"capacity": self.capacity, "next": self._next, "rows": self.rows[: self.size]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores rows at their positions, so that equal generators draw equal rows; takes over the saved capacity."""
        rows = state["rows"]
        if rows.shape[1] != self.layout.width:
            raise ValueError(f"the saved rows are {rows.shape[1]} wide, this buffer's {self.layout.width}.")
        self.clear()
        self.resize(int(state["capacity"]))
        self.rows[: rows.shape[0]].copy_(rows)
        self._next = int(state["next"])
        self._set_size(int(rows.shape[0]))

    def _set_size(self, size: int) -> None:
        self.size = size
        self._filled.fill_(size)


def _gather(rows: Tensor, index: Tensor, out: Tensor | None) -> Tensor:
    flat = None if out is None else out.view(-1, rows.shape[1])
    picked = torch.index_select(rows, 0, index.reshape(-1), out=flat)
    return out if out is not None else picked.view(*index.shape, rows.shape[1])
