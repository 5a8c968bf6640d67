"""Where panes stand, in any room: each cell belongs to one of them, and every pane can be reached."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Region, Size

from moore_tui.widgets.board import HIDDEN, SIDEBAR_FROM, Arrangement, pages, places

NAMES = ("runs", "return", "mass", "uncertainty", "loss", "speed", "log", "model", "details")
SIZES = st.builds(Size, st.integers(1, 260), st.integers(1, 100))


@given(SIZES, st.integers(0, 3))
def test_the_places_cover_the_room_and_do_not_overlap(size: Size, page: int) -> None:
    regions = list(places(size, Arrangement(page % len(pages(size)))).values())
    assert sum(region.area for region in regions) == size.area
    for region in regions:
        assert region in size.region
        assert not any(region.overlaps(other) for other in regions if other is not region)


@given(SIZES)
def test_every_pane_is_shown_on_some_page_or_alone(size: Size) -> None:
    found = {name for page in range(len(pages(size))) for name in places(size, Arrangement(page))}
    for name in NAMES:
        assert name in found or places(size, Arrangement(0, name)) == {name: size.region}


@given(st.builds(Size, st.integers(80, 260), st.integers(22, 100)), st.integers(0, 3))
def test_from_the_smallest_terminal_on_no_pane_is_too_small_to_read(size: Size, page: int) -> None:
    for name, region in places(size, Arrangement(page % len(pages(size)))).items():
        assert name == HIDDEN or (region.width >= 28 and region.height >= 5), (name, region)


def test_on_the_smallest_terminal_strips_lie_one_above_the_other() -> None:
    assert places(Size(80, 22), Arrangement()) == {
        "runs": Region(0, 0, 80, 6),
        "return": Region(0, 6, 80, 8),
        "mass": Region(0, 14, 40, 7),
        "uncertainty": Region(40, 14, 40, 7),
        HIDDEN: Region(0, 21, 80, 1),
    }


def test_a_wide_terminal_has_the_runs_and_their_details_at_the_side() -> None:
    found = places(Size(160, 48), Arrangement())
    assert found["runs"].width == found["details"].width == 48
    assert found["return"].x == found["log"].x == 48
    assert found["return"].width == 112


@pytest.mark.parametrize("width", [SIDEBAR_FROM - 1, SIDEBAR_FROM])
def test_a_zoomed_pane_has_all_the_room(width: int) -> None:
    assert places(Size(width, 40), Arrangement(1, "loss")) == {"loss": Region(0, 0, width, 40)}


def test_a_higher_terminal_shows_more_pairs_at_once() -> None:
    assert {"mass", "loss"} <= places(Size(80, 40), Arrangement()).keys()
    assert {"mass", "loss", "log"} <= places(Size(160, 60), Arrangement()).keys()
