"""A simulation for people: a sentence, regret over time, and what each arm got."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from abkit import _check

if TYPE_CHECKING:
    from abkit.bandits._simulation import Simulation

WIDTH, LONGEST, MOST = 120, 24, 20


def text(found: Simulation) -> str:
    """The sentence, then the tables."""
    return "\n".join([*textwrap.wrap(" ".join(_sentences(found)), WIDTH), "", *_course(found), "", *_arms(found)])


def _sentences(found: Simulation) -> Iterator[str]:
    regret, environment = found.regret, found.environment
    runs = "1 run" if found.runs == 1 else f"{found.runs:,} runs"
    names = f"{type(found.policy).__name__} in {type(environment).__name__}"
    error = "" if found.runs == 1 else f" (standard error {regret.stderr[-1]:.3g})"
    decisions = "1 decision" if found.horizon == 1 else f"{found.horizon:,} decisions"
    yield f"{names}: {runs} of {decisions} cost {regret.mean[-1]:.4g} each{error}:"
    yield "the reward lost by not always choosing the best arm."
    if found.runs > 1:
        yield f"{regret.level:.0%} of runs lie between {regret.low[-1]:.4g} and {regret.high[-1]:.4g}."
    if found.slope is not None:
        error = "" if found.slope_stderr is None else f" (standard error {found.slope_stderr:.2g})"
        yield f"From a tenth of the horizon on, regret grows by {found.slope:.3g}{error} for each unit of ln t;"
        constant = environment.lai_robbins
        yield (
            "no lower bound is known here."
            if constant is None
            else f"in the end no policy that learns everywhere grows by less than C = {constant:.4g} (Lai and Robbins)."
        )
    if not found.policy.randomised:
        yield "Choices are deterministic: logs of them are unfit for inverse-propensity estimates."


def _course(found: Simulation) -> Iterator[str]:
    regret, bound = found.regret, found.lower_bound
    yield _row(
        ["decisions", "mean", "stderr", f"{(1 - regret.level) / 2:.0%}", "50%", f"{(1 + regret.level) / 2:.0%}"]
    ) + ("" if bound is None else f"{'C ln t':>12}")
    for at in _decades(found):
        columns = (regret.mean, regret.stderr, regret.low, regret.median, regret.high)
        numbers = [column[at] for column in columns] + ([] if bound is None else [bound[at]])
        yield _row([f"{regret.times[at]:,}", *(f"{number:.4g}" if np.isfinite(number) else "-" for number in numbers)])


def _arms(found: Simulation) -> Iterator[str]:
    width = min(max(len("arm"), *(len(str(arm)) for arm in found.arms)), LONGEST)
    fixed = not found.environment.changes and not found.environment.dimension
    expected = found.environment.expected()
    yield f"{'arm':<{width}}{'expected' if fixed else '':>12}{'share':>12}"
    for at, arm in enumerate(found.arms[:MOST]):
        mean = f"{expected[at]:.4g}" if fixed else ""
        yield f"{_check.narrow(str(arm), LONGEST):<{width}}{mean:>12}{found.shares[-1, at]:>12.2%}"
    if len(found.arms) > MOST:
        yield f"... and {len(found.arms) - MOST} more"


def _row(cells: Sequence[str]) -> str:
    return "".join(f"{cell:>12}" for cell in cells)


def _decades(found: Simulation) -> list[int]:
    """The first checkpoints at or after each power of ten, and the last."""
    powers = 10 ** np.arange(1, np.log10(found.horizon) + 1e-9)
    first = np.searchsorted(found.times, powers)
    return sorted({*first[first < found.times.size].tolist(), found.times.size - 1})
