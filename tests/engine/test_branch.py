"""Branches from another run's saved state, extensions of finished runs, and what a finished run leaves on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from moore_engine import checkpoint, config, control
from moore_engine.rundir import EXIT_DONE, EXIT_USAGE, RunDir, read_json
from moore_engine.tools import prepare
from tests.engine import trainer_runs as runs

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory, data: Path) -> RunDir:
    run = runs.make_run(tmp_path_factory.mktemp("runs") / "trunk", data, "online.epochs=2")
    assert runs.finish(run) == EXIT_DONE, runs.log(run)
    return run


def switch_of(run: RunDir) -> str:
    return f"{run.path}@switch#{checkpoint.find(run, 'switch').digest()}"


def online(run: RunDir) -> list[dict]:  # type: ignore[type-arg]
    return [fact for fact in runs.facts(run) if fact["stage"] == "online" and fact["k"] != "stage"]


def test_a_branch_with_the_same_settings_repeats_the_online_stage(tmp_path: Path, data: Path, trunk: RunDir) -> None:
    branch = runs.make_run(tmp_path / "same", data, "online.epochs=2", f"run.from={switch_of(trunk)}")
    assert runs.finish(branch) == EXIT_DONE, runs.log(branch)
    assert runs.hashes(branch) == runs.hashes(trunk)
    assert online(branch) == online(trunk)
    assert {fact["stage"] for fact in runs.facts(branch)} == {"online"}


def test_a_branch_with_another_sampler_shares_the_offline_stage_and_differs_online(
    tmp_path: Path, data: Path, trunk: RunDir
) -> None:
    sets = ("online.epochs=2", "online.sampler=half_half", f"run.from={switch_of(trunk)}")
    branch = runs.make_run(tmp_path / "half", data, *sets)
    assert runs.finish(branch) == EXIT_DONE, runs.log(branch)
    shares = [fact["p_off"] for fact in online(branch) if fact["k"] == "share"]
    assert shares == [0.5] * len(shares)
    assert runs.hashes(branch)["sac.safetensors"] != runs.hashes(trunk)["sac.safetensors"]


def test_a_changed_source_is_refused_in_one_sentence(tmp_path: Path, data: Path, trunk: RunDir) -> None:
    branch = runs.make_run(tmp_path / "changed", data, f"run.from={trunk.path}@switch#0000")
    assert runs.finish(branch) == EXIT_USAGE
    assert "has changed since" in (branch.log / "trainer.log").read_text()


def test_a_branch_on_other_data_of_the_same_name_is_told_that_the_content_differs(trunk: RunDir) -> None:
    settings = config.set_value(config.load(trunk.config), "run.from", f"{trunk.path}@switch")
    with pytest.raises(config.ConfigError) as refused:
        prepare._branch(settings, trunk.path, "f" * 64)
    there = settings.data.sha256[:12] or "none"
    assert f"{settings.data.path}: the content differs (sha256 {there} there, ffffffffffff here)" in str(refused.value)


@pytest.mark.parametrize("key", ["sac.layer_norm", "awac.tanh_mean"])
def test_a_branch_has_the_networks_of_its_source(trunk: RunDir, key: str) -> None:
    settings = config.set_value(config.load(trunk.config), "run.from", f"{trunk.path}@switch")
    with pytest.raises(config.ConfigError, match=rf"{key} is False there and True here; they must agree"):
        prepare._branch(config.set_value(settings, key, True), trunk.path, settings.data.sha256)


def test_a_finished_run_exits_0_at_once_and_writes_nothing(trunk: RunDir) -> None:
    before = trunk.events.read_bytes()
    assert runs.finish(trunk) == EXIT_DONE
    assert trunk.events.read_bytes() == before


def test_a_finished_run_keeps_its_policies_and_drops_only_the_model_rows(trunk: RunDir) -> None:
    assert checkpoint.listing(trunk)[0].path.name == "switch"
    assert len(checkpoint.listing(trunk)) == 2
    final = checkpoint.load(checkpoint.find(trunk))
    assert checkpoint.find(trunk).manifest["dropped"] == ["model_rows"]
    assert final.keys() >= {"dynamics", "sac", "replay", "noise", "sampler", "study", "env", "counters"}


def test_an_extended_run_killed_at_once_goes_on_to_its_new_last_epoch(tmp_path: Path, data: Path) -> None:
    run = runs.make_run(tmp_path / "longer", data, "online.epochs=1")
    assert runs.finish(run) == EXIT_DONE, runs.log(run)
    request = control.post(run, "set", key="online.epochs", value="2")
    trainer = runs.start(run)
    runs.until(lambda: control.acknowledgement(run, request.id), "the acknowledgement")
    trainer.kill()
    trainer.wait()
    assert runs.finish(run) == EXIT_DONE, runs.log(run)
    assert (control.acknowledgement(run, request.id) or {})["ok"]
    state = read_json(run.state)
    assert state is not None
    assert (state["status"], state["env_step"]) == ("done", 120)
    assert [fact["epoch"] for fact in online(run) if fact["k"] == "eval"] == [1, 2]


def test_another_data_set_than_the_frozen_one_is_refused(tmp_path: Path, data: Path) -> None:
    run = runs.make_run(tmp_path / "other", data, f"data.sha256={'0' * 64}")
    assert runs.finish(run) == EXIT_USAGE
    assert "is not the data set this run began with" in (run.log / "trainer.log").read_text()


def test_a_data_set_that_went_away_is_asked_for_by_name(tmp_path: Path) -> None:
    run = runs.make_run(tmp_path / "gone", tmp_path / "gone.hdf5")
    assert runs.finish(run) == EXIT_USAGE
    assert "moore-console resume RUN --data PATH" in (run.log / "trainer.log").read_text()
