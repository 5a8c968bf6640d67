"""The members' common Gaussian against samples of their mixture, and its module against the policy itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from moore_engine.export import export_policy
from moore_engine.nn.matched_policy import Match, MatchedPolicy

F64 = torch.float64
BOUNDS = (-1.0, 0.5)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def policy(dtype: torch.dtype = F64, hidden: tuple[int, ...] = (16, 12), members: int = 5) -> MatchedPolicy:
    made = MatchedPolicy(
        4, 2, hidden, members=members, log_std_min=BOUNDS[0], log_std_max=BOUNDS[1], like=torch.zeros((), dtype=dtype)
    )
    made.params.uniform_(-0.5, 0.5, generator=generator(1))
    return made


def matched(made: MatchedPolicy, obs: Tensor) -> Match:
    match = Match(made, torch.cat([torch.ones(1, obs.shape[0], dtype=obs.dtype), obs.t()]))
    match.forward()
    return match


def test_moments_are_those_of_a_sampled_mixture() -> None:
    made, draw, count = policy(), generator(3), 200_000
    match = matched(made, torch.randn(3, 4, dtype=F64, generator=generator(2)))
    means, log_stds = match.means, match.raw_log_stds.clamp(*BOUNDS)
    member = torch.randint(0, 5, (count,), generator=draw)
    noise = torch.randn(count, 2, 3, dtype=F64, generator=draw)
    samples = means[member] + log_stds[member].exp() * noise
    std = match.dist.raw_log_std.exp()
    assert (match.offsets.std(0) > 0.05).any(), "the members must disagree"
    torch.testing.assert_close(match.dist.mean, samples.mean(0), rtol=0, atol=5 * std.max().item() / count**0.5)
    torch.testing.assert_close(std, samples.std(0), rtol=0.01, atol=0)


def test_two_members_by_hand() -> None:
    """N(1, e^-2) and N(3, e^-1): mean 2, variance (e^-2 + e^-1)/2 + 1."""
    made = policy(hidden=(3,), members=2)
    made.params.zero_()
    for k, (mean, log_std) in enumerate([(1.0, -1.0), (3.0, -0.5)]):
        made.net.weights[-1][k, 0] = torch.tensor([mean, mean, log_std, log_std])
    match = matched(made, torch.zeros(1, 4, dtype=F64))
    assert match.dist.mean.flatten().tolist() == [2.0, 2.0]
    variance = (torch.tensor([-2.0, -1.0], dtype=F64).exp()).mean() + 1
    torch.testing.assert_close(match.dist.raw_log_std.exp().square(), variance.expand(2, 1))


def test_one_member_is_matched_by_itself() -> None:
    made = policy(members=1)
    match = matched(made, torch.randn(6, 4, dtype=F64, generator=generator(2)))
    torch.testing.assert_close(match.dist.mean, match.means[0])
    torch.testing.assert_close(match.dist.raw_log_std, match.raw_log_stds[0].clamp(*BOUNDS))


@pytest.mark.parametrize("hidden", [(16, 12), (7,), (6, 5, 4)])
def test_the_module_of_all_members_acts_like_the_policy_within_the_tasks_bounds(hidden: tuple[int, ...]) -> None:
    made = policy(hidden=hidden)
    obs = torch.randn(50, 4, dtype=F64, generator=generator(2))
    low, high = [-2.0, 0.0], [1.0, 5.0]
    expected = torch.tensor([-0.5, 2.5]) + torch.tensor([1.5, 2.5]) * made.act(obs, None)
    assert expected.std() > 0.05
    torch.testing.assert_close(made.module(low, high)(obs), expected)


def test_the_module_is_exported_to_both_formats(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    made = policy(torch.float32)
    exported = export_policy(made.module([-1.0, -1.0], [1.0, 1.0]), tmp_path, 4)
    assert exported.onnx.is_file()
    assert exported.torchscript.is_file()


def test_samples_follow_the_matched_gaussian_within_the_bounds() -> None:
    made = policy()
    obs = torch.randn(1, 4, dtype=F64, generator=generator(2))
    match = matched(made, obs)
    u = made.act(obs.expand(50_000, -1), generator(4)).atanh()
    torch.testing.assert_close(u.mean(0), match.dist.mean[:, 0], rtol=0, atol=0.03)
    torch.testing.assert_close(u.std(0), match.dist.raw_log_std[:, 0].clamp(*BOUNDS).exp(), rtol=0.02, atol=0)


def test_other_shapes_and_bounds_without_meaning_are_refused() -> None:
    with pytest.raises(ValueError, match="obs must be"):
        policy().act(torch.zeros(4, dtype=F64), None)
    with pytest.raises(ValueError, match="log_std_min must be below"):
        MatchedPolicy(4, 2, (8,), members=2, log_std_min=1.0, log_std_max=1.0, like=torch.zeros(()))
