"""`python -m moore_engine.tools.export RUN_DIR`: the policy as TorchScript and ONNX, checked against itself."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from moore_engine.tools.cli import answer, guarded, run_dir


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="moore-console export")
    parser.add_argument("run")
    parser.add_argument("--checkpoint", default="latest")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    return guarded(lambda: export(options))


def export(options: argparse.Namespace) -> None:
    """Write policy.pt, policy.onnx and policy.json (task, bounds, checkpoint) and print where."""
    from moore_engine.export import export_policy
    from moore_engine.tools.loading import load_policy

    run = run_dir(options.run)
    loaded = load_policy(run, options.checkpoint)
    folder = options.output or run.path / "export"
    folder.mkdir(parents=True, exist_ok=True)
    written = export_policy(loaded.policy.policy_module(loaded.low, loaded.high), folder, loaded.obs_dim)
    facts = {
        "run": run.id, "checkpoint": loaded.saved.path.name, "digest": loaded.saved.digest(),
        "task": loaded.settings.data.task, "obs_dim": loaded.obs_dim, "action_low": loaded.low.tolist(),
        "action_high": loaded.high.tolist(), "max_abs_error": written.max_error,
    }  # fmt: skip
    (folder / "policy.json").write_text(json.dumps(facts, indent=1) + "\n")
    files = [str(folder / name) for name in ("policy.pt", "policy.onnx", "policy.json")]
    text = "\n".join(files) + f"\nlargest difference to the policy's own outputs: {written.max_error:.1e}"
    answer({**facts, "files": files}, options.json, text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
