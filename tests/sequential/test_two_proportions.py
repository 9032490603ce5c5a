"""Two Bernoulli variants, exactly, at any time."""

import math
from collections import defaultdict
from itertools import product

import numpy as np
import pytest

import abkit as ab
from abkit.evidence import run_test
from abkit.sequential import _two_proportions as module
from abkit.sequential._two_proportions import two_proportions_effect
from tests.golden.read import cases

ALTERNATIVES = ["two-sided", "greater", "less"]
COUNTS = [
    (100, 10_000, 150, 10_000),
    (0, 100, 7, 100),
    (7, 100, 0, 100),
    (0, 50, 0, 70),
    (100, 100, 93, 100),
    (60, 60, 70, 70),
    (1, 1, 0, 1),
    (9_500, 950_000, 700, 50_000),
    (1_000, 10**8, 1_300, 10**8),
    (99_999_000, 10**8, 99_998_700, 10**8),
]


def effect(counts, share=0.5, tune_at=10_000, sides=2):
    return two_proportions_effect(*counts, share, tune_at, sides)


@pytest.mark.parametrize("case", cases("anytime_counts", "proportions"))
def test_evidence_and_ends_are_those_of_mpmath(case):
    found = two_proportions_effect(*case["case"])
    rel = 1e-9 if case["case"][1] < 10**7 else 1e-8
    for alternative, expected in zip(("two-sided", "greater"), case["no effect"], strict=True):
        assert found.log_evalue(0.0, alternative) == pytest.approx(expected, rel=rel)
    assert found.log_evalue(-0.001, "two-sided") == pytest.approx(case["difference -0.001"], rel=rel)
    assert found.log_evalue(ab.relative(-0.05), "two-sided") == pytest.approx(case["ratio 0.95"], rel=rel)
    if found.sides == 2:
        assert list(found.interval(0.95, "two-sided")) == pytest.approx(case["interval"], rel=1e-8)
    assert found.interval(0.95, "greater").low == pytest.approx(case["lowest"], rel=1e-8)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("counts", COUNTS)
def test_sets_are_where_the_pvalue_is_above(counts, alternative):
    found, level = effect(counts), 0.9
    spread = found.stderr or 1 / counts[1]
    for end, outwards in zip(found.interval(level, alternative), (-1, 1), strict=True):
        if abs(end) < 1:
            assert found.pvalue(end + outwards * 1e-6 * spread, alternative) < 0.1
            assert found.pvalue(end - outwards * 1e-6 * spread, alternative) > 0.1
    for end, outwards in zip(found.relative(level, alternative, None), (-1, 1), strict=True):
        if math.isfinite(end) and end > -1:
            step = 1e-6 * (1 + end) * outwards
            assert found.pvalue(ab.relative(end + step), alternative) < 0.1
            assert found.pvalue(ab.relative(end - step), alternative) > 0.1


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("counts", COUNTS)
def test_all_scales_agree_about_no_effect(counts, alternative):
    found = effect(counts)
    absolute, share = found.pvalue(0.0, alternative), found.pvalue(ab.relative(0.0), alternative)
    assert share == pytest.approx(absolute, rel=1e-9)
    excluded = absolute < 0.05
    assert found.interval(0.95, alternative).contains(0) != excluded
    assert found.relative(0.95, alternative, None).contains(0) != excluded
    assert found.odds_ratio(0.95, alternative).contains(1) != excluded


@pytest.mark.parametrize("counts", COUNTS)
def test_swapped_variants_mirror(counts):
    first, second = effect(counts, 0.3), effect((*counts[2:], *counts[:2]), 0.7)
    assert first.pvalue(0.0, "greater") == pytest.approx(second.pvalue(0.0, "less"), rel=1e-9)
    assert list(first.interval(0.95, "two-sided")) == pytest.approx(
        [-end for end in list(second.interval(0.95, "two-sided"))[::-1]], rel=1e-9
    )


