"""What a treatment with a stated effect would look like: its statistics have that effect, and what else they keep."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import abkit as ab
from abkit.adapters._analyze import read_statistics
from abkit.logs import Distribution, ThirdMoments
from abkit.metrics import KINDS, Metric
from abkit.suffstats import CoMoments, Counts

METRICS: dict[str, Metric] = {
    "mean": ab.Mean("revenue"),
    "mean, adjusted": ab.Mean("revenue", covariates=["before", ab.Sum("views")]),
    "mean, capped": ab.Mean("revenue", cap=ab.Cap(value=20.0)),
    "proportion": ab.Proportion("bought"),
    "proportion, adjusted": ab.Proportion("bought", covariates="before"),
    "ratio": ab.Ratio("revenue", "views"),
    "ratio, adjusted": ab.Ratio("revenue", ab.ROWS, covariates="before"),
    "count": ab.Count("orders"),
    "count, adjusted": ab.Count("orders", covariates="before"),
    "rate": ab.Rate("orders", "hours"),
    "rate, adjusted": ab.Rate("orders", "hours", covariates="before"),
    "trend": ab.Trend("revenue", day="day", days=3),
    "quantile of rows": ab.Quantile("revenue", 0.9),
    "quantile of units": ab.Quantile("revenue", 0.5, per="unit"),
}
PAIRED: dict[str, Metric] = {
    "paired": ab.Paired("revenue"),
    "paired ratio": ab.Paired("revenue", "views"),
    "paired proportion": ab.PairedProportion("bought"),
}
#: The control's value is zero, of which there is no share.
COMPARED: dict[str, Metric] = {"disagreement": ab.Disagreement("views", margin=0.5)}


def log(paired: bool) -> pd.DataFrame:
    """Three rows a unit, of users of whom each differs from the others; every third of a pair's rows is another."""
    rng = np.random.default_rng(8)
    user = np.repeat(np.arange(300), 4)
    level = rng.gamma(2.0, 1.0, 300)[user]
    row = np.tile(np.arange(4), 300)
    return pd.DataFrame(
        {
            "user": user,
            "variant": np.where((row if paired else user) % 2, "b", "a"),
            "revenue": np.round(level * rng.exponential(3.0, user.size), 2),
            "views": rng.poisson(3, user.size) + 1,
            "orders": rng.poisson(level / 4),
            "hours": rng.gamma(3.0, 1.0, user.size),
            "bought": rng.random(user.size) < 0.05,
            "before": np.repeat(rng.gamma(2.0, 1.0, 300), 4) + level,
            "day": row,
        }
    )


def statistics(metrics: dict[str, Metric], paired: bool) -> dict[str, CoMoments]:
    plan = ab.Experiment(unit="user", variant="variant", control="a", metrics=metrics)
    rows = log(paired).drop_duplicates(["user", "variant"]) if metrics is COMPARED else log(paired)
    return dict(read_statistics(rows, plan.request()).groups[-1].moments)


ALL = METRICS | PAIRED | COMPARED
FOUND = statistics(METRICS, paired=False) | statistics(PAIRED, paired=True) | statistics(COMPARED, paired=True)


def near(value: float, size: float) -> Any:
    return pytest.approx(value, rel=1e-12, abs=1e-12 * size)


def test_every_kind_is_tested() -> None:
    assert {metric.kind for metric in ALL.values()} == set(KINDS)


@pytest.mark.parametrize("name", ALL)
@given(share=st.floats(-0.4, 0.4), relative=st.booleans())
@settings(max_examples=30)
def test_the_effect_is_the_one_that_was_asked_for(name: str, share: float, relative: bool) -> None:
    metric, moments = ALL[name], FOUND[name]
    value = metric.values(moments, moments)[0]
    effect = ab.relative(share) if relative and value else share * abs(value)
    treatment = metric.shifted(moments, effect)
    found = metric.effect(moments, treatment)[1]
    assert found.estimate == near(share * abs(value), abs(value))
    assert (type(treatment), treatment.n, treatment.names) == (type(moments), moments.n, moments.names)
    assert np.all(np.linalg.eigvalsh(treatment.m2) >= -1e-9 * np.trace(treatment.m2))


