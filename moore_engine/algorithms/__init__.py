"""One short file an algorithm; adding one is its file, a preset and a line in the table of moore_engine/schema.py."""

from __future__ import annotations

from importlib import import_module

from moore_engine.algorithms.base import Algorithm
from moore_engine.schema import ALGORITHMS


def algorithm(name: str) -> type[Algorithm]:
    """The class of the algorithm `name` of the table."""
    module, _, attribute = ALGORITHMS[name].where.partition(":")
    found: type[Algorithm] = getattr(import_module(module), attribute)
    return found
