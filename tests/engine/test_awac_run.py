"""AWAC through the loop: learning from random rows, exact resume, one buffer, presets, an exported policy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from moore_engine import config
from moore_engine.buffers import ReplayTable
from moore_engine.export import export_policy
from moore_engine.train import train
from moore_engine.training import Training
from tests.engine.test_train import Desk, _copied, _equal, begin

FORMS = {
    "exp": ("awac.weighting=exp", "awac.temperature=1.0"),
    "softmax": (
        "awac.weighting=softmax", "awac.tanh_mean=true", "awac.temperature=1.0", "sac.log_std_min=-6",
        "sac.log_std_max=0", "sac.actor_weight_decay=1e-4", "sac.actor_hidden=[32,32,32]",
    ),
}  # fmt: skip
COMMON = (
    "run.algo=awac", "online.sampler=uniform", "sac.actor_lr=1e-3", "sac.critic_lr=1e-3", "offline.epochs=3",
    "online.epochs=2", "online.steps_per_epoch=40", "online.updates_per_step=2",
)  # fmt: skip


def awac(data: Path, form: str, *sets: str) -> tuple[Training, Desk]:
    return begin(data, *COMMON, *FORMS[form], *sets)


@pytest.fixture(scope="module", params=FORMS)
def done(request: pytest.FixtureRequest, data: Path) -> tuple[str, Training, Desk, dict[str, dict[str, Any]]]:
    """A whole run of a form, with states from its ticks."""
    training, desk = awac(data, request.param)
    taken: dict[str, dict[str, Any]] = {}

    def take() -> None:
        name = f"{training.counters.stage} {training.counters.open or 'between'} {training.counters.epoch}"
        taken.setdefault(name, _copied(training.state_dict()))

    desk.on_tick = take
    train(training, desk)
    return request.param, training, desk, taken


def test_it_learns_from_random_rows_to_balance_longer_than_they_do(done: Any) -> None:
    """The rows' episodes last 6 steps; regression to them all, or against the advantage, does not reach 20."""
    _, training, desk, _ = done
    offline = [fields["return_mean"] for kind, fields in desk.said if kind == "eval"][2]
    rows = training.replay.rows[: training.replay.n_off]
    assert rows.shape[0] / rows[:, -1].sum() < 8
    assert offline > 25


def test_a_state_taken_at_any_tick_goes_on_to_the_same_end(done: Any, data: Path) -> None:
    form, whole, _, taken = done
    assert taken.keys() >= {"offline update 1", "offline evaluate 2", "online update 1", "online between 2"}
    end = _copied(whole.state_dict())
    for name in ("offline update 2", "online update 1", "online between 2"):
        again, quiet = awac(data, form)
        again.load_state_dict(taken[name])
        train(again, quiet)
        assert _equal(_copied(again.state_dict()), end), name


def test_nothing_is_fitted_or_rolled_out_and_updates_are_counted(done: Any) -> None:
    _, training, desk, _ = done
    assert {"fit", "rollout", "study"}.isdisjoint(desk.phases)
    assert training.counters.update == 3 * 200 + 2 * 40 * 2
    losses = [fields for kind, fields in desk.said if kind == "loss"]
    assert losses
    assert all(math.isnan(f["temperature"]) and all(map(math.isfinite, (f["q"], f["actor"]))) for f in losses)


def test_rows_are_drawn_uniformly_from_one_buffer(done: Any) -> None:
    _, training, desk, _ = done
    shares = [fields for kind, fields in desk.said if kind == "share"]
    assert [(f["n_off"], f["n_on"]) for f in shares] == [(1500, 0), (1500, 40), (1500, 80)]
    drawn = 2 * 40 * training.config.sac.batch
    for k, fields in enumerate(shares[1:]):
        expected = np.mean([1500 / (1500 + n) for n in range(40 * k + 1, 40 * k + 41)])
        assert fields["p_off_sampled"] == pytest.approx(expected, abs=5 * math.sqrt(0.05 / drawn))


def test_observations_are_standardised_by_the_offline_rows_for_good(done: Any, data: Path) -> None:
    form, training, _, _ = done
    core, obs = training.algo.core, training.replay.rows[: training.replay.n_off, training.replay.layout.obs]
    torch.testing.assert_close(core.obs_mean.view(-1), obs.mean(0), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(core.obs_std.view(-1), obs.std(0, correction=0) + 1e-3, rtol=1e-4, atol=1e-6)
    raw, _ = awac(data, form, "awac.normalize=false")
    assert torch.equal(raw.algo.core.obs_mean.view(-1), torch.zeros(4))
    assert torch.equal(raw.algo.core.obs_std.view(-1), torch.ones(4))


def test_the_policy_alone_is_restored_without_the_rows_and_exported(done: Any, tmp_path: Path) -> None:
    _, training, _, _ = done
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


def test_blocks_of_updates_come_every_so_many_steps(data: Path) -> None:
    """The authors' form: steps first, then as many updates."""
    training, desk = awac(
        data, "softmax", "offline.epochs=0", "online.update_every=20", "online.updates_per_step=1", "eval.episodes=1",
        "online.warmup_steps=40", "eval.switch_episodes=0", "eval.every_epochs=9",
    )  # fmt: skip
    seen: list[tuple[int, int]] = []
    desk.on_tick = lambda: seen.append((training.counters.env_step, training.counters.update))
    train(training, desk)
    assert [max(updates for step, updates in seen if step == at) for at in (39, 40, 59, 60, 80)] == [0, 20, 20, 40, 60]


@pytest.mark.parametrize("tanh", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_the_weights_and_the_policy_are_chosen_apart(data: Path, form: str, tanh: bool) -> None:
    training, _ = awac(data, form, f"awac.tanh_mean={str(tanh).lower()}")
    assert training.algo.core.softmax_weights == (form == "softmax")
    layers = training.algo.policy_module(training.env.low, training.env.high)
    assert any(isinstance(layer, torch.nn.Tanh) for layer in layers) == tanh


def test_the_presets_say_both_forms() -> None:
    corl = config.resolve("hopper-medium-replay", flags={"algo": "awac"}).config
    assert (corl.run.algo, corl.awac.weighting, corl.awac.tanh_mean) == ("awac", "exp", False)
    assert corl.awac.temperature == 0.3333
    assert (corl.sac.hidden, corl.sac.batch, corl.sac.actor_lr) == ((256,) * 3, 256, 3e-4)
    assert corl.offline.epochs * corl.offline.updates_per_epoch == 1_000_000
    authors = config.resolve("hopper-medium-replay", flags={"algo": "awac-authors"}).config
    assert (authors.run.algo, authors.awac.weighting, authors.awac.tanh_mean) == ("awac", "softmax", True)
    assert authors.awac.temperature == 2.0
    assert (authors.sac.hidden, authors.sac.actor_hidden, authors.sac.batch) == ((256,) * 2, (256,) * 4, 1024)
    assert (authors.sac.actor_weight_decay, authors.online.update_every) == (1e-4, 1000)
    for variant in ("awac", "awac-authors"):
        small = config.resolve("quickstart", flags={"algo": variant}).config
        assert small.offline.epochs * small.offline.updates_per_epoch < 10_000
