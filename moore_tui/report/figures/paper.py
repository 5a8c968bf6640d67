"""One planned figure as PDF and PNG, with a caption of what it was made of; the same runs give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from moore_tui.report.figures import Drawn, caption, learning, uncertainty
from moore_tui.report.figures.choose import Plan
from moore_tui.report.figures.style import SETTINGS
from moore_tui.report.provenance import made_by


def draw(plan: Plan, folder: Path) -> Drawn:
    """Draw a plan that has panels, into a folder that is there."""
    told, by = caption.text(plan), made_by()
    files = (folder / f"{plan.name}.pdf", folder / f"{plan.name}.png")
    pdf = {"Title": plan.title, "Subject": told, "Keywords": caption.keywords(plan), "Creator": by}
    png = {"Title": plan.title, "Description": told, "Comment": caption.keywords(plan), "Software": by}
    with settings():
        made = figure(plan)
        made.savefig(
            files[0], metadata={**pdf, "Producer": f"matplotlib {matplotlib.__version__}", "CreationDate": None}
        )
        made.savefig(files[1], metadata=png)
    runs = dict.fromkeys(run.id for panel in plan.panels for run in panel.runs)
    return Drawn(plan.name, plan.title, told, files, tuple(runs))


@contextmanager
def settings() -> Iterator[None]:
    """Matplotlib as the figures need it, whatever a person's own settings are; afterwards as it was."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def figure(plan: Plan) -> Figure:
    return uncertainty.figure(plan) if plan.kind == "uncertainty" else learning.figure(plan)
