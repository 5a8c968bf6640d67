"""The run directory's files: atomic, tolerant of what is missing, and owned by one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from moore_engine import rundir
from moore_engine.rundir import AlreadyRunning, Beat, Lease, Lock, RunDir, RunDirError, Superseded


@pytest.fixture
def run(tmp_path):
    run = RunDir(tmp_path / "hopper")
    run.path.mkdir()
    run.make()
    return run


def test_exit_codes_are_frozen():
    codes = {name: value for name, value in vars(rundir).items() if name.startswith("EXIT_")}
    assert codes == {
        "EXIT_DONE": 0, "EXIT_FAILED": 1, "EXIT_USAGE": 2, "EXIT_NO_RUN": 3, "EXIT_RUNNING": 4, "EXIT_LOST": 5,
        "EXIT_STOPPED": 75, "EXIT_CTRL_C": 130,
    }  # fmt: skip


def test_a_run_exists_by_its_config_and_is_named_by_its_folder(run, monkeypatch):
    assert not run.exists()
    run.config.touch()
    assert run.exists()
    monkeypatch.chdir(run.path)
    assert RunDir(".").id == "hopper"


def test_making_the_folders_twice_keeps_what_is_in_them(run):
    (run.log / "attempt-1.log").touch()
    run.make()
    assert (run.log / "attempt-1.log").exists()


@pytest.mark.parametrize("durable", [True, False])
def test_an_atomic_write_replaces_the_file_and_leaves_no_other(tmp_path, durable):
    path = tmp_path / "state.json"
    for text in ("old", "new"):
        rundir.write_atomic(path, text, durable=durable)
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_never_sees_a_part(tmp_path):
    path, texts, stop = tmp_path / "state.json", ["a" * 50_000, "b" * 90_000], threading.Event()
    rundir.write_atomic(path, texts[0])

    def write():
        while not stop.is_set():
            for text in texts:
                rundir.write_atomic(path, text, durable=False)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert all(path.read_text() in texts for _ in range(300))
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("body", [None, b"", b"{", b"[]", b"null", b"\xff\xff", b'"x"'])
def test_what_is_no_json_object_reads_as_none(tmp_path, body):
    path = tmp_path / "x.json"
    if body is not None:
        path.write_bytes(body)
    assert rundir.read_json(path) is None


def test_json_comes_back_as_written(tmp_path):
    value = {"a": [1, 2.5, None, "é"], "b": {"c": True}}
    rundir.write_json(tmp_path / "x.json", value)
    assert rundir.read_json(tmp_path / "x.json") == value


def test_start_ticks_tell_a_process_from_a_later_one_of_the_same_pid():
    assert rundir.start_ticks(os.getpid()) == rundir.start_ticks(os.getpid()) > 0
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert rundir.start_ticks(child.pid) >= rundir.start_ticks(os.getpid())
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert rundir.start_ticks(child.pid) is None
    assert rundir.start_ticks(child.pid) is None


def test_start_ticks_survive_a_program_name_with_spaces_and_brackets(tmp_path):
    odd = tmp_path / "a) R (b"
    odd.symlink_to("/bin/sleep")
    with subprocess.Popen([str(odd), "60"]) as child:
        assert rundir.start_ticks(child.pid) >= rundir.start_ticks(os.getpid())
        child.kill()


def test_an_identity_is_json_with_a_nonce_of_its_own():
    one, other = rundir.this_process(), rundir.this_process()
    assert json.loads(json.dumps(one)) == one
    assert one["nonce"] != other["nonce"]
    assert {**one, "nonce": ""} == {**other, "nonce": ""}
    assert one["pid"] == os.getpid()


def test_a_lock_keeps_others_out_until_it_is_released(run):
    lock = Lock(run)
    assert rundir.is_locked(run)
    with pytest.raises(AlreadyRunning, match="run hopper is already running"):
        Lock(run)
    lock.release()
    assert not rundir.is_locked(run)


def test_the_kernel_drops_the_lock_of_a_killed_process(run):
    code = f"from moore_engine.rundir import *; Lock(RunDir({str(run.path)!r})); print(flush=True); input()"
    words = [sys.executable, "-c", "lock = None\n" + code.replace("Lock(", "lock = Lock(", 1)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert rundir.is_locked(run)
        child.kill()
        child.wait()
        assert not rundir.is_locked(run)


def test_a_grandchild_does_not_keep_the_lock(run):
    """Popen may return a moment before the kernel closes the child's copy, so this waits for it; a leak would last."""
    lock = Lock(run)
    with subprocess.Popen(["/bin/sleep", "60"], close_fds=False) as grandchild:
        lock.release()
        end = time.monotonic() + 10
        while rundir.is_locked(run) and time.monotonic() < end:
            time.sleep(0.01)
        grandchild.kill()
    assert time.monotonic() < end


