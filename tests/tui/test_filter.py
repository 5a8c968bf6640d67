"""Choosing runs by a line of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from moore_tui.runs.filter import BadFilter, parse
from moore_tui.runs.model import Snapshot


def shot(name: str = "hopper-mr-s3", **fields: Any) -> Snapshot:
    known = {"state": "live", "detail": "", "task": "Hopper-v5", "algo": "moore", "stage": "online", "seed": 3}
    return Snapshot(**{"id": name, "path": Path(name), **known, "return_mean": 2914.0, "progress": 0.62, **fields})


@pytest.mark.parametrize(
    "text",
    [
        "", "hopper", "HOPPER s3", "v5", "state:live", "stage:on", "ret>2000", "ret>=2914", "ret=2914", "ret<3000",
        "progress>60", "tag:abl", "ablation", "-walker", "-state:done", "seed:3", "seed=3", "algo:moore ret>1 s3",
        "name:hop", "-ret>3000",
    ],
)  # fmt: skip
def test_a_run_that_meets_every_term_is_shown(text: str) -> None:
    assert parse(text)(shot(), ("ablation",))


@pytest.mark.parametrize(
    "text",
    ["walker", "hopper walker", "state:paused", "stage:off", "ret>2914", "progress<50", "tag:x", "-hopper", "seed=4",
     "score>0", "name:mr"],
)  # fmt: skip
def test_a_run_that_misses_one_term_is_not_shown(text: str) -> None:
    assert not parse(text)(shot(), ("ablation",))


def test_an_unknown_figure_meets_no_comparison() -> None:
    assert not parse("ret<1e9")(shot(return_mean=None))


@pytest.mark.parametrize(
    ("text", "says"),
    [("sate:live", "did you mean state?"), ("return>3", "did you mean ret?"), ("ret>many", "needs a number"),
     ("xyzzy:1", "there are state, stage")],
)  # fmt: skip
def test_a_filter_that_cannot_be_understood_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(BadFilter, match=says.replace("?", r"\?")):
        parse(text)
