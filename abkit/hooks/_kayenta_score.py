"""Kayenta's scores: three verdicts as one number, on the right side of every consumer's comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abkit import _check
from abkit.errors import PlanError

if TYPE_CHECKING:
    from abkit.types import Verdict

PASS, MARGINAL, FAIL = "Pass", "Marginal", "Fail"
LABELS = {"promote": PASS, "continue": MARGINAL, "rollback": FAIL}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores from which a canary passes, and from which it is marginal."""

    passing: float = 95.0
    marginal: float = 75.0

    @property
    def middle(self) -> float:
        """A score strictly between the two; zero where there is none, since what cannot go on must not pass.

        A whole number where one lies between, since Argo Rollouts cuts scores off to whole numbers.
        """
        if not self.marginal < self.passing:
            return 0.0
        middle = (self.marginal + self.passing) / 2
        return float(int(middle)) if self.marginal < int(middle) < self.passing else middle

    def score(self, verdict: Verdict) -> float:
        """The score that says a verdict."""
        return {"promote": 100.0, "continue": self.middle, "rollback": 0.0}[verdict]

    def to_dict(self, verdict: Verdict, reason: str) -> dict[str, Any]:
        """The score with its label, as Kayenta has it: without a middle, to continue is to fail."""
        score = self.score(verdict)
        label = FAIL if score == 0 else LABELS[verdict]
        return {"score": score, "classification": label, "classificationReason": reason}


def thresholds_of(given: object) -> Thresholds:
    """Thresholds from a request; none at all are refused, since some consumers then take every score for a pass."""
    if isinstance(given, Thresholds):
        return given
    if not isinstance(given, Mapping):
        raise PlanError(f"`thresholds` must be a mapping with pass and marginal; got {_check.show(given)}.")
    passing, marginal = (_threshold(name, given.get(name)) for name in ("pass", "marginal"))
    if not 0 < marginal <= passing <= 100:
        raise PlanError(
            "`thresholds` must have 0 < marginal <= pass <= 100, since a rollback scores 0 and must fall below; "
            f"got marginal {marginal:g} and pass {passing:g}."
        )
    return Thresholds(passing, marginal)


def _threshold(name: str, value: object) -> float:
    try:
        return _check.number(f"thresholds.{name}", value)
    except (TypeError, ValueError) as error:
        raise PlanError(str(error)) from None
