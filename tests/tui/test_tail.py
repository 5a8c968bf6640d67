"""Files that are read while they are written: torn lines, dead attempts, replaced files, slices."""

from __future__ import annotations

import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moore_engine import events as contract
from moore_tui.runs import newest, tail
from moore_tui.runs.newest import NewestTail
from moore_tui.runs.tail import EventLog, EventTail, LogTail
from tests.tui.made_runs import event, line


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


def seqs(events):
    return [one["seq"] for one in events]


def test_a_missing_file_gives_nothing_until_it_appears(path):
    log = EventLog(path)
    assert not log.poll().changed
    path.write_bytes(line(event(1)))
    assert seqs(log.poll().events) == [1]


def test_each_event_comes_once(path):
    log = EventTail(path)
    path.write_bytes(line(event(1)))
    assert seqs(log.poll().events) == [1]
    assert not log.poll().changed
    with open(path, "ab") as file:
        file.write(line(event(2)) + line(event(3)))
    assert seqs(log.poll().events) == [2, 3]


def test_a_torn_last_line_is_waited_for(path):
    whole = line(event(2))
    path.write_bytes(line(event(1)) + whole[:10])
    log = EventTail(path)
    assert seqs(log.poll().events) == [1]
    assert not log.poll().changed
    with open(path, "ab") as file:
        file.write(whole[10:])
    assert seqs(log.poll().events) == [2]
    assert log.bad == 0


def test_a_torn_line_that_a_resuming_trainer_cuts_is_never_seen(path):
    path.write_bytes(line(event(1)) + b'{"torn')
    log = EventLog(path)
    log.poll()
    path.write_bytes(line(event(1)))
    with open(path, "ab") as file:
        file.write(line(event(2)))
    batch = log.poll()
    assert (seqs(log.events), batch.reset, log.bad) == ([1, 2], False, 0)


@pytest.mark.parametrize(
    "bad",
    [b"nonsense", b"", b"[1]", b"7", b'{"seq":1}', b'{"k":"loss"}', b"\0\0\0", b"\xff\xfe", b'{"k":"a"},{"k":"b"}'],
)
def test_a_bad_line_is_counted_and_skipped(path, bad):
    path.write_bytes(line(event(1)) + bad + b"\n" + line(event(2)))
    log = EventTail(path)
    assert seqs(log.poll().events) == [1, 2]
    assert log.bad == 1


def test_events_after_the_checkpoint_of_a_resume_are_hidden(path):
    path.write_bytes(b"".join(map(line, [event(1), event(2), event(3), event(4, "run", resumed_seq=2), event(5)])))
    log = EventLog(path)
    log.read_all()
    assert seqs(log.events) == [1, 2, 4, 5]


def test_a_resume_takes_back_what_was_given_before(path):
    path.write_bytes(b"".join(map(line, [event(1), event(2), event(3)])))
    log = EventLog(path)
    log.poll()
    with open(path, "ab") as file:
        file.write(line(event(4, "run", resumed_seq=1)))
    batch = log.poll()
    assert (batch.keep_seq, seqs(batch.events)) == (1, [4])
    assert seqs(log.events) == [1, 4]


def test_a_second_resume_from_an_older_checkpoint_hides_both_dead_attempts(path):
    bodies = [event(1), event(2), event(3, "run", resumed_seq=2), event(4), event(5, "run", resumed_seq=1), event(6)]
    path.write_bytes(b"".join(map(line, bodies)))
    log = EventLog(path)
    assert seqs(log.read_all()) == [1, 5, 6]


def test_a_start_without_a_checkpoint_hides_all_that_came_before(path):
    path.write_bytes(b"".join(map(line, [event(1, "run", resumed_seq=0), event(2), event(3, "run", resumed_seq=0)])))
    log = EventLog(path)
    assert seqs(log.read_all()) == [3]


@given(st.lists(st.integers(min_value=0, max_value=8), max_size=30), st.randoms())
def test_any_history_in_any_slices_reads_as_the_contract_says(tmp_path_factory, script, chance):
    bodies = [
        event(seq, "run", resumed_seq=max(0, seq - back)) if back else event(seq) for seq, back in enumerate(script, 1)
    ]
    path = tmp_path_factory.mktemp("history") / "events.jsonl"
    whole = b"".join(map(line, bodies))
    log = EventLog(path)
    path.write_bytes(b"")
    at = 0
    while at < len(whole):
        step = chance.randint(1, 400)
        with open(path, "ab") as file:
            file.write(whole[at : at + step])
        at += step
        log.poll(chance.randint(1, 300))
    log.read_all()
    assert log.events == contract.visible(bodies)
    assert seqs(newest.recent(path, 1 << 20)) == seqs(contract.visible(bodies))[::-1]


