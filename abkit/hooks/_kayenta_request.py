"""What Kayenta asks its remote judge: the settings, and each metric with its two series."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.errors import DataError, PlanError
from abkit.hooks._kayenta_score import Thresholds, thresholds_of

#: A month of minutes is as much as a canary ever has; more would only cost memory.
MOST_BUCKETS = 50_000
MOST_METRICS = 1_000
DIRECTIONS = ("increase", "decrease", "either")
ROLES = ("guardrail", "deterioration")


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for the whole judgement; alpha is shared by looks, and for harm by metrics too."""

    alpha: float
    looks: int
    margin: float | None
    thresholds: Thresholds


@dataclass(frozen=True, slots=True)
class MetricConfig:
    """One metric of a canary configuration; margins are shares of the baseline's level, None is none stated."""

    name: str
    groups: tuple[str, ...] = ()
    direction: str = "either"
    up: float | None = None
    down: float | None = None
    replace: bool = False
    critical: bool = False
    muted: bool = False
    must_have_data: bool = False
    deterioration: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """The two series of one metric; `problem` says why they cannot be judged."""

    name: str
    id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    control: Float64Array = field(default_factory=lambda: np.empty(0))
    experiment: Float64Array = field(default_factory=lambda: np.empty(0))
    problem: str | None = None


def settings_of(request: object) -> Settings:
    """The settings of a request; what is missing or contradicts itself is refused by name."""
    request = _mapping("request", request)
    config = _mapping("canaryConfig", request.get("canaryConfig"))
    judge = config.get("judge")
    given = (judge.get("judgeConfigurations") if isinstance(judge, Mapping) else None) or {}
    chosen = _mapping("judge.judgeConfigurations", given)
    try:
        alpha = _check.within("judgeConfigurations.alpha", chosen.get("alpha", 0.05), 0, 0.5)
        looks = _check.count("judgeConfigurations.looks", _whole(chosen.get("looks", 1)), 1)
        margin = chosen.get("margin")
        margin = None if margin is None else _check.within("judgeConfigurations.margin", margin, 0, 1)
    except (TypeError, ValueError) as error:
        raise PlanError(str(error)) from None
    return Settings(alpha, looks, margin, thresholds_of(request.get("scoreThresholds")))


def metrics_of(request: Mapping[str, Any], margin: float | None) -> dict[str, MetricConfig]:
    """The metrics of the canary configuration, by name."""
    listed = _mapping("canaryConfig", request.get("canaryConfig")).get("metrics")
    if not isinstance(listed, (list, tuple)) or not 0 < len(listed) <= MOST_METRICS:
        raise PlanError(f"`canaryConfig.metrics` must be a list of 1 to {MOST_METRICS} metrics.")
    found: dict[str, MetricConfig] = {}
    for item in listed:
        metric = _metric(_mapping("canaryConfig.metrics", item), margin, request["canaryConfig"])
        if metric.name in found:
            raise PlanError(f"`canaryConfig.metrics` must not repeat a name; got {_check.show(metric.name)} twice.")
        found[metric.name] = metric
    return found


def pairs_of(request: Mapping[str, Any]) -> list[Pair]:
    """The pairs of series, each with its problem if it has one."""
    listed = request.get("metricSetPairList")
    if listed is None:
        return []
    if not isinstance(listed, (list, tuple)) or len(listed) > MOST_METRICS:
        raise PlanError(f"`metricSetPairList` must be a list of at most {MOST_METRICS} pairs.")
    return [_pair(_mapping("metricSetPairList", item)) for item in listed]


