"""SAC against a plain float64 autograd version of the same update, against numbers by hand, and on a bandit."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from moore_engine.sac import SAC

F64 = torch.float64


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def agent(**changes: Any) -> SAC:
    options: dict[str, Any] = {
        "hidden": (16, 12), "batch": 32, "target_entropy": -2.0, "actor_lr": 1e-3, "critic_lr": 2e-3,
        "temperature_lr": 5e-3, "tau": 0.05, "generator": generator(1), "dtype": F64,
    }  # fmt: skip
    return SAC(4, 2, **(options | changes))


def rows(sac: SAC, seed: int = 2) -> Tensor:
    batch = torch.randn(*sac.batch_shape, dtype=sac.policy.params.dtype, generator=generator(seed))
    batch[:, sac.obs_dim : sac.obs_dim + sac.action_dim].tanh_()
    batch[:, -1] = (batch[:, -1] > 0.8).to(batch.dtype)
    return batch


class Plain:
    """The same algorithm with torch.autograd and torch.optim.Adam, written for reading."""

    def __init__(self, sac: SAC) -> None:
        self.sac = sac
        self.actor, *self.critics = (
            [w.double().clone().requires_grad_() for w in net.weights] for net in (sac.policy.net, *sac.q.nets)
        )
        self.targets = [[w.double().clone() for w in net.weights] for net in sac.q.targets]
        self.log_temperature = sac.log_temperature.double().clone().reshape(()).requires_grad_()
        self.actor_adam = torch.optim.Adam(self.actor, lr=sac.actor_adam.lr.item())
        self.critic_adam = torch.optim.Adam([*self.critics[0], *self.critics[1]], lr=sac.critic_adam.lr.item())
        self.temperature_adam = torch.optim.Adam([self.log_temperature], lr=sac.temperature_adam.lr.item())

    @staticmethod
    def net(weights: list[Tensor], x: Tensor) -> Tensor:
        for weight in weights[:-1]:
            x = torch.relu(x @ weight[1:] + weight[0])
        return x @ weights[-1][1:] + weights[-1][0]

    def pi(self, obs: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self.net(self.actor, obs).chunk(2, -1)
        std = log_std.clamp(self.sac.policy.log_std_min, self.sac.policy.log_std_max).exp()
        u = mean + std * noise
        normal = torch.distributions.Normal(mean, std)
        return u.tanh(), (normal.log_prob(u) - torch.log1p(-(u.tanh() ** 2))).sum(-1)

    def losses(self, batch: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        sac = self.sac
        obs, action, next_obs, reward, terminal = batch.split([sac.obs_dim, sac.action_dim, sac.obs_dim, 1, 1], 1)
        temperature = self.log_temperature.exp().detach()
        with torch.no_grad():
            next_action, next_log_prob = self.pi(next_obs, noise[sac.batch :])
            next_q = torch.minimum(*(self.net(w, torch.cat([next_obs, next_action], 1))[:, 0] for w in self.targets))
            y = reward[:, 0] + sac.gamma * (1 - terminal[:, 0]) * (next_q - temperature * next_log_prob)
        critic = sum(0.5 * ((self.net(w, torch.cat([obs, action], 1))[:, 0] - y) ** 2).mean() for w in self.critics)
        sample, log_prob = self.pi(obs, noise[: sac.batch])
        frozen = [[w.detach() for w in weights] for weights in self.critics]
        q = torch.minimum(*(self.net(w, torch.cat([obs, sample], 1))[:, 0] for w in frozen))
        actor = (temperature * log_prob - q).mean()
        entropy = -self.log_temperature * (log_prob.detach().mean() + sac.target_entropy)
        assert isinstance(critic, Tensor)
        return critic, actor, entropy

    def gradients(self, batch: Tensor, noise: Tensor) -> list[Tensor]:
        critic, actor, entropy = self.losses(batch, noise)
        leaves = ([*self.critics[0], *self.critics[1]], self.actor, [self.log_temperature])
        grads = map(torch.autograd.grad, (critic, actor, entropy), leaves)
        return [torch.cat([grad.flatten() for grad in group]) for group in grads]

    def update(self, batch: Tensor, noise: Tensor) -> None:
        losses = self.losses(batch, noise)
        for adam, loss in zip((self.critic_adam, self.actor_adam, self.temperature_adam), losses, strict=True):
            adam.zero_grad()
            loss.backward()
        for adam in (self.critic_adam, self.actor_adam, self.temperature_adam):
            adam.step()
        with torch.no_grad():
            if self.sac.log_temperature_max is not None:
                self.log_temperature.clamp_(max=self.sac.log_temperature_max)
            for target, critic in zip(self.targets, self.critics, strict=True):
                for old, new in zip(target, critic, strict=True):
                    old += self.sac.tau * (new - old)


def noise_of(sac: SAC, draw: torch.Generator) -> Tensor:
    """The noise the next update will draw, (2 batch, action_dim), without moving `draw`."""
    copy = torch.Generator()
    copy.set_state(draw.get_state())
    noise = torch.empty(sac.action_dim, 2 * sac.batch, dtype=sac.policy.params.dtype)
    return noise.normal_(generator=copy).t()


@pytest.mark.parametrize("bounds", [(-20.0, 2.0), (-0.2, 0.2)])
@pytest.mark.parametrize("hidden", [(16, 12), (10,), (8, 6, 7)])
def test_gradients_of_every_parameter_are_autograds(bounds: tuple[float, float], hidden: tuple[int, ...]) -> None:
    sac, draw = agent(log_std_min=bounds[0], log_std_max=bounds[1], hidden=hidden), generator(3)
    batch = rows(sac)
    expected = Plain(sac).gradients(batch, noise_of(sac, draw))
    sac.update(batch, draw)
    below, above = (sac.dist.raw_log_std < bounds[0]).any(), (sac.dist.raw_log_std > bounds[1]).any()
    assert bool(below and above) is (bounds[0] == -0.2), "the narrow bounds must clamp on both sides"
    critic = torch.cat([weight.flatten() for net in sac.q.grad_nets for weight in net.weights])
    actor = torch.cat([weight.flatten() for weight in sac.policy.grad_net.weights])
    grads = {"critic": critic, "actor": actor, "temperature": sac.temperature_grad.flatten()}
    for (name, grad), reference in zip(grads.items(), expected, strict=True):
        assert reference.abs().max() > 1e-3
        torch.testing.assert_close(grad, reference, rtol=1e-9, atol=1e-12, msg=f"the {name} gradient differs")


@pytest.mark.parametrize(("dtype", "atol"), [(F64, 1e-7), (torch.float32, 1e-4)])
def test_twenty_updates_equal_plain_autograd_with_torch_adam(dtype: torch.dtype, atol: float) -> None:
    sac, draw = agent(temperature_max=1.01, target_entropy=5.0, log_std_max=0.3, dtype=dtype), generator(3)
    start = sac.policy.params.clone()
    plain = Plain(sac)
    for k in range(20):
        if k == 10:
            sac.set_actor_lr(4e-4)
            plain.actor_adam.param_groups[0]["lr"] = 4e-4
        batch, noise = rows(sac, seed=10 + k), noise_of(sac, draw)
        sac.update(batch, draw)
        plain.update(batch.double(), noise.double())
    assert (sac.policy.params - start).abs().max() > 5e-3, "the parameters must have moved far"
    for nets, reference in (
        ([sac.policy.net], [plain.actor]), (sac.q.nets, plain.critics), (sac.q.targets, plain.targets)
    ):  # fmt: skip
        for net, weights in zip(nets, reference, strict=True):
            for mine, theirs in zip(net.weights, weights, strict=True):
                torch.testing.assert_close(mine.double(), theirs.detach(), rtol=0, atol=atol)
    assert sac.log_temperature.item() == pytest.approx(math.log(1.01)), "the temperature must have met its bound"
    assert sac.log_temperature.item() == pytest.approx(plain.log_temperature.item(), abs=atol)


def test_target_by_hand_on_two_states_one_terminal() -> None:
    sac, draw = agent(batch=2, hidden=(3,), gamma=0.9), generator(3)
    for flat in (sac.policy.params, sac.q.target):
        flat.zero_()
    sac.policy.net.weights[-1][0] = torch.tensor([0.3, -0.5, -1.0, -0.4], dtype=F64)
    sac.q.targets[0].weights[-1][0] = 2.0
    sac.q.targets[1].weights[-1][0] = 3.0
    sac.log_temperature.fill_(math.log(0.2))
    noise = noise_of(sac, draw)
    batch = rows(sac)
    batch[:, -2:] = torch.tensor([[1.5, 0.0], [-0.7, 1.0]], dtype=F64)
    sac.update(batch, draw)
    log_prob = 0.0
    for mean, log_std, z in ((0.3, -1.0, noise[2, 0].item()), (-0.5, -0.4, noise[2, 1].item())):
        u = mean + math.exp(log_std) * z
        log_prob += -0.5 * z * z - log_std - 0.5 * math.log(2 * math.pi) - math.log(1 - math.tanh(u) ** 2)
    assert sac.y[0].tolist() == pytest.approx([1.5 + 0.9 * (2.0 - 0.2 * log_prob), -0.7], abs=1e-12)


def test_targets_move_by_polyak_and_only_so() -> None:
    sac = agent()
    before = sac.q.target.clone()
    assert torch.equal(before, sac.q.params)
    sac.update(rows(sac), generator())
    torch.testing.assert_close(sac.q.target, 0.95 * before + 0.05 * sac.q.params, rtol=1e-12, atol=0)
    assert not torch.equal(sac.q.params, before)


def test_loading_a_state_and_going_on_is_bit_equal_to_never_stopping() -> None:
    whole = agent(dtype=torch.float32)
    for k in range(5):
        whole.update(rows(whole, k), generator(k))
    saved = whole.state_dict()
    other = agent(dtype=torch.float32, generator=generator(99))
    other.load_state_dict(saved)
    for k in range(5, 10):
        for sac in (whole, other):
            sac.update(rows(sac, k), generator(k))
    mine, theirs = whole.state_dict(), other.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert not torch.equal(saved["actor_params"], mine["actor_params"]), "the saved state must be a copy"
    assert whole.metrics() == other.metrics()
    obs = torch.randn(7, 4, generator=generator())
    assert torch.equal(whole.act(obs, generator(5)), other.act(obs, generator(5)))


def test_a_state_of_other_names_or_shapes_is_refused_before_anything_changes() -> None:
    sac = agent()
    before = sac.state_dict()
    with pytest.raises(ValueError, match="target is"):
        sac.load_state_dict(agent(hidden=(8, 8)).state_dict())
    with pytest.raises(ValueError, match="other entries: \\['steps'\\]"):
        sac.load_state_dict({k: v for k, v in before.items() if k != "steps"})
    assert all(torch.equal(before[k], v) for k, v in sac.state_dict().items())


def test_metrics_are_means_over_the_updates_since_the_last_call() -> None:
    sac, draw = agent(), generator(3)
    plain, wanted = Plain(sac), []
    for k in range(3):
        batch, noise = rows(sac, k), noise_of(sac, draw)
        critic, actor, _ = plain.losses(batch, noise)
        obs, action = batch[:, :4], batch[:, :6]
        entropy = -plain.pi(obs, noise[: sac.batch])[1].mean()
        q = torch.stack([plain.net(w, action).mean() for w in plain.critics]).mean()
        wanted.append([x.item() for x in (critic, actor, plain.log_temperature.exp(), entropy, q)])
        sac.update(batch, draw)
        plain.update(batch, noise)
    means = [sum(column) / 3 for column in zip(*wanted, strict=True)]
    metrics = sac.metrics()
    assert [metrics[k] for k in ("q", "actor", "temperature", "entropy", "q_mean")] == pytest.approx(means, rel=1e-6)
    assert set(sac.metrics().values()) == {0.0}


def test_a_batch_may_be_a_strided_view() -> None:
    one, two = agent(), agent()
    batch = rows(one)
    wide = torch.zeros(batch.shape[0], batch.shape[1] + 3, dtype=F64)
    wide[:, : batch.shape[1]] = batch
    one.update(batch, generator())
    two.update(wide[:, : batch.shape[1]], generator())
    assert torch.equal(one.policy.params, two.policy.params)


@pytest.mark.parametrize(
    "changes",
    [{"batch": 0}, {"hidden": ()}, {"temperature_max": 0.0}, {"log_std_min": 2.0, "log_std_max": 2.0}],
)
def test_sizes_and_bounds_without_meaning_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        agent(**changes)


def test_other_shapes_are_refused() -> None:
    sac = agent()
    with pytest.raises(ValueError, match="batch must be \\(32, 12\\)"):
        sac.update(rows(sac)[:-1], generator())
    with pytest.raises(ValueError, match="obs must be \\(n, 4\\)"):
        sac.act(torch.zeros(4), None)


def test_it_solves_a_bandit_with_quadratic_reward_at_the_target_entropy() -> None:
    """One step, reward -4 (a - c(s))^2 with c = 0.5 sign(s): the mean goes to c, the entropy to its target."""
    sac = SAC(
        1, 1, hidden=(32, 32), batch=64, actor_lr=3e-3, critic_lr=3e-3, temperature_lr=3e-3, target_entropy=-1.0,
        generator=generator(1),
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
