"""The direction of imports, what starting up costs, and the size of files."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "realbot"
HEAVY = {"torch", "diffusers", "transformers", "peft", "discord", "telegram", "gradio"}
MODULES = sorted(
    ".".join(("realbot", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)
TREES = {
    ".".join(("realbot", *path.relative_to(PACKAGE).with_suffix("").parts)): ast.parse(path.read_text(encoding="utf-8"))
    for path in PACKAGE.rglob("*.py")
}
CORE = [
    name
    for name in MODULES
    if "adapters" not in name and (not name.startswith("realbot.engine.") or name.rpartition(".")[2] in
    ("child", "frames", "models"))
]  # fmt: skip


def loaded_by(*modules: str) -> set[str]:
    """The top-level packages in a fresh interpreter after importing these."""
    code = f"import sys\n{''.join(f'import {name}{chr(10)}' for name in modules)}print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    return {name.partition(".")[0] for name in run.stdout.split()}


def test_the_core_loads_no_platform_and_no_model_library():
    assert {"realbot.config", "realbot.jobs", "realbot.grammar", "realbot.styles"} <= set(CORE)
    assert not loaded_by(*CORE) & HEAVY


def test_the_nouns_and_errors_need_the_standard_library_only():
    loaded = loaded_by("realbot.jobs", "realbot.errors")
    assert (
        loaded - {"realbot", "_distutils_hack", "sitecustomize", "usercustomize"}
        <= (set(sys.stdlib_module_names) | {"__main__"}) | loaded_by()
    )


def test_the_import_rules_hold():
    run = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_only_the_engine_process_imports_torch():
    allowed = {f"realbot.engine.{name}" for name in ("__init__", "child", "frames", "models")}
    for name, tree in TREES.items():
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
        named = [alias.name for node in imports for alias in node.names]
        named += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
        if {module.partition(".")[0] for module in named} & {"torch", "diffusers", "transformers", "peft"}:
            assert name.startswith("realbot.engine.")
            assert name not in allowed


def test_only_the_configuration_reads_the_environment():
    reading = re.compile(r"os\.getenv|os\.environ(\.get\b|\.items\b|\[[^]]+\](?! =))")
    readers = {name for name, tree in TREES.items() if reading.search(ast.unparse(tree))}
    assert readers <= {"realbot.config"}


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks", "recipes"])
def test_no_file_is_longer_than_400_lines(folder):
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long