def _metric(given: Mapping[str, Any], default: float | None, config: Mapping[str, Any]) -> MetricConfig:
    name, groups = given.get("name"), given.get("groups") or ()
    if not isinstance(name, str) or not name.strip():
        raise PlanError(f"`canaryConfig.metrics.name` must be text; got {_check.show(name)}.")
    groups = tuple(group for group in groups if isinstance(group, str)) if isinstance(groups, (list, tuple)) else ()
    analysis = given.get("analysisConfigurations") or {}
    own = (analysis.get("canary") or {}) if isinstance(analysis, Mapping) else None
    extra = (analysis.get("abkit") or {}) if isinstance(analysis, Mapping) else None
    if not isinstance(own, Mapping) or not isinstance(extra, Mapping):
        return MetricConfig(name, groups, problem="its analysisConfigurations are not mappings")
    try:
        up, down = _margins(own, extra, default)
        return MetricConfig(
            name,
            groups,
            _check.choice("direction", own.get("direction") or "either", DIRECTIONS),
            up,
            down,
            _check.choice("nanStrategy", own.get("nanStrategy") or "remove", ("remove", "replace")) == "replace",
            own.get("critical") is True,
            own.get("muted") is True or (own.get("critical") is not True and _weightless(groups, config)),
            own.get("mustHaveData") is True,
            _check.choice("role", extra.get("role") or "guardrail", ROLES) == "deterioration",
        )
    except (TypeError, ValueError) as error:
        return MetricConfig(name, groups, critical=own.get("critical") is True, problem=str(error))


def _margins(
    own: Mapping[str, Any], extra: Mapping[str, Any], default: float | None
) -> tuple[float | None, float | None]:
    """How far up and down a metric may go, as shares; a ratio of 1 states no margin."""
    effect = own.get("effectSize") or {}
    if not isinstance(effect, Mapping):
        raise TypeError("`effectSize` must be a mapping.")
    if (effect.get("measure") or "meanRatio") != "meanRatio":
        raise ValueError("`effectSize.measure` must be 'meanRatio': only that states a margin of the level.")
    if extra.get("margin") is not None:
        default = _check.within("margin", extra["margin"], 0, 1)
    up = _check.number("effectSize.allowedIncrease", effect.get("allowedIncrease", 1.0))
    down = _check.number("effectSize.allowedDecrease", effect.get("allowedDecrease", 1.0))
    if not 1 <= up <= 100 or not 0 < down <= 1:
        raise ValueError("`effectSize` must allow an increase of 1 to 100 times and a decrease above 0 and up to 1.")
    return (up - 1 if up > 1 else default), (1 - down if down < 1 else default)


def _weightless(groups: tuple[str, ...], config: Mapping[str, Any]) -> bool:
    """Whether every group of a metric is given the weight 0."""
    classifier = config.get("classifier")
    weights = classifier.get("groupWeights") if isinstance(classifier, Mapping) else None
    return bool(groups) and isinstance(weights, Mapping) and all(weights.get(group) == 0 for group in groups)


def _pair(given: Mapping[str, Any]) -> Pair:
    name, tags = given.get("name"), given.get("tags")
    own = {str(key): str(value) for key, value in tags.items()} if isinstance(tags, Mapping) else {}
    named = (name if isinstance(name, str) else "", str(given.get("id") or ""), own)
    values = given.get("values")
    if not isinstance(values, Mapping):
        return Pair(*named, problem="it has no values")
    try:
        return Pair(*named, _series("control", values), _series("experiment", values))
    except DataError as error:
        return Pair(*named, problem=str(error))


def _series(side: str, values: Mapping[str, Any]) -> Float64Array:
    listed = values.get(side)
    if listed is None:
        return np.empty(0)
    if not isinstance(listed, (list, tuple)) or len(listed) > MOST_BUCKETS:
        raise DataError(f"its {side} is not a list of at most {MOST_BUCKETS} values")
    return np.array([_value(side, value) for value in listed], dtype=np.float64)


def _value(side: str, value: object) -> float:
    """A number, or nan where Kayenta has none: null, or a text that says so."""
    if value is None or (isinstance(value, str) and value == "NaN"):
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"its {side} holds {_check.show(value)}, which is no number")
    if isinstance(value, float) and math.isnan(value):
        return value
    if not abs(value) <= _check.LARGEST:
        raise DataError(f"its {side} holds {_check.show(value)}, which is infinite or as good as")
    return float(value)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _mapping(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PlanError(f"`{name}` must be a mapping; got {_check.show(value)}.")
    return value
