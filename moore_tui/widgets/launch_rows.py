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
    drafts.ALGO: "algorithm",
    drafts.DATA: "data set",
    drafts.SEED: "seeds",
    drafts.NAME: "name",
    drafts.FROM: "from",
    drafts.TRUST: "trust",
}
LABEL, VALUE, KEY = 10, 26, 25
"""Cells of a choice's name and value, and of a key."""
SOURCE_FROM = 96
"""Cells from which a setting's line has its source too."""


def fields(draft: Draft, outlook: Outlook) -> list[str]:
    """The choices that are shown: a branch's origin and trusted code only where there are such."""
    shown = [drafts.SOURCE, drafts.PROFILE, drafts.ALGO, drafts.DATA, drafts.SEED, drafts.NAME]
    if outlook.values[drafts.FROM] not in ("", '""'):
        shown.append(drafts.FROM)
    return [*shown, drafts.TRUST] if draft.trust or drafts.TRUST in outlook.problems else shown


def keys(outlook: Outlook, wanted: str = "", only_changed: bool = False) -> list[str]:
    """The keys that hold every word of `wanted` in their name, value or description."""
    words = wanted.lower().split()
    listed = changed(outlook) if only_changed else list(describe())
    return [key for key in listed if all(word in _told(key, outlook) for word in words)]


def changed(outlook: Outlook) -> list[str]:
    """The keys that were changed here, and those that are wrong."""
    return [key for key in describe() if outlook.sources[key] == HERE or key in outlook.problems]


def choices_line(draft: Draft, outlook: Outlook) -> Line:
    """All choices in one line."""
    values = [field_value(name, draft, outlook) for name in fields(draft, outlook)]
    return (("1 Run  ", "key"), (" · ".join(each for each in values if each and each != "none"), "dim"))


def settings_line(draft: Draft, outlook: Outlook) -> Line:
    """All settings in one line: those that were changed."""
    told = ", ".join(f"{key} {outlook.values[key]}" for key in changed(outlook)) or "none changed"
    return (("2 Settings  ", "key"), (told, "dim"))


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
    if name == drafts.ALGO:
        return draft.algo or outlook.values[name]
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


def _told(key: str, outlook: Outlook) -> str:
    return f"{key} {outlook.values[key]} {describe()[key].text}".lower()


def brief(source: str) -> str:
    """Where a value came from, without the paper and the page."""
    return source.partition(" (")[0]
