"""`python -m moore_engine.tools.data_list`: the data sets on this machine, or with --remote those to download."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from moore_engine.data import catalogue
from moore_engine.data.errors import DataError
from moore_engine.tools.cli import answer, guarded
from moore_engine.tools.progress import amount
from moore_engine.tools.table import table

BUNDLED = Path(catalogue.__file__).parent


@dataclass(frozen=True)
class Listed:
    """One line: `name` is what `--data` takes; what is not known is None."""

    name: str
    kind: str
    task: str | None
    rows: int | None
    bytes: int | None
    path: str | None
    note: str = ""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="moore-console data list")
    parser.add_argument("--remote", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    return guarded(lambda: show(options.remote, options.json))


def show(remote: bool, as_json: bool) -> None:
    """Print the list, and on stderr where it looked."""
    found = catalogued() if remote else local()
    tables = catalogue.datasets_dir().parent / "tables"
    sizes = [_size(path) for path in tables.glob("*.f32")]
    facts = {
        "datasets": [asdict(each) for each in found],
        "folders": {"d4rl": str(catalogue.datasets_dir()), "minari": str(catalogue.minari_dir())},
        "cache": {"path": str(tables), "tables": len(sizes), "bytes": sum(sizes)},
    }
    answer(facts, as_json, _remote(found) if remote else _local(found))
    if not as_json and not remote:
        print(
            f"D4RL files are looked for in {catalogue.datasets_dir()}, Minari sets in {catalogue.minari_dir()}; the "
            f"cache {tables} holds {len(sizes)} tables, {amount(sum(sizes), 'B')}; `moore-console data list --remote` "
            f"shows what can be downloaded.",
            file=sys.stderr,
        )


def _local(found: list[Listed]) -> str:
    rows = [(each.name, each.task or "-", _count(each.rows), _bytes(each), each.kind, each.note) for each in found]
    return table(("NAME", "TASK", "ROWS", "SIZE", "KIND", "NOTE"), rows, right=("ROWS", "SIZE"))


def _remote(found: list[Listed]) -> str:
    """Two tables, for Minari's names are long and their sizes not known."""
    d4rl = [
        (each.name, each.task or "-", _count(each.rows), _bytes(each), each.note)
        for each in found
        if each.kind == "D4RL"
    ]
    minari = [(each.name, each.task or "-", each.note) for each in found if each.kind == "Minari"]
    return "\n\n".join(
        (
            table(("D4RL", "TASK", "ROWS", "SIZE", "NOTE"), d4rl, right=("ROWS", "SIZE")),
            table(("MINARI", "TASK", "NOTE"), minari),
        )
    )


def _count(rows: int | None) -> str:
    return "-" if rows is None else f"{rows:,}"


def _bytes(each: Listed) -> str:
    return "-" if each.bytes is None else amount(each.bytes, "B")


def local() -> list[Listed]:
    """Bundled sets, files in the cache, Minari's sets, and downloads that stopped half way."""
    found = [_file(path, f"bundled:{path.stem}", "bundled") for path in sorted(BUNDLED.glob("*.hdf5"))]
    names = {entry.file: entry.name for entry in catalogue.d4rl().values()}
    folder = catalogue.datasets_dir()
    for path in sorted(folder.glob("[!.]*.hdf5")):
        official = names.get(path.name)
        found.append(_file(path, official or str(path), "D4RL" if official else "file"))
    for path in sorted(folder.glob("*.part")):
        name = names.get(path.stem, path.stem)
        note = f"unfinished: `moore-console data download {name}` goes on"
        found.append(Listed(name, "part", catalogue.task_of(name), None, _size(path), str(path), note))
    found += [_minari(each) for each in catalogue.minari_sets()]
    return found


def catalogued() -> list[Listed]:
    """What can be downloaded by name."""
    found = [
        Listed(
            each.name, "D4RL", each.task, each.rows, each.bytes, str(each.path) if each.path.is_file() else None,
            ", ".join(filter(None, ("downloaded" if each.path.is_file() else "", each.caution))),
        )
        for each in catalogue.d4rl().values()
    ]  # fmt: skip
    for name, task in catalogue.minari().items():
        path = catalogue.minari_dir() / name
        here = (path / "data").is_dir()
        found.append(
            Listed(name, "Minari", task, None, None, str(path) if here else None, "downloaded" if here else "")
        )
    return found


def _file(path: Path, name: str, kind: str) -> Listed:
    import h5py

    from moore_engine.data import hdf5, labels

    rows, task, note = None, catalogue.task_of(path.name), ""
    try:
        hdf5.require(str(path))
        with hdf5.opened(str(path)) as file:
            rewards = file.get("rewards")
            rows = rewards.shape[0] if isinstance(rewards, h5py.Dataset) and rewards.shape else None
            task = labels.task(file) or task
    except DataError as error:
        note = str(error)
    official = catalogue.d4rl().get(name)
    if official and not note:
        note = official.caution
    return Listed(name, kind, task, rows, _size(path), str(path), note)


def _minari(each: catalogue.MinariSet) -> Listed:
    note = ""
    if each.rows is None:
        note = "damaged: its metadata.json is missing or cannot be read"
    elif each.rows == 0:
        note = "empty: it was created and never filled"
    size = sum(_size(file) for file in (each.path / "data").rglob("*") if file.is_file())
    return Listed(f"minari:{each.name}", "Minari", each.task, each.rows, size, str(each.path), note)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
