"""The ensemble's update against a plain autograd loop over members, against SAC, and on a bandit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from moore_engine.balanced import PessimisticEnsemble
from moore_engine.nn.mlp_stack import MLPStack
from moore_engine.sac import SAC

F64 = torch.float64
SHARED: dict[str, Any] = {
    "hidden": (16, 12), "batch": 32, "target_entropy": -2.0, "actor_lr": 1e-3, "critic_lr": 2e-3,
    "temperature_lr": 5e-3, "tau": 0.05, "dtype": F64,
}  # fmt: skip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def agents(count: int, **changes: Any) -> list[SAC]:
    return [SAC(4, 2, generator=generator(20 + k), **(SHARED | changes)) for k in range(count)]


def ensemble(members: int = 5, **changes: Any) -> PessimisticEnsemble:
    made = PessimisticEnsemble(4, 2, members=members, **(SHARED | changes))
    made.adopt(agents(members, **changes))
    return made


def rows(seed: int, dtype: torch.dtype = F64, count: int = 32) -> Tensor:
    batch = torch.randn(count, 12, dtype=dtype, generator=generator(seed))
    batch[:, 4:6].tanh_()
    batch[:, -1] = (batch[:, -1] > 0.8).to(dtype)
    return batch


def noise_of(draw: torch.Generator, dtype: torch.dtype = F64, count: int = 32) -> Tensor:
    """The noise the next update will draw, (2 batch, action_dim), without moving `draw`."""
    copy = torch.Generator()
    copy.set_state(draw.get_state())
    return torch.empty(2, 2 * count, dtype=dtype).normal_(generator=copy).t()


class Plain:
    """The same algorithm member by member, with torch.autograd and torch.optim.Adam."""

    def __init__(self, of: PessimisticEnsemble) -> None:
        self.of = of
        self.actors, self.critics = self.leaves(of.policy.net), self.leaves(of.q)
        self.targets = [[w.detach() for w in weights] for weights in self.leaves(of.targets)]
        self.log_temperature = of.log_temperature.double().clone().requires_grad_()
        self.groups = [
            [w for weights in self.critics for w in weights],
            [w for weights in self.actors for w in weights],
            [self.log_temperature],
        ]
        self.adams = [
            torch.optim.Adam(group, lr=of.adams[name].lr.item())
            for name, group in zip(("critic", "actor", "temperature"), self.groups, strict=True)
        ]

    @staticmethod
    def leaves(stack: MLPStack) -> list[list[Tensor]]:
        return [[w.double().clone().requires_grad_() for w in net.weights] for net in stack.members_alone()]

    @staticmethod
    def net(weights: list[Tensor], x: Tensor) -> Tensor:
        for weight in weights[:-1]:
            x = torch.relu(x @ weight[1:] + weight[0])
        return x @ weights[-1][1:] + weights[-1][0]

    def pi(self, obs: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The mixture's second moment minus the square of its mean, and the density through the tanh."""
        low, high = self.of.policy.bounds
        first, second = torch.zeros_like(noise), torch.zeros_like(noise)
        for weights in self.actors:
            mean, log_std = self.net(weights, obs).chunk(2, -1)
            first = first + mean / len(self.actors)
            second = second + (log_std.clamp(low, high).exp() ** 2 + mean**2) / len(self.actors)
        std = (second - first**2).sqrt().log().clamp(low, high).exp()
        u = first + std * noise
        normal = torch.distributions.Normal(first, std)
        return u.tanh(), (normal.log_prob(u) - torch.log1p(-(u.tanh() ** 2))).sum(-1)

    def losses(self, batch: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        of, size = self.of, self.of.batch
        obs, action, next_obs, reward, terminal = batch.split([4, 2, 4, 1, 1], 1)
        temperature = self.log_temperature.exp().detach()
        with torch.no_grad():
            next_action, next_log_prob = self.pi(next_obs, noise[size:])
        sample, log_prob = self.pi(obs, noise[:size])
        critic, q = torch.zeros((), dtype=F64), torch.zeros(size, dtype=F64)
        for i in range(of.members):
            pair = self.critics[2 * i : 2 * i + 2]
            with torch.no_grad():
                both = [self.net(w, torch.cat([next_obs, next_action], 1))[:, 0] for w in self.targets[2 * i :][:2]]
                y = reward[:, 0] + of.gamma * (1 - terminal[:, 0]) * (
                    torch.minimum(*both) - temperature * next_log_prob
                )
            for weights in pair:
                critic = critic + 0.5 * ((self.net(weights, torch.cat([obs, action], 1))[:, 0] - y) ** 2).mean()
            frozen = [[w.detach() for w in weights] for weights in pair]
            q = q + torch.minimum(*(self.net(w, torch.cat([obs, sample], 1))[:, 0] for w in frozen)) / of.members
        actor = (temperature * log_prob - q).mean()
        return critic, actor, -self.log_temperature * (log_prob.detach().mean() + of.target_entropy)

    def update(self, batch: Tensor, noise: Tensor) -> None:
        losses = self.losses(batch, noise)
        for adam, loss in zip(self.adams, losses, strict=True):
            adam.zero_grad()
            loss.backward()
        for adam in self.adams:
            adam.step()
        with torch.no_grad():
            if self.of.log_temperature_max < 100:
                self.log_temperature.clamp_(max=self.of.log_temperature_max)
            for target, critic in zip(self.targets, self.critics, strict=True):
                for old, new in zip(target, critic, strict=True):
                    old += self.of.tau * (new - old)


@pytest.mark.parametrize("bounds", [(-20.0, 2.0), (-0.2, 0.2)])
@pytest.mark.parametrize(("hidden", "actor_hidden"), [((16, 12), ()), ((10,), (6, 5, 7))])
def test_gradients_of_every_parameter_are_autograds(
    bounds: tuple[float, float], hidden: tuple[int, ...], actor_hidden: tuple[int, ...]
) -> None:
    low, high = bounds
    made, draw = ensemble(log_std_min=low, log_std_max=high, hidden=hidden, actor_hidden=actor_hidden), generator(3)
    plain = Plain(made)
    losses = plain.losses(rows(2), noise_of(draw))
    expected = [torch.autograd.grad(loss, group) for loss, group in zip(losses, plain.groups, strict=True)]
    made.update(rows(2), draw)
    for log_std in (made.match.raw_log_stds[..., :32], made.match.dist.raw_log_std[:, :32]):
        inside = (log_std > low) & (log_std < high)
        assert inside.any()
        assert bool(inside.all()) is (low == -20.0), "the narrow bounds must clamp"
    for stack, wanted in ((made.q_grads, expected[0]), (made.policy.grad_net, expected[1])):
        mine = [w for net in stack.members_alone() for w in net.weights]
        for got, reference in zip(mine, wanted, strict=True):
            assert reference.abs().max() > 1e-4
            torch.testing.assert_close(got, reference, rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(made.temperature_grad, expected[2][0])


@pytest.mark.parametrize(("dtype", "atol"), [(F64, 1e-7), (torch.float32, 2e-4)])
def test_twenty_updates_equal_a_plain_loop_with_torch_adam(dtype: torch.dtype, atol: float) -> None:
    made, draw = ensemble(3, dtype=dtype, temperature_max=1.01, target_entropy=5.0), generator(3)
    plain, start = Plain(made), made.policy.params.clone()
    for k in range(20):
        batch, noise = rows(10 + k, dtype), noise_of(draw, dtype)
        made.update(batch, draw)
        plain.update(batch.double(), noise.double())
    assert (made.policy.params - start).abs().max() > 5e-3
    for stack, reference in (
        (made.policy.net, plain.actors), (made.q, plain.critics), (made.targets, plain.targets)
    ):  # fmt: skip
        for net, weights in zip(stack.members_alone(), reference, strict=True):
            for mine, theirs in zip(net.weights, weights, strict=True):
                torch.testing.assert_close(mine.double(), theirs.detach(), rtol=0, atol=atol)
    assert made.log_temperature.item() == pytest.approx(plain.log_temperature.item(), abs=atol)
    assert made.log_temperature.exp().item() == pytest.approx(1.01), "the temperature must have met its bound"


def test_an_ensemble_of_one_is_sac() -> None:
    (sac,) = agents(1)
    made = ensemble(1)
    one, two = generator(3), generator(3)
    for k in range(5):
        sac.update(rows(k), one)
        made.update(rows(k), two)
    torch.testing.assert_close(made.policy.params[0], sac.policy.params, rtol=0, atol=1e-10)
    torch.testing.assert_close(made.q.flat.flatten(), sac.q.params, rtol=0, atol=1e-10)
    torch.testing.assert_close(made.targets.flat.flatten(), sac.q.target, rtol=0, atol=1e-10)
    assert made.metrics() == pytest.approx({k: v for k, v in sac.metrics().items() if k != "conservative"})
    obs = torch.randn(6, 4, dtype=F64, generator=generator(5))
    torch.testing.assert_close(made.act(obs, generator(6)), sac.act(obs, generator(6)))


def test_adopted_networks_are_the_agents_and_their_critics_are_the_targets() -> None:
    parents = agents(2)
    for agent in parents:
        agent.update(rows(1), generator(2))
        assert not torch.equal(agent.q.target, agent.q.params)
    made = ensemble(2)
    made.adopt(parents)
    for i, agent in enumerate(parents):
        assert torch.equal(made.policy.params[i], agent.policy.params)
        assert torch.equal(made.q.flat[2 * i : 2 * i + 2].flatten(), agent.q.params)
    assert torch.equal(made.targets.flat, made.q.flat)
    with pytest.raises(ValueError, match="shorter"):
        made.adopt(parents[:1])


def test_metrics_are_means_over_the_updates_since_the_last_call() -> None:
    made, draw = ensemble(3), generator(3)
    plain, wanted = Plain(made), []
    for k in range(3):
        batch, noise = rows(k), noise_of(draw)
        critic, actor, _ = plain.losses(batch, noise)
        q = torch.stack([plain.net(w, batch[:, :6]).mean() for w in plain.critics]).mean()
        entropy = -plain.pi(batch[:, :4], noise[:32])[1].mean()
        wanted.append([x.item() for x in (critic / 3, actor, plain.log_temperature.exp(), entropy, q)])
        made.update(batch, draw)
        plain.update(batch, noise)
    means = [sum(column) / 3 for column in zip(*wanted, strict=True)]
    got = made.metrics()
    assert [got[k] for k in ("q", "actor", "temperature", "entropy", "q_mean")] == pytest.approx(means, rel=1e-6)
    assert set(made.metrics().values()) == {0.0}


def test_loading_a_state_and_going_on_is_bit_equal_to_never_stopping() -> None:
    changes: dict[str, Any] = {"dtype": torch.float32}
    whole, other = ensemble(**changes), ensemble(**changes)
    for k in range(3):
        whole.update(rows(k, torch.float32), generator(k))
    saved = whole.state_dict()
    other.load_state_dict(saved)
    for k in range(3, 6):
        for each in (whole, other):
            each.update(rows(k, torch.float32), generator(k))
    mine, theirs = whole.state_dict(), other.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert not torch.equal(saved["actor_params"], mine["actor_params"]), "the saved state must be a copy"
    with pytest.raises(ValueError, match="ensemble state"):
        ensemble(3, **changes).load_state_dict(saved)


def test_other_shapes_and_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="batch must be \\(32, 12\\)"):
        ensemble(2).update(rows(1)[:-1], generator())
    with pytest.raises(ValueError, match="must be positive"):
        PessimisticEnsemble(4, 2, members=0)


def test_it_solves_a_bandit_with_quadratic_reward() -> None:
    """One step, reward -4 (a - c(s))^2 with c = 0.5 sign(s): the matched mean goes to c and the spread shrinks."""
    rates = {"actor_lr": 1e-2, "critic_lr": 1e-2, "temperature_lr": 1e-2}
    options: dict[str, Any] = {"hidden": (24, 24), "batch": 48, "target_entropy": -1.0, **rates}
    made = PessimisticEnsemble(1, 1, members=2, **options)
    made.adopt([SAC(1, 1, generator=generator(k), **options) for k in range(2)])
    draw, batch = generator(2), torch.zeros(48, 5)
    batch[:, 4] = 1.0
    for k in range(400):
        batch[:, 0] = torch.randint(0, 2, (48,), generator=draw) * 2.0 - 1.0
        batch[:, 1:2] = made.act(batch[:, :1], draw)
        batch[:, 3] = -4 * (batch[:, 1] - 0.5 * batch[:, 0]) ** 2
        made.update(batch, draw)
        if k == 350:
            made.metrics()
    mean = made.act(torch.tensor([[1.0], [-1.0]]), None)
    assert mean.flatten().tolist() == pytest.approx([0.5, -0.5], abs=0.1)
    assert made.metrics()["entropy"] == pytest.approx(-1.0, abs=0.3)
