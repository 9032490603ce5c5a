"""What the rule asks of each test: its share of alpha, and its share of the chance to miss a promotion.

A treatment is promoted where at least one success metric is superior, every guardrail non-inferior, nothing is shown to
be worse and no check fails. If the success metric with its effect is missed with the chance b_S and each of G
guardrails with b_G, and harms and checks are falsely shown with chances that add up to f, a promotion is missed with at
most b_S + G b_G + f, however the tests depend on each other. So each has (beta - f) / (G + 1), or / G without a success
metric (Schultzberg, Ankargren and Franberg 2024, arXiv 2402.11609, sec. 3.4, where f = 0; sec. 4 adds harms and checks,
whose share f is a union bound here).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from abkit.errors import PlanError
from abkit.experiment import Experiment
from abkit.metrics import Metric
from abkit.sequential import FixedHorizon
from abkit.types import Missing


@dataclass(frozen=True, slots=True)
class RuleShares:
    """How a plan's errors are shared out.

    Parameters
    ----------
    treatments : int
        How many are compared with the control.
    tests : int
        How many must all succeed for a promotion: a success metric, if there is one, and every guardrail.
    alpha_success : float
        Alpha towards one side, of each success metric: its share under Bonferroni, which Holm's procedure never
        goes below.
    alpha_other : float
        Alpha towards one side, of each guardrail and deterioration metric.
    false_harms : float
        The chance at most that a harm is shown of a metric that has none.
    false_checks : float
        The chance at most that a check of sound data fails.
    """

    treatments: int
    tests: int
    alpha_success: float
    alpha_other: float
    false_harms: float
    false_checks: float

    @property
    def false(self) -> float:
        """What harms and checks that are not there take from the power at most."""
        return self.false_harms + self.false_checks

    def each(self, power: float) -> float:
        """The power of each of the tests with which all of them succeed; at least 1 where that cannot be."""
        return 1 - (1 - power - self.false) / max(self.tests, 1)

    def together(self, missed: float) -> float:
        """The power of the rule at least, where the tests miss with these chances in all."""
        return max(1 - missed - self.false, 0.0)


def rule_shares(experiment: Experiment, metrics: dict[str, Metric], looks: int) -> RuleShares:
    """How this plan's errors are shared out."""
    treatments = len(weights_of(experiment)) - 1
    roles = [metric.role for metric in metrics.values()]
    success, guardrails, watched = (roles.count(role) for role in ("success", "guardrail", "deterioration"))
    half = experiment.monitor.total / 2
    family = success * treatments if experiment.adjust == "holm" else 1
    others = max(success - 1, 0)  # their harms are a family: under Holm's procedure all of it errs with half alpha
    harms = half * (watched + (min(others, 1) if experiment.adjust == "holm" else others))
    tests = min(success, 1) + guardrails
    repeats = looks if tests == 1 and not isinstance(experiment.monitor, FixedHorizon) else 1
    return RuleShares(
        treatments,
        tests,
        half / max(family, 1),
        half,
        harms,
        experiment.quality.alpha * _checks(experiment, metrics, treatments, repeats),
    )


def planned_weights(experiment: Experiment) -> dict[str, float]:
    """The weight of each variant, the control first; where the plan names none, one treatment is taken to be meant."""
    treatment = "treatment" if experiment.control != "treatment" else "new"
    named = experiment.allocation or {experiment.control: 1.0, treatment: 1.0}
    return {name: named[name] for name in sorted(named, key=lambda name: name != experiment.control)}


def weights_of(experiment: Experiment) -> dict[str, float]:
    """The weights of the variants that get units, the control first.

    Raises
    ------
    PlanError
        No treatment gets any.
    """
    used = {name: weight for name, weight in planned_weights(experiment).items() if weight > 0}
    if len(used) < 2:
        raise PlanError(f"`allocation` must give a treatment units; got them for {experiment.control!r} only.")
    return used


def _checks(experiment: Experiment, metrics: dict[str, Metric], treatments: int, repeats: int) -> int:
    """How many tests of the data must pass; `repeats`: those that hold at one look only count once a look."""
    ratio = 0 if any(metric.pairs for metric in metrics.values()) else 1
    quality = treatments * sum(metric.role == "quality" for metric in metrics.values())
    covariates = {metric.covariates for metric in metrics.values() if metric.covariates}
    gaps = len(list(_with_gaps(metrics, experiment.missing)))
    return ratio + quality + repeats * (treatments * len(covariates) + gaps)


def _with_gaps(metrics: dict[str, Metric], missing: Missing) -> Iterator[str]:
    """Metrics whose missing values do not refuse the log: where there are any, their shares are compared."""
    return (name for name, metric in metrics.items() if (metric.missing or missing) != "error")
