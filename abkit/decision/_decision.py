"""The verdict, with every reason and number behind it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

from abkit.decision._state import State
from abkit.types import Guarantee, Shown, Verdict

SCHEMA = "abkit.decision/1"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a rule fired, or what stood in its way.

    `code` is for machines and does not change between versions of the schema; `message` is for people. `low` and
    `high` are the bounds that the rule read, at `level`; None is an infinite or undefined bound. `margin` is what
    they were compared with, signed, or zero; `relative` says whether all of these are shares of the control.

    Under a `Bayesian` monitor there is no p-value, but the posterior `probability` of being better than `margin`, and
    the expected `loss` of a promotion against it, in the metric's unit.
    """

    code: str
    message: str
    variant: str | None = None
    metric: str | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    relative: bool = False
    level: float | None = None
    pvalue: float | None = None
    method: str | None = None
    probability: float | None = None
    loss: float | None = None


@dataclass(frozen=True, slots=True)
class MetricStatus:
    """One metric of one treatment, and what is shown of it.

    `validity` says when its error rate holds: one look, needs planned looks, exact, asymptotic, or burn-in; or which
    posterior it is. `probability` and `loss` are those of a `Bayesian` monitor, against what the status was judged by.
    """

    metric: str
    variant: str
    role: str
    status: Shown
    n_control: int
    n_treatment: int
    estimate: float | None
    low: float | None
    high: float | None
    level: float
    pvalue: float | None
    validity: str | None
    probability: float | None = None
    loss: float | None = None


@dataclass(frozen=True, slots=True)
class CheckStatus:
    """A check of the data: pass, fail or unknown."""

    id: str
    status: str
    message: str
    value: float | None


@dataclass(frozen=True, slots=True)
class Risk:
    """Bounds of this rule's errors: how often what is harmless is rolled back, what is useless or harmful promoted.

    Useless is what improves no success metric, harmful what is beyond a guardrail's margin. Where the guarantee is
    "bayesian" these are no error rates, but bounds of the probability, given the data and under the prior, that the
    verdict is such an error: right on average over effects from the prior, and not for each effect.
    """

    false_promote_max: float
    false_rollback_max: float
    guarantee: Guarantee


@dataclass(frozen=True, slots=True)
class StageStatus:
    """The stage that the release is in, from 1; the treatment's percent of the traffic there, and after this verdict.

    None is unknown: the plan names no allocation.
    """

    index: int
    count: int
    weight: float | None
    next_weight: float | None


@dataclass(frozen=True, slots=True)
class SegmentVerdict:
    """What the release should do within one segment, and why."""

    verdict: Verdict
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Decision:
    """Promote, continue or roll back, with the numbers behind it.

    `verdict` is "promote", "continue" or "rollback". `blocked` says that a person must look: the data are broken, or
    the deadline has passed, so nothing is promoted. `final` says that no further look is needed. `stage` is where the
    ramp is and goes; `state` is what the next look must be given. `look` is which look this is. `variant` is the
    treatment that is promoted, `variants` the verdict on each. `notes` say what was left out of the log or changed in
    it, each with its count. `segments` are verdicts within segments such as "country=DE", by treatment, where the
    strategy can switch them one by one. `losses` are what each verdict is expected to cost, where the plan's rule has
    costs; they change no verdict. Numbers hold nine significant digits, so that the order in which an engine
    adds cannot change a byte of `to_json`.
    """

    verdict: Verdict
    blocked: bool
    final: bool
    look: int
    stage: StageStatus
    variant: str | None
    variants: dict[str, Verdict]
    reasons: tuple[Reason, ...]
    checks: tuple[CheckStatus, ...]
    notes: tuple[str, ...]
    metrics: tuple[MetricStatus, ...]
    risk: Risk
    adjust: str
    strategy: str
    cannot_conclude: str
    next_look_not_before: str | None
    deadline: str | None
    state: State
    plan_sha256: str
    evidence_sha256: str
    decision_id: str
    abkit_version: str
    segments: dict[str, dict[str, SegmentVerdict]] = field(default_factory=dict)
    losses: dict[str, float | None] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with the name of their schema first."""
        values = asdict(self)
        for name in ("reasons", "checks", "notes", "metrics"):
            values[name] = list(values[name])
        values["state"] = self.state.to_dict()
        for found in (found for variants in values["segments"].values() for found in variants.values()):
            found["reasons"] = list(found["reasons"])
        return {"schema": SCHEMA, **values}

    def to_json(self, indent: int | None = None) -> str:
        """Strict JSON (no NaN, no infinity); the same bytes for the same plan and evidence."""
        return json.dumps(self.to_dict(), allow_nan=False, indent=indent, ensure_ascii=False)

    def __str__(self) -> str:
        """The sentence first, then the evidence."""
        lines = [_sentence(self), ""]
        lines += [f"  {reason.code}: {reason.message}" for reason in self.reasons]
        lines += _of_segments(self)
        lines += ["", "checks", *(f"  {check.status:<7} {check.id}: {check.message}" for check in self.checks)]
        if self.notes:
            lines += ["", "what was left out or changed", *(f"  {note}" for note in self.notes)]
        lines += ["", f"{_RISK.get(self.risk.guarantee, 'errors at most')}: false promote "]
        lines[-1] += f"{self.risk.false_promote_max:.3g}, false rollback {self.risk.false_rollback_max:.3g} "
        lines[-1] += f"({self.risk.guarantee}; success metrics: {self.adjust})"
        if self.losses:
            listed = ", ".join(
                f"{what} {'unknown' if cost is None else f'{cost:,.4g}'}" for what, cost in self.losses.items()
            )
            lines.append(f"expected to cost: {listed}")
        lines.append(f"not concluded from a log of this strategy ({self.strategy}): {self.cannot_conclude}")
        return "\n".join([*lines, f"decision {self.decision_id[:12]} of plan {self.plan_sha256[:12]}"])


_RISK: dict[Guarantee, str] = {
    "bayesian": "probability at most, given the data and the prior (no error rate of repeated looks)",
}


def plain(item: Any) -> dict[str, Any]:
    """The fields of a dataclass that holds no others."""
    return {name: getattr(item, name) for name in item.__dataclass_fields__}


def rounded(value: float, scale: float = 0.0) -> float | None:
    """Nine significant digits of the larger of a number and its scale; None where it is not finite.

    The scale of an estimate is its standard error: digits far below that are the engine's rounding.
    """
    if not math.isfinite(value):
        return None
    size = max(abs(value), abs(scale) if math.isfinite(scale) else 0.0)
    if size == 0:
        return 0.0
    digits = 8 - math.floor(math.log10(size))
    return (round(value, digits) if digits < 300 else value) + 0.0


def _sentence(decision: Decision) -> str:
    what = {
        "promote": f"PROMOTE {decision.variant}",
        "continue": "CONTINUE",
        "rollback": "ROLL BACK",
    }[decision.verdict]
    stage = decision.stage
    if stage.count > 1:
        what += f" at stage {stage.index} of {stage.count}: {stage.weight:.4g}% to {stage.next_weight:.4g}%"
    return what + (" (BLOCKED: a person must look)" if decision.blocked else "")


def _of_segments(decision: Decision) -> list[str]:
    """The verdict within each segment."""
    if not decision.segments:
        return []
    lines = ["", "segments"]
    for segment, variants in decision.segments.items():
        for variant, found in variants.items():
            why = ", ".join(dict.fromkeys(f"{r.code} {r.metric or ''}".rstrip() for r in found.reasons))
            lines.append(f"  {segment}: {found.verdict} {variant}{f' ({why})' * bool(why)}")
    return lines
