"""One planned figure as PDF and PNG, with a caption of what it was made of; the same runs give the same bytes."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from moore_tui.report.figures import Drawn, caption, learning, uncertainty
from moore_tui.report.figures.choose import Plan
from moore_tui.report.figures.style import SETTINGS


def draw(plan: Plan, folder: Path) -> Drawn:
    """Draw a plan that has panels, into a folder that is there."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        made = figure(plan)
        told = caption.text(plan)
        files = (folder / f"{plan.name}.pdf", folder / f"{plan.name}.png")
        about = {"Title": plan.title, "Subject": told, "Keywords": caption.keywords(plan), "Creator": caption.maker()}
        made.savefig(
            files[0], metadata={**about, "Producer": f"matplotlib {matplotlib.__version__}", "CreationDate": None}
        )
        about = {
            "Title": plan.title,
            "Description": told,
            "Comment": caption.keywords(plan),
            "Software": caption.maker(),
        }
        made.savefig(files[1], metadata=about)
    runs = dict.fromkeys(run.id for panel in plan.panels for run in panel.runs)
    return Drawn(plan.name, plan.title, told, files, tuple(runs))


def figure(plan: Plan) -> Figure:
    return uncertainty.figure(plan) if plan.kind == "uncertainty" else learning.figure(plan)
