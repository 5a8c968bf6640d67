"""Request and acknowledgement files."""

from __future__ import annotations

import re

import pytest

from moore_engine import control, rundir
from moore_engine.rundir import RunDir


@pytest.fixture
def run(tmp_path):
    return RunDir(tmp_path)


def test_a_request_waits_until_it_is_acknowledged(run):
    posted = control.post(run, "set", by="me", key="online.alpha", value="0.5")
    assert control.pending(run) == [posted]
    assert (posted.verb, posted.args, posted.by) == ("set", {"key": "online.alpha", "value": "0.5"}, "me")
    control.acknowledge(run, posted, True, update=7)
    assert control.pending(run) == []


def test_an_acknowledgement_says_what_became_of_the_request_and_where(run):
    posted = control.post(run, "checkpoint")
    assert control.acknowledgement(run, posted.id) is None
    control.acknowledge(run, posted, False, "disk full", stage="online", update=7)
    ack = control.acknowledgement(run, posted.id)
    assert ack.pop("t") >= posted.t
    where = {"stage": "online", "update": 7}
    assert ack == {"id": posted.id, "verb": "checkpoint", "args": {}, "ok": False, "why": "disk full", **where}


def test_requests_wait_in_the_order_they_were_posted(run, monkeypatch):
    times = iter(range(1000, 2000))
    monkeypatch.setattr(control.time, "time", lambda: next(times))
    posted = [control.post(run, verb) for verb in ("pause", "set", "resume", "stop")]
    assert control.pending(run) == posted


def test_ids_are_26_sortable_characters_and_all_different():
    ids = [control.ulid() for _ in range(2000)]
    assert all(re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", each) for each in ids)
    assert len(set(ids)) == 2000


def test_an_id_begins_with_its_milliseconds(monkeypatch):
    monkeypatch.setattr(control, "_newest", 0)
    monkeypatch.setattr(control.time, "time", lambda: 1469918176.385)
    assert control.ulid()[:10] == "01ARYZ6S41"


@pytest.mark.parametrize("body", ["", "{", "[]", '{"verb": "pause"}', '{"verb": "pause", "args": 3, "t": 0}'])
def test_a_request_that_cannot_be_read_is_one_of_an_unknown_verb(run, body):
    run.control.mkdir()
    (run.control / "req-01X.json").write_text(body)
    (found,) = control.pending(run)
    assert (found.id, found.verb) == ("01X", "unreadable")
    assert found.verb not in control.VERBS
    control.acknowledge(run, found, False, "unreadable")
    assert control.pending(run) == []


def test_half_written_requests_are_not_seen(run):
    run.control.mkdir()
    for name in (".req-01X.json.12.ab", "req-01X.tmp", "notes.txt"):
        (run.control / name).touch()
    assert control.pending(run) == []


def test_without_a_folder_nothing_is_pending(run):
    assert control.pending(RunDir(run.path / "none")) == []
    assert control.acknowledged(RunDir(run.path / "none"), "set") == []


def test_granted_requests_of_a_verb_are_kept_in_order(run, monkeypatch):
    times = iter(range(1000, 2000))
    monkeypatch.setattr(control.time, "time", lambda: next(times))
    for verb, value, ok in (("set", 1, True), ("pause", 2, True), ("set", 3, False), ("set", 4, True)):
        control.acknowledge(run, control.post(run, verb, value=value), ok)
    (run.control / "ack-garbage.json").write_text("{")
    assert [ack["args"]["value"] for ack in control.acknowledged(run, "set")] == [1, 4]


def test_a_request_is_durable_before_post_returns(run, monkeypatch):
    synced = []
    monkeypatch.setattr(rundir.os, "fsync", lambda fd: synced.append(fd))
    control.post(run, "stop")
    assert len(synced) == 2


def test_ids_of_one_process_sort_in_the_order_they_were_made():
    ids = [control.ulid() for _ in range(2000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
