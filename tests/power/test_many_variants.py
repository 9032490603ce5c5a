"""Several treatments and one control, against mvtnorm, published tables, and `adjust` itself."""

from __future__ import annotations

import numpy as np
import pytest

import abkit as ab
from abkit.power._many_variants import _Way, critical_of_many
from tests.golden.read import cases

MVTNORM = cases("power_many_variants")


@pytest.mark.parametrize("case", MVTNORM, ids=[f"{c['k']}-{c['ratio']}-{c['sides']}-{c['df']}" for c in MVTNORM])
def test_as_mvtnorm(case):
    alternative = "two-sided" if case["sides"] == 2 else "greater"
    share, df = case["ratio"] / (1 + case["ratio"]), case["df"] or np.inf
    scale = case["bound"] / critical_of_many(case["k"], share, df, alternative, 0.05, "dunnett")
    for name, moved in (("any", case["k"]), ("each", 1), ("all", case["k"])):
        way = _Way(case["k"], moved, name == "all", alternative, "dunnett")
        found = way.power(case["drift"], scale, df, share, share, 0.05)
        # "each" is R's noncentral t; "all" adds up several of mvtnorm's numbers
        assert found == pytest.approx(case[name], abs={"any": 2e-5, "each": 1e-10, "all": 2e-4}[name])


@pytest.mark.parametrize(
    ("k", "df", "alternative", "published"),
    [
        (2, np.inf, "two-sided", 2.21),
        (4, 20, "two-sided", 2.65),
        (3, 10, "greater", 2.34),
        (9, np.inf, "greater", 2.42),
    ],
)
def test_published_critical_values(k, df, alternative, published):
    """Dunnett 1955, table 1a (one-sided), and 1964, Biometrics 20, table II (two-sided): alpha 0.05, equal sizes."""
    assert critical_of_many(k, 0.5, df, alternative, 0.05, "dunnett") == pytest.approx(published, abs=0.0051)


@pytest.mark.parametrize("test", ["z", "student"])
@pytest.mark.parametrize("count", ["each", "any", "all"])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_any_two_give_the_third(test, count, alternative):
    common = {"treatments": 3, "sd": 1.0, "count": count, "test": test, "alternative": alternative}
    mde = -0.6 if alternative == "less" else 0.6
    size = ab.power.many_variants(mde=mde, power=0.8, **common)
    assert ab.power.many_variants(n=size.n_control, mde=mde, **common).power == pytest.approx(0.8, abs=1e-10)
    effect = ab.power.many_variants(n=40, power=0.8, **common)
    assert ab.power.many_variants(n=40, mde=effect.mde, **common).power == pytest.approx(0.8, abs=1e-10)


def test_one_treatment_is_the_test_of_two_means():
    common = {"mde": 0.3, "sd": 1.0, "sd_treatment": 1.4, "power": 0.9, "ratio": 0.3, "alternative": "greater"}
    many = ab.power.many_variants(treatments=1, **common)
    assert many.n_control == pytest.approx(ab.power.two_means(test="z", **common).n_control, rel=1e-9)
    common["sd_treatment"] = 1.0
    many = ab.power.many_variants(treatments=1, test="student", **common)
    assert many.n_control == pytest.approx(ab.power.two_means(test="student", **common).n_control, rel=1e-9)


def test_the_best_allocation():
    common = {"treatments": 4, "mde": 0.2, "sd": 1.0, "power": 0.8}
    best = ab.power.many_variants(ratio="best", **common)
    assert best.n_control / best.n_treatment == pytest.approx(2.0)
    around = [ab.power.many_variants(ratio=ratio, **common).n_total for ratio in (0.4, 0.65, 1.0)]
    assert best.n_total < min(around)
    assert best.n_total == best.n_control + 4 * best.n_treatment


def test_dunnett_needs_fewer_than_bonferroni():
    sizes = [
        ab.power.many_variants(treatments=3, mde=0.2, sd=1.0, power=0.8, correction=correction).n_control
        for correction in ("none", "dunnett", "bonferroni")
    ]
    assert sizes == sorted(sizes)
    bonferroni = ab.power.two_means(mde=0.2, sd=1.0, power=0.8, alpha=0.05 / 3, test="z")
    assert sizes[2] == pytest.approx(bonferroni.n_control, rel=1e-9)


@pytest.mark.parametrize(("count", "with_effect"), [("each", 2), ("any", 2), ("all", 3)])
def test_simulated(count, with_effect):
    """Rejections by the critical value of `adjust`: the pooled t tests of few units."""
    k, n, ratio, runs = 3, 12, 0.5, 20_000
    n_t = int(n * ratio)
    planned = ab.power.many_variants(
        treatments=k, n=n, mde=1.5, sd=1.0, ratio=ratio, count=count, with_effect=with_effect, test="student"
    )
    rng = np.random.default_rng(5)
    control, treated = rng.standard_normal((runs, n)), rng.standard_normal((runs, k, n_t))
    treated[:, :with_effect] += 1.5
    df = n - 1 + k * (n_t - 1)
    pooled = ((n - 1) * control.var(axis=1, ddof=1) + (n_t - 1) * treated.var(axis=2, ddof=1).sum(axis=1)) / df
    gaps = treated.mean(axis=2) - control.mean(axis=1)[:, None]
    t = np.abs(gaps) / np.sqrt(pooled * (1 / n + 1 / n_t))[:, None]
    found = t > critical_of_many(k, ratio / (1 + ratio), df, "two-sided", 0.05, "dunnett")
    counted = {"each": found[:, 0], "any": found[:, :with_effect].any(axis=1), "all": found.all(axis=1)}[count]
    assert counted.mean() == pytest.approx(planned.power, abs=4 * 0.5 / np.sqrt(runs))


def test_what_is_planned_is_what_is_tested():
    """The bound of the plan is where `adjust` puts its p-value at alpha."""
    rng = np.random.default_rng(2)
    control, treated = rng.standard_normal(12), rng.standard_normal((3, 6))
    tests = [ab.student_test(control, treatment) for treatment in treated]
    adjusted = ab.adjust(tests, method="dunnett", alpha=0.05)
    bound = critical_of_many(3, 6 / 18, 26, "two-sided", 0.05, "dunnett")
    statistics = [abs(result.statistic) for result in adjusted.results]
    assert [p <= 0.05 for p in adjusted.pvalues] == [s >= bound for s in statistics]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"treatments": 0}, "`treatments` must be at least 1"),
        ({"with_effect": 4}, "`with_effect` must be at most 3"),
        ({"count": "some"}, "`count` must be one of"),
        ({"monitor": ab.AnytimeValid()}, "`hypothesis` and `monitor`"),
        ({"hypothesis": "equivalence", "margin": 0.1}, "`hypothesis` and `monitor`"),
    ],
)
def test_refused(given, message):
    with pytest.raises(ValueError, match=message):
        ab.power.many_variants(**{"treatments": 3, "n": 100, "mde": 0.5, "sd": 1.0, **given})