def test_a_file_cut_below_what_was_read_is_read_anew(path):
    path.write_bytes(line(event(1)) + line(event(2)))
    log = EventLog(path)
    log.poll()
    path.write_bytes(line(event(1)))
    assert log.poll().reset
    assert seqs(log.events) == [1]


def test_a_replaced_file_is_read_anew(path, tmp_path):
    path.write_bytes(line(event(1)))
    log = EventLog(path)
    log.poll()
    other = tmp_path / "other"
    other.write_bytes(line(event(8)) + line(event(9)))
    other.replace(path)
    assert log.poll().reset
    assert seqs(log.events) == [8, 9]


def test_a_file_rewritten_in_place_and_longer_is_read_anew(path):
    path.write_bytes(line(event(1)))
    log = EventLog(path)
    log.poll()
    with open(path, "r+b") as file:
        file.write(line(event(5)) + line(event(6)))
    assert log.poll().reset
    assert seqs(log.events) == [5, 6]


def test_a_file_that_vanishes_takes_its_events_along(path):
    path.write_bytes(line(event(1)))
    log = EventLog(path)
    log.poll()
    path.unlink()
    assert log.poll().reset
    assert log.events == []


def test_a_file_that_cannot_be_read_for_a_while_keeps_its_events(path, monkeypatch):
    path.write_bytes(line(event(1)))
    log = EventLog(path)
    log.poll()

    def stale(*args):
        raise OSError(116, "Stale file handle")

    for call in ("open", "pread"):
        with monkeypatch.context() as patched:
            patched.setattr(tail.os, call, stale)
            assert not log.poll().changed
    assert seqs(log.events) == [1]
    with open(path, "ab") as file:
        file.write(line(event(2)))
    assert seqs(log.poll().events) == [2]


def test_a_slice_ends_at_a_line_and_says_that_there_is_more(path):
    path.write_bytes(b"".join(line(event(seq)) for seq in range(1, 101)))
    log = EventTail(path)
    first = log.poll(1000)
    assert first.more
    assert 0 < len(first.events) < 100
    found = list(first.events)
    while (batch := log.poll(1000)).events:
        found += batch.events
    assert seqs(found) == list(range(1, 101))


def test_a_line_longer_than_the_slice_still_comes(path):
    path.write_bytes(line(event(1, "warn", what="x" * 5000)) + line(event(2)))
    log = EventTail(path)
    found = log.poll(100).events + log.poll(100).events
    assert seqs(found) == [1, 2]


def test_a_hundred_thousand_lines_take_a_second_and_the_first_come_at_once(path):
    loss = {"q": 0.1234567, "actor": -3.25, "temperature": 0.1, "entropy": 1.5, "q_mean": 31.25}
    block = b"".join(line(event(seq, **loss)) for seq in range(1, 100_001))
    path.write_bytes(block)
    log = EventTail(path)
    start = time.process_time()
    first = log.poll()
    first_s = time.process_time() - start
    count = len(first.events)
    while (batch := log.poll()).events:
        count += len(batch.events)
    assert count == 100_000
    assert first_s < 0.3
    assert time.process_time() - start < 3


def test_recent_gives_the_newest_first_and_reads_the_end_only(path):
    path.write_bytes(b"".join(line(event(seq)) for seq in range(1, 10_001)))
    found = seqs(newest.recent(path, 2000))
    assert found == list(range(10_000, 10_000 - len(found), -1))
    assert 10 < len(found) < 30


def test_recent_of_some_kinds_keeps_the_newest_of_all_and_hides_dead_attempts(path):
    bodies = [event(1, "eval"), event(2), event(3, "eval"), event(4, "run", resumed_seq=2), event(5), event(6)]
    path.write_bytes(b"".join(map(line, bodies)))
    assert seqs(newest.recent(path, kinds=("eval",))) == [6, 4, 1]


def test_recent_ignores_a_torn_line(path):
    path.write_bytes(line(event(1)) + b'{"v":1,"seq":2,"k":"lo')
    assert seqs(newest.recent(path)) == [1]


HISTORY = st.lists(st.tuples(st.sampled_from(["loss", "eval", "perf", "run", "bad"]), st.integers(0, 6)), max_size=30)


@given(HISTORY, st.randoms())
def test_the_newest_of_a_kind_are_those_of_all_visible_events_however_the_file_grows(tmp_path_factory, script, chance):
    path = tmp_path_factory.mktemp("newest") / "events.jsonl"
    found = NewestTail(path, ("eval", "perf"))
    assert not found.poll()
    waiting = b""
    for seq, (kind, back) in enumerate(script, 1):
        body = event(seq, kind, **({"resumed_seq": max(0, seq - back)} if kind == "run" else {}))
        waiting += b"bad\n" if kind == "bad" else line(body)
        cut = chance.randint(0, len(waiting))
        with open(path, "ab") as file:
            file.write(waiting[:cut])
        waiting = waiting[cut:]
        if chance.random() < 0.5:
            visible = contract.visible(contract.read(path))
            assert found.poll() == bool(visible)
            assert found.newest == (visible[-1] if visible else None)
            last = {each["k"]: each for each in visible}
            assert found.of == {each: last[each] for each in ("eval", "perf") if each in last}


