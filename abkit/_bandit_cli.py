"""`abkit bandit simulate | replay | evaluate`, and the plan file that they read."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from abkit import _check
from abkit.errors import AbkitError, DataError, PlanError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from abkit.bandits import Environment, Policy, Simulation

SCHEMA = "abkit.bandit/1"
RUNS, SEED = 1_000, 1


@dataclass(frozen=True)
class BanditPlan:
    """What a plan file says; each command asks for the fields that it needs.

    Parameters
    ----------
    policies : tuple of Policy
        One or several, for `simulate` and `replay`.
    several : bool
        Whether the file has a list of them, so that the results are a list too.
    environment, horizon, runs, seed
        Of `simulate`; the seed of `replay` too.
    log : str
        Path of a log, unless the command line names one.
    arm, reward, propensity, order, context, by
        Columns of the log.
    target, method, model, threshold, bounds
        Of `evaluate`.
    """

    policies: tuple[Policy[Any], ...] = ()
    several: bool = False
    environment: Environment | None = None
    horizon: int | None = None
    runs: int = RUNS
    seed: int = SEED
    log: str | None = None
    arm: str | None = None
    reward: str | None = None
    propensity: str | None = None
    order: Any = None
    context: Any = None
    by: Any = None
    target: Any = None
    method: str | None = None
    model: Any = None
    threshold: Any = None
    bounds: Any = None

    def columns(self, *names: str) -> dict[str, Any]:
        """Those of the log's columns and other options that the file gives."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


FIELDS = ("policy", *(field.name for field in fields(BanditPlan) if field.name not in ("policies", "several")))


def add_bandit(commands: Any) -> None:
    """The command and its three parts."""
    bandit = commands.add_parser("bandit", help="what a bandit costs, would have earned, or is worth")
    parts = bandit.add_subparsers(dest="part", required=True, parser_class=type(bandit))
    simulate = parts.add_parser("simulate", help="regret of policies in an environment whose truth is known")
    _common(simulate)
    simulate.add_argument("--runs", type=int, help="independent runs; by default the plan's (1,000)")
    simulate.add_argument("--seed", type=int, help="of the random numbers; by default the plan's (1)")
    simulate.add_argument("--plot", metavar="FILE", help="draw regret over time: .png, .svg or .pdf")
    simulate.set_defaults(run=_simulate)
    replay = parts.add_parser("replay", help="what policies would have earned, from a log of arms chosen at random")
    _common(replay, log=True)
    replay.add_argument("--seed", type=int, help="of the random numbers; by default the plan's (1)")
    replay.set_defaults(run=_replay)
    evaluate = parts.add_parser("evaluate", help="what a target is worth, from a log with propensities")
    _common(evaluate, log=True)
    evaluate.add_argument("--method", help="ips, snips, dm, dr, switch-dr or clipped; by default the plan's")
    evaluate.set_defaults(run=_evaluate)


def _common(parser: argparse.ArgumentParser, *, log: bool = False) -> None:
    parser.add_argument("plan", help="a bandit plan: .yaml or .json; `abkit schema bandit` lists its fields")
    if log:
        parser.add_argument("log", nargs="?", help="a log, one row a decision: .parquet, .csv; by default the plan's")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _simulate(parsed: argparse.Namespace) -> int:
    import numpy as np

    from abkit.bandits import simulate
    from abkit.cli import check_plot

    check_plot(parsed.plot)
    plan = _plan(parsed)
    needed = _needed(plan, "simulate", "policy", "environment", "horizon")
    with refused():
        found = [
            simulate(policy, needed["environment"], needed["horizon"], plan.runs, np.random.default_rng(plan.seed))
            for policy in plan.policies
        ]
    if parsed.plot:
        _draw(found, parsed.plot)
    return _print(found, plan, parsed.format)


def _replay(parsed: argparse.Namespace) -> int:
    import numpy as np

    from abkit.bandits import replay

    plan = _plan(parsed)
    log = _needed(plan, "replay", "policy", "log")["log"]
    columns = plan.columns("arm", "reward", "propensity", "order", "context")
    with refused():
        found = [replay(log, policy, rng=np.random.default_rng(plan.seed), **columns) for policy in plan.policies]
    return _print(found, plan, parsed.format)


def _evaluate(parsed: argparse.Namespace) -> int:
    plan = _plan(parsed)
    needed = _needed(plan, "evaluate", "target", "log")
    from abkit.bandits import evaluate

    columns = plan.columns("method", "arm", "reward", "propensity", "order", "by", "model", "threshold", "bounds")
    with refused():
        found = evaluate(needed["log"], needed["target"], **columns)
    return _print([found], plan, parsed.format)


def _print(found: list[Any], plan: BanditPlan, form: str) -> int:
    if form == "json":
        plain = [one.to_dict() for one in found]
        print(json.dumps(plain if plan.several else plain[0], allow_nan=False))
    else:
        print(*found, sep="\n\n")
    return 0


def _draw(found: list[Simulation], file: str) -> None:
    from abkit.cli import save

    save(found[0].figure() if len(found) == 1 else _side_by_side(found), file)


def _side_by_side(found: list[Simulation]) -> Figure:
    """The regret of each policy in a plot of its own, on one scale."""
    axes = found[0].plot()
    figure: Any = axes.figure
    figure.clear()
    figure.set_size_inches(5 * len(found), 4.5)
    for axes, one in zip(figure.subplots(1, len(found), sharey=True), found, strict=True):
        one.plot(axes)
    return figure  # type: ignore[no-any-return]


