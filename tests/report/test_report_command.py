"""`report` on the command line: which runs words mean, what is answered, exit codes, and what it never imports."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from moore_tui.cli import call
from moore_tui.headless.report_command import runs
from moore_tui.report import make as making
from moore_tui.report.figures import Drawn
from moore_tui.report.make import make
from moore_tui.runs.errors import BadRunName, RunNotFound
from tests.report.figure_runs import figure_run
from tests.tui.made_runs import make_run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs in ./runs and two in ./more, and no drawing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(making, "draw", lambda runs, folder: list[Drawn]())
    for name in ("moore-s0", "moore-s1"):
        figure_run(tmp_path / "runs", name)
    figure_run(tmp_path / "runs", "uniform-s0", online={"sampler": "uniform"})
    for name in ("moore-s0", "cql-s0"):
        figure_run(tmp_path / "more", name, run={"algo": name.partition("-")[0]})
    return tmp_path


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["moore-s0"], ["runs/moore-s0"]),
        (["uni"], ["runs/uniform-s0"]),
        (["runs"], ["runs/moore-s0", "runs/moore-s1", "runs/uniform-s0"]),
        (["moore-*"], ["runs/moore-s0", "runs/moore-s1"]),
        (["*-s[1-9]", "more/cql-s0"], ["runs/moore-s1", "more/cql-s0"]),
        (["more", "moore-s0", "moore-s0", "runs/moore-s0"], ["more/cql-s0", "more/moore-s0", "runs/moore-s0"]),
    ],
)
def test_words_mean_runs_folders_of_runs_and_patterns(folder: Path, words: Sequence[str], found: list[str]) -> None:
    assert [str(run.path.resolve().relative_to(folder)) for run in runs(words, None)] == found


@pytest.mark.parametrize(
    ("word", "kind"), [("nothing-*", RunNotFound), ("nowhere", RunNotFound), ("moore", BadRunName), ("", RunNotFound)]
)
def test_a_word_that_means_no_run_is_refused(folder: Path, word: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        runs([word], None)


def test_the_answer_is_a_table_and_the_place_of_the_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["report", "runs", "-o", "out/report"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "Hopper-v4, hopper_medium-v2 abababababab (score)" and lines[-1] == "out/report/report.html"
    assert lines[1].split() == ["GROUP", "RUNS", "OFFLINE", "FINAL", "NET", "DIP", "AUC"]
    assert lines[2].startswith("moore sampler=priority     2") and "80.0 [80.0, 80.0]" in lines[2]
    assert err.splitlines()[0].startswith("Runs are compared at 4,000 environment steps")
    assert "One run, so no interval" in err and (folder / "out" / "report" / "report.html").is_file()


def test_json_has_the_tables(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["report", "runs", "more", "-o", "out", "--json", "--step", "2000"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["folder"] == "out" and "out/report.html" in found["files"]
    assert [run["run"] for run in found["runs"]] == [
        "runs/moore-s0", "moore-s1", "uniform-s0", "cql-s0", "more/moore-s0",
    ]  # fmt: skip
    assert {run["final"] for run in found["runs"]} == {40.0} and found["strata"][0]["step"] == 2000.0
    assert {(each["group"], each["other"]) for each in found["versus"]} >= {("cql", "moore sampler=uniform")}
    assert {each["figure"] for each in found["groups"]} >= {"final", "auc", "regret"}


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("report", 2, "missing"),
        ("report runs", 2, "--output"),
        ("report nowhere -o out", 3, "there is no run 'nowhere'"),
        ("report none-* -o out", 3, "no run in runs has a name like 'none-*'"),
        ("report runs -o out --step 0", 2, "--step"),
        ("report runs -o out --step 9000", 2, "no run was evaluated at 9000 environment steps; moore-s0 came furthest"),
        ("report moore-s0 -o runs/moore-s0", 2, "is a run directory; name another folder"),
        ("report moore-s0 -o a-file", 2, "a-file is a file; name a folder"),
        ("report moore-s0 -o a-file/deep", 2, "a-file is a file; name a folder"),
        ("report collected -o out", 2, "collects a data set and learns no policy"),
        ("report broken -o out", 2, "the configuration of run broken cannot be used"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    folder: Path, line: str, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a-file").write_text("")
    make_run(folder / "runs", "collected", run={"algo": "collect"}, online={"epochs": 1})
    make_run(folder / "runs", "broken").config.write_text('run = "x"\n')
    before = sorted(folder.rglob("*"))
    assert call(line.replace("report runs", "report moore-s0").split() if code == 2 else line.split()) == code
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and told in err, err
    assert sorted(folder.rglob("*")) == before


def test_a_run_that_cannot_be_read_is_left_out_and_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(folder / "runs", "broken").config.write_text('run = "x"\n')
    assert call(["report", "runs", "-o", "out"]) == 0
    assert "Left out: the configuration of run broken cannot be used" in capsys.readouterr().err
    assert "broken" in (folder / "out" / "report.html").read_text()


def test_a_drawn_report_holds_its_figures(tmp_path: Path) -> None:
    for seed in (0, 1):
        figure_run(tmp_path / "runs", f"a-s{seed}", frozen=(30, 31))
    found = make(sorted((tmp_path / "runs").iterdir()), tmp_path / "out")
    assert (tmp_path / "out" / "figures" / "figure-1.pdf").read_bytes().startswith(b"%PDF")
    page = (tmp_path / "out" / "report.html").read_text()
    drawn = [each for each in found.report.figures if each.files]
    assert page.count("data:image/png;base64,iVBOR") == page.count("<img ") == len(drawn) == 1
    caption = drawn[0].caption
    assert all(word in caption for word in ("a-s0", "seeds 0, 1", "abababababab", "Hopper-v4", "torch 2.13.0"))


def test_a_report_is_made_without_the_engine(tmp_path: Path) -> None:
    code = "import sys; import moore_tui.report.make; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["torch", "gymnasium", "mujoco", "textual", "matplotlib", "pyarrow"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout == "[]\n", done.stderr
