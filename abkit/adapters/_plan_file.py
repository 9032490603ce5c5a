"""Plan files: YAML, or JSON."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abkit import _check
from abkit.errors import PlanError

if TYPE_CHECKING:
    import yaml

SUFFIXES = (".yaml", ".yml", ".json")
#: The scalars of YAML 1.2 that are not text, by their first characters. In YAML 1.1, which PyYAML reads by default, a
#: variant named no, off or 010 is no text, and 1e-3 is.
SCALARS = (
    ("null", "~nN", r"~|null|Null|NULL|"),
    ("bool", "tTfF", r"true|True|TRUE|false|False|FALSE"),
    ("int", "-+0123456789", r"[-+]?(?:0|[1-9][0-9]*)"),
    ("float", "-+.0123456789", r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"),
    ("float", "-+.", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"),
)
TAG = "tag:yaml.org,2002:"


def read_mapping(path: str | os.PathLike[str], what: str = "plan") -> Any:
    """The content of a YAML or JSON file: of a plan, or of what else is said."""
    name = os.fspath(path)
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise PlanError(f"the {what} {name!r} must be a .yaml, .yml or .json file.")
    try:
        text = Path(name).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise PlanError(f"the {what} {name!r} does not exist; check the path.") from error
    except OSError as error:
        raise PlanError(f"the {what} {name!r} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise PlanError(f"the {what} {name!r} cannot be read: {error}; save it as UTF-8.") from error
    content = _parsed(f"the {what} {name!r}", text, "JSON" if suffix == ".json" else "YAML")
    if content is None:
        raise PlanError(f"the {what} {name!r} is empty{'; `abkit schema plan` lists its fields' * (what == 'plan')}.")
    return content


def _parsed(name: str, text: str, language: str) -> Any:
    import yaml

    try:
        if language == "YAML":
            return yaml.load(text, _loader())  # noqa: S506 - a SafeLoader
        return json.loads(text, object_pairs_hook=_unique) if text.strip() else None
    except PlanError:
        raise
    except RecursionError as error:
        raise PlanError(f"{name} is nested too deeply to be one.") from error
    except (ValueError, LookupError, yaml.YAMLError) as error:
        raise PlanError(f"{name} is not {language}: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    """What a parser says, in one line with its place."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return where + " ".join(problem.split())


def _loader() -> type[yaml.SafeLoader]:
    import yaml

    class Loader(yaml.SafeLoader):
        """Knows the types of JSON only, and refuses a key that is given twice, which YAML answers with the last."""

        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - filled below
        yaml_constructors = {  # noqa: RUF012 - as PyYAML has it
            tag: construct
            for tag, construct in yaml.SafeLoader.yaml_constructors.items()
            if tag is None or tag.removeprefix(TAG) in ("null", "bool", "int", "float", "str", "seq", "map")
        }

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            named = [(self.construct_object(key, deep=True), value) for key, value in node.value]
            return _unique([(name, self.construct_object(value, deep=deep)) for name, value in named])

    for tag, first, pattern in SCALARS:
        Loader.add_implicit_resolver(
            TAG + tag, re.compile(f"^(?:{pattern})$"), [*first, ""] if tag == "null" else list(first)
        )
    return Loader


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key, value in pairs:
        if isinstance(key, (list, dict)):
            raise PlanError(f"a plan's keys must be names; got {_check.show(key)}.")
        if key in result:
            raise PlanError(f"`{_check.short(str(key))}` is given twice in the plan; keep one.")
        result[key] = value
    return result
