"""Plans whose variants a policy chose: the fields that they need, and the metrics that they can have."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from abkit import _check
from abkit.logs import label_name
from abkit.metrics._mean import Mean
from abkit.metrics._metric import Metric
from abkit.metrics._proportion import Proportion
from abkit.types import ROWS

if TYPE_CHECKING:
    from abkit.experiment import Experiment

_NOT_ADAPTIVE = {
    "allocation": "shares are what its policy makes of them",
    "segments": "its propensities are those of the whole log",
}


def checked_propensity(plan: Experiment) -> str | Mapping[str, str] | None:
    """A plan's propensities, where its fields agree about who chose, and it asks what such a log can answer."""
    if plan.assignment == "randomised":
        for name in ("propensity", "order"):
            if getattr(plan, name) is not None:
                raise ValueError(f"`{name}` must be left out unless `assignment` is adaptive.")
        return None
    if plan.propensity is None or plan.order is None:
        raise ValueError(
            f"`{'propensity' if plan.propensity is None else 'order'}` must be given for an adaptive plan: log with "
            "every decision the probability that the policy gave the chosen variant, and when it was made; "
            "ab.bandits.adaptive_test needs them too, and without them nothing follows from a bandit's log."
        )
    for name, why in _NOT_ADAPTIVE.items():
        if getattr(plan, name):
            raise ValueError(f"`{name}` must be left out of an adaptive plan: {why}.")
    for name, metric in plan.metrics.items():
        if reason := _why_not(metric):
            raise ValueError(f"`metrics.{name}` must be a mean, proportion or count of rows as they are: {reason}.")
    propensity = _by_variant(plan.propensity, plan.control)
    columns = [propensity] if isinstance(propensity, str) else list(propensity.values())
    named = [*columns, _check.text("order", plan.order), plan.variant, ROWS]
    if repeated := [column for i, column in enumerate(named) if column in named[:i]]:
        raise ValueError(
            f"`propensity`, `order` and `variant` must name a column each; got {repeated[0]!r} for two of them."
        )
    return propensity


def _by_variant(value: object, control: str) -> str | Mapping[str, str]:
    if not isinstance(value, Mapping):
        return _check.text("propensity", value)
    columns: dict[str, str] = {}
    for label, column in value.items():
        name = label_name(label)
        if name in columns:
            raise ValueError(f"`propensity` must name each variant once; got {name!r} twice.")
        columns[name] = _check.text(f"propensity.{name}", column)
    if control not in columns or len(columns) < 2:
        raise ValueError(
            f"`propensity` must map the control {control!r} and every other variant to a column; "
            f"got columns of {', '.join(map(repr, columns)) or 'none'}."
        )
    return MappingProxyType(columns)


def _why_not(metric: Metric) -> str | None:
    """Why a metric cannot be estimated from decisions whose probabilities followed the data; None where it can."""
    if not isinstance(metric, (Mean, Proportion)):
        return f"a {metric.kind} metric is not the mean of one number a decision"
    if metric.covariates:
        return "covariates are not used with decisions that followed the data"
    if isinstance(metric, Mean) and metric.cap is not None:
        return "a cap is of all decisions together, and would let the last ones change the first"
    if metric.value == ROWS:
        return "a decision has one row, so that ROWS is always 1"
    return None
