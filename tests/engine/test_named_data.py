"""Data sets by name, from the launch to the start: Minari ids and D4RL's, frozen with the run, moved and changed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from moore_engine import config
from moore_engine.config import Config, ConfigError
from moore_engine.data import catalogue, source
from moore_engine.data.d4rl_to_minari import import_d4rl
from moore_engine.data.minari_write import About
from moore_engine.data.reference import resolve
from moore_engine.start import StartError, load_data
from moore_engine.tools.prepare import prepare
from tests.engine import trainer_runs as runs
from tests.engine.minari_sets import metadata

ID = "pendulum/noisy-v0"
NAME = f"minari:{ID}"
TASK = "InvertedPendulum-v4"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "sets"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "sets"


@pytest.fixture
def made(data: Path) -> Path:
    """The small set of the trainer's tests as a Minari set; its data folder."""
    about = About(reference=(5.0, 1000.0))
    return import_d4rl(resolve(str(data)), ID, about, lambda done, total: None).path / "data"


def launch(path: str, *sets: str) -> Config:
    """The configuration that a run of this data set is frozen with."""
    resolved = config.resolve(None, sets=[*runs.SMALL, f"data.path={path}", *sets])
    answer = prepare({"config": config.dumps(resolved.config), "trust": (), "base_dir": "/"})
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(answer["config"])
        file.flush()
        return config.load(file.name)


def test_a_minari_id_is_frozen_with_its_task_digest_and_references(made: Path) -> None:
    frozen = launch(NAME).data
    assert (frozen.path, frozen.task, frozen.ref_min, frozen.ref_max) == (NAME, TASK, 5.0, 1000.0)
    assert frozen.sha256 == source.load(NAME, cached=False, **sizes()).sha256


def test_a_start_reads_the_rows_of_the_file_it_was_imported_from(made: Path, data: Path) -> None:
    settings = launch(NAME)
    from_set = load_data(settings, frozenset())
    from_file = source.load(str(data), checks=False, **sizes())
    np.testing.assert_array_equal(from_set.table, from_file.table)
    np.testing.assert_array_equal(from_set.returns, from_file.returns)
    assert from_set.path == NAME


def test_a_start_refuses_a_set_whose_rows_changed_and_takes_one_told_better(made: Path) -> None:
    settings = launch(NAME)
    metadata(made, description="told better")
    assert load_data(settings, frozenset()).sha256 == settings.data.sha256
    shutil.rmtree(made.parent)
    other = runs.write_data(made.parent.parent / "other.hdf5", rows=1400)
    import_d4rl(resolve(str(other)), ID, About(), lambda done, total: None)
    with pytest.raises(StartError, match="is not the data set this run began with"):
        load_data(settings, frozenset())


def test_a_start_that_finds_no_set_names_the_folder_it_looked_in(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = launch(NAME)
    monkeypatch.setenv("MINARI_DATASETS_PATH", "/nowhere")
    with pytest.raises(StartError, match=f"no data set {NAME} any more.*MINARI_DATASETS_PATH, now /nowhere"):
        load_data(settings, frozenset())


def test_a_task_that_is_not_the_sets_is_refused(made: Path) -> None:
    with pytest.raises(ConfigError, match=f"made with {TASK} but the run asks for InvertedPendulum-v5"):
        launch(NAME, "data.task=InvertedPendulum-v5")


def test_an_environment_from_outside_gymnasium_needs_trust(made: Path) -> None:
    spec = '{"id": "Kite-v2", "entry_point": "kites.envs:KiteEnv", "kwargs": {}}'
    metadata(made, env_spec=spec)
    with pytest.raises(ConfigError, match=r"runs code from outside Gymnasium.*--trust-code kites:Kite-v2"):
        launch(NAME, "data.termination=never")
    assert "Kite-v2" not in gym.registry


def test_a_set_that_is_not_there_is_refused_with_the_way_to_get_it(made: Path) -> None:
    with pytest.raises(ConfigError, match=rf"nearest: {NAME}\): `moore-console data download pendulum/nosy-v0`"):
        launch("minari:pendulum/nosy-v0")


def test_a_d4rl_name_is_its_file_in_the_cache(data: Path) -> None:
    name = "hopper-medium-replay-v2"
    with pytest.raises(ConfigError, match=f"{name} is not in the cache: `moore-console data download {name}`"):
        launch(name)
    path = catalogue.d4rl()[name].path
    path.parent.mkdir(parents=True)
    shutil.copy(data, path)
    frozen = launch(name).data
    assert (frozen.path, frozen.task) == (str(path), TASK), "the file says more than its name"


def test_a_file_in_the_folder_goes_before_a_name(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "hopper-medium-v2"
    shutil.copy(data, file)
    assert source.locate("hopper-medium-v2", tmp_path) == str(file)


def sizes() -> dict[str, object]:
    return {"task": TASK, "obs_dim": 4, "action_dim": 1, "low": [-3.0], "high": [3.0]}
