"""One fit of the ensemble as a state machine of minibatches: MBPO's stop rule over bootstrapped or prioritised rows.

Between any two steps its state is whole: loading it and going on is bit-equal to never having stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from moore_engine.nn.ensemble import Ensemble

Draw = Callable[[tuple[int, int], torch.Generator], Tensor]
Examples = Callable[[Tensor], tuple[Tensor, Tensor]]
Strata = Sequence[tuple[Tensor, float]]

IMPROVEMENT = 0.01


class StopRule:
    """Keeps each member's best holdout MSE; done after `patience` epochs in which none improved by more than 1 %.

    The first epoch's MSE always counts as an improvement, as in MBPO: a fit on new rows starts its own record.
    """

    def __init__(self, members: int, patience: int) -> None:
        self.patience = patience
        self.best = [math.inf] * members
        self.stale = 0

    def update(self, scores: Sequence[float]) -> list[int]:
        """The members that improved with this epoch's scores; inf or NaN never does."""
        improved = [m for m, s in enumerate(scores) if s < (1.0 - IMPROVEMENT) * self.best[m]]
        for m in improved:
            self.best[m] = scores[m]
        self.stale = 0 if improved else self.stale + 1
        return improved

    @property
    def done(self) -> bool:
        return self.stale >= self.patience


