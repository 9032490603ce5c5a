"""Feature flags: how often a harmless release is rolled back and a useless one promoted, as a whole and in segments.

Runs are arrays of z of one success metric and one guardrail within each segment, at looks under the anytime monitor.
That they are decided as `decide` decides is checked here on some of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

import abkit as ab
from abkit._check import Float64Array
from abkit._sets import binomial_interval
from abkit.decision import decide_report
from abkit.sequential._anytime_valid import MixtureBound
from tests.calibration.strategies_page import write_section
from tests.decision.test_segments import report
from tests.decision.test_segments import verdicts as by_segment

BoolArray = npt.NDArray[np.bool_]
RUNS, BLOCK, ALPHA, LOOKS, PER_LOOK = 20_000, 2_000, 0.05, 20, 2_000
SEGMENTS = (2, 5, 20)
CORRELATIONS = (0.0, 0.5)


@dataclass(frozen=True)
class Verdicts:
    """Of each run: what was decided on the whole, and on each segment."""

    promoted: BoolArray
    waiting: BoolArray
    rolled_back: BoolArray
    segments_promoted: BoolArray
    segments_rolled_back: BoolArray

    def __or__(self, other: Verdicts) -> Verdicts:
        return Verdicts(
            self.promoted | other.promoted,
            self.waiting | other.waiting,
            self.rolled_back | other.rolled_back,
            self.segments_promoted | other.segments_promoted,
            self.segments_rolled_back | other.segments_rolled_back,
        )


def holm(z: Float64Array, critical: Float64Array) -> BoolArray:
    """Which of each run's segments are shown; `critical` are the bounds at alpha over 1, 2, ... of them."""
    order = np.argsort(-z, axis=1, kind="stable")
    shown = np.logical_and.accumulate(np.take_along_axis(z, order, axis=1) > critical[::-1], axis=1)
    back = np.empty_like(shown)
    np.put_along_axis(back, order, shown, axis=1)
    return back


def decided(gain: Float64Array, guard: Float64Array, within: Float64Array, whole: float) -> Verdicts:
    """One look: z of the success metric, and of the guardrail above its margin, shape (runs, segments)."""
    harm = holm(guard, within) | holm(-gain, within)
    safe = guard < -within[0]
    promoted = holm(gain, within) & safe & ~harm
    all_gain, all_guard = (z.sum(axis=1) / np.sqrt(z.shape[1]) for z in (gain, guard))
    rolled_back = (all_guard > whole) | (all_gain < -whole)
    good = (all_gain > whole) & (all_guard < -whole) & ~rolled_back & ~harm.any(axis=1)
    return Verdicts(good, good & safe.all(axis=1), rolled_back, promoted & ~rolled_back[:, None], harm)


def ever(gain: Float64Array, guard: Float64Array, correlation: float, rng: np.random.Generator) -> Verdicts:
    """At any look; `gain` and `guard` are the z to be expected of each segment at the last one."""
    monitor, found = ab.AnytimeValid(ALPHA), None
    sums = np.zeros((2, BLOCK, len(gain)))
    drift = np.stack([gain, guard])[:, None, :] / np.sqrt(LOOKS)
    for look in range(1, LOOKS + 1):
        noise = rng.normal(size=sums.shape)
        noise[1] = correlation * noise[0] + np.sqrt(1 - correlation**2) * noise[1]
        sums += noise + drift
        z = sums / np.sqrt(look)
        part, total = (MixtureBound(monitor.at(n * look * PER_LOOK), 2) for n in (1 / len(gain), 1))
        within = np.array([part.critical(ALPHA / 2 / share) for share in range(1, len(gain) + 1)])
        now = decided(z[0], z[1], within, total.critical(ALPHA / 2))
        found = now if found is None else found | now
    assert found is not None
    return found


def truths(segments: int) -> dict[str, tuple[Float64Array, Float64Array]]:
    """By what is true: z of the success metric, and of the guardrail above its margin, at the last look."""
    none, much = np.zeros(segments), np.full(segments, 8.0)
    one = np.where(np.arange(segments) == 0, 6.0, -8.0)
    return {"no effect, harmless": (none, -much), "better, at its margin": (much, none), "one harmed": (much, one)}


