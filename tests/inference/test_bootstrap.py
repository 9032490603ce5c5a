"""Bootstrap tests: R's intervals of the same draws, the exact distribution of small samples, and their laws."""

from __future__ import annotations

import json
import math
from functools import partial

import numpy as np
import pytest
from scipy import stats

from abkit import PoissonBootstrap, bootstrap_test, relative
from abkit.inference import _bootstrap, _resample
from abkit.inference._bootstrap_draws import Draws
from abkit.inference._resample import Poisson, resampled_sums
from tests.golden.read import cases

MICE = [52, 104, 146, 10, 51, 30, 40, 27, 46], [94, 197, 16, 38, 99, 141, 23]  # Efron and Tibshirani 1993, table 2.1
METHODS = ["percentile", "basic", "bca", "studentised", "little"]


def seeded(seed=1):
    return np.random.default_rng(seed)


def effect_of_draws(case, method):
    """The effect that R's own draws show, all of them put down to the treatment."""
    control, treatment = np.array(case["control"]), np.array(case["treatment"])
    mean, draws = control.mean(), np.array(case["draws"])
    c = Draws(mean, np.full(len(draws), mean), 0.0, (control - mean) / len(control), 0.0, np.zeros(len(draws)))
    influence = (treatment - treatment.mean()) / len(treatment)
    t = Draws(treatment.mean(), mean + draws, 0.0, influence, case["variance"], np.array(case["variances"]))
    return _bootstrap._effect(c, t, method)


@pytest.mark.parametrize("case", cases("boot"), ids=lambda case: f"{case['name']}, {case['level']}")
def test_the_same_draws_give_the_intervals_of_r(case):
    # R takes rank 400 (1 - level) / 2 where this rank is whole; a null at it is not rejected at this very level
    level = case["level"] - 1e-6
    for method in ("percentile", "basic", "studentised"):
        interval = effect_of_draws(case, method).interval(level, "two-sided")
        assert list(interval) == pytest.approx(case[method], rel=1e-9)


@pytest.mark.parametrize("case", cases("boot"), ids=lambda case: f"{case['name']}, {case['level']}")
def test_bias_and_acceleration_are_those_of_r(case):
    effect, tail = effect_of_draws(case, "bca"), (1 - case["level"]) / 2
    low, high = effect.bend.share(tail), 1 - effect.bend.mirrored().share(tail)
    assert [400 * low, 400 * high] == pytest.approx(case["bca_ranks"], abs=0.006)  # R prints two decimals of a rank
    # R interpolates between two draws, this test takes the outer one
    draws, interval = np.sort(case["draws"]), effect.interval(case["level"], "two-sided")
    for end, rank in zip(case["bca"], (400 * low, 400 * high), strict=True):
        assert draws[int(rank) - 1] <= end <= draws[int(rank)]
    assert interval.low == pytest.approx(draws[math.ceil(400 * low) - 2], rel=1e-9)
    assert interval.high == pytest.approx(draws[math.floor(400 * high)], rel=1e-9)


@pytest.mark.parametrize("case", cases("bootstrap"), ids=lambda case: str(case["control"]))
def test_draws_have_the_exact_distribution(case):
    resamples = 100_000
    test = partial(bootstrap_test, case["control"], case["treatment"], resamples=resamples)
    percentile, basic, t = (test(method=m, rng=seeded(3)) for m in ("percentile", "basic", "studentised"))
    for text, below in case["below"].items():
        null = float(eval(text))
        up_to, seen = below + case["at"][text], percentile.estimate
        assert percentile.with_null(null, "greater").pvalue == near(up_to, resamples)
        assert percentile.with_null(null, "less").pvalue == near(1 - below, resamples)
        assert basic.with_null(2 * seen - null, "greater").pvalue == near(1 - below, resamples)
        at_least = case["t_above"][text] + case["t_at"][text]
        assert t.with_null(null, "greater").pvalue == near(at_least, resamples)
        assert t.with_null(null, "less").pvalue == near(1 - case["t_above"][text], resamples)