class Fit:
    """A fit under way; `step()` trains one minibatch a member, and scores the holdout when that ends an epoch.

    Offline (`train`): n bootstrap indices a member, drawn once, reshuffled each epoch. Online (`draw`): every member
    draws its own minibatch. A new Fit given a saved `state` continues the saved one.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        examples: Examples,
        rows: Tensor,
        *,
        holdout: Strata,
        generator: torch.Generator,
        batch: int,
        patience: int,
        train: Tensor | None = None,
        draw: Draw | None = None,
        ess: float,
        max_epochs: int | None = None,
        max_updates: int | None = None,
        state: dict[str, Any] | None = None,
    ) -> None:
        self.ensemble, self.examples, self.rows, self.holdout = ensemble, examples, rows, holdout
        self.generator, self.batch, self.train, self.draw, self.ess = generator, batch, train, draw, ess
        self.max_epochs, self.max_updates = max_epochs, max_updates
        self.epoch_length = max(1, math.ceil(ess / batch))
        self.rule = StopRule(ensemble.members, patience)
        self.epochs = self.updates = self.position = 0
        self.capped = False
        self.snapshot = ensemble.params.clone()
        self._drawn_at = self._shuffled_at = generator.get_state()
        if state is not None:
            self._load(state)
        elif train is not None:
            self._bootstrap()
            self._shuffle()

    @property
    def done(self) -> bool:
        """Whether the stop rule or a cap has ended the fit."""
        return self.rule.done or self.capped

    @property
    def progress(self) -> str:
        """How far it has come, in words: it ends by its stop rule or by a cap, whichever comes first."""
        most = f" of at most {self.max_epochs}" if self.max_epochs else ""
        told = [f"epoch {self.epochs + 1}{most}"]
        if self.max_updates:
            told.append(f"minibatch {self.updates} of at most {self.max_updates}")
        if self.epochs:
            told.append(f"best holdout MSE {min(self.rule.best):.3g}")
            told.append(f"{self.rule.stale} of {self.rule.patience} epochs without gain")
        return ", ".join(told)

    def step(self) -> None:
        """One minibatch and one Adam step for every member; at an epoch's end also the holdout and the stop rule."""
        index = self._next_index()
        picked = self.rows.index_select(0, index.reshape(-1)).view(*index.shape, -1)
        self.ensemble.train_step(*self.examples(picked))
        self.position += 1
        self.updates += 1
        out_of_updates = self.max_updates is not None and self.updates >= self.max_updates
        if self.position == self.epoch_length or out_of_updates:
            self._end_epoch(out_of_updates)

    def finish(self, elites: int) -> dict[str, Any]:
        """Put every member back to its snapshot and report; elites are the members of lowest holdout MSE."""
        for member in range(self.ensemble.members):
            self.ensemble.copy_member(member, self.snapshot, self.ensemble.params)
        order = sorted(range(self.ensemble.members), key=lambda m: self.rule.best[m])
        return {
            "holdout": list(self.rule.best),
            "elites": sorted(order[:elites]),
            "epochs": self.epochs,
            "updates": self.updates,
            "capped": self.capped,
            "ess": self.ess,
        }

    def state_dict(self) -> dict[str, Any]:
        """Counters, best scores, snapshots and generator states; the bootstrap itself is drawn again on loading."""
        return {
            "kind": "offline" if self.train is not None else "online",
            "epochs": self.epochs,
            "updates": self.updates,
            "position": self.position,
            "epoch_length": self.epoch_length,
            "stale": self.rule.stale,
            "capped": self.capped,
            "best": torch.tensor(self.rule.best, dtype=torch.float64),
            "snapshot": self.snapshot.clone(),
            "drawn_at": self._drawn_at.clone(),
            "shuffled_at": self._shuffled_at.clone(),
            "generator": self.generator.get_state(),
        }

    def _load(self, state: dict[str, Any]) -> None:
        kind = "offline" if self.train is not None else "online"
        if state["kind"] != kind or state["epoch_length"] != self.epoch_length:
            raise ValueError(
                f"the saved fit is {state['kind']} with {state['epoch_length']} minibatches an epoch, "
                f"this one {kind} with {self.epoch_length}: continue a fit with the rows and options it began with"
            )
        self.epochs, self.updates, self.position = state["epochs"], state["updates"], state["position"]
        self.rule.stale, self.rule.best, self.capped = state["stale"], state["best"].tolist(), state["capped"]
        self.snapshot.copy_(state["snapshot"])
        if self.train is not None:
            self.generator.set_state(state["drawn_at"])
            self._bootstrap()
            self.generator.set_state(state["shuffled_at"])
            self._shuffle()
        self.generator.set_state(state["generator"])

    def _bootstrap(self) -> None:
        """Draw (M, n) indices with replacement among the training rows, once a fit; int32, half the memory."""
        assert self.train is not None
        self._drawn_at = self.generator.get_state()
        shape = (self.ensemble.members, len(self.train))
        pick = torch.randint(len(self.train), shape, generator=self.generator, device=self.rows.device)
        self._drawn = self.train.int()[pick]
        self._order = torch.empty_like(self._drawn)

    def _shuffle(self) -> None:
        """This epoch's order of every member's own bootstrap."""
        self._shuffled_at = self.generator.get_state()
        for drawn, order in zip(self._drawn, self._order, strict=True):
            permutation = torch.randperm(
                len(drawn), generator=self.generator, device=self.rows.device, dtype=torch.int32
            )
            torch.index_select(drawn, 0, permutation, out=order)

    def _next_index(self) -> Tensor:
        if self.draw is not None:
            return self.draw((self.ensemble.members, self.batch), self.generator)
        start = self.position * self.batch
        return self._order[:, start : start + self.batch]

    def _end_epoch(self, out_of_updates: bool) -> None:
        scores = holdout_mse(self.ensemble, self.examples, self.rows, self.holdout)
        for member in self.rule.update(scores.tolist()):
            self.ensemble.copy_member(member, self.ensemble.params, self.snapshot)
        self.epochs += 1
        self.position = 0
        out_of_epochs = self.max_epochs is not None and self.epochs >= self.max_epochs
        self.capped = (out_of_updates or out_of_epochs) and not self.rule.done
        if self.train is not None and not self.done:
            self._shuffle()


def holdout_mse(ensemble: Ensemble, examples: Examples, rows: Tensor, holdout: Strata) -> Tensor:
    """Per member (M,) float64: sum over strata of weight * MSE of the means against the raw targets.

    Strata that are empty or weigh nothing are left out and the weights of the others scaled to sum 1.
    """
    strata = [(index, weight) for index, weight in holdout if len(index) > 0 and weight > 0.0]
    if not strata:
        raise ValueError("the holdout is empty: at least one stratum needs a row and a weight above 0")
    total = torch.zeros(ensemble.members, dtype=torch.float64, device=ensemble.device)
    for index, weight in strata:
        inputs, targets = examples(rows.index_select(0, index))
        mean, _ = ensemble.forward(inputs)
        total += (mean - targets).square().double().mean((1, 2)) * (weight / sum(w for _, w in strata))
    return total
