"""The page of the sequential calibration: its lines, and these as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from abkit.sequential import _guard
from tests.calibration.sequential_designs import ALPHA
from tests.calibration.sequential_power import POWER_RUNS, Cost

#: Standard errors of the simulation above alpha that are chance, in a table of some hundred lines.
CHANCE = 3.0
#: Names among a line's shares of what is no claim of the method: what it does without its burn-in.
UNGUARDED = "unguarded"
DOMAIN = {
    "normal-mixture, known variance": "",
    "msprt_test, known variance": "",
    "empirical-bernstein": "rows in order of arrival, `assigned` and `share`",
    "betting": "rows in order of arrival, `assigned` and `share`",
    "beta-binomial, two variants": "also `AnytimeValid` of a `Proportion`; a bound, at the true pair",
    "conditional": "event counts, given their sum",
    "quantile, q=0.5": "two variants: a bound, either one's own sequence at half of alpha",
    "quantile, q=0.99": "two variants: a bound, either one's own sequence at half of alpha",
    "cdf-band": "after each of 1,000 units only, since every look takes the whole distribution",
    "srm_sequence": "",
    "beta-binomial": "",
    "gamma-poisson": "",
}


@dataclass(frozen=True)
class Row:
    """A line of the page: the share of streams with a false alarm."""

    method: str
    data: str
    split: str
    n: int
    runs: int
    alarms: dict[str, float]
    burn_in: float | None = None

    @property
    def bound(self) -> float:
        """What chance may make of alpha."""
        return ALPHA + CHANCE * math.sqrt(ALPHA * (1 - ALPHA) / self.runs)

    @property
    def worst(self) -> float:
        """The largest share that the method answers for."""
        return max(share for name, share in self.alarms.items() if name != UNGUARDED)


def page(rows: Iterable[Row], costs: Iterable[Cost]) -> str:
    """All tables with what they show."""
    rows = list(rows)
    guard = [row for row in rows if row.method == "asymptotic"]
    planned = [row for row in rows if row.split == "planned looks"]
    exact = [row for row in rows if row not in guard and row not in planned]
    parts = [HEAD, guard_table(guard), EXACT, exact_table(exact), PLANNED, planned_table(planned), COSTS]
    return "\n".join([*parts, cost_table(costs), ""])


def guard_table(rows: list[Row]) -> str:
    lines = [
        "| data | allocation | runs | no burn-in | two-sided | greater | less | burn-in over at |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        bare = shown(row.alarms[UNGUARDED])
        first = f"**{bare}**" if row.alarms[UNGUARDED] > row.bound else bare
        guarded = " | ".join(shown(row.alarms[name]) for name in ("two-sided", "greater", "less"))
        ends = f"{row.burn_in:,.0f}" if row.burn_in is not None and math.isfinite(row.burn_in) else f"not by {row.n:,}"
        lines.append(f"| {row.data} | {row.split} | {row.runs:,} | {first} | {guarded} | {ends} |")
    return "\n".join(lines)


def exact_table(rows: list[Row]) -> str:
    lines = ["| method | data | allocation | runs | false alarms | bound |", "|---|---|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: list(DOMAIN).index(row.method)):
        of = f"| {row.method} | {row.data} | {row.split} | {row.runs:,}"
        lines += [f"{of} | {shown(row.worst)} | {shown(row.bound)} |"]
    notes = [f"- {name}: {note}." for name, note in DOMAIN.items() if note]
    return "\n".join([*lines, "", *notes])


def planned_table(rows: list[Row]) -> str:
    lines = ["| boundary | looks | runs | false alarms | bound |", "|---|---|---|---|---|"]
    for row in rows:
        lines += [f"| {row.method} | {row.n} | {row.runs:,} | {shown(row.worst)} | {shown(row.bound)} |"]
    return "\n".join(lines)


def cost_table(costs: Iterable[Cost]) -> str:
    lines = ["| method | looks | data | largest sample | expected sample |", "|---|---|---|---|---|"]
    lines.extend(f"| {c.method} | {c.looks} | {c.data} | {c.largest:.2f} | {c.expected:.2f} |" for c in costs)
    return "\n".join(lines)


def shown(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:.1f}%"


HEAD = f"""# Calibration of sequential methods

How often a method ever raises a false alarm when it is looked at after **every unit** of 20,000, at alpha 5%: streams
without an effect, and the share of them in which the true value is excluded at some look. Made by `make calibrate` with
fixed seeds (`tests/calibration/test_sequential.py`), which also holds every share to the bound: alpha and
{CHANCE:g} standard errors of the simulation. The simulations use the methods' own kernels on many streams at once;
`tests/calibration/test_sequential_kernels.py` holds these against the public functions.

## Asymptotic sequences and their burn-in

The normal mixture with an estimated standard error is right "from a late enough start on". Two variants, Welch's
variance, narrowest at 5,000 units. **Bold**: without a burn-in there are more false alarms than
alpha; an event that a small variant has not seen yet has no variance there. With the burn-in, false alarms are counted
from its end, for two sides at 5% and for either direction of one side at 5%. "Over at": the median over 200 streams of
the units of both variants.

The burn-in is over when all of these hold (`abkit/sequential/_guard.py`):

- the smaller variant has at least {_guard.FEWEST_UNITS} units;
- of these, at least {_guard.FEWEST_EVENTS} have an event: another outcome than the commonest;
- the estimate's skewness is at most {_guard.LARGEST_SKEWNESS}, the larger in size of two: as measured in each variant,
  and with the larger variant's shape lent to the smaller. A small sample hides its own tail: by the first alone more
  than a quarter of the streams of a lognormal with sigma 2 at 5:95 still raised a false alarm, by both none did.

No limit is spare. At a skewness of 0.3 the one-sided sequence of 98% zeros at 5:95 reached 5.3% (100,000 units, 1,000
streams), and without the limit on events Poisson counts of mean 0.05 at 5:95 did. At a smaller alpha skewness weighs
more: at 0.05%, Bernoulli 10% at 5:95 had 0.06% two-sided and up to 0.10% one-sided (20,000 streams).

What no rule can see is a tail that neither variant has shown, or one of the smaller variant alone. For counts use the
exact methods below; cap what may be large.
"""
EXACT = """
## Methods that are exact

At any sample size, from the first unit on, in their domain.
"""
PLANNED = """
## Planned looks

Two-sided boundaries at equally distant looks. Group-sequential boundaries spend all of alpha; `AnytimeValid`, looked at
as seldom as that, spends the little that `monitor.design` computes.
"""
COSTS = f"""
## What looking costs

The sample that gives 80% power at two-sided 5%, and the expected one when there is that effect and one stops at the
first significant look or at that sample, both in units of the sample of the fixed test. Plans are exact, by the
recursion; sequences that are looked at after every unit are simulated with {POWER_RUNS:,} streams at 50:50, narrowest
at the fixed test's 4,000 units. The best design with a schedule needs 2% to 5% more units than the fixed test at worst
and saves a fifth on average; looking at any time needs 60% to 100% more at worst, and on average from as many as the
fixed test to a sixth more. Methods for bounded values pay for knowing nothing but the bound.
"""
