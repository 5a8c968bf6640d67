"""Names of data sets, what is known of each, and where they lie on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moore_engine.data import catalogue, genuine


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))


def test_every_version_of_every_d4rl_set_is_known_with_its_checksum() -> None:
    known = catalogue.d4rl()
    assert len(known) == 3 * 5 * 3
    assert all(len(entry.sha256) == 64 and entry.bytes > 10**6 for entry in known.values())
    assert len({entry.sha256 for entry in known.values()}) == len({entry.source for entry in known.values()}) == 45
    assert next(iter(known)).endswith("-v2") and list(known)[-1].endswith("-v0")


def test_the_v2_sets_are_those_that_a_file_is_recognised_as() -> None:
    for name, facts in genuine.official().items():
        entry = catalogue.d4rl()[name.replace("_", "-")]
        assert (entry.sha256, entry.bytes, entry.rows) == (facts["sha256"], facts["bytes"], facts["total_rows"])
        assert entry.file == f"{name}.hdf5" and catalogue.identify(entry.sha256) == entry.name
    assert catalogue.identify("0" * 64) is None


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("hopper-medium-replay-v2", "gym_mujoco_v2/hopper_medium_replay-v2.hdf5"),
        ("halfcheetah-random-v1", "gym_mujoco_v1/halfcheetah_random-v1.hdf5"),
        ("hopper-medium-replay-v0", "gym_mujoco/hopper_mixed.hdf5"),
        ("walker2d-medium-replay-v0", "gym_mujoco/walker_mixed.hdf5"),
        ("walker2d-medium-expert-v0", "gym_mujoco/walker2d_medium_expert.hdf5"),
    ],
)
def test_each_lies_where_its_authors_put_it(name: str, source: str) -> None:
    assert catalogue.d4rl()[name].source == source


def test_the_cache_follows_the_xdg_variable_unless_it_is_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert catalogue.datasets_dir() == tmp_path / "cache" / "moore-console" / "datasets"
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert catalogue.datasets_dir() == tmp_path / ".cache" / "moore-console" / "datasets"
    monkeypatch.delenv("MINARI_DATASETS_PATH")
    assert catalogue.minari_dir() == tmp_path / ".minari" / "datasets"


def test_a_set_is_cached_once_its_file_is_there() -> None:
    assert catalogue.cached("hopper-medium-v2") is None and catalogue.cached("no-such-set") is None
    path = catalogue.d4rl()["hopper-medium-v2"].path
    path.parent.mkdir(parents=True)
    path.touch()
    assert catalogue.cached("hopper-medium-v2") == path


@pytest.mark.parametrize(
    ("reference", "task"),
    [
        ("hopper-medium-replay-v2", "Hopper-v4"),
        ("/data/walker2d_random-v0.hdf5", "Walker2d-v4"),
        ("HalfCheetah_medium_expert-v2.hdf5", "HalfCheetah-v4"),
        ("mine.hdf5", None),
        ("hopper.hdf5", None),
    ],
)
def test_a_name_tells_its_task(reference: str, task: str | None) -> None:
    assert catalogue.task_of(reference) == task


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("mujoco/hopper/medium-v0", True),
        ("minari:mujoco/hopper/medium-v0", True),
        ("hopper/x-v12", True),
        ("medium-v0", False),
        ("mujoco/hopper/medium", False),
        ("../x-v0", False),
        ("/a/b-v0", False),
        ("a/../b-v0", False),
        ("a//b-v0", False),
        ("a b/c-v0", False),
    ],
)
def test_what_is_a_minari_id(name: str, is_one: bool) -> None:
    assert catalogue.is_minari_id(name) == is_one


def test_minaris_mujoco_sets_are_named_with_their_tasks() -> None:
    known = catalogue.minari()
    assert len(known) == 6 * 3 + 5 * 2
    assert all(catalogue.is_minari_id(name) for name in known)
    assert known["mujoco/humanoidstandup/simple-v0"] == "HumanoidStandup-v5"
    assert "mujoco/swimmer/simple-v0" not in known


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    assert "did you mean hopper-medium-v2?" in str(catalogue.unknown("hoper-medium-v2"))
    assert "did you mean mujoco/hopper/medium-v0?" in str(catalogue.unknown("minari:mujoco/hoper/medium-v0"))
    assert "data list --remote" in str(catalogue.unknown("??????"))


def minari_set(name: str, metadata: str) -> Path:
    data = catalogue.minari_dir() / name / "data"
    data.mkdir(parents=True)
    (data / "metadata.json").write_text(metadata)
    return data


def test_minari_sets_are_found_at_any_depth_and_through_links_but_not_when_hidden(tmp_path: Path) -> None:
    spec = json.dumps({"id": "Hopper-v5"})
    minari_set("mujoco/hopper/medium-v0", json.dumps({"total_steps": 7, "env_spec": spec}))
    minari_set("top-v0", json.dumps({"total_steps": "many", "env_spec": "no json"}))
    minari_set("mujoco/hopper/.coming-v0", "{}")
    minari_set("damaged-v0", "{")
    (tmp_path / "disk" / "far-v0" / "data").mkdir(parents=True)
    (catalogue.minari_dir() / "linked").symlink_to(tmp_path / "disk")
    (catalogue.minari_dir() / "mujoco" / "circle").symlink_to(catalogue.minari_dir())
    found = {each.name: (each.task, each.rows) for each in catalogue.minari_sets() if "circle" not in each.name}
    assert found == {
        "mujoco/hopper/medium-v0": ("Hopper-v5", 7),
        "top-v0": (None, None),
        "damaged-v0": (None, None),
        "linked/far-v0": (None, None),
    }
