"""`python -m moore_engine.tools.eval RUN_DIR`: episodes of a checkpoint's policy, optionally one on video."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from moore_engine.tools.cli import answer, guarded, run_dir


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="moore-console eval")
    parser.add_argument("run")
    parser.add_argument("--checkpoint", default="latest")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    return guarded(lambda: evaluate(options))


def evaluate(options: argparse.Namespace) -> None:
    """Evaluate and print mean, deviation, score and lengths."""
    from moore_engine import scores
    from moore_engine.evaluate import Evaluator
    from moore_engine.start import trusted
    from moore_engine.tools.loading import load_policy
    from moore_engine.tools.video import record

    loaded = load_policy(run_dir(options.run), options.checkpoint)
    task, began, steps = loaded.settings.data.task, time.monotonic(), 0

    def narrate() -> None:
        nonlocal steps
        steps += 1
        if sys.stderr.isatty() and steps % 50 == 0:
            print(f"\r{options.episodes} episodes side by side, step {steps}", end="", file=sys.stderr, flush=True)

    evaluator = Evaluator(task, options.episodes, options.seed, device=loaded.policy.device, trust_code=trusted())
    result = evaluator(loaded.policy.best, 0, narrate)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    low, high = loaded.settings.data.ref_min, loaded.settings.data.ref_max
    score = None if low is None or high is None else scores.normalise(result.mean, low, high)
    facts = {
        "run": options.run, "checkpoint": loaded.saved.path.name, "task": task, "episodes": options.episodes,
        "seed": options.seed, "return_mean": result.mean, "return_std": result.std, "score": score,
        "length_mean": result.length_mean, "returns": result.returns, "seconds": round(time.monotonic() - began, 2),
        "video": None,
    }  # fmt: skip
    if options.video:
        facts["video"] = str(record(loaded, options.video, options.seed))
    shown = "" if score is None else f", score {score:.1f}"
    text = (f"{loaded.saved.path.name}: return {result.mean:.1f} +- {result.std:.1f}{shown} "
            f"over {options.episodes} episodes of {task}")  # fmt: skip
    answer(facts, options.json, text + (f"\nvideo: {facts['video']}" if facts["video"] else ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
