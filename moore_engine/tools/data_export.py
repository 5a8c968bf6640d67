"""`python -m moore_engine.tools.data_export ID -o FILE.hdf5`: a local Minari set as a file in D4RL's layout."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from moore_engine.tools.cli import answer, guarded
from moore_engine.tools.progress import Bar


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="moore-console data export")
    parser.add_argument("dataset_id")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    return guarded(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Write the file and print its path and digest."""
    import hashlib

    from moore_engine.data.minari_to_d4rl import export_d4rl

    began = time.monotonic()
    with Bar(f"reading {options.dataset_id}", None, "episodes") as bar:
        made = export_d4rl(options.dataset_id, options.output, bar.update)
    for text in made.warnings:
        print(f"warning: {text}", file=sys.stderr)
    with made.path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    facts = {
        "path": str(made.path), "sha256": sha256, "rows": made.rows, "episodes": made.episodes,
        "warnings": made.warnings, "seconds": round(time.monotonic() - began, 2),
    }  # fmt: skip
    answer(facts, options.json, f"{made.path}: {made.rows:,} rows in {made.episodes:,} episodes\nsha256 {sha256}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
