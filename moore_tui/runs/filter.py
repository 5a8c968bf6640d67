"""Choosing runs by a line of text: words of the name or task, and terms such as `stage:online ret>2000 tag:x`.

filter   terms separated by spaces; a run must meet all of them
term     [-]word                    the word is in the run's name, task, algorithm or data set, or in a tag
         [-]field:prefix            state stage algo task data seed host tag name
         field(> >= < <= =)number   ret score progress (in percent) epoch update step seed eta (seconds)
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from moore_tui.runs.errors import ConsoleError
from moore_tui.runs.model import Snapshot

Test = Callable[[Snapshot, Sequence[str]], bool]

TEXTS: dict[str, Callable[[Snapshot, Sequence[str]], Sequence[str | None]]] = {
    "state": lambda shot, tags: (shot.state,),
    "stage": lambda shot, tags: (shot.stage,),
    "algo": lambda shot, tags: (shot.algo,),
    "task": lambda shot, tags: (shot.task,),
    "data": lambda shot, tags: (shot.dataset,),
    "seed": lambda shot, tags: (str(shot.seed),),
    "host": lambda shot, tags: (shot.host,),
    "name": lambda shot, tags: (shot.id,),
    "tag": lambda shot, tags: tags,
}
NUMBERS: dict[str, Callable[[Snapshot], float | None]] = {
    "ret": lambda shot: shot.return_mean,
    "score": lambda shot: shot.score,
    "progress": lambda shot: None if shot.progress is None else 100.0 * shot.progress,
    "epoch": lambda shot: shot.epoch,
    "update": lambda shot: shot.update,
    "step": lambda shot: shot.env_step,
    "seed": lambda shot: shot.seed,
    "eta": lambda shot: shot.eta_s,
}
COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq}

_TERM = re.compile(r"(-?)([a-z]+)(>=|<=|[><=:])(.*)", re.IGNORECASE)


class BadFilter(ConsoleError):
    """A filter that cannot be understood, in one sentence."""


@dataclass(frozen=True)
class Filter:
    """`text` as it was typed, and what a run must meet."""

    text: str = ""
    tests: tuple[Test, ...] = ()

    def __call__(self, shot: Snapshot, tags: Sequence[str] = ()) -> bool:
        return all(test(shot, tags) for test in self.tests)


def parse(text: str) -> Filter:
    """The filter that `text` says; raises BadFilter."""
    return Filter(text.strip(), tuple(_test(term) for term in text.split()))


def _test(term: str) -> Test:
    match = _TERM.fullmatch(term)
    if match is None:
        return _not(term.startswith("-") and len(term) > 1, _word(term.removeprefix("-") or term))
    minus, field, sign, value = match.group(1), match.group(2).lower(), match.group(3), match.group(4)
    if sign == ":":
        return _not(bool(minus), _prefix(field, value))
    return _not(bool(minus), _number(field, sign, value))


def _not(negated: bool, test: Test) -> Test:
    return (lambda shot, tags: not test(shot, tags)) if negated else test


def _word(word: str) -> Test:
    wanted = word.lower()
    return lambda shot, tags: any(
        wanted in text.lower() for text in (shot.id, shot.task, shot.algo, shot.dataset, *tags) if text
    )


def _prefix(field: str, prefix: str) -> Test:
    if field not in TEXTS:
        raise BadFilter(f"{field}: is no field of a run{_nearest(field, TEXTS)}")
    texts, wanted = TEXTS[field], prefix.lower()
    return lambda shot, tags: any((text or "").lower().startswith(wanted) for text in texts(shot, tags))


def _number(field: str, sign: str, text: str) -> Test:
    if field not in NUMBERS:
        raise BadFilter(f"{field}{sign} needs a field with numbers{_nearest(field, NUMBERS)}")
    try:
        limit = float(text)
    except ValueError:
        raise BadFilter(f"{field}{sign} needs a number after it, not {text!r}") from None
    value, compare = NUMBERS[field], COMPARE[sign]

    def holds(shot: Snapshot, tags: Sequence[str]) -> bool:
        found = value(shot)
        return found is not None and compare(found, limit)

    return holds


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), 1, 0.5)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
