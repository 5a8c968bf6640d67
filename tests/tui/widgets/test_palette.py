"""Colours can be seen on every theme and told apart by colour-blind people, as far as dashes do not do that already."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from rich.color import Color as RichColor
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from moore_tui.widgets.chart_view import DASHES
from moore_tui.widgets.palette import DARK, DARK_16, LIGHT, LIGHT_16, SERIES, palette

# Machado, Oliveira and Fernandes (2009), severity 1: linear RGB as it is seen.
SIGHTS = {
    "all colours": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(color: str) -> np.ndarray:
    rgb = np.array(Color.parse(color).rgb) / 255.0
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of linear RGB."""
    xyz = TO_XYZ @ rgb / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    """As WCAG 2 has it."""
    low, high = sorted(float(TO_XYZ[1] @ linear(color)) for color in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("hues", [DARK, LIGHT], ids=["dark", "light"])
def test_series_that_no_dash_tells_apart_differ_in_colour(hues: tuple[str, ...], sight: str) -> None:
    seen = [lab(np.clip(np.array(SIGHTS[sight]) @ linear(color), 0.0, 1.0)) for color in hues]
    for one, other in combinations(range(len(hues)), 2):
        apart = float(np.linalg.norm(seen[one] - seen[other]))
        same_dash = (other - one) % len(DASHES) == 0
        assert apart >= (20.0 if same_dash or other < len(DASHES) else 12.0), (hues[one], hues[other])


@pytest.mark.parametrize("theme", [theme for theme in BUILTIN_THEMES.values() if not theme.ansi], ids=lambda t: t.name)
def test_every_series_can_be_seen_on_every_theme(theme) -> None:  # type: ignore[no-untyped-def]
    variables = theme.to_color_system().generate()
    made = palette({}, theme.dark, sixteen=False)
    for ground in ("background", "surface"):
        for name in (*SERIES, "offline", "online", "label"):
            assert contrast(made.colors[name], Color.parse(variables[ground]).hex6) >= 3.0, (name, ground)


@pytest.mark.parametrize("dark", [True, False])
def test_on_sixteen_colours_only_those_are_used_and_dim_is_an_attribute(dark: bool) -> None:
    made = palette({}, dark, sixteen=True, ground=Color.parse("black"))
    for name in made.colors:
        color = made.style(name).color
        assert color is not None and (color.is_default or (color.number is not None and color.number < 16))
        assert made.style(name, dim=True).dim
    assert len({*DARK_16}) == len({*LIGHT_16}) == len(SERIES)


def test_dim_is_half_way_to_the_ground() -> None:
    made = palette({"series-1": "#ffffff"}, dark=True, sixteen=False, ground=Color.parse("#000000"))
    color = made.style("series-1", dim=True).color
    assert color is not None and color.triplet is not None
    assert set(color.triplet) <= {127, 128}


def test_a_theme_may_replace_a_colour() -> None:
    made = palette({"series-2": "#123456", "offline": "ansi_red"}, dark=True, sixteen=False)
    assert made.style("series-2").color == RichColor.parse("#123456")
    assert made.style("offline").color == RichColor.parse("red")
    assert made.style("series-1").color == RichColor.parse(DARK[0])


def test_an_unknown_name_looks_like_a_label() -> None:
    made = palette({}, dark=True, sixteen=False)
    assert made.style("nonsense") == made.style("label")
