"""All that a collection is made of, put together from its configuration: plan, environments, SAC, rows, counters.

`state_dict` covers everything that the loop in loop.py changes, so loading it goes on as if nothing had happened.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection as Names
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from moore_engine import scores
from moore_engine.algorithms.sac_options import sac_options
from moore_engine.buffers import Layout
from moore_engine.collect.plan import Part, parts, target, trained_steps
from moore_engine.collect.trail import Float32, Trail
from moore_engine.config import Config
from moore_engine.envs import Env
from moore_engine.evaluate import Evaluators, Returns
from moore_engine.sac_ensemble import soft_actor_critic
from moore_engine.streams import generator, stream_seed

STREAMS = ("random", "act", "updates", "roll")
"""Random streams that go on through the run: uniform actions, SAC's as it learns, its updates, the frozen policy's."""


@dataclass
class Counters:
    """Where a collection is. What comes next is a function of these alone, so the loop can start at any of them."""

    part: int = 0
    step: int = 0
    """Environment steps in this part."""
    whole: bool = False
    """The part's last step ended an episode."""
    epoch: int = 1
    epoch_step: int = 0
    env_step: int = 0
    """Environment steps of the run, evaluations apart."""
    learned: int = 0
    """Environment steps that SAC has learned from."""
    update: int = 0
    phase: int = 0
    open: str = ""
    evaluations: int = 0
    next: str = "act"
    """What follows: act, update, close (the epoch), deliver."""
    owed: int = 0
    """SAC updates still due after this step."""
    closing: bool = False
    to_evaluate: bool = False
    to_save: bool = False
    """What the end of this epoch still owes."""
    evaluated: float | None = None
    """Mean return of the last evaluation."""
    reached: float | None = None
    """Mean return of the evaluation that reached the target."""
    medium_at: int = 0
    """`learned` when SAC was frozen as medium."""
    cuts: int = 0
    """Episodes of the set that were cut."""
    finished: bool = False


