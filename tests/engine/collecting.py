"""Small collections for tests, run in this process to their end and watched from the desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from moore_engine import config
from moore_engine.collect.collection import Collection
from moore_engine.collect.loop import collect
from moore_engine.evaluate import Returns

SMALL = [
    "run.threads=1", "run.device=cpu", "data.task=InvertedPendulum-v5", "sac.hidden=[16,16]", "sac.batch=32",
    "online.steps_per_epoch=50", "eval.episodes=2", "collect.random_steps=40", "collect.train_steps=200",
    "collect.steps=100", "collect.target_return=1e6",
]  # fmt: skip
"""Sizes for runs of a second."""


@dataclass
class Desk:
    """Writes down what the loop says and what it saved after."""

    config: config.Config
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    saves: list[tuple[str, ...]] = field(default_factory=list)
    on_tick: Callable[[], None] = lambda: None

    def emit(self, kind: str, **fields: Any) -> None:
        self.said.append((kind, fields))

    def tick(self) -> None:
        self.on_tick()

    def save(self, name: str = "", drop: tuple[str, ...] = (), keep: int | None = None) -> None:
        self.saves.append(drop)

    def settle(self, phase: int) -> list[str]:
        return []

    def spent(self, phase: str) -> None:
        pass

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.said if name == kind]


@dataclass
class Made:
    """A finished collection, its rows and what was said."""

    run: Collection
    desk: Desk
    arrays: dict[str, np.ndarray]


def begin(kind: str, *sets: str) -> tuple[Collection, Desk]:
    """A small collection that has not begun."""
    torch.set_num_threads(1)
    settings = config.resolve("collect", sets=[*SMALL, f"collect.kind={kind}", *sets]).config
    return Collection(settings), Desk(settings)


def finish(run: Collection, desk: Desk) -> Made:
    """Run it to its end."""
    arrays: dict[str, np.ndarray] = {}

    def deliver(done: Collection, tick: Callable[[], None]) -> dict[str, Any]:
        arrays.update(done.recorded.arrays(done.roll_env.table_to_task_units))
        return {"path": "here"}

    collect(run, desk, deliver)
    return Made(run, desk, arrays)


def make(kind: str, *sets: str) -> Made:
    return finish(*begin(kind, *sets))


def scripted(run: Collection, *means: float) -> None:
    """Its evaluations give these mean returns, one after the other."""
    told = iter(means)
    run.evaluate = lambda episodes, tick: Returns([next(told)] * episodes, [1] * episodes)  # type: ignore[method-assign]


def ends(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Rows that end an episode."""
    return np.flatnonzero(arrays["terminals"] | arrays["timeouts"])
