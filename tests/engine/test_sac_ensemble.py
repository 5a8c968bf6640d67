"""EnsembleSAC against a plain float64 autograd version of the same update, against SAC, and on a bandit."""

from __future__ import annotations

import math
from itertools import chain, combinations, pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm
from torch.utils._python_dispatch import TorchDispatchMode

from moore_engine import sac_ensemble
from moore_engine.nn.q_ensemble import EPS
from moore_engine.sac import SAC
from moore_engine.sac_ensemble import EnsembleSAC

F64 = torch.float64
SHAPES = [(2, 2, True), (2, 1, False), (1, 1, True), (3, 3, False), (5, 2, True), (5, 2, False)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def agent(critics: int = 5, subset: int = 2, layer_norm: bool = True, **changes: Any) -> EnsembleSAC:
    options: dict[str, Any] = {
        "hidden": (16, 12), "batch": 32, "target_entropy": -2.0, "actor_lr": 1e-3, "critic_lr": 2e-3,
        "temperature_lr": 5e-3, "tau": 0.05, "generator": generator(1), "dtype": F64,
    }  # fmt: skip
    return EnsembleSAC(4, 2, critics=critics, subset=subset, layer_norm=layer_norm, **(options | changes))


def rows(sac: SAC, seed: int = 2) -> Tensor:
    batch = torch.randn(*sac.batch_shape, dtype=sac.policy.params.dtype, generator=generator(seed))
    batch[:, sac.obs_dim : sac.obs_dim + sac.action_dim].tanh_()
    batch[:, -1] = (batch[:, -1] > 0.8).to(batch.dtype)
    return batch


def noise_of(sac: EnsembleSAC, draw: torch.Generator) -> Tensor:
    """The actions' noise of the next update, (2 batch, action_dim), which comes after the subset's draw."""
    copy, dtype = torch.Generator(), sac.policy.params.dtype
    copy.set_state(draw.get_state())
    if sac.subset < sac.critics:
        torch.empty(sac.critics, dtype=dtype).uniform_(generator=copy)
    return torch.empty(sac.action_dim, 2 * sac.batch, dtype=dtype).normal_(generator=copy).t()


class Plain:
    """The same algorithm with torch.autograd, torch's layer norm and torch.optim.Adam, written for reading."""

    def __init__(self, sac: EnsembleSAC) -> None:
        self.sac = sac
        self.actor = [w.double().clone().requires_grad_() for w in sac.policy.net.weights]
        self.critics = [[part.double().clone().requires_grad_() for part in each] for each in self.parts(sac.q.params)]
        self.targets = [[part.double().clone() for part in each] for each in self.parts(sac.q.target)]
        self.log_temperature = sac.log_temperature.double().clone().reshape(()).requires_grad_()
        self.actor_adam = torch.optim.Adam(self.actor, lr=sac.actor_adam.lr.item())
        self.critic_adam = torch.optim.Adam(list(chain(*self.critics)), lr=sac.critic_adam.lr.item())
        self.temperature_adam = torch.optim.Adam([self.log_temperature], lr=sac.temperature_adam.lr.item())

    def parts(self, flat: Tensor) -> list[list[Tensor]]:
        """Of every critic, per layer its matrix (1 + fan_in, fan_out), then per hidden layer a gain and a bias."""
        sac, critics = self.sac, []
        for row in flat.view(sac.critics, -1):
            sizes, start, found = sac.q.sizes, 0, []
            for k, (fan_in, fan_out) in enumerate(pairwise(sizes)):
                part = row[start : start + (1 + fan_in) * fan_out]
                found.append(part.view(fan_out, 1 + fan_in).t() if k == 0 else part.view(1 + fan_in, fan_out))
                start += part.numel()
            for width in sizes[1:-1] if sac.layer_norm else ():
                found += [row[start : start + width], row[start + width : start + 2 * width]]
                start += 2 * width
            assert start == row.numel()
            critics.append(found)
        return critics

    def q(self, parts: list[Tensor], *x: Tensor) -> Tensor:
        hidden, layers = torch.cat(x, 1), len(self.sac.q.sizes) - 1
        for k in range(layers - 1):
            hidden = hidden @ parts[k][1:] + parts[k][0]
            if self.sac.layer_norm:
                gain, bias = parts[layers + 2 * k : layers + 2 * k + 2]
                hidden = layer_norm(hidden, gain.shape, gain, bias, EPS)
            hidden = hidden.relu()
        return (hidden @ parts[layers - 1][1:] + parts[layers - 1][0])[:, 0]

    def pi(self, obs: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        for weight in self.actor[:-1]:
            obs = torch.relu(obs @ weight[1:] + weight[0])
        mean, log_std = (obs @ self.actor[-1][1:] + self.actor[-1][0]).chunk(2, -1)
        std = log_std.clamp(self.sac.policy.log_std_min, self.sac.policy.log_std_max).exp()
        u = mean + std * noise
        normal = torch.distributions.Normal(mean, std)
        return u.tanh(), (normal.log_prob(u) - torch.log1p(-(u.tanh() ** 2))).sum(-1)

    def losses(self, batch: Tensor, noise: Tensor, subset: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        sac = self.sac
        obs, action, next_obs, reward, terminal = batch.split([sac.obs_dim, sac.action_dim, sac.obs_dim, 1, 1], 1)
        temperature = self.log_temperature.exp().detach()
        with torch.no_grad():
            next_action, next_log_prob = self.pi(next_obs, noise[sac.batch :])
            next_q = torch.stack([self.q(self.targets[i], next_obs, next_action) for i in subset]).amin(0)
            y = reward[:, 0] + sac.gamma * (1 - terminal[:, 0]) * (next_q - temperature * next_log_prob)
        critic = torch.stack([0.5 * ((self.q(each, obs, action) - y) ** 2).mean() for each in self.critics]).sum()
        sample, log_prob = self.pi(obs, noise[: sac.batch])
        values = torch.stack([self.q([part.detach() for part in each], obs, sample) for each in self.critics])
        twins = sac.critics == 2 and sac.subset == 2
        actor = (temperature * log_prob - (values.amin(0) if twins else values.mean(0))).mean()
        return critic, actor, -self.log_temperature * (log_prob.detach().mean() + sac.target_entropy)

    def gradients(self, batch: Tensor, noise: Tensor, subset: list[int]) -> list[Tensor]:
        leaves = (list(chain(*self.critics)), self.actor, [self.log_temperature])
        grads = map(torch.autograd.grad, self.losses(batch, noise, subset), leaves)
        return [torch.cat([grad.flatten() for grad in group]) for group in grads]

    def update(self, batch: Tensor, noise: Tensor, subset: list[int]) -> None:
        adams = (self.critic_adam, self.actor_adam, self.temperature_adam)
        for adam, loss in zip(adams, self.losses(batch, noise, subset), strict=True):
            adam.zero_grad()
            loss.backward()
        for adam in adams:
            adam.step()
        with torch.no_grad():
            for target, critic in zip(self.targets, self.critics, strict=True):
                for old, new in zip(target, critic, strict=True):
                    old += self.sac.tau * (new - old)


def flat(plain: Plain, nets: list[list[Tensor]]) -> Tensor:
    return torch.cat([part.flatten() for each in nets for part in each])


def unsettled(sac: EnsembleSAC) -> EnsembleSAC:
    """Gains and biases away from 1 and 0, targets away from the networks, so that no term of a gradient is hidden."""
    draw = generator(7)
    for stack in sac.ensemble.stacks:
        for gain, bias in zip(stack.gains, stack.biases, strict=True):
            gain.uniform_(0.5, 1.5, generator=draw)
            bias.uniform_(-0.5, 0.5, generator=draw)
    noise = torch.randn(sac.q.target.shape, dtype=sac.q.target.dtype, generator=draw)
    sac.q.target.copy_(sac.q.params).add_(noise, alpha=0.1)
    return sac


def test_the_norms_start_as_the_identity_and_the_weights_as_without_them() -> None:
    sac, bare = agent(3, 2, True), agent(3, 2, False)
    for mine, theirs in zip(sac.q.nets, bare.q.nets, strict=True):
        assert all(torch.equal(*pair) for pair in zip(mine.weights, theirs.weights, strict=True))
    for stack in sac.ensemble.stacks:
        assert all(
            bool((gain == 1).all() and (bias == 0).all()) for gain, bias in zip(stack.gains, stack.biases, strict=True)
        )
    assert torch.equal(sac.q.target, sac.q.params)


@pytest.mark.parametrize("together", [1, 3, 5])
@pytest.mark.parametrize(("critics", "subset", "norm"), SHAPES)
def test_gradients_of_every_parameter_are_autograds(
    critics: int, subset: int, norm: bool, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sac_ensemble, "CPU_GROUP", together)
    sac, draw = unsettled(agent(critics, subset, norm, actor_hidden=(9,))), generator(3)
    batch, noise, plain = rows(sac), noise_of(sac, draw), Plain(sac)
    sac.update(batch, draw)
    chosen = sac.index.tolist()
    assert len(set(chosen)) == subset
    expected = plain.gradients(batch, noise, chosen)
    critic = flat(plain, plain.parts(sac.q.grads))
    actor = torch.cat([weight.flatten() for weight in sac.policy.grad_net.weights])
    grads = {"critic": critic, "actor": actor, "temperature": sac.temperature_grad.flatten()}
    for (name, grad), reference in zip(grads.items(), expected, strict=True):
        assert reference.abs().max() > 1e-3
        torch.testing.assert_close(grad, reference, rtol=1e-9, atol=1e-12, msg=f"the {name} gradient differs")


@pytest.mark.parametrize(("dtype", "atol"), [(F64, 1e-7), (torch.float32, 2e-4)])
@pytest.mark.parametrize(("critics", "subset", "norm"), [(2, 2, True), (5, 2, False), (4, 2, True)])
def test_twenty_updates_equal_plain_autograd_with_torch_adam(
    critics: int, subset: int, norm: bool, dtype: torch.dtype, atol: float
) -> None:
    sac, draw = agent(critics, subset, norm, dtype=dtype), generator(3)
    plain, start = Plain(sac), sac.q.params.clone()
    for k in range(20):
        batch, noise = rows(sac, seed=10 + k), noise_of(sac, draw)
        sac.update(batch, draw)
        plain.update(batch.double(), noise.double(), sac.index.tolist())
    assert (sac.q.params - start).abs().max() > 0.02, "the parameters must have moved far"
    for mine, theirs in ((sac.q.params, plain.critics), (sac.q.target, plain.targets)):
        torch.testing.assert_close(
            flat(plain, plain.parts(mine)).double(), flat(plain, theirs).detach(), rtol=0, atol=atol
        )
    for mine, theirs in zip(sac.policy.net.weights, plain.actor, strict=True):
        torch.testing.assert_close(mine.double(), theirs.detach(), rtol=0, atol=atol)
    assert sac.log_temperature.item() == pytest.approx(plain.log_temperature.item(), abs=atol)


def test_two_critics_without_norm_are_sac() -> None:
    twin = agent(2, 2, False)
    options = {"actor_lr": 1e-3, "critic_lr": 2e-3, "temperature_lr": 5e-3, "target_entropy": -2.0, "tau": 0.05}
    sac = SAC(4, 2, hidden=(16, 12), batch=32, generator=generator(1), dtype=F64, **options)  # type: ignore[arg-type]
    assert twin.tensors().keys() == sac.tensors().keys()
    draws = (generator(3), generator(3))
    for k in range(10):
        for each, draw in zip((twin, sac), draws, strict=True):
            each.update(rows(sac, k), draw)
    for name, tensor in sac.tensors().items():
        torch.testing.assert_close(twin.tensors()[name], tensor, rtol=1e-12, atol=1e-12)


def test_every_subset_of_the_targets_is_drawn_equally_often() -> None:
    sac, draw, drawn = agent(4, 2, False, batch=1, hidden=(2,)), generator(3), []
    batch = rows(sac)
    for _ in range(1200):
        sac.update(batch, draw)
        drawn.append(tuple(sorted(sac.index.tolist())))
    counts = [drawn.count(pair) for pair in combinations(range(4), 2)]
    assert sum(counts) == 1200
    chi_square = sum((count - 200) ** 2 / 200 for count in counts)
    assert chi_square < 20.5, f"with 5 degrees of freedom 1 in 1000 is above: {counts}"


def test_target_by_hand_is_the_lowest_of_the_subset() -> None:
    sac = agent(4, 2, True, batch=2, hidden=(3,), gamma=0.9)
    sac.q.target.zero_()
    for value, net in zip((7.0, 5.0, 3.0, 1.0), sac.q.targets, strict=True):
        net.weights[-1][0] = value
    sac.log_temperature.fill_(-1e3)
    batch = rows(sac)
    batch[:, -2:] = torch.tensor([[1.5, 0.0], [-0.7, 1.0]], dtype=F64)
    seen = set()
    for seed in range(12):
        sac.log_temperature.fill_(-1e3)
        saved = sac.q.target.clone()
        sac.update(batch, generator(seed))
        sac.q.target.copy_(saved)
        lowest = [7.0, 5.0, 3.0, 1.0][max(sac.index.tolist())]
        assert sac.y[0].tolist() == pytest.approx([1.5 + 0.9 * lowest, -0.7], abs=1e-12)
        seen.add(lowest)
    assert seen == {5.0, 3.0, 1.0}


def test_loading_a_state_and_going_on_is_bit_equal_to_never_stopping() -> None:
    whole, draw = agent(dtype=torch.float32), generator(5)
    for k in range(5):
        whole.update(rows(whole, k), draw)
    saved, drawn = whole.state_dict(), draw.get_state()
    other, other_draw = agent(dtype=torch.float32, generator=generator(99)), generator(0)
    other.load_state_dict(saved)
    other_draw.set_state(drawn)
    for k in range(5, 10):
        whole.update(rows(whole, k), draw)
        other.update(rows(whole, k), other_draw)
    mine, theirs = whole.state_dict(), other.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert not torch.equal(saved["critic_params"], mine["critic_params"]), "the saved state must be a copy"
    assert whole.metrics() == other.metrics()


def test_metrics_are_means_over_the_updates_since_the_last_call() -> None:
    sac, draw = agent(3, 2, True), generator(3)
    plain, wanted = Plain(sac), []
    for k in range(3):
        batch, noise = rows(sac, k), noise_of(sac, draw)
        sac.update(batch, draw)
        subset = sac.index.tolist()
        critic, actor, _ = plain.losses(batch, noise, subset)
        entropy = -plain.pi(batch[:, :4], noise[: sac.batch])[1].mean()
        q = torch.stack([plain.q(each, batch[:, :6]).mean() for each in plain.critics]).mean()
        wanted.append([x.item() for x in (critic, actor, plain.log_temperature.exp(), entropy, q)])
        plain.update(batch, noise, subset)
    means = [sum(column) / 3 for column in zip(*wanted, strict=True)]
    metrics = sac.metrics()
    assert [metrics[k] for k in ("q", "actor", "temperature", "entropy", "q_mean")] == pytest.approx(means, rel=1e-6)


class Recorder(TorchDispatchMode):
    """The operators that ran, none of which may wait for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("critics", "subset", "norm"), SHAPES)
def test_an_update_can_be_captured(critics: int, subset: int, norm: bool) -> None:
    """The same operators whatever is drawn, and none that brings a number to Python or has a size of its own."""
    sac, draw, runs = agent(critics, subset, norm), generator(3), []
    for k in range(3):
        with Recorder() as recorder:
            sac.update(rows(sac, k), draw)
        runs.append([name for name in recorder.names if "randn" not in name])
    assert runs[1] == runs[2] and len(runs[1]) > 50
    waiting = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::item"}
    assert not waiting & set(runs[1])


@pytest.mark.parametrize(("critics", "subset"), [(2, 3), (2, 0), (0, 0)])
def test_a_subset_larger_than_the_ensemble_or_empty_is_refused(critics: int, subset: int) -> None:
    with pytest.raises(ValueError, match="subset must be from 1 to the number of critics"):
        agent(critics, subset)


@pytest.mark.parametrize(
    ("critics", "subset", "norm"),
    [(2, 2, True), pytest.param(4, 2, True, marks=pytest.mark.slow), pytest.param(4, 1, False, marks=pytest.mark.slow)],
)
def test_it_solves_a_bandit_with_quadratic_reward_at_the_target_entropy(critics: int, subset: int, norm: bool) -> None:
    """One step, reward -4 (a - c(s))^2 with c = 0.5 sign(s): the mean goes to c, the entropy to its target."""
    sac = EnsembleSAC(
        1, 1, hidden=(32, 32), batch=64, actor_lr=3e-3, critic_lr=3e-3, temperature_lr=3e-3, target_entropy=-1.0,
        generator=generator(1), critics=critics, subset=subset, layer_norm=norm,
    )  # fmt: skip
    draw, batch = generator(2), torch.zeros(64, 5)
    batch[:, 4] = 1.0
    for _ in range(1500):
        batch[:, 0] = torch.randint(0, 2, (64,), generator=draw) * 2.0 - 1.0
        batch[:, 1:2] = sac.act(batch[:, :1], draw)
        batch[:, 3] = -4 * (batch[:, 1] - 0.5 * batch[:, 0]) ** 2
        sac.update(batch, draw)
        if sac.count == 1300:
            sac.metrics()
    mean = sac.act(torch.tensor([[1.0], [-1.0]]), None)
    assert mean.flatten().tolist() == pytest.approx([0.5, -0.5], abs=0.1)
    assert sac.metrics()["entropy"] == pytest.approx(-1.0, abs=0.15)
    assert math.isfinite(sac.q.params.sum().item())
