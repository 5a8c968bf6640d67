"""What is drawn: the artists' numbers are the events', the files are sound and the same every time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import same_color, to_rgb
from matplotlib.figure import Figure
from PIL import Image

from moore_tui.report import figures
from moore_tui.report.figures import caption, choose, curves, learning, paper, style
from moore_tui.report.gather import RunFacts, gather
from tests.report.figure_runs import SHA, figure_run

ROOT = Path(__file__).resolve().parents[2]
UNC = [(500, 4.0, 2.0, 5.0), (1000, 2.0, 1.0, 3.0), (2000, 0.5, 0.25, 1.0)]
ERRORS = (0.5, 0.2, 0.1, 0.1, 0.05, 0.3)


def runs_of(folder: Path) -> list[RunFacts]:
    return gather(sorted(path.parent for path in folder.glob("*/config.toml")))


def drawn(folder: Path, number: int) -> Figure:
    """One figure of all runs of a folder, not saved."""
    plan = choose.figures(runs_of(folder))[number - 1]
    assert plan.panels, plan.notes
    return paper.figure(plan)


def artists(axes: Axes) -> dict[str, Any]:
    return {each.get_gid(): each for each in axes.get_children() if each.get_gid()}


def points(artist: Any) -> list[list[float]]:
    """x and y of a line."""
    return [list(map(float, artist.get_xdata())), list(map(float, artist.get_ydata()))]


def limits(band: Any) -> dict[float, tuple[float, float]]:
    """Lowest and highest y of a band at each x."""
    (path,) = band.get_paths()
    found: dict[float, list[float]] = {}
    for x, y in path.vertices:
        found.setdefault(float(x), []).append(float(y))
    return {x: (min(ys), max(ys)) for x, ys in sorted(found.items())}


def three_seeds(folder: Path, name: str = "m", shift: float = 0.0, **more: Any) -> None:
    for seed in range(3):
        each = seed + shift
        figure_run(folder, f"{name}-s{seed}", before=(10 + each, 20 + each), frozen=(21 + each,),
                   after=(30 + 10 * each, 60 + 10 * each), **more)  # fmt: skip


def test_lines_and_bands_hold_the_evaluations_before_and_after_the_switch(tmp_path: Path) -> None:
    three_seeds(tmp_path)
    (axes,) = drawn(tmp_path, 1).axes
    found = artists(axes)
    assert points(found["offline MOORe"]) == [[-1000, 0], [11, 21]]
    assert limits(found["offline band MOORe"]) == {-1000: (10, 12), 0: (20, 22)}
    assert points(found["online MOORe"]) == [[0, 1000, 2000], [22, 40, 70]]
    assert limits(found["band MOORe"]) == {0: (21, 23), 1000: (30, 50), 2000: (60, 80)}
    assert "end MOORe" not in found


def test_the_switch_is_marked_at_0_between_grey_and_colour(tmp_path: Path) -> None:
    three_seeds(tmp_path)
    (axes,) = drawn(tmp_path, 1).axes
    found = artists(axes)
    assert points(found["switch"])[0] == [0, 0]
    assert same_color(found["offline MOORe"].get_color(), style.GREY)
    assert same_color(found["offline band MOORe"].get_facecolor()[0][:3], style.GREY)
    colour = to_rgb(found["online MOORe"].get_color())
    assert max(colour) - min(colour) > 0.3
    said = {text.get_text().strip() for text in axes.texts}
    assert {"offline", "online", "updates", "environment steps"} <= said


def test_the_offline_strip_is_as_wide_as_it_should_be_and_ticks_are_in_their_units(tmp_path: Path) -> None:
    three_seeds(tmp_path, updates=50_000)
    (axes,) = drawn(tmp_path, 1).axes
    assert axes.get_xlim() == (-100_000, 2000)
    place = axes.transAxes.inverted().transform(axes.transData.transform([(0, 20), (1000, 20), (-50_000, 20)]))[:, 0]
    assert place == pytest.approx([learning.STRIP, (1 + learning.STRIP) / 2, learning.STRIP / 2])
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["−100 k", "0", "500", "1000", "1500", "2000"]


def test_a_longer_budget_is_cut_where_moores_ends_and_a_shorter_one_is_marked(tmp_path: Path) -> None:
    figure_run(tmp_path, "moore-s0", after=(20, 30, 40))
    figure_run(tmp_path, "awac-s0", run={"algo": "awac"}, after=(10, 20), steps=2000)
    figure_run(tmp_path, "cql-s0", run={"algo": "cql"}, after=(10, 15))
    figure = drawn(tmp_path, 1)
    (axes,) = figure.axes
    found = artists(axes)
    assert axes.get_xlim()[1] == 3000
    assert points(found["online AWAC"]) == [[0, 2000, 3000], [30, 10, 15]]
    assert points(found["end AWAC"]) == [[3000], [15]] and found["end AWAC"].get_marker() == ">"
    assert points(found["end CQL"]) == [[2000], [15]] and found["end CQL"].get_marker() == "|"
    assert "end MOORe" not in found
    told = caption.text(choose.figures(runs_of(tmp_path))[0])
    assert "Cut at 3,000 environment steps (arrowhead): AWAC goes on to 4,000." in told
    assert "Before 3,000 environment steps (bar): CQL ends at 2,000." in told


def test_a_run_from_scratch_begins_at_the_switch(tmp_path: Path) -> None:
    figure_run(tmp_path, "moore-s0")
    figure_run(tmp_path, "mbpo-s0", run={"algo": "mbpo"}, before=(), after=(1, 2, 3, 4))
    found = artists(drawn(tmp_path, 1).axes[0])
    assert "offline MBPO" not in found and points(found["online MBPO"])[0] == [1000, 2000, 3000, 4000]


def test_without_any_offline_stage_there_is_no_strip(tmp_path: Path) -> None:
    figure_run(tmp_path, "mbpo-s0", run={"algo": "mbpo"}, before=(), after=(1, 2))
    (axes,) = drawn(tmp_path, 1).axes
    assert axes.get_xlim() == (0, 2000)
    assert {text.get_text().strip() for text in axes.texts} == {"online", "environment steps"}


def test_samplers_that_share_an_offline_stage_show_it_once(tmp_path: Path) -> None:
    three_seeds(tmp_path, "p", online={"sampler": "priority"})
    three_seeds(tmp_path, "u", online={"sampler": "uniform"})
    found = artists(drawn(tmp_path, 2).axes[0])
    assert {"online priority", "online uniform"} <= set(found)
    assert [gid for gid in found if gid.startswith("offline") and "band" not in gid] == ["offline priority"]


def luminance(colour: Any) -> float:
    return float(np.dot(to_rgb(colour), (0.2126, 0.7152, 0.0722)))


def test_alphas_go_from_dark_to_light_in_the_legends_order(tmp_path: Path) -> None:
    for place, alpha in enumerate((4.0, 0.1, 1.0, 10.0)):
        figure_run(tmp_path, f"a{place}-s0", online={"alpha": alpha})
    figure = drawn(tmp_path, 3)
    found = artists(figure.axes[0])
    labels = ["α = 0.1", "α = 1", "α = 4", "α = 10"]
    grey = [luminance(found[f"online {label}"].get_color()) for label in labels]
    assert all(after - before > 0.08 for before, after in pairwise(grey))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == labels


def test_a_legend_of_two_lines_reads_line_by_line(tmp_path: Path) -> None:
    for place, alpha in enumerate((0.1, 0.25, 0.5, 1.0, 2.0)):
        figure_run(tmp_path, f"a{place}-s0", online={"alpha": alpha})
    with paper.settings():
        figure = drawn(tmp_path, 3)
        FigureCanvasAgg(figure).draw()
    (legend,) = figure.legends
    places = {text.get_text(): text.get_window_extent() for text in legend.get_texts()}
    order = sorted(places, key=lambda label: (-round(places[label].y0), places[label].x0))
    assert order == [f"α = {alpha:g}" for alpha in (0.1, 0.25, 0.5, 1.0, 2.0)]
    assert legend.get_window_extent().width < figure.bbox.width


def test_uncertainty_has_the_rollouts_mean_and_percentiles_on_a_log_axis(tmp_path: Path) -> None:
    figure_run(tmp_path, "m-s0", unc=UNC, rue=ERRORS)
    figure_run(tmp_path, "m-s1", unc=[(step, 3 * mean, 3 * low, 3 * high) for step, mean, low, high in UNC])
    left, _ = drawn(tmp_path, 4).axes
    found = artists(left)
    assert points(found["u MOORe"]) == [[500, 1000, 2000], [8, 4, 1]]
    assert limits(found["u band MOORe"]) == {500: (4, 10), 1000: (2, 6), 2000: (0.5, 2)}
    assert left.get_yscale() == "log"


def test_the_density_is_that_of_all_epochs_and_seeds_with_a_mark_for_each(tmp_path: Path) -> None:
    figure_run(tmp_path, "m-s0", unc=UNC, rue=ERRORS[:3])
    figure_run(tmp_path, "m-s1", unc=UNC, rue=ERRORS[3:])
    _, right = drawn(tmp_path, 4).axes
    found = artists(right)
    x, y = map(np.array, points(found["density MOORe"]))
    assert y == pytest.approx(curves.density(np.array(ERRORS), x))
    assert x[0] == 0 and x[-1] == right.get_xlim()[1] > np.quantile(ERRORS, 0.98)
    assert sorted(points(found["values MOORe"])[0]) == sorted(ERRORS)


def test_too_few_errors_are_no_density_and_it_is_said(tmp_path: Path) -> None:
    figure_run(tmp_path, "m-s0", unc=UNC, rue=ERRORS[:4])
    plan = choose.figures(runs_of(tmp_path))[3]
    _, right = paper.figure(plan).axes
    assert not artists(right) and "too few epochs" in right.texts[0].get_text()
    assert "Too few epochs for a density: MOORe." in caption.text(plan)


def test_panels_of_several_data_sets_have_titles_and_one_legend(tmp_path: Path) -> None:
    for place in range(5):
        figure_run(tmp_path, f"m{place}-s0", data=f"set{place}.hdf5", sha256=f"{place}" * 64)
    figure = drawn(tmp_path, 1)
    assert [axes.get_title() for axes in figure.axes] == [f"Hopper-v4, set{place}" for place in range(5)] + [""]
    assert len(figure.legends) == 1 and figure.get_figwidth() == style.PAGE


def test_groups_look_alike_in_every_figure_and_differ_by_colour_dash_and_marker() -> None:
    together = style.styles(["moore", "mbpo", "awac", "balanced_replay", "cql", "moore layer_norm=true"])
    for field in range(3):
        assert len({each[field] for each in together.values()}) == 6
    assert style.styles(["moore"])["moore"] == together["moore"] == style.styles(["uniform", "priority"])["priority"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[figures.Drawn]]:
    """All four figures of a few runs, drawn once."""
    folder = tmp_path_factory.mktemp("made")
    for seed in range(2):
        for place, (sampler, alpha) in enumerate([("priority", 1.0), ("priority", 4.0), ("uniform", 1.0)]):
            figure_run(folder / "runs", f"r{place}-s{seed}", online={"sampler": sampler, "alpha": alpha}, unc=UNC,
                       rue=ERRORS, after=(30 + seed, 50 + place))  # fmt: skip
    return folder, figures.draw(runs_of(folder / "runs"), folder / "figures")


def test_every_figure_is_drawn_as_pdf_and_png(made: tuple[Path, list[figures.Drawn]]) -> None:
    folder, found = made
    assert [each.name for each in found] == ["figure-1", "figure-2", "figure-3", "figure-4"]
    for each in found:
        assert not each.left_out
        assert each.files == tuple(folder / "figures" / f"{each.name}.{kind}" for kind in ("pdf", "png"))
        pdf, png = each.files
        assert pdf.read_bytes().startswith(b"%PDF-1.") and pdf.read_bytes().rstrip().endswith(b"%%EOF")
        with Image.open(png) as image:
            image.load()
            assert image.format == "PNG" and image.width in (1020, 2100)
            assert len(image.convert("RGB").getcolors(1 << 20) or []) > 10


def test_the_pdf_embeds_its_fonts_and_tells_no_time(made: tuple[Path, list[figures.Drawn]]) -> None:
    for each in made[1]:
        data = each.files[0].read_bytes()
        assert b"/FontFile2" in data and b"/Type0" in data and b"CreationDate" not in data and b"ModDate" not in data


def pdf_text(path: Path) -> str:
    """The strings of a PDF's information dictionary."""
    data = path.read_bytes()
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.S)
    parts = [data]
    for stream in streams:
        try:
            parts.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return b"\n".join(parts).decode("latin-1")


