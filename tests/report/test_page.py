"""The page and the tables: sound markup that loads nothing, names that stay names, equal numbers in every file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from moore_engine.rundir import RunDir, write_json
from moore_tui.report import make as making
from moore_tui.report import records
from moore_tui.report.figures import Drawn, NoMatplotlib
from moore_tui.report.gather import RunFacts
from moore_tui.report.make import Made, make
from moore_tui.report.page import estimate_text
from tests.report.figure_runs import SHA, figure_run

VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Tags with their attributes and text; an end tag must be that of the last open one."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if {"th", "td"} & set(self._open):
            self.rows[-1][-1] += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """One figure that was drawn and one that was not, at once."""

    def draw(runs: Sequence[RunFacts], folder: Path) -> list[Drawn]:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "figure-1.png"
        file.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (400).to_bytes(4, "big") + (300).to_bytes(4, "big"))
        return [
            Drawn("figure-1", "Curves", "Of <b>all</b> runs.", (file,), tuple(run.id for run in runs)),
            Drawn("figure-3", "Sweep", "There are none."),
        ]

    monkeypatch.setattr(making, "draw", draw)


def seeds(folder: Path, stem: str = "a", finals: Sequence[float] = (50, 60, 70), **more: object) -> list[RunDir]:
    return [figure_run(folder, f"{stem}-s{n}", frozen=(30, 30), after=(40, final), **more)  # type: ignore[arg-type]
            for n, final in enumerate(finals)]  # fmt: skip


def made(runs: Sequence[RunDir], folder: Path) -> tuple[Made, Reader]:
    found = make([run.path for run in runs], folder)
    return found, Reader((folder / "report.html").read_text())


def test_the_page_is_sound_and_loads_nothing(tmp_path: Path) -> None:
    uniform = seeds(tmp_path, "u", (20, 30), online={"sampler": "uniform"})
    _, page = made([*seeds(tmp_path), *uniform], tmp_path / "out")
    links = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    assert links and all(value and value.startswith("data:image/png;base64,") for value in links)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    policy = next(each["content"] for each in page.of("meta") if "http-equiv" in each)
    assert policy and policy.startswith("default-src 'none'; img-src data:; style-src")
    assert "url(" not in "".join(page.words) and "@import" not in "".join(page.words)


def test_the_page_can_be_heard_and_found_through(tmp_path: Path) -> None:
    _, page = made(seeds(tmp_path), tmp_path / "out")
    assert page.of("html") == [{"lang": "en"}] and len(page.of("h1")) == 1
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert all(each.get("scope") in ("row", "col") for each in page.of("th"))
    for each in page.of("table"):
        assert each["aria-labelledby"] in ids and each["aria-describedby"] in ids
    image = page.of("img")[0]
    assert image["alt"] == "Curves. Of <b>all</b> runs." and (image["width"], image["height"]) == ("200", "150")


def test_what_a_run_is_called_is_never_markup(tmp_path: Path) -> None:
    evil = "<script>alert('x')&\"s0"
    run = figure_run(tmp_path, evil, data="<img src=http:--x.hdf5", task="Hop<i>-v4", versions={"<u>": "<s>"},
                     run={"name": "x", "from_": "/gone/<b>@switch"})  # fmt: skip
    found, page = made([run], tmp_path / "out")
    assert found.report.runs[0].id == evil
    assert not {"script", "i", "u", "s", "b"} & {tag for tag, _ in page.tags} and len(page.of("img")) == 1
    assert any(evil in row for row in page.rows) and any("Hop<i>-v4" in word for word in page.words)


def test_every_table_and_figure_names_what_it_was_made_of(tmp_path: Path) -> None:
    _, page = made(seeds(tmp_path), tmp_path / "out")
    text = " ".join(page.words)
    source = ("Runs: a-s0, a-s1, a-s2; seeds: 0, 1, 2; task: Hopper-v4; data sha256: abababababab; "
              "packages: gymnasium 1.4.0, mujoco 4.0.0, torch 2.13.0.")  # fmt: skip
    assert text.count(source) == len(page.of("table")) == 2
    assert SHA in text and "Sweep is left out: There are none." in text and "moore-console" in text


def test_the_numbers_on_the_page_are_those_of_the_tables(tmp_path: Path) -> None:
    found, page = made(seeds(tmp_path), tmp_path / "out")
    estimate = found.report.summaries[0].rows[0].estimates["final"]
    assert estimate.interval is not None and estimate.value == pytest.approx(60.0)
    row = next(row for row in page.rows if row[0] == "moore")
    assert row[1:3] == ["3", "0, 1, 2"] and f"60.0 [{estimate.interval.low:.1f}, {estimate.interval.high:.1f}]" in row
    assert next(row for row in page.rows if row[0] == "a-s1")[1:5] == ["moore", "done", "1", "2,000"]


def test_a_figure_says_of_how_many_runs_it_is(tmp_path: Path) -> None:
    late = figure_run(tmp_path, "a-s9", frozen=(30, 30), after=())
    found, page = made([*seeds(tmp_path), late], tmp_path / "out")
    row = next(row for row in page.rows if row[0] == "moore")
    assert row[1] == "4" and sum("(3 of 4)" in cell for cell in row) == 5 and "30.0 [30.0, 30.0]" in row
    assert estimate_text(found.report.summaries[0].rows[0], "final").endswith(" (3 of 4)")


def test_one_run_has_no_interval_and_no_one_to_be_compared_with(tmp_path: Path) -> None:
    found, page = made(seeds(tmp_path, finals=(50,)), tmp_path / "out")
    row = next(row for row in page.rows if row[0] == "moore")
    assert "50.0" in row and not any("[" in cell for cell in row)
    assert any("nothing known of the spread over seeds: moore" in word for word in page.words)
    assert not (tmp_path / "out" / "versus.csv").exists() and found.report.summaries[0].versus == ()


def test_steps_stand_for_epochs_where_these_differ(tmp_path: Path) -> None:
    other = figure_run(tmp_path, "b-s0", steps=500, after=(31, 35, 41, 60), online={"steps_per_epoch": 500},
                       run={"algo": "cql"})  # fmt: skip
    _, page = made([*seeds(tmp_path), other], tmp_path / "out")
    heads = [row for row in page.rows if row[0] in ("Group", "Run")]
    assert any("Steps to 90 %" in row for row in heads) and not any("Epochs to 90 %" in row for row in heads)


def test_csv_and_parquet_hold_the_same_tables(tmp_path: Path) -> None:
    uniform = seeds(tmp_path, "u", (20, 30), online={"sampler": "uniform"})
    found, _ = made([*seeds(tmp_path), *uniform], tmp_path / "out")
    for name in ("report", "groups", "versus", "curves"):
        with open(tmp_path / "out" / f"{name}.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        table = parquet.read_table(tmp_path / "out" / f"{name}.parquet")
        assert table.column_names == list(rows[0]) and table.num_rows == len(rows)
        for key, values in table.to_pydict().items():
            assert [row[key] for row in rows] == ["" if value is None else str(value) for value in values], key
    report = parquet.read_table(tmp_path / "out" / "report.parquet").to_pydict()
    assert report["run"] == ["a-s0", "a-s1", "a-s2", "u-s0", "u-s1"] and report["final"] == [50, 60, 70, 20, 30]
    assert report["data_sha256"] == [SHA] * 5 and report["step"] == [2000] * 5
    assert np.all(np.array(report["net_dip_low"]) <= np.array(report["net_dip"]))
    curves = parquet.read_table(tmp_path / "out" / "curves.parquet").to_pydict()
    own = [row for row in zip(curves["run"], curves["stage"], curves["env_step"], curves["score"], strict=True)
           if row[0] == "u-s1"]  # fmt: skip
    assert own == [("u-s1", "offline", 0, value) for value in (10, 20, 30)] + [("u-s1", "frozen", 0, 30)] * 2 + [
        ("u-s1", "online", 1000, 40),
        ("u-s1", "online", 2000, 30),
    ]
    assert {path.name for path in found.files} == {path.name for path in (tmp_path / "out").rglob("*.*")}


def test_numbers_keep_their_kind_where_some_are_not_known(tmp_path: Path) -> None:
    made([figure_run(tmp_path, "a-s0"), figure_run(tmp_path, "b-s1", after=())], tmp_path / "out")
    table = parquet.read_table(tmp_path / "out" / "report.parquet")
    assert table.to_pydict()["final"] == [80.0, None] and table.to_pydict()["step"] == [4000.0, None]
    kinds = {name: str(kind) for name, kind in zip(table.column_names, table.schema.types, strict=True)}
    assert kinds["final"] == kinds["net_dip"] == "double" and kinds["seed"] == "int64" and kinds["run"] == "string"


def test_made_again_it_is_the_same_and_leaves_nothing_of_what_was_before(tmp_path: Path) -> None:
    out = tmp_path / "out"
    uniform = seeds(tmp_path, "u", (20, 30), online={"sampler": "uniform"})
    made([*seeds(tmp_path), *uniform], out)
    (out / "figures" / "figure-2.pdf").write_bytes(b"old")
    (out / "notes.txt").write_text("mine")
    found, _ = made(uniform, out)
    first = {path: path.read_bytes() for path in found.files}
    assert {path.name for path in out.rglob("*.*")} == {path.name for path in first} | {"notes.txt"}
    made(uniform, out)
    assert {path: path.read_bytes() for path in found.files} == first


def test_without_the_extra_the_page_has_no_figures_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(runs: object, folder: object) -> list[Drawn]:
        raise NoMatplotlib("figures need matplotlib: pip install 'moore-console[report]'")

    monkeypatch.setattr(making, "draw", draw)
    monkeypatch.setattr(records, "has_parquet", lambda: False)
    found, page = made(seeds(tmp_path), tmp_path / "out")
    assert {path.name for path in found.files} == {"report.html", "report.csv", "groups.csv", "curves.csv"}
    told = [word for word in page.words if "pip install" in word]
    assert told[0].startswith("There are no figures: figures need matplotlib") and "no Parquet files" in told[1]


def test_several_data_sets_have_a_section_each_and_one_together(tmp_path: Path) -> None:
    one, two = seeds(tmp_path, "a", (50, 60)), seeds(tmp_path, "b", (20, 30), sha256="cd" * 32, data="other.hdf5")
    found, page = made([*one, *two], tmp_path / "out")
    assert "All tasks and data sets together" in page.words
    assert found.report.notes == (
        "The runs are on several tasks or data sets: each has a section, and runs are compared within it.",
    )
    with open(tmp_path / "out" / "groups.csv", newline="") as file:
        finals = {row["stratum"]: float(row["iqm"]) for row in csv.DictReader(file) if row["figure"] == "final"}
    assert list(finals.values()) == pytest.approx([55, 25, 40]) and list(finals)[-1] == "all"


def test_a_trunk_is_no_run_of_its_own_among_its_branches(tmp_path: Path) -> None:
    trunk = figure_run(tmp_path, "trunk-s0", before=(10, 20), after=(), online={"sampler": "uniform"})
    (trunk.checkpoints / "switch").mkdir()
    write_json(trunk.checkpoints / "switch" / "manifest.json", {"seq": 3})
    origin = {"from_": f"{trunk.path}@switch#{SHA}"}
    branches = [figure_run(tmp_path, f"{name}-s0", before=(), after=(30, 40), run=origin) for name in ("a", "b")]
    found, page = made([trunk, *branches], tmp_path / "out")
    assert [(run.id, run.group, run.offline_score) for run in found.report.runs] == [
        ("a-s0", "moore", 20.0), ("b-s0", "moore", 20.0),
    ]  # fmt: skip
    assert "Shown only as the offline stage of the runs that branched off: trunk-s0." in page.words
    alone, _ = made([trunk], tmp_path / "alone")
    assert [run.id for run in alone.report.runs] == ["trunk-s0"]
