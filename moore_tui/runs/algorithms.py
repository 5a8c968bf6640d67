"""What the console knows of an algorithm by its name: its stages, whether it has models, how it draws rows.

Names that are not the engine's may be anyone's, so they may have everything.
"""

from __future__ import annotations

RATIO = "density ratio"
"""The law of rows that are drawn by a learned ratio; others have the samplers' names."""


def stages(algo: str | None) -> tuple[str, ...]:
    """The stages that a run of it has."""
    if algo in (None, "moore"):  # most runs; the table takes a tenth of a second to import
        return ("offline", "online")
    from moore_engine.schema import stages as of

    return of(algo)


def rows_of(algo: str | None, rows: object, dataset: str) -> str:
    """In words, what a run of it does with the `rows` of `dataset`: it learns from them, writes them, or needs none."""
    if algo == "collect":
        return f"{rows} rows into {dataset}"
    if "offline" in stages(algo):
        return f"{rows} rows of {dataset}"
    return f"from scratch, no rows of {dataset}" if dataset else "from scratch"


def has_models(algo: str | None) -> bool:
    """Whether it learns from rollouts in models."""
    if algo in (None, "moore"):
        return True
    from moore_engine.schema import ALGORITHMS

    return algo not in ALGORITHMS or ALGORITHMS[algo].models


def law(algo: str | None, sampler: str) -> str:
    """How rows are drawn online: `sampler`, what the configuration says, for algorithms that have samplers."""
    if "offline" not in stages(algo):
        return "online_only"
    if has_models(algo):
        return sampler
    from moore_engine.schema import ALGORITHMS

    return RATIO if "balanced" in ALGORITHMS[algo or ""].sections else "uniform"
