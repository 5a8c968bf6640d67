"""`status`, `list`, `logs` and `events` on run directories made by hand: live, crashed, torn, hostile, long."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from moore_engine import control
from moore_engine.config import Config, dumps
from moore_engine.rundir import RunDir, this_process, write_json
from moore_tui.cli import call
from moore_tui.headless.show import HEADER

POSITION = {"stage": "online", "epoch": 3, "update": 1200, "env_step": 400}


def event(seq: int, k: str, **fields: Any) -> str:
    return json.dumps({"v": 1, "seq": seq, "att": 1, "t": 1.0, **POSITION, "k": k, **fields}) + "\n"


def make(runs: Path, name: str, status: str, *, alive: bool = False, **state: Any) -> RunDir:
    """A run directory with two evaluations; `alive` makes this test's process its trainer."""
    run = RunDir(runs / name)
    run.make()
    run.config.write_text(dumps(Config()))
    who = this_process() if alive else {**this_process(), "start": 1}
    write_json(
        run.state, {"v": 1, "attempt": 1, "identity": who, "paused": False, "status": status, **POSITION, **state}
    )
    run.events.write_text(
        event(1, "eval", score=20.0, return_mean=600.0)
        + event(2, "eval", score=25.0, return_mean=812.44)
        + event(3, "perf", env_steps_per_s=41.5, updates_per_s=830.0, eta_s=185, rss_mb=512, doing="fitting \x1b[31m4")
    )
    (run.log / "attempt-1.log").write_text("first\nsecond \x1b[31mred\x1b[0m\nValueError: cheese\n")
    (run.beat / "1-60").touch()
    return run


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("MOORE_RUNS_DIR", str(folder))
    return folder


def said(text: str) -> dict[str, str]:
    """`status` output as names and values."""
    return {line.partition("  ")[0].strip(): line.partition("  ")[2].strip() for line in text.splitlines()}


def test_status_of_a_live_run(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make(runs, "alpha", "training", alive=True)
    (run.checkpoints / "ckpt-1000").mkdir()
    control.post(run, "checkpoint")
    assert call(["status", "alpha"]) == 0
    out, err = capsys.readouterr()
    found = said(out)
    assert found["state"] == "live  saving..."
    assert found["stage"].startswith("online, epoch 3 of 100 (")
    assert found["position"] == "update 1200, environment step 400"
    assert found["evaluation"] == "return 812.4, score 25.0 (online epoch 3)"
    assert found["speed"] == "41.5 step/s, 830 update/s" and found["doing"] == "fitting 4"
    assert found["checkpoint"].startswith("ckpt-1000, ") and found["requests"].startswith("checkpoint (not answered")
    assert "no keeper" in found["process"] and str(os.getpid()) in found["process"]
    assert "\x1b" not in out and err == ""


def test_status_of_a_crashed_run_shows_error_log_and_remedy(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(runs, "beta", "failed", error="ValueError: \x1b[2Jcheese", exit=1)
    assert call(["status", "beta"]) == 0
    out = capsys.readouterr().out
    found = said(out)
    assert found["state"].startswith("crashed") and found["error"] == "ValueError: cheese" and "doing" not in found
    assert "log         first\n            second" in out and "resume beta" in found["remedy"]
    assert "\x1b" not in out


def test_status_as_json_is_one_object_with_the_log(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(runs, "beta", "failed", exit=1)
    call(["status", "beta", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["state"] == "crashed" and found["score"] == 25.0 and found["log"][-1] == "ValueError: cheese"


def test_list_has_one_word_a_cell_but_for_the_last(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(runs, "alpha", "training", alive=True)
    make(runs, "beta", "done")
    RunDir(runs / "empty").make()
    bare = RunDir(runs / "gamma")
    bare.make()
    bare.config.write_text("not = [toml")
    assert call(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert tuple(lines[0].split()) == HEADER
    table = {line.split()[0]: line.split() for line in lines[1:]}
    assert table.keys() == {"alpha", "beta", "gamma"}
    assert table["alpha"][1:8] == ["live", "online", "3/100", "812.4", "25.0", "41.5step/s", table["alpha"][7]]
    assert table["beta"][1] == "done" and table["gamma"][1:4] == ["interrupted", "-", "-"]


def test_list_keeps_the_states_asked_for(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(runs, "alpha", "training", alive=True)
    make(runs, "beta", "done")
    assert call(["list", "--state", "done", "--json"]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["beta"]
    assert call(["list", "--state", "dead"]) == 2


def test_a_stage_that_is_over_shows_its_last_epoch(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make(runs, "alpha", "done", epoch=101, t=2.0)
    run.events.write_text("")
    call(["list"])
    assert capsys.readouterr().out.splitlines()[1].split()[3] == "100/100"


def test_an_empty_runs_directory_says_how_to_start(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["list"]) == 0
    out, err = capsys.readouterr()
    assert out == "" and "run quickstart" in err


def test_alone_without_a_terminal_it_prints_table_and_hint(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(runs, "beta", "done")
    assert call([]) == 0
    out, err = capsys.readouterr()
    assert "beta" in out and "--help" in err


def test_logs_print_the_last_lines_without_escapes(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make(runs, "alpha", "done")
    assert call(["logs", "alpha", "-n", "2"]) == 0
    found = capsys.readouterr().out
    assert [line.split()[0] for line in found.splitlines()] == ["second", "ValueError:"] and "\x1b" not in found
    (run.log / "attempt-2.log").write_text("again\ntorn")
    call(["logs", "alpha", "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"attempt": 2, "line": "again"}, {"attempt": 2, "line": "torn"}]
    call(["logs", "alpha", "--attempt", "1", "-n0"])
    assert "\x1b" not in (out := capsys.readouterr().out) and out.splitlines()[0] == "first"
    assert call(["logs", "alpha", "--attempt", "7"]) == 2


def test_following_a_run_that_has_ended_returns(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(runs, "alpha", "done")
    assert call(["logs", "alpha", "-f"]) == 0
    assert capsys.readouterr().out.endswith("cheese\n")
    assert call(["events", "alpha", "-f"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_events_leave_out_torn_lines_and_dead_attempts(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make(runs, "alpha", "done")
    with open(run.events, "a") as file:
        file.write("{bad}\n" + event(4, "run", resumed_seq=1) + event(5, "eval", score=1.0) + '{"torn":')
    call(["events", "alpha"])
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == [1, 4, 5]
    call(["events", "alpha", "--kind", "eval"])
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == [1, 5]
    assert call(["events", "alpha", "--kind", "evl"]) == 2


def test_a_hundred_thousand_events_stream_in_order(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make(runs, "alpha", "done")
    run.events.write_text("".join(event(seq, "loss", q=0.5) for seq in range(1, 100_001)))
    call(["events", "alpha"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 100_000 and json.loads(lines[-1])["seq"] == 100_000


def test_stopping_a_run_that_has_ended_is_no_error(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make(runs, "beta", "done")
    assert call(["stop", "beta"]) == 0
    assert "it is done" in capsys.readouterr().err and control.pending(run) == []


def test_setting_a_key_of_a_run_that_has_ended_tells_how(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make(runs, "beta", "stopped")
    assert call(["set", "beta", "online.alpha=0.5"]) == 5
    assert "resume beta --set online.alpha=0.5" in capsys.readouterr().err and control.pending(run) == []
