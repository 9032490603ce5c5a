"""Exact tests of two proportions against R, SciPy, published p-values and rational arithmetic."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit import Counts, exact_test, relative
from abkit.inference._score_effect import ScoreEffect
from abkit.inference._unconditional import fisher_frontier, largest_probability, score_frontier
from tests.golden.read import cases


def counts(pair):
    successes, n = pair
    return Counts(n, successes)


@pytest.mark.parametrize("case", cases("fisher_test"))
def test_fisher_is_that_of_r(case):
    result = exact_test(
        counts(case["control"]),
        counts(case["treatment"]),
        alternative=case["alternative"],
        null=math.log(case["odds_ratio"]),
        two_sided="joint",
    )
    assert result.pvalue == pytest.approx(case["pvalue"], rel=1e-9)
    central = exact_test(counts(case["control"]), counts(case["treatment"]), alternative=case["alternative"])
    # R finds its roots to 1e-4 of a scale from 0 to 1; the ends are held to 1e-9 below
    assert math.exp(central.estimate) == pytest.approx(
        math.inf if case["estimate"] is None else case["estimate"], rel=1e-2
    )
    low, high = central.odds_ratio(0.95)
    assert low == pytest.approx(case["low"], rel=1e-2)
    assert high == pytest.approx(math.inf if case["high"] is None else case["high"], rel=1e-2)


def tail(x, n_control, n_treatment, total, odds_ratio, side):
    def weight(k):
        return mp.binomial(n_treatment, k) * mp.binomial(n_control, total - k) * mp.mpf(odds_ratio) ** k

    support = range(max(0, total - n_control), min(n_treatment, total) + 1)
    chosen = (k for k in support if (k >= x if side == "greater" else k <= x))
    return mp.fsum(map(weight, chosen)) / mp.fsum(map(weight, support))


@pytest.mark.parametrize(
    ("control", "treatment", "odds_ratio"),
    [((7, 15), (12, 15), 1.0), ((3, 400), (290, 300), 1.0), ((1, 900), (700, 800), 2.5), ((40, 50), (1, 60), 0.125)],
)
@pytest.mark.parametrize("side", ["greater", "less"])
def test_extreme_tails_keep_their_digits(control, treatment, odds_ratio, side):
    with mp.workdps(40):
        total = control[0] + treatment[0]
        expected = float(tail(treatment[0], control[1], treatment[1], total, odds_ratio, side))
    result = exact_test(counts(control), counts(treatment), alternative=side, null=math.log(odds_ratio))
    assert result.pvalue == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("control", "treatment"), [((7, 15), (12, 15)), ((2, 30), (9, 20)), ((9, 40), (1, 25))])
def test_the_ends_of_fishers_interval_leave_exactly_their_tail(control, treatment):
    result = exact_test(counts(control), counts(treatment))
    total = control[0] + treatment[0]
    with mp.workdps(40):
        for end, side in zip(result.odds_ratio(0.95), ("greater", "less"), strict=True):
            assert float(tail(treatment[0], control[1], treatment[1], total, end, side)) == pytest.approx(
                0.025, rel=1e-9
            )


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_the_joint_interval_is_the_smallest_that_holds_every_value_not_rejected(level):
    result = exact_test(Counts(15, 7), Counts(15, 12), two_sided="joint")
    low, high = result.interval(level)
    grid = np.linspace(-4, 6, 4001)
    kept = [null for null in grid if result.with_null(null).pvalue >= 1 - level]
    assert low <= kept[0] <= low + 0.0026
    assert high - 0.0026 <= kept[-1] <= high


def test_many_possible_tables_have_no_joint_interval():
    region = exact_test(Counts(5000, 2000), Counts(5000, 2100), two_sided="joint").interval()
    assert "use two_sided='central'" in region.reason


@pytest.mark.parametrize("case", cases("unconditional"))
@pytest.mark.parametrize("method", ["barnard", "boschloo"])
def test_unconditional_tests_are_those_of_scipy(method, case):
    options = {"alternative": case["alternative"], "method": method}
    if method == "barnard":
        options["two_sided"] = "joint"
    result = exact_test(counts(case["control"]), counts(case["treatment"]), **options)
    # of two sides SciPy loses, to rounding, the mirror image of the table itself
    mirrored = method == "barnard" and case["alternative"] == "two-sided"
    assert result.pvalue == pytest.approx(case[method], rel=1e-4 if mirrored else 1e-9)
    if method == "barnard":
        assert result.statistic == pytest.approx(case["statistic"], rel=1e-12)


def test_the_published_pvalues():
    # Mehta and Senchaudhuri 2003, Conditional versus unconditional exact tests for comparing two binomials, table 1
    vaccine = Counts(15, 7), Counts(15, 12)
    assert exact_test(*vaccine, alternative="greater").pvalue == pytest.approx(0.0641, abs=0.00005)
    assert exact_test(*vaccine, alternative="greater", method="barnard").pvalue == pytest.approx(0.0341, abs=0.00005)
    # Chan 1998, Statistics in Medicine 17(12), sec. 5: 83 of 88 against 69 of 76, and a margin of 0.1
    chan = exact_test(Counts(76, 69), Counts(88, 83), alternative="greater", null=-0.1, method="barnard")
    assert chan.pvalue == pytest.approx(0.0017, abs=0.00005)


def brute_force(control, treatment, null, proportions):
    """Barnard's p-value at given proportions, by adding up every table in rational arithmetic."""
    (c, n_c), (t, n_t) = control, treatment
    observed = ScoreEffect(c, n_c, t, n_t).statistic(null)
    extreme = [
        (i, j)
        for i in range(n_c + 1)
        for j in range(n_t + 1)
        if ScoreEffect(i, n_c, j, n_t).statistic(null) >= observed - 1e-9
    ]

    def binomial(k, n, p):
        return math.comb(n, k) * p**k * (1 - p) ** (n - k)

    shift = Fraction(str(null))
    return max(
        float(sum(binomial(i, n_c, p) * binomial(j, n_t, p + shift) for i, j in extreme))
        for p in proportions
        if 0 <= p + shift <= 1
    )


