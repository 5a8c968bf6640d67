"""Tags and notes survive what people and strangers put into them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moore_tui.runs import notes
from moore_tui.runs.notes import LONGEST_NOTE, LONGEST_TAG, MOST_TAGS, Note
from tests.tui.made_runs import make_run


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def test_a_run_without_a_note_has_an_empty_one(run):
    assert notes.read(run) == Note()


def test_what_is_written_is_read(run):
    assert notes.write(run, Note(("a", "b"), "two\nlines")) == Note(("a", "b"), "two\nlines")
    assert notes.read(run) == Note(("a", "b"), "two\nlines")


def test_tags_and_note_are_changed_one_without_the_other(run):
    notes.tag(run, ["a b", "c,d", "a"])
    notes.say(run, "text")
    assert notes.read(run) == Note(("a", "b", "c", "d"), "text")
    notes.tag(run, [])
    assert notes.read(run) == Note((), "text")


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"[]", b'{"tags":7,"note":[]}', b'{"tags":[1,null,["x"]]}', b"\xff"]
)
def test_a_file_that_is_none_is_an_empty_note(run, content):
    (run.path / notes.NAME).write_bytes(content)
    assert notes.read(run) == Note()


@given(st.lists(st.text(max_size=60), max_size=30), st.text(max_size=200))
def test_any_text_comes_back_the_same_once_it_is_tidy_and_puts_no_control_characters_on_a_terminal(
    tmp_path_factory, tags, text
):
    run = make_run(tmp_path_factory.mktemp("notes"))
    written = notes.write(run, Note(tuple(tags), text))
    assert notes.read(run) == written
    assert notes.write(run, written) == written
    assert all(tag.isprintable() and tag and " " not in tag for tag in written.tags)
    assert all(char.isprintable() or char in "\n\t" for char in written.note)


def test_nobody_can_fill_the_screen_with_them(run):
    note = notes.write(run, Note(tuple(f"{number}" + "x" * 100 for number in range(100)), "y" * 100_000))
    assert len(note.tags) == MOST_TAGS
    assert max(map(len, note.tags)) == LONGEST_TAG
    assert len(note.note) == LONGEST_NOTE
