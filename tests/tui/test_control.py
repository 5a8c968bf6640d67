"""Requests that are waited for, kill and resume, with living, silent and dead trainers."""

from __future__ import annotations

import signal
import time

import pytest

from moore_engine import control as files
from moore_engine import rundir
from moore_engine.rundir import read_json, write_json
from moore_tui.launchers.local import LocalLauncher
from moore_tui.runs import control, identity, model
from moore_tui.runs.errors import LostContact, Refused, RunIsLive
from tests.tui.made_runs import (
    FAKE,
    beat_at,
    dead_identity,
    do,
    ended,
    fake_run,
    keeper_of,
    launcher,
    make_run,
    sleeper,
    state_of,
    trainer_of,
    wait_at,
    wait_for,
    wait_until_over,
)


class NoLauncher:
    """Remembers that it was asked."""

    def __init__(self):
        self.started = []

    def start(self, run):
        self.started.append(run.id)
        return {}


@pytest.fixture
def waiting(tmp_path):
    """A run that waits at update 7 for the file `go`."""
    run = fake_run(tmp_path, do("wait", "go", update=7))
    with ended(run):
        launcher().start(run)
        wait_at(run, 7)
        yield run


def test_an_answer_says_where_in_the_run_it_holds(waiting):
    answer = control.request(waiting, "checkpoint", by="me")
    assert (answer.ok, answer.verb, answer.stage, answer.update, answer.path) == (
        True, "checkpoint", "offline", 7, "ckpt-7",
    )  # fmt: skip
    assert read_json(waiting.control / f"req-{answer.id}.json")["by"] == "me"


def test_pause_and_resume(waiting):
    control.request(waiting, "pause")
    assert state_of(waiting) == "paused"
    assert control.resume(waiting, launcher()) == "resumed"
    assert state_of(waiting) == "live"


def test_a_stop_is_answered_and_leaves_a_run_to_resume(waiting):
    control.request(waiting, "stop")
    assert wait_until_over(waiting)["why"] == "exit 75"
    assert (state_of(waiting), model.snapshot(waiting).detail) == ("interrupted", "resumable from ckpt-7")
    (waiting.path / "go").touch()
    assert control.resume(waiting, launcher()) == "launched"
    assert wait_until_over(waiting)["why"] == "exit 0"


def test_a_refusal_is_an_error_with_the_trainers_reason(waiting):
    with pytest.raises(Refused, match=r"run run refused set: cannot set sac\.lr") as error:
        control.request(waiting, "set", key="sac.lr", value="1")
    assert error.value.exit_code == 1
    assert control.request(waiting, "set", key="online.alpha", value="1").ok


def test_a_request_need_not_be_waited_for(waiting):
    assert control.request(waiting, "pause", wait=False) is None
    wait_for(lambda: state_of(waiting) == "paused")


def test_a_trainer_that_does_not_look_costs_the_timeout_and_the_request_stays(tmp_path):
    run = fake_run(tmp_path, do("mute", "go", update=7))
    with ended(run):
        launcher().start(run)
        wait_at(run, 7)
        with pytest.raises(LostContact, match=r"has not answered pause within 0\.05 s; the request stays") as error:
            control.request(run, "pause", timeout=0.05)
        assert error.value.exit_code == 5
        assert [posted.verb for posted in files.pending(run)] == ["pause"]
        (run.path / "go").touch()
        wait_for(lambda: state_of(run) == "paused")


def test_a_request_to_a_run_at_rest_is_not_even_posted(tmp_path):
    run = make_run(tmp_path)
    with pytest.raises(LostContact, match=r"run run is interrupted \(not started\), so nobody can pause it"):
        control.request(run, "pause")
    assert files.pending(run) == []


def test_a_request_whose_trainer_dies_is_withdrawn(tmp_path):
    run = make_run(tmp_path)
    with sleeper() as (process, who):
        write_json(run.state, {"identity": who, "status": "training"})
        beat_at(run, 0)
        # The doorbell kills this stand-in for a trainer: SIGUSR1 by default does.
        with pytest.raises(LostContact, match="so nobody can pause it"):
            control.request(run, "pause")
        assert process.wait(10) == -signal.SIGUSR1
    assert files.pending(run) == []
    ack = files.acknowledgement(run, next(run.control.glob("req-*")).name[4:-5])
    assert (ack["ok"], ack["why"]) == (False, "withdrawn: the run ended before it was served")


