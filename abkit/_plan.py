"""A plan as plain values, and back: the file form of an `Experiment`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import fields
from typing import Any, TypeVar

from abkit import _check
from abkit.errors import PlanError
from abkit.experiment import Experiment, Quality
from abkit.logs import label_name
from abkit.metrics import KINDS as METRICS
from abkit.metrics import Metric
from abkit.rule import AllOf, AnyOf, Costs, Node, Rule, Timing
from abkit.sequential import KINDS as MONITORS
from abkit.sequential import Monitor
from abkit.sequential._bayesian import PRIORS
from abkit.source import Source
from abkit.strategies import KINDS as STRATEGIES
from abkit.strategies import Stage, Strategy
from abkit.types import Cap, Relative, Sum

SCHEMA = "abkit.plan/1"
T = TypeVar("T")


def read_plan(data: object) -> Experiment:
    """An `Experiment` from plain values; a `PlanError` names what is wrong."""
    values = dict(_mapping(data, "the plan"))
    schema = values.pop("schema", SCHEMA)
    if schema != SCHEMA:
        hint = " `abkit bandit` reads that one." if schema == "abkit.bandit/1" else ""
        raise PlanError(f"`schema` must be {SCHEMA!r}; got {_check.show(schema)}.{hint}")
    return _build(
        Experiment,
        values,
        "",
        {
            "metrics": lambda value: {
                name: _kind(METRICS, metric, f"metrics.{name}", _METRIC_FIELDS)
                for name, metric in _mapping(value, "`metrics`").items()
            },
            "monitor": _read_monitor,
            "strategy": _read_strategy,
            "timing": lambda value: _build(Timing, _mapping(value, "`timing`"), "timing", {}),
            "rule": lambda value: _build(Rule, _mapping(value, "`rule`"), "rule", _RULE_FIELDS),
            "log": lambda value: None if value is None else _build(Source, _mapping(value, "`log`"), "log", {}),
            "quality": lambda value: _build(Quality, _mapping(value, "`quality`"), "quality", {}),
        },
    )


def write_plan(experiment: Experiment) -> dict[str, Any]:
    """Plain values of every field, in the order of the class."""
    plain = {field.name: getattr(experiment, field.name) for field in fields(experiment)}
    plain["metrics"] = {name: _write_kind(metric) for name, metric in experiment.metrics.items()}
    plain["monitor"] = _write_kind(experiment.monitor)
    plain["strategy"] = _write_kind(experiment.strategy)
    for name in ("quality", "timing", "rule", "log"):
        plain[name] = None if plain[name] is None else _write(plain[name])
    for name in ("allocation", "propensity"):
        plain[name] = dict(plain[name]) if isinstance(plain[name], Mapping) else plain[name]
    return {"schema": SCHEMA, **{name: _plain(value) for name, value in plain.items()}}


def _read_monitor(value: object) -> Monitor | None:
    """A monitor with its own fields, or only its kind."""
    if value is None:
        return None
    given = {"kind": value} if isinstance(value, str) else value
    return _kind(MONITORS, given, "monitor", {"loss": _read_size("monitor.loss"), "prior": _read_prior})


def _read_prior(value: object) -> object:
    """A prior on the effect: normal, unless another kind is named."""
    if value is None:
        return None
    given = {"kind": "normal", **_mapping(value, "`monitor.prior`")}
    return _kind(PRIORS, given, "monitor.prior", {})


def _read_strategy(value: object) -> Strategy:
    """A strategy with its own fields, or only its kind."""
    given = {"kind": value} if isinstance(value, str) else value
    return _kind(STRATEGIES, given, "strategy", {"stages": _read_stages})


def _read_stages(value: object) -> object:
    if not isinstance(value, (list, tuple)):
        return value
    return [
        _build(Stage, item, f"strategy.stages.{i}", {}) if isinstance(item, Mapping) else item
        for i, item in enumerate(value, 1)
    ]


def _read_node(value: object) -> Node | None:
    """A tree: a metric's name, or all: [...] or any: [...] of nodes."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        ((word, nodes),) = value.items()
        if word in ("all", "any") and isinstance(nodes, (list, tuple)):
            kind = AllOf if word == "all" else AnyOf
            return kind(*(_read_node(node) for node in nodes))  # type: ignore[arg-type]
    raise PlanError(f"`rule.promote` must be a metric, all: [...] or any: [...] of these; got {_check.show(value)}.")


