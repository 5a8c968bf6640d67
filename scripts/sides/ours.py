"""Our side of scripts/compare_d3rlpy: an algorithm is a function from the request and the rows to an agent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from moore_engine.awac import AWAC  # noqa: E402
from moore_engine.buffers import Layout, ReplayTable  # noqa: E402
from moore_engine.cql import CQL  # noqa: E402
from moore_engine.sac import SAC  # noqa: E402
from moore_engine.samplers import StratumSampler  # noqa: E402
from moore_engine.streams import generator  # noqa: E402
from scripts.sides.serving import serve  # noqa: E402

ROOM = 100_000
"""Online rows that there is room for."""


class Ours:
    """A core of the engine on its replay table, drawn from by the engine's uniform sampler."""

    def __init__(self, core: Any, layout: Layout, offline: torch.Tensor, seed: int) -> None:
        self.core, self.table = core, ReplayTable(layout, offline, ROOM)
        self.batch = torch.zeros(core.batch, layout.width)
        self.noise, self.sampler = generator(seed, "noise"), StratumSampler("uniform")

    def draw(self) -> torch.Tensor:
        index = self.sampler.draw(self.core.batch, self.table.n_off, self.table.n_on, self.noise)
        return self.table.gather(index)

    def update(self, batch: torch.Tensor) -> None:
        self.core.update(batch, self.noise)

    def best(self, obs: np.ndarray) -> np.ndarray:
        return self.core.act(torch.from_numpy(obs), None).numpy()

    def act(self, obs: np.ndarray) -> np.ndarray:
        return self.core.act(torch.from_numpy(obs), self.noise).numpy()

    def add(self, row: dict[str, Any]) -> None:
        columns = [*row["obs"], *row["action"], *row["next_obs"], row["reward"], row["terminal"]]
        self.table.append(torch.tensor(columns, dtype=torch.float32))


def table_of(rows: dict[str, np.ndarray]) -> tuple[Layout, torch.Tensor]:
    """The rows as the engine keeps them."""
    layout = Layout(rows["obs"].shape[1], rows["action"].shape[1])
    columns = [rows["obs"], rows["action"], rows["next_obs"], rows["reward"][:, None], rows["terminal"][:, None]]
    return layout, torch.from_numpy(np.concatenate(columns, 1).astype(np.float32))


def sac(request: dict[str, Any], rows: dict[str, np.ndarray]) -> Ours:
    layout, table = table_of(rows)
    core = SAC(
        layout.obs_dim, layout.action_dim, hidden=request["hidden"], batch=request["batch"], actor_lr=request["lr"],
        critic_lr=request["lr"], temperature_lr=request["lr"], target_entropy=-float(layout.action_dim),
        generator=generator(request["seed"], "init"),
    )  # fmt: skip
    return Ours(core, layout, table, request["seed"])


def awac(request: dict[str, Any], rows: dict[str, np.ndarray]) -> Ours:
    """The authors' form, which is d3rlpy's: tanh of the mean, a sigmoid for the log-std, softmax weights."""
    layout, table = table_of(rows)
    core = AWAC(
        layout.obs_dim, layout.action_dim, hidden=request["hidden"], batch=request["batch"], actor_lr=request["lr"],
        critic_lr=request["lr"], temperature=request["temperature"], softmax_weights=True, tanh_mean=True,
        log_std_min=-6.0, log_std_max=0.0, generator=generator(request["seed"], "init"),
    )  # fmt: skip
    obs = table[:, layout.obs]
    core.normalize(obs.mean(0), obs.std(0, correction=0) + 1e-3)
    return Ours(core, layout, table, request["seed"])


def cql(request: dict[str, Any], rows: dict[str, np.ndarray]) -> Ours:
    layout, table = table_of(rows)
    core = CQL(
        layout.obs_dim, layout.action_dim, weight=5.0, actions=10, hidden=request["hidden"], batch=request["batch"],
        actor_lr=request["lr"], critic_lr=request["lr"], temperature_lr=request["lr"],
        target_entropy=-float(layout.action_dim), generator=generator(request["seed"], "init"),
    )  # fmt: skip
    return Ours(core, layout, table, request["seed"])


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    serve({"sac": sac, "awac": awac, "cql": cql})
