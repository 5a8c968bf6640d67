"""`python -m moore_engine.tools.data_import REF --id NAMESPACE/NAME-v0`: a D4RL file as a Minari set, without loss."""

from __future__ import annotations

import argparse
import sys
import time

from moore_engine.tools.cli import answer, guarded
from moore_engine.tools.progress import Bar


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="moore-console data import")
    parser.add_argument("reference")
    parser.add_argument("--id", required=True, dest="dataset_id")
    parser.add_argument("--task")
    parser.add_argument("--algorithm")
    parser.add_argument("--author", action="append", default=[])
    parser.add_argument("--author-email", action="append", default=[])
    parser.add_argument("--code-permalink")
    parser.add_argument("--description")
    parser.add_argument("--ref-min", type=float)
    parser.add_argument("--ref-max", type=float)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    if (options.ref_min is None) != (options.ref_max is None):
        parser.error("--ref-min and --ref-max go together: give both, or neither")
    return guarded(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Write the set and print where it lies and what names it."""
    from moore_engine.data.d4rl_to_minari import import_d4rl
    from moore_engine.data.minari_write import About
    from moore_engine.data.reference import resolve

    began = time.monotonic()
    about = About(
        algorithm=options.algorithm,
        author=tuple(options.author),
        author_email=tuple(options.author_email),
        code_permalink=options.code_permalink,
        description=options.description,
        reference=None if options.ref_min is None else (options.ref_min, options.ref_max),
    )
    source = resolve(options.reference, options.task)
    with Bar(f"writing {options.dataset_id}", None, "episodes") as bar:
        made = import_d4rl(source, options.dataset_id, about, bar.update)
    for text in made.warnings:
        print(f"warning: {text}", file=sys.stderr)
    name = f"minari:{options.dataset_id}"
    facts = {
        "id": options.dataset_id, "data": name, "path": str(made.path), "task": source.task, "rows": made.rows,
        "episodes": made.episodes, "warnings": made.warnings, "seconds": round(time.monotonic() - began, 2),
    }  # fmt: skip
    text = f"{name}: {made.rows:,} rows of {source.task} in {made.episodes:,} episodes, in {made.path}"
    answer(facts, options.json, text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
