"""What a run is made of, to move about in: the choices, the settings with their filter, and all about one key.

Where there is no room for both, the part without the focus is one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from moore_tui.runs.draft import Draft
from moore_tui.runs.outlook import Outlook
from moore_tui.widgets import launch_rows as lines
from moore_tui.widgets.rows import Rows
from moore_tui.widgets.run_list import FilterLine
from moore_tui.widgets.sheet import Line, Sheet, longest


class LaunchForm(Vertical):
    """`show` paints a draft; `current` is the choice or key under the cursor, and Edit asks to change it."""

    DEFAULT_CSS = """
    LaunchForm { height: 1fr; }
    LaunchForm #launch-run, LaunchForm #launch-choices { height: auto; }
    LaunchForm #launch-settings { height: 1fr; }
    LaunchForm #launch-settings.-folded { height: 1; }
    LaunchForm #launch-details { height: 2; }
    LaunchForm .-folded #launch-details { display: none; }
    LaunchForm FilterLine { height: 1; border: none; padding: 0; background: $surface; display: none; }
    LaunchForm .-filtering FilterLine { display: block; }
    LaunchForm .-folded FilterLine { display: none; }
    """

    class Edit(Message):
        """The value under the cursor shall be another."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.draft, self.outlook = Draft(), Outlook({}, {}, {})
        self.told: Mapping[str, str] = {}
        self.only_changed = self.short = self.ascii = False
        self.titles: Sequence[str] = ("New run",)
        self._fields: list[str] = []
        self._keys: list[str] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="launch-run", classes="box"):
            yield Rows(id="launch-choices")
        with Vertical(id="launch-settings", classes="box"):
            yield Rows(id="launch-keys")
            yield FilterLine(placeholder="words of a key, its value or its description", compact=True)
            yield Sheet(id="launch-details")

    def on_mount(self) -> None:
        self.filter.cursor_blink = False

    def on_resize(self) -> None:
        self.paint_details()

    @property
    def choices(self) -> Rows:
        return self.query_one("#launch-choices", Rows)

    @property
    def settings(self) -> Rows:
        return self.query_one("#launch-keys", Rows)

    @property
    def filter(self) -> FilterLine:
        return self.query_one(FilterLine)

    @property
    def in_settings(self) -> bool:
        return self.query_one("#launch-settings").has_pseudo_class("focus-within")

    @property
    def fields(self) -> list[str]:
        return lines.fields(self.draft, self.outlook)

    @property
    def keys(self) -> list[str]:
        return lines.keys(self.outlook, self.filter.value, self.only_changed)

    @property
    def current(self) -> str:
        rows, names = (self.settings, self.keys) if self.in_settings else (self.choices, self.fields)
        return names[rows.cursor] if rows.cursor < len(names) else ""

    def show(self, draft: Draft, outlook: Outlook, told: Mapping[str, str]) -> None:
        """`told` is what there is to say about a choice, by field."""
        self.draft, self.outlook, self.told = draft, outlook, told
        self.paint()

    def paint(self) -> None:
        """Show everything as it is now."""
        if not self.outlook.values or not self.is_mounted:
            return
        inside = self.in_settings
        for box, rows, folded, line in (
            ("#launch-run", self.choices, self.short and inside, lines.choices_line),
            ("#launch-settings", self.settings, self.short and not inside, lines.settings_line),
        ):
            self.query_one(box).set_class(folded, "-folded")
            rows.fold(line(self.draft, self.outlook) if folded else None)
        fields, keys = self._fields, self._keys = self.fields, self.keys
        self.choices.styles.height = 1 if self.choices.folded else len(fields)
        self.choices.fill(len(fields), self._field)
        self.settings.fill(len(keys), self._setting)
        every, changed = len(self.outlook.values), len(lines.changed(self.outlook))
        shown = f" · {len(keys)} of {every} keys" if len(keys) < every else ""
        told = f"{changed or 'none'} changed"
        self.query_one("#launch-run").border_title = Content(f"1 {longest(self.titles, self.size.width - 8)}")
        self.query_one("#launch-settings").border_title = Content(f"2 Settings{shown} · {told}")
        self.paint_details()

    def paint_details(self) -> None:
        """All about the key under the cursor."""
        keys, sheet = self.keys, self.query_one("#launch-details", Sheet)
        key = keys[self.settings.cursor] if self.settings.cursor < len(keys) else ""
        width = self.size.width - 2  # inside the box; a sheet that was hidden has no width yet
        sheet.put(lines.details(key, self.outlook, max(1, width), 2) if key else [])

    def go_to(self, name: str) -> None:
        """The cursor on a choice or a key, wherever it is."""
        if name in self.fields:
            self.choices.focus()
            self.choices.go(self.fields.index(name))
            return
        if name not in self.keys:
            self.filter.value, self.only_changed = "", False
        self.settings.focus()
        self.paint()
        self.settings.go(self.keys.index(name) if name in self.keys else 0)

    def start_filter(self) -> None:
        """Let the filter of the keys be typed."""
        self.query_one("#launch-settings").add_class("-filtering")
        self.filter.focus()

    def end_filter(self) -> bool:
        """Show all keys again; whether they were filtered."""
        filtered = bool(self.filter.value) or self.only_changed
        self.filter.value, self.only_changed = "", False
        self.query_one("#launch-settings").remove_class("-filtering")
        return filtered

    def toggle_changed(self) -> None:
        """Only the keys that were changed, or all."""
        self.only_changed = not self.only_changed
        self.settings.focus()
        self.paint()

    def _field(self, row: int, width: int, style: str) -> Line:
        name = self._fields[row]
        return lines.field_line(name, self.draft, self.outlook, self.told.get(name, ""), width, style, self.ascii)

    def _setting(self, row: int, width: int, style: str) -> Line:
        return lines.setting_line(self._keys[row], self.outlook, width, style, self.ascii)

    def on_descendant_focus(self) -> None:
        self.paint()

    @on(Rows.Moved)
    def moved(self, event: Rows.Moved) -> None:
        event.stop()
        self.paint_details()

    @on(Rows.Opened)
    def opened(self, event: Rows.Opened) -> None:
        event.stop()
        self.post_message(self.Edit())

    @on(FilterLine.Changed)
    def filtered(self) -> None:
        self.settings.cursor = 0
        self.paint()

    @on(FilterLine.Left)
    def filter_left(self) -> None:
        self.query_one("#launch-settings").set_class(bool(self.filter.value), "-filtering")
        self.settings.focus()
