"""The line above the keys: what becomes of what was asked. It covers a row while it has something to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from moore_tui.messages import Action
from moore_tui.widgets.sheet import Sheet, cut

STYLE = {"pending": "info", "done": "good", "refused": "bad", "timeout": "bad"}
STAYS_S = {"pending": None, "done": 6.0, "refused": 15.0, "timeout": 15.0}
"""Seconds until it goes; a pending one stays until it is answered."""


class AnswerLine(Sheet):
    """Above the screen's own widgets, so that nothing moves when it comes and goes."""

    DEFAULT_CSS = """
    AnswerLine { dock: bottom; layer: above; height: 1; margin-bottom: 1; background: $boost; display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._batch: dict[int, Action] = {}
        self._text, self._state = "", "done"

    @property
    def shown(self) -> bool:
        return bool(self.display)

    def tell(self, action: Action) -> None:
        """What became of one run; the newest question's answers are summed up."""
        if any(each.batch != action.batch for each in self._batch.values()):
            if action.state != "pending" and action.batch < max(each.batch for each in self._batch.values()):
                return self.say(action.text, action.state)
            self._batch.clear()
        self._batch[action.number] = action
        text, state = summary(self._batch.values())
        self.say(text, state)

    def say(self, text: str, state: str = "done") -> None:
        """One line; the style and how long it stays are those of an action's state."""
        self._text, self._state = text, state
        self.display = True
        self._paint()
        if (stays := STAYS_S[state]) is not None:
            self.set_timer(stays, lambda: self.hide(text))

    def hide(self, text: str | None = None) -> None:
        """Go away; with `text`, only if that is still what is said."""
        if text is None or text == self._text:
            self.display = False

    def on_resize(self) -> None:
        self._paint()

    def _paint(self) -> None:
        if self.size.width:
            self.put([cut(((" ", ""), (self._text, STYLE[self._state])), self.size.width)])


def summary(actions: Iterable[Action]) -> tuple[str, str]:
    """(one line, its state) of what was asked at once."""
    found = list(actions)
    if len(found) == 1:
        return found[0].text, found[0].state
    counts = Counter(action.state for action in found)
    bad = next((action for action in found if action.state in ("refused", "timeout")), None)
    state = "pending" if counts["pending"] else bad.state if bad else "done"
    parts = [f"{many} {word}" for word in ("done", "refused", "timeout", "pending") if (many := counts[word])]
    newest = bad or max(found, key=lambda action: action.t)
    return f"{found[0].verb}: {', '.join(parts).replace('timeout', 'not answered')} · {newest.text}", state
