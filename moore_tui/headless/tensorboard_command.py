"""`export RUN --tensorboard`: a run's events as files that TensorBoard reads."""

from __future__ import annotations

from pathlib import Path

from moore_engine.rundir import EXIT_DONE
from moore_tui.headless import find
from moore_tui.headless.diagnostics import Failure
from moore_tui.headless.output import answer, answer_json


def write(name: str, runs_dir: str | None, *, checkpoint: str, output: str | None, as_json: bool) -> int:
    """Write the files, in the run's folder `tensorboard` if no other is named, and say where they lie."""
    from moore_tui.report import tensorboard

    if checkpoint != "latest":
        raise Failure("--tensorboard writes the events, which belong to no checkpoint: leave --checkpoint out")
    run = find.run(name, runs_dir)
    folder = Path(output) if output else run.path / "tensorboard"
    try:
        written = tensorboard.write(run, folder)
    except tensorboard.TensorBoardError as error:
        raise Failure(str(error)) from error
    files = [str(path) for path in written.files]
    if as_json:
        answer_json(
            {"run": run.id, "folder": str(folder), "files": files, "tags": written.tags, "points": written.points}
        )
    else:
        told = f"{len(written.tags)} curves, {written.points} points: tensorboard --logdir {folder}"
        answer("\n".join([*files, told]))
    return EXIT_DONE
