"""CQL through the loop: learning from random rows, exact resume, fine-tuning without the term, an exported policy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from moore_engine import config
from moore_engine.algorithms.cql import CQL
from moore_engine.buffers import ReplayTable
from moore_engine.cql import CQL as Core
from moore_engine.export import export_policy
from moore_engine.train import train
from moore_engine.training import Training
from tests.engine.test_train import Desk, _copied, _equal, begin

COMMON = (
    "run.algo=cql", "online.sampler=uniform", "sac.actor_lr=1e-3", "sac.critic_lr=3e-3", "sac.target_entropy=auto",
    "cql.weight=2", "cql.actions=2", "offline.epochs=3", "online.epochs=2", "online.steps_per_epoch=40",
    "online.updates_per_step=5", "sac.tau=0.02",
)  # fmt: skip


def cql(data: Path, *sets: str) -> tuple[Training, Desk]:
    return begin(data, *COMMON, *sets)


def core_of(training: Training) -> Core:
    assert isinstance(training.algo, CQL)
    return training.algo.core


@pytest.fixture(scope="module")
def done(data: Path) -> tuple[Training, Desk, dict[str, dict[str, Any]]]:
    """A whole run, with states from its ticks."""
    training, desk = cql(data)
    taken: dict[str, dict[str, Any]] = {}

    def take() -> None:
        name = f"{training.counters.stage} {training.counters.open or 'between'} {training.counters.epoch}"
        taken.setdefault(name, _copied(training.state_dict()))

    desk.on_tick = take
    train(training, desk)
    return training, desk, taken


def test_it_learns_from_random_rows_to_balance_longer_than_they_do(done: Any) -> None:
    """The rows' episodes last 6 steps. A target without bootstrapping, or a term without the data's pull, stays below
    15; a flipped sign raises the term, log(6 actions x 2) = 2.48 for a flat critic and a uniform policy, above 5."""
    training, desk, _ = done
    offline = [fields["return_mean"] for kind, fields in desk.said if kind == "eval"][2]
    rows = training.replay.rows[: training.replay.n_off]
    assert rows.shape[0] / rows[:, -1].sum() < 8
    assert offline > 25
    assert next(fields["conservative"] for kind, fields in desk.said if kind == "loss") < 4


def test_a_state_taken_at_any_tick_goes_on_to_the_same_end(done: Any, data: Path) -> None:
    whole, _, taken = done
    assert taken.keys() >= {"offline update 1", "offline evaluate 2", "online update 1", "online between 2"}
    end = _copied(whole.state_dict())
    for name in ("offline update 2", "online update 1", "online between 2"):
        again, quiet = cql(data)
        again.load_state_dict(taken[name])
        train(again, quiet)
        assert _equal(_copied(again.state_dict()), end), name


def test_updates_are_counted_and_the_term_is_measured_offline_alone(done: Any) -> None:
    training, desk, _ = done
    assert {"fit", "rollout", "study"}.isdisjoint(desk.phases)
    assert training.counters.update == 3 * 200 + 2 * 40 * 5
    offline, online = [fields for kind, fields in desk.said if kind == "loss"]
    assert all(map(math.isfinite, offline.values()))
    assert [name for name, value in online.items() if not math.isfinite(value)] == ["conservative"]


def test_online_it_is_plain_sac_at_the_critics_rate(data: Path) -> None:
    training, desk = cql(data, "offline.epochs=1", "online.epochs=0", "sac.temperature_lr=5e-4")
    train(training, desk)
    core = core_of(training)
    assert core.weight == 0
    assert core.scales[0] == -1, "SAC's own target has the entropy in it"
    assert [adam.lr.item() for adam in (core.actor_adam, core.critic_adam, core.temperature_adam)] == [
        pytest.approx(3e-3)
    ] * 3


def test_with_an_online_weight_it_goes_on_as_it_was(data: Path) -> None:
    training, desk = cql(
        data, "offline.epochs=1", "online.epochs=1", "cql.online_weight=0.25", "sac.temperature_lr=5e-4"
    )
    train(training, desk)
    core = core_of(training)
    assert (core.weight, core.scales[0].item()) == (0.25, 0)
    assert [core.actor_adam.lr.item(), core.temperature_adam.lr.item()] == pytest.approx([1e-3, 5e-4])
    assert math.isfinite(training.algo.metrics()["conservative"])


def test_a_branch_takes_its_own_online_weight_and_rates(done: Any, data: Path) -> None:
    _, _, taken = done
    other, _ = cql(data, "cql.online_weight=0.25")
    other.load_state_dict(taken["online update 1"], branch=True)
    assert core_of(other).weight == 0.25
    assert core_of(other).actor_adam.lr.item() == pytest.approx(1e-3)
    assert torch.equal(core_of(other).q.params, taken["online update 1"]["sac"]["critic_params"])


def test_rows_are_drawn_uniformly_from_one_buffer(done: Any) -> None:
    training, desk, _ = done
    shares = [fields for kind, fields in desk.said if kind == "share"]
    assert [(f["n_off"], f["n_on"]) for f in shares] == [(1500, 0), (1500, 40), (1500, 80)]
    drawn = 5 * 40 * training.config.sac.batch
    for k, fields in enumerate(shares[1:]):
        expected = sum(1500 / (1500 + n) for n in range(40 * k + 1, 40 * k + 41)) / 40
        assert fields["p_off_sampled"] == pytest.approx(expected, abs=5 * math.sqrt(0.05 / drawn))


def test_the_policy_alone_is_restored_without_the_rows_and_exported(done: Any, tmp_path: Path) -> None:
    training, _, _ = done
    layout = training.replay.layout
    empty = ReplayTable(layout, torch.zeros(1, layout.width), 0)
    other = type(training.algo)(training.config, empty, training.algo.termination, torch.device("cpu"))
    other.load_policy(_copied(training.algo.state_dict()))
    obs = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    best = other.best(obs)
    assert torch.equal(best, training.algo.best(obs))
    module = other.policy_module(training.env.low, training.env.high)
    torch.testing.assert_close(module(obs), best * 3.0, rtol=1e-4, atol=1e-5)
    assert export_policy(module, tmp_path, 4).max_error <= 3e-5


def test_the_preset_says_what_was_published() -> None:
    found = config.resolve("hopper-medium-replay", flags={"algo": "cql"}).config
    assert (found.run.algo, found.sac.hidden, found.sac.batch) == ("cql", (256, 256), 256)
    assert (found.sac.actor_lr, found.sac.critic_lr, found.sac.actor_schedule) == (3e-5, 3e-4, "constant")
    assert (found.cql.weight, found.cql.actions, found.cql.online_weight) == (5.0, 10, 0.0)
    assert found.offline.epochs * found.offline.updates_per_epoch == 1_000_000
    assert (found.online.updates_per_step, found.online.epochs) == (1, 250)
    small = config.resolve("quickstart", flags={"algo": "cql"}).config
    assert small.offline.epochs * small.offline.updates_per_epoch < 10_000
