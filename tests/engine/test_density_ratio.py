"""The density ratio's loss against autograd, its minimum against two Gaussians, its priorities by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from moore_engine.density_ratio import DensityRatio, loss

F64 = torch.float64


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(**changes: Any) -> DensityRatio:
    options: dict[str, Any] = {
        "hidden": (16, 12), "batch": 20, "drawn": 9, "lr": 1e-3, "generator": generator(1), "dtype": F64,
    }  # fmt: skip
    return DensityRatio(3, **(options | changes))


def rows(count: int, seed: int, width: int = 3) -> Tensor:
    return torch.randn(count, width, dtype=F64, generator=generator(seed))


def of_one_relu(**changes: Any) -> DensityRatio:
    """w(x) = relu(x) of one column, with a step too small to matter."""
    ratio = DensityRatio(1, hidden=(1,), lr=1e-12, generator=generator(), dtype=F64, **changes)
    for weight in ratio.net.weights:
        weight.copy_(torch.tensor([[0.0], [1.0]]))
    return ratio


def test_it_starts_at_a_ratio_near_one() -> None:
    w = network(hidden=(256, 256))(rows(1000, 2))
    assert (w - 1).abs().max() < 0.1
    assert w.std() > 0


def test_the_loss_is_two_logarithms_by_hand() -> None:
    off, on = torch.tensor([0.0, 3.0], dtype=F64), torch.tensor([1.0, 0.25], dtype=F64)
    # -log 2, -log(2/4) and -log 1, -log(0.5/1.25)
    assert loss(off, on).item() == pytest.approx((-0.693147181 + 0.693147181) / 2 + (0.0 + 0.916290732) / 2)
    assert loss(off, torch.zeros(1, dtype=F64)).item() == pytest.approx(23.0258509), "w = 0 online is finite"


def test_gradients_of_every_parameter_are_autograds_where_some_ratios_are_zero() -> None:
    ratio = network()
    ratio.net.weights[-1][0].fill_(0.0)
    ratio.net.weights[-1][1:].uniform_(-1.5, 1.5, generator=generator(5))
    off, on, drawn = rows(20, 2), rows(20, 3) + 0.3, rows(9, 4)
    leaves = [weight.clone().requires_grad_() for weight in ratio.net.weights]

    def w(x: Tensor) -> Tensor:
        for weight in leaves[:-1]:
            x = torch.relu(x @ weight[1:] + weight[0])
        return torch.relu(x @ leaves[-1][1:] + leaves[-1][0])[:, 0]

    plain = -(torch.log(2 / (w(off) + 1))).mean() - torch.log(2 * w(on) / (w(on) + 1) + 1e-10).mean()
    zeros = (w(torch.cat([off, on])) == 0).sum()
    assert 0 < zeros < 40
    expected = torch.autograd.grad(plain, leaves)
    before = ratio.params.clone()
    ratio.update(off, on, drawn)
    for mine, theirs in zip(ratio._backward.products, expected, strict=True):
        assert theirs.abs().max() > 1e-3
        torch.testing.assert_close(mine[2], theirs, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(before - ratio.params, 1e-3 * ratio.grads.sign(), rtol=1e-3, atol=1e-6)
    assert ratio.metrics()["ratio"] == pytest.approx(plain.item())
    assert ratio.metrics()["ratio"] == 0.0


def test_it_converges_to_the_ratio_of_two_gaussians_densities() -> None:
    """Online N(0.8, 1), offline N(0, 1): the ratio of the densities is exp(0.8 x - 0.32)."""
    ratio = DensityRatio(1, hidden=(32, 32), lr=2e-3, batch=512, drawn=1, generator=generator(1))
    draw = generator(2)
    for k in range(1200):
        if k == 800:
            ratio.adam.lr.fill_(3e-4)
        off, on = (torch.randn(512, 1, generator=draw) for _ in range(2))
        ratio.update(off, on + 0.8, off[:1])
    x = torch.linspace(-1.2, 2.0, 9)[:, None]
    torch.testing.assert_close(ratio(x), (0.8 * x[:, 0] - 0.32).exp(), rtol=0.15, atol=0.03)


def test_a_priority_is_a_root_of_the_ratio_over_its_mean_offline() -> None:
    ratio = of_one_relu(temperature=5.0, batch=2, drawn=4)
    off = torch.tensor([[1.0], [32.0]], dtype=F64)  # fifth roots 1 and 2, mean 1.5
    drawn = torch.tensor([[243.0], [1.0], [-4.0], [1e30]], dtype=F64)
    got = ratio.update(off, torch.ones(2, 1, dtype=F64), drawn)
    assert got.tolist() == pytest.approx([2.0, 1 / 1.5, 1e-3, 1e3])


def test_priorities_are_bounded_where_every_offline_ratio_is_zero() -> None:
    ratio = of_one_relu(batch=2, drawn=2)
    got = ratio.update(-torch.ones(2, 1, dtype=F64), torch.ones(2, 1, dtype=F64), torch.tensor([[0.0], [1.0]]).double())
    assert got.tolist() == [1e-3, 1e3]


def test_loading_a_state_and_going_on_is_bit_equal_to_never_stopping() -> None:
    whole, other = network(dtype=torch.float32), network(dtype=torch.float32, generator=generator(9))

    def step(ratio: DensityRatio, k: int) -> Tensor:
        return ratio.update(rows(20, k).float(), rows(20, 50 + k).float(), rows(9, 90 + k).float())

    for k in range(3):
        step(whole, k)
    other.load_state_dict(whole.state_dict())
    for k in range(3, 6):
        assert torch.equal(step(whole, k), step(other, k))
    assert torch.equal(whole.params, other.params)
    assert whole.metrics() == other.metrics()


@pytest.mark.parametrize("changes", [{"hidden": ()}, {"batch": 0}, {"temperature": 0.0}])
def test_sizes_without_meaning_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        network(**changes)
