"""AWAC against a plain float64 autograd version of the published formulas, numbers by hand, and two small tasks."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from moore_engine.awac import AWAC
from moore_engine.capture import Captured

F64 = torch.float64
FORMS: dict[str, dict[str, Any]] = {
    "corl": {"temperature": 0.3, "weight_max": 1.2},
    "authors": {
        "temperature": 0.7, "softmax_weights": True, "tanh_mean": True, "log_std_min": -6.0, "log_std_max": 0.0,
        "actor_weight_decay": 0.01, "actor_hidden": (9, 8, 7),
    },
}  # fmt: skip
"""A low cap of the weights, so that some meet it; a strong decay, so that it is seen."""


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def agent(form: str = "corl", **changes: Any) -> AWAC:
    options: dict[str, Any] = {
        "hidden": (16, 12), "batch": 32, "actor_lr": 1e-3, "critic_lr": 2e-3, "tau": 0.05, "generator": generator(1),
        "dtype": F64,
    }  # fmt: skip
    awac = AWAC(4, 2, **(options | FORMS[form] | changes))
    like = awac.policy.params
    awac.normalize(like.new_tensor([0.5, -1.0, 0.0, 2.0]), like.new_tensor([1.0, 2.0, 0.5, 3.0]))
    return awac


def rows(awac: AWAC, seed: int = 2) -> Tensor:
    batch = torch.randn(*awac.batch_shape, dtype=awac.policy.params.dtype, generator=generator(seed))
    batch[:, awac.obs_dim : awac.obs_dim + awac.action_dim].tanh_()
    batch[:, -1] = (batch[:, -1] > 0.8).to(batch.dtype)
    return batch


class Plain:
    """The formulas of the paper and of the two public codes with torch.autograd, written for reading."""

    def __init__(self, awac: AWAC, form: str) -> None:
        self.awac, self.form = awac, form
        self.mean, self.std = awac.obs_mean.double().clone().view(-1), awac.obs_std.double().clone().view(-1)
        self.actor, *self.critics = (
            [w.double().clone().requires_grad_() for w in net.weights] for net in (awac.policy.net, *awac.q.nets)
        )
        self.raw_log_std = awac.policy.raw_log_std[:, 0].double().clone().requires_grad_()
        self.targets = [[w.double().clone() for w in net.weights] for net in awac.q.targets]
        self.actor_adam = torch.optim.Adam(
            [*self.actor, self.raw_log_std], lr=awac.actor_adam.lr.item(), weight_decay=awac.actor_adam.weight_decay
        )
        self.critic_adam = torch.optim.Adam([*self.critics[0], *self.critics[1]], lr=awac.critic_adam.lr.item())

    @staticmethod
    def net(weights: list[Tensor], x: Tensor) -> Tensor:
        for weight in weights[:-1]:
            x = torch.relu(x @ weight[1:] + weight[0])
        return x @ weights[-1][1:] + weights[-1][0]

    def q(self, nets: list[list[Tensor]], state: Tensor, action: Tensor) -> Tensor:
        return torch.stack([self.net(weights, torch.cat([state, action], 1))[:, 0] for weights in nets])

    def pi(self, state: Tensor) -> torch.distributions.Normal:
        policy, mean = self.awac.policy, self.net(self.actor, state)
        if self.form == "corl":
            return torch.distributions.Normal(
                mean, self.raw_log_std.clamp(policy.log_std_min, policy.log_std_max).exp()
            )
        log_std = policy.log_std_min + self.raw_log_std.sigmoid() * (policy.log_std_max - policy.log_std_min)
        return torch.distributions.Normal(mean.tanh(), log_std.exp())

    def sample(self, state: Tensor, noise: Tensor) -> Tensor:
        pi = self.pi(state)
        return (pi.loc + pi.scale * noise).clamp(-1, 1).detach()

    def weights(self, advantage: Tensor) -> Tensor:
        awac = self.awac
        if self.form == "corl":
            return torch.clamp_max(torch.exp(advantage / awac.temperature), math.exp(awac.log_weight_max))
        return len(advantage) * torch.softmax(advantage / awac.temperature, 0)

    def losses(self, batch: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        awac = self.awac
        obs, action, next_obs, reward, terminal = batch.split([awac.obs_dim, awac.action_dim, awac.obs_dim, 1, 1], 1)
        state, next_state = (obs - self.mean) / self.std, (next_obs - self.mean) / self.std
        with torch.no_grad():
            next_q = self.q(self.targets, next_state, self.sample(next_state, noise[awac.batch :])).amin(0)
            y = reward[:, 0] + awac.gamma * (1 - terminal[:, 0]) * next_q
            v = self.q(self.critics, state, self.sample(state, noise[: awac.batch])).amin(0)
            self.advantage = self.q(self.critics, state, action).amin(0) - v
            w = self.weights(self.advantage)
        critic = ((self.q(self.critics, state, action) - y) ** 2).mean(1).sum()
        actor = -(w * self.pi(state).log_prob(action).sum(1)).mean()
        return critic, actor

    def gradients(self, batch: Tensor, noise: Tensor) -> list[Tensor]:
        critic, actor = self.losses(batch, noise)
        leaves = {critic: [*self.critics[0], *self.critics[1]], actor: [*self.actor, self.raw_log_std]}
        q, pi = (torch.autograd.grad(loss, group) for loss, group in leaves.items())
        return [torch.cat([grad.flatten() for grad in group]) for group in (q, pi[:-1], pi[-1:])]

    def update(self, batch: Tensor, noise: Tensor) -> None:
        losses = self.losses(batch, noise)
        for adam, loss in zip((self.critic_adam, self.actor_adam), losses, strict=True):
            adam.zero_grad()
            loss.backward()
        self.critic_adam.step()
        self.actor_adam.step()
        with torch.no_grad():
            for target, critic in zip(self.targets, self.critics, strict=True):
                for old, new in zip(target, critic, strict=True):
                    old += self.awac.tau * (new - old)


def noise_of(awac: AWAC, draw: torch.Generator) -> Tensor:
    """The noise the next update will draw, (2 batch, action_dim), without moving `draw`."""
    copy = torch.Generator()
    copy.set_state(draw.get_state())
    noise = torch.empty(awac.action_dim, 2 * awac.batch, dtype=awac.policy.params.dtype)
    return noise.normal_(generator=copy).t()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("hidden", [(16, 12), (10,), (8, 6, 7)])
def test_gradients_of_every_parameter_are_autograds(form: str, hidden: tuple[int, ...]) -> None:
    awac, draw = agent(form, hidden=hidden), generator(3)
    awac.policy.raw_log_std.copy_(torch.tensor([[-0.4], [0.7]]))
    batch = rows(awac)
    plain = Plain(awac, form)
    expected = plain.gradients(batch, noise_of(awac, draw))
    awac.update(batch, draw)
    clamped = (awac.dist.action.abs() == 1).double().mean()
    assert 0.005 < clamped < 0.9, "some sampled actions must meet their clamp"
    torch.testing.assert_close(awac.advantage[0], plain.advantage, rtol=1e-9, atol=1e-12)
    if form == "corl":
        assert 0 < awac.capped.mean() < 1, "some weights must meet their clamp"
    critic = torch.cat([weight.flatten() for net in awac.q.grad_nets for weight in net.weights])
    actor = torch.cat([weight.flatten() for weight in awac.policy.grad_net.weights])
    grads = {"critic": critic, "actor": actor, "log-std": awac.policy.raw_grad.flatten()}
    for (name, grad), reference in zip(grads.items(), expected, strict=True):
        assert reference.abs().max() > 1e-3
        torch.testing.assert_close(grad, reference, rtol=1e-9, atol=1e-12, msg=f"the {name} gradient differs")


def test_a_log_std_at_its_bound_has_no_gradient_and_one_within_has() -> None:
    awac = agent(log_std_min=-0.2, log_std_max=0.2)
    awac.policy.raw_log_std.copy_(torch.tensor([[0.5], [0.1]]))
    awac.update(rows(awac), generator(3))
    assert awac.policy.log_std[:, 0].tolist() == pytest.approx([0.2, 0.1])
    assert awac.policy.raw_grad[0].item() == 0.0
    assert awac.policy.raw_grad[1].item() != 0.0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("dtype", "atol"), [(F64, 1e-7), (torch.float32, 1e-4)])
def test_twenty_updates_equal_plain_autograd_with_torch_adam(form: str, dtype: torch.dtype, atol: float) -> None:
    awac, draw = agent(form, dtype=dtype), generator(3)
    start = awac.policy.params.clone()
    plain = Plain(awac, form)
    for k in range(20):
        if k == 10:
            awac.set_actor_lr(4e-4)
            plain.actor_adam.param_groups[0]["lr"] = 4e-4
        batch, noise = rows(awac, seed=10 + k), noise_of(awac, draw)
        awac.update(batch, draw)
        plain.update(batch.double(), noise.double())
    assert (awac.policy.params - start).abs().max() > 5e-3, "the parameters must have moved far"
    for nets, reference in (
        ([awac.policy.net], [plain.actor]), (awac.q.nets, plain.critics), (awac.q.targets, plain.targets)
    ):  # fmt: skip
        for net, weights in zip(nets, reference, strict=True):
            for mine, theirs in zip(net.weights, weights, strict=True):
                torch.testing.assert_close(mine.double(), theirs.detach(), rtol=0, atol=atol)
    torch.testing.assert_close(awac.policy.raw_log_std[:, 0].double(), plain.raw_log_std.detach(), rtol=0, atol=atol)


def test_target_and_advantage_by_hand_on_two_states_one_terminal() -> None:
    """The target takes the smaller of the target networks, the advantage the smaller of the networks themselves."""
    awac = agent(batch=2, hidden=(3,), gamma=0.9)
    for flat in (awac.q.target, awac.q.params):
        flat.zero_()
    for net, value in zip((*awac.q.targets, *awac.q.nets), (2.0, 3.0, 5.0, 4.0), strict=True):
        net.weights[-1][0] = value
    batch = rows(awac)
    batch[:, -2:] = torch.tensor([[1.5, 0.0], [-0.7, 1.0]], dtype=F64)
    awac.update(batch, generator(3))
    assert awac.y[0].tolist() == pytest.approx([1.5 + 0.9 * 2.0, -0.7], abs=1e-12)
    assert awac.advantage[0].tolist() == [0.0, 0.0]
    assert awac.weights[0].tolist() == [1.0, 1.0]
    assert awac.residuals[1][0].tolist() == pytest.approx([4.0 - 3.3, 4.0 + 0.7], abs=1e-12)


def advantages(awac: AWAC, wanted: list[float]) -> Tensor:
    """The weights that the core gives to these advantages."""
    for values in awac.policy_values:
        values.zero_()
    for values in awac.data_values:
        values.copy_(torch.tensor([wanted]))
    awac._weigh()
    return awac.weights[0].clone()


def test_exponential_weights_stop_at_their_clamp_and_never_overflow() -> None:
    awac = agent(batch=4, temperature=1 / 3, weight_max=100.0)
    weights = advantages(awac, [0.5, -1.0, 2.0, 1e6])
    assert weights.tolist() == pytest.approx([math.exp(1.5), math.exp(-3.0), 100.0, 100.0])
    assert awac.capped[0].tolist() == [0, 0, 1, 1]


def test_softmax_weights_have_mean_one_and_ratios_of_the_exponential() -> None:
    awac = agent("authors", batch=4, temperature=2.0)
    weights = advantages(awac, [0.5, -1.0, 2.0, 1000.0])
    assert weights.tolist() == pytest.approx([0.0, 0.0, 0.0, 4.0])
    weights = advantages(awac, [0.0, 0.0, 2.0, 4.0])
    assert weights.mean().item() == pytest.approx(1.0)
    assert (weights[3] / weights[1]).item() == pytest.approx(math.exp(2.0))


def test_targets_move_by_polyak_and_only_so() -> None:
    awac = agent()
    before = awac.q.target.clone()
    assert torch.equal(before, awac.q.params)
    awac.update(rows(awac), generator())
    torch.testing.assert_close(awac.q.target, 0.95 * before + 0.05 * awac.q.params, rtol=1e-12, atol=0)
    assert not torch.equal(awac.q.params, before)


@pytest.mark.parametrize("form", FORMS)
def test_loading_a_state_and_going_on_is_bit_equal_to_never_stopping(form: str) -> None:
    whole = agent(form, dtype=torch.float32)
    for k in range(5):
        whole.update(rows(whole, k), generator(k))
    saved = whole.state_dict()
    other = agent(form, dtype=torch.float32, generator=generator(99))
    other.normalize(torch.zeros(4), torch.ones(4))
    other.load_state_dict(saved)
    for k in range(5, 10):
        for awac in (whole, other):
            awac.update(rows(awac, k), generator(k))
    mine, theirs = whole.state_dict(), other.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert not torch.equal(saved["actor_params"], mine["actor_params"]), "the saved state must be a copy"
    assert whole.metrics() == other.metrics()
    obs = torch.randn(7, 4, generator=generator())
    assert torch.equal(whole.act(obs, generator(5)), other.act(obs, generator(5)))


def test_a_state_of_other_names_or_shapes_is_refused_before_anything_changes() -> None:
    awac = agent()
    before = awac.state_dict()
    with pytest.raises(ValueError, match="AWAC state target is"):
        awac.load_state_dict(agent(hidden=(8, 8)).state_dict())
    with pytest.raises(ValueError, match="other entries: \\['steps'\\]"):
        awac.load_state_dict({k: v for k, v in before.items() if k != "steps"})
    assert all(torch.equal(before[k], v) for k, v in awac.state_dict().items())


@pytest.mark.parametrize("form", FORMS)
def test_metrics_are_means_over_the_updates_since_the_last_call(form: str) -> None:
    awac, draw = agent(form), generator(3)
    plain, wanted = Plain(awac, form), []
    for k in range(3):
        batch, noise = rows(awac, k), noise_of(awac, draw)
        critic, actor = plain.losses(batch, noise)
        state = (batch[:, :4] - plain.mean) / plain.std
        q, entropy = plain.q(plain.critics, state, batch[:, 4:6]).mean(), plain.pi(state).entropy().sum(1).mean()
        wanted.append([x.item() for x in (critic, actor, entropy, q, plain.advantage.mean())])
        awac.update(batch, draw)
        plain.update(batch, noise)
    means = [sum(column) / 3 for column in zip(*wanted, strict=True)]
    metrics = awac.metrics()
    assert [metrics[k] for k in ("q", "actor", "entropy", "q_mean", "advantage")] == pytest.approx(means, rel=1e-6)
    assert set(awac.metrics().values()) == {0.0}


class NoRead(TorchDispatchMode):
    """Refuses whatever would wait for a device or depend on what a tensor holds; counts the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        assert not any(name in str(func) for name in ("_local_scalar_dense", "nonzero", "is_nonzero", "masked_select"))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("form", FORMS)
