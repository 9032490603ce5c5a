"""The decision rule on arrays: one look of many runs at once, with the verdicts that `decide` would give.

A p-value is below a level exactly where its deviate is beyond the critical value of that level, so that no p-value is
needed: only the critical values of the few levels between which Holm's procedure chooses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array
from abkit.experiment import Experiment
from abkit.rule import AllOf, AnyOf, AtDeadline, shares_of
from abkit.sequential import Bayesian
from abkit.strategies import Ramped

#: As a run's verdict is stored.
PROMOTE, CONTINUE, ROLLBACK = 1, 0, -1
_Bools = npt.NDArray[np.bool_]
_Codes = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False, slots=True)
class Verdicts:
    """What the rule says of each run at one look.

    Parameters
    ----------
    verdict : int8 array, shape (runs,)
        1 promote, 0 continue, -1 roll back.
    variant : int array, shape (runs,)
        Which treatment is promoted, from 0; -1 where none is.
    blocked : bool array, shape (runs,)
        A check of the data failed, or is unknown.
    """

    verdict: _Codes
    variant: npt.NDArray[np.intp]
    blocked: _Bools


@dataclass(frozen=True, slots=True)
class Rule:
    """Which metrics have which role, what a promotion takes, and how tests share alpha.

    Arrays have the axes (runs, metrics, treatments). All deviates are taken so that + is better.

    Parameters
    ----------
    success, guardrail, deterioration, quality : tuple of int
        The places of the metrics with these roles.
    holm : bool
        Whether success metrics and treatments share alpha by Holm's procedure.
    treatments : tuple of str
    gains, harms : tuple of tuples of float
        For each metric the two-sided levels, falling, at which a change for the better and for the worse is tested:
        several where Holm's procedure chooses.
    names : tuple of str
        Of the metrics.
    tree : AllOf or AnyOf, optional
        What a promotion takes beside the guardrails that it does not name; it shares alpha in Holm's place.
    own_harms : bool
        Whether harms have an alpha of their own, in fixed shares.
    hold_tainted : bool
        Whether a failed check of the data keeps a harm from rolling back.
    min_units : int
        Of each variant, before anything is promoted.
    at_deadline : {"hold", "rollback", "noninferior"}
        What happens without a verdict when there is no look left.
    """

    success: tuple[int, ...]
    guardrail: tuple[int, ...]
    deterioration: tuple[int, ...]
    quality: tuple[int, ...]
    holm: bool
    treatments: tuple[str, ...]
    gains: tuple[tuple[float, ...], ...] = ()
    harms: tuple[tuple[float, ...], ...] = ()
    names: tuple[str, ...] = ()
    tree: AllOf | AnyOf | None = None
    own_harms: bool = False
    hold_tainted: bool = False
    min_units: int = 0
    at_deadline: AtDeadline = "hold"

    @classmethod
    def of(cls, plan: Experiment, treatments: tuple[str, ...]) -> Self:
        """The rule of a plan with these treatments."""
        roles = [metric.role for metric in plan.metrics.values()]
        found: dict[str, Any] = {
            name: tuple(i for i, role in enumerate(roles) if role == name)
            for name in ("success", "guardrail", "deterioration", "quality")
        }
        return cls(
            **found,
            holm=plan.adjust == "holm",
            treatments=treatments,
            gains=tuple(_gain_levels(plan, len(treatments))),
            harms=tuple(_harm_levels(plan, len(treatments))),
            names=tuple(plan.metrics),
            tree=plan.rule.promote if isinstance(plan.rule.promote, (AllOf, AnyOf)) else None,
            own_harms=plan.rule.alpha_rollback is not None,
            hold_tainted=plan.rule.tainted == "hold",
            min_units=_min_units(plan),
            at_deadline="hold" if plan.timing.deadline is None else plan.timing.at_deadline,
        )

    @property
    def shares(self) -> int:
        """Into how many equal parts alpha is divided at most."""
        return max(len(self.success) * len(self.treatments), 1) if self.holm else 1

    def verdicts(
        self,
        against_zero: Float64Array,
        against_null: Float64Array,
        up: Float64Array,
        down: Float64Array,
        broken: _Bools,
        smallest: npt.ArrayLike = math.inf,
        *,
        expired: bool = False,
    ) -> Verdicts:
        """The rule at one look.

        Parameters
        ----------
        against_zero, against_null : float array, shape (runs, metrics, treatments)
            Deviates from no difference, and from each metric's own null; nan where there are no data.
        up, down : float array, shape (shares, metrics, treatments)
            Critical deviates, at least 0, of each metric's levels (`gains`, `harms`): upwards from a metric's own
            null; downwards from zero for success metrics, else from that null. Of quality metrics both from zero.
        broken : bool array, shape (runs,)
            A check that needs no metric failed, or is unknown.
        smallest : int array, shape (runs,), optional
            The units of the smallest variant.
        expired : bool
            Whether this look is held at the deadline.
        """
        success, others = list(self.success), [*self.guardrail, *self.deterioration]
        missing = np.isnan(against_null[:, success + others]).any(axis=1)
        harmed = np.any(self._shown(-against_zero[:, success], down[:, success], holm=not self.own_harms), axis=1)
        harmed |= np.any(-against_null[:, others] > down[0, others], axis=1)
        superior = self._shown(against_null[:, success], up[:, success], holm=self.tree is None)
        within = against_null > up[0]
        within[:, success] = superior
        blocked = broken | self._differ(against_zero, up, down)
        open_ = ~missing & ~harmed & (~blocked & (np.asarray(smallest) >= self.min_units))[:, None]
        promoted = open_ & self._suffices(within)
        if expired and self.at_deadline == "noninferior":
            promoted |= open_ & self._all_within(within, self.guardrail)
        rolled_back = harmed & ~blocked[:, None] if self.hold_tainted else harmed
        if expired and self.at_deadline == "rollback":
            rolled_back = ~promoted
        return Verdicts(_overall(promoted, rolled_back), self._best(promoted, superior, against_null), blocked)

    def _suffices(self, shown: _Bools) -> _Bools:
        """Whether what is shown is all that a promotion takes, shape (runs, treatments)."""
        if self.tree is None:
            if not self.success:
                return self._all_within(shown, self.guardrail)
            gained = shown[:, list(self.success)].any(axis=1)
            return np.asarray(gained & shown[:, list(self.guardrail)].all(axis=1))
        named = self.tree.metrics()
        unnamed = [i for i in self.guardrail if self.names[i] not in named]
        holds = self.tree.holds({name: shown[:, self.names.index(name)] for name in named})
        return np.asarray(holds & shown[:, unnamed].all(axis=1))

    def _all_within(self, shown: _Bools, guardrails: tuple[int, ...]) -> _Bools:
        """Whether there are guardrails, and all of them are shown."""
        return np.asarray(shown[:, list(guardrails)].all(axis=1) & bool(guardrails))

    def _shown(self, deviates: Float64Array, critical: Float64Array, *, holm: bool = True) -> _Bools:
        """Which hypotheses are rejected; of a family, by Holm's procedure.

        It rejects r hypotheses where r is the first number of them below alpha / (m - r); these are they.
        """
        if not (self.holm and holm) or not deviates.shape[1]:
            return np.asarray(deviates > critical[0])
        family = deviates.reshape(len(deviates), -1)
        m = family.shape[1]
        rejected = family > critical[m - 1].ravel()
        going = rejected.any(axis=1)
        for r in range(1, m):
            if not going.any():
                break
            rejected[going] = family[going] > critical[m - r - 1].ravel()
            going &= rejected.sum(axis=1) > r
        return np.asarray(rejected.reshape(deviates.shape))

    def _differ(self, against_zero: Float64Array, up: Float64Array, down: Float64Array) -> _Bools:
        """Whether a quality metric is shown to differ, or has no data."""
        quality = list(self.quality)
        z = against_zero[:, quality]
        alike = (z <= up[0, quality]) & (-z <= down[0, quality])
        return np.asarray(~alike.all(axis=(1, 2)))

    def _best(self, promoted: _Bools, superior: _Bools, against_null: Float64Array) -> npt.NDArray[np.intp]:
        """The promoted treatment with the largest deviate of a success metric; of equal ones the last by name."""
        strength = np.where(superior, against_null[:, list(self.success)], 0.0).max(axis=1, initial=0.0)
        by_name = sorted(range(len(self.treatments)), key=self.treatments.__getitem__, reverse=True)
        first = np.where(promoted, strength, -1.0)[:, by_name].argmax(axis=1)
        return np.where(promoted.any(axis=1), np.array(by_name)[first], -1)


def _overall(promoted: _Bools, harmed: _Bools) -> _Codes:
    """Promote where a treatment may be; roll back where all must be; else continue."""
    return np.where(promoted.any(axis=1), PROMOTE, np.where(harmed.all(axis=1), ROLLBACK, CONTINUE)).astype(np.int8)


def _gain_levels(plan: Experiment, treatments: int) -> Iterator[tuple[float, ...]]:
    """Of each metric, for a change for the better: as the tree says, else all that Holm's procedure may come to."""
    total, holm, tree = plan.monitor.total, plan.adjust == "holm", plan.rule.promote
    shares = shares_of(tree) if isinstance(tree, (AllOf, AnyOf)) else None
    if shares is not None and isinstance(plan.monitor, Bayesian):
        shares = {}  # a posterior is not shared out
    for name, metric in plan.metrics.items():
        success = metric.role == "success"
        if metric.role == "quality":
            yield (plan.quality.alpha,)
        elif shares is not None:
            yield (total * shares.get(name, 1.0) / (treatments if holm and success else 1),)
        else:
            yield _family(plan, treatments) if success else (total,)


def _harm_levels(plan: Experiment, treatments: int) -> Iterator[tuple[float, ...]]:
    """Of each metric, for a change for the worse: equal shares of the rule's own alpha, else as for gains."""
    own, tests = plan.rule.alpha_rollback, treatments * sum(m.role != "quality" for m in plan.metrics.values())
    for metric in plan.metrics.values():
        if metric.role == "quality":
            yield (plan.quality.alpha,)
        elif own is not None:
            yield (2 * own / tests,)
        else:
            yield _family(plan, treatments) if metric.role == "success" else (plan.monitor.total,)


def _family(plan: Experiment, treatments: int) -> tuple[float, ...]:
    """Alpha / 1, ..., alpha / m for m success metrics of all treatments."""
    m = treatments * sum(metric.role == "success" for metric in plan.metrics.values())
    return tuple(plan.monitor.total / (j + 1) for j in range(m if plan.adjust == "holm" else 1))


def _min_units(plan: Experiment) -> int:
    """Of the whole release, and of its only stage."""
    stages = plan.strategy.stages if isinstance(plan.strategy, Ramped) else ()
    return max(plan.timing.min_units, *(stage.min_units for stage in stages), 0)
