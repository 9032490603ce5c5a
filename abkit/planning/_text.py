"""A planning in words: the sentence first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from abkit import _check
from abkit.planning._more import More
from abkit.planning._rule import in_words
from abkit.rule import AllOf, Node

if TYPE_CHECKING:
    from abkit.planning._planning import MetricPlan, Planning

WIDTH = 100
SHOWN_WEEKS = 12
NAMED = 3
LONGEST = 30
#: Weeks below and above which no digits are told.
SHORT, LONG = 0.01, 100
#: So many times the baseline, a share is written with an exponent.
TIMES = 10_000


def planning_text(planning: Planning) -> str:
    """The sentence, what each metric is and needs, effects by week, and what was assumed."""
    lines = [*_wrapped(sentence(planning)), *_allocation(planning)]
    lines += ["", *_table(_KNOWN, [_known(row) for row in planning.metrics])]
    lines += ["", *_table(_NEEDED, [_needed(row) for row in planning.metrics])]
    lines += [
        line for row in planning.metrics if row.reason for line in _wrapped(f"`{row.metric}`: {row.reason}", "  ")
    ]
    lines += _wrapped(_legend(planning), "  ")
    if planning.more:
        lines += ["", "the report so far", *_table(_MORE, [_more(row) for row in planning.more])]
        lines += [f"  `{row.metric}` of {row.variant}: {row.reason}" for row in planning.more if row.reason]
    if planning.sizer.source.per_week:
        lines += ["", "the smallest effect (of guardrails, margin) after each week", *_weeks(planning)]
    lines += ["", "assumed"]
    return "\n".join([*lines, *(line for sentence in planning.assumptions for line in _wrapped(sentence, "  "))])


def sentence(planning: Planning) -> str:
    """What the plan needs, or what it can do in the time that it has."""
    rule = planning.rule
    if rule.reason:
        needed = f" {rule.units:,} units would do, but" if rule.units and planning.weeks_asked is None else ""
        return f"The plan cannot promote with {_percent(rule.asked)} power:{needed} {rule.reason}."
    if rule.units is None:
        return "Nobody said which effect to find, so the plan has no size yet; what it finds after each week is below."
    when = f" ({_duration(planning)})" if rule.weeks is not None else ""
    if planning.weeks_asked is None:
        if not rule.decisive:
            return f"The plan has {rule.units:,} units{when}."
        return (
            f"The plan needs {rule.units:,} units{when} to promote with at least {_percent(rule.asked)} power"
            f"{_what_for(planning)}."
        )
    if rule.power is None:
        return f"With {rule.units:,} units{when} the plan finds the effects below with {_percent(rule.asked)} power."
    power = f"at least {_percent(rule.power)}" if rule.power else f"at most {_percent(_at_most(planning))}"
    return f"With {rule.units:,} units{when} the plan promotes with {power} power."


def _at_most(planning: Planning) -> float:
    """The power of the rule at most: that of the weakest of all that it needs, and of the best of what will do."""
    tree = planning.sizer.rule.tree
    return 1.0 if tree is None else _most(tree, {row.metric: row.power or 0.0 for row in planning.metrics})


def _most(node: Node, powers: Mapping[str, float]) -> float:
    if isinstance(node, str):
        return powers[node]
    return (min if isinstance(node, AllOf) else max)(_most(part, powers) for part in node.nodes)


def _duration(planning: Planning) -> str:
    rule, source = planning.rule, planning.sizer.source
    count = _weeks_of(rule.weeks)
    weeks = f"{count} week{'s' * (count != '1')}"
    if source.units:
        return f"{weeks}, as units came in the history"
    return f"{weeks} at {source.per_week:,.0f} a week"


def _what_for(planning: Planning) -> str:
    named = {
        row.metric: f"`{row.metric}` by {_effect(row.mde, row.mde_relative)}"
        for row in planning.metrics
        if row.role == "success" and row.solved == "units"
    }
    rule, effects = planning.sizer.rule, list(named.values())
    if rule.shares and rule.tree is not None:
        effects = [text] if (text := in_words(rule.tree, named)) else []
    if len(effects) > NAMED:
        effects = [*effects[:NAMED], f"another of {len(effects)} metrics"]
    return f", where the treatment is better in {' or '.join(effects)}" if effects else ""


def _allocation(planning: Planning) -> Iterator[str]:
    rule = planning.rule
    if rule.allocation:
        early = f"; {rule.units_expected:,.0f} on average at most, as it may end early" if rule.units_expected else ""
        yield from _wrapped(", ".join(f"{name} {n:,}" for name, n in rule.allocation.items()) + early, "  ")


def _legend(planning: Planning) -> str:
    """What the columns that stand there mean."""
    kept = "kept: the share of the variance that covariates leave; " * any(
        row.variance_kept < 1 for row in planning.metrics
    )
    early = any(row.units_expected is not None for row in planning.metrics)
    average = "on average: as it may end early; " * early
    alone = "units, weeks: of this metric alone; " * (planning.weeks_asked is None and bool(planning.rule.units))
    return f"{kept}{alone}{average}detectable: with the units of the plan"


_KNOWN = ("metric", "role", "baseline", "sd", "kept", "level")
_NEEDED = ("metric", "effect", "margin", "power", "units", "on average", "weeks", "detectable")
_MORE = ("metric", "variant", "half-width now", "wanted", "units so far", "units more", "weeks")


def _known(row: MetricPlan) -> list[str]:
    kept = "-" if row.variance_kept == 1 else _percent(row.variance_kept, 1)
    return [
        _check.narrow(row.metric, LONGEST),
        row.role,
        _number(row.baseline),
        _number(row.sd),
        kept,
        f"{row.level:.5g}",
    ]


def _needed(row: MetricPlan) -> list[str]:
    return [
        _check.narrow(row.metric, LONGEST),
        _effect(row.mde, row.mde_relative),
        _effect(row.margin, row.margin_relative),
        "-" if row.power is None else _percent(row.power),
        _count(row.units),
        _count(row.units_expected),
        _weeks_of(row.weeks),
        _effect(row.detectable, row.detectable_relative),
    ]


def _more(row: More) -> list[str]:
    width, wanted = (
        "-" if value is None else (_share(value) if row.relative else f"{value:.4g}")
        for value in (row.half_width, row.wanted)
    )
    return [
        _check.narrow(row.metric, LONGEST),
        row.variant,
        width,
        wanted,
        f"{row.seen:,}",
        _count(row.more),
        _weeks_of(row.weeks),
    ]


def _weeks(planning: Planning) -> Iterator[str]:
    """As many metrics side by side as there is room for, and as many weeks as are read with ease."""
    rows = planning.mde_by_week()
    names = [_check.narrow(name, LONGEST) for name in planning.experiment.metrics]
    weeks = [rows[i : i + len(names)] for i in range(0, len(rows), len(names))]
    step = -(-len(weeks) // SHOWN_WEEKS)
    weeks = [week for week in weeks if week[0]["week"] % step == 0 or week is weeks[-1]]
    begins = [[f"{week[0]['week']}{'*' * week[0]['extrapolated']}", f"{week[0]['units']:,}"] for week in weeks]
    columns = [[_effect(week[i]["detectable"], week[i]["relative"]) for week in weeks] for i in range(len(names))]
    for part in _side_by_side(names, columns, WIDTH - 2 - max(len("  ".join(begin)) for begin in begins)):
        if 0 not in part:
            yield ""
        body = [[*begin, *(columns[i][at] for i in part)] for at, begin in enumerate(begins)]
        yield from _table(("week", "units", *(names[i] for i in part)), body)
    if planning.sizer.source.ends and any(week[0]["extrapolated"] for week in weeks):
        yield "  * beyond the history"


def _side_by_side(names: Sequence[str], columns: Sequence[Sequence[str]], room: int) -> Iterator[list[int]]:
    """Which columns stand beside each other."""
    part: list[int] = []
    taken = 0
    for i, (name, column) in enumerate(zip(names, columns, strict=True)):
        width = 2 + max(map(len, (name, *column)))
        if part and taken + width > room:
            yield part
            part, taken = [], 0
        part.append(i)
        taken += width
    yield part


def _wrapped(sentence: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        sentence,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns in which something stands, aligned: text to the left, numbers to the right."""
    kept = [i for i in range(len(head)) if any(row[i] != "-" for row in rows)]
    lines = [[row[i] for i in kept] for row in (head, *rows)]
    widths = [max(len(line[j]) for line in lines) for j in range(len(kept))]
    left = [head[i] in ("metric", "role", "variant") for i in kept]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if to_left else cell.rjust(width)
            for cell, width, to_left in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in lines
    ]


def _effect(size: float | None, relative: float | None) -> str:
    if size is None:
        return "-" if relative is None else _share(relative)
    return f"{size:.4g}" + ("" if relative is None else f" ({_share(relative)})")


def _share(value: float) -> str:
    """Three digits; more of them where they stand before the point."""
    return f"{100 * value:.3g}%" if not 10 <= abs(value) < TIMES else f"{100 * value:.0f}%"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _weeks_of(value: float | None) -> str:
    if value is None or not 0 < value < SHORT:
        return "-" if value is None else f"{value:,.0f}" if value >= LONG else f"{value:.3g}"
    return f"<{SHORT:g}"


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _percent(value: float, digits: int = 2) -> str:
    if 1 - 0.5 * 10.0 ** -(digits + 2) < value < 1:
        return f">{100 - 10.0**-digits:.{digits}f}%"
    return f"{100 * value:.{digits}f}".rstrip("0").rstrip(".") + "%"
