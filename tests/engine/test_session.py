"""What a console can ask of a run, and what a session does by itself, with a subject that only counts."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from moore_engine import checkpoint, config, control, events
from moore_engine.rundir import Lease, RunDir, Superseded, read_beat, read_json
from moore_engine.session import Session, Stopped


class Counting:
    """A subject whose whole state is a number."""

    def __init__(self) -> None:
        self.n = 0

    def position(self) -> dict[str, Any]:
        return {"stage": "offline", "epoch": 1, "update": self.n, "env_step": 0}

    def state_dict(self) -> dict[str, Any]:
        return {"counters": {"n": self.n}, "weights": {"w": torch.full((3,), float(self.n))}}

    def step(self) -> int:
        return self.n

    def phase(self) -> int:
        return self.n

    def remaining_s(self) -> float | None:
        return None

    def doing(self) -> str:
        return "counting"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    run.config.write_text(config.dumps(config.Config()))
    handlers = {number: signal.getsignal(number) for number in (1, 2, 10, 12, 15)}
    session = Session(run)
    session.adopt(Counting())
    yield session
    for number, handler in handlers.items():
        signal.signal(number, handler)


def ring(session: Session) -> None:
    """A tick that looks at control/ now, as after the doorbell."""
    session._look_at = 0.0
    session.tick()


def answer(session: Session, request: control.Request) -> dict[str, Any]:
    found = control.acknowledgement(session.run, request.id)
    assert found is not None
    return found


def kinds(session: Session) -> list[str]:
    return [event["k"] for event in events.read(session.run.events)]


def test_a_checkpoint_is_taken_where_the_run_stands_and_named_in_the_answer(session: Session) -> None:
    session.subject.n = 7  # type: ignore[union-attr]
    request = control.post(session.run, "checkpoint")
    ring(session)
    granted = answer(session, request)
    assert granted["ok"]
    assert granted["update"] == 7
    state = checkpoint.load(checkpoint.find(session.run, granted["path"]))
    assert state["counters"] == {"n": 7}
    assert state["weights"]["w"].tolist() == [7.0, 7.0, 7.0]
    assert kinds(session) == ["ckpt", "ack"]


def test_stop_saves_answers_and_raises(session: Session) -> None:
    request = control.post(session.run, "stop")
    with pytest.raises(Stopped):
        ring(session)
    assert answer(session, request)["ok"]
    assert checkpoint.find(session.run).manifest["step"] == 0


def test_a_stop_signal_saves_and_raises_at_the_next_tick(session: Session) -> None:
    session.listen()
    os.kill(os.getpid(), signal.SIGUSR2)
    with pytest.raises(Stopped):
        session.tick()
    assert len(checkpoint.listing(session.run)) == 1


def test_a_stop_signal_heard_before_the_session_listened_counts(session: Session) -> None:
    session.listen([signal.SIGTERM])
    with pytest.raises(Stopped):
        ring(session)


def test_a_paused_run_beats_serves_and_goes_on_when_resumed(session: Session) -> None:
    control.post(session.run, "pause")
    beats: list[int] = []

    def console() -> None:
        while (read_json(session.run.state) or {}).get("status") != "paused":
            pass
        first = read_beat(session.run)
        request = control.post(session.run, "checkpoint")
        while control.acknowledgement(session.run, request.id) is None:
            pass
        while (now := read_beat(session.run)) is None or first is None or now[0] <= first[0]:
            pass
        beats.append(now[0] - first[0])
        control.post(session.run, "resume")

    person = threading.Thread(target=console)
    person.start()
    ring(session)
    person.join()
    assert beats[0] > 0
    assert not session.paused
    assert (read_json(session.run.state) or {})["status"] == "training"
    assert [e["verb"] for e in events.read(session.run.events) if e["k"] == "ack"] == ["pause", "checkpoint", "resume"]


def test_a_run_that_died_paused_comes_back_paused(session: Session) -> None:
    control.post(session.run, "pause")
    control.post(session.run, "resume")
    ring(session)
    session.lease.update(paused=True)
    assert Session(session.run).paused


def test_a_live_setting_holds_from_the_next_phase_and_is_replayed_by_a_later_attempt(session: Session) -> None:
    session.subject.n = 5  # type: ignore[union-attr]
    request = control.post(session.run, "set", key="online.alpha", value="0.5")
    ring(session)
    assert answer(session, request)["phase"] == 5
    assert session.settle(5) == []
    assert session.config.online.alpha == 1.0
    assert session.settle(6) == ["online.alpha"]
    assert session.config.online.alpha == 0.5
    again = Session(session.run)
    assert again.settle(5) == []
    assert again.settle(6) == ["online.alpha"]


@pytest.mark.parametrize(
    ("verb", "args", "why"),
    [
        ("set", {"key": "online.alpha", "value": "-1"}, "online.alpha"),
        ("set", {"key": "model.networks", "value": "3"}, "model.networks"),
        ("set", {"key": "online.alfa", "value": "1"}, "online.alpha"),
        ("dance", {}, "dance"),
    ],
)
def test_a_request_that_cannot_be_granted_says_why(session: Session, verb: str, args: dict[str, Any], why: str) -> None:
    request = control.post(session.run, verb, **args)
    ring(session)
    refused = answer(session, request)
    assert not refused["ok"]
    assert why in refused["why"]


def test_an_unreadable_request_is_refused_and_not_asked_again(session: Session) -> None:
    (session.run.control / f"req-{control.ulid()}.json").write_text("{")
    ring(session)
    assert control.pending(session.run) == []


def test_a_full_disk_holds_the_run_and_keeps_the_last_checkpoint(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session.save()
    real, tries = checkpoint.save, []

    def full(*args: Any, **options: Any) -> checkpoint.Checkpoint:
        tries.append(1)
        if len(tries) < 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args, **options)

    monkeypatch.setattr("moore_engine.session.DISK_S", 0.0)
    monkeypatch.setattr(checkpoint, "save", full)
    session.save()
    assert len(tries) == 3
    assert len(checkpoint.listing(session.run)) == 2
    assert "disk full" in capsys.readouterr().err


def test_another_kind_of_disk_error_is_not_swallowed(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **options: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(checkpoint, "save", broken)
    with pytest.raises(OSError, match="Input/output"):
        session.save()


def test_a_superseded_attempt_writes_no_more(session: Session) -> None:
    Lease(session.run)
    with pytest.raises(Superseded):
        session.emit("warn", what="late")
    assert kinds(session) == []


def test_speed_events_share_the_time_out_among_the_phases(session: Session) -> None:
    session.spent("update")
    session._perf_at = 0.0
    ring(session)
    session._perf_at = 1e-9
    ring(session)
    perf = [event for event in events.read(session.run.events) if event["k"] == "perf"]
    assert perf
    assert sum(perf[0]["phases"].values()) == pytest.approx(1.0, abs=0.01)
