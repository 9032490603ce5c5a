"""What every question about power has: a hypothesis, its error rate, an allocation, and perhaps a monitor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from inspect import signature
from typing import Any, Literal, TypedDict, get_args

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.sequential import KINDS, AnytimeValid, Bayesian, FixedHorizon, GroupSequential, Monitor
from abkit.types import ALTERNATIVES, Alternative, Relative

Hypothesis = Literal["superiority", "non-inferiority", "equivalence"]
HYPOTHESES: tuple[Hypothesis, ...] = get_args(Hypothesis)


def numbers(
    name: str, value: object, low: float | None = None, high: float | None = None, *, open_low: bool = True
) -> Float64Array:
    """A number or an array of them, each above `low` (or at it, where not `open_low`) and below `high`."""
    try:
        given = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"`{name}` must be a number or an array of numbers; got {_check.show(value)}.") from None
    if np.asarray(value).dtype.kind not in "iuf":
        raise TypeError(f"`{name}` must be a number or an array of numbers; got {_check.show(value)}.")
    fine = np.isfinite(given)
    rule = "be finite"
    if low is not None:
        fine &= given > low if open_low else given >= low
        rule = f"be {'above' if open_low else 'at least'} {low:g}"
    if high is not None:
        fine &= given < high
        rule = f"be below {high:g}" if low is None else f"{rule} and below {high:g}"
    if not fine.all():
        raise ValueError(f"`{name}` must {rule}; got {given[~fine].flat[0]:g}.")
    return given


@dataclass(frozen=True, eq=False, slots=True)
class Question:
    """The hypothesis of a test and what it may err; the common keywords of all functions, checked.

    The effect is to be shown above the null ("greater"), below it ("less"), on either side of it ("two-sided"), or
    between two of them (equivalence).
    """

    alpha: Float64Array
    alternative: Alternative
    hypothesis: Hypothesis
    margin: Float64Array
    relative: bool
    ratio: Float64Array | None
    monitor: Monitor | None
    looks: int
    horizon: bool = False  # one look by a monitor: a fixed test, whose sizes are stated as those of a monitor

    @property
    def tail(self) -> Float64Array:
        """Alpha of each of the one-sided tests."""
        return self.alpha / 2 if self.alternative == "two-sided" and not self.between else self.alpha

    @property
    def between(self) -> bool:
        """Whether equivalence is asked."""
        return self.hypothesis == "equivalence"

    @property
    def way(self) -> float:
        """1 where larger effects have more power, -1 where smaller ones have."""
        return -1.0 if self.alternative == "less" else 1.0

    @property
    def null(self) -> Float64Array:
        """The effect on the edge, in the direction of the test."""
        size = -self.margin if self.hypothesis == "non-inferiority" else self.margin
        return size * self.way

    def describe(self) -> Iterator[str]:
        """The hypothesis in words."""
        share = " of the baseline" if self.relative else ""
        sided = {"two-sided": "two-sided", "greater": "one-sided, upwards", "less": "one-sided, downwards"}
        if self.between:
            yield f"equivalence: two one-sided tests, each at alpha, against margins of -+ {shown(self.margin)}{share}"
        else:
            margin = f", against a null of {shown(self.null)}{share}" if np.any(self.margin) else ""
            yield f"{self.hypothesis}, {sided[self.alternative]}{margin}"
        if self.monitor is not None:
            yield from described(self.monitor, self.looks)
        if self.horizon:
            yield "one look, at the end"


class Common(TypedDict, total=False):
    """What every question about power may be given.

    Parameters
    ----------
    relative : bool
        Whether `mde` and `margin` are shares of the size of the baseline.
    alpha : float or array
        Of the test, of both sides together where it has two; between 0 and 1. By default 0.05, or the monitor's.
    alternative : {"two-sided", "greater", "less"}
        By default two-sided; for non-inferiority "greater".
    hypothesis : {"superiority", "non-inferiority", "equivalence"}
        By default superiority. Equivalence is two one-sided tests, each at alpha.
    margin : float, array, or Relative
        A size: what a superior treatment must exceed (by default 0), or what a non-inferior or equivalent one may lose.
    ratio : float, array, or "best"
        Units of the treatment for one of the control, by default 1; "best" needs the fewest units of both.
    monitor : Monitor
        How the data are looked at. The sizes are then those at the last look, and the expected ones are given.
    looks : int
        Equally spaced looks, for a monitor of looks at any time; by default 20.
    """

    relative: bool
    alpha: object
    alternative: Alternative | None
    hypothesis: Hypothesis
    margin: object
    ratio: object
    monitor: Monitor | None
    looks: int | None


def question(mde: Any, given: Common, of: Callable[..., Any]) -> tuple[Question, Any]:
    """The common keywords of this function, checked together; and the effect as numbers."""
    for name in given:
        if name not in Common.__annotations__:
            known = (*(other for other in signature(of).parameters if other != "common"), *Common.__annotations__)
            raise TypeError(f"`{name}` is no argument; it may be {', '.join(known)}.{_check.suggest(name, known)}")
    hypothesis = _check.choice("hypothesis", given.get("hypothesis", "superiority"), HYPOTHESES)
    alternative = given.get("alternative") or ("greater" if hypothesis == "non-inferiority" else "two-sided")
    alternative = _check.choice("alternative", alternative, ALTERNATIVES)
    margin, ratio, alpha = given.get("margin", 0.0), given.get("ratio", 1.0), given.get("alpha")
    relative = given.get("relative", False) or any(isinstance(size, Relative) for size in (mde, margin))
    if relative not in (True, False):
        raise TypeError(f"`relative` must be True or False; got {_check.show(relative)}.")
    size = numbers("margin", margin.value if isinstance(margin, Relative) else margin, 0, open_low=False)
    _agree(hypothesis, alternative, size)
    monitor = _monitor(given.get("monitor"), alpha, hypothesis)
    looks = _looks(monitor, given.get("looks"))
    horizon = isinstance(monitor, FixedHorizon)
    level = numbers("alpha", 0.05 if alpha is None else alpha, 0, 1)
    if monitor is not None:
        level = np.asarray(monitor.total if alternative == "two-sided" else monitor.total / 2)
    asked = Question(
        level,
        alternative,
        hypothesis,
        size,
        relative,
        None if isinstance(ratio, str) and _check.choice("ratio", ratio, ("best",)) else numbers("ratio", ratio, 0),
        None if horizon else monitor,
        looks,
        horizon,
    )
    return asked, mde.value if isinstance(mde, Relative) else mde


def _agree(hypothesis: Hypothesis, alternative: Alternative, margin: Float64Array) -> None:
    if hypothesis == "superiority" and alternative == "two-sided" and np.any(margin):
        raise ValueError(
            "`alternative` must be 'greater' or 'less' for superiority by a margin: say which way; got 'two-sided'."
        )
    if hypothesis == "non-inferiority" and alternative == "two-sided":
        raise ValueError("`alternative` must be 'greater' (more is better) or 'less' for non-inferiority.")
    if hypothesis == "equivalence" and alternative != "two-sided":
        raise ValueError(f"`alternative` must be left out for equivalence, which has both sides; got {alternative!r}.")
    if hypothesis != "superiority" and not np.all(margin > 0):
        raise ValueError(f"`margin` must be above 0 for {hypothesis}; got {margin.min():g}.")


def described(monitor: Monitor, looks: int) -> Iterator[str]:
    """How a monitor looks, in words."""
    if isinstance(monitor, GroupSequential):
        yield f"looks at the planned shares of the units, under {_named(monitor)}"
        if monitor.futility is not None:
            yield "below a futility bound it is given up, although the bound does not demand it"
    elif isinstance(monitor, Bayesian):
        yield f"{looks} look{'s' * (looks > 1)} at equal distances of units, under {_named(monitor)}: one is enough"
    else:
        yield (
            f"{looks} looks at equal distances of units, under {_named(monitor)}: what is not compared exactly, as two "
            "proportions are, starts at 100 units of the smaller variant; rare events and skewness may delay it"
        )


def _named(monitor: Monitor) -> str:
    """The monitor as it is written, without what is its default."""
    chosen = ((field.name, getattr(monitor, field.name), field.default) for field in fields(monitor))
    return f"{type(monitor).__name__}({', '.join(f'{name}={value!r}' for name, value, own in chosen if value != own)})"


def _monitor(monitor: object, alpha: object, hypothesis: Hypothesis) -> Monitor | None:
    if monitor is None:
        return None
    if not isinstance(monitor, tuple(KINDS.values())):
        raise TypeError(f"`monitor` must be a monitor such as GroupSequential(...); got {_check.show(monitor)}.")
    if alpha is not None:
        raise ValueError(f"`alpha` must be left out with a monitor, which has its own; got {_check.show(alpha)}.")
    if hypothesis == "equivalence":
        raise ValueError(
            "`monitor` must be left out for equivalence, which no monitor shows: plan it for one look, with `alpha`."
        )
    if isinstance(monitor, Bayesian):
        monitor.require_deviates("power")
    return monitor  # type: ignore[return-value]


def _looks(monitor: Monitor | None, looks: int | None) -> int:
    """How many looks the monitor has."""
    own = len(monitor.planned) if isinstance(monitor, GroupSequential) else 1
    if looks is None:
        return 20 if isinstance(monitor, AnytimeValid) else own
    count = _check.count("looks", looks, 1)
    if isinstance(monitor, (AnytimeValid, Bayesian)) or count == own:
        return count
    if isinstance(monitor, GroupSequential):
        raise ValueError(f"`looks` must be left out with a monitor that has a schedule, here of {own}; got {count}.")
    raise ValueError(
        f"`looks` must be 1 for a fixed horizon: several looks at it err more often than alpha says; got {count}. "
        "Name a monitor: GroupSequential(looks=...) for a schedule, AnytimeValid() for looks at any time."
    )


def shown(values: Float64Array) -> str:
    """A number, or from which to which, in words."""
    return f"{values.flat[0]:g}" if np.ptp(values) == 0 else f"{values.min():g} to {values.max():g}"
