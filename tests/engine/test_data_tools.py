"""The programs behind `moore-console data`: what they print for people and for programs, and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from moore_engine.data import catalogue, check_physics, genuine
from moore_engine.data.check_physics import Outcome
from moore_engine.data.minari_write import Rows, write_minari
from moore_engine.data.write import write_d4rl
from moore_engine.rundir import RunDir
from moore_engine.tools import data_check_physics, data_info, data_list, data_validate
from tests.engine.simulated import collected

COLUMNS = ("observations", "actions", "next_observations", "rewards", "terminals", "timeouts")


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def hopper(tmp_path: Path) -> Path:
    """600 rows of Hopper-v4 with states."""
    arrays = dict(collected("Hopper-v4", 600))
    arrays["timeouts"] = arrays["timeouts"].copy()
    arrays["timeouts"][-1] = not arrays["terminals"][-1]
    write_d4rl(tmp_path / "hopper.hdf5", **arrays, task="Hopper-v4", attrs={"made_by": "a test"})
    return tmp_path / "hopper.hdf5"


def run(tool: Any, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = tool.main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def test_the_list_shows_what_is_here_and_what_is_wrong_with_it(
    hopper: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = catalogue.datasets_dir()
    folder.mkdir(parents=True)
    for name in ("hopper_medium-v0.hdf5", "own.hdf5"):
        (folder / name).write_bytes(hopper.read_bytes())
    (folder / "walker2d_medium-v2.hdf5").write_bytes(b"\x89HDF\r\n\x1a\nnot really")
    (folder / "hopper_expert-v2.hdf5.part").write_bytes(bytes(10))
    (folder.parent / "tables").mkdir()
    (folder.parent / "tables" / "x.f32").write_bytes(bytes(1000))
    columns = (collected("Hopper-v4", 600)[key] for key in COLUMNS)
    write_minari("hopper/mine-v0", Rows(*columns), task="Hopper-v4", low=[-1] * 3, high=[1] * 3)
    (catalogue.minari_dir() / "cut-v0" / "data").mkdir(parents=True)
    code, out, err = run(data_list, capsys, "--json")
    found = {each["name"]: each for each in json.loads(out)["datasets"]}
    assert code == 0 and err == ""
    assert (found["bundled:quickstart"]["task"], found["bundled:quickstart"]["rows"]) == ("InvertedPendulum-v5", 500)
    assert found["hopper-medium-v0"]["kind"] == "D4RL" and "known faults" in found["hopper-medium-v0"]["note"]
    own = found[str(folder / "own.hdf5")]
    assert (own["kind"], own["task"], own["rows"], own["bytes"]) == ("file", "Hopper-v4", 600, hopper.stat().st_size)
    assert "is damaged" in found["walker2d-medium-v2"]["note"] or "truncated" in found["walker2d-medium-v2"]["note"]
    assert "data download hopper-expert-v2` goes on" in found["hopper-expert-v2"]["note"]
    mine = found["minari:hopper/mine-v0"]
    assert (mine["task"], mine["rows"]) == ("Hopper-v4", 600) and mine["bytes"] > 10_000
    assert "damaged" in found["minari:cut-v0"]["note"]
    assert json.loads(out)["cache"] == {"path": str(folder.parent / "tables"), "tables": 1, "bytes": 1000}
    code, out, err = run(data_list, capsys)
    assert out.splitlines()[0].split() == ["NAME", "TASK", "ROWS", "SIZE", "KIND", "NOTE"]
    assert len(out.splitlines()) == 1 + len(found) and str(folder) in err


def test_the_catalogue_marks_what_is_downloaded(capsys: pytest.CaptureFixture[str]) -> None:
    path = catalogue.d4rl()["hopper-medium-v1"].path
    path.parent.mkdir(parents=True)
    path.touch()
    code, out, _ = run(data_list, capsys, "--remote", "--json")
    found = {each["name"]: each for each in json.loads(out)["datasets"]}
    assert code == 0 and len(found) == 45 + 28
    assert found["hopper-medium-v1"]["note"] == "downloaded, swapped"
    assert found["walker2d-medium-v2"]["rows"] == 1_000_000 and found["walker2d-medium-v2"]["path"] is None
    assert found["mujoco/hopper/medium-v0"]["task"] == "Hopper-v5"
    _, out, _ = run(data_list, capsys, "--remote")
    d4rl, minari = out.split("\n\n")
    assert (len(d4rl.splitlines()), len(minari.splitlines())) == (1 + 45, 1 + 28)
    assert max(len(line) for line in out.splitlines() if "downloaded" not in line) <= 80


def test_what_a_file_says_reaches_no_terminal(hopper: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = catalogue.datasets_dir()
    folder.mkdir(parents=True)
    with h5py.File(hopper, "a") as file:
        file.attrs["task"] = "Hopper\x1b[31m-v4\x07"
        file.attrs["made_by"] = "\x1b]0;me\x07"
    (folder / "a.hdf5").write_bytes(hopper.read_bytes())
    for tool, words in (
        (data_list, []),
        (data_info, [str(hopper), "--task", "Hopper-v4"]),
        (data_validate, [str(hopper), "--task", "Hopper-v4"]),
        (data_info, [str(hopper)]),
    ):
        _, out, err = run(tool, capsys, *words)
        assert "\x1b" not in out + err and "\x07" not in out + err


def test_info_tells_the_sets_own_numbers(hopper: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = collected("Hopper-v4", 600)
    code, out, _ = run(data_info, capsys, str(hopper), "--json")
    facts = json.loads(out)
    ends = np.flatnonzero(arrays["terminals"] | arrays["timeouts"])
    ends = ends if ends[-1] == 599 else np.append(ends, 599)
    returns = np.diff(np.cumsum(arrays["rewards"])[ends], prepend=0)
    assert code == 0 and facts["problem"] is None and facts["warnings"] == []
    assert (facts["rows"], facts["episodes"], facts["task"], facts["task_found"]) == (
        600, ends.size, "Hopper-v4", "named in the set"
    )  # fmt: skip
    assert facts["return"]["mean"] == pytest.approx(returns.mean(), rel=1e-5)
    assert facts["score"]["mean"] == pytest.approx(100 * (returns.mean() + 20.272305) / (3234.3 + 20.272305), rel=1e-4)
    assert [column["low"] for column in facts["observations"]] == pytest.approx(arrays["observations"].min(axis=0))
    assert [column["high"] for column in facts["actions"]] == pytest.approx(arrays["actions"].max(axis=0))
    assert facts["genuine"] is None and facts["made_by"] == "a test"


def test_info_is_a_page_with_a_histogram(hopper: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(data_info, capsys, "hopper.hdf5")
    assert (code, err) == (0, "")
    for word in (
        "Hopper-v4 (named in the set)",
        "600",
        "score",
        "mean",
        "observation 10",
        "action 2",
        "reward",
        "bound",
    ):
        assert word in out
    assert max(map(len, out.splitlines())) <= 200


def test_info_of_what_a_run_refuses_says_so(hopper: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(hopper, "a") as file:
        file["next_observations"][:] = file["next_observations"][()][::-1]
    code, out, _ = run(data_info, capsys, str(hopper))
    assert code == 0 and "! A run would refuse it: " in out and "shuffled or" in out


def test_info_names_an_official_file(
    hopper: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "identify", lambda sha256: "hopper-medium-v1")
    _, out, _ = run(data_info, capsys, str(hopper))
    assert "genuine D4RL hopper-medium-v1" in out


def made_run(tmp_path: Path, sha256: str, evaluations: list[dict[str, Any]]) -> Path:
    run_dir = RunDir(tmp_path / "runs" / "mine")
    run_dir.path.mkdir(parents=True)
    run_dir.config.write_text("")
    events = [{"k": "run", "sha256": sha256, "resumed_seq": 0}, *({"k": "eval", **each} for each in evaluations)]
    lines = [json.dumps({"v": 1, "seq": seq, **event}) for seq, event in enumerate(events, start=1)]
    run_dir.events.write_text("\n".join(lines) + "\n")
    return run_dir.path


def test_info_compares_the_frozen_policy_of_a_run_with_its_data(
    hopper: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = json.loads(run(data_info, capsys, str(hopper), "--json")[1])
    good = [{"stage": "offline", "returns": [3000.0 + i, 3010.0], "baseline": i} for i in (1, 2)]
    before, after = {"stage": "offline", "returns": [1.0, 2.0]}, {"stage": "online", "returns": [5.0, 5.0]}
    path = made_run(tmp_path, facts["sha256"], [before, *good, after])
    code, out, _ = run(data_info, capsys, str(hopper), "--run", str(path), "--json")
    policy = json.loads(out)["policy"]
    assert code == 0
    assert (policy["word"], policy["policy_mean"], policy["policy_episodes"], policy["same_data"]) == (
        "policy better", 3005.75, 4, True
    )  # fmt: skip
    _, out, _ = run(data_info, capsys, str(hopper), "--run", str(path))
    assert "policy better: mine returns 3,006 +- " in out and "another data set" not in out


def test_without_a_frozen_policy_the_last_offline_evaluation_counts_and_other_data_are_named(
    hopper: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluations = [{"stage": "offline", "returns": [value, value + 1]} for value in (900.0, -50.0)]
    path = made_run(tmp_path, "0" * 64, evaluations)
    _, out, _ = run(data_info, capsys, str(hopper), "--run", str(path))
    assert "data better: mine returns -49.5 +- " in out and "was trained on another data set than this" in out


def test_a_run_without_an_evaluation_cannot_be_compared(
    hopper: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(data_info, capsys, str(hopper), "--run", str(made_run(tmp_path, "0" * 64, [])))
    assert (code, out) == (2, "") and "has not evaluated a policy in its offline stage yet" in err


@pytest.mark.parametrize("tool", [data_info, data_validate, data_check_physics])
@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("nowhere.hdf5", "there is no file"),
        ("quikstart", "there is no data set 'quikstart'; "),
        ("hopper-medium-v3", "did you mean hopper-medium-v"),
        ("hopper-medium-v2", "`moore-console data download hopper-medium-v2` fetches it, or put its file at"),
        ("bundled:none", "is not a bundled data set; there is bundled:quickstart"),
        ("minari:no/such-v0", "there is no Minari set no/such-v0"),
    ],
)
def test_a_data_set_that_is_not_there_is_one_sentence(
    tool: Any, word: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(tool, capsys, word)
    assert (code, out) == (2, "") and said in err and len(err.splitlines()) == 1


def test_a_set_that_names_no_task_is_asked_for_it_unless_something_else_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cheetah = {key: values[:400] for key, values in collected("HalfCheetah-v4").items()}
    write_d4rl(tmp_path / "mine.hdf5", **cheetah)
    code, _, err = run(data_info, capsys, "mine.hdf5")
    assert code == 2 and "name it with --task (Walker2d-v4 or HalfCheetah-v4)" in err
    write_d4rl(tmp_path / "halfcheetah_medium-v2.hdf5", **cheetah)
    facts = json.loads(run(data_info, capsys, "halfcheetah_medium-v2.hdf5", "--json")[1])
    assert (facts["task"], facts["task_found"]) == ("HalfCheetah-v4", "of the official file of this size or name")
    hopper = {key: values[:400] for key, values in collected("Hopper-v4").items()}
    write_d4rl(tmp_path / "other.hdf5", **hopper)
    facts = json.loads(run(data_info, capsys, "other.hdf5", "--json")[1])
    assert (facts["task"], facts["task_found"]) == ("Hopper-v4", "of its dimensions")
    code, _, err = run(data_info, capsys, "other.hdf5", "--task", "Hopper-v9")
    assert code == 2 and "did you mean 'Hopper-v5'?" in err


def states(out: str) -> dict[str, str]:
    return {check["check"]: check["state"] for check in json.loads(out)["checks"]}


def test_a_good_set_passes_every_check(hopper: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(data_validate, capsys, str(hopper))
    assert code == 0 and err == "Hopper-v4: no check failed, 0 with a warning\n"
    lines = [line.split()[:2] for line in out.splitlines()]
    names = ["layout", "values", "task", "rows", "flags", "version", "alignment", "termination"]
    names += ["columns", "identity", "physics"]
    assert lines == [["ok", name] for name in names]
    code, out, _ = run(data_validate, capsys, str(hopper), "--json")
    assert code == 0 and json.loads(out)["ok"] is True and set(states(out)) == set(names)
    numbers = {check["check"]: check["numbers"] for check in json.loads(out)["checks"]}
    arrays = collected("Hopper-v4", 600)
    assert numbers["flags"]["terminals"] == arrays["terminals"].sum()
    assert numbers["layout"] == {"rows": 600, "obs_dim": 11, "action_dim": 3, "format": "d4rl-v2"}


def change(path: Path, **arrays: Any) -> None:
    with h5py.File(path, "a") as file:
        for key, values in arrays.items():
            del file[key]
            if values is not None:
                file[key] = values


FAULTS: dict[str, tuple[Any, dict[str, str]]] = {
    "shuffled": (lambda a: {"next_observations": a["next_observations"][::-1]}, {"alignment": "fail"}),
    "both flags": (lambda a: {"timeouts": a["timeouts"] | a["terminals"]}, {"flags": "warn"}),
    "no falls": (
        lambda a: {"terminals": np.zeros(600, bool), "timeouts": a["timeouts"] | a["terminals"]},
        {"termination": "ok"},
    ),
    "falls everywhere": (lambda a: {"terminals": np.arange(600) % 3 == 0}, {"termination": "fail"}),
    "an unmarked end": (
        lambda a: {"timeouts": a["timeouts"] & (np.arange(600) == -1), "terminals": a["terminals"] & _but_one(a)},
        {"alignment": "warn", "termination": "warn"},
    ),
    "a constant column": (lambda a: {"actions": a["actions"] * np.array([1, 0, 1], np.float32)}, {"columns": "warn"}),
    "no next observations": (
        lambda a: {"next_observations": None},
        {"version": "warn", "rows": "warn", "alignment": "skip"},
    ),
    "not a number": (lambda a: {"rewards": np.where(np.arange(600) == 5, np.nan, a["rewards"])}, {"values": "fail"}),
    "actions out of bounds": (lambda a: {"actions": a["actions"] * 3}, {"values": "fail"}),
    "unequal lengths": (lambda a: {"rewards": a["rewards"][:-1]}, {"layout": "fail"}),
    "few rows": (lambda a: {key: a[key][:100] for key in COLUMNS}, {"rows": "fail"}),
    "other rewards": (lambda a: {"rewards": a["rewards"] * 10}, {"physics": "warn"}),
    "other dynamics": (lambda a: {"actions": -a["actions"]}, {"physics": "fail"}),
}


def _but_one(arrays: dict[str, np.ndarray]) -> np.ndarray:
    kept = np.ones(600, bool)
    kept[np.flatnonzero(arrays["terminals"])[3]] = False
    return kept


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_shows_in_its_check_and_decides_the_exit_code(
    fault: str, hopper: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(hopper) as file:
        arrays = {key: file[key][()] for key in COLUMNS}
    damage, expected = FAULTS[fault]
    change(hopper, **damage(arrays))
    code, out, _ = run(data_validate, capsys, str(hopper), "--json")
    found = states(out)
    assert expected.items() <= found.items(), found
    assert code == (2 if "fail" in found.values() else 0) and json.loads(out)["ok"] == (code == 0)
    assert ("fail" in found.values()) == ("fail" in expected.values()), found
    assert "run" not in found, "what a run refuses it for is among the checks"


def test_what_a_run_refuses_fails_even_if_no_check_says_why(
    hopper: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(hopper, actions=-collected("Hopper-v4", 600)["actions"])
    blind = Outcome("ok", "nothing seen", (), 1, 0)
    monkeypatch.setattr(check_physics, "check", lambda rows, task: blind)
    code, out, _ = run(data_validate, capsys, str(hopper), "--json")
    assert code == 2 and states(out)["physics"] == "ok" and states(out)["run"] == "fail"


def test_a_set_of_another_task_fails_for_it(hopper: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(data_validate, capsys, str(hopper), "--task", "Hopper-v5", "--json")
    assert code == 2 and states(out)["task"] == states(out)["physics"] == "fail"
    assert states(out)["alignment"] == "ok", "the other checks are made all the same"
    code, out, _ = run(data_validate, capsys, str(hopper), "--task", "Walker2d-v4", "--json")
    assert code == 2 and states(out) == {"layout": "fail"}


def test_a_file_that_only_looks_official_warns(
    hopper: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        genuine, "official", lambda: {"hopper_medium-v2": {"bytes": hopper.stat().st_size, "sha256": "0" * 64}}
    )
    code, out, _ = run(data_validate, capsys, str(hopper), "--json")
    assert code == 0 and states(out)["identity"] == "warn"


def test_minari_sets_are_checked_alike(capsys: pytest.CaptureFixture[str]) -> None:
    arrays = collected("Hopper-v4", 600)
    rows = Rows(*(arrays[key] for key in COLUMNS), infos={"qpos": arrays["qpos"], "qvel": arrays["qvel"]})
    write_minari("hopper/mine-v0", rows, task="Hopper-v4", low=[-1] * 3, high=[1] * 3)
    code, out, _ = run(data_validate, capsys, "minari:hopper/mine-v0", "--json")
    assert code == 0 and set(states(out).values()) == {"ok"}
    code, out, _ = run(data_validate, capsys, "minari:hopper/mine-v0", "--task", "Hopper-v5", "--json")
    assert code == 2 and states(out)["task"] == "fail"
    code, out, _ = run(data_info, capsys, "minari:hopper/mine-v0", "--json")
    assert code == 0 and json.loads(out)["rows"] == 600


def test_check_physics_prints_tables_and_ends_with_the_verdict(
    hopper: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(data_check_physics, capsys, str(hopper), "--rows", "100")
    assert code == 0 and out.rstrip().endswith("ok: The rows are Hopper-v4's.")
    assert "Hopper-v4, going on" in out and "Largest errors in Hopper-v4: observation " in out
    code, out, _ = run(data_check_physics, capsys, str(hopper), "--rows", "100", "--task", "Hopper-v5", "--json")
    facts = json.loads(out)
    assert code == 2 and facts["state"] == "fail" and facts["versions"][0]["task"] == "Hopper-v5"
    assert facts["versions"][0]["groups"]["terminal"]["rewards_off"] == 1
