"""The shape of the code: who may import whom, how long a module is, what the core may not do."""

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("sfu", "signaling", "recorder")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
CORE = [path for path in MODULES if path.is_relative_to(ROOT / "sfu")]
CORE = [path for path in CORE if not path.is_relative_to(ROOT / "sfu" / "net")]

MAX_LINES = 600
MAX_MEDIAN = 300  # lines; a house of small rooms

# A certificate is made once, of fresh secrets; the shell asks for it.
DRAWS_SECRETS = {ROOT / "sfu" / "transport" / "dtls.py"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_imports_point_one_way() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    result = subprocess.run(
        [*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_module_is_not_too_long(path: Path) -> None:
    assert lines(path) <= MAX_LINES


def test_most_modules_are_short() -> None:
    sizes = [lines(path) for path in MODULES if path.name != "__init__.py"]
    assert statistics.median(sizes) <= MAX_MEDIAN


def calls(tree: ast.AST) -> Iterator[str]:
    """Dotted names of what is called, "random.random" for example."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def awaits(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield node


@pytest.mark.parametrize("path", CORE, ids=name)
def test_core_does_no_io(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not list(awaits(tree)), "the core has no tasks"
    called = set(calls(tree))
    assert not called & {"open", "print", "input", "breakpoint"}
    clocks = {one for one in called if one.endswith((".now", ".utcnow", ".today"))}
    assert not clocks, "time comes in as `now`"
    if path not in DRAWS_SECRETS:
        chance = {one for one in called if one.startswith(("random.", "secrets.", "os.", "uuid."))}
        assert not chance - {"random.Random"}, "random sources come in as values"
