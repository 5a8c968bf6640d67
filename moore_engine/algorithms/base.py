"""What the loop, the checkpoints and the tools know of an algorithm."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from moore_engine.buffers import ReplayTable
from moore_engine.nn.tanh_gaussian import Bounds
from moore_engine.rollout import Termination
from moore_engine.row_sampler import Priority
from moore_engine.samplers import shift

if TYPE_CHECKING:
    from moore_engine.config import Config

Tick = Callable[[], None]


class Algorithm(ABC):
    """A policy that learns from `replay`, offline rows and then online ones too.

    The methods are the phases of the loop in train.py. Each is a pure function of the state and its number, or keeps
    its own unfinished state, so all resume exactly. Actions are in [-1, 1], (n, action_dim); observations (n, obs_dim).
    """

    def __init__(
        self, config: Config, replay: ReplayTable, termination: Termination, device: torch.device,
        priority: Priority | None = None,
    ) -> None:  # fmt: skip
        """`priority` is the function of the online sampler `custom`, for algorithms that have samplers."""
        self.config, self.replay, self.termination, self.device = config, replay, termination, device
        self.seed = config.run.seed
        self.online = False

    @abstractmethod
    def update(self) -> None:
        """One gradient update."""

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """The facts of a `loss` event: means over the updates since the last call; NaN for what does not exist."""

    @abstractmethod
    def act(self, obs: Tensor, step: int) -> Tensor:
        """The stochastic action (1, action_dim) for `obs` (1, obs_dim) at environment step `step`."""

    @abstractmethod
    def best(self, obs: Tensor) -> Tensor:
        """The policy's mean action (n, action_dim), for evaluation."""

    @abstractmethod
    def policy_module(self, low: Bounds, high: Bounds) -> torch.nn.Sequential:
        """A module of its own on the CPU: obs (n, obs_dim) -> best(obs) scaled to [low, high] (n, action_dim)."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything learned and drawn, by the parts that a checkpoint stores in files of their own."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any], *, online: bool, branch: bool = False) -> None:
        """Restore; a `branch` takes its own configuration's sampler."""

    @abstractmethod
    def load_policy(self, state: dict[str, Any]) -> None:
        """Restore what `best` and `policy_module` need from a `state_dict`."""

    def begin_epoch(self, epoch: int) -> None:  # noqa: B027 (most have nothing to do)
        """Enter an epoch of the stage, from 1."""

    def go_online(self) -> None:
        """The switch: everything learned is kept."""
        self.online = True

    def configure(self, config: Config) -> None:
        """Take a changed configuration (a live `set`)."""
        self.config = config

    def ready(self) -> bool:
        """Whether there is something to make an online update from."""
        return True

    def updates_due(self, epoch: int) -> int:
        """Updates of a block in this online epoch."""
        return self.config.online.updates_per_step * self.config.online.update_every

    def after_step(self) -> None:  # noqa: B027
        """An online row was just appended to `replay`."""

    def share(self) -> dict[str, Any]:
        """The facts of a `share` event where rows are drawn uniformly: P_off, as expected and as drawn since the last
        event, the priority of offline rows, and the law's total variation in this epoch."""
        n_off, n_on = self.replay.n_off, self.replay.n_on
        steps = self.config.online.steps_per_epoch
        p_off, p_before = n_off / max(1, n_off + n_on), n_off / max(1, n_off + max(0, n_on - steps))
        return {
            "p_off": p_off, "p_off_sampled": p_off, "priority_off": 1.0, "n_off": n_off, "n_on": n_on,
            "shift": shift(p_before, n_off, max(0, n_on - steps), p_off, n_on) if n_on else 0.0,
        }  # fmt: skip


class ModelBased(Algorithm):
    """An algorithm that fits dynamics models and learns from rollouts in them: the loop calls these too."""

    @abstractmethod
    def fit(self, number: int, tick: Tick) -> dict[str, Any]:
        """Fit the models, going on where a stopped fit `number` was; the facts of a `model` event."""

    @abstractmethod
    def rollout(self, number: int, tick: Tick) -> dict[str, Any]:
        """Roll the policy out in the models; the facts of an `unc` event."""

    @abstractmethod
    def study(self, epoch: int) -> dict[str, Any] | None:
        """The facts of a `rue` event at the end of an online epoch, or None."""

    @property
    @abstractmethod
    def progress(self) -> str:
        """How far the fit under way has come, in words; empty between fits."""