@pytest.mark.parametrize("name", ALL)
def test_no_effect_changes_nothing(name: str) -> None:
    metric, moments = ALL[name], FOUND[name]
    if metric.pairs:
        moments = metric.shifted(moments, 0.0)
    same = metric.shifted(moments, 0.0)
    np.testing.assert_allclose(same.mean, moments.mean, rtol=1e-14)
    np.testing.assert_allclose(same.m2, moments.m2, rtol=1e-12, atol=1e-12 * np.trace(moments.m2))


@pytest.mark.parametrize("name", [name for name, metric in ALL.items() if metric.covariates])
def test_covariates_stay_and_so_do_correlations(name: str) -> None:
    metric, moments = ALL[name], FOUND[name]
    treatment = metric.shifted(moments, ab.relative(0.2))
    k = len(metric.outcomes())
    np.testing.assert_array_equal(treatment.mean[k:], moments.mean[k:])
    np.testing.assert_array_equal(treatment.m2[k:, k:], moments.m2[k:, k:])
    if k == 1:
        scale = np.sqrt(np.outer(*[np.diag(treatment.m2) / np.diag(moments.m2)] * 2))
        np.testing.assert_allclose(treatment.m2, moments.m2 * scale, rtol=1e-12)


def test_what_is_known_besides_stays_known() -> None:
    for name, moments in FOUND.items():
        treatment = ALL[name].shifted(moments, 0.0 if name in COMPARED else ab.relative(0.1))
        if isinstance(moments, ThirdMoments):
            assert treatment.m3 is not None
            assert treatment.nonzero == moments.nonzero
        if isinstance(moments, Distribution):
            assert treatment.histogram == moments.histogram


def test_a_mean_keeps_its_variance_and_a_ratio_that_of_its_residuals() -> None:
    mean, ratio = FOUND["mean"], FOUND["ratio"]
    np.testing.assert_array_equal(ab.Mean("revenue").shifted(mean, 3.0).m2, mean.m2)
    metric = METRICS["ratio"]
    treatment = metric.shifted(ratio, 0.7)
    residual = [np.array([1.0, -metric.of(m)]) for m in (ratio, treatment)]
    before, after = (r @ m.m2 @ r for r, m in zip(residual, (ratio, treatment), strict=True))
    assert after == pytest.approx(before, rel=1e-12)


def test_it_is_what_moved_units_have() -> None:
    """Third moments too: the statistics of the changed units themselves."""
    rng = np.random.default_rng(3)
    y, d = rng.gamma(1.0, 2.0, 500), rng.poisson(4.0, 500) + 1.0

    def third(values: np.ndarray) -> ThirdMoments:
        moments = CoMoments.from_sample(values, ["y", "d"])
        deviations = values - moments.mean
        m3 = np.einsum("ni,nj,nk->ijk", deviations, deviations, deviations)
        return ThirdMoments.of(moments, m3, 500)

    found = ab.Ratio("y", "d").shifted(third(np.column_stack([y, d])), 0.3)
    expected = third(np.column_stack([y + 0.3 * d, d]))
    for name in ("mean", "m2", "m3"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-10)


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.1, 0.5, 0.9, 1.0])
def test_a_rate_has_the_variance_of_a_binomial(rate: float) -> None:
    counts = Counts(1000, 100)
    moments = CoMoments(1000, np.array([0.1]), np.array([[counts.moments().m2]]), ("x",))
    treatment = ab.Proportion("x").shifted(moments, rate - 0.1)
    assert treatment.mean[0] == pytest.approx(rate, abs=1e-15)
    assert treatment.m2[0, 0] == pytest.approx(1000 * treatment.mean[0] * (1 - treatment.mean[0]), rel=1e-12)


def test_a_rate_of_nothing_gets_a_variance() -> None:
    moments = CoMoments(10, np.array([0.0]), np.zeros((1, 1)), ("x",))
    assert ab.Proportion("x").shifted(moments, 0.2).m2[0, 0] == pytest.approx(1.6)
    assert ab.Count("x").shifted(moments, 0.2).m2[0, 0] == pytest.approx(9 * 0.2)


