"""MBPO: the schedule of H, random steps, a start without data, exact resume, learning."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from moore_engine import config
from moore_engine.algorithms.mbpo import grown
from moore_engine.buffers import Layout
from moore_engine.data.transitions import Transitions
from moore_engine.terminations import for_task
from moore_engine.train import train
from moore_engine.training import Training
from tests.engine import trainer_runs as runs
from tests.engine.test_train import TASK, Desk, _copied, _equal

SETS = (
    "run.algo=mbpo", "online.epochs=4", "online.steps_per_epoch=40", "online.random_steps=60",
    "online.rollout_batch=200", "online.rollout_growth=[2,4,1,3]", "eval.episodes=1",
)  # fmt: skip

KEPT = {
    "1 between", "59 between", "60 fit", "60 between", "79 between", "80 between", "100 rollout", "119 between",
    "120 between",
    "121 between", "125 update", "159 between",
}  # fmt: skip
"""Environment steps and phases whose first tick leaves a state."""


def begin(*sets: str) -> tuple[Training, Desk]:
    """A small run on no data set."""
    torch.set_num_threads(1)
    settings = config.resolve(sets=[*runs.SMALL, f"data.task={TASK}", *SETS, *sets]).config
    none = Transitions.none(Layout(4, 1))
    return Training(settings, none, for_task(TASK), torch.device("cpu"), frozenset()), Desk(settings)


@pytest.fixture(scope="module")
def done() -> tuple[Training, Desk, dict[str, dict[str, Any]]]:
    """A whole run, with states from its ticks and what each of them saw."""
    training, desk = begin()
    taken: dict[str, dict[str, Any]] = {}

    def take() -> None:
        c = training.counters
        name = f"{c.env_step} {c.open or 'between'}"
        if name in KEPT and name not in taken:
            taken[name] = _copied(training.state_dict())

    desk.on_tick = take
    train(training, desk)
    return training, desk, taken


# --- the schedule ---


def test_h_grows_linearly_between_two_epochs_and_is_constant_outside() -> None:
    """Hopper: 1 + 14 (epoch - 20) / 130, rounded down."""
    hopper = config.resolve("mbpo-hopper", sets=["data.task=Hopper-v4"]).config.online.rollout_growth
    for epoch in range(1, 200):
        exact = 1 + 14 * (min(max(epoch, 20), 150) - 20) / 130
        assert grown(hopper, epoch, 7) == int(exact), epoch
    assert [grown(hopper, epoch, 7) for epoch in (1, 20, 29, 30, 85, 149, 150, 999)] == [1, 1, 1, 2, 8, 14, 15, 15]


def test_without_growth_h_is_the_rollout_length() -> None:
    assert [grown((), epoch, 5) for epoch in (1, 1000)] == [5, 5]


def test_the_model_buffer_grows_with_h_and_keeps_its_rows(done: Any) -> None:
    """Two rollouts an epoch from 200 starts: 400 H rows. H is 1, 1, 2 and 3."""
    _, _, taken = done
    held = {step: taken[f"{step} between"]["model_rows"] for step in (79, 120, 121, 159)}
    assert {step: rows["capacity"] for step, rows in held.items()} == {79: 400, 120: 800, 121: 1200, 159: 1200}
    assert held[120]["rows"].shape[0] > 400
    assert torch.equal(held[121]["rows"].sort(0).values, held[120]["rows"].sort(0).values)


def test_rollouts_go_as_far_as_the_epochs_h(done: Any) -> None:
    training, _, taken = done
    layout = training.replay.layout
    real = {row.numpy().tobytes() for row in training.replay.online[:, layout.obs]}
    for step, h in ((79, 1), (119, 2), (159, 3)):
        rows = taken[f"{step} between"]["model_rows"]["rows"]
        before = {row[layout.next_obs].numpy().tobytes(): row[layout.obs].numpy().tobytes() for row in rows}
        depths = []
        for row in rows:
            depth, obs = 1, row[layout.obs].numpy().tobytes()
            while obs not in real and obs in before:
                depth, obs = depth + 1, before[obs]
            depths.append(depth)
        assert max(depths) == h


# --- from scratch ---


def test_nothing_is_learned_in_the_random_steps_and_they_count(done: Any) -> None:
    training, desk, taken = done
    before, after = taken["1 between"], taken["59 between"]
    assert _equal(before["sac"], after["sac"])
    assert _equal(before["dynamics"], after["dynamics"])
    assert after["counters"]["update"] == after["counters"]["fits"] == 0
    assert training.counters.env_step == training.replay.n_on == 160
    assert training.counters.update == (160 - 60 + 1) * 3
    assert training.counters.fits == 6
    assert desk.phases.index("fit") == [i for i, phase in enumerate(desk.phases) if phase == "act"][59] + 1


def test_random_steps_are_uniform() -> None:
    steps = 1000
    training, desk = begin(
        "online.epochs=1", f"online.steps_per_epoch={steps}", f"online.random_steps={steps}",
        f"online.model_every={steps}", "online.updates_per_step=1",
    )  # fmt: skip
    train(training, desk)
    actions = training.replay.online[:, training.replay.layout.action].flatten().double()
    law = (actions.sort().values + 1) / 2
    seen = torch.arange(steps + 1, dtype=torch.float64) / steps
    furthest = torch.maximum((law - seen[:-1]).abs().max(), (law - seen[1:]).abs().max())
    assert furthest < 1.95 / math.sqrt(steps), "Kolmogorov's bound, p = .001"


def test_the_policy_acts_from_the_first_step_after_them(done: Any) -> None:
    training, _, taken = done
    layout, online = training.replay.layout, training.replay.online
    again, _ = begin()
    again.load_state_dict(taken["60 between"])
    assert torch.equal(again.algo.act(online[60, layout.obs][None], 60)[0], online[60, layout.action])
    again.load_state_dict(taken["59 between"])
    assert not torch.equal(again.algo.act(online[59, layout.obs][None], 59)[0], online[59, layout.action])


def test_there_is_no_offline_stage_and_no_switch(done: Any) -> None:
    training, desk, _ = done
    assert desk.phases[0] == "epoch"
    assert {kind for kind, _ in desk.said} == {"model", "share", "unc", "eval"}
    shares = [fields for kind, fields in desk.said if kind == "share"]
    assert [(f["n_off"], f["n_on"], f["p_off"], f["p_off_sampled"]) for f in shares] == [
        (0, n, 0.0, 0.0) for n in range(60, 161, 20)
    ]
    assert all(0 < f["shift"] <= 1 for f in shares)
    assert training.replay.n_off == 0


def test_a_data_set_that_is_named_is_not_used(data: Any) -> None:
    from moore_engine.data.source import load

    settings = config.resolve(sets=[*runs.SMALL, f"data.task={TASK}", f"data.path={data}", *SETS]).config
    low = torch.tensor([-3.0]).numpy()
    rows = load(str(data), task=TASK, obs_dim=4, action_dim=1, low=low, high=-low)
    training = Training(settings, rows, for_task(TASK), torch.device("cpu"), frozenset())
    assert rows.n > 0
    assert len(training.replay) == 0


# --- the models ---


def test_rewards_in_the_model_buffer_are_not_penalised(done: Any) -> None:
    _, desk, _ = done
    facts = [fields for kind, fields in desk.said if kind == "unc"]
    assert all(f["mean"] > 0 and f["reward_raw"] == f["reward_penalised"] for f in facts)


def test_a_fit_learns_from_the_rows_so_far_and_holds_a_fifth_out(done: Any) -> None:
    training, desk, _ = done
    sizes = [fields["ess"] for kind, fields in desk.said if kind == "model"]
    assert sizes == [len(training.algo.split(0, n)[0]) for n in range(60, 161, 20)]
    drawn = training.algo.training_rows()
    ((held, weight),) = drawn["holdout"]
    assert weight == 1.0
    assert 20 < len(held) < 45
    assert sorted([*drawn["train"].tolist(), *held.tolist()]) == list(range(160))


def test_the_scaler_is_of_the_rows_so_far_and_follows_them_without_a_change_of_output(done: Any) -> None:
    training, _, taken = done
    layout = training.replay.layout
    inputs = training.replay.online[:, : layout.obs_dim + layout.action_dim].double()
    for step in (60, 80):
        ensemble = taken[f"{step} between"]["dynamics"]["ensemble"]
        torch.testing.assert_close(ensemble["in_mean"].double(), inputs[:step].mean(0), rtol=1e-5, atol=1e-6)
        std = inputs[:step].std(0, correction=0)
        torch.testing.assert_close(ensemble["in_std"].double(), std, rtol=1e-5, atol=1e-6)
    again, _ = begin()
    again.load_state_dict(taken["79 between"])
    obs, action = inputs[:, :4].float(), inputs[:, 4:].float()
    before, _ = again.algo.dynamics.predict(obs, action)
    before = before.clone()
    again.algo.first_fit = False
    again.algo.scale()
    torch.testing.assert_close(again.algo.dynamics.predict(obs, action)[0], before, rtol=1e-4, atol=1e-5)


# --- resume ---


def test_a_state_taken_at_any_tick_goes_on_to_the_same_end(done: Any) -> None:
    whole, _, taken = done
    end = _copied(whole.state_dict())
    for name in ("60 fit", "100 rollout", "125 update"):
        again, quiet = begin()
        again.load_state_dict(taken[name])
        train(again, quiet)
        assert _equal(_copied(again.state_dict()), end), name


# --- learning ---


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_learns_to_balance_within_hundreds_of_steps() -> None:
    """A policy that knows nothing, or the opposite, falls within 30 steps; one that balances is stopped at 1000."""
    training, desk = begin(
        "online.epochs=6", "online.steps_per_epoch=100", "online.random_steps=200", "online.model_every=50",
        "online.rollout_batch=1000", "online.rollout_length=5", "online.rollout_growth=[]", "online.max_updates=100",
        "online.updates_per_step=10", "online.real_ratio=0.05", "model.lr=2e-3", "model.batch=64", "model.patience=4",
        "model.max_epochs=60", "sac.hidden=[64,64]", "sac.actor_lr=1e-3", "sac.critic_lr=1e-3",
        "sac.temperature_lr=1e-3", "sac.target_entropy=auto", "eval.episodes=3",
    )  # fmt: skip
    train(training, desk)
    returns = [fields["return_mean"] for kind, fields in desk.said if kind == "eval"]
    assert returns[1] < 50
    assert sum(returns[-3:]) / 3 > 300, returns
