"""When the loop acts, learns and reports online: first steps, blocks of updates, without models, without data."""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from moore_engine.data.transitions import Transitions
from moore_engine.terminations import for_task
from moore_engine.train import train
from moore_engine.training import Training
from tests.engine.test_train import TASK, Desk, begin

SHORT = (
    "offline.epochs=1", "offline.updates_per_epoch=20", "offline.rollout_every=20", "offline.rollout_batch=100",
    "model.max_epochs=1", "online.epochs=1", "online.rollout_batch=100", "eval.episodes=1", "eval.switch_episodes=0",
)  # fmt: skip


def trained(data: Path, *sets: str) -> tuple[Training, Desk]:
    training, desk = begin(data, *SHORT, *sets)
    train(training, desk)
    return training, desk


def online_updates(training: Training) -> int:
    return training.counters.update - training.config.offline.updates_per_epoch


def online_actions(training: Training) -> torch.Tensor:
    return training.replay.online[:, training.replay.layout.action]


def test_the_first_random_steps_are_uniform_and_the_later_ones_are_not(data: Path) -> None:
    steps = 40
    training, _ = trained(data, f"online.random_steps={steps}")
    plain, _ = trained(data)
    first, rest = online_actions(training)[:steps], online_actions(training)[steps:]
    spread = first.abs().sort(dim=0).values.squeeze(1)
    expected = (torch.arange(steps) + 0.5) / steps
    assert float((spread - expected).abs().max()) < 1.63 / steps**0.5  # Kolmogorov-Smirnov at 1 %
    assert rest.shape[0] == training.config.online.steps_per_epoch - steps
    assert not torch.equal(first, online_actions(plain)[:steps])


def test_in_warm_up_the_policy_acts_as_it_came(data: Path) -> None:
    warm, _ = trained(data, "online.warmup_steps=30")
    plain, _ = trained(data)
    frozen = plain.config.online.model_every  # up to its first fit the other has learned nothing either
    assert torch.equal(online_actions(warm)[:frozen], online_actions(plain)[:frozen])
    assert not torch.equal(online_actions(warm)[:30], online_actions(plain)[:30])


@pytest.mark.parametrize("key", ["online.random_steps", "online.warmup_steps"])
def test_nothing_is_learned_before_the_first_steps_are_over(data: Path, key: str) -> None:
    training, desk = begin(data, *SHORT, f"{key}=30")
    seen: list[tuple[int, int, int]] = []
    desk.on_tick = lambda: seen.append((training.counters.env_step, training.counters.fits, training.counters.update))
    train(training, desk)
    on, offline = training.config.online, training.config.offline.updates_per_epoch
    assert {(fits, updates) for step, fits, updates in seen if 0 < step < 30} == {(1, offline)}
    first_fit = 40  # the next multiple of model_every
    assert online_updates(training) == (on.steps_per_epoch - first_fit + 1) * on.updates_per_step
    assert training.counters.fits == 1 + 2


def test_updates_come_in_blocks(data: Path) -> None:
    training, desk = begin(data, *SHORT, "online.update_every=20")
    at: set[int] = set()
    before = [0]

    def look() -> None:
        if training.counters.stage == "online" and training.counters.update > before[0]:
            at.add(training.counters.env_step)
        before[0] = training.counters.update

    desk.on_tick = look
    train(training, desk)
    on = training.config.online
    assert at == {step for step in range(1, on.steps_per_epoch + 1) if step % 20 == 0 and step >= on.model_every}
    assert online_updates(training) == len(at) * 20 * on.updates_per_step


@pytest.mark.parametrize("branch, follows", [(True, "fit"), (False, "act")])
def test_a_branch_from_the_switch_has_its_own_initial_rollout(data: Path, branch: bool, follows: str) -> None:
    trunk, desk = begin(data, *SHORT)
    states: list[Any] = []
    desk.save = lambda name="", **_: states.append(copy.deepcopy(trunk.state_dict())) if name == "switch" else None  # type: ignore[assignment,misc]
    train(trunk, desk)
    other, _ = begin(data, *SHORT, "online.initial_rollout=true")
    other.load_state_dict(states[0], branch=branch)
    assert other.counters.next == follows


def test_an_algorithm_without_models_tells_its_share_once_offline_and_at_each_online_epochs_end(data: Path) -> None:
    training, desk = trained(data, "run.algo=awac", "offline.epochs=2", "online.epochs=2")
    shares = [fields for kind, fields in desk.said if kind == "share"]
    n_off, steps = training.replay.n_off, training.config.online.steps_per_epoch
    assert [each["n_on"] for each in shares] == [0, steps, 2 * steps]
    assert [each["p_off"] for each in shares] == pytest.approx([n_off / (n_off + k * steps) for k in range(3)])
    mass = [[1 / (n_off + k * steps)] * (n_off + k * steps) + [0.0] * ((2 - k) * steps) for k in range(3)]
    apart = [sum(abs(a - b) for a, b in zip(*pair, strict=True)) / 2 for pair in pairwise(mass)]
    assert [each["shift"] for each in shares] == pytest.approx([0.0, *apart])
    kinds = {kind for kind, _ in desk.said}
    assert not kinds & {"model", "unc", "rue"}
    assert not {"fit", "rollout"} & {*desk.phases}


def test_a_run_from_scratch_begins_online_without_a_row(data: Path) -> None:
    settings: Any = begin(data, *SHORT, "run.algo=mbpo", "online.random_steps=30")[1].config
    layout = begin(data, *SHORT)[0].replay.layout
    training = Training(settings, Transitions.none(layout), for_task(TASK), torch.device("cpu"), frozenset())
    assert (training.counters.stage, training.replay.n_off) == ("online", 0)
    desk = Desk(settings)
    train(training, desk)
    assert "stage" not in {kind for kind, _ in desk.said}
    assert training.replay.n_on == settings.online.steps_per_epoch
    assert all(fields["p_off"] == 0 for kind, fields in desk.said if kind == "share")