def counts(variance: float, mean: float = 2.0, n: int = 101) -> CoMoments:
    return CoMoments(n, np.array([mean]), np.array([[variance * (n - 1)]]), ("x",))


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.99, 1.01, 1.5, 4.0])
def test_counts_have_the_variance_of_counts(factor: float) -> None:
    """Poisson counts stay Poisson, negative binomial ones keep their shape, binomial ones become rarer."""
    effect = ab.relative(factor - 1)
    poisson, gamma, binomial = (ab.Count("x").shifted(counts(v), effect).m2[0, 0] / 100 for v in (2.0, 6.0, 1.0))
    assert poisson == pytest.approx(2 * factor)
    assert gamma == pytest.approx(2 * factor + (2 * factor) ** 2)  # 6 = 2 + 2^2
    assert binomial == pytest.approx(factor if factor > 1 else 2 * factor * (1 - factor / 2))


def test_a_rate_of_counts_varies_about_what_its_exposure_lets_expect() -> None:
    """Events Poisson given exposure: those of twice the rate, drawn anew, have the co-moments that are foretold."""
    rng = np.random.default_rng(5)
    hours = rng.gamma(2.0, 1.0, 200_000)
    before, after = (np.column_stack([rng.poisson(rate * hours), hours]) for rate in (1.0, 2.0))
    metric = ab.Rate("x", "h")
    start, end = (CoMoments.from_sample(values, ["x", "h"]) for values in (before, after))
    found = metric.shifted(start, 1.0)
    np.testing.assert_allclose(found.m2, end.m2, rtol=0.02)


@pytest.mark.parametrize(
    ("metric", "mean", "effect", "why"),
    [
        (ab.Proportion("x"), 0.1, 0.95, "it would be 1.05"),
        (ab.Proportion("x"), 0.1, -0.2, "it would be -0.1"),
        (ab.Proportion("x"), 0.9, ab.relative(0.2), "it would be 1.08"),
        (ab.Count("x"), 0.5, -0.6, "0.5 events per unit cannot become -0.1"),
        (ab.Mean("x"), 0.0, ab.relative(0.1), "`effect` must be a number where the value is zero"),
        (ab.Mean("x"), 1.0, math.inf, "`effect` must be finite"),
        (ab.Mean("x"), 1.0, math.nan, "`effect` must be finite"),
        (ab.Mean("x"), 1e308, 1e308 * 1.5, "too large for 64-bit numbers"),
    ],
)
def test_an_effect_that_cannot_be_is_refused(metric: Metric, mean: float, effect: Any, why: str) -> None:
    moments = CoMoments(100, np.array([mean]), np.array([[9.0]]), ("x",))
    with pytest.raises(ValueError, match=why):
        metric.shifted(moments, effect)


def test_nothing_to_change_is_refused() -> None:
    nothing = CoMoments(0, np.zeros(1), np.zeros((1, 1)), ("x",))
    empty = CoMoments(5, np.array([1.0, 0.0]), np.zeros((2, 2)), ("x", "d"))
    for metric, moments in ((ab.Mean("x"), nothing), (ab.Ratio("x", "d"), empty), (ab.Rate("x", "d"), empty)):
        with pytest.raises(ValueError, match="no value that an effect could change"):
            metric.shifted(moments, 0.1)


def test_hypothetical_successes_need_not_be_whole() -> None:
    moments = CoMoments(1001, np.array([0.1]), np.array([[1001 * 0.09]]), ("x",))
    metric = ab.Proportion("x")
    effect = metric.effect(moments, metric.shifted(moments, ab.relative(0.0123)))[1]
    assert effect.estimate == pytest.approx(0.00123, rel=1e-12)
    many = CoMoments(1001 * 10**10, np.array([0.1]), np.array([[1001e10 * 0.09]]), ("x",))
    large = metric.effect(many, metric.shifted(many, ab.relative(0.0123)))[1]
    for null in (0.0, 0.001, -0.02, ab.relative(0.01), ab.relative(1e-300)):
        assert effect.statistic(null) * 1e5 == pytest.approx(large.statistic(null), rel=1e-9)