def test_captions_and_metadata_name_runs_seeds_data_task_and_versions(made: tuple[Path, list[figures.Drawn]]) -> None:
    for each in made[1]:
        assert each.runs and set(each.runs) <= {f"r{place}-s{seed}" for place in range(3) for seed in range(2)}
        for run in each.runs:
            assert run in each.caption
        for fact in ("seeds 0, 1", f"hopper_medium-v2 sha256 {SHA[:12]}", "Hopper-v4", "torch 2.13.0", "mujoco 4.0.0"):
            assert fact in each.caption, fact
        with Image.open(each.files[1]) as image:
            assert image.info["Description"] == each.caption and image.info["Title"] == each.title
            assert f"{each.runs[0]} (seed 0, data {SHA})" in image.info["Comment"]
            assert image.info["Software"].startswith("moore-console")


def test_a_caption_tells_apart_data_sets_of_one_name(tmp_path: Path) -> None:
    other = "cd" * 32
    for name, folder, sha256 in (("a-s0", "here", SHA), ("b-s0", "there", other), ("b-s1", "there", other)):
        figure_run(tmp_path, name, data=f"{folder}/hopper.hdf5", sha256=sha256)
    told = caption.text(choose.figures(runs_of(tmp_path))[0])
    assert f"Data: hopper sha256 {SHA[:12]}, hopper sha256 {other[:12]}." in told


