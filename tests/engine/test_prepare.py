"""What is checked before a run exists: every bad input is one sentence on stderr and exit code 2."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest

from moore_engine import config
from moore_engine.config import ConfigError
from moore_engine.tools.prepare import disk_mb, prepare
from tests.engine import trainer_runs as runs

TASK = "InvertedPendulum-v4"


def request(data: Path | str, *sets: str, task: str = TASK, trust: tuple[str, ...] = ()) -> dict[str, Any]:
    resolved = config.resolve(None, sets=[*runs.SMALL, f"data.path={data}", f"data.task={task}", *sets])
    return {"config": config.dumps(resolved.config), "trust": trust, "base_dir": "/"}


def parsed(answer: dict[str, Any], tmp_path: Path) -> config.Config:
    path = tmp_path / "answer.toml"
    path.write_text(answer["config"])
    return config.load(path)


def test_everything_open_is_filled_in(data: Path, tmp_path: Path) -> None:
    answer = prepare(request(data, "run.threads=auto", "run.device=auto"))
    settings = parsed(answer, tmp_path)
    assert isinstance(settings.run.threads, int)
    assert settings.run.device in ("cpu", "cuda")
    assert len(settings.data.sha256) == 64
    assert answer["rows"] == 1500
    assert answer["disk_mb"] > 0


def test_the_bundled_set_brings_its_own_reference_returns(tmp_path: Path) -> None:
    settings = parsed(prepare(request("bundled:quickstart", task="InvertedPendulum-v5")), tmp_path)
    assert settings.data.ref_min is not None
    assert settings.data.ref_max == 1000.0


def test_d4rl_tasks_get_d4rl_references(tmp_path: Path) -> None:
    data = runs.write_data(tmp_path / "hopper.hdf5", "Hopper-v4", 600)
    settings = parsed(prepare(request(data, task="Hopper-v4")), tmp_path)
    assert (settings.data.ref_min, settings.data.ref_max) == (-20.272305, 3234.3)


def test_a_relative_path_is_taken_from_the_callers_folder(data: Path, tmp_path: Path) -> None:
    asked = request(data.name) | {"base_dir": str(data.parent)}
    assert parsed(prepare(asked), tmp_path).data.path == str(data.resolve())


@pytest.mark.parametrize(
    ("sets", "task", "words"),
    [
        ((), "Hopper-v4", "Hopper-v4"),
        ((), "Hoper-v4", "Hopper-v4"),
        (("data.termination=os:system",), TASK, "--trust-code os:system"),
        (("run.from=/nowhere/run@switch",), TASK, "run.from"),
    ],
)
def test_bad_settings_are_one_sentence(data: Path, sets: tuple[str, ...], task: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        prepare(request(data, *sets, task=task))
    assert "\n" not in str(caught.value)


def test_a_task_left_open_is_the_one_the_data_set_names(data: Path, tmp_path: Path) -> None:
    assert parsed(prepare(request(data, "data.task=")), tmp_path).data.task == TASK


def test_a_task_that_nothing_names_is_asked_for(data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(data, tmp_path / "nameless.hdf5"))
    with h5py.File(copy, "a") as file:
        del file.attrs["task"]
    with pytest.raises(ConfigError, match=r"data\.task is empty"):
        prepare(request(copy, "data.task="))


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


def not_hdf5(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\n")


def without_actions(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["actions"]


def with_nan(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["rewards"][7] = float("nan")


def with_large_actions(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["actions"][3] = 3.5


def of_another_task(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["task"] = "InvertedPendulum-v5"


def shorter_rewards(path: Path) -> None:
    with h5py.File(path, "a") as file:
        rewards = file["rewards"][:-1]
        del file["rewards"]
        file["rewards"] = rewards


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (truncated, "truncated|cannot be read|damaged"),
        (not_hdf5, "git-lfs|LFS"),
        (without_actions, "actions"),
        (with_nan, "rewards"),
        (with_large_actions, "actions"),
        (of_another_task, "InvertedPendulum-v5"),
        (shorter_rewards, "rewards"),
        (Path.unlink, "spoilt"),
    ],
)
def test_bad_data_is_one_sentence_that_names_the_file(tmp_path: Path, data: Path, spoil: Any, words: str) -> None:
    path = tmp_path / "spoilt.hdf5"
    path.write_bytes(data.read_bytes())
    spoil(path)
    with pytest.raises(ConfigError, match=words) as caught:
        prepare(request(path))
    assert "spoilt.hdf5" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_program_answers_in_json_and_refuses_with_exit_code_2(tmp_path: Path, data: Path) -> None:
    words = [sys.executable, "-m", "moore_engine.tools.prepare"]
    good = subprocess.run(words, input=json.dumps(request(data)), capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout)["rows"] == 1500
    bad = subprocess.run(
        words, input=json.dumps(request(tmp_path / "none.hdf5")), capture_output=True, text=True, check=False
    )
    assert bad.returncode == 2
    assert bad.stdout == ""
    assert len(bad.stderr.strip().splitlines()) == 1
    assert "Traceback" not in bad.stderr


def test_the_disk_estimate_of_the_papers_hopper_run_is_that_of_its_model_rows() -> None:
    settings = config.resolve("hopper-medium-replay").config
    rows = 5 * 50_000 * 5, 4 * 100_000 * 5
    assert disk_mb(settings, 11, 3) == pytest.approx(3 * 4 * 27 * (max(rows) + 100_000) / 2**20, rel=0.12)
