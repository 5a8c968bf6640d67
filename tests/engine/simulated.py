"""Rows of a simulator's task, under a data set's names, with the states before each."""

from __future__ import annotations

import functools

import numpy as np

from moore_engine.data import physics

STEPS = 1500
KEYS = ("observations", "actions", "next_observations", "rewards", "terminals", "timeouts", "qpos", "qvel")


@functools.cache
def collected(task: str, steps: int = STEPS) -> dict[str, np.ndarray]:
    """Rows of a smoothly random policy, as a data set file holds them."""
    env = physics.make(task)
    inner = env.unwrapped
    rng = np.random.default_rng(0)
    obs, _ = env.reset(seed=0)
    action = np.zeros(env.action_space.shape, np.float32)
    kept: list[tuple] = []
    for _ in range(steps):
        action = (0.7 * action + 0.5 * rng.normal(size=action.shape)).clip(-1, 1).astype(np.float32)
        state = inner.data.qpos.copy(), inner.data.qvel.copy()
        next_obs, reward, terminal, timeout, _ = env.step(action)
        kept.append((obs, action, next_obs, reward, terminal, timeout, *state))
        obs = env.reset()[0] if terminal or timeout else next_obs
    env.close()
    return {key: np.array(values) for key, values in zip(KEYS, zip(*kept, strict=True), strict=True)}
