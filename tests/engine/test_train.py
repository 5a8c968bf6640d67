"""The order of Algorithm 1, watched from the desk, and what a desk may count on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from moore_engine import config
from moore_engine.data.source import load
from moore_engine.envs import Env
from moore_engine.terminations import for_task
from moore_engine.train import train
from moore_engine.training import Training
from tests.engine import trainer_runs as runs

TASK = "InvertedPendulum-v4"


class Desk:
    """Writes down what the loop says; `spent` names the phases in order."""

    def __init__(self, settings: config.Config) -> None:
        self.config = settings
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.phases: list[str] = []
        self.saves: list[tuple[str, tuple[str, ...]]] = []
        self.on_tick: Any = lambda: None

    def emit(self, kind: str, **fields: Any) -> None:
        self.said.append((kind, fields))

    def tick(self) -> None:
        self.on_tick()

    def save(self, name: str = "", drop: tuple[str, ...] = (), keep: int | None = None) -> None:
        self.saves.append((name, drop))

    def settle(self, phase: int) -> list[str]:
        return []

    def spent(self, phase: str) -> None:
        self.phases.append(phase)


def begin(data: Path, *sets: str) -> tuple[Training, Desk]:
    torch.set_num_threads(1)
    settings = config.resolve(None, sets=[*runs.SMALL, f"data.path={data}", f"data.task={TASK}", *sets]).config
    env = Env(TASK, 0)
    rows = load(str(data), task=TASK, obs_dim=env.obs_dim, action_dim=env.action_dim, low=env.low, high=env.high)
    training = Training(settings, rows, for_task(TASK), torch.device("cpu"), frozenset())
    return training, Desk(settings)


@pytest.fixture(scope="module")
def done(data: Path) -> tuple[Training, Desk]:
    training, desk = begin(data)
    train(training, desk)
    return training, desk


def test_an_offline_epoch_rolls_out_before_its_updates_and_ends_with_an_evaluation(done: tuple[Training, Desk]) -> None:
    phases = done[1].phases
    assert phases[:8] == ["fit", "epoch", "rollout", "update", "rollout", "update", "end", "evaluate"]


def test_online_the_agent_acts_then_fits_then_rolls_out_then_updates(done: tuple[Training, Desk]) -> None:
    phases = done[1].phases
    first_fit = phases.index("fit", 1)
    assert phases[first_fit - 1 : first_fit + 4] == ["act", "fit", "rollout", "update", "act"]


def test_no_update_is_made_online_before_the_first_rollout(done: tuple[Training, Desk]) -> None:
    training, _ = done
    on, off = training.config.online, training.config.offline
    whole = off.epochs * off.updates_per_epoch + on.epochs * on.steps_per_epoch * on.updates_per_step
    assert training.counters.update == whole - (on.model_every - 1) * on.updates_per_step


def test_an_initial_rollout_fills_the_model_buffer_before_the_first_step(data: Path) -> None:
    training, desk = begin(data, "online.initial_rollout=true", "online.epochs=1", "offline.epochs=1")
    train(training, desk)
    on, off = training.config.online, training.config.offline
    assert training.counters.update == off.updates_per_epoch + on.steps_per_epoch * on.updates_per_step


def test_every_kind_of_event_carries_its_fields(done: tuple[Training, Desk]) -> None:
    from moore_engine.events import KINDS

    said = done[1].said
    assert {kind for kind, _ in said} == {"model", "share", "unc", "eval", "loss", "stage", "rue"}
    assert all(set(KINDS[kind]) <= fields.keys() for kind, fields in said)


def test_the_frozen_policy_is_evaluated_at_the_switch_for_the_dips_null(done: tuple[Training, Desk]) -> None:
    baselines = [fields["baseline"] for kind, fields in done[1].said if kind == "eval" and "baseline" in fields]
    assert baselines == [1, 2]


def test_shares_follow_the_closed_form(done: tuple[Training, Desk]) -> None:
    shares = [fields for kind, fields in done[1].said if kind == "share"]
    assert shares[0]["p_off"] == 1.0
    for fields in shares[1:]:
        mass = fields["n_off"] * fields["priority_off"]
        assert fields["p_off"] == pytest.approx(mass / (mass + fields["n_on"]))
        assert fields["p_off_sampled"] == pytest.approx(fields["p_off"], abs=0.05)


def test_the_online_rows_are_whole_transitions_and_a_time_out_is_no_terminal(done: tuple[Training, Desk]) -> None:
    training, _ = done
    layout, rows = training.replay.layout, training.replay.online
    assert rows.shape[0] == 240
    follows = (rows[1:, layout.obs] == rows[:-1, layout.next_obs]).all(1)
    ended = rows[:-1, layout.terminal].squeeze(1) == 1
    assert bool((follows | ended).all())
    assert bool(ended.any())


def test_the_model_buffer_has_no_zero_row(done: tuple[Training, Desk]) -> None:
    rows = done[0].algo.model_rows
    assert len(rows) > 0
    assert bool((rows.ordered().abs().sum(1) > 0).all())


def test_nothing_learned_is_reset_at_the_switch(data: Path) -> None:
    """Policy, critics, targets, temperature, every optimiser's moments, models, elites, scaler: the same bits."""
    training, desk = begin(data, "online.epochs=0")
    seen: list[dict[str, Any]] = []

    def evaluated(kind: str, **fields: Any) -> None:
        seen.append(_copied(training.algo.state_dict()))

    desk.emit = evaluated  # type: ignore[method-assign]
    train(training, desk)
    before, after = seen[-2], training.algo.state_dict()
    assert _equal(before["sac"], after["sac"])
    assert _equal(before["dynamics"], after["dynamics"])
    assert len(training.algo.model_rows) == 0


def test_mopo_alone_stays_offline(data: Path) -> None:
    training, desk = begin(data, "run.algo=mopo", "offline.epochs=1")
    train(training, desk)
    assert training.counters.stage == "offline"
    assert "act" not in desk.phases


def test_a_finished_training_does_nothing_when_asked_again(data: Path) -> None:
    training, desk = begin(data, "run.algo=mopo", "offline.epochs=1")
    train(training, desk)
    before = len(desk.phases)
    train(training, desk)
    assert len(desk.phases) == before


def test_a_state_taken_at_any_tick_goes_on_to_the_same_end(data: Path) -> None:
    """In one process: states from ticks in every phase, loaded into a fresh training, end with the same bits."""
    sets = ("offline.epochs=1", "online.epochs=2", "online.steps_per_epoch=40")
    whole, desk = begin(data, *sets)
    taken: dict[str, dict[str, Any]] = {}

    def take() -> None:
        name = f"{whole.counters.stage} {whole.counters.open or 'between'}"
        if name not in taken or whole.counters.phase % 7 == 0:
            taken[name] = _copied(whole.state_dict())

    desk.on_tick = take
    train(whole, desk)
    assert taken.keys() >= {
        "offline fit", "offline rollout", "offline update", "offline evaluate", "online fit", "online rollout",
        "online update", "online evaluate", "online between",
    }  # fmt: skip
    end = _copied(whole.state_dict())
    for name, state in taken.items():
        again, quiet = begin(data, *sets)
        again.load_state_dict(state)
        train(again, quiet)
        assert _equal(_copied(again.state_dict()), end), name


def _copied(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _copied(value) for key, value in state.items()}
    return state.clone() if isinstance(state, torch.Tensor) else state


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(_equal(one[key], two[key]) for key in one)
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    return bool((one == two).all()) if hasattr(one, "all") else bool(one == two)
