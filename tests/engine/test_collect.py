"""What each kind of collection records: whose actions, which rows, where it stops, and that nothing disturbs SAC."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from moore_engine.collect.collection import Collection
from moore_engine.envs import Env, TaskError
from moore_engine.sac import SAC
from tests.engine.collecting import Made, begin, ends, finish, make, scripted

LIMIT = 1000
"""Of InvertedPendulum's episodes."""


@pytest.fixture(scope="module")
def hopper() -> Made:
    return make("medium-replay", "data.task=Hopper-v5", "collect.steps=300", "collect.random_steps=270")


@pytest.fixture(scope="module")
def expert() -> Made:
    return make("expert")


# Whose actions


def test_random_actions_are_uniform_over_the_tasks_bounds() -> None:
    made = make("random", "collect.steps=4000")
    actions = made.arrays["actions"][:, 0] / 3
    assert abs(actions.mean()) < 4 / math.sqrt(3 * len(actions))
    counts = np.histogram(actions, bins=10, range=(-1, 1))[0]
    assert counts.sum() == len(actions)
    assert (np.abs(counts - len(actions) / 10) < 4.5 * math.sqrt(len(actions) * 0.09)).all()
    assert np.abs(np.corrcoef(actions[:-1], actions[1:])[0, 1]) < 4 / math.sqrt(len(actions))


def test_a_random_set_is_made_without_any_training_or_evaluation() -> None:
    made = make("random")
    assert (made.run.counters.update, made.run.counters.learned, made.run.replay.size) == (0, 0, 0)
    assert made.desk.told("eval") == []


def test_the_frozen_policy_draws_from_its_own_distribution(expert: Made) -> None:
    """tanh^-1 of the actions, standardised by the policy's mean and deviation at the rows, is standard normal."""
    made = make("expert", "collect.steps=1500", "collect.train_steps=60")
    policy, obs = made.run.sac.policy, torch.from_numpy(made.arrays["observations"])
    dist = policy.dist(len(obs))
    inputs = torch.cat([torch.ones(1, len(obs)), obs.t()])
    from moore_engine.nn.mlp import Tape

    policy.net.forward(inputs, Tape(policy.sizes[1:-1], len(obs), obs), dist.head)
    std = dist.raw_log_std.clamp(-20, 2).exp()
    actions = torch.from_numpy(made.arrays["actions"]).t() / 3
    inside = actions.abs() < 0.9999
    noise = ((torch.atanh(actions) - dist.mean) / std)[inside]
    assert inside.float().mean() > 0.97
    assert abs(noise.mean().item()) < 0.12
    assert abs(noise.std().item() - 1) < 0.08


def test_a_policy_does_not_change_while_it_is_recorded() -> None:
    run, desk = begin("expert")
    seen = set()

    def watch() -> None:
        if run.counters.part == 1:
            seen.add(run.sac.policy.params.sum().item())

    desk.on_tick = watch
    finish(run, desk)
    assert len(seen) == 1
    assert run.counters.update == 200 - 40 + 1


# Which rows


@pytest.mark.parametrize("kind", ["random", "medium", "expert", "medium-expert"])
def test_recorded_episodes_are_whole_and_there_are_as_many_rows_as_asked(kind: str) -> None:
    made = make(kind)
    rows = len(made.arrays["rewards"])
    assert 100 <= rows < 100 + 2 * LIMIT
    assert ends(made.arrays)[-1] == rows - 1
    assert made.run.counters.cuts == 0
    if kind != "medium-expert":
        assert len(ends(made.arrays)) < 2 or ends(made.arrays)[-2] + 1 < 100


def test_rows_continue_within_episodes_and_break_between_them(hopper: Made) -> None:
    over = hopper.arrays["terminals"] | hopper.arrays["timeouts"]
    assert over.sum() > 5
    continues = (hopper.arrays["observations"][1:] == hopper.arrays["next_observations"][:-1]).all(axis=1)
    assert (continues == ~over[:-1]).all()


def test_a_replay_set_has_exactly_the_rows_asked_and_its_last_episode_is_cut(hopper: Made) -> None:
    assert len(hopper.arrays["rewards"]) == 300
    assert hopper.arrays["timeouts"][-1] != hopper.arrays["terminals"][-1]
    assert hopper.run.counters.cuts == int(hopper.arrays["timeouts"][-1])


def test_a_replay_set_that_ends_with_a_fall_is_not_cut(hopper: Made) -> None:
    fall = int(np.flatnonzero(hopper.arrays["terminals"])[0])
    made = make("medium-replay", "data.task=Hopper-v5", f"collect.steps={fall + 1}", "collect.random_steps=270")
    assert made.arrays["terminals"][-1] and not made.arrays["timeouts"].any()
    assert made.run.counters.cuts == 0


def test_a_replay_set_is_what_sac_learned_from(hopper: Made) -> None:
    table = hopper.run.replay.table[:300].numpy()
    np.testing.assert_array_equal(table[:, :11], hopper.arrays["observations"])
    np.testing.assert_array_equal(table[:, 11:14], hopper.arrays["actions"])


def test_every_row_is_what_the_simulator_does_from_its_state(hopper: Made) -> None:
    env, arrays = Env("Hopper-v5", 0), hopper.arrays
    env.reset(seed=0)
    inner = env._env.unwrapped
    for row in range(0, 300, 23):
        env._env.reset(seed=0)
        inner.set_state(arrays["qpos"][row], arrays["qvel"][row])
        np.testing.assert_allclose(inner._get_obs(), arrays["observations"][row], atol=1e-5)
        obs, reward, terminal, _ = env.step(arrays["actions"][row])
        np.testing.assert_allclose(obs, arrays["next_observations"][row], atol=1e-3)
        assert reward == pytest.approx(arrays["rewards"][row], abs=1e-3)
        assert terminal == arrays["terminals"][row]


