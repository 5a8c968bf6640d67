"""What a collection leaves: a file that the loader reads without a warning, a Minari set, and what made them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from moore_engine import config
from moore_engine.collect import deliver as module
from moore_engine.collect.deliver import check_free, deliver, facts
from moore_engine.config import ConfigError
from moore_engine.data import source
from moore_engine.data.errors import DataError
from moore_engine.envs import Env
from moore_engine.tools.prepare import prepare
from tests.engine.collecting import Made, begin, finish, make, scripted

PAGE = Path(__file__).parents[2] / "docs/data/quickstart.md"
BUNDLED = Path(module.__file__).parents[1] / "data/quickstart.hdf5"
HOPPER = ("data.task=Hopper-v5", "collect.steps=400", "data.ref_min=-20", "data.ref_max=3000")


@pytest.fixture(scope="module")
def hopper() -> Made:
    return make("medium-replay", *HOPPER)


def load(path: Path | str, task: str, **options: Any) -> Any:
    env = Env(task, 0)
    dims = {"obs_dim": env.obs_dim, "action_dim": env.action_dim, "low": env.low, "high": env.high}
    return source.load(str(path), task=task, **dims, **options)


def quiet() -> None:
    pass


# Files


@pytest.mark.parametrize("kind", ["random", "medium-replay", "medium-expert"])
def test_the_file_is_read_without_a_warning_and_fits_its_tasks_physics(kind: str, tmp_path: Path) -> None:
    made = make(kind, *HOPPER)
    told = deliver(made.run, tmp_path, quiet)
    data = load(told["path"], "Hopper-v5")
    assert data.warnings == []
    assert (data.n, data.task, data.reference) == (made.run.recorded.size, "Hopper-v5", (-20.0, 3000.0))
    assert data.returns.sum() == pytest.approx(made.run.recorded.episodes()[: len(data.returns)].sum(), rel=1e-5)
    with pytest.raises(DataError, match="Hopper-v5"):
        load(told["path"], "Walker2d-v5")


def test_without_a_name_the_file_lies_in_the_runs_folder_and_with_one_it_is_there(hopper: Made, tmp_path: Path) -> None:
    assert deliver(hopper.run, tmp_path, quiet)["path"] == str(tmp_path / "dataset.hdf5")
    named = make("medium-replay", *HOPPER, f"collect.output={tmp_path / 'mine.h5'}")
    told = deliver(named.run, tmp_path / "nowhere", quiet)
    assert told == {"path": str(tmp_path / "mine.h5"), "sha256": told["sha256"]}
    assert hashlib.sha256((tmp_path / "mine.h5").read_bytes()).hexdigest() == told["sha256"]


def test_written_again_it_has_the_same_bytes(hopper: Made, tmp_path: Path) -> None:
    first = deliver(hopper.run, tmp_path, quiet)
    assert deliver(hopper.run, tmp_path, quiet) == first
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.hdf5"]


def test_a_stop_while_it_is_written_leaves_no_file(hopper: Made, tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(hopper.run, tmp_path, stop)
    assert list(tmp_path.iterdir()) == []


def test_the_file_says_what_made_it(tmp_path: Path) -> None:
    run, desk = begin("medium-replay", *HOPPER, "collect.target_return=10", "run.seed=3")
    scripted(run, 5.0, 12.5)
    finish(run, desk)
    with h5py.File(deliver(run, tmp_path, quiet)["path"]) as file:
        told = dict(file.attrs)
    assert told["made_by"] == (
        "replay buffer of SAC stopped after 100 steps at an evaluated return of 12.5, the first 40 uniform, seed 3"
    )
    assert (told["kind"], told["task"], told["seed"], told["algorithm"]) == ("medium-replay", "Hopper-v5", 3, "SAC")
    assert (told["train_steps"], told["updates"], told["evaluated_return"]) == (100, 61, 12.5)
    assert (told["target_return"], told["episodes_cut"], told["ref_max"]) == (10.0, run.counters.cuts, 3000.0)
    assert told["code"].startswith("moore-console")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("random", "uniform actions, seed 0"),
        ("medium", "stochastic policy of SAC stopped after 200 steps, seed 0"),
        ("expert", "stochastic policy of SAC after 200 steps, seed 0"),
        ("medium-expert", "stochastic policies of SAC stopped after 200 steps, and after 200 steps, seed 0"),
    ],
)
def test_each_kind_says_whose_rows_it_has(kind: str, says: str) -> None:
    assert facts(make(kind).run)["made_by"] == says


# Minari


@pytest.fixture
def minari_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    return tmp_path / "minari"


def test_a_minari_set_has_the_same_rows_as_the_file_and_says_what_made_it(minari_home: Path, tmp_path: Path) -> None:
    minari = pytest.importorskip("minari")
    wishes = ["collect.id=hopper/tiny-v0", "collect.author=A. Person", "collect.code_permalink=https://example.org/c"]
    made = make("medium-expert", *HOPPER, f"collect.output={tmp_path / 'same.hdf5'}", *wishes)
    told = deliver(made.run, tmp_path, quiet)
    assert told["minari"] == str(minari_home / "hopper/tiny-v0")
    data = load("minari:hopper/tiny-v0", "Hopper-v5")
    assert data.warnings == []
    np.testing.assert_array_equal(data.table, load(told["path"], "Hopper-v5").table)
    found = minari.load_dataset("hopper/tiny-v0")
    assert found.total_steps == made.run.recorded.size
    assert found.storage.metadata["author"] == {"A. Person"}
    assert found.storage.metadata["code_permalink"] == "https://example.org/c"
    assert found.storage.metadata["algorithm_name"] == "SAC"
    assert (found.storage.metadata["ref_min_score"], found.storage.metadata["ref_max_score"]) == (-20.0, 3000.0)
    assert next(found.iterate_episodes()).infos.keys() == {"qpos", "qvel"}


def test_an_id_without_a_file_makes_no_file(minari_home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    told = deliver(make("random", "collect.id=pole-v0").run, folder, quiet)
    assert told == {"minari": str(minari_home / "pole-v0")}
    assert not folder.exists()


def test_a_set_that_a_killed_attempt_wrote_is_left_and_anothers_is_not_touched(
    minari_home: Path, tmp_path: Path
) -> None:
    made = make("random", "collect.id=pole-v0")
    deliver(made.run, tmp_path, quiet)
    before = (minari_home / "pole-v0/data/main_data.hdf5").stat()
    deliver(made.run, tmp_path, quiet)
    other = make("random", "collect.id=pole-v0", "run.seed=1")
    with pytest.raises(DataError, match="already"):
        deliver(other.run, tmp_path, quiet)
    assert (minari_home / "pole-v0/data/main_data.hdf5").stat() == before
    with pytest.raises(DataError, match="already"):
        check_free("pole-v0")


# Before a collection exists


def asked(*sets: str, base: Path = Path("/")) -> dict[str, Any]:
    resolved = config.resolve("collect", sets=["data.task=Hopper-v4", "collect.kind=medium", *sets])
    return prepare({"config": config.dumps(resolved.config), "base_dir": str(base)})


def answered(answer: dict[str, Any], tmp_path: Path) -> config.Config:
    (tmp_path / "answer.toml").write_text(answer["config"])
    return config.load(tmp_path / "answer.toml")


def test_what_is_open_is_filled_in(tmp_path: Path) -> None:
    answer = asked("collect.output=mine.hdf5", base=tmp_path)
    settings = answered(answer, tmp_path)
    assert settings.collect.target_return == pytest.approx(1064.585, abs=0.01)
    assert settings.collect.output == answer["dataset"] == str(tmp_path / "mine.hdf5")
    assert (settings.data.ref_min, settings.data.ref_max) == (-20.272305, 3234.3)
    assert (settings.offline.epochs, settings.online.epochs, settings.run.device) == (0, 2000, "cpu")
    assert isinstance(settings.run.threads, int)
    assert answer["rows"] == 1_000_000 and answer["disk_mb"] > 100


@pytest.mark.parametrize(
    ("sets", "part"),
    [
        (["data.task=Pendulum-v1"], "--target-return"),
        (["data.task=Hoper-v4"], "did you mean 'Hopper-v4'"),
        (["data.task="], "data.task is empty"),
        (["data.path=bundled:quickstart"], "data.path"),
        (["run.from=a@switch"], "run.from"),
        (["run.device=cuda"], "on the CPU"),
        (["collect.output=nowhere/mine.hdf5"], "no folder that can be written in"),
        (["collect.output=mine.npz"], ".hdf5"),
        (["collect.output=there.hdf5"], "exists already"),
        (["collect.id=hopper"], "NAMESPACE/NAME-vN"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(sets: list[str], part: str, tmp_path: Path) -> None:
    (tmp_path / "there.hdf5").touch()
    with pytest.raises(ConfigError) as refused:
        asked(*sets, base=tmp_path)
    assert part in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_odd_is_said_and_not_refused(tmp_path: Path) -> None:
    answer = asked("data.task=Pendulum-v1", "collect.kind=medium-replay")
    assert [
        part for part in ("no reference returns", "no infos/qpos") if part not in " ".join(answer["warnings"])
    ] == []
    assert answered(answer, tmp_path).collect.target_return == "none"


# The bundled set


def test_the_bundled_set_is_the_one_its_page_describes() -> None:
    page = PAGE.read_text()
    assert hashlib.sha256(BUNDLED.read_bytes()).hexdigest() in page
    assert f"{BUNDLED.stat().st_size:,}".replace(",", " ") in page
    data = load("bundled:quickstart", "InvertedPendulum-v5")
    assert data.warnings == [] and data.task == "InvertedPendulum-v5"
    told = [f"mean {data.returns.mean():.1f}", f"deviation {data.returns.std():.1f}", f"{len(data.returns)} ("]
    assert all(fact in page for fact in told)
