"""scripts/screenshots draws the console from a recorded run, and the pictures in the documentation are its own."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from tests.test_scripts import script

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images" / "console"
LARGEST = 150_000
"""Bytes of a picture."""


@pytest.fixture
def screenshots(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return script("screenshots")


def words(picture: str) -> str:
    """All that is written in a picture."""
    return " ".join(
        part.text or "" for part in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")
    )


def test_the_example_gives_pictures_of_the_console(
    screenshots: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert screenshots.main(["-o", str(tmp_path), "--only", "watch-80x24", "--only", "replay"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"watch-80x24.svg", "replay.svg"}
    narrow, replay = (words((tmp_path / name).read_text()) for name in ("watch-80x24.svg", "replay.svg"))
    for said in ("moore-console", "Score", "Priority mass", "example", "frozen policy", "off 3%"):
        assert said in narrow or said in replay
    assert "replay 60x held" in replay and "live" in replay
    assert "watch-80x24.svg" in capsys.readouterr().out


def test_the_same_run_gives_the_same_picture(screenshots: ModuleType, tmp_path: Path) -> None:
    pictures = [
        screenshots.drawn(screenshots.ONE["watch-80x24"], [screenshots.ROOT / "runs" / "example"]) for _ in range(2)
    ]
    assert pictures[0] == pictures[1]


def test_the_run_is_left_as_it_is(screenshots: ModuleType, tmp_path: Path) -> None:
    run = screenshots.copied(ROOT / "runs" / "example", tmp_path)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    screenshots.drawn(screenshots.ONE["watch-80x24"], [run])
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_folder_that_is_no_run_is_refused(screenshots: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        screenshots.main([str(tmp_path), "-o", str(tmp_path / "out")])


def test_braille_and_frames_are_drawn_where_their_cells_are(screenshots: ModuleType) -> None:
    from rich.segment import Segment

    picture = screenshots.svg([[Segment("a "), Segment("⠁┃")]], 4, "four cells")
    assert ">a</text>" in picture
    assert 'd="m23 3h0"' in picture
    assert 'd="M35 0V20"' in picture
    assert "⠁" not in picture and "┃" not in picture


def committed() -> list[Path]:
    return sorted(IMAGES.glob("*.svg"))


def test_every_picture_that_the_script_makes_is_there_and_shown_on_a_page(screenshots: ModuleType) -> None:
    made = {f"{name}.svg" for name in (*screenshots.ONE, *screenshots.SEVERAL)}
    assert {path.name for path in committed()} == made
    pages = "".join(page.read_text() for page in (ROOT / "docs").rglob("*.md"))
    assert made <= set(re.findall(r"images/console/([\w-]+\.svg)\)", pages))


@pytest.mark.parametrize("path", committed(), ids=lambda path: path.name)
def test_a_picture_is_small_loads_nothing_and_names_no_machine(path: Path) -> None:
    picture = path.read_text()
    assert len(picture.encode()) < LARGEST
    assert set(re.findall(r"https?://[^\"\s]+", picture)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in picture and "url(" not in picture and "<script" not in picture
    said = words(picture)
    assert not re.findall(r"(?<![\w.])/(?:home|root|tmp|work|usr|opt|mnt|Users)\b", said)
    assert not re.search(rf"(?<![\w-]){re.escape(socket.gethostname())}:\d", said)
    assert "moore-console" in said