@pytest.mark.parametrize("counts", COUNTS)
def test_failures_mirror_successes(counts):
    first = effect(counts, 0.3)
    c, n_c, t, n_t = counts
    second = effect((n_c - c, n_c, n_t - t, n_t), 0.3)
    assert first.pvalue(0.0, "greater") == pytest.approx(second.pvalue(0.0, "less"), rel=1e-7)
    low, high = second.interval(0.95, "two-sided")
    assert list(first.interval(0.95, "two-sided")) == pytest.approx([-high, -low], rel=1e-7)
    odds = list(second.odds_ratio(0.95, "two-sided"))[::-1]
    mirrored = [1 / end if end else math.inf for end in odds]
    assert list(first.odds_ratio(0.95, "two-sided")) == pytest.approx(mirrored, rel=1e-7)


def test_the_evalue_has_the_expectation_of_its_weights():
    """A martingale, exactly: over all outcomes of six and five units, at several pairs and in every alternative."""
    n_c, n_t = 6, 5
    for (p_c, p_t), alternative in product([(0.3, 0.3), (0.02, 0.2), (0.9, 0.6)], ALTERNATIVES):
        tilts = module._tilts(0.4, 20.0, 2, alternative)
        mean = 0.0
        for c, t in product(range(n_c + 1), range(n_t + 1)):
            chance = math.comb(n_c, c) * p_c**c * (1 - p_c) ** (n_c - c)
            chance *= math.comb(n_t, t) * p_t**t * (1 - p_t) ** (n_t - t)
            evidence = module._Evidence((c, t), (n_c, n_t), tilts)
            mean += chance * math.exp(_at(evidence, p_c, p_t))
        weights = np.exp(tilts.log_weight + tilts.lean * (p_c + p_t) / 2).sum() + module.BOUNDING
        assert mean == pytest.approx(weights, rel=1e-11)
        assert weights <= 1 + 1e-12


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
@pytest.mark.parametrize(("share", "p_c", "p_t"), [(0.5, 0.4, 0.4), (0.2, 0.8, 0.8), (0.3, 0.5, 0.2)])
def test_every_path_of_assignments_and_outcomes(share, p_c, p_t, alternative):
    """P(the true difference is ever rejected) by adding up all paths of ten units."""
    alpha, known, rejected = 0.3, {}, 0.0

    def log_evalue(state):
        if state not in known:
            known[state] = effect(state, share, 20).log_evalue(p_t - p_c, alternative) if state[1] and state[3] else 0.0
        return known[state]

    steps = {
        (1, 1, 0, 0): (1 - share) * p_c,
        (0, 1, 0, 0): (1 - share) * (1 - p_c),
        (0, 0, 1, 1): share * p_t,
        (0, 0, 0, 1): share * (1 - p_t),
    }
    mass = {(0, 0, 0, 0): 1.0}
    for _ in range(10):
        after = defaultdict(float)
        for (state, q), (step, chance) in product(mass.items(), steps.items()):
            after[tuple(map(sum, zip(state, step, strict=True)))] += q * chance
        out = {state for state in after if log_evalue(state) >= -math.log(alpha)}
        rejected += sum(after[state] for state in out)
        mass = {state: q for state, q in after.items() if state not in out}
    assert rejected <= alpha


@pytest.mark.parametrize(("share", "p"), [(0.5, 0.01), (0.05, 0.01), (0.05, 0.001), (0.01, 0.01)])
def test_false_alarms_of_a_canary_looked_at_at_every_event(share, p):
    """Seeded: 60 experiments of 20,000 units."""
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(60):
        treated, event = rng.random(20_000) < share, rng.random(20_000) < p
        looks = np.flatnonzero(event & (np.cumsum(treated) > 0))
        n_t, t, x = np.cumsum(treated)[looks], np.cumsum(treated & event)[looks], np.cumsum(event)[looks]
        # E along the null is least near the common proportion, and never more than there
        suspects = [i for i in range(len(looks)) if _at_common(x[i] - t[i], looks[i] + 1 - n_t[i], t[i], n_t[i], share)]
        alarms += any(
            effect((int(x[i] - t[i]), int(looks[i] + 1 - n_t[i]), int(t[i]), int(n_t[i])), share).pvalue(
                0.0, "two-sided"
            )
            < 0.05
            for i in suspects[:20]
        )
    assert alarms <= 60 * 0.05 + 2.6 * math.sqrt(60 * 0.05 * 0.95)


def _at_common(c, n_c, t, n_t, share):
    found = effect((int(c), int(n_c), int(t), int(n_t)), share)
    p = (c + t) / (n_c + n_t)
    return _at(found._evidence("two-sided"), p, p) >= math.log(20)


