"""What the rule asks of each test: its share of alpha, and its share of the chance to miss a promotion.

A treatment is promoted where at least one success metric is superior, every guardrail non-inferior, nothing is shown to
be worse and no check fails. If the success metric with its effect is missed with the chance b_S and each of G
guardrails with b_G, and harms and checks are falsely shown with chances that add up to f, a promotion is missed with at
most b_S + G b_G + f, however the tests depend on each other. So each has (beta - f) / (G + 1), or / G without a success
metric (Schultzberg, Ankargren and Franberg 2024, arXiv 2402.11609, sec. 3.4, where f = 0; sec. 4 adds harms and checks,
whose share f is a union bound here).

A tree of the plan's own is planned alike: of all-of every node must succeed, so that their chances to miss add up;
any-of succeeds with a node that is true, and misses with at most the largest of their chances, whichever that is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import TypeVar

import numpy as np

from abkit._check import Float64Array
from abkit._checks import planned_split
from abkit.errors import PlanError
from abkit.experiment import Experiment
from abkit.metrics import Metric
from abkit.rule import AllOf, AnyOf, Node, shares_of
from abkit.sequential import Bayesian, FixedHorizon
from abkit.types import Missing

_Chances = TypeVar("_Chances", float, Float64Array)


@dataclass(frozen=True, slots=True)
class RuleShares:
    """How a plan's errors are shared out.

    Parameters
    ----------
    treatments : int
        How many are compared with the control.
    tree : AllOf or None
        What a promotion takes; None where nothing can be promoted.
    tests : int
        How many at most must all succeed for a promotion: by default a success metric, if there is one, and every
        guardrail.
    alpha_success : float
        Alpha towards one side, of each success metric: its share under Bonferroni, which Holm's procedure never
        goes below; where the plan has a tree, before its shares.
    alpha_other : float
        Alpha towards one side, of each guardrail; where the plan has a tree, before its shares.
    alpha_harm : float
        Alpha towards one side, of the harm of each deterioration metric.
    false_harms : float
        The chance at most that a harm is shown of a metric that has none.
    false_checks : float
        The chance at most that a check of sound data fails.
    shares : mapping of metric to float
        The shares of alpha that the plan's tree gives.
    """

    treatments: int
    tree: AllOf | None
    tests: int
    alpha_success: float
    alpha_other: float
    alpha_harm: float
    false_harms: float
    false_checks: float
    shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def false(self) -> float:
        """What harms and checks that are not there take from the power at most."""
        return self.false_harms + self.false_checks

    def tail(self, name: str, role: str) -> float:
        """Alpha towards the side on which a metric is to be shown."""
        if role == "deterioration":
            return self.alpha_harm
        return (self.alpha_success if role == "success" else self.alpha_other) * self.shares.get(name, 1.0)

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
    half, holm, own = experiment.monitor.total / 2, experiment.adjust == "holm", experiment.rule.promote
    tree, shares = promotion_of(experiment), shares_of(own) if isinstance(own, (AllOf, AnyOf)) else {}
    shares = {} if isinstance(experiment.monitor, Bayesian) else shares  # a posterior is not shared out
    family = (1 if shares else roles.count("success")) * treatments if holm else 1
    tests = tests_of(tree)
    repeats = looks if tests == 1 and not isinstance(experiment.monitor, FixedHorizon) else 1
    judged = len(roles) - roles.count("quality")
    alpha = experiment.rule.alpha_rollback
    return RuleShares(
        treatments,
        tree,
        tests,
        half / max(family, 1),
        half,
        half if alpha is None else alpha / max(judged * treatments, 1),
        _false_harms(experiment, metrics, tree, treatments, looks),
        experiment.quality.alpha * _checks(experiment, metrics, treatments, repeats),
        shares,
    )


def promotion_of(experiment: Experiment) -> AllOf | None:
    """What a promotion takes: the rule's tree with the guardrails that it does not name; None without any metric."""
    metrics, tree = experiment.metrics, experiment.rule.promote
    if isinstance(tree, (AllOf, AnyOf)):
        wanted: list[Node] = [tree]
    else:
        success = [name for name, metric in metrics.items() if metric.role == "success"]
        wanted = [AnyOf(*success)] if success else []
    named = tree.metrics() if isinstance(tree, (AllOf, AnyOf)) else ()
    guards = [name for name, metric in metrics.items() if metric.role == "guardrail" and name not in named]
    return AllOf(*guards, *wanted) if guards or wanted else None


