"""`abkit strategies`: what each release strategy costs and can conclude, which to choose, and a plan to start from."""

from __future__ import annotations

import argparse
import json
import textwrap
from dataclasses import asdict
from typing import Any

from abkit.strategies import KINDS, OBSERVATIONAL, Strategy

WIDTH = 100
#: The order of the questions: what is asked first is what decides most, and costs users least.
CHOICE = ("recreate", "shadow", "bandit", "feature-flag", "ab-test", "canary", "rolling", "blue-green")
COLUMNS = (("traffic", 26), ("downtime", 14), ("rollback", 22), ("cost", 19))
EVIDENCE = {
    "concurrent": "two groups at one time, told apart by chance",
    "paired": "the same requests, answered twice",
    "adaptive": "decisions weighted by their propensities",
    "events": "two groups at one time, told apart by chance",
    "staggered": "instances beside those not yet updated",
    "before-after": "before and after, with nothing beside it",
}

_GUARDRAILS = """\
metrics:
  errors: {kind: proportion, value: failed, role: guardrail, direction: decrease, margin: 0.002}
  latency: {kind: mean, value: latency_ms, role: guardrail, direction: decrease, margin: {relative: 0.05}}
"""
_SERIES = """\
metrics:
  latency: {kind: mean, value: p95_ms, role: guardrail, direction: decrease, margin: {relative: 0.1}}
  errors:
    {kind: ratio, numerator: errors, denominator: requests, role: guardrail, direction: decrease, margin: 0.005}
"""
PLANS = {
    "shadow": """\
strategy:
  kind: shadow
  suffixes: {old: _old, new: _new}  # a metric of `latency` reads `latency_old` and `latency_new`
control: old
metrics:
  answers: {kind: disagreement, value: answer, margin: 0.01}  # at most 1% answered differently
  latency: {kind: paired, value: latency, role: guardrail, direction: decrease, margin: {relative: 0.05}}
""",
    "ab-test": """\
strategy: ab-test
unit: user        # the column of whom chance assigned
variant: variant  # the column of what it gave them
control: old
allocation: {old: 1, new: 1}
metrics:
  orders: {kind: proportion, value: ordered}  # must be shown to rise
  latency: {kind: mean, value: latency_ms, role: guardrail, direction: decrease, margin: {relative: 0.05}}
""",
    "canary": f"""\
strategy:
  kind: canary
  stage: stage             # the column with the number of the stage in which a row was logged
  stages: [1, 5, 25, 50]   # percent of the traffic; each asks for evidence before the next
unit: user
variant: release
control: stable
allocation: {{stable: 1, canary: 1}}
{_GUARDRAILS}""",
    "blue-green": f"""\
strategy:
  kind: blue-green
  switch: "2026-11-01T12:00Z"  # when the traffic moved
  bucket: 5m
  season: 1d                   # compared with the same time of the days before
time: time                     # the column that says when a row was logged; a week before the switch is wanted
{_SERIES}""",
    "bandit": """\
strategy: bandit
variant: arm
control: old
propensity: propensity  # of the chosen arm; of more than two: {old: p_old, new: p_new, newer: p_newer}
order: decided_at       # when each decision was made
metrics:
  clicks: {kind: proportion, value: clicked}
""",
    "feature-flag": """\
strategy:
  kind: feature-flag
  flag: new-checkout  # the flag's key in the log of OpenFeature's events
control: "off"
allocation: {"off": 1, "on": 1}
segments: [country]   # each with a verdict of its own
metrics:
  orders: {kind: proportion, value: purchase}
  errors: {kind: proportion, value: checkout_error, role: guardrail, direction: decrease, margin: 0.02}
""",
    "rolling": f"""\
strategy:
  kind: rolling
  order: random    # if the order of the instances was drawn; else operator
  batches: 6       # looks that share the chance of a false rollback
  bucket: 5m
unit: instance     # what stays through its update: a host or a slot, not a pod whose name changes
variant: version
control: v1
allocation: {{v1: 1, v2: 1}}  # the two versions
time: time
{_SERIES}""",
    "recreate": f"""\
strategy:
  kind: recreate
  stop: "2026-11-01T02:00Z"
  start: "2026-11-01T02:20Z"
  max_outage: 30m
  bucket: 5m
  season: 1d
time: time
{_SERIES}""",
}


