"""Fields of a plan that must fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING

from abkit import _check
from abkit.logs import Sides, label_name
from abkit.metrics import Metric
from abkit.rule import AllOf, AnyOf, Rule, Timing
from abkit.sequential import KINDS as MONITORS
from abkit.sequential import Bayesian
from abkit.source import Source
from abkit.strategies import Ramped, Strategy
from abkit.types import ASSIGNMENTS, MISSING, ROWS, Quality

if TYPE_CHECKING:
    from abkit.experiment import Experiment


#: Below this, 1 - alpha has too few digits for a confidence level.
SMALLEST_ALPHA = 1e-9
#: Metrics whose estimate is not a difference of two normal means, which a prior could move.
WITHOUT_PRIOR = ("quantile", "paired-proportion", "disagreement")


def check_kinds(plan: Experiment) -> None:
    """Fields that are objects of their own."""
    kinds: dict[str, tuple[type, ...]] = {
        "strategy": (Strategy,),
        "timing": (Timing,),
        "rule": (Rule,),
        "quality": (Quality,),
        "log": (Source, NoneType),
        "monitor": (*MONITORS.values(), NoneType),
    }
    for name, known in kinds.items():
        value = getattr(plan, name)
        if not isinstance(value, known):
            rule = {"monitor": "a monitor such as FixedHorizon()", "strategy": "a strategy such as Canary()"}.get(name)
            raise TypeError(f"`{name}` must be {rule or f'{known[0].__name__}(...)'}; got {_check.show(value)}.")


def check_words(plan: Experiment) -> None:
    """Fields that are texts, choices and numbers."""
    _check.text("unit", plan.unit)
    _check.text("variant", plan.variant)
    if plan.unit == plan.variant:
        raise ValueError(f"`variant` must be another column than `unit`; got {plan.unit!r} twice.")
    control: object = plan.control
    if not isinstance(control, (str, int)):
        raise TypeError(f"`control` must be the name of a variant; got {_check.show(control)}.")
    for name in ("exposure", "time"):
        if getattr(plan, name) is not None:
            _check.text(name, getattr(plan, name))
    if not plan.monitor.alpha >= SMALLEST_ALPHA:
        raise ValueError(f"`monitor.alpha` must be at least {SMALLEST_ALPHA:g}; got {plan.monitor.alpha:g}.")
    _check.choice("missing", plan.missing, MISSING)
    _check.choice("adjust", plan.adjust, ("holm", "none"))
    _check.choice("assignment", plan.assignment, ASSIGNMENTS)


def check_given(plan: Experiment) -> None:
    """What neither the plan nor its strategy says."""
    for name in ("unit", "variant", "control"):
        if getattr(plan, name) == "":
            raise ValueError(f"`{name}` must be given.")


def check_pairs(metrics: Mapping[str, Metric], unit: str, sides: Sides | None) -> None:
    """Where units are pairs they are so for all metrics, since no unit belongs to one variant only."""
    paired = [name for name, metric in metrics.items() if metric.pairs]
    others = [name for name, metric in metrics.items() if not metric.pairs]
    if paired and others:
        raise ValueError(
            f"`metrics` must be all paired or none; got {paired[0]!r}, which is, and {others[0]!r}, which is not. "
            "Make a plan of each."
        )
    if paired and unit == ROWS and not (sides and sides.suffixes):
        raise ValueError(f"`unit` must name a column for paired metrics; one of the {ROWS} has one variant only.")


def checked_allocation(allocation: object, control: str) -> Mapping[str, float] | None:
    """Weights by the names of the variants."""
    if allocation is None:
        return None
    if not isinstance(allocation, Mapping):
        raise TypeError(f"`allocation` must map variants to weights; got {_check.show(allocation)}.")
    weights: dict[str, float] = {}
    for label, weight in allocation.items():
        if not isinstance(label, (str, int, float)):
            raise TypeError(f"`allocation` must have variants as keys; got {_check.show(label)}.")
        name = _check.text("allocation", label_name(label))
        if name in weights:
            raise ValueError(f"`allocation` must name each variant once; got {name!r} twice.")
        weights[name] = _check.at_least(f"allocation.{name}", weight, 0)
    if control not in weights:
        raise ValueError(f"`allocation` must name the control {control!r}; got {', '.join(weights)}.")
    if len(weights) < 2:
        raise ValueError(f"`allocation` must name at least two variants; got {control!r} only.")
    if not weights[control] > 0:
        raise ValueError(f"`allocation.{control}` must be above 0: without a control nothing is compared.")
    return MappingProxyType(weights)


def check_rule(rule: Rule, metrics: Mapping[str, Metric]) -> None:
    """The rule names metrics of the plan, in roles that can be shown."""
    if isinstance(rule.promote, (AllOf, AnyOf)):
        for name in rule.promote.metrics():
            _named("rule.promote", name, metrics)
            if metrics[name].role not in ("success", "guardrail"):
                raise ValueError(
                    f"`rule.promote` must name success metrics and guardrails; `{name}` is a {metrics[name].role} "
                    "metric, which is always watched and never shown."
                )
    if rule.costs is not None:
        _named("rule.costs.metric", rule.costs.metric, metrics)


def _named(what: str, name: str, metrics: Mapping[str, Metric]) -> None:
    if name not in metrics:
        raise ValueError(f"`{what}` must name a metric of the plan; got {name!r}.{_check.suggest(name, metrics)}")


def check_beliefs(plan: Experiment) -> None:
    """What a posterior can be asked of these metrics."""
    monitor = plan.monitor
    if not isinstance(monitor, Bayesian):
        return
    success = {name: metric for name, metric in plan.metrics.items() if metric.role == "success"}
    for field in ("loss", "prior"):
        if getattr(monitor, field) is not None and not success:
            raise ValueError(f"`monitor.{field}` must be left out without a success metric: it is for these only.")
    if monitor.loss is not None and plan.adjust == "holm":
        raise ValueError("`adjust` must be none where the monitor has a `loss`, which is not shared.")
    several = f"where there are several success metrics, each in its own unit; got {', '.join(success)}."
    if isinstance(monitor.loss, float) and len(success) > 1:
        raise ValueError(f"`monitor.loss` must be relative: share {several}")
    if monitor.prior is not None and monitor.prior_scale == "difference" and len(success) > 1:
        raise ValueError(f"`monitor.prior_scale` must be relative {several}")
    staged = isinstance(plan.strategy, Ramped) and plan.strategy.stage is not None
    for name, metric in success.items() if monitor.prior is not None else ():
        if metric.kind in WITHOUT_PRIOR or (staged and metric.kind == "proportion" and not metric.covariates):
            what = "counts of several stages" if metric.kind == "proportion" else f"a {metric.kind}"
            raise ValueError(
                f"`monitor.prior` must be left out for `metrics.{name}`: {what} cannot be two normal means."
            )


def check_stages(plan: Experiment, strategy: Strategy) -> None:
    """Stages have the weights of two variants, and an allocation would say them a second time."""
    if not isinstance(strategy, Ramped) or not strategy.stages:
        return
    if plan.allocation is not None and len(plan.allocation) > 2:
        raise ValueError("`allocation` must name two variants where the strategy has stages.")
