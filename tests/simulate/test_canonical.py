"""Whole experiments from the joint distribution: beside exact recursions, normal integrals and closed forms."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import multivariate_normal

import abkit as ab
from abkit.sequential._two_proportions import two_proportions_effect
from abkit.simulate import Scenario
from abkit.simulate._canonical import Runs, simulate_canonical
from abkit.simulate._counts import ExpectedCounts
from abkit.simulate._course import course_of
from abkit.simulate._critical import notes_on_bounds
from abkit.simulate._drift import Drift
from abkit.types import Relative

RUNS = 40_000
UNITS = 20_000
LOOKS = [UNITS * k / 10 for k in range(1, 11)]
HALVES = {"control": 1.0, "treatment": 1.0}
ONE = {"s": ab.Mean("s")}


def plan_of(metrics: dict[str, ab.Metric] | None = None, monitor: Any = None, **fields: Any) -> ab.Experiment:
    # checks that hardly ever fail, where another thing is measured
    quiet = {"allocation": HALVES, "quality": ab.Quality(alpha=1e-12)}
    return ab.Experiment(
        "user", "variant", "control", metrics or ONE, monitor=monitor or ab.FixedHorizon(), **(quiet | fields)
    )


def run(
    plan: ab.Experiment, drifts: dict[str, Drift], scenario: dict[str, Any] | None = None, **arguments: Any
) -> Runs:
    given = {"looks": LOOKS, "runs": RUNS, "rng": np.random.default_rng(7)} | arguments
    return simulate_canonical(plan, Scenario("world", **(scenario or {})), drifts=drifts, **given)


def agree(count: float, probability: float, runs: int = RUNS, errors: float = 4.5) -> bool:
    """Whether a count is within so many standard errors of what it should be."""
    spread = math.sqrt(max(probability * (1 - probability), 1 / runs) * runs)
    return abs(count - runs * probability) < errors * spread


MONITORS = [
    ab.FixedHorizon(0.05),
    ab.Bayesian(0.99),
    ab.GroupSequential(0.05, looks=10),
    ab.GroupSequential(0.1, looks=10, boundary="pocock", units=UNITS),
    ab.AnytimeValid(0.05, tune_at=UNITS),
    ab.AnytimeValid(0.05, tune_at=UNITS // 4, sides=1),
]


@pytest.mark.parametrize("monitor", MONITORS, ids=lambda monitor: f"{monitor.kind}-{getattr(monitor, 'sides', 2)}")
@pytest.mark.parametrize("drift", [0.0, 2.5, -1.5])
def test_one_metric_stops_when_the_exact_recursion_says(monitor: Any, drift: float) -> None:
    found = run(plan_of(monitor=monitor), {"s": Drift(abs(drift))}, {"effects": {"s": math.copysign(1.0, drift)}})
    if isinstance(monitor, ab.GroupSequential):
        design, effect = monitor.design(), drift
    elif isinstance(monitor, ab.AnytimeValid) and monitor.sides == 1:
        bounds = [monitor.multiplier(n) for n in LOOKS]
        design, effect = ab.Design.from_bounds(LOOKS, bounds), drift / math.sqrt(UNITS)
    else:
        design, effect = monitor.design(LOOKS), drift / math.sqrt(UNITS)
    stops = design.stopping(effect)
    for k in range(len(LOOKS)):
        at = found.look == k + 1
        assert agree(np.count_nonzero(at & (found.verdict == 1)), float(stops.up[k]))
        assert agree(np.count_nonzero(at & (found.verdict == -1)), float(stops.down[k]))
    assert agree(np.count_nonzero(found.verdict), float(design.power(effect)))
    continued = found.verdict == 0
    assert np.all(found.look[continued] == len(LOOKS))
    assert np.all(found.units == np.array(LOOKS)[found.look - 1])


def test_a_margin_of_a_success_metric_is_a_shift() -> None:
    metrics = {"s": ab.Mean("s", margin=1.0, direction="decrease")}
    found = run(plan_of(metrics), {"s": Drift(4.0, 1.0)}, {"effects": {"s": 1.0}}, looks=[UNITS])
    assert agree(np.count_nonzero(found.verdict == 1), float(ndtr(4 - 1 - 1.959964)))


def test_a_guardrail_is_held_against_its_margin() -> None:
    metrics = {"g": ab.Mean("g", role="guardrail", margin=1.0)}
    for effect, shown, harm in ((0.0, ndtr(3 - 1.959964), ndtr(-3 - 1.959964)), (-1.0, 0.025, 0.025)):
        found = run(plan_of(metrics), {"g": Drift(3.0, 3.0)}, {"effects": {"g": effect}}, looks=[UNITS])
        assert agree(np.count_nonzero(found.verdict == 1), float(shown))
        assert agree(np.count_nonzero(found.verdict == -1), float(harm))


def test_treatments_share_the_control() -> None:
    allocation = {"control": 1.0, "a": 1.0, "b": 2.0}
    plan = plan_of(adjust="none", allocation=allocation)
    found = run(plan, {"s": Drift(0.0)}, looks=[UNITS])
    # correlation of z: the control's variance over the roots of both differences'
    between = 1 / math.sqrt((1 + 1) * (1 + 0.5))
    below = multivariate_normal([0, 0], [[1, between], [between, 1]]).cdf([1.959964, 1.959964])
    assert agree(np.count_nonzero(found.verdict == 1), 1 - float(below))
    both = multivariate_normal([0, 0], [[1, between], [between, 1]]).cdf([-1.959964, -1.959964])
    assert agree(np.count_nonzero(found.verdict == -1), float(both))
    assert agree(np.count_nonzero(found.variant == 0) - np.count_nonzero(found.variant == 1) + RUNS / 2, 0.5)


def test_a_drift_is_that_of_the_smallest_treatment() -> None:
    plan = plan_of(allocation={"control": 2.0, "a": 2.0, "b": 1.0}, adjust="none")
    found = run(plan, {"s": Drift(2.0)}, {"effects": {"s": 1.0}}, looks=[UNITS], runs=200_000)
    # information of a: 2 * 2 / 4, of b: 2 / 3, so that a's z is sqrt(1.5) times as far
    means, between = np.array([2 * math.sqrt(1.5), 2.0]), 0.5 / math.sqrt(1.0 * 1.5)
    below = multivariate_normal(means, [[1, between], [between, 1]]).cdf([1.959964, 1.959964])
    assert agree(np.count_nonzero(found.verdict == 1), 1 - float(below), 200_000)


@pytest.mark.parametrize("correlation", [-0.3, 0.0, 0.9])
def test_metrics_are_correlated_as_they_are_better(correlation: float) -> None:
    metrics = {
        "s": ab.Mean("s", direction="decrease"),
        "g": ab.Mean("g", role="guardrail", margin=1.0),
        "h": ab.Mean("h", role="guardrail", margin=1.0, direction="decrease"),
    }
    drifts = {"s": Drift(2.0), "g": Drift(2.0, 2.0), "h": Drift(2.0, 2.0)}
    found = run(plan_of(metrics), drifts, {"effects": {"s": 1.0}, "correlation": correlation}, looks=[UNITS])
    covariance = np.full((3, 3), correlation) + (1 - correlation) * np.eye(3)
    all_shown = multivariate_normal([-2.0] * 3, covariance).cdf([-1.959964] * 3)
    assert agree(np.count_nonzero(found.verdict == 1), float(all_shown))


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_noise_of_neighbouring_looks_adds_up(rho: float) -> None:
    found = run(plan_of(), {"s": Drift(0.0)}, {"autocorrelation": rho}, looks=[UNITS / 2, UNITS])
    later, between = 1 + rho, (1 + rho) / math.sqrt(2)
    normal = multivariate_normal([0, 0], [[1, between], [between, later]])
    bound = 1.959964
    inside = normal.cdf([bound, bound], lower_limit=[-bound, -bound])
    assert agree(np.count_nonzero(found.verdict == 0), float(inside))


def test_a_ramp_confuses_treatment_and_time() -> None:
    scenario = Scenario("ramp", ramp=(0.1, 0.5), drift=1.0)
    course = course_of(plan_of(), scenario, [UNITS / 4, UNITS])
    assert course.n.tolist() == pytest.approx(np.array([[4500, 500], [14_000, 6000]]))
    # half the units at a mean level of 0.25, half at 0.75
    treated, control = (0.1 * 0.25 + 0.5 * 0.75) / 0.6, (0.9 * 0.25 + 0.5 * 0.75) / 1.4
    assert course.level.tolist() == pytest.approx(np.array([[0.125, 0.125], [control, treated]]))
    found = run(plan_of(), {"s": Drift(5.0)}, {"ramp": (0.1, 0.5), "drift": 1.0}, looks=[UNITS])
    z = 5 * (treated - control) * math.sqrt((0.3 * 0.7) / 0.25)
    assert agree(np.count_nonzero(found.verdict == -1), float(ndtr(-1.959964 - z)))
    assert found.blocked.all()  # a share that changes is a mismatch
    assert found.treated.mean() == pytest.approx(6000, rel=0.01)


def test_the_sample_ratio_blocks_as_often_as_it_says() -> None:
    plan = plan_of(quality=ab.Quality(alpha=0.02))
    found = run(plan, {"s": Drift(0.0)}, looks=[UNITS])
    assert agree(np.count_nonzero(found.blocked), 0.02)
    skewed = run(plan, {"s": Drift(9.0)}, {"effects": {"s": 1.0}, "allocation": {"control": 0.53, "treatment": 0.47}},
                 looks=[UNITS])  # fmt: skip
    assert np.mean(skewed.blocked) > 0.99
    assert not np.any((skewed.verdict == 1) & skewed.blocked)


def test_covariates_out_of_balance_block_as_often_as_they_say() -> None:
    metrics: dict[str, ab.Metric] = {
        "s": ab.Mean("s", covariates="before"),
        "g": ab.Mean("g", role="guardrail", margin=1.0, covariates="before"),
        "h": ab.Mean("h", role="guardrail", margin=1.0, covariates=["before", "age"]),
    }
    plan = plan_of(metrics, quality=ab.Quality(alpha=0.05))
    drifts = {"s": Drift(9.0), "g": Drift(0.0, 9.0), "h": Drift(0.0, 9.0)}
    world = {"effects": {"s": 1.0}, "autocorrelation": 0.9}
    found = run(plan, drifts, world, looks=[UNITS])
    free = 0.95**3  # the sample ratio, and two different sets of covariates
    assert agree(np.count_nonzero(~found.blocked), free)
    twice = run(replace(plan, allocation={"control": 2.0, "a": 1.0, "b": 1.0}), drifts, world, looks=[UNITS])
    assert agree(np.count_nonzero(~found.blocked), free)
    assert 0.95**5 < np.mean(~twice.blocked) < free  # five tests, treatments sharing the control
    assert not np.any(found.blocked & (found.verdict == 1))


def test_quality_metrics_block() -> None:
    metrics: dict[str, ab.Metric] = ONE | {"q": ab.Mean("q", role="quality")}
    plan = plan_of(metrics, quality=ab.Quality(alpha=1e-4))
    drifts = {"s": Drift(9.0), "q": Drift(1.0)}
    fine = run(plan, drifts, {"effects": {"s": 1.0}}, looks=[UNITS])
    assert np.mean(fine.verdict == 1) > 0.999
    differs = run(plan, drifts, {"effects": {"s": 1.0, "q": 12.0}}, looks=[UNITS])
    assert not np.any(differs.verdict)
    assert differs.blocked.all()


def test_a_variant_that_gets_no_units_is_never_promoted() -> None:
    for missing in ("treatment", "control"):
        allocation = {"control": 1.0, "treatment": 1.0} | {missing: 0.0}
        found = run(plan_of(), {"s": Drift(9.0)}, {"effects": {"s": 1.0}, "allocation": allocation}, runs=200)
        assert not np.any(found.verdict)
        assert found.blocked.all()


@pytest.mark.parametrize("monitor", MONITORS[:5], ids=lambda monitor: monitor.kind)
def test_the_same_generator_gives_the_same_runs(monitor: Any) -> None:
    def once(seed: int) -> list[Any]:
        found = run(plan_of(monitor=monitor), {"s": Drift(2.0)}, {"effects": {"s": 1.0}}, runs=3000,
                    rng=np.random.default_rng(seed))  # fmt: skip
        return [getattr(found, name).tolist() for name in Runs.__slots__]

    assert once(1) == once(1)
    assert once(1) != once(2)


def test_runs_come_in_blocks_of_any_number() -> None:
    for runs in (1, 19_999, 20_001):
        found = run(plan_of(), {"s": Drift(2.0)}, looks=[UNITS], runs=runs)
        assert all(getattr(found, name).shape == (runs,) for name in Runs.__slots__)


def test_looks_off_the_plan_spend_what_they_may() -> None:
    monitor = ab.GroupSequential(looks=4, units=UNITS)
    looks = [3000, 9000, 16_000, 20_000]
    found = run(plan_of(monitor=monitor), {"s": Drift(0.0)}, looks=looks, runs=200_000)
    assert agree(np.count_nonzero(found.verdict), 0.05, 200_000)


def test_nothing_is_found_during_a_burn_in() -> None:
    plan = plan_of(monitor=ab.AnytimeValid())
    drifts = {"s": Drift(50.0)}
    early = run(plan, drifts, {"effects": {"s": 1.0}}, looks=[150, 400], runs=2000)
    assert np.all(early.look == 2)
    few = {"s": Drift(50.0, events=0.05)}
    late = run(plan, few, {"effects": {"s": 1.0}}, looks=[150, 400, 1100, 1300], runs=2000)
    assert np.all(late.look == 4)
    skewed = {"s": Drift(50.0, skewness=0.15)}  # at 1000 units; 0.2 is reached at 562.5
    found = run(plan, skewed, {"effects": {"s": 1.0}}, looks=[400, 550, 600, 1000], runs=2000)
    assert np.all(found.look == 3)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("way", [-1.0, 1.0])
@pytest.mark.parametrize("null", [0.0, 0.002, ab.relative(-0.05)])
def test_bounds_of_counts_are_those_of_the_exact_comparison(sides: int, way: float, null: Any) -> None:
    n_c, n_t, rate, level = 400_000, 100_000, 0.03, 0.05
    stderr = math.sqrt(rate * (1 - rate) * (1 / n_c + 1 / n_t))
    at_null = (null.value * rate if isinstance(null, Relative) else null) / stderr
    expected = ExpectedCounts(n_c, n_t, rate, 0.0, 0.2, 10_000, sides)
    critical = expected.critical(level / 2, null, at_null, way)
    for deviate, rejected in ((critical + 0.02, True), (critical - 0.02, False)):
        # as the units' noise is shared: four fifths in the treatment
        gap = (at_null + way * deviate) * stderr
        counts = round((rate - 0.2 * gap) * n_c), n_c, round((rate + 0.8 * gap) * n_t), n_t
        pvalue = two_proportions_effect(*counts, share=0.2, tune_at=10_000, sides=sides).pvalue(null, "two-sided")
        assert (pvalue < level) == rejected


def test_counts_that_cannot_be_have_no_bound() -> None:
    rare = ExpectedCounts(9500, 500, 0.002, 0.0, 0.05, 10_000, 2)  # one event expected: none is no evidence
    assert rare.critical(0.025, 0.0, 0.0, -1.0) == math.inf
    assert 3 < rare.critical(0.025, 0.0, 0.0, 1.0) < 10
    assert ExpectedCounts(100, 0, 0.5, 0.0, 0.5, 10_000, 2).critical(0.025, 0.0, 0.0, 1.0) == math.inf
    assert rare.critical(0.0, 0.0, 0.0, 1.0) == math.inf


def test_proportions_at_any_time_say_what_stands_for_them() -> None:
    metrics = {"a": ab.Proportion("a"), "b": ab.Proportion("b"), "c": ab.Mean("c")}
    drifts = {"a": Drift(1.0, rate=0.1), "b": Drift(1.0), "c": Drift(1.0)}
    known, unknown = notes_on_bounds(plan_of(metrics, ab.AnytimeValid()), drifts)
    assert known.startswith("`a`: the bounds are those of the exact comparison")
    assert unknown.startswith("`b`: the normal mixture stands for")
    assert notes_on_bounds(plan_of(metrics), drifts) == ()


def test_an_exact_comparison_of_counts_is_simulated_by_its_own_bounds() -> None:
    plan = plan_of({"s": ab.Proportion("s")}, ab.AnytimeValid(0.05))
    h = UNITS / 4
    rate, effect = 0.2, 0.025
    drifts = {"s": Drift(effect / math.sqrt(rate * (1 - rate) / h), rate=rate)}
    found = run(plan, drifts, {"effects": {"s": 1.0}})
    rng, promoted, times = np.random.default_rng(1), 0, 400
    for _ in range(times):
        control = rng.binomial(1000, rate, 10).cumsum()
        treatment = rng.binomial(1000, rate + effect, 10).cumsum()
        for k, n in enumerate(range(1000, 10_001, 1000)):
            effects = two_proportions_effect(int(control[k]), n, int(treatment[k]), n, share=0.5, tune_at=10_000)
            if effects.pvalue(0.0, "two-sided") < 0.05 and effects.estimate > 0:
                promoted += 1
                break
    assert agree(promoted, float(np.mean(found.verdict == 1)), times, 3.5)


def test_peeking_at_a_fixed_horizon_rolls_back_harmless_releases() -> None:
    """One success metric, three guardrails, 20 looks: two in five where each guardrail is just at its margin."""
    metrics: dict[str, ab.Metric] = ONE | {f"g{i}": ab.Mean("g", role="guardrail", margin=1.0) for i in range(3)}
    drifts = {"s": Drift(3.24)} | {f"g{i}": Drift(3.24, 3.24) for i in range(3)}
    at_margin = {"effects": {f"g{i}": -1.0 for i in range(3)}}
    looks = [UNITS * k / 20 for k in range(1, 21)]

    def rolled_back(monitor: Any) -> float:
        return float(np.mean(run(plan_of(metrics, monitor), drifts, at_margin, looks=looks).verdict == -1))

    # four independent metrics, each beyond -1.96 at one of 20 looks
    down = float(ab.FixedHorizon().design(looks).stopping(0.0).down.sum())
    assert rolled_back(ab.FixedHorizon()) == pytest.approx(1 - (1 - down) ** 4, abs=0.015)
    assert 0.35 < 1 - (1 - down) ** 4 < 0.45
    assert rolled_back(ab.GroupSequential(looks=20, units=UNITS)) < 0.1 + 0.005  # the union bound of four times 0.025
    assert rolled_back(ab.AnytimeValid(tune_at=UNITS)) < 0.05


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"looks": []}, "`looks` must rise from above 0"),
        ({"looks": [100, 100]}, "`looks` must rise from above 0"),
        ({"looks": [0, 100]}, "`looks` must rise from above 0"),
        ({"looks": [math.nan]}, "`looks` must be finite"),
        ({"runs": 0}, "`runs` must be at least 1"),
        ({"drifts": {}}, "`drifts` must have a drift for every metric; got none for 's'"),
    ],
)
def test_what_cannot_be_simulated_is_refused(arguments: dict[str, Any], message: str) -> None:
    given = {"drifts": {"s": Drift(1.0)}} | arguments
    with pytest.raises(ValueError, match=message):
        run(plan_of(), **given)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"unit": -1.0}, "`unit` must be at least 0"),
        ({"unit": math.inf}, "`unit` must be at least 0"),
        ({"unit": 1.0, "margin": math.nan}, "`margin` must be at least 0"),
        ({"unit": 1.0, "rate": 1.0}, "`rate` must be between 0 and 1"),
        ({"unit": 1.0, "events": 1.5}, "`events` must be from 0 to 1"),
    ],
)
def test_a_drift_checks_its_fields(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Drift(**fields)
