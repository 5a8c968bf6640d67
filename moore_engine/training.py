"""All that a run is made of, put together from its configuration: rows, algorithm, environment, counters.

`state_dict` covers everything that the loop in train.py changes, so loading it goes on as if nothing had happened.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from moore_engine import scores
from moore_engine.algorithms import algorithm
from moore_engine.algorithms.base import ModelBased
from moore_engine.buffers import Layout, ReplayTable
from moore_engine.config import Config
from moore_engine.envs import Env
from moore_engine.evaluate import Evaluators, Returns
from moore_engine.rollout import Termination
from moore_engine.schema import stages
from moore_engine.streams import stream_seed
from moore_engine.trust import load_function

if TYPE_CHECKING:
    from moore_engine.data.transitions import Transitions


@dataclass
class Counters:
    """Where a run is. What comes next is a function of these alone, so the loop can start at any of them."""

    stage: str = "offline"
    epoch: int = 1
    update: int = 0
    env_step: int = 0
    phase: int = 0
    """Phases begun: fits, rollouts, blocks of updates, steps, evaluations; dates a live `set`."""
    open: str = ""
    """The phase under way, if it can be interrupted."""
    epoch_update: int = 0
    step: int = 0
    """SAC updates in this offline epoch; environment steps in this online epoch."""
    fits: int = 0
    rollouts: int = 0
    evaluations: int = 0
    rolled_at: int = -1
    """`epoch_update` of the last rollout of this offline epoch."""
    next: str = "act"
    """What follows within an online step: act, fit, rollout, update."""
    owed: int = 0
    """SAC updates still due in this online step."""
    begun: int = 0
    closing: int = 0
    studied: int = 0
    """Last epoch of this stage that was begun; whose end was begun; whose uncertainty was studied."""
    to_evaluate: bool = False
    to_save: bool = False
    """What the end of this epoch still owes."""
    baselines: int = 0
    """Evaluations of the frozen policy at the switch done so far."""
    finished: bool = False


DOING = {
    "fit": "fitting the models",
    "rollout": "rolling out in the models",
    "update": "updating policy and critics",
    "act": "acting in the environment",
    "evaluate": "evaluating",
    "study": "measuring the models",
}
"""Phases in words; those that are over at once keep their names."""


class Training:
    """A run's parts. `model_rows` (D_model) is the only part that a finished run may drop."""

    def __init__(
        self, config: Config, data: Transitions, termination: Termination, device: torch.device, trust: frozenset[str]
    ) -> None:
        layout = Layout(data.obs_dim, data.action_dim)
        room = config.online.epochs * config.online.steps_per_epoch
        self.stages = stages(config.run.algo)
        offline = torch.from_numpy(data.table if "offline" in self.stages else data.table[:0])
        replay = ReplayTable(layout, offline, room, device)
        self.config, self.device = config, device
        self.counters = Counters(stage=self.stages[0])
        self.replay = replay
        name = config.online.priority
        priority = load_function("online.priority", name, trust) if name else None
        self.algo = algorithm(config.run.algo)(config, replay, termination, device, priority)
        self.env = Env(config.data.task, stream_seed(config.run.seed, "env"), trust_code=trust)
        self._evaluators = Evaluators(config.data.task, config.run.seed, device=device, trust_code=trust)
        self._started = (time.monotonic(), 0)
        if self.counters.stage == "online":
            self.algo.go_online()
            self.env.reset()

    def configure(self, config: Config) -> None:
        """Take a changed configuration; it holds from the next phase (alpha from the next epoch).

        More epochs open a finished run again, at the beginning of the epoch after its last.
        """
        if config.online.epochs > self.config.online.epochs:
            self.replay.reserve(config.online.epochs * config.online.steps_per_epoch)
            if self.counters.finished:
                self.counters.finished = False
                self.counters.begun -= 1
        self.config = config
        self.algo.configure(config)

    def evaluate(self, episodes: int, tick: Any) -> Returns:
        """Whole episodes of the mean policy in environments and a stream of their own."""
        return self._evaluators(self.algo.best, episodes, self.counters.evaluations, tick)

    def score(self, mean_return: float) -> float | None:
        """100 at the reference's maximum, 0 at its minimum; None without a reference."""
        return scores.between(mean_return, self.config.data.ref_min, self.config.data.ref_max)

    # --- what a session keeps ---

    def position(self) -> dict[str, Any]:
        c = self.counters
        return {"stage": c.stage, "epoch": c.epoch, "update": c.update, "env_step": c.env_step}

    def step(self) -> int:
        return self.counters.update

    def exact(self) -> bool:
        return self.env.exact

    def phase(self) -> int:
        return self.counters.phase

    def remaining_s(self) -> float | None:
        """Seconds to the end at this attempt's mean speed, counted in SAC updates; None before the first ones."""
        since, first = self._started
        done = self.counters.update - first
        if done < 100:
            return None
        off, on = self.config.offline, self.config.online
        offline = off.epochs * off.updates_per_epoch if "offline" in self.stages else 0
        steps = max(0, on.epochs * on.steps_per_epoch - max(on.random_steps, on.warmup_steps))
        online = steps * on.updates_per_step if "online" in self.stages else 0
        left = offline + online - self.counters.update
        return max(0.0, left * (time.monotonic() - since) / done)

    def doing(self) -> str:
        """The phase under way in words, with the progress of a model fit, which has no known end."""
        words = DOING.get(self.counters.open, self.counters.open)
        fitted = self.algo.progress if isinstance(self.algo, ModelBased) and self.counters.open == "fit" else ""
        return f"{words}, {fitted}" if fitted else words

    def state_dict(self) -> dict[str, Any]:
        return {
            "counters": dataclasses.asdict(self.counters),
            **self.algo.state_dict(),
            "replay": self.replay.state_dict(),
            "env": self.env.state_dict() if self.counters.stage == "online" else None,
        }

    def load_state_dict(self, state: dict[str, Any], *, branch: bool = False) -> None:
        """Go on from a saved state; as a `branch` the online sampler is this run's own."""
        self.counters = Counters(**state["counters"])
        self.replay.load_state_dict(state["replay"])
        self.algo.load_state_dict(state, online=self.counters.stage == "online", branch=branch)
        if state["env"] is not None:
            self.env.load_state_dict(state["env"])
        if branch and self.counters.stage == "online" and not self.counters.env_step:
            self.counters.next = "fit" if self.config.online.initial_rollout else "act"
        self._started = (time.monotonic(), self.counters.update)
