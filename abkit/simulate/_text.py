"""Operating characteristics for people: a sentence, a table, and what to know about it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from abkit import _check
from abkit.simulate._rates import Average, Rate

if TYPE_CHECKING:
    from abkit.simulate._characteristics import Characteristics, OperatingCharacteristics

WIDTH = 120
LONGEST = 24
HEADER = ("", "promote %", "continue %", "roll back %", "blocked %", "looks", "50%", "90%", "units", "treated", "")
HOW = {"joint distribution": "", "sums of logs": "s", "counts of events": "c"}
WAYS = {
    "joint distribution": "no letter: z-statistics from their joint distribution",
    "sums of logs": "s: sums of simulated logs, batch by batch, of normal values",
    "counts of events": "c: counts of rare events, by the plan's own test",
}
WRONG, MORE = "x", "!"
MISTAKES = {
    "promote": "of releases that it should not, the plan promotes",
    "rollback": "of harmless releases, the plan rolls back",
}


def text(found: OperatingCharacteristics) -> str:
    """The sentence first, then what is worse than stated, the table and the notes."""
    wrapped = [line for part in (*summary(found), *warnings(found)) for line in _wrap(part)]
    notes = [line for note in (*legend(found), *found.notes) for line in _wrap(note, "  ")]
    return "\n".join([*wrapped, "", *_table(found), "", *notes])


def summary(found: OperatingCharacteristics) -> Iterator[str]:
    """The plan's rates in the scenarios that everybody asks about, beside what it states of them."""
    looks, risk = len(found.units), found.risk
    runs = max(row.runs for row in found.rows)
    rows = {row.scenario.name: row for row in found.rows}
    parts = []
    if "no effect" in rows:
        row = rows["no effect"]
        stated = f" (stated: at most {_stated(risk.false_promote_max)})" if row.wrong_promote is not None else ""
        parts.append(
            f"a release without any effect is rolled back in {percent(row.rollback)} (stated: at most "
            f"{_stated(risk.false_rollback_max)}) and promoted in {percent(row.promote)}{stated}"
        )
    if "all just harmless" in rows:
        row = rows["all just harmless"]
        parts.append(f"one whose guardrails all lie at their margins is rolled back in {percent(row.rollback)}")
    if "success +1" in rows:
        row = rows["success +1"]
        ends = f", and experiments on it end after {row.share:.0%} of the units on average" if looks > 1 else ""
        parts.append(f"one with the planned gain is promoted in {percent(row.promote)}{ends}")
    where = f"{looks} looks at up to" if looks > 1 else "1 look at"
    start = f"{runs:,} runs of {where} {found.units[-1]:,} units"
    yield f"{start}: {'; '.join(parts)}." if parts else f"{start}."


def warnings(found: OperatingCharacteristics) -> Iterator[str]:
    """One sentence for each kind of wrong decision that is more frequent than the plan states, and where."""
    for decision, mistake in MISTAKES.items():
        more = [(name, rate, limit) for name, what, rate, limit in found.excesses if what == decision]
        if more:
            where = ", ".join(f"{percent(rate)} in {name!r}" for name, rate, _ in more)
            yield f"{MORE} MORE THAN STATED: {mistake} {where} (stated: at most {_stated(more[0][2])})."
    if not found.excesses:
        yield "No wrong decision is surely more frequent than the plan states in any scenario."


def legend(found: OperatingCharacteristics) -> Iterator[str]:
    """What the columns and marks mean."""
    unless = "no success metric is better or a guardrail is at or beyond its margin"
    if found.plan.rule.promote is not None:
        unless = "what the rule's tree asks for is not so, or a guardrail beside it is at or beyond its margin"
    yield (
        f"{WRONG} a wrong decision: promoted although {unless}; rolled back although nothing is worse (of a "
        "guardrail, by more than its margin)."
    )
    yield (
        f"{MORE} more often than the plan states, by more than the simulation's error. ± is one Monte-Carlo standard "
        "error; < and > are exact one-sided 95% bounds where none or all of the runs did."
    )
    yield (
        "looks: mean number until the verdict, or until the last one without a verdict; 50%, 90%: the look by which as "
        "many of all runs had a verdict, - where fewer ever have. units, treated: mean exposed."
    )
    used = [how for how in WAYS if how in {row.how for row in found.rows}]
    few = {row.how: f" ({row.runs:,} runs)" for row in found.rows if row.how != "joint distribution"}
    yield "; ".join(WAYS[how] + few.get(how, "") for how in used) + "."
    for note in dict.fromkeys(row.note for row in found.rows if row.note):
        yield f"{'; '.join(row.scenario.name for row in found.rows if row.note == note)}: {note}."


def percent(rate: Rate) -> str:
    """A share in per cent, with digits that its error allows; a bound where no run or every run did."""
    return f"{_percent(rate)}%"


def _percent(rate: Rate) -> str:
    low, high = rate.interval(0.9)  # each end alone holds at 95%
    if rate.count == 0:
        return f"<{math.ceil(100 * 10 ** _digits(high) * high - 1e-9) / 10 ** _digits(high):.{_digits(high)}f}"
    if rate.count == rate.runs:
        digits = _digits(1 - low)
        return f">{math.floor(100 * 10**digits * low + 1e-9) / 10**digits:.{digits}f}"
    return f"{100 * rate:.{_digits(rate.stderr)}f}"


def _digits(error: float) -> int:
    return 1 if error >= 0.00095 else 2 if error >= 0.00005 else 3


def cells(found: OperatingCharacteristics, row: Characteristics) -> tuple[str, ...]:
    """One row of the table."""
    more = {(name, what) for name, what, _, _ in found.excesses}
    name = row.scenario.name
    quantiles = ("-" if q is None else f"{q:.0f}" for q in row.look_quantiles[1:])
    return (
        _check.narrow(name, LONGEST),
        _rate(row.promote, row.wrong_promote is not None, (name, "promote") in more),
        _rate(row.continued),
        _rate(row.rollback, row.wrong_rollback is not None, (name, "rollback") in more),
        _rate(row.blocked),
        _average(row.looks),
        *quantiles,
        _units(row.units),
        _units(row.treated),
        HOW[row.how],
    )


def _rate(rate: Rate, wrong: bool = False, more: bool = False) -> str:
    error = "" if rate.count in (0, rate.runs) else f" ±{100 * rate.stderr:.{_digits(rate.stderr)}f}"
    return f"{_percent(rate)}{error}{' ' * wrong}{(MORE if more else WRONG) * wrong}"


def _average(mean: Average) -> str:
    return f"{mean:.2f} ±{mean.stderr:.2f}" if mean.stderr else f"{mean:.0f}"


def _stated(limit: float) -> str:
    return f"{100 * limit:.4g}%"


def _units(value: float) -> str:
    return f"{value:,.0f}" if value < 999_999.5 else f"{value / 1e6:.4g}M"


def _table(found: OperatingCharacteristics) -> list[str]:
    rows = [HEADER, *(cells(found, row) for row in found.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    return [
        "  ".join(
            cell.rjust(width) if 5 <= i <= 9 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _wrap(sentence: str, indent: str = "") -> list[str]:
    return textwrap.wrap(sentence, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
