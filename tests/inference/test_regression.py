"""Regression with robust errors against R, statsmodels and dense matrices; its laws; a real experiment's log."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import abkit as ab
from abkit import CoMoments, Moments, regression_test, welch_test
from abkit.errors import AccuracyWarning
from tests.golden.read import cases

pytestmark = pytest.mark.filterwarnings("ignore::abkit.errors.AccuracyWarning")

DATA = Path(__file__).parents[3] / "shared" / "data"
SEEDS = st.integers(0, 10**6)
ROBUST = ["HC0", "HC1", "HC2", "HC3", "CR0", "CR1", "CR2"]


def split(values, treated):
    values, treated = np.asarray(values), np.asarray(treated, dtype=bool)
    return values[~treated], values[treated]


def data(seed, n=40, k=2, clusters=9, strata=3):
    """Rows in quarters, so that they are exact at an offset, with clusters and strata that cross the variants."""
    rng = np.random.default_rng(seed)
    treated = np.arange(n) % 5 < 2
    cluster, stratum = rng.permutation(np.arange(n) % clusters), rng.integers(0, strata, n)
    x = np.round(4 * rng.normal(2, 3, (n, k))) / 4
    y = np.round(4 * (5 + x.sum(axis=1) * (1 + treated) + stratum + rng.normal(size=n) * (1 + treated))) / 4
    rows = np.column_stack([y, x])
    return split(rows, treated), split(cluster, treated), split(stratum, treated)


def numbers(result):
    effect = result.effect
    return [effect.control, effect.treatment, effect.var_control, effect.var_treatment, effect.covariance, effect.df]


def answer(arms, clusters, strata, covariance, **keywords):
    clusters = clusters if covariance.startswith("CR") else None
    return regression_test(*arms, covariance=covariance, clusters=clusters, strata=strata, **keywords)


@pytest.mark.parametrize(
    "case", cases("cluster_regression"), ids=lambda c: f"{c['name']}, {c['interactions']}, {c['strata']}"
)
def test_means_their_covariance_and_degrees_of_freedom_are_those_of_r(case):
    treated = np.arange(len(case["rows"])) >= case["n_control"]
    arms, clusters, strata = (split(case[key], treated) for key in ("rows", "clusters", "stratum"))
    strata = strata if case["strata"] == "TRUE" else None
    for fit in case["fits"]:
        result = answer(arms, clusters, strata, fit["covariance"], interactions=case["interactions"] == "TRUE")
        expected = [*fit["means"], *np.array(fit["matrix"])[[0, 3, 1]], fit["df"]]
        scale = max(fit["matrix"])
        assert numbers(result) == pytest.approx(expected, rel=1e-9, abs=1e-11 * scale), fit["covariance"]


@pytest.mark.parametrize("expected", cases("cluster_regression", "lin"), ids=lambda e: e["covariance"])
def test_lins_estimator_is_that_of_estimatr(expected):
    case = cases("cluster_regression")[1]
    treated = np.arange(len(case["rows"])) >= case["n_control"]
    arms, clusters = split(case["rows"], treated), split(case["clusters"], treated)
    result = answer(arms, clusters, None, expected["covariance"])
    assert (result.estimate, result.stderr) == pytest.approx((expected["estimate"], expected["stderr"]), rel=1e-11)
    if expected["covariance"] == "CR2":  # for HC2 estimatr takes n - p
        assert (result.df, result.pvalue) == pytest.approx((expected["df"], expected["pvalue"]), rel=1e-9)


@pytest.mark.parametrize("case", cases("robust_regression"), ids=lambda c: f"{c['interactions']}, {c['strata']}")
def test_estimates_errors_and_pvalues_are_those_of_statsmodels(case):
    arms, clusters, strata = (split(case[key], case["treated"]) for key in ("rows", "cluster", "stratum"))
    strata = strata if case["strata"] else None
    for fit in case["fits"]:
        result = answer(arms, clusters, strata, fit["covariance"], interactions=case["interactions"])
        assert (result.estimate, result.stderr) == pytest.approx((fit["estimate"], fit["stderr"]), rel=1e-11)
        if fit["covariance"] != "HC2":  # statsmodels takes n - p
            assert result.pvalue == pytest.approx(fit["pvalue"], rel=1e-9)


def dense(arms, clusters, strata, *, interactions):
    """CR2 of the effect with its degrees of freedom, from matrices as large as the data."""
    rows, cluster = np.concatenate(arms), np.concatenate(clusters)
    treated = np.arange(len(rows)) >= len(arms[0])
    x = rows[:, 1:] - rows[:, 1:].mean(axis=0)
    stratum = np.concatenate(strata)
    dummies = (stratum[:, None] == np.unique(stratum)[1:]).astype(float)
    design = np.column_stack(
        [np.ones(len(rows)), treated, x, *([treated[:, None] * x] if interactions else []), dummies]
    )
    bread = np.linalg.pinv(design.T @ design, rcond=1e-12)
    hat = design @ bread @ design.T
    rest, weights, adjusted = np.eye(len(rows)) - hat, design @ bread[:, 1], []
    for label in np.unique(cluster):
        own = cluster == label
        values, vectors = np.linalg.eigh(rest[np.ix_(own, own)])
        root = np.where(values > 1e-10, np.abs(values), np.inf) ** -0.5
        adjusted.append(np.zeros(len(rows)))
        adjusted[-1][own] = vectors * root @ vectors.T @ weights[own]
    p = np.array(adjusted)
    between = p @ rest @ p.T
    variance = ((p @ rest @ rows[:, 0]) ** 2).sum()
    return float(bread[1] @ design.T @ rows[:, 0]), math.sqrt(variance), np.trace(between) ** 2 / (between**2).sum()


@given(SEEDS, st.booleans(), st.sampled_from([1, 3, 6]), st.sampled_from([5, 9, 30]))
def test_cr2_from_small_matrices_is_that_of_large_ones(seed, interactions, strata, clusters):
    arms, labels, groups = data(seed, clusters=clusters, strata=strata)
    result = regression_test(*arms, interactions=interactions, clusters=labels, strata=groups)
    expected = dense(arms, labels, groups, interactions=interactions)
    assert (result.estimate, result.stderr, result.df) == pytest.approx(expected, rel=1e-7)


def test_cr2_where_strata_lie_within_clusters_and_clusters_are_strata():
    arms, (c, t), _ = data(3)
    for groups in ((c, t), (c // 2, t // 2), (10 * c + np.arange(len(c)) % 2, 10 * t + np.arange(len(t)) % 2)):
        result = regression_test(*arms, clusters=(c, t), strata=groups)
        expected = dense(arms, (c, t), groups, interactions=True)
        assert (result.estimate, result.stderr, result.df) == pytest.approx(expected, rel=1e-9)


@given(SEEDS, st.sampled_from(["HC0", "HC1", "HC2"]), st.booleans())
def test_rows_that_are_their_own_clusters_are_independent(seed, covariance, interactions):
    arms, _, strata = data(seed)
    own = np.arange(len(arms[0])), 1000 + np.arange(len(arms[1]))
    a = answer(arms, None, strata, covariance, interactions=interactions)
    b = answer(arms, own, strata, covariance.replace("HC", "CR"), interactions=interactions)
    assert numbers(a)[:5] == pytest.approx(numbers(b)[:5], rel=1e-9, abs=1e-13)
    if covariance == "HC2":
        assert a.df == pytest.approx(b.df, rel=1e-9)
    else:
        assert (a.df, b.df) == (40 - (6 + 2 * interactions), 39)


@given(SEEDS, st.sampled_from(ROBUST), st.booleans(), st.booleans())
def test_the_offset_and_the_unit_of_a_covariate_and_of_the_outcome_are_irrelevant(seed, covariance, interactions, use):
    arms, clusters, strata = data(seed)
    strata = strata if use else None
    a = answer(arms, clusters, strata, covariance, interactions=interactions)
    moved = [(rows + np.array([0, 1e9, -1e6])) * [0.5, 2.0**20, 2.0**-20] for rows in arms]
    b = answer(moved, clusters, strata, covariance, interactions=interactions)
    assert (2 * b.estimate, 2 * b.stderr, b.df) == pytest.approx((a.estimate, a.stderr, a.df), rel=1e-9)
    far = answer(
        [rows + np.array([1e9, 0, 0]) for rows in arms], clusters, strata, covariance, interactions=interactions
    )
    assert far.stderr == pytest.approx(a.stderr, rel=1e-9)
    assert far.estimate == pytest.approx(a.estimate, abs=1e-6)  # means near 1e9 have seven decimals


@given(SEEDS, st.sampled_from(ROBUST), st.booleans(), st.sampled_from([0.0, 1.0, ab.relative(0.1)]))
def test_swapping_the_variants_mirrors_the_answer(seed, covariance, interactions, null):
    (c, t), clusters, strata = data(seed)
    a = answer((c, t), clusters, strata, covariance, interactions=interactions)
    b = answer((t, c), clusters[::-1], strata[::-1], covariance, interactions=interactions)
    swapped = np.array(numbers(b))[[1, 0, 3, 2, 4, 5]]
    assert numbers(a) == pytest.approx(list(swapped), rel=1e-8, abs=1e-12)
    assert a.interval(0.9).contains(1.0) == (a.with_null(1.0).pvalue >= 0.1)
    share = a.with_null(null)
    region = a.relative(0.9) if isinstance(null, type(ab.relative(0.1))) else a.interval(0.9)
    value = null.value if isinstance(null, type(ab.relative(0.1))) else null
    assert region.contains(value) == (share.pvalue >= 0.1)


@given(SEEDS, st.sampled_from(ROBUST))
def test_the_order_of_rows_and_the_names_of_labels_are_irrelevant(seed, covariance):
    (c, t), clusters, strata = data(seed)
    rng = np.random.default_rng(seed)
    orders = rng.permutation(len(c)), rng.permutation(len(t))
    a = answer((c, t), clusters, strata, covariance)
    shuffled = [
        [part[order] for part, order in zip(parts, orders, strict=True)] for parts in ((c, t), clusters, strata)
    ]
    shuffled[1] = [[f"cluster {label}" for label in part] for part in shuffled[1]]
    shuffled[2] = [(part - 7) * 10**12 for part in shuffled[2]]
    b = answer(*shuffled, covariance)
    assert numbers(b) == pytest.approx(numbers(a), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("kind", ["U", "O", "bool", "float", "uint8", "int64", "M8[D]"])
def test_labels_may_be_of_any_type(kind):
    arms, clusters, strata = data(1)
    expected = regression_test(*arms, clusters=clusters, strata=[part == 0 for part in strata])
    clusters = [part.astype("bool" if kind == "bool" else "int64").astype(kind) for part in clusters]
    strata = [(part == 0).astype("int64").astype(kind) for part in strata]
    result = regression_test(*arms, clusters=clusters, strata=strata)
    if kind != "bool":
        assert numbers(result) == pytest.approx(numbers(expected), rel=1e-9)
    assert result.stderr > 0


@given(SEEDS)
def test_without_covariates_hc2_has_the_standard_error_of_welch(seed):
    (c, t), _, _ = data(seed, k=0)
    a, b = regression_test(c[:, 0], t[:, 0]), welch_test(c[:, 0], t[:, 0])
    assert (a.estimate, a.stderr) == pytest.approx((b.estimate, b.stderr), rel=1e-13)
    of_statistics = regression_test(Moments.from_sample(c[:, 0]), Moments.from_sample(t[:, 0]))
    assert of_statistics == replace(a, caution=None)
    assert a.method == "regression, HC2"


@given(SEEDS, st.sampled_from(ROBUST[:4]))
def test_without_covariates_co_moments_are_enough(seed, covariance):
    (c, t), _, _ = data(seed, k=0)
    one = [np.zeros(len(arm)) for arm in (c, t)]
    a = regression_test(c, t, covariance=covariance)
    b = regression_test(c, t, covariance=covariance, strata=one)  # by way of the rows
    assert numbers(a) == pytest.approx(numbers(b), rel=1e-9, abs=1e-14)


@given(SEEDS, st.booleans())
def test_co_moments_give_the_classical_errors_of_the_rows(seed, interactions):
    (c, t), _, _ = data(seed)
    names = ["y", "x1", "x2"]
    summaries = [CoMoments.from_sample(rows, names) for rows in (c, t)]
    of_moments = regression_test(*summaries, covariance="classical", interactions=interactions)
    one = [np.zeros(len(arm)) for arm in (c, t)]
    of_rows = regression_test(c, t, covariance="classical", interactions=interactions, strata=one)
    assert numbers(of_moments) == pytest.approx(numbers(of_rows), rel=1e-9, abs=1e-13)


@given(SEEDS)
def test_the_linearised_error_adds_that_of_the_covariates_means(seed):
    arms, _, _ = data(seed, n=4000)
    a, b = regression_test(*arms, covariance="linearised"), regression_test(*arms)
    summaries = [CoMoments.from_sample(rows, ["y", "x1", "x2"]) for rows in arms]
    assert regression_test(*summaries).estimate == a.estimate
    assert regression_test(*summaries).method == "regression, linearised"
    assert a.estimate == pytest.approx(b.estimate, rel=1e-9)
    slopes = [np.linalg.lstsq(np.c_[np.ones(len(r)), r[:, 1:]], r[:, 0], rcond=None)[0][1:] for r in arms]
    gap, x = slopes[1] - slopes[0], np.concatenate(arms)[:, 1:]
    assert a.stderr**2 == pytest.approx(b.stderr**2 + gap @ np.cov(x.T) @ gap / 4000, rel=0.01)


@given(SEEDS, st.booleans(), st.sampled_from(ROBUST))
def test_covariates_that_repeat_others_or_are_constant_change_nothing(seed, interactions, covariance):
    arms, clusters, strata = data(seed)
    more = [np.column_stack([rows, 3 - 2 * rows[:, 1] + rows[:, 2], np.full(len(rows), 0.1)]) for rows in arms]
    a = answer(arms, clusters, strata, covariance, interactions=interactions)
    b = answer(more, clusters, strata, covariance, interactions=interactions)
    assert numbers(b) == pytest.approx(numbers(a), rel=1e-8, abs=1e-12)


def test_a_covariate_that_is_constant_within_strata_gives_way_to_them():
    arms, clusters, strata = data(5)
    more = [np.column_stack([rows, 0.1 * group]) for rows, group in zip(arms, strata, strict=True)]
    a, b = (answer(x, clusters, strata, "CR2", interactions=False) for x in (arms, more))
    assert numbers(b) == pytest.approx(numbers(a), rel=1e-9)


def test_a_stratum_of_one_variant_says_nothing_of_the_effect():
    (c, t), _, (sc, st_) = data(6, k=0)
    alone = np.column_stack([np.arange(5.0)])
    a = regression_test(c, t, strata=(sc, st_))
    b = regression_test(np.concatenate([c, alone]), t, strata=(np.concatenate([sc, np.full(5, 99)]), st_))
    assert (b.estimate, b.stderr) == pytest.approx((a.estimate, a.stderr), rel=1e-9)
    assert b.control != pytest.approx(a.control)


def test_an_exact_fit_is_undefined_and_leaks_no_warning():
    x = np.arange(12.0)
    arms = np.column_stack([2 * x + 1, x]), np.column_stack([2 * x + 4, x])
    for covariance in ROBUST:
        result = answer(arms, (x // 3, 10 + x // 3), None, covariance)
        assert result.reason is not None
        assert "variance is zero" in result.reason
        assert result.to_dict()["pvalue"] is None
    constant = np.full((5, 2), 0.1)
    assert regression_test(constant, constant).reason is not None


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"covariance": "HC9"}, "`covariance` must be one of"),
        ({"covariance": "CR2"}, "`clusters` must be given"),
        ({"covariance": "HC2", "clusters": ([1, 2, 3, 4], [5, 6, 7, 8])}, "`covariance` with `clusters` must be one"),
        ({"clusters": ([1, 2, 3, 4], [5, 5, 5, 5])}, "`clusters` must be at least 2 in each variant; got 1 in the tr"),
        ({"clusters": ([1, 2, 3], [5, 5, 6, 6])}, "`clusters` must hold one label a row, 4"),
        ({"clusters": ([1, 2, 3, None], [5, 5, 6, 6])}, "`clusters` must have a label for every row; got 1"),
        ({"clusters": ([1, 2, 3, math.nan], [5, 5, 6, 6.0])}, "`clusters` must have a label for every row; got 1"),
        ({"strata": ([1, 1, 1, 1], [2, 2, 2, 2])}, "`treatment` must differ from `control`"),
        ({"strata": ([1, 1, 1, 1], [1, 1, 1, 1]), "covariance": "linearised"}, "`covariance` must be another"),
        ({"interactions": False, "covariance": "linearised"}, "`interactions` must be True"),
        ({"strata": ([1, 2, 3, 4], [1, 2, 3, 5])}, "`control` and `treatment` must have more rows than the regression"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_by_name(keywords, message):
    control, treatment = [[1.0, 2], [2, 4], [3, 3], [5, 1]], [[2.0, 3], [4, 4], [4, 1], [3, 2]]
    with pytest.raises(ValueError, match=message):
        regression_test(control, treatment, **keywords)


def test_labels_of_other_shapes_and_types_are_refused():
    rows = [[1.0], [2.0], [4.0]]
    for labels in ("ab", ([1, 2, 3],), 7, {1: 2}):
        with pytest.raises(TypeError, match="`clusters` must be a pair"):
            regression_test(rows, rows, clusters=labels)
    with pytest.raises(TypeError, match="labels of one type"):
        regression_test(rows, rows, clusters=([1, 2, 3], ["1", "2", "3"]))
    with pytest.raises(TypeError, match="`interactions` must be True or False"):
        regression_test(rows, rows, interactions=1)


def test_labels_of_two_types_are_matched_without_rounding():
    arms, (c, t), _ = data(1, clusters=6)
    expected = numbers(regression_test(*arms, clusters=(c, t)))
    large = 2**60
    for first, second in (
        (c.astype(object), t),
        (c + large, (t + large).astype(np.uint64)),
        (c.astype(float), t),
        (pd.Series(c).astype("category"), list(t)),
        (pd.Series(c, dtype="Int64"), t),
    ):
        result = regression_test(*arms, clusters=(first, second))
        assert numbers(result) == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ValueError, match="`clusters` must have a label for every row; got 1"):
        regression_test(*arms, clusters=(pd.Series([None, *c[1:]], dtype="Int64"), t))


def test_a_cluster_of_very_many_strata_is_refused():
    i = np.arange(8400)
    y = np.random.default_rng(1).normal(size=8400)
    arms, clusters, strata = (split(part, i % 2) for part in (y, i // 2 % 2, i // 4))
    with pytest.raises(
        ValueError, match="`strata` must be at most 2000 in a cluster with `covariance` 'CR2'; got 2100"
    ):
        regression_test(*arms, clusters=clusters, strata=strata)
    assert regression_test(*arms, clusters=clusters, strata=strata, covariance="CR1").stderr > 0


def test_co_moments_refuse_what_needs_rows():
    summary = CoMoments.from_sample([[1, 2], [2, 4], [3, 3]], ["y", "x"])
    for covariance in ROBUST[:4]:
        with pytest.raises(ValueError, match="`covariance` must be 'classical', or 'linearised'"):
            regression_test(summary, summary, covariance=covariance)
    with pytest.raises(ValueError, match="HC2 needs the residual of every unit"):
        regression_test(summary, summary, interactions=False)
    for name in ("clusters", "strata"):
        with pytest.raises(ValueError, match=f"`{name}` must label rows"):
            regression_test(summary, summary, **{name: ([1, 2, 3], [1, 2, 3])})
    other = CoMoments.from_sample([[1, 2], [2, 4], [3, 3]], ["y", "z"])
    with pytest.raises(ValueError, match="`treatment` must hold the variables of `control`"):
        regression_test(summary, other)


def test_a_covariate_that_does_not_vary_within_a_variant_is_refused_where_it_has_no_slope():
    varying, constant = [[1.0, 2], [2, 4], [3, 3], [5, 1]], [[2.0, 3], [4, 3], [4, 3], [3, 3]]
    for covariance in ("HC2", "classical"):
        with pytest.raises(ValueError, match="`treatment` must differ from `control`"):
            regression_test(varying, constant, covariance=covariance)
        assert regression_test(varying, constant, covariance=covariance, interactions=False).stderr > 0
        with pytest.raises(ValueError, match="`treatment` must differ from `control`"):
            regression_test(
                [[1.0, 0], [2, 0], [3, 0]], [[1.0, 1], [2, 1], [4, 1]], covariance=covariance, interactions=False
            )


def test_a_variant_without_residuals_of_its_own_is_refused():
    many, two = [[1.0, 2], [2, 4], [3, 3], [5, 1]], [[1.0, 2], [2, 4]]
    with pytest.raises(ValueError, match="`treatment` must have more rows than coefficients of its own; got 2"):
        regression_test(many, two)
    with pytest.raises(ValueError, match="`control` must have at least 2 units"):
        regression_test([[1.0, 2]], two)


def test_few_clusters_bring_a_caution():
    arms, clusters, _ = data(4)
    with pytest.warns(AccuracyWarning, match="CR1 with 9 clusters, 6 in the smaller variant"):
        regression_test(*arms, clusters=clusters, covariance="CR1")
    few = [part % 3 for part in clusters]
    with pytest.warns(AccuracyWarning, match="degrees of freedom"):
        caution = regression_test(*arms, clusters=few).caution
    assert caution is not None
    arms, clusters, _ = data(4, n=400, clusters=100)
    assert regression_test(*arms, clusters=clusters).caution is None


# Gerber, Green and Larimer 2008, American Political Science Review 102(1), Table 3: effects with standard errors
# clustered by household, without and with an intercept a block and past votes; both print the same three decimals
PUBLISHED = {"Civic Duty": 0.018, "Hawthorne": 0.026, "Self": 0.049, "Neighbors": 0.081}
# Python 3.11, statsmodels 0.15.0, the control and one letter: OLS(primary_06, [1, letter]).fit(cov_type="cluster",
# cov_kwds={"groups": household}), then groups=block; then with past votes among the regressors, by household; then
# all columns less their means by block, by household with use_correction=False
OF_STATSMODELS = {
    "Civic Duty": (
        (0.017899344084858004, 0.003236619360638453, 0.0031185392814193167),
        (0.0178975383864197, 0.003117557325599432),
        (0.018378799332846432, 0.0028593070710997035),
    ),
    "Hawthorne": (
        (0.02573631212835331, 0.003257885740551885, 0.003130960573454481),
        (0.024605432469818184, 0.003131571355054896),
        (0.02496999673099607, 0.0028482799740997093),
    ),
    "Self": (
        (0.04851319096329206, 0.0033000122457045155, 0.0032021489904716424),
        (0.04785442496779123, 0.003175915212909138),
        (0.04813851872898342, 0.002899774286973598),
    ),
    "Neighbors": (
        (0.08130991292051594, 0.0033695474210769165, 0.0033138370281844717),
        (0.08071899772705715, 0.0032302626301477884),
        (0.0815997094702993, 0.00295711513435033),
    ),
}


@given(SEEDS, st.sampled_from([1e6, -1e9]), st.sampled_from(ROBUST))
def test_one_outlier_among_the_covariates_hides_nothing_of_the_other_variant(seed, outlier, covariance):
    (c, t), clusters, _ = data(seed, k=1)
    c[0, 1] = outlier
    result = answer((c, t), clusters, None, covariance)
    means = [arm[:, 1].mean() for arm in (c, t)]
    pooled = (24 * means[0] + 16 * means[1]) / 40
    lines = [np.polyfit(arm[:, 1] - mean, arm[:, 0], 1) for arm, mean in zip((c, t), means, strict=True)]
    expected = [line[1] + line[0] * (pooled - mean) for line, mean in zip(lines, means, strict=True)]
    assert (result.control, result.treatment) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_what_is_refused_does_not_depend_on_the_unit(unit):
    varying, constant = np.array([[1.0, 2], [2, 4], [3, 3], [5, 1]]), np.array([[2.0, 3], [4, 3], [4, 3], [3, 3]])
    for offset in (0, 1e6):
        arms = [(rows + np.array([0, offset])) * [1, unit] for rows in (varying, constant)]
        with pytest.raises(ValueError, match="`treatment` must differ from `control`"):
            regression_test(*arms)


@pytest.mark.parametrize("column", [0, 1])
def test_values_whose_squares_overflow_are_refused(column):
    (c, t), _, _ = data(1, k=1)
    factor = np.where(np.arange(2) == column, 1e160, 1.0)
    with pytest.raises(ValueError, match=r"`control` must be at most .* in size, so that squares add up"):
        regression_test(c * factor, t * factor)
    small = regression_test(c * factor**-0.9, t * factor**-0.9)
    assert small.pvalue == pytest.approx(regression_test(c, t).pvalue, rel=1e-9)


@pytest.fixture(scope="module")
def letters():
    """The rows, households and blocks of each letter and of the control."""
    log = pd.read_csv(DATA / "gotv_michigan_2006.csv.gz")
    votes = ["primary_06", "primary_00", "general_00", "primary_02", "general_02", "primary_04"]
    groups = log.groupby("treatment")
    return {k: (g[votes].to_numpy(float), g["household"].to_numpy(), g["cluster"].to_numpy()) for k, g in groups}


@pytest.mark.parametrize("letter", PUBLISHED)
def test_rows_of_a_real_log_by_household_and_by_block(letters, letter):
    rows, households, blocks = zip(letters["No Postcard"], letters[letter], strict=True)
    turnout = [part[:, 0] for part in rows]
    plain, votes, within = OF_STATSMODELS[letter]
    result = regression_test(*turnout, clusters=households, covariance="CR1")
    assert (round(result.estimate, 3), round(result.stderr, 3)) == (PUBLISHED[letter], 0.003)
    assert (result.estimate, result.stderr) == pytest.approx(plain[:2], rel=1e-10)
    by_block = regression_test(*turnout, clusters=blocks, covariance="CR1")
    assert (by_block.estimate, by_block.stderr) == pytest.approx((plain[0], plain[2]), rel=1e-10)
    adjusted = regression_test(*rows, clusters=households, covariance="CR1", interactions=False)
    assert (adjusted.estimate, adjusted.stderr) == pytest.approx(votes, rel=1e-10)
    keywords = {"clusters": households, "strata": blocks, "interactions": False}
    fixed = regression_test(*rows, covariance="CR0", **keywords)
    assert (fixed.estimate, fixed.stderr) == pytest.approx(within, rel=1e-10)


def test_small_sample_corrections_are_small_in_a_large_log(letters):
    rows, households, blocks = zip(letters["No Postcard"], letters["Neighbors"], strict=True)
    turnout = [part[:, 0] for part in rows]
    a = regression_test(*turnout, clusters=households)
    assert a.method == "regression, CR2"
    assert a.stderr == pytest.approx(OF_STATSMODELS["Neighbors"][0][1], rel=1e-4)
    assert 20_000 < a.df < 30_000  # households in the smaller variant, more than a fifth of all
    unclustered = welch_test(*turnout)
    assert a.stderr / unclustered.stderr == pytest.approx(1.24, abs=0.02)
    b = regression_test(*rows, clusters=households, strata=blocks, interactions=False)
    assert round(b.estimate, 3) in (0.081, 0.082)
    assert round(b.stderr, 3) == 0.003
