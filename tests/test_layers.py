"""Who may import whom, and what `import abkit` may load: read from the syntax trees, and from sys.modules."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import abkit

PACKAGE = Path(abkit.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

#: From the ground up; a layer may import the layers before it, and itself.
LAYERS = [
    {"_lazy", "errors"},
    {"_check"},
    {"types", "_times"},
    {"rule", "source"},
    {"_tails", "_roots", "_sets"},
    {"suffstats"},
    {"posterior"},
    {"evidence", "logs"},
    {"bayes"},
    {"inference", "sequential"},
    {"power"},
    {"metrics"},
    {"strategies"},
    {"_fields"},
    {"experiment"},
    {"adapters", "_plan"},
    {"bandits"},
    {"_checks"},
    {"report"},
    {"segments", "trajectory", "exposure", "planning"},
    {"_render"},
    {"mcmc"},
    {"designs"},
    {"decision"},
    {"audit"},
    {"replay"},
    {"simulate"},
    {"_schema"},
    {"hooks"},
    {"_demo", "_audit_cli", "_bandit_cli", "_decide_cli", "_serve_cli", "_strategies_cli", "cli", "__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
#: A plan reads its own file form and makes its own report: the imports that stand inside these functions point upwards.
UPWARDS = {
    ("experiment", "adapters"),
    ("experiment", "_plan"),
    ("experiment", "report"),
    ("experiment", "trajectory"),
    ("experiment", "exposure"),
    ("experiment", "planning"),
    ("report", "_render"),
    ("report", "segments"),
    ("report", "designs"),
}
#: Layers of one level that must not know each other.
APART = [{"inference", "sequential"}]
HEAVY = {
    "pandas",
    "statsmodels",
    "pymc",
    "arviz",
    "arviz_stats",
    "nutpie",
    "narwhals",
    "matplotlib",
    "duckdb",
    "yaml",
    "ibis",
    "pyspark",
    "polars",
    "fastapi",
    "pydantic",
    "starlette",
    "uvicorn",
}
EDGES = {"adapters", "hooks", "mcmc", "cli", "_demo"}


def layer_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """Every module that a file imports, and whether the import stands at the top of the file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    top = set(tree.body)
    hidden = {
        node
        for block in tree.body
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports hide the layer"
            yield node.module or "", node in top
        elif isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node in top


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_layer_imports_only_layers_below(file: Path) -> None:
    here = layer_of(file)
    if here == "__init__":
        return
    for module, at_top in imports(file):
        if not module.startswith("abkit."):
            continue
        there = module.split(".")[1]
        allowed = LEVEL[there] <= LEVEL[here] or ((here, there) in UPWARDS and not at_top)
        assert allowed, f"{here} imports {there}"
        for group in APART:
            assert here == there or not {here, there} <= group, f"{here} and {there} must not know each other"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_at_the_edges_inside_functions(file: Path) -> None:
    for module, at_top in imports(file):
        library = module.split(".")[0]
        if library in HEAVY:
            assert layer_of(file) in EDGES, f"{file.name} imports {library}"
            assert not at_top, f"{file.name} imports {library} when it is loaded"
        if module in ("scipy.stats", "scipy.optimize"):
            assert not at_top, f"{file.name} imports {module} when it is loaded"


def test_every_module_has_its_layer() -> None:
    assert {layer_of(file) for file in FILES} - {"__init__"} == set(LEVEL)


def loaded_after(statement: str) -> set[str]:
    code = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return set(json.loads(output))


def test_importing_abkit_loads_no_library() -> None:
    loaded = loaded_after("import abkit")
    for library in (
        "pandas",
        "statsmodels",
        "scipy",
        "narwhals",
        "matplotlib",
        "pymc",
        "arviz",
        "arviz_stats",
        "nutpie",
        "numpy",
        "duckdb",
        "yaml",
    ):
        assert library not in loaded, library


def test_a_test_of_statistics_loads_no_heavy_library() -> None:
    loaded = loaded_after(
        "import abkit as ab; ab.welch_test(ab.Moments(9, 1.0, 2.0), ab.Moments(9, 2.0, 3.0)).interval()"
    )
    for library in ("pandas", "statsmodels", "scipy.stats", "scipy.optimize", "narwhals", "matplotlib", "duckdb"):
        assert library not in loaded, library


def test_every_public_name_resolves_and_is_documented() -> None:
    for name in abkit.__all__:
        value = getattr(abkit, name)
        if callable(value):
            assert value.__doc__, name
    assert set(dir(abkit)) == set(abkit.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'welsh_test'"):
        _ = abkit.welsh_test
