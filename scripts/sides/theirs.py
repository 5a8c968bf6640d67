"""d3rlpy's side of scripts/compare_d3rlpy, run by the interpreter that has d3rlpy: same functions as in ours.py.

Every algorithm is used as its documentation says: a config, `create`, a replay buffer, `sample_transition_batch` and
`update`. Observations are standardised where ours are.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import d3rlpy
import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from scripts.sides.serving import serve  # noqa: E402

ROOM = 100_000
Encoder = d3rlpy.models.encoders.VectorEncoderFactory


class Theirs:
    """A d3rlpy algorithm on its replay buffer."""

    def __init__(self, algo: Any, rows: dict[str, np.ndarray], batch: int) -> None:
        self.algo, self.batch = algo, batch
        terminal, end = rows["terminal"].astype(np.float32), rows["end"].astype(bool)
        if len(end):
            self.buffer = d3rlpy.dataset.MDPDataset(
                rows["obs"], rows["action"], rows["reward"].astype(np.float32)[:, None], terminal,
                timeouts=(end & (terminal == 0)).astype(np.float32), action_space=d3rlpy.ActionSpace.CONTINUOUS,
            )  # fmt: skip
            algo.build_with_dataset(self.buffer)
        else:
            signature = d3rlpy.dataset.Signature
            sizes = (rows["obs"].shape[1], rows["action"].shape[1], 1)
            obs, action, reward = (signature(dtype=[np.dtype(np.float32)], shape=[(size,)]) for size in sizes)
            self.buffer = d3rlpy.dataset.ReplayBuffer(
                d3rlpy.dataset.FIFOBuffer(ROOM), observation_signature=obs, action_signature=action,
                reward_signature=reward, action_space=d3rlpy.ActionSpace.CONTINUOUS, action_size=sizes[1],
            )  # fmt: skip
            algo.create_impl((sizes[0],), sizes[1])
        if algo.config.observation_scaler is not None and not algo.config.observation_scaler.built:
            algo.config.observation_scaler.fit_with_transition_picker(
                self.buffer.episodes, self.buffer.transition_picker
            )

    def draw(self) -> Any:
        return self.buffer.sample_transition_batch(self.batch)

    def update(self, batch: Any) -> None:
        self.algo.update(batch)

    def best(self, obs: np.ndarray) -> np.ndarray:
        return self.algo.predict(obs)

    def act(self, obs: np.ndarray) -> np.ndarray:
        return self.algo.sample_action(obs)

    def add(self, row: dict[str, Any]) -> None:
        obs, action = np.asarray(row["obs"], np.float32), np.asarray(row["action"], np.float32)
        self.buffer.append(obs, action, np.array([row["reward"]], np.float32))
        if row["end"]:
            self.buffer.clip_episode(bool(row["terminal"]))


def seeded(seed: int) -> None:
    d3rlpy.seed(seed)
    random.seed(seed)


def sac(request: dict[str, Any], rows: dict[str, np.ndarray]) -> Theirs:
    seeded(request["seed"])
    config = d3rlpy.algos.SACConfig(
        actor_learning_rate=request["lr"], critic_learning_rate=request["lr"], temp_learning_rate=request["lr"],
        batch_size=request["batch"], actor_encoder_factory=Encoder(request["hidden"]),
        critic_encoder_factory=Encoder(request["hidden"]),
    )  # fmt: skip
    return Theirs(config.create(device="cpu:0"), rows, request["batch"])


def awac(request: dict[str, Any], rows: dict[str, np.ndarray]) -> Theirs:
    seeded(request["seed"])
    config = d3rlpy.algos.AWACConfig(
        actor_learning_rate=request["lr"], critic_learning_rate=request["lr"], batch_size=request["batch"],
        lam=request["temperature"], actor_encoder_factory=Encoder(request["hidden"]),
        critic_encoder_factory=Encoder(request["hidden"]),
        observation_scaler=d3rlpy.preprocessing.StandardObservationScaler(),
    )  # fmt: skip
    return Theirs(config.create(device="cpu:0"), rows, request["batch"])


def awac_plain(request: dict[str, Any], rows: dict[str, np.ndarray]) -> Theirs:
    """Without the entropy of temperature 1 that d3rlpy 2.8.1's AWAC takes off its target, and the paper does not."""
    theirs = awac(request, rows)
    with torch.no_grad():
        for parameter in theirs.algo.impl.modules.log_temp.parameters():
            parameter.fill_(-torch.inf)
    return theirs


def cql(request: dict[str, Any], rows: dict[str, np.ndarray]) -> Theirs:
    """Without the Lagrange multiplier, as d3rlpy's own reproduction; its target takes the mean next action."""
    seeded(request["seed"])
    config = d3rlpy.algos.CQLConfig(
        actor_learning_rate=request["lr"], critic_learning_rate=request["lr"], temp_learning_rate=request["lr"],
        alpha_learning_rate=0.0, conservative_weight=5.0, n_action_samples=10, batch_size=request["batch"],
        actor_encoder_factory=Encoder(request["hidden"]), critic_encoder_factory=Encoder(request["hidden"]),
    )  # fmt: skip
    return Theirs(config.create(device="cpu:0"), rows, request["batch"])


if __name__ == "__main__":
    serve({"sac": sac, "awac": awac, "awac_plain": awac_plain, "cql": cql})