class Collection:
    """A collecting run: `replay` is what SAC learns from, `recorded` what becomes the set; in a replay set the same."""

    def __init__(self, config: Config, trust: Names[str] = frozenset()) -> None:
        seed, task, sac = config.run.seed, config.data.task, config.sac
        self.config = config
        self.counters = Counters()
        self.parts = parts(config.collect)
        self.env = Env(task, stream_seed(seed, "collect", "env"), trust_code=trust)
        self.roll_env = Env(task, stream_seed(seed, "collect", "roll"), trust_code=trust)
        layout = Layout(self.env.obs_dim, self.env.action_dim)
        learned = trained_steps(self.parts)
        rolled = [part.steps + (self.env.max_episode_steps or 0) for part in self.parts if part.policy != "learning"]
        physics = self.env.physics()
        self.replay = Trail("replay", layout, learned, None if rolled else physics)
        self.recorded = Trail("recorded", layout, sum(rolled), physics) if rolled else self.replay
        self.streams = {name: generator(seed, "collect", name) for name in STREAMS}
        self.sac = soft_actor_critic(
            layout.obs_dim, layout.action_dim, critics=sac.critics, subset=sac.critic_subset, layer_norm=sac.layer_norm,
            generator=generator(seed, "collect", "init"), **sac_options(sac, layout.action_dim),
        )  # fmt: skip
        self._batch = torch.zeros(sac.batch, layout.width)
        self._evaluators = Evaluators(task, seed, trust_code=trust)
        self._since = (time.monotonic(), -1, 0)

    @property
    def part(self) -> Part:
        return self.parts[self.counters.part]

    @property
    def learns(self) -> bool:
        return self.part.policy == "learning"

    @property
    def place(self) -> tuple[Env, Trail]:
        """Where this part acts, and where its steps are kept."""
        return (self.env, self.replay) if self.learns else (self.roll_env, self.recorded)

    def part_over(self) -> bool:
        """Whether this part has all its steps; a part that does not learn ends with an episode, if those end at all."""
        c, part = self.counters, self.part
        if self.learns:
            return c.learned >= part.steps or (part.to_target and c.reached is not None)
        return c.step >= part.steps and (c.whole or self.roll_env.max_episode_steps is None)

    def action(self, obs: Float32) -> Float32:
        """The part's action (action_dim,) in [-1, 1] at `obs` (obs_dim,)."""
        policy = self.part.policy
        if policy == "uniform" or (policy == "learning" and self.counters.learned < self.config.collect.random_steps):
            return (2 * torch.rand(self.env.action_dim, generator=self.streams["random"]) - 1).numpy()
        noise = self.streams["act" if policy == "learning" else "roll"]
        return self.sac.act(torch.from_numpy(obs)[None], noise)[0].numpy()

    def update(self) -> None:
        """One SAC update on a batch drawn uniformly from the replay buffer."""
        draws = self.streams["updates"]
        index = torch.randint(self.replay.size, (self.sac.batch,), generator=draws)
        torch.index_select(self.replay.table, 0, index, out=self._batch)
        self.sac.update(self._batch, draws)

    def evaluate(self, episodes: int, tick: Any) -> Returns:
        """Whole episodes of the mean policy in environments and a stream of their own."""
        return self._evaluators(lambda obs: self.sac.act(obs, None), episodes, self.counters.evaluations, tick)

    def score(self, mean_return: float) -> float | None:
        """100 at the reference's maximum, 0 at its minimum; None without a reference."""
        return scores.between(mean_return, self.config.data.ref_min, self.config.data.ref_max)

    def target(self) -> float | None:
        """The return at which SAC is medium."""
        return target(self.config)

    def told(self) -> dict[str, Any]:
        """The facts of a `data` event: what is recorded so far, the returns those of its ended episodes."""
        returns = self.recorded.episodes()
        known = len(returns) > 0
        return {
            "rows": self.recorded.size,
            "episodes": len(returns),
            "return_mean": float(np.mean(returns)) if known else None,
            "return_std": float(np.std(returns)) if known else None,
        }

    def configure(self, config: Config) -> None:
        """Take a changed configuration; it holds from the next phase."""
        self.config = config

    # --- what a session keeps ---

    def position(self) -> dict[str, Any]:
        c = self.counters
        return {"stage": "online", "epoch": c.epoch, "update": c.update, "env_step": c.env_step}

    def step(self) -> int:
        return self.counters.env_step

    def exact(self) -> bool:
        return self.env.exact and self.roll_env.exact

    def phase(self) -> int:
        return self.counters.phase

    def remaining_s(self) -> float | None:
        """Seconds to the end of this part and those alike, at this part's speed; a target may be reached sooner."""
        c = self.counters
        now, (since, part, first) = time.monotonic(), self._since
        if part != c.part:
            self._since = (now, c.part, c.env_step)
            return None
        done = c.env_step - first
        if done < 100 or c.part >= len(self.parts):
            return None
        if self.learns:
            left = trained_steps(self.parts) - c.learned
        else:
            left = sum(each.steps for each in self.parts[c.part :] if each.policy != "learning") - c.step
        return max(0.0, left * (now - since) / done)

    def doing(self) -> str:
        """The part under way in words."""
        if self.counters.part >= len(self.parts):
            return "writing the data set"
        return {"uniform": "uniform actions", "learning": "training SAC", "frozen": "SAC's stochastic policy"}[
            self.part.policy
        ]

    def row_parts(self) -> tuple[str, ...]:
        """Names of the parts of the state that hold rows; a finished run needs none of them."""
        return (*self.replay.parts(), *self.recorded.parts())

    def state_dict(self) -> dict[str, Any]:
        return {
            "counters": dataclasses.asdict(self.counters),
            "sac": self.sac.state_dict(),
            "streams": {name: stream.get_state() for name, stream in self.streams.items()},
            "env": self.env.state_dict(),
            "roll_env": self.roll_env.state_dict(),
            **self.replay.state_dict(),
            **self.recorded.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any], *, branch: bool = False) -> None:
        """Go on from a saved state, into a collection that has not begun."""
        self.counters = Counters(**state["counters"])
        self.sac.load_state_dict(state["sac"])
        for name, stream in self.streams.items():
            stream.set_state(state["streams"][name])
        self.env.load_state_dict(state["env"])
        self.roll_env.load_state_dict(state["roll_env"])
        if not self.counters.finished:
            for trail in {id(each): each for each in (self.replay, self.recorded)}.values():
                trail.load_state_dict(state)
