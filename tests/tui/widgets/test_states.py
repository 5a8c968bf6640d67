"""A run's state in a glyph and in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from moore_tui.runs.model import Snapshot
from moore_tui.runs.status import STATES
from moore_tui.widgets.states import GLYPHS, LETTERS, STYLE, glyph, word, words


def shot(state: str, detail: str = "", **fields: Any) -> Snapshot:
    return Snapshot("run", Path("run"), state, **{"detail": detail, "kept": True, "update": 412_300, **fields})


def test_every_state_has_a_glyph_a_letter_and_a_style() -> None:
    assert set(GLYPHS) == set(LETTERS) == set(STYLE) == set(STATES)
    assert len(set(LETTERS.values())) == len(STATES)
    assert all(each.isascii() and len(each) == 1 for each in LETTERS.values())
    assert glyph("live") == "●" and glyph("live", ascii=True) == "L" and glyph("unheard of") == "?"


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (shot("live"), ""),
        (shot("live", "saving..."), "saving..."),
        (shot("live", kept=False), "unkept · r adopts"),
        (shot("live", "on node07", kept=False), "on node07"),
        (shot("paused"), "paused @ 412k"),
        (shot("paused", "stopping..."), "paused @ 412k, stopping..."),
        (shot("paused", kept=False), "paused @ 412k, unkept · r adopts"),
        (shot("paused", update=None), "paused @ the start"),
        (shot("stalled", "silent for 34 s"), "stalled: alive, silent 34 s"),
        (shot("restarting", "attempt 2 of 6 in 4 s after SIGSEGV"), "restarting: attempt 2 of 6 in 4 s after SIGSEGV"),
        (shot("crashed", "exit 1; loss is nan"), "crashed: exit 1; loss is nan"),
        (shot("lost", "on node07, silent for 2 h"), "lost: on node07, silent for 2 h"),
        (shot("interrupted", "resumable from ckpt-260000.1"), "interrupted · r → 260k"),
        (shot("interrupted", "killed, resumable from ckpt-260000"), "interrupted · killed, r → 260k"),
        (shot("interrupted", "resumable from switch"), "interrupted · r → switch"),
        (shot("interrupted", "resumable from the beginning"), "interrupted · r → the beginning"),
        (shot("interrupted", "not started"), "interrupted · not started · r starts"),
        (shot("done"), ""),
        (shot("starting"), "starting"),
    ],
)
def test_the_words_say_what_goes_on_and_what_to_do(run: Snapshot, said: str) -> None:
    assert words(run) == said


def test_one_word_is_left_where_there_is_no_room_for_more() -> None:
    assert word(shot("crashed", "exit 1; loss is nan")) == "crashed"
    assert word(shot("interrupted", "resumable from ckpt-1")) == "interrupted"
    assert word(shot("paused")) == "paused @ 412k"
    assert word(shot("live")) == "live"


def test_what_a_trainer_said_is_told_without_control_characters() -> None:
    assert words(shot("crashed", "exit 1; \x1b[31mred\x07")) == "crashed: exit 1;  [31mred "
