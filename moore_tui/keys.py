"""Every key of the console: where it holds, what it does, and under which name it can be remapped.

A focused pane's keys come before those of its screen, and these before those that hold anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from textual.binding import Binding


class Key(NamedTuple):
    """`keys` are alternatives, by commas, the first is shown; `action` is a Textual action.

    While it is valid, `show` puts it into the footer under its `label`; without, a label is there if room is left.
    """

    id: str
    keys: str
    action: str
    description: str
    label: str = ""
    show: bool = False

    @property
    def context(self) -> str:
        return self.id.partition(".")[0]


CONTEXTS = {
    "anywhere": "anywhere",
    "runs": "in the list of runs",
    "control": "on the run under the cursor, or on all that are marked",
    "charts": "in a chart",
    "text": "in a text, such as the log or the details",
    "log": "in a log",
    "compare": "on the compare screen",
    "launch": "on the launch screen",
    "logs": "on the logs screen",
    "replay": "while a run is replayed",
}
"""Contexts, and where their keys hold."""

PANES = ("runs", "charts", "log", "text", "compare", "launch", "logs")
"""Contexts of panes and screens, in the order in which help shows them."""

WITHIN = {
    "control": ("runs", "charts", "text", "log"),
    "compare": ("charts", "text"),
    "launch": ("charts", "text"),
    "logs": ("text", "log"),
    "log": ("text",),
}
"""Contexts of screens, and those of their panes, whose keys hold at the same time and come first."""


def together(one: str, other: str) -> bool:
    """Whether keys of both contexts hold at once; those of `anywhere` and `replay` do with all others."""
    if one == other or {one, other} & {"anywhere", "replay"}:
        return True
    return other in WITHIN.get(one, ()) or one in WITHIN.get(other, ())


KEYS: tuple[Key, ...] = (
    Key("charts.left", "h,left", "pan(-1)", "Pan to earlier", "back"),
    Key("charts.right", "l,right", "pan(1)", "Pan to later", "on"),
    Key("charts.in", "plus,equals_sign", "zoom(1)", "Zoom in", "in"),
    Key("charts.out", "minus", "zoom(-1)", "Zoom out", "out"),
    Key("charts.fit", "0", "fit", "Fit and follow", "fit", True),
    Key("charts.previous", "left_square_bracket", "metric(-1)", "Previous metric"),
    Key("charts.next", "right_square_bracket", "metric(1)", "Next metric", "metric"),
    Key("charts.log", "L", "log_y", "Logarithmic y axis", "log y", True),
    Key("charts.smooth", "S", "smooth", "Smoothing", "smooth", True),
    Key("charts.band", "b", "band", "Band, or none", "band", True),
    Key("charts.cursor", "v", "cursor", "Cursor with values", "cursor", True),
    Key("charts.axis", "a", "axis", "x axis: step, wall time, environment step, since the switch", "axis", True),
    Key("text.down", "j,down", "scroll(1)", "A line down"),
    Key("text.up", "k,up", "scroll(-1)", "A line up"),
    Key("text.page_down", "pagedown", "scroll_page(1)", "A page down"),
    Key("text.page_up", "pageup", "scroll_page(-1)", "A page up"),
    Key("text.first", "g,home", "edge(-1)", "To the beginning"),
    Key("text.last", "G,end", "edge(1)", "To the end"),
    Key("log.follow", "F", "follow", "Follow the end", "follow", True),
    Key("log.wrap", "w", "wrap", "Wrap long lines", "wrap"),
    Key("log.error", "e", "next_error", "Next error", "error", True),
    Key("log.next", "n", "next_hit", "Next hit of the search", "next"),
    Key("log.previous", "N", "previous_hit", "Previous hit"),
    Key("control.pause", "p", "app.steer('pause')", "Pause; let a paused run, or a replay, go on", "pause", True),
    Key("control.checkpoint", "c", "app.steer('checkpoint')", "Save a checkpoint now", "ckpt", True),
    Key("control.resume", "r", "app.steer('resume')", "Resume, or adopt a run without a keeper", "resume", True),
    Key("control.stop", "x", "app.steer('stop')", "Save a checkpoint and end", "stop", True),
    Key("control.kill", "X", "app.steer('kill')", "Kill, without a checkpoint (asks for the name)", "kill"),
    Key("control.delete", "D", "app.steer('delete')", "Delete (asks for the name)", "delete"),
    Key("control.set", "e", "app.steer('set')", "Set a value while the run goes on", "set"),
    Key("control.branch", "B", "app.steer('branch')", "Branch off a checkpoint", "branch"),
    Key("control.extend", "E", "app.steer('extend')", "Extend: more online epochs", "extend"),
    Key("runs.down", "j,down", "cursor_down", "Next run"),
    Key("runs.up", "k,up", "cursor_up", "Previous run"),
    Key("runs.first", "g,home", "cursor_first", "First run"),
    Key("runs.last", "G,end", "cursor_last", "Last run"),
    Key("runs.open", "enter", "open", "Open the run: go to its charts", "open", True),
    Key("runs.page_down", "pagedown", "page(1)", "A page down"),
    Key("runs.page_up", "pageup", "page(-1)", "A page up"),
    Key("runs.mark", "space", "mark", "Mark the run, or take the mark away", "mark", True),
    Key("runs.compare", "equals_sign", "app.compare", "Compare the marked runs", "compare", True),
    Key("runs.sort", "s", "sort", "Sort by the next column", "sort"),
    Key("runs.new", "n", "app.new_run", "New run", "new", True),
    Key("runs.duplicate", "d", "app.duplicate", "Duplicate the run and edit the copy", "copy"),
    Key("runs.tag", "T", "app.tag", "Tag", "tag"),
    Key("runs.note", "N", "app.note", "Note", "note"),
    Key("logs.next", "right_square_bracket", "attempt(1)", "Lines of the next attempt, or of all", "attempt", True),
    Key("logs.previous", "left_square_bracket", "attempt(-1)", "Lines of the previous attempt, or of all"),
    Key("logs.level", "l", "level", "From which level on lines are shown", "level", True),
    Key("runs.logs", "L", "app.logs", "Logs of the run on the whole screen", "logs"),
    Key("compare.seeds", "s", "seeds", "Seeds as one curve with a band, or each run by itself", "seeds", True),
    Key("compare.differences", "t", "differences", "The table, or how the configurations differ", "table", True),
    Key("compare.unmark", "space", "unmark", "Take the run or the group out of the comparison", "unmark", True),
    Key("compare.watch", "enter", "watch", "Watch the run", "watch", True),
    Key("launch.start", "ctrl+s,f10", "start", "Check and start", "start", True),
    Key("launch.edit", "enter", "edit", "Change the choice or value under the cursor", "change", True),
    Key("launch.reset", "u", "reset", "Back to the value of the preset or file", "reset", True),
    Key("launch.changed", "c", "only_changed", "Only what was changed, or all keys", "changed", True),
    Key("replay.back", "comma", "app.seek(-0.1)", "A tenth of the run back", "back", True),
    Key("replay.forward", "full_stop", "app.seek(0.1)", "A tenth of the run on", "on", True),
    Key("anywhere.filter", "slash", "screen.filter", "Filter the runs; in a log, search", "filter", True),
    Key("anywhere.command", "colon", "app.command", "Command line", "command"),
    Key("anywhere.maximise", "z", "app.maximise", "Maximise the pane, or put it back", "zoom", True),
    Key("anywhere.copy", "y", "app.copy", "Copy what is under the cursor (OSC 52)"),
    Key("anywhere.next", "tab", "app.focus_next", "Next pane"),
    Key("anywhere.previous", "shift+tab", "app.focus_previous", "Previous pane"),
    *(Key(f"anywhere.pane{n}", str(n), f"app.pane({n})", f"Pane {n}") for n in range(1, 10)),
    Key("anywhere.palette", "ctrl+p", "app.command_palette", "Command palette", "palette"),
    Key("anywhere.suspend", "ctrl+z", "app.suspend_process", "Suspend the console (fg brings it back)"),
    Key("anywhere.back", "escape", "app.back", "Out one layer"),
    Key("anywhere.help", "question_mark", "app.help", "Help on the pane", "help", True),
    Key("anywhere.leave", "q", "app.leave", "Leave; the runs go on", "leave", True),
)  # fmt: skip


def bindings(*contexts: str) -> list[Binding]:
    """The bindings of these contexts, for a BINDINGS class variable."""
    from textual.binding import Binding

    return [
        Binding(key.keys, key.action, key.label, show=key.show, id=key.id, tooltip=key.description)
        for key in KEYS
        if key.context in contexts
    ]
