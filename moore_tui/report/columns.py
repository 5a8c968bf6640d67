"""Events as arrays of numbers, whatever a stranger's file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moore_tui.runs.table import number
from moore_tui.runs.written import real, whole

Event = dict[str, Any]
Columns = Mapping[str, NDArray[Any]]
"""Arrays of one length by name, a row for each event, oldest first; float64 with nan for what an event does not say,
but `stage`, which is text ("offline" or "online")."""

POSITION = ("epoch", "update", "env_step")
EVAL = ("score", "return_mean", "return_std", "length_mean")
SHARE = ("p_off", "p_off_sampled", "priority_off", "n_off", "n_on", "shift")
UNC = ("mean", "p20", "p80", "reward_raw", "reward_penalised")
RUE = ("value", "u_before", "u_after", "eta")


def columns(events: Sequence[Event], names: Sequence[str]) -> Columns:
    """The events' numbers as arrays; `stage` is text."""
    found: dict[str, NDArray[Any]] = {
        name: np.array([number(event.get(name)) for event in events], dtype=np.float64) for name in (*POSITION, *names)
    }
    return {"stage": np.array([event["stage"] for event in events], dtype=np.str_), **found}


def sound(event: Event) -> bool:
    """It says where it happened; a stranger's file may hold anything."""
    return (
        event.get("stage") in ("offline", "online")
        and real(event.get("t")) is not None
        and all(whole(event.get(name)) is not None for name in POSITION)
    )
