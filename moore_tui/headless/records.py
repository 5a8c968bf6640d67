"""`logs` and `events`: what a run's trainer printed, and the facts it wrote."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from moore_engine.events import KINDS
from moore_engine.rundir import EXIT_DONE
from moore_tui.headless import find
from moore_tui.headless.diagnostics import Failure, nearest
from moore_tui.headless.output import answer, answer_json, plain
from moore_tui.runs import tail
from moore_tui.runs.model import RunModel

POLL_S = 0.2


def logs(name: str, runs_dir: str | None, *, follow: bool, lines: int, attempt: int | None, as_json: bool) -> int:
    """The last `lines` lines (0: all) of an attempt's log, then with `follow` what comes, later attempts too."""
    run = find.run(name, runs_dir)
    path = run.log / f"attempt-{attempt}.log" if attempt else tail.newest_log(run.log)
    if (path is None or not path.exists()) and (attempt or not follow):
        which = f"of attempt {attempt}" if attempt else "yet"
        raise Failure(f"run {run.id} has no log {which}; {run.log} holds what there is")
    model, reader = RunModel(run), None
    while True:
        running = follow and model.snapshot().running
        newest = path if attempt else tail.newest_log(run.log)
        if newest is not None and (reader is None or newest != reader.path):
            first = reader is None
            reader = tail.LogTail(newest)
            found, _ = _drain(reader)
            _print_lines(newest, found[-lines:] if first and lines else found, as_json)
        elif reader is not None:
            _print_lines(reader.path, _drain(reader)[0], as_json)
        if not running:
            if reader is not None:
                _print_lines(reader.path, _torn(reader.path), as_json)
            return EXIT_DONE
        time.sleep(POLL_S)


def events(name: str, runs_dir: str | None, *, follow: bool, kinds: Sequence[str]) -> int:
    """All visible events as JSON lines; with `follow` also those to come (resumed_seq of a `run` voids later ones)."""
    for kind in kinds:
        if kind not in KINDS:
            close = nearest(kind, KINDS)
            raise Failure(
                f"there is no event kind {kind!r}; {f'did you mean {close}' if close else 'known: ' + ', '.join(KINDS)}"
            )
    run = find.run(name, runs_dir)
    log, model = tail.EventLog(run.events), RunModel(run)
    running = follow and model.snapshot().running
    _print_events(log.read_all(), kinds)
    while running:
        time.sleep(POLL_S)
        running = model.snapshot().running
        while True:
            batch = log.poll()
            _print_events(batch.events, kinds)
            if not batch.more:
                break
    return EXIT_DONE


def _print_events(found: Sequence[tail.Event], kinds: Sequence[str]) -> None:
    lines = [json.dumps(event, separators=(",", ":")) for event in found if not kinds or event["k"] in kinds]
    if lines:
        answer("\n".join(lines))


def _print_lines(path: Path, lines: Sequence[str], as_json: bool) -> None:
    attempt = path.stem.removeprefix("attempt-")
    for line in lines:
        if as_json:
            answer_json({"attempt": int(attempt) if attempt.isdecimal() else None, "line": line})
        else:
            answer(plain(line) + "\n")


def _drain(reader: tail.LogTail) -> tuple[list[str], bool]:
    """All whole lines up to the file's end as it is now."""
    found, reset = reader.poll()
    while True:
        more, again = reader.poll()
        if not more:
            return found, reset
        found, reset = found + more, reset or again


def _torn(path: Path) -> list[str]:
    """A last line without its end, once nobody writes any more."""
    try:
        rest = path.read_bytes().rpartition(b"\n")[2]
    except OSError:
        return []
    return [tail.printable(rest)] if rest else []