def test_an_update_reads_nothing_back_and_stays_in_its_memory(form: str) -> None:
    """What capture in a CUDA graph needs."""
    awac, draw = agent(form, dtype=torch.float32), generator()
    batch = rows(awac)
    before = {name: tensor.data_ptr() for name, tensor in awac.tensors().items()}
    with NoRead() as seen:
        awac.update(batch, draw)
    assert seen.count > 50
    assert {name: tensor.data_ptr() for name, tensor in awac.tensors().items()} == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("form", FORMS)
def test_replays_on_a_gpu_equal_plain_updates(form: str) -> None:
    results = []
    for wrap in (False, True):
        awac = agent(form, device="cuda", dtype=torch.float32, generator=torch.Generator("cuda").manual_seed(0))
        draw = torch.Generator("cuda").manual_seed(1)
        batch = torch.randn(awac.batch_shape, generator=draw, device="cuda")

        def function(awac: AWAC = awac, batch: Tensor = batch, draw: torch.Generator = draw) -> None:
            awac.update(batch, draw)

        tensors = awac.tensors().values()
        call = Captured(function, device="cuda", tensors=tensors, generators=[draw]) if wrap else function
        for k in range(5):
            draw.manual_seed(100 + k)
            call()
        results.append(awac.state_dict())
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value)


