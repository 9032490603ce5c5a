"""Plan files: YAML, or JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from abkit.errors import PlanError


def read_mapping(path: str | os.PathLike[str]) -> Any:
    """The content of a YAML or JSON file."""
    name = os.fspath(path)
    suffix = Path(name).suffix.lower()
    if suffix not in (".yaml", ".yml", ".json"):
        raise PlanError(f"the plan {name!r} must be a .yaml, .yml or .json file.")
    try:
        text = Path(name).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise PlanError(f"the plan {name!r} does not exist; check the path.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"the plan {name!r} cannot be read: {error}.") from error
    content = _json(name, text) if suffix == ".json" else _yaml(name, text)
    if content is None:
        raise PlanError(f"the plan {name!r} is empty.")
    return content


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise PlanError(f"the plan {name!r} is not JSON: {error}.") from error


def _yaml(name: str, text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a key that is given twice, which YAML would answer with the last."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            pairs = [(self.construct_object(key, deep=True), value) for key, value in node.value]
            _unique(pairs)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        raise PlanError(f"the plan {name!r} is not YAML: {where}.") from error


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key, value in pairs:
        if isinstance(key, (list, dict)):
            raise PlanError(f"a plan's keys must be names; got {key!r}.")
        if key in result:
            raise PlanError(f"`{key}` is given twice in the plan; keep one.")
        result[key] = value
    return result
