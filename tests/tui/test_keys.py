"""The table of keys: ids, contexts, clashes, what Textual makes of it, and the page that is made from it."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from pathlib import Path

import pytest
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, key_to_character

from moore_tui.keys import CONTEXTS, KEYS, bindings

ROOT = Path(__file__).parents[2]


def test_every_id_is_there_once_and_begins_with_its_context() -> None:
    assert [name for name, many in Counter(key.id for key in KEYS).items() if many > 1] == []
    assert {key.context for key in KEYS} <= set(CONTEXTS)
    assert all(re.fullmatch(r"[a-z]+\.[a-z_0-9]+", key.id) for key in KEYS)


def test_no_context_gives_a_key_two_meanings() -> None:
    words = Counter((key.context, word) for key in KEYS for word in key.keys.split(","))
    assert [each for each, many in words.items() if many > 1] == []


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.id)
def test_every_key_is_one_that_a_keyboard_sends(key: object) -> None:
    real = {*(each.value for each in Keys), *KEY_NAME_REPLACEMENTS.values()}
    for word in key.keys.split(","):  # type: ignore[attr-defined]
        bare = word.split("+")[-1]
        assert len(bare) == 1 or bare in real or key_to_character(bare), word


def test_descriptions_are_short_enough_for_help_at_80_columns_and_labels_for_the_footer() -> None:
    assert [key.id for key in KEYS if len(key.description) > 60 or len(key.label) > 8] == []
    assert [key.id for key in KEYS if key.show and not key.label] == []


def test_bindings_carry_ids_and_alternatives() -> None:
    found = bindings("runs")
    down = next(each for each in found if each.id == "runs.down")
    assert down.key == "j,down" and down.action == "cursor_down" and not down.show
    assert {each.id.partition(".")[0] for each in found if each.id} == {"runs"}


@pytest.mark.parametrize("verb", ["pause", "checkpoint", "resume", "stop", "kill", "delete", "set", "branch", "extend"])
def test_every_steering_key_has_a_rule_and_a_way(verb: str) -> None:
    from moore_tui.steering import VALID, Steering

    assert f"app.steer('{verb}')" in {key.action for key in KEYS}
    assert verb in VALID and (hasattr(Steering, f"_{verb}") or verb in ("checkpoint", "stop"))


def test_every_app_action_of_the_table_exists() -> None:
    from moore_tui.app import MooreConsole

    for key in KEYS:
        if key.action.startswith("app."):
            name = key.action.removeprefix("app.").partition("(")[0]
            assert hasattr(MooreConsole, f"action_{name}"), key.id


def test_every_pane_and_screen_action_of_the_table_exists() -> None:
    from moore_tui.screens.frame import Framed

    for key in KEYS:
        if key.action.startswith("screen."):
            name = key.action.removeprefix("screen.")
            assert any(hasattr(each, f"action_{name}") for each in [Framed, *_all(Framed)]), key.id


def _all(kind: type) -> list[type]:
    import moore_tui.screens.watch  # noqa: F401

    return [each for sub in kind.__subclasses__() for each in (sub, *_all(sub))]


def test_the_page_of_keys_is_the_one_that_the_script_writes() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "keys-page"))["page"]
    text = (ROOT / "docs" / "keys.md").read_text()
    assert page(text) == text, "run scripts/keys-page"
