"""The decision rule on arrays: one look of many runs at once, with the verdicts that `decide` would give.

A p-value is below a level exactly where its deviate is beyond the critical value of that level, so that no p-value is
needed: only the critical values of the few levels between which Holm's procedure chooses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array
from abkit.experiment import Experiment

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
    """Which metrics have which role, and how success metrics and treatments share alpha.

    Arrays have the axes (runs, metrics, treatments). All deviates are taken so that + is better.
    """

    success: tuple[int, ...]
    guardrail: tuple[int, ...]
    deterioration: tuple[int, ...]
    quality: tuple[int, ...]
    holm: bool
    treatments: tuple[str, ...]

    @classmethod
    def of(cls, plan: Experiment, treatments: tuple[str, ...]) -> Self:
        """The rule of a plan with these treatments."""
        roles = [metric.role for metric in plan.metrics.values()]
        found: dict[str, Any] = {
            name: tuple(i for i, role in enumerate(roles) if role == name)
            for name in ("success", "guardrail", "deterioration", "quality")
        }
        return cls(**found, holm=plan.adjust == "holm", treatments=treatments)

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
    ) -> Verdicts:
        """The rule at one look.

        Parameters
        ----------
        against_zero, against_null : float array, shape (runs, metrics, treatments)
            Deviates from no difference, and from each metric's own null; nan where there are no data.
        up, down : float array, shape (shares, metrics, treatments)
            Critical deviates, at least 0, of the levels alpha / 1, ..., alpha / shares: upwards from a metric's own
            null; downwards from zero for success metrics, else from that null. Of quality metrics the first row, of
            their own level, both from zero.
        broken : bool array, shape (runs,)
            A check that needs no metric failed, or is unknown.
        """
        success, others = list(self.success), [*self.guardrail, *self.deterioration]
        missing = np.isnan(against_null[:, success + others]).any(axis=1)
        harmed = np.any(self._shown(-against_zero[:, success], down[:, success]), axis=1)
        harmed |= np.any(-against_null[:, others] > down[0, others], axis=1)
        superior = self._shown(against_null[:, success], up[:, success])
        shown = ~missing & np.all(against_null[:, list(self.guardrail)] > up[0, list(self.guardrail)], axis=1)
        shown &= superior.any(axis=1) if success else bool(self.guardrail)
        blocked = broken | self._differ(against_zero, up, down)
        promoted = shown & ~harmed & ~blocked[:, None]
        return Verdicts(_overall(promoted, harmed), self._best(promoted, superior, against_null), blocked)

    def _shown(self, deviates: Float64Array, critical: Float64Array) -> _Bools:
        """Which hypotheses are rejected; of a family, by Holm's procedure.

        It rejects r hypotheses where r is the first number of them below alpha / (m - r); these are they.
        """
        if not self.holm or not deviates.shape[1]:
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