def _needed(plan: BanditPlan, command: str, *names: str) -> dict[str, Any]:
    given = {name: plan.policies or None if name == "policy" else getattr(plan, name) for name in names}
    for name, value in given.items():
        if value is None:
            where = " in the plan, or on the command line" if name == "log" else " in the plan"
            raise PlanError(f"`{name}` must be given{where}: `abkit bandit {command}` needs it.")
    return given


def _plan(parsed: argparse.Namespace) -> BanditPlan:
    """The plan of a file, with what the command line says otherwise."""
    from abkit.adapters._plan_file import read_mapping

    plan = read_plan(read_mapping(parsed.plan, "bandit plan"))
    given: dict[str, Any] = {name: getattr(parsed, name, None) for name in ("runs", "seed", "log", "method")}
    for name, low in (("runs", 1), ("seed", 0)):
        if given[name] is not None and given[name] < low:
            raise PlanError(f"`--{name}` must be at least {low}; got {given[name]}.")
    return replace(plan, **{name: value for name, value in given.items() if value is not None})


def read_plan(data: object) -> BanditPlan:
    """A plan from plain values; a `PlanError` names the field that is wrong."""
    if not isinstance(data, Mapping):
        raise PlanError(f"a bandit plan must be a mapping of names to values; got {_check.show(data)}.")
    values = dict(data)
    if "metrics" in values:
        raise PlanError("`metrics` must be left out of a bandit plan; an experiment's plan is read by `abkit decide`.")
    schema = values.pop("schema", SCHEMA)
    if schema != SCHEMA:
        raise PlanError(f"`schema` must be {SCHEMA!r}; got {_check.show(schema)}.")
    for name in values:
        if name not in FIELDS:
            hint = _check.suggest(name, FIELDS)
            shown = _check.short(str(name))
            raise PlanError(f"`{shown}` is not a field of a bandit plan; the fields are {', '.join(FIELDS)}.{hint}")
    listed = values.get("policy")
    several = isinstance(listed, list)
    policies = _policies(values.pop("policy")) if "policy" in values else ()
    with refused():
        read = {name: _READERS.get(name, _same)(name, value) for name, value in values.items() if value is not None}
    return BanditPlan(policies=policies, several=several, **read)


def _policies(value: object) -> tuple[Policy[Any], ...]:
    if not isinstance(value, list):
        return (_policy("policy", value),)
    if not value:
        raise PlanError("`policy` must be a mapping with a kind, or a list of such; got an empty list.")
    return tuple(_policy(f"policy[{place}]", one) for place, one in enumerate(value))


def _policy(path: str, value: object) -> Policy[Any]:
    from abkit.bandits import Policy

    with refused(path):
        return Policy.from_dict(value)


def _environment(name: str, value: object) -> Environment:
    from abkit.bandits import Environment

    with refused(name):
        return Environment.from_dict(value)


def _names(name: str, value: object) -> str | tuple[str, ...]:
    return value if isinstance(value, str) else _check.names(name, value)


def _pair(_: str, value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _same(_: str, value: object) -> object:
    return value


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "environment": _environment,
    "horizon": lambda name, value: _check.count(name, value, 1),
    "runs": lambda name, value: _check.count(name, value, 1),
    "seed": _check.count,
    "bounds": _pair,
    **dict.fromkeys(("log", "arm", "reward", "propensity", "method"), _check.text),
    **dict.fromkeys(("order", "context", "by"), _names),
}


@contextmanager
def refused(place: str = "") -> Iterator[None]:
    """A value that cannot be is a fault of the plan, at this place of it, unless it is one of the log."""
    try:
        yield
    except (DataError, PlanError):
        raise
    except (AbkitError, ValueError, TypeError) as error:
        said = str(error)
        raise PlanError(said if not place or f"`{place}" in said else f"in `{place}`: {said}") from error


def bandit_schema() -> dict[str, Any]:
    """The JSON Schema of a bandit plan: which fields there are, and which kinds have which."""
    from abkit import bandits
    from abkit.bandits import Environment, Policy

    for name in bandits.__all__:  # each kind makes itself known when it is loaded
        getattr(bandits, name)
    policy, environment = (_kinds(cls.kinds) for cls in (Policy, Environment))
    text, whole = {"type": "string"}, {"type": "integer"}
    names = {"anyOf": [text, {"type": "array", "items": text}]}
    properties: dict[str, Any] = {
        "schema": {"const": SCHEMA},
        "policy": {"anyOf": [policy, {"type": "array", "items": policy, "minItems": 1}]},
        "environment": environment,
        "horizon": whole | {"minimum": 1},
        "runs": whole | {"minimum": 1},
        "seed": whole | {"minimum": 0},
        **dict.fromkeys(("log", "arm", "reward", "propensity", "method"), text),
        **dict.fromkeys(("order", "context", "by"), names),
        "target": {"anyOf": [text, whole, {"type": "object"}]},
        "model": {"type": "object"},
        "threshold": {"type": "number", "exclusiveMinimum": 0},
        "bounds": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    }
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": SCHEMA, "type": "object", "properties": properties} | {
        "additionalProperties": False
    }


def _kinds(kinds: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "oneOf": [
            {
                "type": "object",
                "properties": {"kind": {"const": kind}, **{field.name: {} for field in fields(cls)}},
                "required": ["kind"],
                "additionalProperties": False,
            }
            for kind, cls in sorted(kinds.items())
        ]
    }