def test_actions_are_in_the_tasks_units_and_time_limits_are_timeouts() -> None:
    made = make("random", "data.task=Pendulum-v1", "collect.steps=450")
    assert 1.8 < np.abs(made.arrays["actions"]).max() <= 2.0
    assert "qpos" not in made.arrays
    assert np.flatnonzero(made.arrays["timeouts"]).tolist() == [199, 399, 599]
    assert not made.arrays["terminals"].any()


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(hopper: Made) -> None:
    sets = ("data.task=Hopper-v5", "collect.steps=300", "collect.random_steps=270")
    again, other = make("medium-replay", *sets), make("medium-replay", *sets, "run.seed=1")
    assert all((again.arrays[name] == hopper.arrays[name]).all() for name in hopper.arrays)
    assert (other.arrays["actions"] != hopper.arrays["actions"]).any()


# Where it stops


def test_training_stops_at_the_first_evaluation_that_reaches_the_target() -> None:
    run, desk = begin("medium", "collect.target_return=10")
    scripted(run, 3.0, 9.999, 10.0)
    made = finish(run, desk)
    assert (run.counters.learned, run.counters.medium_at, run.counters.reached) == (150, 150, 10.0)
    assert len(made.arrays["rewards"]) >= 100
    assert desk.told("warn") == []


def test_a_replay_set_ends_where_the_target_is_reached() -> None:
    run, desk = begin("medium-replay", "collect.target_return=10")
    scripted(run, 11.0)
    assert len(finish(run, desk).arrays["rewards"]) == 50


def test_a_target_that_is_never_reached_ends_at_the_last_step_and_is_told() -> None:
    run, desk = begin("medium", "collect.target_return=10")
    scripted(run, 1.0, 2.0, 3.0, 4.0)
    finish(run, desk)
    assert (run.counters.learned, run.counters.reached) == (200, None)
    assert [warning["what"] for warning in desk.told("warn")] == [
        "no evaluation reached the target return 10 in 200 steps (the last was 4.0): the set is of what there was"
    ]


def test_sac_is_evaluated_every_so_many_epochs_and_when_its_training_ends() -> None:
    run, desk = begin("expert", "eval.every_epochs=3")
    scripted(run, 1.0, 2.0)
    finish(run, desk)
    assert [told["return_mean"] for told in desk.told("eval")] == [1.0, 2.0]


def test_an_expert_is_trained_to_the_end_whatever_it_can_do_before(expert: Made) -> None:
    run, desk = begin("expert", "collect.target_return=10")
    scripted(run, *[100.0] * 4)
    finish(run, desk)
    assert run.counters.learned == 200


# Nothing disturbs SAC


def test_training_goes_on_after_the_medium_rows_as_if_they_had_not_been_recorded(expert: Made) -> None:
    run, desk = begin("medium-expert", "collect.target_return=10")
    scripted(run, 1.0, 10.0, 50.0, 50.0)
    both = finish(run, desk)
    assert (run.counters.medium_at, run.counters.learned) == (100, 200)
    assert torch.equal(run.replay.table, expert.run.replay.table)
    assert torch.equal(run.sac.policy.params, expert.run.sac.policy.params)
    medium, desk = begin("medium", "collect.target_return=10")
    scripted(medium, 1.0, 10.0)
    alone = finish(medium, desk)
    np.testing.assert_array_equal(both.arrays["actions"][:50], alone.arrays["actions"][:50])


def test_a_medium_that_takes_all_of_the_training_is_the_expert_too() -> None:
    run, desk = begin("medium-expert", "collect.target_return=10")
    scripted(run, *[1.0] * 4)
    made = finish(run, desk)
    assert run.counters.learned == run.replay.size == 200
    assert len(made.arrays["rewards"]) >= 100


class Counting(SAC):
    updates = 0

    def update(self, batch: torch.Tensor, generator: torch.Generator) -> None:
        type(self).updates += 1
        assert (batch.abs().sum(dim=1) > 0).all()
        super().update(batch, generator)


def test_learning_begins_with_the_last_uniform_step_on_stored_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moore_engine.sac_ensemble.SAC", Counting)
    Counting.updates = 0
    run, _ = make("medium-replay", "collect.steps=60", "online.updates_per_step=2").run, None
    assert Counting.updates == run.counters.update == 2 * 21


def test_what_is_told_of_the_set_grows_with_it_and_ends_with_where_it_lies() -> None:
    made = make("random")
    told = made.desk.told("data")
    assert [each["rows"] for each in told] == [50, len(made.arrays["rewards"]), len(made.arrays["rewards"])]
    assert told[-1]["episodes"] == len(ends(made.arrays))
    assert told[-1]["return_mean"] == pytest.approx(made.arrays["rewards"].sum() / told[-1]["episodes"])
    assert told[-1]["path"] == "here"


def test_a_finished_collection_keeps_its_networks_and_drops_its_rows(expert: Made) -> None:
    kept = expert.run.state_dict().keys() - set(expert.desk.saves[-1])
    assert kept == {"counters", "sac", "streams", "env", "roll_env"}
    again = Collection(expert.run.config)
    again.load_state_dict({key: value for key, value in expert.run.state_dict().items() if key in kept})
    assert again.counters.finished


def test_tasks_from_outside_need_trust_here_too() -> None:
    with pytest.raises(TaskError, match="--trust-code"):
        begin("random", "data.task=json:Hopper-v5")
