"""`python -m moore_engine.tools.data_download NAME...`: data sets fetched by name into the cache, one after another."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from moore_engine.data import catalogue, download
from moore_engine.rundir import EXIT_CTRL_C
from moore_engine.tools.cli import guarded
from moore_engine.tools.progress import Bar


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="moore-console data download")
    parser.add_argument("names", nargs="+")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    code = guarded(lambda: fetch_all(options.names, options.json))
    if code == EXIT_CTRL_C:
        print("interrupted: what has come is kept, and the same command goes on from there", file=sys.stderr)
    return code


def fetch_all(names: list[str], as_json: bool) -> None:
    """Fetch each and print a line for it; a name that does not exist is found out before anything is fetched."""
    for name in names:
        if name not in catalogue.d4rl() and not catalogue.is_minari_id(name):
            raise catalogue.unknown(name)
    for name in names:
        facts = fetch(name)
        print(json.dumps(facts) if as_json else facts["path"], flush=True)
        if not as_json:
            what = "downloaded and checked" if facts["downloaded"] else "there already"
            print(f"{name}: {what}; use it with --data {facts['data']}", file=sys.stderr)


def fetch(name: str) -> dict[str, Any]:
    """One data set: where it lies, whether it came just now, and what `--data` takes for it."""
    with Bar(name, None, unit="B") as bar:
        if name in catalogue.d4rl():
            path, came = download.d4rl(name, bar)
            return {"name": name, "data": name, "path": str(path), "downloaded": came}
        short = name.removeprefix(catalogue.MINARI)
        path, came = download.minari(short, bar)
        return {"name": name, "data": catalogue.MINARI + short, "path": str(path), "downloaded": came}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