def tests_of(node: Node | None) -> int:
    """How many tests at most must all succeed."""
    if node is None or isinstance(node, str):
        return int(node is not None)
    counts = [tests_of(part) for part in node.nodes]
    return sum(counts) if isinstance(node, AllOf) else max(counts)


def missed_by(node: Node, chances: Mapping[str, _Chances]) -> _Chances | None:
    """The chance at most that a node is missed, whichever node of an any-of is true; None where it is unknown."""
    if isinstance(node, str):
        return chances.get(node)
    parts = [missed_by(part, chances) for part in node.nodes]
    known = [part for part in parts if part is not None]
    if not known or (isinstance(node, AllOf) and len(known) < len(parts)):
        return None
    return reduce(np.add if isinstance(node, AllOf) else np.maximum, known)


def needed_of(node: Node, sized: Collection[str]) -> set[str] | None:
    """Of metrics that have a size those that a node depends on; None where it cannot be met with them."""
    if isinstance(node, str):
        return {node} if node in sized else None
    parts = [needed_of(part, sized) for part in node.nodes]
    known = [part for part in parts if part is not None]
    if not known or (isinstance(node, AllOf) and len(known) < len(parts)):
        return None
    return set().union(*known)


def in_words(node: Node, names: Mapping[str, str] | None = None) -> str:
    """A tree as a phrase; where there are names, of these metrics only."""
    if isinstance(node, str):
        return f"`{node}`" if names is None else names.get(node, "")
    parts = [(part, in_words(part, names)) for part in node.nodes]
    inner = [(part, words) for part, words in parts if words]
    if len(inner) == 1:
        return inner[0][1]
    both = " and " if isinstance(node, AllOf) else " or "
    return both.join(f"({words})" if _mixed(node, part, words) else words for part, words in inner)


def _mixed(node: AllOf | AnyOf, part: Node, words: str) -> bool:
    """Whether a phrase of the other kind must be set apart."""
    other = " or " if isinstance(node, AllOf) else " and "
    return not isinstance(part, str) and other in words


def _false_harms(
    experiment: Experiment, metrics: Mapping[str, Metric], tree: AllOf | None, treatments: int, looks: int
) -> float:
    """Of metrics whose own tests need not succeed; the harms of success metrics are a family under Holm's procedure."""
    roles = {name: metric.role for name, metric in metrics.items() if metric.role != "quality"}
    sure = set() if tree is None else _in_every_way(tree)
    success = sum(role == "success" for role in roles.values())
    gaining = {name for name, role in roles.items() if role == "success"}
    one = tree is not None and needed_of(tree, roles.keys() - gaining) is None  # no way without a success metric
    others = success - max(len(sure & gaining), int(one))
    rest = sum(name not in sure for name, role in roles.items() if role != "success")
    alpha = experiment.rule.alpha_rollback
    if alpha is not None:  # at a look before its gain a metric's own harm may be shown, at a level of its own
        return alpha / treatments * (1.0 if looks > 1 else (rest + others) / max(len(roles), 1))
    return _of_one(experiment, looks) * (rest + (min(others, 1) if experiment.adjust == "holm" else others))


def _of_one(experiment: Experiment, looks: int) -> float:
    """The chance at most that a harm is shown that is not there; of a posterior, which pays for no look, over looks."""
    monitor = experiment.monitor
    if isinstance(monitor, Bayesian):
        return monitor.design([float(k + 1) for k in range(looks)]).alpha / 2
    return monitor.total / 2


def _in_every_way(node: Node) -> set[str]:
    """The metrics without which a node cannot be met."""
    if isinstance(node, str):
        return {node}
    parts = [_in_every_way(part) for part in node.nodes]
    return set().union(*parts) if isinstance(node, AllOf) else set.intersection(*parts)


def planned_weights(experiment: Experiment) -> dict[str, float]:
    """The weight of each variant, the control first; where the plan names none, one treatment is taken to be meant."""
    treatment = "treatment" if experiment.control != "treatment" else "new"
    both = {experiment.control: 1.0, treatment: 1.0}
    named = experiment.allocation or planned_split(experiment, dict.fromkeys(both, 0)) or both
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
