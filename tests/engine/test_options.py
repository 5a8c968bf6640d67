"""The options of MOORe (docs/options.md): off by default, each by one key, and what it changes and leaves alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from moore_engine import config
from moore_engine.rundir import RunDir
from moore_engine.sac import SAC
from moore_engine.sac_ensemble import EnsembleSAC
from moore_engine.tools import eval as eval_tool
from moore_engine.tools import export as export_tool
from moore_engine.tools.loading import load_policy
from moore_engine.train import train
from moore_engine.training import Training
from tests.engine import trainer_runs as runs
from tests.engine.test_train import Desk, _copied, _equal, begin

SHORT = (
    "offline.epochs=1", "offline.updates_per_epoch=20", "offline.rollout_every=20", "offline.rollout_batch=100",
    "model.max_epochs=1", "online.epochs=1", "online.steps_per_epoch=40", "online.model_every=20",
    "online.rollout_batch=100", "online.real_ratio=0", "eval.episodes=1", "eval.switch_episodes=0",
)  # fmt: skip
ONLINE = (
    "online.warmup_steps=30", "online.alpha=auto", "online.penalty_anneal=true", "online.initial_rollout=true",
    "online.real_ratio=0.25",
)  # fmt: skip
CRITICS = ("sac.layer_norm=true", "sac.critics=4", "sac.critic_subset=1")


def at_switch(data: Path, *sets: str) -> dict[str, Any]:
    """The state in which a run goes online."""
    training, desk = begin(data, *SHORT, *sets)
    taken: dict[str, Any] = {}

    def save(name: str = "", **_: Any) -> None:
        if name == "switch":
            taken.update(_copied(training.state_dict()))

    desk.save = save  # type: ignore[method-assign]
    train(training, desk)
    return taken


@pytest.fixture(scope="module")
def switch(data: Path) -> dict[str, Any]:
    return at_switch(data)


def branch(data: Path, state: dict[str, Any], *sets: str) -> tuple[Training, Desk]:
    """A run that goes online from `state` with settings of its own."""
    training, desk = begin(data, *SHORT, *sets)
    training.load_state_dict(_copied(state), branch=True)
    return training, desk


def random_rows(training: Training, n: int) -> Tensor:
    rows = torch.randn(n, training.replay.layout.width, generator=torch.Generator().manual_seed(0))
    rows[:, training.replay.layout.terminal] = 0.0
    return rows


def among(rows: Tensor, table: Tensor) -> Tensor:
    """For each of `rows`, whether it is one of `table`."""
    return (rows[:, None] == table[None]).all(2).any(1)


def test_every_option_is_off_unless_asked_for() -> None:
    plain = config.Config()
    assert (plain.sac.critics, plain.sac.critic_subset, plain.sac.layer_norm) == (2, 2, False)
    assert (plain.online.warmup_steps, plain.online.alpha, plain.online.real_ratio) == (0, 1.0, 0.0)
    assert not plain.online.penalty_anneal and not plain.online.initial_rollout


def test_the_page_names_every_option_with_its_default_and_a_value_that_is_accepted() -> None:
    page = (Path(__file__).parents[2] / "docs" / "options.md").read_text().partition("## What they cost")[0]
    stated = dict(re.findall(r"^\| `((?:sac|online)\.\w+)` \| `([^`]+)` \|", page, re.MULTILINE))
    keys = {each.partition("=")[0] for each in (*ONLINE, *CRITICS)}
    assert stated.keys() == keys
    for key, default in stated.items():
        assert config.toml(config.get(config.Config(), key)) == default, key
    commands = re.findall(r"--set ((?:sac|online)\.\w+)=(\S+)", page)
    assert {key for key, _ in commands} == keys
    for key, value in commands:
        resolved = config.resolve("quickstart", sets=[f"{key}={value}"]).config
        assert config.get(resolved, key) != config.get(config.Config(), key), f"--set {key}={value} changes nothing"


# --- the critics ---


@pytest.mark.parametrize("algo", ["moore", "mopo", "mbpo"])
def test_two_plain_critics_are_sac_itself(data: Path, algo: str) -> None:
    training, _ = begin(data, *SHORT, f"run.algo={algo}")
    assert type(training.algo.sac) is SAC  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("sets", "made"),
    [
        (("sac.layer_norm=true",), (2, 2, True)),
        (("sac.critics=4",), (4, 2, False)),
        (("sac.critic_subset=1",), (2, 1, False)),
        (("sac.critics=10", "sac.critic_subset=3", "sac.layer_norm=true"), (10, 3, True)),
    ],
)
def test_the_keys_of_the_critics_reach_them(data: Path, sets: tuple[str, ...], made: tuple[int, int, bool]) -> None:
    sac = begin(data, *SHORT, *sets)[0].algo.sac  # type: ignore[attr-defined]
    assert isinstance(sac, EnsembleSAC)
    assert (sac.critics, sac.subset, sac.layer_norm) == made


@pytest.mark.parametrize("sets", [("sac.layer_norm=true",), ("sac.critics=4", "sac.actor_hidden=[16]")])
def test_a_run_with_such_critics_goes_on_exactly_and_its_policy_is_read_alone(
    data: Path, sets: tuple[str, ...]
) -> None:
    whole, desk = begin(data, *SHORT, *sets)
    taken: dict[str, dict[str, Any]] = {}
    desk.on_tick = lambda: taken.setdefault(
        f"{whole.counters.stage} {whole.counters.open or 'between'}", _copied(whole.state_dict())
    )
    train(whole, desk)
    end = _copied(whole.state_dict())
    for name in ("offline update", "online update"):
        again, quiet = begin(data, *SHORT, *sets)
        again.load_state_dict(taken[name])
        train(again, quiet)
        assert _equal(_copied(again.state_dict()), end), name
    reader, _ = begin(data, *SHORT, *sets)
    reader.algo.load_policy(end)
    obs = random_rows(whole, 5)[:, whole.replay.layout.obs]
    assert torch.equal(reader.algo.best(obs), whole.algo.best(obs))
    module = reader.algo.policy_module([-3.0], [3.0])
    torch.testing.assert_close(module(obs), 3.0 * whole.algo.best(obs), rtol=1e-5, atol=1e-5)


def test_a_subset_of_one_may_begin_at_the_switch_of_a_plain_run(data: Path, switch: dict[str, Any]) -> None:
    training, desk = branch(data, switch, "sac.critic_subset=1")
    train(training, desk)
    assert training.counters.finished


def test_other_critics_cannot_take_over_a_state(data: Path, switch: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="SAC state target is"):
        branch(data, switch, "sac.critics=4")


# --- the online stage ---


def test_the_options_of_the_online_stage_leave_the_offline_one_alone(data: Path, switch: dict[str, Any]) -> None:
    other = at_switch(data, *ONLINE)
    for part in ("sac", "dynamics", "noise"):
        assert _equal(other[part], switch[part]), part


@pytest.mark.parametrize("setting", ["online.penalty_anneal=true", "online.real_ratio=0.25", "online.warmup_steps=30"])
def test_each_changes_what_is_learned_online(data: Path, switch: dict[str, Any], setting: str) -> None:
    ends = []
    for sets in ((), (setting,)):
        training, desk = branch(data, switch, *sets)
        train(training, desk)
        ends.append(_copied(training.state_dict()["sac"]))
    assert not _equal(*ends)


@pytest.mark.parametrize("steps", [0, 30])
def test_in_warm_up_rows_arrive_and_nothing_else_changes(data: Path, switch: dict[str, Any], steps: int) -> None:
    training, desk = branch(data, switch, f"online.warmup_steps={steps}")
    seen: dict[int, dict[str, Any]] = {}
    desk.on_tick = lambda: seen.setdefault(training.counters.env_step, _copied(training.state_dict()))
    train(training, desk)
    for part in ("sac", "dynamics"):
        assert _equal(seen[29][part], switch[part]) is (steps == 30)
        assert not _equal(_copied(training.state_dict())[part], switch[part])
    assert seen[29]["replay"]["online"].shape[0] == 29


@pytest.mark.parametrize("t", [1, 20, 60])
def test_alpha_auto_has_its_half_way_epoch_at_20_whatever_the_data(data: Path, t: int) -> None:
    training, _ = begin(data, *SHORT, "online.alpha=auto", f"online.epochs={t}")
    plain, _ = begin(data, *SHORT, f"online.epochs={t}")
    for each in (training, plain):
        each.algo.go_online()
        each.algo.begin_epoch(t)
        each.replay.n_on = 40 * t
    share = 1 / (1 + (t / 20) ** 2)
    assert training.algo.share()["p_off"] == pytest.approx(share)
    assert plain.algo.share()["p_off"] == pytest.approx(1 / (1 + t * 40 * t / plain.replay.n_off))
    assert plain.algo.share()["p_off"] != pytest.approx(share)


def test_an_annealed_penalty_takes_p_off_times_as_much_off_the_reward(data: Path, switch: dict[str, Any]) -> None:
    """Three rollouts from the same state and stream: without a penalty, with it, with it annealed."""
    rewards = []
    sets = ("offline.penalty_coef=0", "offline.penalty_coef=2", "offline.penalty_coef=2")
    for penalty, anneal in zip(sets, ("false", "false", "true"), strict=True):
        training, _ = branch(data, switch, penalty, f"online.penalty_anneal={anneal}")
        for row in random_rows(training, 40):
            training.replay.append(row)
        training.algo.begin_epoch(20)
        training.algo.rollout(0, lambda: None)  # type: ignore[attr-defined]
        rewards.append(training.algo.model_rows.ordered()[:, training.replay.layout.reward])  # type: ignore[attr-defined]
    n_off, share = training.replay.n_off, training.algo.share()["p_off"]
    assert share == pytest.approx(n_off / 20 / (n_off / 20 + 40))
    whole = rewards[0] - rewards[1]
    assert (whole > 0.01).all()
    torch.testing.assert_close(rewards[0] - rewards[2], share * whole, rtol=1e-3, atol=1e-5)


def test_the_penalty_is_not_annealed_offline(data: Path) -> None:
    training, _ = begin(data, *SHORT, "online.penalty_anneal=true", "offline.penalty_coef=2")
    assert training.algo.penalty_coef() == 2.0  # type: ignore[attr-defined]


def test_with_an_initial_rollout_the_first_step_already_teaches(data: Path) -> None:
    phases = {}
    for value in ("false", "true"):
        training, desk = begin(data, *SHORT, f"online.initial_rollout={value}")
        desk.emit = lambda kind, desk=desk, **_: desk.phases.append(kind) if kind == "stage" else None  # type: ignore[method-assign, misc]
        train(training, desk)
        phases[value] = desk.phases[desk.phases.index("stage") + 1 :]
    assert phases["true"][:5] == ["epoch", "fit", "rollout", "act", "update"]
    assert phases["false"][:2] == ["epoch", "act"]
    assert phases["false"].index("fit") > phases["false"].index("act")


@pytest.mark.parametrize(("ratio", "sampler"), [(0.0, "priority"), (0.25, "priority"), (0.25, "online_only")])
def test_so_many_rows_of_a_batch_are_real_and_drawn_by_the_sampler(
    data: Path, switch: dict[str, Any], ratio: float, sampler: str
) -> None:
    training, _ = branch(data, switch, f"online.real_ratio={ratio}", f"online.sampler={sampler}")
    algo: Any = training.algo
    for row in random_rows(training, 8):
        training.replay.append(row)
    algo.begin_epoch(1)
    algo.model_rows.append(random_rows(training, 200) + 100.0)
    algo.update()
    real = among(algo._batch, training.replay.rows[: len(training.replay)])
    assert real.tolist() == [True] * int(64 * ratio) + [False] * (64 - int(64 * ratio))
    if ratio:
        online = among(algo._batch[:16], training.replay.online).float().mean().item()
        assert online == 1.0 if sampler == "online_only" else online < 0.2


@pytest.mark.slow
def test_runs_with_other_critics_are_evaluated_and_exported(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs.make_run(tmp_path / "run", data, *SHORT, "sac.layer_norm=true", "sac.critics=4")
    assert runs.finish(run) == 0
    assert eval_tool.main([str(run.path), "--episodes", "2"]) == 0
    assert export_tool.main([str(run.path), "-o", str(tmp_path / "export")]) == 0
    told = json.loads((tmp_path / "export" / "policy.json").read_text())
    assert told["max_abs_error"] < 1e-4
    assert "over 2 episodes" in capsys.readouterr().out
    loaded = load_policy(RunDir(run.path), "latest")
    obs = torch.randn(6, loaded.obs_dim, generator=torch.Generator().manual_seed(0))
    module = loaded.policy.policy_module(loaded.low, loaded.high)
    torch.testing.assert_close(module(obs), 3.0 * loaded.policy.best(obs), rtol=1e-5, atol=1e-5)