def near(share, draws):
    return pytest.approx(share, abs=4.5 * math.sqrt(share * (1 - share) / draws) + 2 / draws)


def spread_of_sums(rows, draws, seed=1):
    sums = resampled_sums(rows, draws, seeded(seed))
    n = len(rows)
    return (sums - rows.sum(axis=0)) / np.sqrt(n * rows.var(axis=0))


@pytest.mark.parametrize("kind", ["positions", "counts", "atoms", "atoms and positions", "atoms and counts"])
def test_sums_of_resamples_have_their_moments(kind):
    rng, draws = seeded(), 8_000
    n = {"positions": 500, "counts": 5_000}.get(kind, 20_000)
    y = rng.exponential(size=n)
    if "atoms" in kind:
        y[: n // 2] = rng.integers(0, 3, n // 2)
        y[n // 2 :] = {"atoms": 7.0, "atoms and positions": y[n // 2 :]}.get(kind, y[n // 2 :])
        if kind == "atoms and positions":
            y[n // 2 + 1_000 :] = -1.0
    rows = np.stack([y, y * y - 2 * y], axis=1)
    standard = spread_of_sums(rows, draws)
    assert np.abs(standard.mean(axis=0)).max() < 4 / math.sqrt(draws)
    assert np.abs(standard.std(axis=0) - 1).max() < 4 / math.sqrt(2 * draws)
    expected = np.corrcoef(rows.T)[0, 1]
    assert np.corrcoef(standard.T)[0, 1] == pytest.approx(expected, abs=4 * (1 - expected**2) / math.sqrt(draws) + 1e-3)
    assert stats.kstest(standard[:, 0], "norm").pvalue > 1e-4


@pytest.mark.parametrize("n", [100, 3_000, 200_000])
def test_every_resample_has_as_many_draws_as_there_are_units(n):
    rows = np.stack([np.arange(n), np.ones(n)], axis=1)  # no two rows are the same, so that none is an atom
    assert (resampled_sums(rows, 60, seeded())[:, 1] == n).all()


def test_sums_of_columns_belong_to_one_resample():
    y = seeded().normal(size=5_000)
    sums = resampled_sums(np.stack([y, 3 * y - 1], axis=1), 100, seeded())
    assert sums[:, 1] == pytest.approx(3 * sums[:, 0] - 5_000, abs=1e-8)


@pytest.mark.parametrize("rate", [0.8, 0.99, 1.0])
def test_counts_from_bytes_are_poisson(rate):
    size = 2_000_000
    counts = np.bincount(Poisson.of_rate(rate).counts(seeded(), (1, size))[0], minlength=12)[:12]
    expected = size * stats.poisson.pmf(np.arange(12), rate)
    seen = expected > 5
    statistic = ((counts - expected)[seen] ** 2 / expected[seen]).sum()
    assert stats.chi2.sf(statistic, int(seen.sum())) > 1e-3
    assert counts[~seen].sum() < 30


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.9921875, 1.0])
def test_bytes_and_remainder_add_up_to_the_exact_probabilities(rate):
    poisson = Poisson.of_rate(rate)
    bytes_of = np.diff([0, *poisson.cuts]) / 256
    share = np.diff(np.concatenate([[0], poisson.remainder])) * (256 - poisson.cuts[-1]) / 256
    share[: len(bytes_of)] += bytes_of
    assert share == pytest.approx(stats.poisson.pmf(np.arange(len(share)), rate), abs=1e-15)


@pytest.mark.parametrize("n", [9, 30_000])
def test_a_seed_has_one_answer_on_any_number_of_processors(n, monkeypatch):
    control, treatment = seeded(2).exponential(size=(2, n))
    answers = []
    for processors in (1, 3):
        monkeypatch.setattr(_resample.os, "cpu_count", lambda count=processors: count)
        result = bootstrap_test(control, treatment, resamples=230, rng=seeded(5))
        answers.append((result.pvalue, tuple(result.interval()), tuple(result.relative())))
    assert answers[0] == answers[1]
    assert bootstrap_test(control, treatment, resamples=230, rng=seeded(6)).interval() != result.interval()


@pytest.mark.parametrize("method", METHODS)
def test_a_large_sample_agrees_with_welch(method):
    control, treatment = seeded(2).exponential(size=20_000), seeded(3).exponential(1.02, size=15_000)
    result = bootstrap_test(control, treatment, method=method, rng=seeded())
    expected = stats.ttest_ind(treatment, control, equal_var=False)
    error = (expected.confidence_interval().high - result.estimate) / 1.96
    assert result.stderr == pytest.approx(error, rel=0.08)
    assert list(result.interval()) == pytest.approx(list(expected.confidence_interval()), abs=0.25 * error)


def test_bca_is_near_to_scipys():
    control, treatment = seeded(2).exponential(size=40), seeded(3).exponential(size=25)
    for statistic in (np.mean, np.median):
        expected = stats.bootstrap(
            (treatment, control),
            lambda t, c, axis, statistic=statistic: statistic(t, axis=axis) - statistic(c, axis=axis),
            method="BCa",
            n_resamples=20_000,
            rng=seeded(),
        )
        own = "mean" if statistic is np.mean else statistic
        result = bootstrap_test(control, treatment, statistic=own, method="bca", resamples=20_000, rng=seeded())
        assert list(result.interval()) == pytest.approx(list(expected.confidence_interval), abs=0.15 * result.stderr)


def test_the_jackknife_of_the_mean_is_its_influence():
    plain = bootstrap_test(*MICE, method="bca", rng=seeded())
    by_jackknife = bootstrap_test(*MICE, method="bca", statistic=np.mean, rng=seeded())
    assert by_jackknife.effect.bend.acceleration == pytest.approx(plain.effect.bend.acceleration, rel=1e-12)


def test_a_ratio_with_equal_denominators_is_a_mean():
    for method in METHODS:
        mean = bootstrap_test(*MICE, method=method, rng=seeded())
        rows = [np.stack([values, np.full(len(values), 2.0)], axis=1) for values in MICE]
        ratio = bootstrap_test(*rows, statistic="ratio", method=method, rng=seeded())
        assert 2 * np.array([*ratio.interval()]) == pytest.approx(np.array([*mean.interval()]), rel=1e-9)


def test_clusters_are_the_ratio_of_their_sums():
    rng = seeded()
    labels = [rng.integers(0, 40, 300) + first for first in (0, 40)]
    values = [rng.normal(size=300) + shift[of % 40] for shift, of in zip(rng.normal(size=(2, 40)), labels, strict=True)]
    pairs = [
        np.stack([np.bincount(of % 40, y), np.bincount(of % 40)], axis=1) for of, y in zip(labels, values, strict=True)
    ]
    for method in METHODS:
        clustered = bootstrap_test(*values, clusters=tuple(labels), method=method, rng=seeded())
        ratio = bootstrap_test(*pairs, statistic="ratio", method=method, rng=seeded())
        assert (clustered.pvalue, clustered.interval()) == (ratio.pvalue, ratio.interval())
    assert clustered.stderr > 1.5 * bootstrap_test(*values, rng=seeded()).stderr


def test_the_linearised_error_of_a_ratio_is_the_draws_spread():
    rng = seeded()
    d = rng.integers(1, 9, (2, 4_000))
    rows = [np.stack([rng.poisson(0.3 * each), each], axis=1) for each in d]
    t = bootstrap_test(*rows, statistic="ratio", method="studentised", rng=seeded())
    plain = bootstrap_test(*rows, statistic="ratio", rng=seeded())
    assert list(t.interval()) == pytest.approx(list(plain.interval()), abs=0.2 * plain.stderr)


def test_the_relative_set_counts_shares():
    result = bootstrap_test([10, 12, 11, 13] * 20, [12, 13, 12, 15] * 20, null=relative(0.1), rng=seeded())
    low, high = result.relative(0.95)
    assert 0 < low < result.relative_estimate < high < 0.25
    assert result.relative(1 - result.pvalue + 1e-9).contains(0.1)


def test_draws_on_the_edge_bound_nothing():
    result = bootstrap_test(*MICE, resamples=100, rng=seeded())
    assert list(result.interval(0.99)) == [-math.inf, math.inf]
    assert math.isfinite(result.interval(0.95).low)
    assert result.with_null(1e6).pvalue == 2 / 101


@pytest.mark.parametrize("method", METHODS)
def test_constant_variants_are_no_evidence(method):
    for value in (0, 0.1, 1e9):
        result = bootstrap_test([value] * 5, [value + 1] * 4, method=method, rng=seeded())
        assert math.isnan(result.pvalue)
        assert "every resample gives the same difference" in result.reason
        json.dumps(result.to_dict(), allow_nan=False)


def test_a_bias_correction_that_is_infinite_has_a_name():
    def different_values(values, axis):
        return (np.diff(np.sort(values, axis=axis), axis=axis) > 0).sum(axis=axis)

    arms = [0.0] * 30, np.arange(30.0)  # no resample has 30 different values
    result = bootstrap_test(*arms, statistic=different_values, method="bca", rng=seeded())
    assert "BCa's bias correction is infinite" in result.reason
    json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_an_offset_costs_no_more_digits_than_it_must(method, offset):
    control, treatment = [np.array(values) + offset for values in MICE]
    here = bootstrap_test(control, treatment, method=method, rng=seeded())
    there = bootstrap_test(*MICE, method=method, rng=seeded())
    assert list(here.interval()) == pytest.approx(list(there.interval()), abs=1e-5)
    assert here.pvalue == there.pvalue


def poisson(values, first=0, **options):
    return PoissonBootstrap.from_rows(values, np.arange(first, first + len(values)), **({"seed": 4} | options))


def test_the_poisson_bootstrap_agrees_with_the_bootstrap():
    control, treatment = seeded(2).exponential(size=4_000), seeded(3).exponential(1.05, size=3_000)
    whole = bootstrap_test(control, treatment, rng=seeded())
    streamed = bootstrap_test(poisson(control), poisson(treatment, 10**6), rng=seeded())
    assert streamed.estimate == pytest.approx(whole.estimate, rel=1e-12)
    assert list(streamed.interval()) == pytest.approx(list(whole.interval()), abs=0.25 * whole.stderr)


def test_parts_of_units_in_any_order_are_the_whole():
    rng = seeded()
    units, values = rng.integers(-(2**62), 2**62, 600).repeat(3), rng.integers(0, 9, 1800) / 8
    order = rng.permutation(1800)
    whole = PoissonBootstrap.from_rows(values, units, seed=9, resamples=100)
    parts = [PoissonBootstrap.from_rows(values[i], units[i], seed=9, resamples=100) for i in np.split(order, 3)]
    merged = parts[0] + parts[1] + parts[2]
    assert (merged.n, merged.total) == (whole.n, whole.total)
    assert (merged.weights == whole.weights).all()
    assert (merged.sums == whole.sums).all()


def test_hashed_weights_are_independent_poisson_counts():
    drawn = PoissonBootstrap.from_rows(np.ones(1), np.array([17]), seed=2, resamples=400_000).weights
    counts = np.bincount(drawn.astype(int), minlength=9)[:9]
    expected = 400_000 * stats.poisson.pmf(np.arange(9), 1)
    assert stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), 9) > 1e-3
    other = PoissonBootstrap.from_rows(np.ones(1), np.array([18]), seed=2, resamples=400_000).weights
    assert abs(np.corrcoef(drawn, other)[0, 1]) < 4 / math.sqrt(400_000)
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 4 / math.sqrt(400_000)


