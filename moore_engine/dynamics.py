"""Learned dynamics: the ensemble in raw units, its uncertainty u(s, a), its input scaler, and its resumable fit.

u(s, a) = max over all members of ||std||_2 over [ds, r] (MOPO, Sec. 4.2); the fit is MBPO's stop rule (fit.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from moore_engine.fit import Draw, Fit, Strata
from moore_engine.nn.ensemble import Ensemble

PENALTIES = ("max_std", "pairwise", "ensemble_std")
MIN_STD = 1e-12


class Moments(NamedTuple):
    """Mean and variance (in_dim,) float64 of the ensemble's input over some rows."""

    mean: Tensor
    var: Tensor


class Dynamics:
    """(obs, action) -> Gaussian over [next_obs - obs, reward] from `networks` members, the best `elites` of them known.

    Rows of tables passed in are obs | action | next_obs | reward | terminal, actions in [-1, 1].
    """

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        *,
        generator: torch.Generator,
        networks: int = 7,
        elites: int = 5,
        hidden: Sequence[int] = (200, 200, 200, 200),
        lr: float = 1e-3,
        batch: int = 256,
        weight_decays: Sequence[float] = (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4),
        patience: int = 5,
        penalty: str = "max_std",
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if not 1 <= elites <= networks:
            raise ValueError(f"elites must lie between 1 and networks = {networks}; got {elites}")
        if penalty not in PENALTIES:
            raise ValueError(f"penalty {penalty!r} is unknown; one of {', '.join(PENALTIES)}")
        self.obs_dim, self.action_dim = obs_dim, action_dim
        self.batch, self.patience, self.penalty = batch, patience, penalty
        self.device = torch.device(device)
        self.ensemble = Ensemble(
            obs_dim + action_dim,
            obs_dim + 1,
            generator=generator,
            members=networks,
            hidden=hidden,
            lr=lr,
            weight_decays=weight_decays,
            device=device,
            dtype=dtype,
        )
        self.elites = torch.arange(elites, device=self.device)
        self._fit: Fit | None = None
        self._saved_fit: dict[str, Any] | None = None

    def predict(self, obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and std (networks, n, obs_dim + 1) of [next_obs - obs, reward] in raw units, from every member."""
        mean, var = self.ensemble.forward(torch.cat([obs, action], -1))
        return mean, var.sqrt_()

    def uncertainty(self, mean: Tensor, std: Tensor) -> Tensor:
        """u (n,) of a prediction over ALL members, raw units, by the option `penalty`.

        max_std: largest ||std||_2 (MOPO). pairwise: largest distance between two members' means. ensemble_std: root of
        the members' mean squared distance to their average (the 2-norm of the standard deviation across members).
        """
        if self.penalty == "max_std":
            return torch.linalg.vector_norm(std, dim=-1).amax(0)
        if self.penalty == "pairwise":
            points = mean.transpose(0, 1).contiguous()
            return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist").amax((1, 2))
        return (mean - mean.mean(0)).square().sum(-1).mean(0).sqrt()

    def fit(
        self,
        rows: Tensor,
        *,
        holdout: Strata,
        generator: torch.Generator,
        train: Tensor | None = None,
        draw: Draw | None = None,
        ess: float | None = None,
        max_epochs: int | None = None,
        max_updates: int | None = None,
        tick: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """Fit all members to a table until the stop rule holds; tick() after each minibatch, when state_dict is whole.

        Offline: `train`, indices of the training rows (bootstrapped). Online: `draw((members, batch), generator)` and
        `ess`, whose ceil(ess / batch) minibatches make an epoch. `holdout` is [(indices, weight), ...]. After
        load_state_dict of a state taken inside a fit, the same call goes on with it, bit for bit. Returns holdout (per
        member MSE), elites, epochs, updates, capped, ess.
        """
        if (train is None) == (draw is None or ess is None):
            raise ValueError("a fit needs either train (offline) or both draw and ess (online)")
        if self._fit is None:
            self._fit = Fit(
                self.ensemble,
                self.examples,
                rows,
                holdout=holdout,
                generator=generator,
                batch=self.batch,
                patience=self.patience,
                train=train,
                draw=draw,
                ess=float(len(train)) if train is not None else float(ess or 0.0),
                max_epochs=max_epochs or None,
                max_updates=max_updates or None,
                state=self._saved_fit,
            )
            self._saved_fit = None
        while not self._fit.done:
            self._fit.step()
            tick()
        result = self._fit.finish(len(self.elites))
        self.elites.copy_(torch.tensor(result["elites"]))
        self._fit = None
        return result

    @property
    def progress(self) -> str:
        """How far the fit under way has come, in words; empty between fits."""
        return "" if self._fit is None else self._fit.progress

    @property
    def fitting(self) -> bool:
        """Whether a fit is under way (or was when the loaded state was saved) and the next fit() goes on with it."""
        return self._fit is not None or self._saved_fit is not None

    def examples(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs [obs, action] and targets [next_obs - obs, reward], raw, of table rows (..., width)."""
        width = self.obs_dim + self.action_dim
        targets = rows[..., width : width + self.obs_dim + 1].clone()
        targets[..., : self.obs_dim] -= rows[..., : self.obs_dim]
        return rows[..., :width], targets

    def input_moments(self, rows: Tensor, index: Tensor, chunk: int = 65536) -> Moments:
        """Moments of [obs, action] over the rows at `index` (n >= 1), accumulated in float64 about the first row."""
        width = self.obs_dim + self.action_dim
        origin = rows[index[0], :width].double()
        total, square = torch.zeros_like(origin), torch.zeros_like(origin)
        for part in index.split(chunk):
            x = rows.index_select(0, part)[:, :width].double() - origin
            total += x.sum(0)
            square += x.square().sum(0)
        mean = total / len(index)
        return Moments(origin + mean, (square / len(index) - mean.square()).clamp_(min=0.0))

    def set_scaler(self, mean: Tensor, std: Tensor) -> None:
        """Take (in_dim,) mean and std as the input scaler without touching a weight: for before the first fit."""
        self.ensemble.in_mean.copy_(mean)
        self.ensemble.in_std.copy_(usable(std))

    def refit_scaler(self, mean: Tensor, std: Tensor) -> None:
        """Take a new input scaler and rewrite layer 1, and its Adam moments, so that no output changes."""
        self.ensemble.rewrite_input(mean, usable(std))

    def state_dict(self) -> dict[str, Any]:
        """Parameters, moments, scaler, elites and, inside a fit, the fit's own state."""
        state: dict[str, Any] = {"ensemble": self.ensemble.state_dict(), "elites": self.elites.clone()}
        fit = self._fit.state_dict() if self._fit is not None else self._saved_fit
        return state if fit is None else state | {"fit": fit}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state; one taken inside a fit waits for the next fit() with the same arguments."""
        self.ensemble.load_state_dict(state["ensemble"])
        self.elites = state["elites"].to(self.device, copy=True)
        self._fit, self._saved_fit = None, state.get("fit")


def mix_moments(parts: Sequence[tuple[Moments, float]]) -> tuple[Tensor, Tensor]:
    """Mean and std of a mixture of strata, weights P_off and P_on normalised here; a stratum of weight 0 counts not."""
    parts = [(moments, weight) for moments, weight in parts if weight > 0.0]
    total = sum(weight for _, weight in parts)
    mean = torch.stack([m.mean * (w / total) for m, w in parts]).sum(0)
    var = torch.stack([(m.var + (m.mean - mean).square()) * (w / total) for m, w in parts]).sum(0)
    return mean, var.sqrt()


def usable(std: Tensor) -> Tensor:
    """The std with constant columns (below 1e-12) set to 1."""
    return torch.where(std < MIN_STD, torch.ones_like(std), std)
