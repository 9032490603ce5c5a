"""Revenue: known truth, wrong models that are refused, closed forms that draws must agree with."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from abkit._check import Float64Array
from abkit.errors import DataError
from abkit.mcmc._revenue_checks import lognormal_checks
from abkit.mcmc._revenue_data import make_spend, make_tail
from abkit.mcmc._revenue_models import pareto_quantile, pareto_random

QUIET = {"progress": False}


def lognormal(rng: np.random.Generator, n: int, share: float, mean: float, sd: float) -> Float64Array:
    return np.where(rng.random(n) < share, rng.lognormal(mean, sd, n), 0.0)


def pareto(rng: np.random.Generator, n: int, share: float, index: float) -> Float64Array:
    return np.where(rng.random(n) < share, 10 * (1 + rng.pareto(1 / index, n)), 0.0)


def test_a_sample_becomes_counts_and_moments_of_logs() -> None:
    spend = make_spend("control", [0, 0, 1.0, 2.0, 4.0, 8.0, 16.0, 0])
    logs = np.log([1.0, 2, 4, 8, 16])
    assert (spend.units, spend.payers, spend.mean) == (8, 5, 31 / 8)
    assert spend.log_mean == pytest.approx(logs.mean(), rel=1e-15)
    assert spend.log_m2 == pytest.approx(4 * logs.var(ddof=1), rel=1e-14)
    assert spend.stderr == pytest.approx(np.std([0, 0, 1, 2, 4, 8, 16, 0]) / np.sqrt(8), rel=1e-14)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, -2.0, 3.0, 4.0, 5.0, 6.0], "must not be negative; got -2"),
        ([0.0] * 50 + [1.0, 2.0], "at least 5 payers; got 2 among 52 units"),
        ([7.0] * 9, "payers that differ; all paid 7"),
        ([1.0, np.nan, 3.0], "must be finite"),
        ([], "at least 5 payers; got 0 among 0"),
    ],
)
def test_what_is_no_revenue_is_refused(values: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_spend("control", values)


@pytest.mark.parametrize(("payers", "rows"), [(40, 20), (150, 20), (500, 50), (60_000, 4000)])
def test_payments_are_cut_where_a_tenth_or_twenty_lie_above(payers: int, rows: int) -> None:
    spend = make_spend("control", np.random.default_rng(0).lognormal(0, 1, payers))
    tail = make_tail("control", spend)
    assert tail.excess.size == rows
    assert tail.excess[0] > 0
    rebuilt = (payers - rows) * tail.below_mean + (tail.excess + tail.threshold).sum()
    assert rebuilt == pytest.approx(spend.paid.sum(), rel=1e-12)


def test_payments_of_one_size_lie_on_one_side() -> None:
    tail = make_tail("control", make_spend("control", [10.0] * 60 + [20.0] * 30 + [30.0] * 5))
    assert (tail.threshold, tail.below_mean, tail.excess.size) == (10, 10, 35)
    assert tail.below_stderr == pytest.approx(10 / 60)


@pytest.mark.parametrize("values", [np.arange(1.0, 40), [10.0] * 60 + [20.0] * 61])
def test_too_few_large_payments_have_no_tail(values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"`control` must have a tail where `tail` is 'pareto': 20 payments"):
        make_tail("control", make_spend("control", values))


def test_the_tail_is_the_generalised_pareto() -> None:
    for index in (-0.2, 1e-9, 0.4):
        scale = 2.5
        q = np.array([0.01, 0.5, 0.999])
        ours = pareto_quantile(-np.log1p(-q), np.float64(index), np.float64(scale))  # type: ignore[arg-type]
        np.testing.assert_allclose(ours, stats.genpareto(index, scale=scale).ppf(q), rtol=1e-9)
    drawn = pareto_random(np.float64(0.3), np.float64(2.0), np.random.default_rng(0), 4000)  # type: ignore[arg-type]
    assert stats.kstest(drawn, stats.genpareto(0.3, scale=2.0).cdf).pvalue > 0.001


def test_replicated_order_statistics_are_those_of_replicated_rows() -> None:
    rng = np.random.default_rng(2)
    spends = (make_spend("c", rng.lognormal(1, 0.8, 400)), make_spend("t", rng.lognormal(1, 0.8, 400)))
    draws = {
        "share": np.full((50, 2), 0.9),
        "log_mean": np.full((50, 2), 1.0),
        "log_sd": np.full((50, 2), 0.8),
    }
    checks = {check.what: check for check in lognormal_checks(spends, draws, rng) if check.variant == "control"}
    rows = np.sort(rng.lognormal(1, 0.8, (20_000, 400)), axis=1)
    for what, rank in (
        ("the 50% quantile payment", 200),
        ("the 99% quantile payment", 396),
        ("the largest payment", 400),
    ):
        want = np.quantile(rows[:, rank - 1], [0.025, 0.975])
        np.testing.assert_allclose([checks[what].low, checks[what].high], want, rtol=0.05)


@pytest.mark.bayes
def test_lognormal_spend_is_recovered_and_agrees_with_its_closed_form() -> None:
    import abkit as ab

    rng = np.random.default_rng(5)
    control, treatment = lognormal(rng, 40_000, 0.05, 3.0, 1.0), lognormal(rng, 40_000, 0.06, 3.1, 1.0)
    fit = ab.bayes.revenue(control, treatment, rng=np.random.default_rng(1), **QUIET)
    assert fit.ok, fit.problems
    result = fit.test()
    truth = np.exp(0.5) * np.array([0.05 * np.exp(3.0), 0.06 * np.exp(3.1)])
    low, high = result.interval(0.99)  # type: ignore[misc]
    assert low < truth[1] - truth[0] < high
    assert result.pvalue < 0.01 < fit.test("spend").pvalue + 0.5
    assert fit.test("share").estimate == pytest.approx(0.01, abs=0.006)
    assert result.relative(0.99).contains(truth[1] / truth[0] - 1)
    # the normal and inverse gamma posterior, whose weak prior these payers outweigh
    spend = make_spend("control", control)
    variance = spend.log_m2 / rng.chisquare(spend.payers - 1, 200_000)
    direct = np.exp(rng.normal(spend.log_mean, np.sqrt(variance / spend.payers)) + variance / 2)
    drawn = fit.draws("spend", variant="control")
    assert drawn.mean() == pytest.approx(direct.mean(), rel=0.01)
    assert drawn.std() == pytest.approx(direct.std(), rel=0.15)
    assert fit.data["prior"]["mean"].shape == (1, 1000, 2)
    assert fit.data["posterior_predictive"]["payers"].shape == (4, 1000, 2)
    again = ab.bayes.revenue(control, treatment, rng=np.random.default_rng(1), **QUIET)
    assert again.test().estimate == result.estimate


@pytest.mark.bayes
def test_a_heavier_tail_is_refused_by_the_lognormal_and_recovered_by_the_pareto() -> None:
    import abkit as ab

    rng = np.random.default_rng(8)
    control, treatment = pareto(rng, 40_000, 0.05, 0.4), pareto(rng, 40_000, 0.05, 0.4)
    wrong = ab.bayes.revenue(control, treatment, rng=rng, **QUIET)
    assert wrong.diagnostics.problems == ()
    assert not wrong.ok
    assert "predictions of the model fail" in wrong.problems[0]
    assert "tail='pareto'" in str(wrong)
    with pytest.raises(DataError, match="A wrong tail gives a wrong mean"):
        wrong.test()
    fit = ab.bayes.revenue(control, treatment, rng=rng, tail="pareto", **QUIET)
    assert fit.ok, fit.problems
    truth = 0.05 * 10 * (1 + 0.4 / 0.6)
    for variant in ("control", "treatment"):
        drawn = fit.draws("mean", variant=variant)
        assert abs(drawn.mean() - truth) < 3.5 * drawn.std()
        assert 0.1 < fit.draws("tail_index", variant=variant).mean() < 0.7
    assert fit.test().interval(0.99).contains(0.0)
    assert set(fit.effects()) == {"mean", "share", "spend"}
    assert fit.test().method == "revenue, pareto: revenue of a unit"
    assert fit.test().caution is None
    heavy = [np.abs(rng.standard_cauchy(5_000)) for _ in range(2)]
    assert "rests on the prior" in str(ab.bayes.revenue(*heavy, rng=rng, tail="pareto", **QUIET).test().caution)


@pytest.mark.bayes
def test_a_wrong_word_is_refused_before_anything_is_compiled() -> None:
    import abkit as ab

    with pytest.raises(ValueError, match="`tail` must be one of"):
        ab.bayes.revenue([1.0], [2.0], rng=np.random.default_rng(0), tail="student")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="rng"):
        ab.bayes.revenue([1.0], [2.0], rng=0)  # type: ignore[arg-type]
