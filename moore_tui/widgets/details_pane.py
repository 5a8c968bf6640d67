"""Pane 9: everything of one run in words: what it is, where it stands, what it differs in, what is odd."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

from moore_tui.runs import alerts
from moore_tui.runs.model import Snapshot
from moore_tui.widgets.figures import DASH, coarse, count, number, percent, rough, size
from moore_tui.widgets.pane import RunView
from moore_tui.widgets.sheet import Line, cut, wrapped
from moore_tui.widgets.states import STYLE, plain, words
from moore_tui.widgets.text_pane import TextPane

NAMES = 9
"""Cells of the names at the left."""


class DetailsPane(TextPane):
    number = 9
    title = "Details"
    HELP: ClassVar[str] = (
        "What the run is, where it stands, its last request and what became of it; the values in which its "
        "configuration differs from that of the first marked run (that one's in brackets); tags and note; and alerts: "
        "a dip at the switch beyond what an unchanged policy's evaluations would show, warnings, lines that could not "
        "be read."
    )

    def key(self, view: RunView) -> Hashable:
        """The figures as they are told: what moves at every look must not paint the pane anew."""
        series, shot = view.series, view.snapshot
        return (
            tuple(facts(view, time.time())),
            None if series is None else (series.table("eval").rows, series.table("eval").generation, series.bad),
            None if series is None else (len(series.warns), series.warns[-1:]),
            view.note,
            tuple(one.id for one in view.marked),
            None if view.settings is None else (shot.id, len(view.settings)),
            None if view.differs is None else tuple(view.differs.items()),
        )

    def paint(self, view: RunView) -> None:
        self.caption(((self.title, ""), (f" · {view.snapshot.id}", "dim")))
        self.reader.fill(lines(view, self.inner_width, time.time()))

    def summary(self, view: RunView) -> str:
        return ""


def facts(view: RunView, now: float) -> list[tuple[str, str, str]]:
    """Names, texts and styles of what is known of the run itself."""
    shot = view.snapshot
    told = [
        ("id", shot.id, "strong"),
        ("state", state(shot), STYLE.get(shot.state, "")),
        ("task", ", ".join(part for part in (shot.task, shot.algo, f"seed {shot.seed}") if part), ""),
        ("data", shot.dataset or "", ""),
        ("pid", f"{shot.host}:{shot.pid}" if shot.pid and shot.running else "", ""),
        ("attempt", attempts(shot), ""),
        ("started", started(shot, now), ""),
        *[(name, text, "") for name, text in stages(view)],
        ("doing", plain(shot.doing), ""),
        ("eval", evaluation(shot), ""),
        ("ckpt", checkpoint(view), ""),
        ("resume", resumed(view), ""),
        ("asked", ", ".join(shot.pending), "warn"),
        ("answered", answered(view), ""),
    ]
    return [each for each in told if each[1]]


def lines(view: RunView, width: int, now: float) -> list[Line]:
    """The whole text, `width` cells wide."""
    found = [line for name, text, style in facts(view, now) for line in pair(name, text, style, width)]
    return [*found, *_config(view, width), *_words(view, width), *_alerts(view, width)]


def pair(name: str, text: str, style: str, width: int) -> list[Line]:
    """A name and its text, in as many lines as that takes."""
    texts = wrapped(text, max(8, width - NAMES))
    return [((f"{name if not row else '':<{NAMES}}", "dim"), (part, style)) for row, part in enumerate(texts)]


def state(shot: Snapshot) -> str:
    """The state in words, its name first."""
    said = words(shot)
    return said if said.startswith(shot.state) else " · ".join(part for part in (shot.state, said) if part)


def attempts(shot: Snapshot) -> str:
    text = str(shot.attempt) if shot.attempt else ""
    if shot.restarts:
        text += (
            f", {shot.restarts} of {shot.max_restarts} restarts" if shot.max_restarts else f", {shot.restarts} restarts"
        )
    return text


def started(shot: Snapshot, now: float) -> str:
    """When it was made, and how long ago that is; for one that does not run when it was last heard of."""
    if shot.created is None:
        return ""
    began = time.localtime(shot.created)
    clock = time.strftime("%Y-%m-%d %H:%M", began)
    if shot.running or shot.seen is None:
        return f"{clock} · {coarse(now - shot.created)} ago"
    heard = time.localtime(max(shot.seen, shot.created))
    return f"{clock} → {time.strftime('%H:%M' if heard[:3] == began[:3] else '%m-%d %H:%M', heard)}"


def stages(view: RunView) -> list[tuple[str, str]]:
    """How far each stage has come."""
    shot, plan = view.snapshot, view.plan
    found = []
    for name in plan.stages:
        planned = plan.epochs(name)
        if not planned or (name == "offline" and plan.origin):
            continue
        if shot.state == "done" or (name == "offline" and shot.stage == "online"):
            done: int | None = planned
        else:
            done = min((shot.epoch or 1) - 1, planned) if shot.stage == name else 0
        found.append((name, f"epoch {done}/{planned}" + (" ✓" if done == planned else "")))
    if shot.update is not None:
        told = rough if shot.running else count
        found.append(("at", f"update {told(shot.update)}, env step {told(shot.env_step)} · {percent(shot.progress)}"))
    return found


def evaluation(shot: Snapshot) -> str:
    if shot.return_mean is None:
        return ""
    spread = f" ±{number(shot.return_std)}" if shot.return_std is not None else ""
    score = f", score {number(shot.score)}" if shot.score is not None else ""
    return f"return {number(shot.return_mean)}{spread}{score} ({shot.eval_stage} epoch {shot.eval_epoch})"


def checkpoint(view: RunView) -> str:
    """The newest checkpoint and what it took."""
    if view.snapshot.checkpoint is None:
        return "none yet"
    last = view.series.last("ckpt") if view.series is not None else None
    if not last or not isinstance(last.get("bytes"), int | float):
        return view.snapshot.checkpoint
    return f"{view.snapshot.checkpoint} · {size(last['bytes'])}"


def resumed(view: RunView) -> str:
    """What the newest attempt began from."""
    runs = view.series.attempts if view.series is not None else []
    last: Mapping[str, Any] = runs[-1] if runs else {}
    source, branch = last.get("resumed_from"), last.get("branched_from")
    if source:
        return f"from {source}"
    return f"branch of {str(branch).partition('#')[0]}" if branch else ""


def answered(view: RunView) -> str:
    """The last request that the trainer answered, and how."""
    acks = view.series.acks if view.series is not None else []
    last: Mapping[str, Any] = acks[-1] if acks else {}
    if not last:
        return ""
    what = " ".join(str(last[name]) for name in ("verb", "key", "value") if last.get(name) is not None)
    update = last.get("update")
    where = f" @ {count(update)}" if isinstance(update, int) else ""
    return what + where if last.get("ok") else f"{what} refused: {last.get('why') or 'no reason given'}"


def _config(view: RunView, width: int) -> list[Line]:
    """The values in which the marked run differs, its own in brackets; without a mark how many values there are."""
    if not view.settings:
        return []
    other = next((one for one in view.marked if one.id != view.snapshot.id), None)
    if other is None or view.differs is None:
        return [(), *pair("config", f"{len(view.settings)} values · mark a run to see what differs", "dim", width)]
    found: list[Line] = [(), ((f"config   {len(view.differs)} differ from ", "dim"), (f"■ {other.id}", "key"))]
    keys = max((len(key) for key in view.differs), default=0)
    for key, theirs in view.differs.items():
        mine = view.settings.get(key, DASH)
        found.append(cut(((f"  {key:<{keys}}  ", "dim"), (f"{mine}", ""), (f"  ({theirs})", "dim")), width))
    return found


def _words(view: RunView, width: int) -> list[Line]:
    """What people wrote about it."""
    if view.note is None:
        return []
    found: list[Line] = []
    if view.note.note:
        found += pair("note", view.note.note, "", width)
    if view.note.tags:
        found += pair("tags", " · ".join(view.note.tags), "info", width)
    return [(), *found] if found else []


def _alerts(view: RunView, width: int) -> list[Line]:
    found = alerts.alerts(view.snapshot, view.series)
    if not found:
        return []
    lines: list[Line] = [(), (("alerts", "dim"),)]
    for text in found:
        parts = wrapped(text, max(8, width - 4))
        lines += [(("  ! " if not row else "    ", "warn"), (part, "")) for row, part in enumerate(parts)]
    return lines
