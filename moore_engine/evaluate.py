"""Evaluation of a policy's mean action: whole episodes in lockstep over several environments, the policy batched.

An evaluation is a pure function of (policy, seed, index): each episode is reset with a seed of its own stream, and
the batch keeps its width until the last episode ends, so no result depends on when another episode ended.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from moore_engine.envs import Env
from moore_engine.streams import stream_seed

Policy = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Returns:
    """Undiscounted returns and lengths in steps, one per episode, in episode order."""

    returns: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.returns)

    @property
    def std(self) -> float:
        """Population standard deviation, as D4RL reports it."""
        return statistics.pstdev(self.returns)

    @property
    def length_mean(self) -> float:
        return statistics.fmean(self.lengths)


class Evaluator:
    """`episodes` episodes of `task` per call; environments are made once and kept where a reset forgets all before."""

    def __init__(
        self,
        task: str,
        episodes: int,
        seed: int,
        *,
        device: torch.device | str = "cpu",
        max_episode_steps: int | None = None,
        trust_code: Collection[str] = (),
    ):
        if episodes < 1:
            raise ValueError(f"an evaluation needs at least one episode, not {episodes}")
        self.task = task
        self.episodes = episodes
        self.seed = seed
        self._device = torch.device(device)
        self._limit = max_episode_steps
        self._trust_code = trust_code
        self._envs = self._make()

    def __call__(self, policy: Policy, index: int, tick: Callable[[], None] = lambda: None) -> Returns:
        """Evaluation number `index` of `policy`: obs (episodes, obs_dim) float32 -> action (episodes, action_dim).

        Episode e is reset with `stream_seed(seed, "eval", index, e)`. `tick` is called after every lockstep step; it
        may raise, and the same call made again gives the same result.
        """
        if not self._envs[0].restores_by_state:
            self.close()
            self._envs = self._make()
        seeds = [stream_seed(self.seed, "eval", index, episode) for episode in range(self.episodes)]
        return _lockstep(self._envs, seeds, policy, self._device, tick)

    def close(self) -> None:
        for env in self._envs:
            env.close()

    def _make(self) -> list[Env]:
        return [
            Env(self.task, self.seed, max_episode_steps=self._limit, trust_code=self._trust_code)
            for _ in range(self.episodes)
        ]


class Evaluators:
    """Evaluations of a task in any number of episodes; the environments of each number are made once."""

    def __init__(
        self, task: str, seed: int, *, device: torch.device | str = "cpu", trust_code: Collection[str] = ()
    ) -> None:
        self._make = functools.partial(Evaluator, task, seed=seed, device=device, trust_code=trust_code)
        self._made: dict[int, Evaluator] = {}

    def __call__(self, policy: Policy, episodes: int, index: int, tick: Callable[[], None]) -> Returns:
        """Evaluation number `index` of `policy`; see `Evaluator`."""
        if episodes not in self._made:
            self._made[episodes] = self._make(episodes=episodes)
        return self._made[episodes](policy, index, tick)


def evaluate(
    policy: Policy,
    task: str,
    episodes: int,
    seed: int,
    index: int = 0,
    tick: Callable[[], None] = lambda: None,
    *,
    device: torch.device | str = "cpu",
    trust_code: Collection[str] = (),
) -> Returns:
    """One evaluation in environments of its own; see `Evaluator`."""
    evaluator = Evaluator(task, episodes, seed, device=device, trust_code=trust_code)
    try:
        return evaluator(policy, index, tick)
    finally:
        evaluator.close()


@torch.no_grad()
def _lockstep(
    envs: list[Env], seeds: list[int], policy: Policy, device: torch.device, tick: Callable[[], None]
) -> Returns:
    obs = np.stack([env.reset(seed) for env, seed in zip(envs, seeds, strict=True)])
    returns = [0.0] * len(envs)
    lengths = [0] * len(envs)
    running = list(range(len(envs)))
    while running:
        actions = policy(torch.from_numpy(obs).to(device)).cpu().numpy()
        ended = set()
        for i in running:
            obs[i], reward, terminated, truncated = envs[i].step(actions[i])
            returns[i] += reward
            lengths[i] += 1
            if terminated or truncated:
                ended.add(i)
        running = [i for i in running if i not in ended]
        tick()
    return Returns(returns, lengths)
