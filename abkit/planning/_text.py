"""A planning in words: the sentence first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from abkit.planning._more import More

if TYPE_CHECKING:
    from abkit.planning._planning import MetricPlan, Planning

SHOWN_WEEKS = 12
NAMED = 3
#: So many times the baseline, a share is written with an exponent.
TIMES = 10_000


def planning_text(planning: Planning) -> str:
    """The sentence, a row a metric, effects by week, and what was assumed."""
    lines = [sentence(planning), "", *_table(_HEAD, [_row(row) for row in planning.metrics])]
    lines += [f"  `{row.metric}`: {row.reason}" for row in planning.metrics if row.reason]
    if planning.more:
        lines += ["", "the report so far", *_table(_MORE, [_more(row) for row in planning.more])]
        lines += [f"  `{row.metric}` of {row.variant}: {row.reason}" for row in planning.more if row.reason]
    if planning.sizer.source.per_week is not None:
        lines += ["", "the smallest effect (of guardrails, margin) after each week", *_weeks(planning)]
    return "\n".join([*lines, "", "assumed", *(f"  {sentence}" for sentence in planning.assumptions)])


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
            f"The plan needs {rule.units:,} units{when} to promote with {_percent(rule.asked)} power"
            f"{_what_for(planning)}."
        )
    if rule.power is None:
        return f"With {rule.units:,} units{when} the plan finds the effects below with {_percent(rule.asked)} power."
    return f"With {rule.units:,} units{when} the plan promotes with at least {_percent(rule.power)} power."


def _duration(planning: Planning) -> str:
    rule, source = planning.rule, planning.sizer.source
    weeks = f"{rule.weeks:.3g} week{'s' * (rule.weeks != 1)}"
    if source.units:
        return f"{weeks}, as units came in the history"
    return f"{weeks} at {source.per_week:,.0f} a week"


def _what_for(planning: Planning) -> str:
    effects = [
        f"`{row.metric}` by {_effect(row.mde, row.mde_relative)}"
        for row in planning.metrics
        if row.role == "success" and row.solved == "units"
    ]
    if len(effects) > NAMED:
        effects = [*effects[:NAMED], f"another of {len(effects)} metrics"]
    return f", where the treatment is better in {' or '.join(effects)}" if effects else ""


_HEAD = (
    *("metric", "role", "baseline", "sd", "kept", "effect", "margin", "level", "power"),
    *("control", "treatment", "units", "on average", "weeks", "detectable"),
)
_MORE = ("metric", "variant", "half-width now", "wanted", "units so far", "units more", "weeks")


def _row(row: MetricPlan) -> list[str]:
    return [
        row.metric,
        row.role,
        _number(row.baseline),
        _number(row.sd),
        _percent(row.variance_kept, 1),
        _effect(row.mde, row.mde_relative),
        _effect(row.margin, row.margin_relative),
        f"{row.level:.5g}",
        "-" if row.power is None else _percent(row.power),
        _count(row.n_control),
        _count(row.n_treatment),
        _count(row.units),
        _count(row.units_expected),
        _number(row.weeks),
        _effect(row.detectable, row.detectable_relative),
    ]


def _more(row: More) -> list[str]:
    width, wanted = (
        "-" if value is None else (_percent(value, 3) if row.relative else f"{value:.4g}")
        for value in (row.half_width, row.wanted)
    )
    return [row.metric, row.variant, width, wanted, f"{row.seen:,}", _count(row.more), _number(row.weeks)]


def _weeks(planning: Planning) -> Iterator[str]:
    rows = planning.mde_by_week()
    names = list(planning.experiment.metrics)
    weeks = [rows[i : i + len(names)] for i in range(0, len(rows), len(names))]
    head = ("week", "units", *names)
    body = [
        [
            f"{week[0]['week']}{'*' * week[0]['extrapolated']}",
            f"{week[0]['units']:,}",
            *(_effect(row["detectable"], row["relative"]) for row in week),
        ]
        for week in weeks[:SHOWN_WEEKS]
    ]
    yield from _table(head, body)
    if planning.sizer.source.ends and any(week[0]["extrapolated"] for week in weeks):
        yield "  * beyond the history"


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
        return "-" if relative is None else _percent(relative, 3)
    return f"{size:.4g}" + ("" if relative is None else f" ({_percent(relative, 3)})")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _percent(value: float, digits: int = 2) -> str:
    if abs(value) >= TIMES:
        return f"{100 * value:.4g}%"
    return f"{100 * value:.{digits}f}".rstrip("0").rstrip(".") + "%"