def add_strategies(commands: argparse._SubParsersAction[Any]) -> None:
    """The command and its options."""
    parser = commands.add_parser("strategies", help="compare release strategies, choose one, and begin its plan")
    parser.add_argument("kind", nargs="?", choices=tuple(KINDS), help="one of them in full, with a plan to start from")
    parser.add_argument("--plan", action="store_true", help="only the plan, for a file")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_strategies)


def _strategies(parsed: argparse.Namespace) -> int:
    kinds = list(KINDS) if parsed.kind is None else [parsed.kind]
    if parsed.format == "json":
        print(json.dumps([as_dict(kind) for kind in kinds], indent=2))
    elif parsed.kind is None:
        print(comparison())
    else:
        print(template(parsed.kind) if parsed.plan else in_full(parsed.kind), end="")
    return 0


def as_dict(kind: str) -> dict[str, Any]:
    """One strategy as plain values."""
    strategy = KINDS[kind]
    words = asdict(strategy.words)
    return {"kind": kind, **words, "evidence": EVIDENCE[strategy.design], "guarantee": _guarantee(strategy)}


def template(kind: str) -> str:
    """A plan file to start from."""
    return f"# {KINDS[kind].words.title}: {KINDS[kind].words.traffic}.\nschema: abkit.plan/1\n{PLANS[kind]}"


def in_full(kind: str) -> str:
    """One strategy, line by line, and its plan."""
    about = as_dict(kind)
    labels = {"concludes": "concludes", "cannot": "cannot conclude", "choose": "choose when"}
    names = ("traffic", "downtime", "rollback", "cost", "evidence", "concludes", "cannot", "guarantee", "choose")
    lines = [about["title"], ""]
    for name in names:
        lines += _hung(labels.get(name, name), about[name], 17)
    lines += ["", "A plan to start from, with columns of your own:", "", template(kind)]
    return "\n".join(lines)


def comparison() -> str:
    """All strategies side by side, what each concludes, and which to choose."""
    head = ["", *(name for name, _ in COLUMNS)]
    widths = [15, *(width for _, width in COLUMNS)]
    lines = [_row([[cell] for cell in head], widths)[0], "-" * WIDTH]
    for kind, strategy in KINDS.items():
        cells = [kind, *(getattr(strategy.words, name) for name, _ in COLUMNS)]
        lines += _row([textwrap.wrap(cell, width - 1) for cell, width in zip(cells, widths, strict=True)], widths)
    lines += ["", "What can be concluded (+), what cannot (-), and when the stated error rates hold (=)", "-" * WIDTH]
    for kind, strategy in KINDS.items():
        for label, mark, text in (
            (kind, "+", strategy.words.concludes),
            ("", "-", strategy.words.cannot),
            ("", "=", _guarantee(strategy)),
        ):
            lines += textwrap.wrap(f"{label:<15}{mark} {text}", WIDTH, subsequent_indent=" " * 17)
    lines += ["", "Which to choose: the first of these that is so", "-" * WIDTH]
    for number, kind in enumerate(CHOICE, 1):
        lines += _hung(f"{number}. {kind}", KINDS[kind].words.choose, 17)
    return "\n".join([*lines, "", "One of them in full, with a plan to start from: abkit strategies canary"])


def _guarantee(strategy: type[Strategy]) -> str:
    if strategy.kind == "rolling":
        return f"after each batch, if the order was drawn at random; else {OBSERVATIONAL}"
    if strategy.design == "before-after":
        return f"{OBSERVATIONAL}: of the series, not of what caused it"
    return "at one look, or as its monitor says" if strategy.kind == "ab-test" else "at any time that one looks"


def _hung(label: str, text: str, indent: int) -> list[str]:
    return textwrap.wrap(f"{label:<{indent}}{text}", WIDTH, subsequent_indent=" " * indent, drop_whitespace=True)


def _row(cells: list[list[str]], widths: list[int]) -> list[str]:
    """Lines of a row of wrapped cells."""
    height = max(len(cell) for cell in cells)
    padded = [[*cell, *[""] * (height - len(cell))] for cell in cells]
    rows = zip(*padded, strict=True)
    return ["".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
