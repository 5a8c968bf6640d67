"""Transitions in order of arrival: SAC's replay buffer, and what becomes the data set.

Saved in blocks: a full block never changes again, so that checkpoints of a growing trail cost the disk what is new.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from moore_engine.buffers import Layout
from moore_engine.checkpoint import Sealed

Float32 = NDArray[np.float32]
Physics = tuple[NDArray[np.float64], NDArray[np.float64]]

BLOCK = 20_000
"""Rows of a block."""


class Trail:
    """Up to `capacity` transitions; with `physics`, MuJoCo's (qpos, qvel) to copy shapes from, the states before them.

    `table` (capacity, layout.width) float32 are the rows in the layout's columns, actions in [-1, 1]; the first `size`
    are filled. Memory is taken from the system as rows arrive.
    """

    def __init__(self, name: str, layout: Layout, capacity: int, physics: Physics | None = None) -> None:
        self.name, self.layout, self.size = name, layout, 0
        rows = np.zeros((capacity, layout.width), np.float32)
        self.table = torch.from_numpy(rows)
        self._columns: dict[str, NDArray[Any]] = {"rows": rows, "timeouts": np.zeros(capacity, np.bool_)}
        if physics is not None:
            self._columns |= {
                key: np.zeros((capacity, state.size)) for key, state in zip(("qpos", "qvel"), physics, strict=True)
            }

    def add(
        self, obs: Float32, action: Float32, next_obs: Float32, reward: float, terminal: bool, timeout: bool,
        physics: Physics | None = None,
    ) -> None:  # fmt: skip
        """Append one transition; a terminal that comes with a time-out is a terminal."""
        columns, n = self._columns, self.size
        columns["rows"][n] = np.concatenate([obs, action, next_obs, np.array([reward, terminal], np.float32)])
        columns["timeouts"][n] = timeout and not terminal
        if physics is not None:
            columns["qpos"][n], columns["qvel"][n] = physics
        self.size += 1

    def cut(self) -> bool:
        """End the last episode here, as by a time-out, if it has not ended; whether that was so."""
        last = self.size - 1
        if last < 0 or self._ends()[last]:
            return False
        self._columns["timeouts"][last] = True
        return True

    def episodes(self) -> NDArray[np.float64]:
        """Undiscounted return of every episode that has ended, in order."""
        rewards = self._columns["rows"][: self.size, self.layout.reward][:, 0]
        totals = np.cumsum(rewards, dtype=np.float64)[self._ends()]
        return np.diff(totals, prepend=0.0)

    def arrays(self, to_task_units: Callable[[Float32], Float32]) -> dict[str, NDArray[Any]]:
        """Copies in D4RL's names: observations, actions in the task's units, next_observations, rewards, terminals,
        timeouts and, where there is physics, qpos and qvel at the observations."""
        rows, layout = self._columns["rows"][: self.size], self.layout
        return {
            "observations": rows[:, layout.obs].copy(),
            "actions": to_task_units(rows[:, layout.action]),
            "next_observations": rows[:, layout.next_obs].copy(),
            "rewards": rows[:, layout.reward][:, 0].copy(),
            "terminals": self._terminals(),
            **{key: column[: self.size].copy() for key, column in self._columns.items() if key != "rows"},
        }

    def parts(self) -> tuple[str, ...]:
        """Names of the parts of `state_dict`."""
        return tuple(f"{self.name}-{block}" for block in range(self.size // BLOCK)) + (f"{self.name}-open",)

    def state_dict(self) -> dict[str, Any]:
        """One part a block, full ones sealed; views, so write them out before the next `add`."""
        state: dict[str, Any] = {}
        for number, part in enumerate(self.parts()):
            first, last = number * BLOCK, min((number + 1) * BLOCK, self.size)
            block = {key: column[first:last] for key, column in self._columns.items()}
            state[part] = Sealed(block) if last - first == BLOCK else block
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Fill an empty trail from the parts of its name in `state`. Raises ValueError on other columns or sizes."""
        number = 0
        while f"{self.name}-{number}" in state:
            self._fill(state[f"{self.name}-{number}"])
            number += 1
        self._fill(state[f"{self.name}-open"])

    def _fill(self, block: dict[str, NDArray[Any]]) -> None:
        if block.keys() != self._columns.keys():
            raise ValueError(f"{self.name} has the columns {sorted(block)}, expected {sorted(self._columns)}")
        n = len(block["rows"])
        for key, column in self._columns.items():
            column[self.size : self.size + n] = block[key]
        self.size += n

    def _terminals(self) -> NDArray[np.bool_]:
        return np.asarray(self._columns["rows"][: self.size, self.layout.terminal][:, 0] != 0)

    def _ends(self) -> NDArray[np.bool_]:
        return self._terminals() | self._columns["timeouts"][: self.size]
