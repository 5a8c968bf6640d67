"""What a data file says about itself in attributes and metadata: its task, its maker, its reference returns."""

from __future__ import annotations

import json
import math

import h5py

from moore_engine.data import hdf5
from moore_engine.data.errors import DataError


def task(file: h5py.File) -> str | None:
    """The Gymnasium task the file names: attribute task, env_id or env_spec (JSON, as Minari's), or metadata/env_id."""
    for key in ("task", "env_id"):
        if found := hdf5.text(hdf5.attribute(file, key)):
            return found
    if spec := hdf5.text(hdf5.attribute(file, "env_spec")):
        try:
            found = json.loads(spec).get("id")
        except (ValueError, AttributeError):
            found = spec
        return found if isinstance(found, str) else None
    return hdf5.scalar_text(file, "metadata/env_id")


def made_by(file: h5py.File) -> str | None:
    """What made the rows: attribute made_by, or D4RL's metadata/algorithm."""
    return hdf5.text(hdf5.attribute(file, "made_by")) or hdf5.scalar_text(file, "metadata/algorithm")


def reference(name: str, file: h5py.File) -> tuple[float, float] | None:
    """The set's own returns of score 0 and 100, attributes ref_min and ref_max."""
    try:
        low, high = (float(file.attrs[key]) for key in ("ref_min", "ref_max"))
    except KeyError:
        return None
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise DataError(f"{name}: its attributes ref_min and ref_max must be finite numbers, the first the smaller.")
    return low, high
