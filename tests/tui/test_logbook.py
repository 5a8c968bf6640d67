"""The log of a run: what was printed, what the keeper said and what happened, in one list that stays bounded."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest

from moore_tui.runs import log_lines, logbook
from moore_tui.runs.log_lines import ERROR, INFO, WARN, Levels
from moore_tui.runs.logbook import MOST, LogBook
from moore_tui.runs.tail import Batch
from tests.tui.made_runs import event, make_run, write_events

TRACEBACK = """\
before
Traceback (most recent call last):
  File "train.py", line 3, in <module>
    main()
ValueError: nan in the loss
after
"""


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def log(run, attempt, text):
    name = f"attempt-{attempt}.log" if attempt else "keeper.log"
    with open(run.log / name, "a") as file:
        file.write(text)


def opened(run, **kwargs):
    book = LogBook(run)
    book.poll(time.monotonic() + 5, **kwargs)
    return book


def texts(book):
    return [each.text for each in book.lines]


def found(*events):
    return Batch(list(events), False, None, False)


# --- lines and their order ---


def test_a_run_without_a_log_has_an_empty_book(run):
    book = opened(run)
    assert (book.lines, book.end, book.version, book.more) == ([], 0, 1, False)
    run.log.rmdir()
    assert not opened(run).poll()


def test_what_was_there_before_stands_by_attempt_with_the_end_of_each_last(run):
    log(run, 0, "2026-01-01 10:00:00 attempt 1: started pid 7\n2026-01-01 10:00:09 attempt 1 ended: signal 9 at {}\n")
    log(run, 0, "2026-01-01 10:00:10 attempt 2: started pid 8\n")
    log(run, 1, "printed by 1\n")
    log(run, 2, "printed by 2\n")
    ten = time.mktime((2026, 1, 1, 10, 0, 0, 0, 0, -1))
    write_events(
        run,
        event(1, "run", att=1, t=ten + 1, resumed_seq=0),
        event(2, "warn", att=1, t=ten + 2, what="careful"),
        event(3, "run", att=2, t=ten + 11, resumed_seq=2, resumed_from="ckpt-9"),
        event(4, "loss", att=2, t=ten + 12),
    )
    assert texts(opened(run)) == [
        "attempt 1: started pid 7",
        "attempt 1 began",
        "careful",
        "printed by 1",
        "attempt 1 ended: SIGKILL",
        "attempt 2: started pid 8",
        "attempt 2 resumed from ckpt-9",
        "printed by 2",
    ]


def test_what_comes_later_stands_in_the_order_in_which_it_came(run):
    book = opened(run)
    log(run, 1, "one\n")
    assert book.poll()
    book.apply(found(event(1, "warn", what="two")))
    log(run, 1, "three\ntor")
    assert book.poll()
    assert texts(book) == ["one", "two", "three"]
    log(run, 1, "n\n")
    log(run, 2, "four\n")
    book.poll()
    book.poll()
    assert texts(book)[3:] == ["torn", "four"]
    assert not book.poll()


def test_a_last_line_without_an_end_is_shown_once_nobody_writes_any_more(run):
    log(run, 1, "whole\nSegmentation fault")
    book = opened(run)
    assert texts(book) == ["whole"]
    book.poll(over=True)
    book.poll(over=True)
    assert texts(book) == ["whole", "Segmentation fault"]
    assert book.lines[1].level == ERROR


def test_the_torn_end_of_an_earlier_attempt_is_shown_too(run):
    log(run, 1, "dies he")
    log(run, 2, "next\n")
    assert "dies he" in texts(opened(run))


def test_events_that_were_there_when_it_was_opened_do_not_come_twice(run):
    events = [event(seq, "warn", what=f"w{seq}") for seq in range(1, 6)]
    write_events(run, *events[:3])
    book = opened(run)
    book.apply(found(*events))
    assert texts(book) == ["w1", "w2", "w3", "w4", "w5"]


def test_a_dead_attempts_events_are_taken_back_and_its_print_stays(run):
    book = opened(run)
    log(run, 1, "printed\n")
    book.apply(found(event(1, "warn", what="stays"), event(2, "warn", what="goes")))
    book.poll()
    book.apply(found(event(3, "run", att=2, resumed_seq=1, resumed_from="ckpt-1")))
    assert texts(book) == ["stays", "printed", "attempt 2 resumed from ckpt-1"]


def test_an_old_resume_that_is_read_late_takes_nothing_back(run):
    old = [event(1, "warn", what="a"), event(2, "run", att=2, resumed_seq=0), event(3, "warn", att=2, what="b")]
    write_events(run, *old)
    book = opened(run)
    book.apply(Batch(old[1:], False, 0, False))
    assert texts(book) == ["attempt 2 began", "b"]


def test_replaced_events_start_anew(run):
    write_events(run, event(5, "warn", what="old"))
    book = opened(run)
    book.apply(Batch([event(1, "warn", what="new")], True, None, False))
    assert texts(book) == ["new"]


def test_of_a_huge_log_only_the_end_is_read(run, monkeypatch):
    monkeypatch.setattr(logbook, "LOOK_BACK", 1000)
    log(run, 1, "".join(f"line {number:06}\n" for number in range(10_000)))
    lines = texts(opened(run))
    assert lines[-1] == "line 009999"
    assert 70 < len(lines) < 90
    assert all(len(each) == 11 for each in lines)


def test_opening_the_book_of_a_long_run_takes_no_more_memory_than_a_block_of_its_events(run):
    run.events.write_text("".join(json.dumps(event(seq, q=0.5, actor=1.5)) + "\n" for seq in range(1, 20_001)))
    tracemalloc.start()
    try:
        book = opened(run)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert book.lines == []
    assert run.events.stat().st_size > logbook.LOOK_BACK
    assert peak < logbook.LOOK_BACK / 4


def test_a_growing_log_comes_in_slices(run):
    book = opened(run)
    log(run, 1, "x" * 99 + "\n")
    book.poll()
    log(run, 1, ("x" * 99 + "\n") * 10_000)
    book.poll(0.0)
    assert book.more
    assert 1 < book.end < 10_001
    while book.more:
        book.poll(0.0)
    assert book.end == 10_001


# --- the bound ---


def test_the_oldest_lines_go_first_and_numbers_stay(run):
    book = LogBook(run)
    for first in range(1, MOST + 2001, 1000):
        book.apply(found(*(event(seq, "warn", what=f"w{seq}") for seq in range(first, first + 1000))))
    assert book.end == MOST + 2000
    assert 0 < book.first < MOST
    assert len(book.lines) == book.end - book.first <= MOST
    assert book.slice(book.first, book.first + 1)[0].text == f"w{book.first + 1}"
    assert book.slice(0, 5) == []
    assert book.slice(book.end - 1, book.end + 50)[0].text == f"w{MOST + 2000}"


# --- levels, searching ---


def test_a_traceback_is_one_error_from_its_first_line_to_its_last(run):
    log(run, 1, TRACEBACK * 2)
    book = opened(run)
    assert [each.level for each in book.lines[:6]] == [INFO, ERROR, ERROR, ERROR, ERROR, INFO]
    assert book.next_error(0) == 1
    assert book.next_error(2) == 7
    assert book.next_error(8) is None
    assert book.next_error(book.end, back=True) == 7
    assert book.next_error(6, back=True) == 1
    assert book.count(ERROR) == 8


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("all is well", INFO),
        ("errors 0, terrors 1", INFO),
        ("ERROR disk", ERROR),
        ("x.py:3: UserWarning: old", WARN),
        ("warning: error is near", WARN),
        ("RuntimeError: CUDA", ERROR),
        ("Fatal Python error: Segmentation fault", ERROR),
        ("Segmentation fault (core dumped)", ERROR),
        ("numpy.exceptions.ComplexWarning: cast", WARN),
    ],
)
def test_the_level_of_a_printed_line(text, level):
    assert Levels()(text) == level


@pytest.mark.parametrize(
    ("body", "level", "text"),
    [
        (event(1, "run", resumed_seq=0), INFO, "attempt 1 began"),
        (event(1, "run", branched_from="a@switch#01", resumed_seq=0), INFO, "attempt 1 began from a@switch"),
        (event(4000, "stage", **{"from": "offline", "to": "online"}), INFO, "offline → online at update 4 000"),
        (
            event(9, "eval", score=None, return_mean=12.5, return_std=1.0, length_mean=9.0, returns=[1.0, 2.0]),
            INFO,
            "eval return 12.5 ±1  length 9  n 2  update 9",
        ),
        (
            event(9, "eval", baseline=2, score=88.125, return_mean="nan", return_std=1.0, length_mean=9.0),
            INFO,
            "eval of the frozen policy 2 return nan ±1  score 88.125  length 9  update 9",
        ),
        (event(1, "ckpt", path="ckpt-7", bytes=184_000_000, seconds=1.12), INFO, "checkpoint ckpt-7  184 MB in 1.12 s"),
        (
            event(1, "data", rows=3036, episodes=174, return_mean=14.134, return_std=11.2, path="/a.hdf5", minari="/m"),
            INFO,
            "recorded 3 036 rows  174 episodes  return 14.134 ±11.2  in /a.hdf5 and /m",
        ),
        (event(7, "ack", verb="pause", ok=True), INFO, "pause done at update 7"),
        (event(7, "ack", verb="set", ok=True, key="a.b", value="0.4"), INFO, "set a.b = 0.4 done at update 7"),
        (event(1, "ack", verb="set", ok=False, why="no such key"), WARN, "set refused: no such key"),
        (event(1, "warn", what="disk is full"), WARN, "disk is full"),
        (event(1, "end", state="done", exit=0), INFO, "done, exit 0"),
        (event(1, "end", state="failed", exit=1), ERROR, "failed, exit 1"),
    ],
)  # fmt: skip
def test_an_event_in_words(body, level, text):
    told = log_lines.told(body)
    assert (told.level, told.text, told.source, told.seq) == (level, text, "event", body["seq"])


@pytest.mark.parametrize("kind", log_lines.KINDS)
def test_an_event_without_its_fields_is_told_all_the_same(kind):
    assert log_lines.told({"k": kind, "seq": 1}).t is None
    odd = log_lines.told({"k": kind, "seq": 1, "t": "x", "att": [], "what": {"a": 1}, "why": "\x1b[31m", "returns": 7})
    assert odd.text.isprintable()


def test_the_keepers_lines_have_their_time_attempt_and_level():
    one = log_lines.kept("2026-01-01 10:00:00 attempt 3: started pid 7", 0)
    assert (one.attempt, one.level, one.text) == (3, INFO, "attempt 3: started pid 7")
    assert time.localtime(one.t)[3:6] == (10, 0, 0)
    at = "{'stage': 'online', 'epoch': 7, 'update': 15225, 'env_step': 1222}"
    two = log_lines.kept(f"2026-01-01 10:00:00 attempt 3 ended: signal 9 at {at}", 0)
    assert (two.level, two.text) == (ERROR, "attempt 3 ended: SIGKILL at online epoch 7, update 15 225")
    done = log_lines.kept(f"2026-01-01 10:00:00 attempt 3 ended: exit 0 at {at}", 0)
    assert (done.level, done.text) == (INFO, "attempt 3 ended: exit 0 at update 15 225")
    for said, level in (("attempt 3 ended: exit 75", INFO), ("finished: exit 75", INFO), ("finished: exit 7", ERROR)):
        assert log_lines.kept(f"2026-01-01 10:00:00 {said}", 0).level == level
    assert log_lines.kept("2026-01-01 10:00:00 attempt 3 ended: signal 999 at {}", 0).text.endswith("signal 999")
    assert log_lines.kept("no time", 5) == log_lines.LogLine("no time", INFO, 5, None, "keeper")


def test_searching_finds_the_nearest_hit_both_ways_in_any_case(run):
    log(run, 1, "Alpha\nbeta\nALPHA beta\ngamma\n")
    book = opened(run)
    assert book.search("alpha", 0) == 0
    assert book.search("alpha", 1) == 2
    assert book.search("beta", 99, back=True) == 2
    assert book.search("beta", 1, back=True) == 1
    assert book.search("delta", 0) is None
    assert book.search("", 0) is None
