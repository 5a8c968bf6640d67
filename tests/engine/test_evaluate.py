"""Evaluation: a pure function of policy, seed and index."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moore_engine.envs import Env
from moore_engine.evaluate import Evaluator, Returns, evaluate
from moore_engine.streams import stream_seed

TASK = "Hopper-v5"


def net(seed: int, obs_dim: int = 11, action_dim: int = 3) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    module = torch.nn.Sequential(torch.nn.Linear(obs_dim, 32), torch.nn.Tanh(), torch.nn.Linear(32, action_dim))
    for parameter in module.parameters():
        parameter.data.normal_(0, 0.3, generator=generator)
    return torch.nn.Sequential(module, torch.nn.Tanh())


def still(obs: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(obs), 3)


def test_each_episode_is_what_one_environment_reset_with_its_own_seed_gives():
    found = evaluate(still, TASK, 4, seed=3, index=2)
    for episode in range(4):
        env = Env(TASK, 99)
        env.reset(stream_seed(3, "eval", 2, episode))
        total, length, over = 0.0, 0, False
        while not over:
            _, reward, terminated, truncated = env.step(np.zeros(3, np.float32))
            total, length, over = total + reward, length + 1, terminated or truncated
        assert (found.returns[episode], found.lengths[episode]) == (total, length)


def test_the_policy_sees_each_observation_as_it_comes():
    policy = net(0)
    env = Env(TASK, 0)
    obs = env.reset(stream_seed(5, "eval", 0, 0))
    total, over = 0.0, False
    while not over:
        obs, reward, terminated, truncated = env.step(policy(torch.from_numpy(obs)[None])[0].detach().numpy())
        total, over = total + reward, terminated or truncated
    assert evaluate(policy, TASK, 1, seed=5).returns == [total]


def test_evaluations_repeat_bit_for_bit_whatever_was_evaluated_before():
    evaluator = Evaluator(TASK, 5, seed=1)
    first = evaluator(net(0), 7)
    evaluator(net(1), 8)
    assert evaluator(net(0), 7) == first == evaluate(net(0), TASK, 5, seed=1, index=7)


def test_seed_index_and_episode_each_change_the_start():
    results = [evaluate(still, TASK, 2, seed=s, index=i) for s, i in ((0, 0), (0, 1), (1, 0))]
    assert len({ret for result in results for ret in result.returns}) == 6


def test_the_batch_keeps_its_width_until_the_last_episode_ends():
    widths = []

    def policy(obs):
        widths.append(len(obs))
        return still(obs)

    result = evaluate(policy, TASK, 3, seed=0)
    assert len(set(result.lengths)) > 1
    assert widths == [3] * max(result.lengths)


def test_a_longer_evaluation_begins_with_the_episodes_of_a_shorter_one():
    # A policy without matrix products, whose rounding may depend on the width of the batch.
    assert evaluate(still, TASK, 6, seed=0).returns[:2] == evaluate(still, TASK, 2, seed=0).returns


def test_tick_is_called_after_every_step_and_a_stopped_evaluation_can_be_made_again():
    ticks = []
    expected = evaluate(net(0), TASK, 3, seed=0, tick=lambda: ticks.append(1))
    assert len(ticks) == max(expected.lengths)
    evaluator = Evaluator(TASK, 3, seed=0)

    class Stop(Exception):
        pass

    def stop():
        raise Stop

    with pytest.raises(Stop):
        evaluator(net(0), 0, stop)
    assert evaluator(net(0), 0) == expected


def test_a_task_that_can_only_be_replayed_is_made_anew_for_each_evaluation():
    evaluator = Evaluator("MountainCarContinuous-v0", 1, seed=0)
    policy = net(0, 2, 1)
    before = evaluator._envs[0]
    first = evaluator(policy, 0)
    assert evaluator._envs[0] is not before
    assert evaluator(policy, 0) == first


def test_time_limits_end_episodes():
    assert evaluate(net(0, 3, 1), "Pendulum-v1", 2, seed=0).lengths == [200, 200]
    assert Evaluator(TASK, 2, 0, max_episode_steps=5)(still, 0).lengths == [5, 5]


def test_no_gradient_is_recorded():
    recorded = []
    policy = net(0)

    def watched(obs):
        recorded.append(torch.is_grad_enabled())
        return policy(obs)

    Evaluator(TASK, 2, 0, max_episode_steps=2)(watched, 0)
    assert recorded == [False, False]


def test_statistics_are_those_of_the_episodes():
    result = Returns([1.0, 3.0], [10, 20])
    assert (result.mean, result.std, result.length_mean) == (2.0, 1.0, 15.0)


def test_no_episodes_is_an_error():
    with pytest.raises(ValueError, match="at least one episode"):
        Evaluator(TASK, 0, 0)
