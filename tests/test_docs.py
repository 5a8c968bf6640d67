"""The pages say what the code does: event fields, links, and the index names every page."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from moore_engine.control import VERBS
from moore_engine.events import KINDS, OUTSIDE_REPLAY, POSITION
from moore_engine.rundir import RunDir
from moore_engine.samplers import effective_size, half_time, p_off, priority_off

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RUN_DIRECTORY = (ROOT / "docs" / "run-directory.md").read_text()
ALGORITHM = (ROOT / "docs" / "algorithm.md").read_text()


def section(text: str, heading: str) -> str:
    """What follows a heading up to the next of its level or above."""
    level = heading.split(" ")[0]
    found = re.search(rf"^{re.escape(heading)}$(.*?)(?=^#{{1,{len(level)}}} |\Z)", text, re.M | re.S)
    assert found, f"there is no heading {heading!r}"
    return found[1]


def first_column(text: str) -> list[str]:
    """First cells of a page's table rows, without head and rule."""
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_event_has_its_fields_documented(kind: str) -> None:
    rows = first_column(section(RUN_DIRECTORY, f"### `{kind}`"))
    always = tuple(row.strip("`") for row in rows if "(some)" not in row)
    assert always == KINDS[kind]


def test_no_kind_is_documented_that_does_not_exist() -> None:
    documented = re.findall(r"^### `(\w+)`$", section(RUN_DIRECTORY, "## Events"), re.M)
    assert documented == list(KINDS)


def test_the_fields_of_every_event_are_documented() -> None:
    table = section(RUN_DIRECTORY, "## Events").split("###")[0]
    assert [row.strip("`") for row in first_column(table)] == ["v", "seq", "att", "t", *POSITION, "k"]


def test_the_kinds_outside_replay_are_those_named() -> None:
    last = RUN_DIRECTORY.rstrip().splitlines()[-1]
    assert sorted(re.findall(r"`(\w+)`", last)) == sorted(OUTSIDE_REPLAY)
    named = section((ROOT / "docs" / "resume.md").read_text(), "## What is equal").split("every event but")[1]
    assert set(re.findall(r"`(\w+)`", named.split("without")[0])) == set(OUTSIDE_REPLAY)


def test_every_verb_is_documented() -> None:
    assert [row.strip("`") for row in first_column(section(RUN_DIRECTORY, "## Requests"))] == list(VERBS)


def test_every_file_of_the_run_directory_is_documented() -> None:
    run = RunDir("run")
    listed = {line.split()[0].rstrip("/") for line in RUN_DIRECTORY.splitlines() if line.startswith("    ")}
    paths = [value for value in vars(run).values() if value != run.path]
    assert {path.name for path in paths} <= listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_image_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^( {4}|```).*$", "", page.read_text(), flags=re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = unquote(target).partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{target} in {page.name}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.M)
            assert anchor in {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_the_index_and_the_list_of_results_lead_to_every_page() -> None:
    lists = [ROOT / "docs" / "index.md", ROOT / "docs" / "results" / "README.md"]
    linked = {
        (page.parent / target).resolve()
        for page in lists
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text())
    }
    below = [page for page in (ROOT / "docs").rglob("*.md") if page != lists[0]]
    assert not [page.name for page in below if page not in linked]


def test_the_table_of_offline_shares_is_the_samplers_own() -> None:
    rows = [
        line for line in section(ALGORITHM, "## Online: MOORe, Algorithm 1").splitlines() if re.match(r"\| \d", line)
    ]
    assert len(rows) == 4
    for row in rows:
        n_off, *shares, half = (float(cell.replace(" ", "")) for cell in row.strip("|").split("|"))
        expected = [p_off(int(n_off), 1000 * t, priority_off(t, 1.0)) for t in (1, 10, 20, 50, 100)]
        assert shares == pytest.approx(expected, abs=6e-4)
        assert half == pytest.approx(half_time(int(n_off), 1000, 1.0), abs=0.06)


def test_the_effective_size_on_the_page_is_the_samplers_own() -> None:
    assert "ESS = (n_off f + n_on)^2 / (n_off f^2 + n_on)" in ALGORITHM
    n_off, n_on, f = 5000, 700, 0.3
    assert effective_size(n_off, n_on, f) == pytest.approx((n_off * f + n_on) ** 2 / (n_off * f**2 + n_on))
