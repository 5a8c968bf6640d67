"""Processes are known by host, boot, pid and start ticks, and signalled through a pidfd only."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from moore_engine import rundir
from moore_engine.rundir import write_json
from moore_tui.runs import identity
from tests.tui.made_runs import dead_identity, make_run, sleeper


def test_this_process_is_alive():
    assert identity.condition(rundir.this_process()) == identity.ALIVE


def test_the_same_pid_with_other_start_ticks_is_dead():
    assert identity.condition(dead_identity()) == identity.DEAD


def test_a_process_of_another_boot_is_dead():
    assert identity.condition({**rundir.this_process(), "boot": "another"}) == identity.DEAD


def test_of_a_process_of_another_host_nothing_is_known():
    assert identity.condition({**rundir.this_process(), "host": "another"}) == identity.ELSEWHERE


@pytest.mark.parametrize("record", [None, {}, {"pid": 1}, {"pid": "1", "start": 2}, {"pid": 1, "start": None}])
def test_a_malformed_record_is_dead(record):
    assert identity.condition(record) == identity.DEAD


def test_a_zombie_is_dead():
    with sleeper() as (process, who):
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert Path(f"/proc/{process.pid}").exists()
        assert identity.condition(who) == identity.DEAD


def test_a_signal_reaches_its_process():
    with sleeper() as (process, who):
        assert identity.send(who, signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM


@pytest.mark.parametrize("wrong", [{"host": "another"}, {"boot": "another"}, {"start": 1}])
def test_no_signal_goes_to_a_process_that_differs_in_anything(wrong):
    with sleeper() as (process, who):
        assert not identity.send({**who, **wrong}, signal.SIGKILL)
        assert process.poll() is None


def test_a_pid_reused_between_opening_and_checking_is_not_signalled(monkeypatch):
    with sleeper() as (process, who):
        answers = iter([True, False])
        monkeypatch.setattr(identity, "alive", lambda _: next(answers))
        assert not identity.send(who, signal.SIGKILL)
        assert process.poll() is None


def test_no_descriptor_is_left_open():
    before = len(list(Path("/proc/self/fd").iterdir()))
    identity.send(rundir.this_process(), 0)
    identity.send(dead_identity(), 0)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_doorbell_rings_the_trainer_of_the_state_file(tmp_path):
    run = make_run(tmp_path)
    with sleeper() as (process, who):
        write_json(run.state, {"identity": who})
        assert identity.doorbell(run)
        assert process.wait(10) == -signal.SIGUSR1
    assert not identity.doorbell(run)


def test_a_doorbell_without_a_state_file_rings_nobody(tmp_path):
    assert not identity.doorbell(make_run(tmp_path))


def test_identities_are_the_same_whatever_their_nonces():
    here = rundir.this_process()
    assert identity.same(here, {**rundir.this_process(), "nonce": "other"})
    assert not identity.same(here, dead_identity())
    assert not identity.same(None, None)
    assert identity.same(identity.identify(os.getpid()), here)
