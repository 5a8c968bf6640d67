"""The paper's Figures 1 to 4 of whatever runs are given, as PDF and PNG; matplotlib is imported only to draw them.

1 learning curves of the algorithms, 2 the samplers, 3 the sweep over alpha, 4 the decay of the uncertainty with the
density of its relative error. What the runs have nothing to show for is left out, and said so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moore_tui.report.gather import RunFacts
from moore_tui.runs.errors import ConsoleError


class NoMatplotlib(ConsoleError):
    """The package's extra is not installed."""

    exit_code = 2


@dataclass(frozen=True)
class Drawn:
    """A figure: `caption` says what it shows and of what it was made, `runs` are their ids.

    One that was left out has no files, and its caption says why.
    """

    name: str
    title: str
    caption: str
    files: tuple[Path, ...] = ()
    runs: tuple[str, ...] = ()

    @property
    def left_out(self) -> bool:
        return not self.files


def draw(runs: Sequence[RunFacts], folder: Path) -> list[Drawn]:
    """Draw the four figures of these runs into `folder`, in order; the same runs give the same bytes.

    Raises NoMatplotlib.
    """
    from moore_tui.report.figures import choose

    try:
        from moore_tui.report.figures import paper
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise NoMatplotlib("figures need matplotlib: pip install 'moore-console[report]'") from error
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for plan in choose.figures(runs):
        if plan.panels:
            found.append(paper.draw(plan, folder))
        else:
            found.append(Drawn(plan.name, plan.title, " ".join(plan.notes)))
    return found
