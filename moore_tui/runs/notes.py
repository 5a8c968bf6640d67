"""What people say about a run: tags and a note, in RUN/notes.json. Only the console writes it, no trainer looks.

A file that cannot be read as such is an empty note; text from elsewhere loses its control characters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moore_engine.rundir import RunDir, read_json, write_json
from moore_tui.runs.tail import printable

NAME = "notes.json"
LONGEST_TAG, MOST_TAGS, LONGEST_NOTE = 40, 20, 10_000
"""Characters of a tag, tags of a run, characters of a note."""


@dataclass(frozen=True, slots=True)
class Note:
    """`tags` are single words in the order given, each once; `note` may have several lines."""

    tags: tuple[str, ...] = ()
    note: str = ""


def read(run: RunDir) -> Note:
    """The run's note; an empty one if nobody has written any."""
    return read_file(run.path / NAME)


def read_file(path: Path) -> Note:
    """The note in a file."""
    body = read_json(path) or {}
    tags, text = body.get("tags"), body.get("note")
    return Note(tidy_tags(tags if isinstance(tags, list) else ()), tidy_text(text if isinstance(text, str) else ""))


def write(run: RunDir, note: Note) -> Note:
    """Replace the run's note; returns it as it was written. Raises OSError."""
    tidy = Note(tidy_tags(note.tags), tidy_text(note.note))
    write_json(run.path / NAME, {"v": 1, "tags": list(tidy.tags), "note": tidy.note})
    return tidy


def tag(run: RunDir, tags: Iterable[str]) -> Note:
    """Give the run these tags in place of those it has; its note stays."""
    return write(run, Note(tuple(tags), read(run).note))


def say(run: RunDir, text: str) -> Note:
    """Give the run this note in place of the one it has; its tags stay."""
    return write(run, Note(read(run).tags, text))


def tidy_tags(tags: Iterable[Any]) -> tuple[str, ...]:
    """Single words, without repetitions; what is typed with commas or blanks between is several tags."""
    words = (word for tag in tags if isinstance(tag, str) for word in tag.replace(",", " ").split())
    shown = (printable(word.encode("utf-8", "replace"))[:LONGEST_TAG] for word in words)
    return tuple(dict.fromkeys(word for word in shown if word))[:MOST_TAGS]


def tidy_text(text: str) -> str:
    """Printable lines without blank ones at the end."""
    lines = (printable(line.encode("utf-8", "replace")).rstrip() for line in text[:LONGEST_NOTE].splitlines())
    return "\n".join(lines).strip("\n")
