"""MBPO (Janner et al. 2019, arXiv 1906.08253): MOPO's models and SAC from scratch online, without a penalty.

Fits, rollout starts and real rows draw uniformly from the steps taken so far. H may grow with the epochs, as the
authors' code has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from moore_engine.algorithms.base import Algorithm, Tick
from moore_engine.algorithms.mopo import MOPO
from moore_engine.dynamics import mix_moments


def grown(growth: Sequence[int], epoch: int, otherwise: int) -> int:
    """H in `epoch` by a `growth` (first epoch, last epoch, H there, H here): linear, rounded down, constant outside.

    `otherwise` where there is no growth.
    """
    if not growth:
        return otherwise
    first, last, start, stop = growth
    return start + (stop - start) * (min(max(epoch, first), last) - first) // (last - first)


class MBPO(MOPO):
    """MOPO's phases on the online rows alone, from models and a policy that know nothing."""

    epoch = 1

    def begin_epoch(self, epoch: int) -> None:
        """H is the epoch's; D_model keeps its rows, and has room for as many more as rollouts are longer."""
        super().begin_epoch(epoch)
        self.epoch = epoch
        self.model_rows.resize(self._capacity())

    def rollout_length(self) -> int:
        """H as it has grown by this epoch."""
        return grown(self.config.online.rollout_growth, self.epoch, super().rollout_length())

    def fit(self, number: int, tick: Tick) -> dict[str, Any]:
        self.first_fit = number == 0
        return super().fit(number, tick)

    def training_rows(self) -> dict[str, Any]:
        """Each member's own bootstrap of the online rows that are not held out."""
        train, held = self.split(self.replay.n_off, self.replay.n_on)
        return {"train": train, "holdout": [(held, 1.0)]}

    def max_updates(self) -> int:
        return self.config.online.max_updates or super().max_updates()

    def scale(self) -> None:
        """Input scaler from the online rows; after the first fit layer 1 follows it, so that no output changes."""
        if not self.first_fit and self.config.model.scaler == "frozen":
            return
        index = torch.arange(self.replay.n_off, len(self.replay), device=self.device)
        mean, std = mix_moments([(self.dynamics.input_moments(self.replay.rows, index), 1.0)])
        (self.dynamics.set_scaler if self.first_fit else self.dynamics.refit_scaler)(mean, std)

    def penalty_coef(self) -> float:
        return 0.0

    def share(self) -> dict[str, Any]:
        return Algorithm.share(self)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any], *, online: bool, branch: bool = False) -> None:
        self.epoch = state["epoch"]
        super().load_state_dict(state, online=online, branch=branch)
