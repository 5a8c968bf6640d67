"""The keeper with a trainer that only counts: restarts, refusals, kills, adoption, and its size."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from moore_engine import events, rundir
from moore_engine.rundir import RunDir, is_locked, read_json, write_json
from moore_tui.launchers.local import LocalLauncher
from moore_tui.runs import control, hold, identity, model
from moore_tui.runs.errors import LaunchFailed, RunIsLive, RunNotFound
from tests.tui.made_runs import (
    FAKE,
    ROOT,
    do,
    ended,
    fake_run,
    keeper_of,
    launcher,
    make_run,
    state_of,
    trainer_of,
    wait_at,
    wait_for,
    wait_until_over,
)


def endings(keeper):
    return [(one["exit"], one["signal"]) for one in keeper["attempts"]]


def test_a_run_is_kept_to_its_end(tmp_path):
    run = fake_run(tmp_path)
    launcher().start(run)
    keeper = wait_until_over(run)
    assert (keeper["status"], keeper["why"], endings(keeper)) == ("finished", "exit 0", [(0, None)])
    assert state_of(run) == "done"
    only = keeper["attempts"][0]
    assert only["n"] == 1
    assert only["at"] == {"stage": "offline", "epoch": 2, "update": 20, "env_step": 0}
    assert 5 < only["max_rss_mb"] < 60
    assert 0 < only["cpu_s"] < 20
    assert only["started"] < only["ended"]
    assert only["identity"]["pid"] == read_json(run.state)["identity"]["pid"]


def test_after_a_crash_the_trainer_goes_on_from_its_checkpoint(tmp_path):
    run = fake_run(tmp_path, do("signal", signal.SIGSEGV, update=13, attempt=1))
    launcher().start(run)
    keeper = wait_until_over(run)
    assert endings(keeper) == [(None, signal.SIGSEGV), (0, None)]
    assert keeper["attempts"][0]["at"]["update"] == 13
    starts = [one for one in events.read(run.events) if one["k"] == "run"]
    assert [one["update"] for one in starts] == [0, 10]
    updates = [one["update"] for one in events.visible(events.read(run.events)) if one["k"] == "loss"]
    assert updates == list(range(1, 21))


def test_a_trainer_that_dies_writing_is_started_again(tmp_path):
    run = fake_run(tmp_path, do("torn", update=13, attempt=1))
    launcher().start(run)
    assert endings(wait_until_over(run)) == [(None, signal.SIGKILL), (0, None)]
    assert all(events.parse(line) for line in run.events.read_bytes().splitlines())


def test_two_deaths_at_the_same_step_are_enough(tmp_path):
    run = fake_run(tmp_path, do("fail", "loss is nan", update=7))
    launcher().start(run)
    keeper = wait_until_over(run)
    assert (keeper["status"], keeper["restarts"], endings(keeper)) == ("given up", 1, [(1, None), (1, None)])
    snapshot = model.snapshot(run)
    assert (snapshot.state, snapshot.exit) == ("crashed", 1)
    assert snapshot.detail == "exit 1; loss is nan; two attempts died at the same step"


def test_a_trainer_that_never_starts_is_given_up_at_the_second_time(tmp_path):
    run = fake_run(tmp_path, do("exit", 1, update=-1))
    launcher().start(run)
    keeper = wait_until_over(run)
    assert (keeper["status"], len(keeper["attempts"])) == ("given up", 2)


def test_progress_between_deaths_allows_further_restarts_but_not_without_end(tmp_path):
    script = [do("signal", signal.SIGKILL, update=5 * number + 1, attempt=number) for number in range(1, 10)]
    run = fake_run(tmp_path, *script, epochs=10)
    launcher("--max-restarts", "3").start(run)
    keeper = wait_until_over(run)
    assert (keeper["status"], keeper["why"]) == ("given up", "restarted 3 times already")
    assert [one["at"]["update"] for one in keeper["attempts"]] == [6, 11, 16, 21]


def test_the_wait_doubles_up_to_the_cap(tmp_path):
    script = [do("signal", signal.SIGKILL, update=5 * number + 1, attempt=number) for number in range(1, 5)]
    run = fake_run(tmp_path, *script)
    LocalLauncher(command=FAKE, options=["--backoff", "0.05", "--backoff-cap", "0.1"]).start(run)
    made = wait_until_over(run)["attempts"]
    waits = [after["started"] - before["ended"] for before, after in pairwise(made)]
    assert len(waits) == 3
    assert all(least <= wait for wait, least in zip(waits, (0.05, 0.1, 0.1), strict=True))
    assert keeper_of(run)["policy"] == {"max_restarts": 5, "backoff_s": 0.05, "backoff_cap_s": 0.1}


@pytest.mark.parametrize("code", [2, 3, 4, 75, 130])
def test_these_exit_codes_are_final(tmp_path, code):
    run = fake_run(tmp_path, do("exit", code, update=-1))
    launcher().start(run)
    keeper = wait_until_over(run)
    assert (keeper["status"], keeper["why"], endings(keeper)) == ("finished", f"exit {code}", [(code, None)])


def test_what_a_trainer_said_before_it_died_at_once_is_in_its_log(tmp_path):
    run = fake_run(tmp_path, do("exit", 2, update=-1))
    launcher().start(run)
    wait_until_over(run)
    snapshot = model.snapshot(run)
    assert snapshot.last_log_lines(1) == ["leaving because the script says so"]
    assert (snapshot.state, snapshot.detail) == ("crashed", "exit 2; leaving because the script says so")


def test_a_killed_run_is_not_started_again(tmp_path):
    run = fake_run(tmp_path, do("wait", "go", update=7))
    launcher().start(run)
    wait_at(run, 7)
    assert control.kill(run)
    keeper = keeper_of(run)
    assert (keeper["status"], keeper["why"], endings(keeper)) == ("finished", "killed", [(None, signal.SIGKILL)])
    assert (state_of(run), model.snapshot(run).detail) == ("interrupted", "killed, resumable from ckpt-5")
    assert not control.kill(run)


def test_a_kill_where_the_attempt_before_crashed_is_a_kill(tmp_path):
    run = fake_run(tmp_path, do("signal", signal.SIGSEGV, update=7, attempt=1), do("wait", "go", update=7, attempt=2))
    launcher().start(run)
    wait_for(lambda: model.snapshot(run).attempt == 2)
    wait_at(run, 7)
    control.kill(run)
    assert (keeper_of(run)["status"], keeper_of(run)["why"]) == ("finished", "killed")


def test_a_killed_run_is_resumed_and_then_restarted_as_ever(tmp_path):
    run = fake_run(tmp_path, do("wait", "go", update=7, attempt=1), do("signal", signal.SIGSEGV, update=8, attempt=2))
    launcher().start(run)
    wait_at(run, 7)
    control.kill(run)
    assert control.resume(run, launcher()) == "launched"
    keeper = wait_until_over(run)
    assert endings(keeper) == [(None, signal.SIGKILL), (None, signal.SIGSEGV), (0, None)]
    assert [one["n"] for one in keeper["attempts"]] == [1, 2, 3]
    assert [one["killed"] for one in keeper["attempts"]] == [True, False, False]


def test_a_kill_between_two_attempts_ends_the_waiting(tmp_path):
    run = fake_run(tmp_path, do("signal", signal.SIGSEGV, update=7))
    LocalLauncher(command=FAKE, options=["--backoff", "60"]).start(run)
    wait_for(lambda: state_of(run) == "restarting")
    assert control.kill(run)
    assert endings(keeper_of(run)) == [(None, signal.SIGSEGV)]
    assert keeper_of(run)["status"] == "finished"


def test_a_killed_keeper_leaves_its_trainer_and_the_next_one_adopts_it(tmp_path):
    run = fake_run(tmp_path, do("wait", "go", update=7))
    with ended(run):
        first = launcher().start(run)
        wait_at(run, 7)
        identity.send(first, signal.SIGKILL)
        wait_for(lambda: not identity.alive(first))
        assert (state_of(run), model.snapshot(run).kept) == ("live", False)
        second = launcher().start(run)
        assert not identity.same(first, second)
        assert (state_of(run), model.snapshot(run).kept) == ("live", True)
        assert len(keeper_of(run)["attempts"]) == 1
        (run.path / "go").touch()
        keeper = wait_until_over(run)
    assert (keeper["status"], endings(keeper)) == ("finished", [(0, None)])
    assert keeper["attempts"][0]["adopted"]


def test_an_adopted_trainer_that_crashes_is_started_again(tmp_path):
    run = fake_run(tmp_path, do("wait", "go", update=7, attempt=1))
    with ended(run):
        first = launcher().start(run)
        wait_at(run, 7)
        identity.send(first, signal.SIGKILL)
        wait_for(lambda: not identity.alive(first))
        launcher().start(run)
        identity.send(trainer_of(run), signal.SIGKILL)
        keeper = wait_until_over(run)
    assert endings(keeper) == [(None, None), (0, None)]
    assert (keeper["status"], keeper["attempts"][1]["n"]) == ("finished", 2)


def test_a_trainer_started_by_hand_is_adopted(tmp_path):
    run = fake_run(tmp_path, do("wait", "go", update=7))
    with ended(run), subprocess.Popen([*FAKE, str(run.path)], stdout=subprocess.DEVNULL) as trainer:
        wait_at(run, 7)
        launcher().start(run)
        assert trainer_of(run)["pid"] == trainer.pid
        (run.path / "go").touch()
        assert trainer.wait(30) == 0
        assert wait_until_over(run)["why"] == "exit 0"


def test_a_keeper_told_to_end_leaves_its_trainer(tmp_path):
    run = fake_run(tmp_path, do("wait", "go", update=7))
    with ended(run):
        who = launcher().start(run)
        wait_at(run, 7)
        identity.send(who, signal.SIGTERM)
        wait_for(lambda: not identity.alive(who))
        assert keeper_of(run)["status"] == "left"
        assert state_of(run) == "live"


def test_a_hang_up_ends_neither_keeper_nor_trainer(tmp_path):
    run = fake_run(tmp_path, do("wait", "go", update=7))
    with ended(run):
        who = launcher().start(run)
        wait_at(run, 7)
        identity.send(who, signal.SIGHUP)
        identity.send(trainer_of(run), signal.SIGHUP)
        control.request(run, "checkpoint")
        (run.path / "go").touch()
        assert wait_until_over(run)["why"] == "exit 0"


def test_keeper_and_trainer_have_sessions_of_their_own_and_no_terminal(tmp_path):
    run = fake_run(tmp_path, do("wait", "go", update=7))
    with ended(run):
        keeper = launcher().start(run)["pid"]
        wait_at(run, 7)
        trainer = trainer_of(run)["pid"]
        assert os.getsid(keeper) == keeper
        assert os.getsid(trainer) == trainer
        assert _open_at(trainer, 0) == Path(os.devnull)
        assert _open_at(trainer, 1) == run.log / "attempt-1.log"
        assert _open_at(keeper, 2) == run.log / "keeper.log"


def test_a_trainer_inherits_no_descriptor_and_no_blocked_signal(tmp_path):
    run = make_run(tmp_path)
    code = "import os; print(sorted(os.listdir('/proc/self/fd'), key=int)); print(open('/proc/self/status').read())"
    LocalLauncher(command=[sys.executable, "-c", code]).start(run)
    wait_until_over(run)
    log = (run.log / "attempt-1.log").read_text()
    assert log.startswith("['0', '1', '2', '3']\n")
    assert "SigBlk:\t0000000000000000\n" in log


def test_a_second_keeper_is_refused(tmp_path):
    run = fake_run(tmp_path, do("wait", "go", update=7))
    with ended(run):
        launcher().start(run)
        with pytest.raises(RunIsLive, match="has a keeper already") as error:
            launcher().start(run)
        assert error.value.exit_code == 4
        assert len(keeper_of(run)["attempts"]) == 1


def test_of_many_keepers_at_once_one_gets_the_run(tmp_path):
    run = fake_run(tmp_path, do("wait", "go", update=7))
    with ended(run):
        words = [sys.executable, "-m", "moore_tui.keeper", str(run.path), "--detach", "--", *FAKE]
        started = [subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL) for _ in range(5)]
        assert sorted(one.wait(30) for one in started) == [0, 4, 4, 4, 4]


def test_a_run_locked_by_an_unknown_process_is_refused(tmp_path):
    run = fake_run(tmp_path)
    lock = rundir.Lock(run)
    with pytest.raises(RunIsLive, match="its lock is held"):
        launcher().start(run)
    lock.release()


def test_a_run_that_beats_on_another_host_is_refused(tmp_path):
    run = fake_run(tmp_path)
    write_json(run.state, {"identity": {**rundir.this_process(), "host": "far"}, "status": "training"})
    (run.beat / "1-10").touch()
    with pytest.raises(RunIsLive, match="is running on far"):
        launcher().start(run)


def test_what_is_no_run_and_what_is_no_program_are_refused(tmp_path):
    with pytest.raises(RunNotFound):
        launcher().start(RunDir(tmp_path / "none"))
    with pytest.raises(LaunchFailed, match=r"cannot start the trainer of run run: .*no-such-program"):
        LocalLauncher(command=["/no-such-program"]).start(make_run(tmp_path))


@pytest.mark.parametrize("words", [[], ["a", "b"], ["a", "--backoff"], ["a", "--backoff", "x"], ["--never"]])
def test_wrong_arguments_exit_2_with_the_usage(words):
    done = subprocess.run([sys.executable, "-m", "moore_tui.keeper", *words], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr.startswith("keeper: usage:")) == (2, True)


def test_a_keeper_in_the_foreground_stays_until_the_run_is_over(tmp_path):
    run = fake_run(tmp_path)
    words = [sys.executable, "-m", "moore_tui.keeper", str(run.path), "--", *FAKE]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.splitlines()[-1].endswith("finished: exit 0")) == (0, True)


def test_a_hold_that_somebody_left_does_not_bar_the_first_attempt_of_a_resume(tmp_path):
    run = fake_run(tmp_path)
    hold.put(run, hold.KILLED)
    control.resume(run, launcher())
    assert wait_until_over(run)["why"] == "exit 0"


def test_the_keeper_holds_at_most_16_megabytes_also_after_restarts(tmp_path):
    script = [do("signal", signal.SIGKILL, update=5 * number + 1, attempt=number) for number in range(1, 4)]
    run = fake_run(tmp_path, *script, do("wait", "go", update=18))
    with ended(run):
        who = launcher().start(run)
        wait_at(run, 18)
        assert keeper_of(run)["restarts"] == 3
        status = Path(f"/proc/{who['pid']}/status").read_text().splitlines()
        most_kb = next(int(text.split()[1]) for text in status if text.startswith("VmHWM"))
        assert most_kb <= 16 * 1024


def test_the_keeper_imports_nothing_heavy():
    code = "import sys, moore_tui.keeper; print(*sys.modules)"
    words = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"]
    loaded = set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())
    heavy = {
        "torch",
        "numpy",
        "textual",
        "rich",
        "typer",
        "msgspec",
        "subprocess",
        "socket",
        "ssl",
        "inspect",
        "hashlib",
    }
    assert loaded & heavy == set()


def test_a_trainer_stopped_in_its_tracks_is_stalled_and_can_be_killed(tmp_path):
    run = fake_run(tmp_path, do("hang", update=7), promise=0.01)
    launcher().start(run)
    with ended(run):
        wait_for(lambda: state_of(run) == "stalled")
        assert is_locked(run)
    assert not is_locked(run)


def _open_at(pid, fd):
    return Path(f"/proc/{pid}/fd/{fd}").readlink()
