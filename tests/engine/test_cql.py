"""CQL against a plain float64 autograd version of the same loss, against numbers by hand, and on a one-step task."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from moore_engine.capture import Captured
from moore_engine.cql import CQL
from moore_engine.sac import SAC
from tests.engine.test_sac import Plain, generator, rows

F64 = torch.float64


def agent(**changes: Any) -> CQL:
    options: dict[str, Any] = {
        "weight": 5.0, "actions": 3, "hidden": (16, 12), "batch": 8, "target_entropy": -2.0, "actor_lr": 1e-3,
        "critic_lr": 2e-3, "temperature_lr": 5e-3, "tau": 0.05, "generator": generator(1), "dtype": F64,
    }  # fmt: skip
    return CQL(4, 2, **(options | changes))


class PlainCQL(Plain):
    """CQL's critic loss as the paper writes it, state by state and action by action; all else is the plain SAC's.

    `draws`: noise (2 batch, d) of SAC's own two samples; noise of the proposals and the uniform actions, both
    (batch, actions, d), the former of pi(s) and of pi(s').
    """

    def critic_loss(self, batch: Tensor, draws: tuple[Tensor, Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """J_Q without SAC's entropy in the target, and the mean of log Z(s) - Q(s, a)."""
        sac, d = self.sac, self.sac.action_dim
        assert isinstance(sac, CQL)
        obs, action, next_obs, reward, terminal = batch.split([sac.obs_dim, d, sac.obs_dim, 1, 1], 1)
        with torch.no_grad():
            next_action, _ = self.pi(next_obs, draws[0][sac.batch :])
            next_q = torch.minimum(*(self.net(w, torch.cat([next_obs, next_action], 1))[:, 0] for w in self.targets))
            y = reward[:, 0] + sac.gamma * (1 - terminal[:, 0]) * next_q
        bellman, gaps = torch.zeros((), dtype=F64), []
        for critic in self.critics:
            q_data = self.net(critic, torch.cat([obs, action], 1))[:, 0]
            bellman = bellman + 0.5 * ((q_data - y) ** 2).mean()
            for row in range(sac.batch):
                terms = []
                for k in range(sac.actions):
                    for each, noise in ((obs, draws[1]), (next_obs, draws[2])):
                        with torch.no_grad():
                            sample, log_prob = self.pi(each[row : row + 1], noise[row, k : k + 1])
                        q = self.net(critic, torch.cat([obs[row : row + 1], sample], 1))[0, 0]
                        terms.append(q - log_prob[0])
                    q = self.net(critic, torch.cat([obs[row], draws[3][row, k]])[None])[0, 0]
                    terms.append(q - math.log(0.5**d))
                gaps.append(torch.logsumexp(torch.stack(terms), 0) - q_data[row])
        gap = torch.stack(gaps).mean()
        return bellman + sac.weight * gap, gap  # two critics: weight/2 of the sum of their means


def draws_of(sac: CQL, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What the next update will draw, as `PlainCQL` takes it, without moving `draw`."""
    copy = torch.Generator()
    copy.set_state(draw.get_state())
    d, n, dtype = sac.action_dim, sac.actions, sac.policy.params.dtype
    own = torch.empty(d, 2 * sac.batch, dtype=dtype).normal_(generator=copy).t()
    groups = sac.uniform_inputs.shape[0]
    states = sac.batch // groups
    proposals = torch.empty(d, 2 * n * sac.batch, dtype=dtype).normal_(generator=copy)
    now, later = proposals.view(d, groups, 2, n, states).permute(2, 1, 4, 3, 0).reshape(2, sac.batch, n, d)
    uniform = torch.empty(groups, d, n, states, dtype=dtype).uniform_(-1, 1, generator=copy)
    return own, now, later, uniform.permute(0, 3, 2, 1).reshape(sac.batch, n, d)


def critic_gradient(sac: SAC) -> Tensor:
    return torch.cat([weight.flatten() for net in sac.q.grad_nets for weight in net.weights])


@pytest.mark.parametrize("group", [512, 30])
@pytest.mark.parametrize("hidden", [(16, 12), (10,), (8, 6, 7)])
def test_the_critics_gradient_is_autograds_of_the_loss_written_out(
    hidden: tuple[int, ...], group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moore_engine.cql.CPU_COLUMNS", group)
    sac, draw, batch = agent(hidden=hidden), generator(3), rows(agent())
    assert sac.uniform_inputs.shape[0] == (1 if group == 512 else 4), "one group of states, and several"
    plain, draws = PlainCQL(sac), draws_of(sac, draw)
    loss, gap = plain.critic_loss(batch, draws)
    expected = torch.autograd.grad(loss, [*plain.critics[0], *plain.critics[1]])
    sac.update(batch, draw)
    reference = torch.cat([grad.flatten() for grad in expected])
    assert reference.abs().max() > 1e-2
    torch.testing.assert_close(critic_gradient(sac), reference, rtol=1e-9, atol=1e-12)
    assert sac.metrics()["conservative"] == pytest.approx(gap.item(), rel=1e-9)


def test_the_actor_and_the_temperature_have_sacs_gradients() -> None:
    sac, draw = agent(), generator(3)
    batch, draws = rows(sac), draws_of(sac, draw)
    _, actor, temperature = Plain(sac).gradients(batch, draws[0])
    sac.update(batch, draw)
    mine = torch.cat([weight.flatten() for weight in sac.policy.grad_net.weights])
    torch.testing.assert_close(mine, actor, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(sac.temperature_grad.flatten(), temperature, rtol=1e-9, atol=1e-12)


def test_updates_equal_plain_autograd_with_torch_adam() -> None:
    sac, draw = agent(), generator(3)
    plain = PlainCQL(sac)
    start = sac.q.params.clone()
    for k in range(6):
        batch, draws = rows(sac, seed=10 + k), draws_of(sac, draw)
        _, actor, entropy = plain.losses(batch, draws[0])
        losses = (plain.critic_loss(batch, draws)[0], actor, entropy)
        sac.update(batch, draw)
        adams = (plain.critic_adam, plain.actor_adam, plain.temperature_adam)
        for adam, loss in zip(adams, losses, strict=True):
            adam.zero_grad()
            loss.backward()
        for adam in adams:
            adam.step()
        with torch.no_grad():
            for target, critic in zip(plain.targets, plain.critics, strict=True):
                for old, new in zip(target, critic, strict=True):
                    old += sac.tau * (new - old)
    assert (sac.q.params - start).abs().max() > 5e-3
    for nets, reference in (
        ([sac.policy.net], [plain.actor]),
        (sac.q.nets, plain.critics),
        (sac.q.targets, plain.targets),
    ):
        for net, weights in zip(nets, reference, strict=True):
            for mine, theirs in zip(net.weights, weights, strict=True):
                torch.testing.assert_close(mine, theirs.detach(), rtol=0, atol=1e-7)


def test_target_by_hand_has_no_entropy_in_it() -> None:
    sac = agent(batch=2, gamma=0.9)
    sac.q.target.zero_()
    for target, value in zip(sac.q.targets, (2.0, 3.0), strict=True):
        target.weights[-1][0] = value
    batch = rows(sac)
    batch[:, -2:] = torch.tensor([[1.5, 0.0], [-0.7, 1.0]], dtype=F64)
    sac.update(batch, generator(3))
    assert sac.y[0].tolist() == pytest.approx([1.5 + 0.9 * 2.0, -0.7], abs=1e-12)


def test_equal_values_leave_the_log_of_the_sum_of_inverse_densities() -> None:
    """Q = c everywhere: log Z = c + log(actions 2^d + sum of 1 / pi over the proposals)."""
    sac, draw = agent(), generator(3)
    sac.q.params.zero_()
    for net in sac.q.nets:
        net.weights[-1][0] = 7.0
    batch, draws = rows(sac), draws_of(sac, draw)
    plain = PlainCQL(sac)
    expected = torch.zeros((), dtype=F64)
    for row in range(sac.batch):
        total = sac.actions * 2.0**sac.action_dim
        for obs, noise in ((batch[row, :4], draws[1]), (batch[row, 6:10], draws[2])):
            log_prob = plain.pi(obs.expand(sac.actions, 4), noise[row])[1]
            total += torch.exp(-log_prob).sum().item()
        expected += math.log(total) / sac.batch
    sac.update(batch, draw)
    assert sac.log_z[0].mean().item() == pytest.approx(7.0 + expected.item(), rel=1e-9)
    assert sac.metrics()["conservative"] == pytest.approx(expected.item(), rel=1e-9)


def test_z_estimates_the_integral_of_exp_q_over_the_actions() -> None:
    """Z / (3 actions) is an importance-sampled estimate of the integral of exp Q(s, .) over the box: 2^d exp(c) here,
    for any policy."""
    sac = agent(actions=2000, batch=2)
    sac.q.params.zero_()
    sac.update(rows(sac), generator(3))
    assert (sac.log_z[0] - math.log(3 * 2000)).exp().flatten().tolist() == pytest.approx([4.0, 4.0], rel=0.05)


def test_with_weight_0_it_is_sac_bit_for_bit() -> None:
    options: dict[str, Any] = {"hidden": (16, 12), "batch": 12, "target_entropy": -2.0}
    cql = CQL(4, 2, weight=0.0, generator=generator(1), **options)
    sac = SAC(4, 2, generator=generator(1), **options)
    for each in (cql, sac):
        draw = generator(3)
        for k in range(5):
            each.update(rows(sac, k), draw)
    assert all(torch.equal(value, cql.tensors()[name]) for name, value in sac.tensors().items())
    assert math.isnan(cql.metrics()["conservative"])


def test_a_weight_set_later_is_that_of_an_agent_made_with_it() -> None:
    one, two = agent(), agent(weight=0.0)
    one.update(rows(one), generator(3))
    one.set_weight(0.0)
    two.load_state_dict(one.state_dict())
    assert one.count == 0, "means must not mix two losses"
    for each in (one, two):
        each.update(rows(one, 5), generator(4))
    assert all(torch.equal(value, two.tensors()[name]) for name, value in one.tensors().items())


def test_loading_a_state_and_going_on_is_bit_equal_to_never_stopping() -> None:
    whole = agent(dtype=torch.float32)
    for k in range(3):
        whole.update(rows(whole, k), generator(k))
    other = agent(dtype=torch.float32, generator=generator(99))
    other.load_state_dict(whole.state_dict())
    for k in range(3, 6):
        for each in (whole, other):
            each.update(rows(whole, k), generator(k))
    assert all(torch.equal(value, other.tensors()[name]) for name, value in whole.tensors().items())
    assert whole.metrics() == other.metrics()


@pytest.mark.parametrize("changes", [{"weight": -1.0}, {"weight": math.nan}, {"actions": 0}, {"batch": 0}])
def test_sizes_and_weights_without_meaning_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        agent(**changes)


def one_step_policy(weight: float) -> tuple[float, float]:
    """Mean action and Q(0.9) - Q(0.2) learned from rows with actions in [-0.8, 0.2], reward twice the action."""
    sac = CQL(
        1, 1, weight=weight, actions=4, hidden=(32, 32), batch=64, actor_lr=3e-3, critic_lr=3e-3, temperature_lr=3e-3,
        target_entropy=-2.0, generator=generator(1),
    )  # fmt: skip
    draw, batch = generator(2), torch.zeros(64, 5)
    batch[:, 4] = 1.0
    for _ in range(500):
        batch[:, :1].uniform_(-1, 1, generator=draw)
        batch[:, 1].uniform_(-0.8, 0.2, generator=draw)
        batch[:, 3] = 2 * batch[:, 1]
        sac.update(batch, draw)
    mean = sac.act(torch.zeros(1, 1), None).item()
    columns = torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.9, 0.2]])
    q = sac.q.nets[0].linears()
    values = torch.nn.Sequential(q[0], torch.nn.ReLU(), q[1], torch.nn.ReLU(), q[2])(columns[1:].t())
    return mean, (values[0] - values[1]).item()


def test_it_takes_the_best_actions_of_the_data_where_sac_leaves_the_data() -> None:
    """SAC follows the slope out of the data; a flipped sign does so too, and without the reward it takes the mean."""
    mean, gap = one_step_policy(weight=0.3)
    assert -0.15 < mean < 0.3
    assert gap < -0.5
    assert one_step_policy(weight=0.0)[0] > 0.5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_replays_on_a_gpu_equal_plain_updates() -> None:
    results = []
    for wrap in (False, True):
        sac = agent(device="cuda", generator=torch.Generator("cuda").manual_seed(0))
        draw = torch.Generator("cuda").manual_seed(1)
        batch = rows(agent()).to("cuda")

        def function(sac: CQL = sac, batch: Tensor = batch, draw: torch.Generator = draw) -> None:
            sac.update(batch, draw)

        call = (
            Captured(function, device="cuda", tensors=sac.tensors().values(), generators=[draw]) if wrap else function
        )
        for k in range(5):
            draw.manual_seed(100 + k)
            call()
        results.append(sac.state_dict())
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value)
