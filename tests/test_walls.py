"""The walls between rooms: import contracts, what importing a light module loads, and calls no linter sees."""

from __future__ import annotations

import ast
import json
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "numpy", "textual", "gymnasium", "mujoco", "h5py", "matplotlib")
LIGHT_ENGINE = ("config", "control", "events", "presets", "rundir", "schema")
LIGHT_CONSOLE = ("cli", "keeper", "runs", "launchers", "headless", "opening", "options", "terminal")
NUMERIC = (
    "awac", "balanced", "balanced_rows", "buffers", "cql", "density_ratio", "dynamics", "fit", "nn", "rollout",
    "row_sampler", "sac", "sac_ensemble", "samplers", "streams", "sumtree",
)  # fmt: skip


def modules(package: str, rooms: tuple[str, ...]) -> list[str]:
    """Modules of `package` in `rooms`, those inside sub-packages too."""
    paths = import_module(package).__path__
    found = [each.name for each in pkgutil.walk_packages(paths, f"{package}.", onerror=lambda name: None)]
    return [name for name in found if name.split(".")[1] in rooms]


def source_files(*rooms: str) -> list[Path]:
    """Python files of engine rooms (a module or a package)."""
    engine = ROOT / "moore_engine"
    return [path for room in rooms for path in [*engine.glob(f"{room}.py"), *engine.glob(f"{room}/**/*.py")]]


def heavy_imports(names: list[str], heavy: tuple[str, ...] = HEAVY) -> dict[str, list[str]]:
    """Import each module in turn in one fresh interpreter; which heavy libraries each one brought in."""
    code = """
import importlib, json, sys
names, heavy = json.loads(sys.argv[1])
guilty = {}
for name in names:
    before = {each for each in heavy if each in sys.modules}
    importlib.import_module(name)
    new = [each for each in heavy if each in sys.modules and each not in before]
    if new:
        guilty[name] = new
print(json.dumps(guilty))
"""
    argument = json.dumps([names, heavy])
    done = subprocess.run([sys.executable, "-c", code, argument], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_import_contract_is_kept() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contract_room_and_the_headless_console_load_nothing_heavy() -> None:
    names = modules("moore_engine", LIGHT_ENGINE) + modules("moore_tui", LIGHT_CONSOLE)
    assert "moore_engine.config" in names
    assert heavy_imports(names) == {}


def test_the_trainers_entry_point_loads_no_torch_before_its_signal_handlers_stand() -> None:
    assert heavy_imports(["moore_engine.__main__"], ("torch",)) == {}


def test_the_check_sees_a_heavy_import() -> None:
    assert heavy_imports(["moore_engine.config", "moore_engine.streams"], ("torch",)) == {
        "moore_engine.streams": ["torch"]
    }


@pytest.mark.parametrize("path", source_files(*NUMERIC, "algorithms", "train"), ids=lambda path: path.stem)
def test_numeric_code_neither_prints_nor_opens_files(path: Path) -> None:
    calls = [
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    assert not {"print", "open", "input"} & set(calls)


FILE_CALLS = {
    "exists", "glob", "is_dir", "is_file", "iterdir", "mkdir", "open", "read_bytes", "read_text", "rename", "rglob",
    "rmdir", "stat", "touch", "unlink", "write_bytes", "write_text",
}  # fmt: skip


def file_calls(source: str) -> list[str]:
    """Calls that touch a file, by their names."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="open" | "print" | "input" as name)):
                found.append(name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self" | "webbrowser"))):
                pass
            case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in FILE_CALLS:
                if not ast.unparse(value).endswith("feed"):  # feed.open chooses which runs are read
                    found.append(name)
    return found


def test_screens_and_widgets_touch_no_file() -> None:
    files = [path for room in ("screens", "widgets") for path in (ROOT / "moore_tui" / room).rglob("*.py")]
    assert len(files) > 10
    assert {path.name: found for path in files if (found := file_calls(path.read_text()))} == {}


@pytest.mark.parametrize("source", ["open(path)", "path.read_text()", "run.config.write_text('')", "print(1)"])
def test_the_file_check_sees(source: str) -> None:
    assert file_calls(source)


def test_screens_and_widgets_load_no_torch_and_their_core_no_numpy() -> None:
    assert heavy_imports(modules("moore_tui", ("runs",)), ("numpy", "rich", "textual", "torch", "typer")) == {}
    assert heavy_imports(["moore_tui.app", *modules("moore_tui", ("screens", "widgets"))], ("torch", "typer")) == {}


PICKLERS = {"pickle", "cloudpickle", "dill", "shelve"}


def pickled_calls(source: str) -> list[str]:
    """What could unpickle: torch.save, torch.load, allow_pickle, the pickle modules."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                found += [each.name for each in node.names if each.name in PICKLERS]
            case ast.ImportFrom(module=str(module)) if module in PICKLERS:
                found.append(module)
            case ast.Attribute(value=ast.Name(id="torch"), attr="save" | "load"):
                found.append(f"torch.{node.attr}")
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=False)):
                pass
            case ast.keyword(arg="allow_pickle"):
                found.append("allow_pickle")
    return found


def test_nothing_is_ever_unpickled() -> None:
    files = [path for package in ("moore_engine", "moore_tui") for path in (ROOT / package).rglob("*.py")]
    guilty = {str(path.relative_to(ROOT)): found for path in files if (found := pickled_calls(path.read_text()))}
    assert guilty == {}


@pytest.mark.parametrize(
    "source", ["import pickle", "from pickle import loads", "torch.load(path)", "np.load(path, allow_pickle=True)"]
)
def test_the_pickle_check_sees(source: str) -> None:
    assert pickled_calls(source)


def private_imports(path: Path) -> list[str]:
    """Underscore names that a file imports from another module of the project."""
    return [
        f"{node.module}.{each.name}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(("moore_engine", "moore_tui"))
        for each in node.names
        if each.name.startswith("_") and not each.name.startswith("__")
    ]


def test_no_module_imports_another_modules_internals() -> None:
    files = [path for package in ("moore_engine", "moore_tui") for path in (ROOT / package).rglob("*.py")]
    assert {str(path): found for path in files if (found := private_imports(path))} == {}
