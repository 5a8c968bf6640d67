"""The lines of the launch screen: what a run is made of, one choice a line, and its settings, one key a line.

A mark before the name says what is the matter with it: • changed here, ✗ wrong; both also in ASCII.
"""

from __future__ import annotations

from collections.abc import Sequence

from moore_tui.runs import draft as drafts
from moore_tui.runs.draft import Draft
from moore_tui.runs.outlook import HERE, Outlook, describe
from moore_tui.widgets.sheet import Line, cut, pad, wrapped

LABELS = {
    drafts.SOURCE: "preset",
    drafts.PROFILE: "profile",
    drafts.DATA: "data set",
    drafts.SEED: "seeds",
    drafts.NAME: "name",
    drafts.FROM: "from",
    drafts.TRUST: "trust",
}
LABEL, VALUE, KEY = 9, 26, 25
"""Cells of a choice's name and value, and of a key."""
SOURCE_FROM = 96
"""Cells from which a setting's line has its source too."""


def fields(draft: Draft, outlook: Outlook, trust_wanted: bool) -> list[str]:
    """The choices that are shown: a branch's origin and trusted code only where there are such."""
    shown = [drafts.SOURCE, drafts.PROFILE, drafts.DATA, drafts.SEED, drafts.NAME]
    if outlook.values[drafts.FROM] not in ("", '""'):
        shown.append(drafts.FROM)
    return [*shown, drafts.TRUST] if trust_wanted or draft.trust else shown


def keys(draft: Draft, outlook: Outlook, wanted: str, only_changed: bool) -> list[str]:
    """The keys that hold every word of `wanted` in their name, value or description."""
    words = wanted.lower().split()
    shown = []
    for key, about in describe().items():
        told = f"{key} {outlook.values[key]} {about.text}".lower()
        if all(word in told for word in words) and not (only_changed and not is_changed(key, outlook)):
            shown.append(key)
    return shown


def is_changed(key: str, outlook: Outlook) -> bool:
    return outlook.sources[key] == HERE or key in outlook.problems


def field_line(name: str, draft: Draft, outlook: Outlook, told: str, width: int, style: str, ascii: bool) -> Line:
    """A choice: its name, what it is, and what there is to say about it (what is wrong comes first)."""
    wrong = outlook.problems.get(name, "")
    value = field_value(name, draft, outlook)
    typed = bool(draft.text(name)) and name != drafts.SOURCE
    room = width - 2 - LABEL - VALUE - 1
    head = (mark(bool(wrong), typed, bool(style), ascii), (pad(LABELS[name], LABEL), style or "dim"))
    return (*head, (pad(value, VALUE), style), (" ", ""), (pad(wrong or told, max(0, room)), "bad" if wrong else "dim"))


def field_value(name: str, draft: Draft, outlook: Outlook) -> str:
    """A choice as one word or a few."""
    if name == drafts.SOURCE:
        return f"copy of {draft.copy_of}" if draft.copy_of else draft.source
    if name == drafts.PROFILE:
        return draft.profile or "none"
    if name == drafts.NAME:
        return several(outlook.names)
    if name == drafts.SEED:
        return draft.seeds or ", ".join(map(str, outlook.seeds))
    if name == drafts.TRUST:
        return ", ".join(draft.trust) or "nothing"
    return outlook.values[name]


def several(names: Sequence[str]) -> str:
    """The first and the last of the names."""
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}" if names else ""


def setting_line(key: str, outlook: Outlook, width: int, style: str, ascii: bool) -> Line:
    """A key: its value, in a wide line its source, its description."""
    wrong, changed = outlook.problems.get(key, ""), outlook.sources[key] == HERE
    value = 18 if width < SOURCE_FROM else 22
    head = (mark(bool(wrong), changed, bool(style), ascii), (pad(key, KEY), style))
    line = (*head, (" ", ""), (pad(outlook.values[key], value), style or ("info" if changed else "")), (" ", ""))
    room = max(0, width - 2 - KEY - value - 2)
    source = ((pad(brief(outlook.sources[key]), 20), "dim"), (" ", "")) if width >= SOURCE_FROM else ()
    room -= 21 if source else 0
    return (*line, *source, (pad(wrong or describe()[key].text, max(0, room)), "bad" if wrong else "dim"))


def details(key: str, outlook: Outlook, width: int, height: int) -> list[Line]:
    """Everything about the key under the cursor, in so many lines."""
    about = describe()[key]
    wrong = outlook.problems.get(key)
    texts = [(wrong, "bad")] if wrong else []
    texts.append((f"{about.text}; it takes {about.allowed}", ""))
    texts.append((f"{outlook.values[key]} is from: {outlook.sources[key]}", "dim"))
    lines: list[Line] = [((line, style),) for text, style in texts for line in wrapped(text, width)]
    return [*lines[: height - 1], cut(lines[height - 1], width)] if len(lines) > height else lines


def mark(wrong: bool, changed: bool, cursor: bool, ascii: bool) -> tuple[str, str]:
    """Two cells before a line: the cursor, and what is the matter."""
    pointer = (">" if ascii else "▸") if cursor else " "
    what = ("x" if ascii else "✗") if wrong else ("*" if ascii else "•") if changed else " "
    return pointer + what, "bad" if wrong else "key"


def brief(source: str) -> str:
    """Where a value came from, without the paper and the page."""
    return source.partition(" (")[0]