def counts(segments: int, correlation: float, truth: str) -> dict[str, int]:
    """How many runs are wrong, in each way."""
    gain, guard = truths(segments)[truth]
    rng, total = np.random.default_rng([segments, int(10 * correlation), len(truth)]), dict[str, int]()
    for _ in range(RUNS // BLOCK):
        found = ever(gain, guard, correlation, rng)
        for name, wrong in {
            "promoted": found.promoted,
            "promoted with every_segment": found.waiting,
            "rolled back": found.rolled_back,
            "any segment promoted": found.segments_promoted.any(axis=1),
            "a given segment promoted": found.segments_promoted[:, 0],
            "any segment rolled back": found.segments_rolled_back.any(axis=1),
            "the harmed one rolled back": found.segments_rolled_back[:, 0],
        }.items():
            total[name] = total.get(name, 0) + int(wrong.sum())
    return total


#: What is stated, by truth: half of alpha for each claim, added up over the metrics that may be harmed.
STATED = {
    "no effect, harmless": {
        "promoted": ALPHA / 2,
        "rolled back": ALPHA,
        "any segment promoted": ALPHA / 2,
        "any segment rolled back": ALPHA,
    },
    "better, at its margin": {
        "promoted": ALPHA / 2,
        "rolled back": ALPHA,
        "a given segment promoted": ALPHA / 2,
        "any segment rolled back": ALPHA,
    },
}


def page() -> str:
    """The section of the page."""
    lines = [
        "## Feature flags: the whole and its segments",
        "",
        f"{RUNS:,} releases a line, {LOOKS} looks at any time, one success metric and one guardrail, segments of",
        "equal size; correlation is that of the two metrics. Simulated rate of each error at any look, and in brackets",
        "the upper end of its one-sided 99% interval, against what is stated. A guardrail at its margin is held in",
        "each segment by itself, not in all of them together.",
        "",
        "| segments | correlation | truth | error | rate | stated |",
        "|---|---|---|---|---|---|",
    ]
    for segments in SEGMENTS:
        for correlation in CORRELATIONS:
            for truth, stated in STATED.items():
                found = counts(segments, correlation, truth)
                for error, limit in stated.items():
                    _, high = binomial_interval(found[error], RUNS, 0.98)
                    assert high <= limit + 0.002, (segments, correlation, truth, error, found)
                    rate = f"{found[error] / RUNS:.2%} (to {high:.2%})"
                    lines.append(f"| {segments} | {correlation:g} | {truth} | {error} | {rate} | {limit:.1%} |")
    lines += [
        "",
        "One segment is harmed, and all others gain. The whole is mostly shown to be good before the one is shown",
        "to be harmed; only `every_segment` bounds how often, by 2.5%.",
        "",
        "| segments | promoted | promoted with `every_segment` | the harmed one rolled back by the last look |",
        "|---|---|---|---|",
    ]
    for segments in SEGMENTS[1:]:
        found = counts(segments, 0.0, "one harmed")
        _, high = binomial_interval(found["promoted with every_segment"], RUNS, 0.98)
        assert high <= ALPHA / 2 + 0.002, found
        names = ("promoted", "promoted with every_segment", "the harmed one rolled back")
        shown = (found[name] / RUNS for name in names)
        lines.append(f"| {segments} | {' | '.join(f'{rate:.1%}' for rate in shown)} |")
    return "\n".join(lines)


@pytest.mark.calibration
def test_errors_of_segments_and_of_the_whole() -> None:
    write_section("feature flags", page())


def test_arrays_are_decided_as_reports_are() -> None:
    rng = np.random.default_rng(2)
    gain, guard = rng.normal(1.5, 1.5, (60, 3)), rng.normal(-2.0, 2.0, (60, 3))
    within = stats.norm.isf(ALPHA / 2 / np.arange(1, 4))
    found = decided(gain, guard, within, float(within[0]))
    for run in range(60):
        segments = {str(k): {"s": float(gain[run, k]), "g": 10 + float(guard[run, k])} for k in range(3)}
        whole = {"s": gain[run].sum() / np.sqrt(3), "g": 10 + guard[run].sum() / np.sqrt(3)}
        decision = decide_report(report(whole, segments))
        assert (decision.verdict == "promote") == found.promoted[run]
        assert (decision.verdict == "rollback") == found.rolled_back[run]
        assert [v == "promote" for v in by_segment(decision).values()] == found.segments_promoted[run].tolist()
        assert [v == "rollback" for v in by_segment(decision).values()] == found.segments_rolled_back[run].tolist()