@pytest.mark.parametrize("form", FORMS)
def test_the_exported_policy_is_the_clamped_mean_in_the_tasks_bounds(form: str) -> None:
    awac = agent(form, dtype=torch.float32)
    awac.policy.params.mul_(1.2)
    obs = 3 * torch.randn(50, 4, generator=generator())
    mean = awac.act(obs, None)
    assert (mean.abs() <= 1).all()
    assert (mean.abs() > 0.99).any() and (mean.abs() < 0.9).any()
    action = awac.policy_module([-3.0, 0.0], [3.0, 4.0])(obs)
    torch.testing.assert_close(action, mean * torch.tensor([3.0, 2.0]) + torch.tensor([0.0, 2.0]))


@pytest.mark.parametrize(
    "changes",
    [{"batch": 0}, {"hidden": ()}, {"temperature": 0.0}, {"weight_max": 0.0}, {"log_std_min": 2.0, "log_std_max": 2.0}],
)
def test_sizes_and_bounds_without_meaning_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        agent(**changes)


def test_other_shapes_are_refused() -> None:
    awac = agent()
    with pytest.raises(ValueError, match="batch must be \\(32, 12\\)"):
        awac.update(rows(awac)[:-1], generator())
    with pytest.raises(ValueError, match="obs must be \\(n, 4\\)"):
        awac.act(torch.zeros(4), None)