def test_the_pdf_carries_its_caption(made: tuple[Path, list[figures.Drawn]]) -> None:
    drawn_first = made[1][0]
    found = pdf_text(drawn_first.files[0])
    assert drawn_first.title in found and SHA in found and "r0-s0" in found


def test_another_process_draws_the_same_bytes_without_torch_and_leaves_matplotlibs_settings_alone(
    made: tuple[Path, list[figures.Drawn]],
) -> None:
    folder, found = made
    code = """
import json, sys
from pathlib import Path
import matplotlib
from moore_tui.report.figures import choose, paper
from moore_tui.report.gather import gather
matplotlib.rcParams["font.size"] = 30
before = dict(matplotlib.rcParams)
folder = Path(sys.argv[1])
runs = gather(sorted(path.parent for path in folder.glob("*/config.toml")))
paper.draw(choose.figures(runs)[1], Path(sys.argv[2]))
print(json.dumps(["torch" in sys.modules, dict(matplotlib.rcParams) == before]))
"""
    again = folder / "again"
    again.mkdir()
    environment = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", code, str(folder / "runs"), str(again)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    assert json.loads(done.stdout) == [False, True]
    for file in found[1].files:
        assert (again / file.name).read_bytes() == file.read_bytes(), file.name


def test_what_is_left_out_has_no_files_and_a_reason(tmp_path: Path) -> None:
    figure_run(tmp_path / "runs", "m-s0", after=())
    found = figures.draw(runs_of(tmp_path / "runs"), tmp_path / "figures")
    assert [each.left_out for each in found] == [True] * 4
    assert all(each.caption.endswith(".") and not each.runs for each in found)
    assert list((tmp_path / "figures").iterdir()) == []


def test_a_person_without_matplotlib_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure_run(tmp_path / "runs", "m-s0")
    runs = runs_of(tmp_path / "runs")
    for name in [each for each in sys.modules if each == "matplotlib" or each.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("paper", "learning", "uncertainty", "pieces", "style", "caption"):
        monkeypatch.delitem(sys.modules, f"moore_tui.report.figures.{name}", raising=False)
        monkeypatch.delattr(figures, name, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(figures.NoMatplotlib, match=r"moore-console\[report\]"):
        figures.draw(runs, tmp_path / "figures")


def test_reading_runs_and_choosing_what_to_draw_loads_no_matplotlib_and_no_torch() -> None:
    code = """
import json, sys
import moore_tui.report.figures.choose, moore_tui.report.figures.curves, moore_tui.report.gather
print(json.dumps([name for name in ("matplotlib", "torch", "tensorboard") if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert json.loads(done.stdout) == []