def _at(evidence, p_c, p_t):
    return evidence.along(lambda _: ((p_c, p_t), (1.0, 1.0), (0.0, 0.0)), 0.0)[0]


@pytest.mark.parametrize("counts", COUNTS)
def test_the_least_along_a_null_is_the_least(counts):
    found = effect(counts, 0.2)
    nulls = [
        (
            module._of_difference,
            [-0.3, 1e-4],
            np.concatenate([np.logspace(-10, -0.2, 300), 1 - np.logspace(-10, -0.3, 300)]),
        ),
        (
            module._of_log_ratio,
            [-0.5, 1.2],
            np.concatenate([np.logspace(-10, -0.2, 300), 1 - np.logspace(-10, -0.3, 300)]),
        ),
        (module._of_log_odds_ratio, [-2.0, 0.4], np.linspace(-30, 30, 600)),
    ]
    evidence = found._evidence("two-sided")
    for family, values, grid in nulls:
        for null in values:
            path, low, high = family(null)
            least, _ = evidence.least(path, low, high, 0.5)
            tried = [
                evidence.along(path, float(q if family is module._of_log_odds_ratio else q * high))[0] for q in grid
            ]
            assert least <= min(tried) + 1e-9


def test_nulls_that_cannot_be():
    found = effect((30, 100, 40, 100))
    with pytest.raises(ValueError, match="between -1 and 1"):
        found.pvalue(1.0, "two-sided")
    assert found.pvalue(ab.relative(-2.0), "two-sided") == 0
    assert found.pvalue(ab.relative(-2.0), "less") == 1
    assert found.pvalue(ab.relative(-1.0), "greater") == 0
    assert effect((30, 100, 0, 100)).pvalue(ab.relative(-1.0), "two-sided") == 1


def test_a_statistic_has_the_side_of_the_null():
    found = effect((100, 10_000, 190, 10_000))
    assert found.statistic(0.0) > 3
    assert found.statistic(0.05) < -3
    assert found.statistic(found.estimate) == 0
    assert found.pvalue(0.0, "two-sided") == pytest.approx(math.exp(-(found.statistic(0.0) ** 2) / 2))
    assert found.pvalue(0.02, "greater") == 1


def test_it_is_an_effect():
    result = run_test("anytime", effect((100, 10_000, 190, 10_000)), "two-sided", 0.0)
    assert result.pvalue < 1e-4
    assert result.to_dict()["relative_interval"]["low"] > 0
    assert result.relative(0.95, "delta").shape == "none"
    assert effect((1, 2, 1, 2)).validity == "exact"


@pytest.mark.parametrize("level", [1e-3, 0.5, 1 - 1e-6, 1 - 1e-12])
def test_extreme_levels(level):
    for counts in COUNTS:
        found = effect(counts, 0.05, 1)
        low, high = found.interval(level, "two-sided")
        assert -1 <= low <= found.estimate <= high <= 1


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((0, 0, 1, 2, 0.5, 10), ValueError, "at least 1"),
        ((3, 2, 1, 2, 0.5, 10), ValueError, "at most 2"),
        ((-1, 2, 1, 2, 0.5, 10), ValueError, "at least 0"),
        ((1.0, 2, 1, 2, 0.5, 10), TypeError, "whole"),
        ((1, 2, 1, 2, 1.0, 10), ValueError, "share"),
        ((1, 2, 1, 2, float("nan"), 10), ValueError, "share"),
        ((1, 2, 1, 2, 0.5, 0), ValueError, "tune_at"),
        ((1, 2, 1, 2, 0.5, 10, 3), ValueError, "sides"),
    ],
)
def test_what_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        two_proportions_effect(*arguments)


@pytest.mark.parametrize("counts", [(1, 137_681, 0, 584_665), (10, 9_808_354, 100, 3_795_234), (1, 653, 100, 525)])
@pytest.mark.parametrize("level", [0.5, 0.99, 1 - 1e-6])
def test_the_largest_ratio_after_few_events_is_where_p_is_its_error(counts, level):
    effect = two_proportions_effect(*counts, 0.05, 1e8)
    high = effect.relative(level, "two-sided", None).high
    assert effect.pvalue(ab.relative(high), "two-sided") == pytest.approx(1 - level, rel=1e-6)