def test_a_request_outlives_a_crash_that_the_keeper_mends(tmp_path):
    run = fake_run(
        tmp_path, do("mute", "crash", update=7, attempt=1), do("signal", signal.SIGSEGV, update=7, attempt=1)
    )
    with ended(run):
        launcher().start(run)
        wait_at(run, 7)
        (run.path / "crash").touch()
        assert control.request(run, "pause").ok
        assert model.snapshot(run).attempt == 2


def test_a_stop_between_two_attempts_is_granted_by_the_keeper(tmp_path):
    run = fake_run(tmp_path, do("signal", signal.SIGSEGV, update=7))
    LocalLauncher(command=FAKE, options=["--backoff", "60"]).start(run)
    wait_for(lambda: state_of(run) == "restarting")
    assert control.request(run, "stop").ok
    assert (keeper_of(run)["status"], keeper_of(run)["why"]) == ("finished", "stopped")


def test_a_run_of_another_host_is_neither_killed_nor_resumed_from_here(tmp_path):
    run = make_run(tmp_path)
    write_json(run.state, {"identity": {**rundir.this_process(), "host": "far"}, "status": "training"})
    for age_s in (1, 1000):
        beat_at(run, age_s)
        with pytest.raises(LostContact, match="run run is on far"):
            control.kill(run)
        with pytest.raises(LostContact, match="on far"):
            control.resume(run, NoLauncher())


def test_killing_a_run_at_rest_does_nothing(tmp_path):
    run = make_run(tmp_path)
    write_json(run.state, {"identity": dead_identity(), "status": "training"})
    assert not control.kill(run)
    assert list(run.control.iterdir()) == []


def test_a_kill_while_a_trainer_starts_gets_it_too(tmp_path):
    run = fake_run(tmp_path, do("wait", "go", update=0))
    launcher().start(run)
    assert control.kill(run)
    assert not identity.alive(trainer_of(run))
    assert not rundir.is_locked(run)
    assert keeper_of(run)["status"] == "finished"


def test_a_live_run_is_not_resumed(waiting):
    with pytest.raises(RunIsLive, match="run run is live already") as error:
        control.resume(waiting, launcher())
    assert error.value.exit_code == 4


def test_a_run_without_its_keeper_is_adopted_by_resume(waiting):
    first = keeper_of(waiting)["identity"]
    identity.send(first, signal.SIGKILL)
    wait_for(lambda: not identity.alive(first))
    assert control.resume(waiting, launcher()) == "adopted"
    assert model.snapshot(waiting).kept


def test_a_resume_withdraws_what_would_stop_the_run_at_once(tmp_path):
    run = fake_run(tmp_path)
    for verb in ("pause", "stop", "checkpoint"):
        files.post(run, verb)
    assert control.resume(run, launcher()) == "launched"
    assert wait_until_over(run)["why"] == "exit 0"


def test_a_run_that_died_paused_goes_on_when_it_is_resumed(waiting):
    control.request(waiting, "pause")
    control.kill(waiting)
    (waiting.path / "go").touch()
    assert control.resume(waiting, launcher()) == "launched"
    assert wait_until_over(waiting)["why"] == "exit 0"


def test_a_paused_run_that_crashes_comes_back_paused(waiting):
    control.request(waiting, "pause")
    identity.send(trainer_of(waiting), signal.SIGKILL)
    wait_for(lambda: model.snapshot(waiting).attempt == 2 and state_of(waiting) == "paused")


def test_a_finished_run_is_not_launched_unless_it_is_extended(tmp_path):
    run, start = make_run(tmp_path), NoLauncher()
    write_json(run.state, {"identity": dead_identity(), "status": "done"})
    assert control.resume(run, start) == "done"
    assert control.resume(run, start, sets={"online.alpha": "2"}) == "done"
    assert (start.started, files.pending(run)) == ([], [])
    assert control.resume(run, start, sets={"online.epochs": "200"}) == "launched"
    assert start.started == ["run"]
    assert [(one.verb, one.args) for one in files.pending(run)] == [("set", {"key": "online.epochs", "value": "200"})]


def test_an_answer_comes_at_once(waiting):
    start = time.monotonic()
    for _ in range(10):
        control.request(waiting, "set", key="online.alpha", value="1")
    assert (time.monotonic() - start) / 10 < 0.5
