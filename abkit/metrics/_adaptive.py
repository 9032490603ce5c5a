"""Which metrics have one number a row, as the analysis of a policy's decisions needs."""

from __future__ import annotations

from abkit.metrics._mean import Mean
from abkit.metrics._metric import Metric
from abkit.metrics._proportion import Proportion
from abkit.types import ROWS


def why_not_adaptive(metric: Metric) -> str | None:
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
