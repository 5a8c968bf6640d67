"""MOORe (Mao et al. 2022, arXiv 2201.10070), Algorithm 1: MOPO goes on online, its draws sliding from D_off to D_on.

Offline rows have priority f(t) = 1/(alpha t) at online epoch t and online rows 1, in the model fit and rollout starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from moore_engine.algorithms.mopo import MOPO
from moore_engine.buffers import ReplayTable
from moore_engine.dynamics import mix_moments
from moore_engine.rollout import Termination, relative_uncertainty_error, uncertainty_and_reward
from moore_engine.row_sampler import Priority, RowSampler
from moore_engine.samplers import StratumSampler, auto_alpha, shift
from moore_engine.streams import generator

if TYPE_CHECKING:
    from moore_engine.config import Config

STUDY_STARTS = 1000
"""Rollout starts of the uncertainty study: its means have a standard error of some 3 % of u's spread."""


class MOORe(MOPO):
    """MOPO with the sampler of its online stage, two-stratum or `custom`, and the study of how its uncertainty decays.

    Under `custom` the input scaler and the holdout score weigh the strata by P_off too, the rows of one alike.
    """

    def __init__(
        self, config: Config, replay: ReplayTable, termination: Termination, device: torch.device,
        priority: Priority | None = None,
    ) -> None:  # fmt: skip
        """`priority` is needed where the online sampler is `custom`."""
        super().__init__(config, replay, termination, device)
        self._priorities = self._online_sampler(priority)
        self._studied: dict[str, Any] | None = None

    def begin_epoch(self, epoch: int) -> None:
        """Online epoch t has its own priority of offline rows, constant within the epoch."""
        super().begin_epoch(epoch)
        if self.online:
            self.sampler.set_alpha(self._alpha())
            self.sampler.begin_epoch(epoch)

    def go_online(self) -> None:
        super().go_online()
        self.sampler = self._priorities

    def penalty_coef(self) -> float:
        """lambda, constant (Sec. 3.4); with `penalty_anneal` scaled by the offline share."""
        anneal = self.online and self.config.online.penalty_anneal
        return super().penalty_coef() * (self.p_off() if anneal else 1.0)

    def p_off(self) -> float:
        """Probability that a row drawn now is offline."""
        return self.sampler.p_off(self.replay.n_off, self.replay.n_on)

    def training_rows(self) -> dict[str, Any]:
        """Online every member draws its own minibatches by priority; the holdout is weighed like the draws."""
        if not self.online:
            return super().training_rows()
        n_off, n_on = self.replay.n_off, self.replay.n_on
        off, off_held = self.split(0, n_off)
        on, on_held = self.split(n_off, n_on)
        return {
            "draw": lambda shape, draws: self.draw(shape, draws, off_index=off, on_index=on),
            "ess": self.sampler.ess(n_off, n_on),
            "holdout": [(off_held, self.p_off()), (on_held, 1 - self.p_off())],
        }

    def max_updates(self) -> int:
        return (self.config.online.max_updates if self.online else 0) or super().max_updates()

    def scale(self) -> None:
        """Online the scaler follows the priorities, and layer 1 with it, so that no output changes."""
        if not self.online:
            return super().scale()
        if self.config.model.scaler == "refit":
            n_off, n_on, rows = self.replay.n_off, self.replay.n_on, self.replay.rows
            parts = [(0, n_off, self.p_off()), (n_off, n_off + n_on, 1 - self.p_off())]
            moments = [
                (self.dynamics.input_moments(rows, torch.arange(start, stop, device=self.device)), weight)
                for start, stop, weight in parts
                if stop > start and weight > 0
            ]
            self.dynamics.refit_scaler(*mix_moments(moments))

    def share(self) -> dict[str, Any]:
        """The facts of a `share` event: P_off as expected and as drawn since the last fit began, f(t), shift."""
        if not self.online:
            return super().share()
        n_off, n_on = self.replay.n_off, self.replay.n_on
        return {
            "p_off": self.p_off(),
            "p_off_sampled": self.sampler.sampled_p_off(),
            "priority_off": self.sampler.f(n_off, n_on),
            "n_off": n_off,
            "n_on": n_on,
            "shift": self._shift(),
        }

    def study(self, epoch: int) -> dict[str, Any] | None:
        """Relative Uncertainty Error of the epoch before: |U_t - U_t+1| / |eta_t|, with newer models.

        The facts of a `rue` event; None after the first epoch. Then it begins the study of this epoch. Short, and
        with the policy's parameters on loan, so it has no ticks.
        """
        facts = None
        if self._studied is not None:
            before = self._studied
            u_after, _ = self._mean_uncertainty(before["starts"], before["policy"], epoch - 1)
            error = relative_uncertainty_error(before["u"], u_after, before["eta"])
            facts = {"value": error, "u_before": before["u"], "u_after": u_after, "eta": before["eta"]}
        draws = generator(self.seed, "study", "starts", epoch, device=self.device)
        starts = self.replay.gather(self.draw(STUDY_STARTS, draws))[:, self.replay.layout.obs].clone()
        policy = self.sac.policy.params.clone()
        u, eta = self._mean_uncertainty(starts, policy, epoch)
        self._studied = {"starts": starts, "policy": policy, "u": u, "eta": eta}
        return facts

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "sampler": self._priorities.state_dict(), "study": self._studied}

    def load_state_dict(self, state: dict[str, Any], *, online: bool, branch: bool = False) -> None:
        if online:
            self.sampler = self._priorities
        if not branch:
            self._priorities.load_state_dict(state["sampler"])
        elif state["sampler"]["t"]:
            self._priorities.begin_epoch(state["sampler"]["t"])
        self._studied = state["study"]
        super().load_state_dict(state, online=online, branch=branch)

    def _mean_uncertainty(self, starts: torch.Tensor, policy: torch.Tensor, epoch: int) -> tuple[float, float]:
        """(U, eta) of rollouts from `starts` by the policy with these parameters, under the models as they are now."""
        draws = generator(self.seed, "study", epoch, device=self.device)
        own = self.sac.policy.params.clone()
        self.sac.policy.params.copy_(policy)
        try:
            return uncertainty_and_reward(
                self.dynamics, lambda obs: self.sac.act(obs, draws), starts,
                length=self.config.online.rollout_length, termination=self.termination,
                layout=self.replay.layout, generator=draws,
            )  # fmt: skip
        finally:
            self.sac.policy.params.copy_(own)

    def _shift(self) -> float:
        """Total variation between this epoch's sampling law and the one before, both at their epochs' ends (under
        `custom`, whose end is not known yet, this one's as it is now)."""
        if isinstance(self.sampler, RowSampler):
            return self.sampler.shift()
        n_off, steps, t = self.replay.n_off, self.config.online.steps_per_epoch, self.sampler.t
        before = StratumSampler(self.sampler.kind, self.sampler.alpha)
        p_before = 1.0
        if t > 1:
            before.begin_epoch(t - 1)
            p_before = before.p_off(n_off, (t - 1) * steps)
        return shift(p_before, n_off, (t - 1) * steps, self.sampler.p_off(n_off, t * steps), t * steps)

    def _online_sampler(self, priority: Priority | None) -> StratumSampler | RowSampler:
        kind = self.config.online.sampler
        if kind != "custom":
            return StratumSampler(kind, self._alpha())
        if priority is None:
            raise ValueError("the sampler custom needs a priority function.")
        return RowSampler(priority, self.replay)

    def _alpha(self) -> float:
        alpha, steps = self.config.online.alpha, self.config.online.steps_per_epoch
        return auto_alpha(self.replay.n_off, steps) if alpha == "auto" else float(alpha)