def test_moved_quantiles_are_those_of_moved_values() -> None:
    metric, moments = METRICS["quantile of units"], FOUND["quantile of units"]
    up, down = metric.shifted(moments, 1.5), metric.shifted(moments, -1.5)
    assert metric.of(up) - metric.of(moments) == pytest.approx(1.5)
    assert metric.effect(down, moments)[1].statistic(0.0) == pytest.approx(metric.effect(moments, up)[1].statistic(0.0))
    assert metric.of(up + up) == pytest.approx(metric.of(up), rel=1e-2)
    with pytest.raises(ValueError, match=r"`other` must have its values moved by 1\.5; got -1\.5"):
        _ = up + down


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"mde": 0}, "`mde` must be greater than 0; got 0."),
        ({"mde": -1}, "`mde` must be greater than 0; got -1."),
        ({"mde": math.nan}, "`mde` must be greater than 0; got nan."),
        ({"mde": math.inf}, "`mde` must be greater than 0; got inf."),
        ({"mde": ab.relative(0)}, "`mde` must be greater than 0; got 0."),
        ({"mde": 1, "role": "quality"}, "`mde` must not be given for a quality metric: it must not differ at all."),
        (
            {"mde": 1, "role": "guardrail", "margin": 0.1},
            "`mde` must not be given for a guardrail metric: its margin is the harm to detect.",
        ),
        ({"mde": 1, "margin": 1}, "`mde` must be above the margin, 1; got 1: no test finds less."),
        (
            {"mde": ab.relative(0.1), "margin": ab.relative(0.2), "role": "deterioration"},
            "`mde` must be above the margin, 0.2; got 0.1: no test finds less.",
        ),
    ],
)
def test_what_is_not_worth_detecting_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        ab.Mean("x", **arguments)


def test_what_is_worth_detecting_is_in_the_plan() -> None:
    for mde, plain in ((2, 2.0), (ab.relative(0.02), {"relative": 0.02})):
        plan = ab.Experiment(unit="u", variant="v", control="a", metrics={"m": ab.Mean("x", mde=mde)})
        assert plan.to_dict()["metrics"]["m"]["mde"] == plain
        assert ab.Experiment.from_dict(plan.to_dict()) == plan
    with pytest.raises(ValueError, match=r"`mde` must be below 1; got 2\. In per cent it is 0\.02\."):
        ab.Proportion("x", mde=2)
    with pytest.raises(ab.PlanError, match="`mde` must be a number, or relative: share"):
        ab.Experiment.from_dict(
            {"unit": "u", "variant": "v", "control": "a", "metrics": {"m": {"kind": "mean", "value": "x", "mde": {}}}}
        )


@pytest.mark.parametrize("size", [0.0, 0.25, 1.0])
def test_a_share_of_answers_differs(size: float) -> None:
    metric, moments = COMPARED["disagreement"], FOUND["disagreement"]
    treatment = metric.shifted(moments, size)
    assert metric.values(treatment, treatment) == (0.0, size)
    assert treatment.m2.tolist() == [[0.0, 0.0], [0.0, pytest.approx(int(moments.n) * size * (1 - size))]]
    with pytest.raises(ValueError, match="from 0 to 1"):
        metric.shifted(moments, 1.5)


def test_pairs_keep_their_correlation_as_far_as_shares_allow_it() -> None:
    pairs = ab.PairedCounts(both=30, control_only=10, treatment_only=20, neither=940)
    values = np.repeat([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], [30, 10, 20, 940], axis=0)
    moments = CoMoments.from_sample(values, ["c", "t"])
    metric = ab.PairedProportion("x")
    _, effect = metric.effect(moments, moments)
    assert effect.estimate == pytest.approx(pairs.treatment.successes / 1000 - pairs.control.successes / 1000)
    same = metric.shifted(moments, 0.0)
    assert same.mean.tolist() == pytest.approx([0.04, 0.04])
    before, after = (m.m2[0, 1] / math.sqrt(m.m2[0, 0] * m.m2[1, 1]) for m in (moments, same))
    assert after == pytest.approx(before)
    assert metric.shifted(moments, 0.9).m2[0, 1] <= 1000 * (0.04 - 0.04 * 0.94) + 1e-9