_RULE_FIELDS: dict[str, Callable[[Any], object]] = {
    "promote": _read_node,
    "costs": lambda value: None if value is None else _build(Costs, value, "rule.costs", {}),
}


def _read_size(name: str) -> Callable[[object], object]:
    def read(value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        if set(value) == {"relative"}:
            return Relative(value["relative"])
        raise PlanError(f"`{name}` must be a number, or relative: share; got {_check.show(dict(value))}.")

    return read


def _read_cap(name: str) -> Callable[[object], object]:
    def read(value: object) -> object:
        if value is not None and not isinstance(value, Mapping):
            raise PlanError(f"`{name}` must be quantile: share, or value: threshold; got {_check.show(value)}.")
        return None if value is None else _build(Cap, value, name, {})

    return read


def _read_covariates(value: object) -> object:
    listed = value if isinstance(value, list) else [value]
    return [Sum(item["sum"]) if isinstance(item, Mapping) and set(item) == {"sum"} else item for item in listed]


_METRIC_FIELDS: dict[str, Callable[[object], object]] = {
    "margin": _read_size("margin"),
    "mde": _read_size("mde"),
    "tolerance": _read_size("tolerance"),
    "cap": _read_cap("cap"),
    "denominator_cap": _read_cap("denominator_cap"),
    "covariates": _read_covariates,
}


def _kind(kinds: Mapping[str, type[T]], data: object, path: str, readers: dict[str, Callable[[object], object]]) -> T:
    values = dict(_mapping(data, f"`{path}`"))
    if "kind" not in values:
        raise PlanError(f"`{path}.kind` must be given: one of {', '.join(kinds)}.")
    kind = values.pop("kind")
    if not isinstance(kind, str) or kind not in kinds:
        hint = _check.suggest(kind, kinds)
        raise PlanError(f"`{path}.kind` must be one of {', '.join(kinds)}; got {_check.show(kind)}.{hint}")
    return _build(kinds[kind], values, path, readers)


def _build(cls: type[T], data: object, path: str, readers: Mapping[str, Callable[[Any], object]]) -> T:
    values = _mapping(data, f"`{path}`")
    prefix = f"{path}." if path else ""
    known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            hint = _check.suggest(name, known)
            if not path and name in ("policy", "environment", "target"):
                hint = " That is one of a bandit plan, which `abkit bandit` reads."
            shown = _check.short(f"{prefix}{name}")
            raise PlanError(f"`{shown}` is not a field of a plan; the fields are {', '.join(known)}.{hint}")
    for name, field in known.items():
        if name not in values and field.default is NO_DEFAULT and field.default_factory is NO_DEFAULT:
            raise PlanError(f"`{prefix}{name}` must be given.")
    try:
        return cls(**{name: readers.get(name, _same)(value) for name, value in values.items()})
    except PlanError as error:
        raise PlanError(_within(path, str(error))) from error
    except (TypeError, ValueError) as error:
        raise PlanError(_within(path, str(error))) from error


def _within(path: str, message: str) -> str:
    """The message with the place in the plan before it, unless it says it."""
    return message if not path or f"`{path}" in message else f"in `{path}`: {message}"


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PlanError(f"{what} must be a mapping of names to values; got {_check.show(value)}.")
    named: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, (str, int, float)):
            raise PlanError(f"{what} must have names as keys; got {_check.show(key)}.")
        name = label_name(key)
        if name in named:
            raise PlanError(f"{what} must not name {name!r} twice; keep one.")
        named[name] = item
    return named


def _same(value: object) -> object:
    return value


def _write_kind(value: Metric | Monitor | Strategy) -> dict[str, Any]:
    return {"kind": value.kind, **_write(value)}


def _write(value: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, (Relative, Sum, Cap, AllOf, AnyOf)):
        return _worded(value)
    if isinstance(value, (Stage, Costs)):
        return _write(value)
    if isinstance(value, tuple(PRIORS.values())):
        return {"kind": next(name for name, kind in PRIORS.items() if type(value) is kind), **_write(value)}
    if isinstance(value, Mapping):
        return dict(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _worded(value: Relative | Sum | Cap | AllOf | AnyOf) -> dict[str, Any]:
    """What a file holds under a word of its own."""
    if isinstance(value, Relative):
        return {"relative": value.value}
    if isinstance(value, Sum):
        return {"sum": value.column}
    if isinstance(value, Cap):
        return {name: item for name, item in _write(value).items() if item is not None}
    return {"all" if isinstance(value, AllOf) else "any": [_plain(node) for node in value.nodes]}
