"""Balanced Replay as a run: its blocks of updates, what it draws, exact resume, learning on a small task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from moore_engine import config
from moore_engine.algorithms.balanced_replay import BalancedReplay
from moore_engine.data.source import load
from moore_engine.envs import Env
from moore_engine.rundir import EXIT_DONE
from moore_engine.terminations import for_task
from moore_engine.train import train
from moore_engine.training import Training
from tests.engine import trainer_runs as runs
from tests.engine.test_resume import kill
from tests.engine.test_train import TASK, Desk

SMALL = [
    "run.algo=balanced_replay", "balanced.agents=2", "balanced.ratio_hidden=[16,16]", "balanced.first_epoch=3",
    "sac.hidden=[16,16]", "sac.batch=16", "cql.actions=2", "offline.epochs=2", "offline.updates_per_epoch=6",
    "offline.rollout_every=6", "online.epochs=3", "online.steps_per_epoch=20", "online.update_every=10",
    "online.model_every=20", "online.updates_per_step=1", "eval.episodes=1", "eval.switch_episodes=1",
]  # fmt: skip


def begin(data: Path, *sets: str) -> tuple[Training, Desk]:
    torch.set_num_threads(1)
    settings = config.resolve(None, sets=[*runs.SMALL, f"data.path={data}", f"data.task={TASK}", *SMALL, *sets]).config
    env = Env(TASK, 0)
    rows = load(str(data), task=TASK, obs_dim=env.obs_dim, action_dim=env.action_dim, low=env.low, high=env.high)
    return Training(settings, rows, for_task(TASK), torch.device("cpu"), frozenset()), Desk(settings)


def agent(training: Training) -> BalancedReplay:
    assert isinstance(training.algo, BalancedReplay)
    return training.algo


@pytest.fixture(scope="module")
def done(data: Path) -> tuple[Training, Desk]:
    training, desk = begin(data)
    train(training, desk)
    return training, desk


def test_steps_come_in_blocks_and_the_first_epochs_updates_are_multiplied(data: Path) -> None:
    training, desk = begin(data, "online.epochs=2")
    counters, made = training.counters, {}

    def tick() -> None:
        if counters.stage == "online":
            made[counters.env_step] = counters.update - 12

    desk.on_tick = tick
    train(training, desk)
    assert {step: made[step] for step in (9, 10, 19, 20, 29, 30, 39, 40)} == {
        9: 0, 10: 30, 19: 30, 20: 60, 29: 60, 30: 70, 39: 70, 40: 80
    }  # fmt: skip


def test_share_events_tell_the_trees_law(done: tuple[Training, Desk]) -> None:
    training, desk = done
    first, *shares = [fields for kind, fields in desk.said if kind == "share"]
    assert (first["p_off"], first["n_on"], first["shift"]) == (1.0, 0, 0.0)
    assert [each["n_on"] for each in shares] == [20, 40, 60]
    for each in shares:
        mass = each["n_off"] * each["priority_off"]
        assert each["p_off"] == pytest.approx(mass / (mass + each["n_on"]))
        assert 0 < each["shift"] < 1
        assert 0 < each["p_off_sampled"] < 1
    assert shares[-1]["p_off"] == agent(training).share()["p_off"]


def test_drawn_rows_get_the_density_ratios_priority(data: Path) -> None:
    training, desk = begin(data, "online.epochs=1", "offline.epochs=1")
    train(training, desk)
    algo = agent(training)
    before = algo.rows.priorities.clone()
    after_draws = torch.Generator()
    after_draws.set_state(algo.noise.get_state())
    index = algo.rows.tree.sample(16, after_draws, stratified=True)
    off, _ = algo.rows.strata(16, after_draws)
    pair = slice(0, training.replay.layout.obs_dim + training.replay.layout.action_dim)
    w, w_off = (algo.ratio(training.replay.gather(rows)[:, pair]) for rows in (index, off))
    algo.update()
    changed = before != algo.rows.priorities
    expected = (w**0.2 / (w_off**0.2).mean()).clamp(1e-3, 1e3)
    torch.testing.assert_close(algo.rows.priorities[index], expected.double(), rtol=1e-5, atol=1e-6)
    assert set(changed.nonzero().flatten().tolist()) <= set(index.tolist())
    assert changed.any()


def test_the_switch_keeps_the_policy_and_each_agent_was_its_own(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training, desk = begin(data, "online.epochs=1")
    algo, seen = agent(training), []
    obs = torch.randn(5, training.replay.layout.obs_dim, generator=torch.Generator().manual_seed(1))

    def save(name: str = "", **_: Any) -> None:
        if name == "switch" or not algo.online:
            seen.append(algo.best(obs))
        if not algo.online:
            first, second = algo.agents
            assert not torch.equal(first.policy.params, second.policy.params)
            assert not torch.equal(algo._batches[0], algo._batches[1])

    monkeypatch.setattr(desk, "save", save)
    train(training, desk)
    assert len(seen) == 3
    assert torch.equal(seen[1], seen[2]), "the last offline policy is the first online one"
    assert not torch.equal(seen[0], seen[1])
    module = algo.policy_module([-1.0], [1.0])
    torch.testing.assert_close(module(obs), algo.best(obs), rtol=1e-5, atol=1e-6)


def test_losses_gain_the_density_ratios(done: tuple[Training, Desk]) -> None:
    algo = agent(done[0])
    algo.update()
    facts = algo.metrics()
    assert set(facts) == {"q", "actor", "temperature", "entropy", "q_mean", "ratio"}
    assert all(value == value for value in facts.values())


def test_loading_a_state_and_going_on_is_bit_equal_in_both_stages(data: Path) -> None:
    """Saved at chosen ticks of the whole run, also in the midst of a block of updates."""
    whole, desk = begin(data)
    states: list[Any] = []

    def tick() -> None:
        if (whole.counters.update, whole.counters.env_step) in {(5, 0), (12, 4), (30, 10), (75, 30)}:
            states.append(_copied(whole.state_dict()))

    desk.on_tick = tick
    train(whole, desk)
    end = _flat(whole.state_dict())
    assert [(state["counters"]["stage"], state["counters"]["owed"]) for state in states] == [
        ("offline", 0), ("online", 0), ("online", 12), ("online", 7)
    ]  # fmt: skip
    for state in states:
        other, quiet = begin(data)
        other.load_state_dict(state)
        train(other, quiet)
        assert _flat(other.state_dict()) == end
        assert quiet.said
        assert repr(desk.said[-len(quiet.said) :]) == repr(quiet.said)


def test_a_finished_run_that_is_extended_has_room_for_its_rows(data: Path) -> None:
    training, desk = begin(data, "online.epochs=1")
    train(training, desk)
    longer, _ = begin(data, "online.epochs=30")
    training.configure(longer.config)
    desk.config = longer.config
    desk.on_tick = lambda: _stop_after(training, 50)
    with pytest.raises(StopIteration):
        train(training, desk)
    assert agent(training).rows.tree.capacity >= training.replay.rows.shape[0]


def test_the_policy_alone_is_restored_from_either_stage(data: Path, done: tuple[Training, Desk]) -> None:
    fresh, _ = begin(data)
    offline, desk = begin(data, "online.epochs=1")
    states: list[Any] = []
    desk.on_tick = lambda: None if states else states.append(_copied(offline.algo.state_dict()))
    train(offline, desk)
    obs = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    for state in (states[0], done[0].algo.state_dict()):
        fresh, _ = begin(data)
        start = fresh.algo.best(obs)
        fresh.algo.load_policy(state)
        assert not torch.equal(fresh.algo.best(obs), start)
    assert torch.equal(fresh.algo.best(obs), done[0].algo.best(obs))


def test_the_presets_numbers_are_the_authors() -> None:
    settings = config.resolve("hopper-medium", flags={"algo": "balanced_replay"}).config
    assert (settings.balanced.agents, settings.balanced.fraction, settings.balanced.first_epoch) == (5, 0.5, 10)
    assert (settings.online.update_every, settings.online.epochs) == (1000, 250)
    assert (settings.sac.actor_lr, settings.sac.critic_lr) == (3e-5, 3e-4)
    assert settings.offline.epochs * settings.offline.updates_per_epoch == 1_000_000


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_learns_to_hold_the_pole_up(data: Path) -> None:
    """A few hundred steps beside rows of random actions, which fall after some seven steps."""
    training, desk = begin(
        data, "sac.hidden=[32,32]", "sac.batch=64", "sac.actor_lr=1e-3", "sac.critic_lr=1e-3",
        "sac.temperature_lr=1e-3", 'sac.target_entropy="auto"', "cql.actions=4", "offline.epochs=1",
        "offline.updates_per_epoch=300", "offline.rollout_every=300", "online.epochs=4", "online.steps_per_epoch=200",
        "online.update_every=200", "online.model_every=200", "eval.episodes=5", "eval.switch_episodes=0",
    )  # fmt: skip
    train(training, desk)
    returns = [fields["return_mean"] for kind, fields in desk.said if kind == "eval"]
    assert returns[-1] > 60, returns
    assert returns[-1] > 3 * returns[0], "online it learned more"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_killed_offline_and_online_ends_as_the_uninterrupted_one(tmp_path: Path, data: Path) -> None:
    whole, killed = (runs.make_run(tmp_path / name, data, *SMALL) for name in ("whole", "killed"))
    assert runs.finish(whole) == EXIT_DONE, runs.log(whole)
    kill(killed, lambda: runs.count(killed, "eval") >= 1, "the first offline evaluation")
    kill(killed, lambda: runs.count(killed, "eval") >= 4, "the first online evaluation")
    assert runs.finish(killed) == EXIT_DONE, runs.log(killed)
    assert runs.hashes(killed) == runs.hashes(whole)
    assert runs.facts(killed) == runs.facts(whole)


def _stop_after(training: Training, steps: int) -> None:
    if training.counters.env_step >= steps:
        raise StopIteration


def _copied(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _copied(value) for key, value in state.items()}
    return state.clone() if isinstance(state, torch.Tensor) else state


def _flat(state: Any, path: str = "") -> dict[str, Any]:
    if isinstance(state, dict):
        parts = [_flat(value, f"{path}.{key}") for key, value in state.items()]
        return {key: value for part in parts for key, value in part.items()}
    return {path: state.tolist() if hasattr(state, "tolist") else state}
