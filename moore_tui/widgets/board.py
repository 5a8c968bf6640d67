"""Which panes are shown where, as a pure function of the room: stacked strips when narrow, else a sidebar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.message import Message
from textual.widget import Widget

from moore_tui.widgets.pane import Pane

SIDEBAR_FROM = 100
"""Columns from which the runs and their details stand beside the charts."""
HIDDEN = "hidden"
"""Name of the line that sums up the panes that are not shown."""
SINGLE = 56
"""Columns below which the lower half shows one pane and not two."""
LEAST = 5
"""Rows below which no pane is of use."""
LOWER = {1: 0.33, 2: 0.22, 3: 0.16}
"""Share of the height for each row of the lower half, by their number."""

NARROW_PAGES: tuple[tuple[str, ...], ...] = (
    ("mass", "uncertainty"), ("loss", "model"), ("speed", "details"), ("log",)
)  # fmt: skip
WIDE_PAGES: tuple[tuple[str, ...], ...] = (("mass", "uncertainty"), ("loss", "model"), ("speed",))

Places = dict[str, Region]


@dataclass(frozen=True)
class Arrangement:
    """What the person chose: the pair of panes in the lower half, and the pane that has all the room."""

    page: int = 0
    zoomed: str | None = None


def places(size: Size, chosen: Arrangement) -> Places:
    """The region of each pane that is shown, and of the line that sums up the others."""
    width, height = size
    if width < 1 or height < 1:
        return {}
    if chosen.zoomed:
        return {chosen.zoomed: Region(0, 0, width, height)}
    if height <= 3 * LEAST:
        return _few(width, height)
    return _wide(width, height, chosen.page) if width >= SIDEBAR_FROM else _stacked(width, height, chosen.page)


def uncovered(size: Size, before: Arrangement, name: str) -> Arrangement:
    """An arrangement that shows a pane, as near to the one before as can be."""
    page = before.page % len(pages(size))
    if before.zoomed:
        return Arrangement(page, name)
    candidates = [page, *(number for number, names in enumerate(pages(size)) if name in names)]
    for candidate in candidates:
        if name in places(size, Arrangement(candidate)):
            return Arrangement(candidate)
    return Arrangement(page, name)


def pages(size: Size) -> tuple[tuple[str, ...], ...]:
    """The panes that share the lower half, by page."""
    if size.width >= SIDEBAR_FROM:
        return WIDE_PAGES
    return NARROW_PAGES if size.width >= SINGLE else tuple((name,) for page in NARROW_PAGES for name in page)


def _few(width: int, height: int) -> Places:
    """Too low for a lower half: the list, and the return below it if there is room."""
    if height < 2 * LEAST + 1:
        return {"runs": Region(0, 0, width, height)}
    top = height // 2
    return {
        "runs": Region(0, 0, width, top),
        "return": Region(0, top, width, height - top - 1),
        HIDDEN: Region(0, height - 1, width, 1),
    }


def _stacked(width: int, height: int, page: int) -> Places:
    """Strips over the whole width; at 80x22: six rows for the runs, eight for the return, seven for a pair."""
    each, rest = pages(Size(width, height)), height - 1
    rows = 1 + (height >= 36) + (height >= 48)
    runs = max(LEAST, min(14, round(0.28 * rest)))
    lower = max(LEAST, round(LOWER[rows] * rest))
    top = rest - runs - lower * rows
    found = {"runs": Region(0, 0, width, runs), "return": Region(0, runs, width, top)}
    y = runs + top
    for number in range(rows):
        found |= _beside(each[(page + number) % len(each)], Region(0, y, width, lower))
        y += lower
    return found | {HIDDEN: Region(0, rest, width, 1)}


def _wide(width: int, height: int, page: int) -> Places:
    """A sidebar with runs and details; beside it the return, a pair (two if it is high), and the log."""
    side = max(36, min(64, round(width * 0.3)))
    main, rest = width - side, height - 1
    rows = 1 + (height >= 58)
    runs = max(LEAST + 3, round(height * 0.42))
    share = 0.29 if rows == 1 else 0.23
    lower = max(7, round(rest * share))
    log = max(LEAST, round(rest * (0.25 if rows == 1 else 0.19)))
    top = rest - lower * rows - log
    found = {
        "runs": Region(0, 0, side, runs),
        "details": Region(0, runs, side, height - runs),
        "return": Region(side, 0, main, top),
    }
    y = top
    for number in range(rows):
        found |= _beside(WIDE_PAGES[(page + number) % len(WIDE_PAGES)], Region(side, y, main, lower))
        y += lower
    return found | {"log": Region(side, y, main, log), HIDDEN: Region(side, height - 1, main, 1)}


def _beside(names: Sequence[str], region: Region) -> Places:
    """The region divided among the panes, from left to right."""
    x, y, width, height = region
    edges = [x + width * number // len(names) for number in range(len(names) + 1)]
    return {
        name: Region(start, y, end - start, height) for name, start, end in zip(names, edges, edges[1:], strict=False)
    }


class BoardLayout(Layout):
    """Puts the panes of a Board into their places."""

    name = "board"

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:
        assert isinstance(parent, Board)
        where = parent.fitted(size)
        return [
            WidgetPlacement(where[child.id], NULL_OFFSET, NULL_SPACING, child)
            for child in children
            if child.id in where
        ]


class Board(Widget):
    """The panes of a screen by their ids, arranged."""

    DEFAULT_CSS = """
    Board { width: 1fr; height: 1fr; }
    """

    class Arranged(Message):
        """Other panes are shown, or in other sizes."""

    def __init__(self, *children: Widget, id: str | None = None) -> None:
        super().__init__(*children, id=id)
        self.arrangement = Arrangement()
        self._chosen = self.arrangement
        self._fitted = Size(0, 0)
        self._by_places = BoardLayout()

    @property
    def layout(self) -> Layout:
        """Arranges the children; styles know Textual's own layouts only."""
        return self._by_places

    @property
    def shown(self) -> list[Pane]:
        """The panes on screen now, by number."""
        panes = [child for child in self.children if isinstance(child, Pane) and child.display]
        return sorted(panes, key=lambda pane: pane.number)

    @property
    def hidden(self) -> list[Pane]:
        """The panes that are not, by number."""
        panes = [child for child in self.children if isinstance(child, Pane) and not child.display]
        return sorted(panes, key=lambda pane: pane.number)

    def turn(self, pages_on: int) -> str:
        """Another pair of panes in the lower half; the name of the first one."""
        choice = pages(self.size)
        page = (self.arrangement.page + pages_on) % len(choice)
        self._choose(Arrangement(page))
        return choice[page][0]

    def uncover(self, name: str) -> None:
        """Make sure that a pane is on screen; where one has all the room, this one gets it."""
        found = uncovered(self.size, self.arrangement, name)
        if found != self.arrangement:
            self._choose(Arrangement(found.page, name if self._chosen.zoomed else None), found)

    def zoom(self, name: str) -> None:
        """Give a pane all the room, or put it back."""
        self._choose(Arrangement(self.arrangement.page, None if self.arrangement.zoomed else name))

    def fitted(self, size: Size) -> Places:
        """The places in a room of this size; where it is another one, the pane with the focus stays on screen."""
        if size and size != self._fitted:
            self._fitted = size
            focused = self.screen.focused
            chain = focused.ancestors_with_self if focused is not None else []
            held = next((child.id for child in self.children if child in chain), None)
            self.arrangement = uncovered(size, self._chosen, held) if held else self._chosen
        return places(size, self.arrangement)

    def _choose(self, chosen: Arrangement, arrangement: Arrangement | None = None) -> None:
        """What the person wants, and what there is room for."""
        self._chosen, self.arrangement = chosen, arrangement or chosen
        self._settle()

    def on_resize(self) -> None:
        self._settle()

    def _settle(self) -> None:
        """Panes without a place are switched off, so that they neither take the focus nor paint."""
        if self.size:
            where = self.fitted(self.size)
            for child in self.children:
                child.display = child.id in where
            self.refresh(layout=True)
            self.post_message(self.Arranged())
