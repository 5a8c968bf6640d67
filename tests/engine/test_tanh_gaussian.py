"""The tanh-Gaussian policy: its samples, its density, and acting in chunks of any size."""

from __future__ import annotations

import math

import pytest
import torch

from moore_engine.nn.mlp import MLP
from moore_engine.nn.tanh_gaussian import Policy, mean_module

F64 = torch.float64


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def policy(dtype: torch.dtype = F64, log_std_min: float = -20.0, log_std_max: float = 2.0) -> Policy:
    like = torch.zeros((), dtype=dtype)
    result = Policy(4, 2, (16, 12), log_std_min=log_std_min, log_std_max=log_std_max, like=like, chunk=512)
    result.net.init(generator(1))
    return result


def layers(net: MLP) -> list[torch.nn.Module]:
    *hidden, head = net.linears()
    return [*(part for linear in hidden for part in (linear, torch.nn.ReLU())), head]


def test_sampled_actions_and_log_probs_are_those_of_a_transformed_normal() -> None:
    dist, draw = policy().dist(4000), generator(3)
    dist.head.copy_(torch.tensor([0.4, -1.2, -0.5, 0.3], dtype=F64)[:, None])
    action = dist.sample(draw)
    normal = torch.distributions.Normal(dist.mean, dist.raw_log_std.exp())
    tanh = torch.distributions.TransformedDistribution(normal, [torch.distributions.TanhTransform()])
    torch.testing.assert_close(dist.log_prob[0], tanh.log_prob(action).sum(0), rtol=1e-6, atol=1e-6)
    u = action.atanh()
    assert u.mean(1).tolist() == pytest.approx([0.4, -1.2], abs=0.08)
    assert u.std(1).tolist() == pytest.approx([math.exp(-0.5), math.exp(0.3)], rel=0.05)


def test_log_prob_stays_finite_and_right_where_tanh_rounds_to_one() -> None:
    dist = policy(torch.float32).dist(1)
    dist.head.copy_(torch.tensor([40.0, -40.0, -20.0, -20.0])[:, None])
    dist.sample(generator())
    z = dist.noise.double().flatten()
    exact = (-0.5 * z * z + 20 - 0.5 * math.log(2 * math.pi)).sum() - 2 * (2 * math.log(2) - 2 * 40)
    assert dist.log_prob.item() == pytest.approx(exact.item(), rel=1e-5)


def test_density_integrates_to_one() -> None:
    """E[1 / pi(a)] over a ~ pi is the volume of the action space: 4 for two dimensions."""
    dist = policy().dist(400_000)
    dist.head.copy_(torch.tensor([0.2, -0.1, 0.0, -0.1], dtype=F64)[:, None])
    dist.sample(generator(4))
    assert torch.exp(-dist.log_prob).mean().item() == pytest.approx(4.0, rel=0.02)


@pytest.mark.parametrize("count", [1, 3, 511, 512, 513, 1100])
def test_acting_is_bounded_and_its_mean_does_not_depend_on_the_chunk(count: int) -> None:
    actor = policy(torch.float32)
    actor.params.mul_(2)
    obs = torch.randn(count, 4, generator=generator())
    sample, mean = actor.act(obs, generator(1)), actor.act(obs, None)
    assert sample.shape == mean.shape == (count, 2)
    assert sample.abs().max() <= 1 and mean.abs().max() <= 1
    assert torch.equal(sample, actor.act(obs, generator(1)))
    assert not torch.equal(sample, mean)
    plain = torch.tanh(torch.nn.Sequential(*layers(actor.net))(obs)[:, :2]).detach()
    torch.testing.assert_close(mean, plain, rtol=0, atol=1e-5)


def test_acting_writes_into_given_memory_and_does_not_keep_it() -> None:
    actor = policy(torch.float32)
    first, second = torch.randn(2, 5, 4, generator=generator())
    out = torch.empty(5, 2)
    assert actor.act(first, None, out) is out
    kept = actor.act(first, None)
    actor.act(second, None)
    assert torch.equal(kept, out)


def test_policy_module_is_the_mean_action_in_the_tasks_units() -> None:
    actor = policy()
    module = mean_module(actor, [-2.0, 0.0], [2.0, 10.0])
    obs = torch.randn(9, 4, dtype=F64, generator=generator())
    expected = actor.act(obs, None) * torch.tensor([2.0, 5.0]) + torch.tensor([0.0, 5.0])
    torch.testing.assert_close(module(obs), expected)
    actor.params.zero_()
    torch.testing.assert_close(module(obs), expected)