def learned(form: str, reward_and_end: Any, updates: int, **changes: Any) -> Tensor:
    """Mean actions at s = 1 and s = 2 after training on uniform actions in [-1, 1]; `reward_and_end` fills a batch."""
    options = {"hidden": (32, 32), "actor_hidden": (), "batch": 64, "actor_lr": 3e-3, "critic_lr": 3e-3}
    changes = FORMS[form] | {"weight_max": 20.0, "actor_weight_decay": 0.0, "temperature": 0.1, **options, **changes}
    awac = AWAC(1, 1, generator=generator(1), **changes)
    draw, batch = generator(2), torch.zeros(64, 5)
    for _ in range(updates):
        batch[:, 0] = torch.randint(1, 3, (64,), generator=draw).float()
        batch[:, 1].uniform_(-1, 1, generator=draw)
        reward_and_end(batch)
        awac.update(batch, draw)
    return awac.act(torch.tensor([[1.0], [2.0]]), None).flatten()


@pytest.mark.parametrize("form", FORMS)
def test_it_learns_the_better_actions_of_a_uniform_behaviour(form: str) -> None:
    """One step, reward -4 (a - c(s))^2 with c = 0.5 at s = 1, -0.5 at s = 2; copying the behaviour gives 0."""

    def bandit(batch: Tensor) -> None:
        batch[:, 3] = -4 * (batch[:, 1] - (1.5 - batch[:, 0])) ** 2
        batch[:, 4] = 1.0

    assert learned(form, bandit, 500).tolist() == pytest.approx([0.5, -0.5], abs=0.12)


@pytest.mark.parametrize("form", FORMS)
def test_it_gives_up_a_reward_now_for_a_better_one_later(form: str) -> None:
    """At s = 1 a negative action ends with reward .4, a positive one leads to s = 2, where any action ends with 1."""

    def chain(batch: Tensor) -> None:
        on = (batch[:, 0] == 1.0) & (batch[:, 1] > 0)
        batch[:, 2] = 2.0
        batch[:, 3] = torch.where(batch[:, 0] == 2.0, 1.0, torch.where(on, 0.0, 0.4))
        batch[:, 4] = 1.0 - on.float()

    first, _ = learned(form, chain, 500, gamma=0.9, tau=0.05).tolist()
    assert first > 0.3
