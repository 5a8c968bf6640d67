"""MOPO (Yu et al. 2020): an ensemble of dynamics models, and SAC on short model rollouts whose rewards are penalised.

Reward r - lambda u(s, a), u the ensemble's uncertainty (Sec. 4.2); rows are drawn uniformly from D_off.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from moore_engine.algorithms.base import ModelBased, Tick
from moore_engine.algorithms.sac_options import sac_options
from moore_engine.buffers import ModelBuffer, ReplayTable
from moore_engine.capture import Captured
from moore_engine.dynamics import Dynamics, mix_moments
from moore_engine.nn.tanh_gaussian import Bounds
from moore_engine.rollout import Termination, rollout
from moore_engine.row_sampler import Priority, RowSampler
from moore_engine.sac_ensemble import soft_actor_critic
from moore_engine.samplers import StratumSampler, holdout_mask
from moore_engine.streams import generator

if TYPE_CHECKING:
    from moore_engine.config import Config

CPU_CHUNK, GPU_CHUNK = 1024, 65536
"""Rollout starts at a time: what stays in a CPU's cache; what fills a GPU."""


class MOPO(ModelBased):
    """The offline stage, and all that the online one inherits: models, elites, scaler, policy, critics, temperature.

    `replay` holds the real rows, `model_rows` is D_model. The methods are the phases of Algorithm 1; each is a pure
    function of the state and its number, or (`fit`) keeps its own unfinished state, so all resume exactly.
    """

    def __init__(
        self, config: Config, replay: ReplayTable, termination: Termination, device: torch.device,
        priority: Priority | None = None,
    ) -> None:  # fmt: skip
        """`priority`, the function of the online sampler `custom`, serves algorithms that go online."""
        super().__init__(config, replay, termination, device, priority)
        layout, model, sac = replay.layout, config.model, config.sac
        self.sampler: StratumSampler | RowSampler = StratumSampler("uniform")
        self.dynamics = Dynamics(
            layout.obs_dim, layout.action_dim, networks=model.networks, elites=model.elites, hidden=model.hidden,
            weight_decays=model.weight_decay, lr=model.lr, batch=model.batch, patience=model.patience,
            penalty=model.penalty, device=device, generator=generator(self.seed, "init", "model", device=device),
        )  # fmt: skip
        self.noise = generator(self.seed, "sac", device=device)
        self.sac = soft_actor_critic(
            layout.obs_dim, layout.action_dim, critics=sac.critics, subset=sac.critic_subset, layer_norm=sac.layer_norm,
            device=device, generator=generator(self.seed, "init", "sac", device=device),
            **sac_options(sac, layout.action_dim),
        )  # fmt: skip
        self.model_rows = ModelBuffer(layout, self._capacity(), device)
        self._batch = torch.zeros(sac.batch, layout.width, device=device)
        self._sac_step = Captured(
            lambda: self.sac.update(self._batch, self.noise),
            device=device, tensors=self.sac.tensors().values(), generators=[self.noise],
        )  # fmt: skip

    # --- phases ---

    def fit(self, number: int, tick: Tick) -> dict[str, Any]:
        """Fit the ensemble, going on where a stopped fit `number` was; the facts of a `model` event."""
        if not self.dynamics.fitting:
            self.sampler.reset_counts()
            self.scale()
        model = self.config.model
        return self.dynamics.fit(
            self.replay.rows, **self.training_rows(), max_epochs=model.max_epochs, max_updates=self.max_updates(),
            generator=generator(self.seed, "fit", number, device=self.device), tick=tick,
        )  # fmt: skip

    def rollout(self, number: int, tick: Tick) -> dict[str, Any]:
        """Roll the policy out in the models from real states into D_model; the facts of an `unc` event."""
        stage = self.config.online if self.online else self.config.offline
        draws = generator(self.seed, "rollout", number, device=self.device)
        before = self.sampler.counts()
        starts = self.replay.gather(self.draw(stage.rollout_batch, draws))[:, self.replay.layout.obs]
        after = self.sampler.counts()
        self.sampler.set_counts(before)  # a state saved at a tick has not drawn the starts yet
        rows, stats = rollout(
            self.dynamics, lambda obs: self.sac.act(obs, draws), starts, length=self.rollout_length(),
            penalty_coef=self.penalty_coef(), termination=self.termination, layout=self.replay.layout,
            generator=draws, chunk=CPU_CHUNK if self.device.type == "cpu" else GPU_CHUNK, tick=tick,
        )  # fmt: skip
        self.sampler.set_counts(after)
        self.model_rows.append(rows)
        return stats

    def update(self) -> None:
        """One SAC update on a batch of D_model, `real_ratio` of it real rows with their own rewards."""
        stage = self.config.online if self.online else self.config.offline
        real = int(self._batch.shape[0] * stage.real_ratio)
        if real:
            self.replay.gather(self.draw(real, self.noise), out=self._batch[:real])
        self.model_rows.sample(self._batch[real:], self.noise)
        self._sac_step()

    def ready(self) -> bool:
        """Updates begin with the first rollout."""
        return len(self.model_rows) > 0

    def metrics(self) -> dict[str, float]:
        return self.sac.metrics()

    def act(self, obs: Tensor, step: int) -> Tensor:
        return self.sac.act(obs, generator(self.seed, "act", step, device=self.device))

    def share(self) -> dict[str, Any]:
        """The facts of a `share` event: offline, every row drawn is an offline one."""
        n_off = self.replay.n_off
        return {
            "p_off": 1.0, "p_off_sampled": 1.0, "priority_off": 1.0, "n_off": n_off, "n_on": 0, "shift": 0.0,
        }  # fmt: skip

    def study(self, epoch: int) -> dict[str, Any] | None:
        """The facts of a `rue` event, of algorithms that go online."""
        return None

    @property
    def progress(self) -> str:
        return self.dynamics.progress

    def best(self, obs: Tensor) -> Tensor:
        return self.sac.act(obs, None)

    # --- stages and epochs ---

    def begin_epoch(self, epoch: int) -> None:
        """Enter an epoch: offline, the cosine schedule's rate (constant otherwise)."""
        total, base = self.config.offline.epochs, self.config.sac.actor_lr
        cosine = self.config.sac.actor_schedule == "cosine" and not self.online
        self.sac.set_actor_lr(base * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / total)) if cosine else base)

    def go_online(self) -> None:
        """The switch: everything learned is kept, D_model is empty and has the online size."""
        super().go_online()
        self.model_rows.clear()
        self.model_rows.resize(self._capacity())

    def penalty_coef(self) -> float:
        """lambda of the next rollout."""
        return self.config.offline.penalty_coef

    def rollout_length(self) -> int:
        """H of the next rollout."""
        return (self.config.online if self.online else self.config.offline).rollout_length

    def draw(self, shape: int | tuple[int, ...], draws: torch.Generator, **rows: Tensor) -> Tensor:
        """Indices of real rows by the sampler, among those of `off_index` and `on_index` if given."""
        return self.sampler.draw(shape, self.replay.n_off, self.replay.n_on, draws, self.device, **rows)

    # --- state ---

    def state_dict(self) -> dict[str, Any]:
        """Everything learned and drawn, by the parts that a checkpoint stores in files of their own."""
        return {
            "dynamics": self.dynamics.state_dict(),
            "sac": self.sac.state_dict(),
            "model_rows": self.model_rows.state_dict(),
            "noise": self.noise.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any], *, online: bool, branch: bool = False) -> None:
        """Restore; a state without D_model leaves it empty. A `branch` takes its own configuration's sampler."""
        self.online = online
        self.dynamics.load_state_dict(state["dynamics"])
        self.sac.load_state_dict(state["sac"])
        self.noise.set_state(state["noise"])
        self.model_rows.resize(self._capacity())
        if "model_rows" in state:
            self.model_rows.load_state_dict(state["model_rows"])

    def load_policy(self, state: dict[str, Any]) -> None:
        self.sac.load_state_dict(state["sac"])

    def policy_module(self, low: Bounds, high: Bounds) -> torch.nn.Sequential:
        return self.sac.policy_module(low, high)

    # --- the fit's parts ---

    def training_rows(self) -> dict[str, Any]:
        """Which rows a fit learns from and is scored on: `Dynamics.fit`'s train or draw and ess, and holdout."""
        train, held = self.split(0, self.replay.n_off)
        return {"train": train, "holdout": [(held, 1.0)]}

    def max_updates(self) -> int:
        """Cap on a fit's minibatches; 0 for none."""
        return self.config.model.max_updates

    def scale(self) -> None:
        """Input scaler from the mean and standard deviation of the offline rows."""
        rows = self.replay.rows
        moments = self.dynamics.input_moments(rows, torch.arange(self.replay.n_off, device=self.device))
        self.dynamics.set_scaler(*mix_moments([(moments, 1.0)]))

    def split(self, start: int, n: int) -> tuple[Tensor, Tensor]:
        """(training, holdout) global indices of the stratum's n rows from `start`; a row's id is its place there.

        Worked out on the CPU: a deterministic GPU has no k-th smallest.
        """
        ids = torch.arange(n)
        held = holdout_mask(ids, n, self.config.model.holdout_ratio, self.config.model.holdout_max) if n else ids.bool()
        return (ids[~held] + start).to(self.device), (ids[held] + start).to(self.device)

    def _capacity(self) -> int:
        """Rows of D_model: the rollouts of the retained epochs."""
        off, on = self.config.offline, self.config.online
        if self.online:
            starts = on.retain_epochs * (on.steps_per_epoch // on.model_every) * on.rollout_batch
        else:
            starts = off.retain_epochs * (off.updates_per_epoch // off.rollout_every) * off.rollout_batch
        return starts * self.rollout_length()