@pytest.mark.parametrize("null", [0.0, -0.1, 0.2])
@pytest.mark.parametrize(("control", "treatment"), [((1, 4), (4, 5)), ((2, 6), (3, 4)), ((0, 3), (3, 3))])
def test_barnard_is_the_largest_probability_of_tables_as_extreme(control, treatment, null):
    grid = [Fraction(k, 400) for k in range(401)]
    result = exact_test(counts(control), counts(treatment), method="barnard", alternative="greater", null=null)
    assert result.pvalue == pytest.approx(brute_force(control, treatment, null, grid), rel=2e-4)


COUNTS = st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, COUNTS, st.sampled_from([-0.4, -0.1, 0.0, 0.05, 0.3]))
def test_regions_are_convex(control, treatment, null):
    effect = ScoreEffect(*control, *treatment)
    nulls, thresholds = np.array([null]), np.array([effect.statistic(null) - 1e-9])
    by_score = score_frontier(control[1], treatment[1], nulls, thresholds)
    by_fisher = fisher_frontier(*control, *treatment)
    for frontier in (by_score, by_fisher):
        assert np.all(np.diff(frontier[0]) >= 0)
        assert frontier[0][control[0]] <= treatment[0]  # what was observed is as extreme as itself
        low, high = largest_probability(
            control[1], treatment[1], np.array([null, null + 0.01]), np.repeat(frontier, 2, 0)
        )
        assert low <= high * (1 + 1e-9)


def test_a_level_is_kept_at_every_proportion():
    # every p-value of every table of 8 and 6 units: P(p <= alpha) is at most alpha, whatever the proportion is
    n_c, n_t = 8, 6
    share = np.linspace(0, 1, 201)
    for method in ("fisher", "boschloo", "barnard"):
        pvalues = {
            (i, j): exact_test(Counts(n_c, i), Counts(n_t, j), method=method).pvalue
            for i in range(n_c + 1)
            for j in range(n_t + 1)
        }
        for alpha in (0.01, 0.05, 0.1, 0.3):
            size = sum(
                math.comb(n_c, i) * math.comb(n_t, j) * share ** (i + j) * (1 - share) ** (n_c + n_t - i - j)
                for (i, j), p in pvalues.items()
                if p <= alpha  # nan, where nothing can be said, is no rejection
            )
            assert np.max(size) <= alpha * (1 + 1e-9)


def test_many_units_are_no_trouble_for_fisher():
    result = exact_test(Counts(10**7, 10**6), Counts(10**7, 1_004_000))
    assert result.pvalue == pytest.approx(0.00292, rel=0.01)  # z = 2.98
    low, high = result.interval(0.95)
    assert 0 < low < result.estimate < high


def test_a_count_as_extreme_as_it_can_be_has_an_infinite_estimate():
    result = exact_test(Counts(10, 0), Counts(10, 5))
    assert (result.estimate, result.stderr, result.interval().high) == (math.inf, math.inf, math.inf)
    assert 0 < result.odds_ratio().low < math.inf
    assert result.to_dict()["estimate"] is None


@pytest.mark.parametrize("successes", [0, 6])
def test_the_same_certain_outcome_says_nothing_of_the_odds(successes):
    result = exact_test(Counts(6, successes), Counts(6, successes))
    assert "any odds ratio" in result.reason
    barnard = exact_test(Counts(6, successes), Counts(6, successes), method="barnard")
    assert barnard.pvalue == 1


REFUSED = [
    (([], [0, 1]), {}, ValueError, "`control` must have at least 1 unit; got 0."),
    (([0, 2], [0, 1]), {}, ValueError, "must be 0 or 1; got 2."),
    ((Counts([5], [1]), [0, 1]), {}, ValueError, "`control` must describe one group"),
    (([0, 1], [0, 1]), {"null": 1.0, "method": "barnard"}, ValueError, "`null` must be between -1 and 1; got 1."),
    (([0, 1], [0, 1]), {"null": 300}, ValueError, "`null` must be a log odds ratio between -256 and 256; got 300"),
    (([0, 1], [0, 1]), {"null": relative(0.1)}, ValueError, "`null` must be a log odds ratio"),
    (([0, 1], [0, 1]), {"null": relative(0.1), "method": "boschloo"}, ValueError, "`null` must be a number"),
    (([0, 1], [0, 1]), {"method": "score"}, ValueError, "`method` must be one of 'fisher', 'boschloo', 'barnard'"),
    (([0, 1], [0, 1]), {"two_sided": "both"}, ValueError, "`two_sided` must be one of 'central', 'joint'"),
    (([0, 1], [0, 1]), {"two_sided": "joint", "method": "boschloo"}, ValueError, "`two_sided` must be 'central'"),
    ((Counts(3000, 9), Counts(3000, 9)), {"method": "barnard"}, ValueError, "must have at most 4,000 units"),
    ((Counts(10**12, 9), Counts(3000, 9)), {}, ValueError, "must have at most 2,000,000,000 units"),
]


@pytest.mark.parametrize(("arms", "options", "error", "message"), REFUSED)
def test_what_cannot_be_tested_is_refused(arms, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        exact_test(*arms, **options)