def test_little_bootstraps_need_few_values_of_many():
    control, treatment = seeded(2).exponential(size=(2, 60_000))
    little = bootstrap_test(control, treatment, method="little", rng=seeded())
    assert little.stderr == pytest.approx(math.sqrt(2 / 60_000), rel=0.1)


PAIR = ([1.0, 2.0], [2.0, 4.0])
REFUSED = [
    (PAIR, {"clusters": ([1, 2], [2, 3])}, ValueError, "`clusters` must each be in one variant; got 2 in both."),
    (([1e200, 2.0], [1.0, 2.0]), {}, ValueError, "`control` must be at most 1e.150 in size"),
    (PAIR, {"clusters": [1, 2, 3]}, TypeError, "`clusters` must be a pair"),
    (([1.0], [2.0, 3.0]), {}, ValueError, "`control` must have at least 2 units; got 1."),
    (PAIR, {"clusters": ([1, 1], [2, 3])}, ValueError, "`control` must have at least 2 clusters; got 1."),
    (PAIR, {"clusters": ([1], [2, 3])}, ValueError, "`clusters` must have a label for each row of control"),
    (PAIR, {"method": "normal"}, ValueError, "`method` must be one of 'percentile'"),
    (PAIR, {"statistic": "median"}, ValueError, "`statistic` must be one of 'mean', 'ratio'"),
    (PAIR, {"statistic": "ratio"}, ValueError, "`control` must have 2 dimension"),
    (PAIR, {"resamples": 99}, ValueError, "`resamples` must be at least 100; got 99."),
    (PAIR, {"rng": None}, TypeError, "`rng` must be a numpy.random.Generator; got None."),
    (
        PAIR,
        {"statistic": np.median, "method": "studentised"},
        ValueError,
        "`method` must be 'percentile', 'basic' or 'bca'",
    ),
    (
        PAIR,
        {"statistic": np.median, "clusters": ([1, 2], [3, 4])},
        ValueError,
        "`clusters` must be None for a callable",
    ),
    (
        PAIR,
        {"method": "bca", "null": relative(0.1)},
        ValueError,
        "`null` must be a number: method 'bca' has no relative",
    ),
    (PAIR, {"statistic": lambda v, axis: 1.0}, ValueError, "`statistic` must give one number for each sample"),
    (PAIR, {"statistic": lambda v, axis: v.mean(axis) * math.inf}, ValueError, "`statistic` must be finite for every"),
    (([[1, 2, 3]], [[1, 2, 3]]), {"statistic": "ratio"}, ValueError, "`control` must have 2 columns"),
    (([[1, 0], [2, 0]], [[1, 2], [3, 4]]), {"statistic": "ratio"}, ValueError, "`control` must have denominators"),
    (([[1, 0], [2, 1]], [[1, 2], [3, 4]]), {"statistic": "ratio"}, ValueError, "`control` must have more units with"),
    ((poisson([1.0] * 9), [1.0, 2.0]), {}, ValueError, "`rows` of a PoissonBootstrap must be at least 50"),
    ((poisson([1.0] * 90), [1.0, 2.0]), {"method": "bca"}, ValueError, "`method` must be 'percentile' or 'basic'"),
    ((poisson([1.0] * 90), [1.0, 2.0]), {"resamples": 300}, ValueError, "`treatment` must have the control's number"),
]


@pytest.mark.parametrize(("arms", "options", "error", "message"), REFUSED)
def test_what_cannot_be_tested_is_refused(arms, options, error, message):
    with pytest.raises(error, match=message):
        bootstrap_test(*arms, **{"rng": seeded(), **options})


def test_parts_of_different_seeds_are_not_added():
    with pytest.raises(ValueError, match="`other` must have the same seed"):
        poisson([1.0, 2.0]) + poisson([1.0], seed=5)
    with pytest.raises(TypeError, match="`units` must be a whole number for each row"):
        PoissonBootstrap.from_rows([1.0], ["a"], seed=1)