def test_the_newest_events_of_a_growing_file_are_found_without_reading_it_again(path, monkeypatch):
    path.write_bytes(b"".join(line(event(seq)) for seq in range(1, 20_001)))
    found = NewestTail(path, ("eval",))
    found.poll()
    read = []
    monkeypatch.setattr(newest, "recent", lambda *args: read.append(args) or iter(()))
    with open(path, "ab") as file:
        file.write(line(event(20_001, "eval")) + line(event(20_002)))
    assert found.poll()
    assert (found.newest["seq"], found.of["eval"]["seq"], read) == (20_002, 20_001, [])


def test_what_grew_by_more_than_is_looked_through_at_once_is_looked_at_from_its_end(path):
    path.write_bytes(line(event(1, "eval")))
    found = NewestTail(path, ("eval",))
    found.poll()
    with open(path, "ab") as file:
        file.write(b"".join(line(event(seq, filler="x" * 1000)) for seq in range(2, 1500)) + line(event(1500, "eval")))
    found.poll()
    assert (found.newest["seq"], found.of["eval"]["seq"]) == (1500, 1500)


def test_the_newest_events_of_another_file_are_its_own(path, tmp_path):
    path.write_bytes(line(event(7, "eval")))
    found = NewestTail(path, ("eval",))
    found.poll()
    (tmp_path / "other").write_bytes(line(event(1)) + line(event(2)))
    (tmp_path / "other").replace(path)
    found.poll()
    assert (found.newest["seq"], found.of) == (2, {})


def test_events_with_spaces_between_tokens_are_events_too(path):
    path.write_text("".join(json.dumps(event(seq, "eval")) + "\n" for seq in (1, 2)))
    assert seqs(newest.recent(path, kinds=("eval",))) == [2, 1]


def test_the_last_lines_of_a_log_include_a_torn_one(tmp_path):
    log = tmp_path / "attempt-1.log"
    log.write_bytes(b"one\ntwo\nthree\nfour")
    assert tail.last_lines(log, 2) == ["three", "four"]
    assert tail.last_lines(tmp_path / "none") == []


def test_the_end_of_a_huge_log_has_whole_lines_only(tmp_path):
    log = tmp_path / "attempt-1.log"
    log.write_bytes(b"".join(b"line %06d\n" % number for number in range(100_000)))
    lines = tail.last_lines(log, 10_000, window=1000)
    assert lines[-1] == "line 099999"
    assert all(len(one) == 11 for one in lines)


@given(st.binary(max_size=60).map(lambda text: text.replace(b"0", b"\n")), st.integers(1, 70), st.integers(1, 9))
def test_lines_from_the_end_back_are_those_of_the_window_whatever_the_blocks(tmp_path_factory, text, window, block):
    log = tmp_path_factory.mktemp("back") / "attempt-1.log"
    log.write_bytes(text)
    *lines, last = text[-window:].split(b"\n")
    whole = lines[1:] if len(text) > window else lines
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "_BLOCK", block)
        assert list(tail.lines_back(log, window)) == whole[::-1]
        assert list(tail.lines_back(log, window, torn=True)) == ([last] if last else []) + whole[::-1]


def test_a_log_can_put_nothing_but_text_on_a_terminal():
    assert tail.printable(b"\x1b[31mred\x1b[0m \x07bell\ttab \xff") == "[31mred[0m bell\ttab \ufffd"
    assert tail.printable(b" 10 %\r 20 %\r") == " 20 %"
    assert tail.printable("\u202egnol".encode()) == "gnol"


def test_a_log_is_followed_by_whole_lines(tmp_path):
    path = tmp_path / "attempt-1.log"
    log = LogTail(path)
    path.write_bytes(b"one\ntw")
    assert log.poll() == (["one"], False)
    with open(path, "ab") as file:
        file.write(b"o\n")
    assert log.poll() == (["two"], False)


def test_the_newest_log_is_that_of_the_highest_attempt(tmp_path):
    for name in ("attempt-2.log", "attempt-10.log", "keeper.log", "attempt-x.log", "attempt-99.log.bak"):
        (tmp_path / name).touch()
    assert tail.newest_log(tmp_path) == tmp_path / "attempt-10.log"
    assert tail.newest_log(tmp_path / "none") is None


def test_random_bytes_never_raise(path):
    chance = random.Random(0)
    path.write_bytes(bytes(chance.choices(b'{}[]",:\n0k\\', k=20_000)))
    log = EventLog(path)
    log.read_all()
    assert log.bad > 100
    assert list(newest.recent(path)) == []