def test_each_lease_takes_the_next_attempt(run):
    assert [Lease(run, status="starting").attempt for _ in range(3)] == [1, 2, 3]
    state = rundir.read_json(run.state)
    assert (state["attempt"], state["status"], state["paused"]) == (3, "starting", False)


def test_a_lease_remembers_that_the_run_was_paused(run):
    Lease(run).update(paused=True)
    assert Lease(run).paused_before
    assert not Lease(run).paused_before


def test_a_lease_keeps_its_fields_over_updates(run):
    lease = Lease(run, status="starting", stage="offline")
    lease.update(status="training", durable=False)
    state = rundir.read_json(run.state)
    assert (state["status"], state["stage"], state["v"]) == ("training", "offline", 1)


def test_a_superseded_attempt_is_told_at_its_next_check(run):
    old = Lease(run)
    old.check()
    new = Lease(run)
    with pytest.raises(Superseded, match="attempt 1 of this run was superseded by attempt 2"):
        old.check()
    new.check()


def test_a_state_rewritten_with_the_same_owner_supersedes_nobody(run):
    lease = Lease(run)
    rundir.write_json(run.state, rundir.read_json(run.state))
    lease.check()


def test_a_state_that_vanished_supersedes(run):
    lease = Lease(run)
    run.state.unlink()
    with pytest.raises(Superseded):
        lease.check()


def test_a_beat_is_one_file_whose_name_is_its_number_and_promise(run):
    assert rundir.read_beat(run) is None
    beat = Beat(run)
    for promise in (10, 0.5):
        beat(promise)
    assert [path.name for path in run.beat.iterdir()] == ["2-0.5"]
    number, promise, at = rundir.read_beat(run)
    assert (number, promise) == (2, 0.5)
    assert at == pytest.approx(next(run.beat.iterdir()).stat().st_mtime)


def test_beats_go_on_counting_in_the_next_attempt(run):
    Beat(run)(10)
    Beat(run)(10)
    assert rundir.read_beat(run)[:2] == (2, 10.0)


def test_each_beat_renews_the_time(run):
    beat = Beat(run)
    beat(10)
    os.utime(next(run.beat.iterdir()), (1, 1))
    beat(10)
    assert rundir.read_beat(run)[2] > 1_000_000


def test_strange_files_among_the_beats_are_ignored(run):
    for name in ("x", "1-", "-5", "3-x"):
        (run.beat / name).touch()
    assert rundir.read_beat(run) is None
    (run.beat / "1-5").touch()
    (run.beat / "12-5").touch()
    assert rundir.read_beat(run)[0] == 12


def test_errors_have_one_base():
    assert issubclass(AlreadyRunning, RunDirError)
    assert issubclass(Superseded, RunDirError)


def test_the_contract_modules_import_no_library_of_others():
    code = "import sys, moore_engine.rundir, moore_engine.events, moore_engine.control; print(*sys.modules)"
    words = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {os.fspath(ROOT)!r}); {code}"]
    loaded = {name.partition(".")[0] for name in subprocess.run(words, capture_output=True, text=True).stdout.split()}
    assert "moore_engine" in loaded
    assert {name for name in loaded if name not in sys.stdlib_module_names} <= {"moore_engine", "__main__"}


ROOT = rundir.Path(__file__).resolve().parents[2]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    rundir.write_json(path, {"n": 1})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        rundir.write_json(path, {"n": 2})
    assert rundir.read_json(path) == {"n": 1}
    assert list(tmp_path.iterdir()) == [path]
