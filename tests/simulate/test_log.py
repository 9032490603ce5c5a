"""Simulated logs: the truth that they state is the truth, and what is said to be wrong with them is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import abkit as ab
from abkit.errors import PlanError
from abkit.simulate._log_shapes import Shape, pooled_quantile


def rng(seed=1):
    return np.random.default_rng(seed)


def plan(metrics, **fields):
    return ab.Experiment(**{"unit": "user", "variant": "variant", "control": "control", "metrics": metrics, **fields})


EVERY_KIND = plan(
    {
        "revenue": ab.Mean("revenue", covariates="revenue_before"),
        "visits": ab.Count(ab.ROWS),
        "conversion": ab.Proportion("converted", covariates=ab.Sum("visits_before")),
        "buyers": ab.Proportion("bought"),
        "orders per session": ab.Ratio("orders", "sessions"),
        "load time": ab.Ratio("ms", ab.ROWS),
        "p90": ab.Quantile("bytes", 0.9),
        "typical": ab.Quantile("seconds", 0.5, per="unit"),
        "errors per hour": ab.Rate("errors", "hours"),
        "clicks": ab.Count("clicks"),
        "spend, capped": ab.Mean("spend", cap=ab.Cap(quantile=0.98)),
        "fee, capped": ab.Mean("fee", cap=ab.Cap(value=15.0)),
        "trend": ab.Trend("points", day="day", days=5),
    },
    allocation={"control": 2, "blue": 1, "green": 1},
    segments=["country", "device"],
    exposure="exposed",
    key="row",
)
EFFECTS = {
    "revenue": ab.relative(0.05),
    "visits": 0.2,
    "conversion": {"blue": 0.01, "green": -0.005},
    "buyers": ab.relative(0.2),
    "orders per session": -0.05,
    "load time": 1.0,
    "p90": ab.relative(-0.03),
    "typical": 0.3,
    "errors per hour": ab.relative(0.1),
    "clicks": {"green": -0.2},
    "spend, capped": 0.4,
    "fee, capped": -0.2,
    "trend": 0.02,
}
SHAPES = {
    "means": {"spend": 20.0, "converted": 0.03, "ms": 120.0},
    "sds": {"revenue": 30.0, "spend": 60.0, "clicks": 2.5},
    "zeros": {"spend": 0.7},
}


def half_width(result):
    interval = result.interval(0.95)
    return (interval.high - interval.low) / 2 / 1.96


def off(simulated):
    """How many standard errors each estimate is from the truth."""
    report = simulated.plan.analyze(simulated.log)
    found = {}
    for truths in simulated.truth.values():
        for truth in truths.values():
            result = report.result(truth.metric, truth.variant)
            found[truth.metric, truth.variant] = (result.estimate - truth.effect) / half_width(result)
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_every_kind_of_metric_finds_the_truth(seed):
    simulated = ab.simulate.log(EVERY_KIND, 30_000, rng=rng(seed), effects=EFFECTS, **SHAPES)
    found = off(simulated)
    assert len(found) == 2 * len(EVERY_KIND.metrics)
    assert max(map(abs, found.values())) < 4
    assert math.sqrt(np.mean(np.square(list(found.values())))) < 1.6


def test_effects_are_what_was_asked():
    simulated = ab.simulate.log(EVERY_KIND, 100, rng=rng(), effects=EFFECTS, **SHAPES)
    for name, effect in EFFECTS.items():
        for variant, truth in simulated.truth[name].items():
            asked = effect.get(variant, 0.0) if isinstance(effect, dict) else effect
            if isinstance(asked, float):
                assert truth.effect == pytest.approx(asked, rel=1e-8, abs=1e-9)
            else:
                assert truth.relative == pytest.approx(asked.value, rel=1e-8)
            assert truth.effect == pytest.approx(truth.treatment - truth.control, rel=1e-9, abs=1e-9)


def test_the_shapes_are_those_asked_for():
    simulated = ab.simulate.log(EVERY_KIND, 100_000, rng=rng(4), **SHAPES)
    units = simulated.log.groupby("user")[["spend", "revenue", "clicks", "converted", "hours"]].sum()
    assert units["spend"].mean() == pytest.approx(20, rel=0.03)
    assert units["spend"].std() == pytest.approx(60, rel=0.1)
    assert (units["spend"] == 0).mean() == pytest.approx(0.7, abs=0.01)
    assert units["revenue"].std() == pytest.approx(30, rel=0.15)
    assert units["clicks"].std() == pytest.approx(2.5, rel=0.03)
    assert units["converted"].max() == 1
    assert units["converted"].mean() == pytest.approx(0.03, abs=0.003)
    assert units["hours"].std() == pytest.approx(10, rel=0.05)
    assert simulated.log["ms"].mean() == pytest.approx(120, rel=0.02)


@pytest.mark.parametrize("asked", [0.0, 0.5, 0.9, -0.5])
@pytest.mark.parametrize(
    "metric",
    [ab.Mean("x", covariates="x0"), ab.Count("x", covariates="x0"), ab.Proportion("x", covariates=ab.Sum("x0"))],
)
def test_covariates_have_the_correlation_asked_for(metric, asked):
    simulated = ab.simulate.log(plan({"m": metric}), 100_000, rng=rng(5), covariate_correlation=asked, rows=2.0)
    total = "sum" if isinstance(metric, ab.Proportion) else "first"
    units = simulated.log.groupby("user").agg(x=("x", "sum"), before=("x0", total))
    assert units.corr().iloc[0, 1] == pytest.approx(asked, abs=0.02)


def test_a_covariate_of_a_column_with_a_value_a_row():
    simulated = ab.simulate.log(plan({"m": ab.Ratio("x", ab.ROWS, covariates="x0")}), 100_000, rng=rng(6))
    units = simulated.log.groupby("user").agg(x=("x", "sum"), before=("x0", "first"))
    assert units.corr().iloc[0, 1] == pytest.approx(0.5, abs=0.02)
    assert units["x"].std() == pytest.approx(units["before"].std(), rel=0.03)


@pytest.mark.parametrize("icc", [0.0, 0.2, 0.6])
def test_rows_of_a_unit_and_units_of_a_cluster_are_as_alike_as_asked(icc):
    metrics = {"m": ab.Mean("x"), "b": ab.Proportion("b"), "r": ab.Ratio("ms", ab.ROWS)}
    shape = {"sds": {"x": 12.0, "ms": 15.0}, "zeros": {"x": 0.2, "ms": 0.3}, "icc": icc}
    log = ab.simulate.log(plan(metrics), 200_000, rng=rng(7), cluster="household", cluster_size=2, rows=1, **shape).log
    for column in ("x", "b"):
        pairs = log[column].to_numpy().reshape(-1, 2).T
        assert np.corrcoef(pairs)[0, 1] == pytest.approx(icc, abs=0.03)
    assert (log["variant"].to_numpy().reshape(-1, 2).T[0] == log["variant"].to_numpy().reshape(-1, 2).T[1]).all()
    rows = ab.simulate.log(plan(metrics), 150_000, rng=rng(8), rows=3, **shape).log.groupby("user")["ms"]
    several = rows.transform("size") > 1
    first, second = (rows.nth(i)[several].to_numpy() for i in (0, 1))
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(icc, abs=0.03)


def test_an_analysis_that_does_not_know_of_clusters_rejects_too_often_and_one_that_does_is_right():
    naive = plan({"m": ab.Mean("x")})
    right = plan({"m": ab.Ratio("x", ab.ROWS)}, unit="household")
    logs = [
        ab.simulate.log(naive, 1_000, rng=rng(seed), cluster="household", cluster_size=10, icc=0.5, rows=1).log
        for seed in range(40)
    ]
    rejected = {p.unit: sum(p.analyze(log).result("m").pvalue < 0.05 for log in logs) for p in (naive, right)}
    assert rejected["user"] > 9
    assert rejected["household"] < 7


@pytest.mark.parametrize("seed", [1, 2])
def test_pairs(seed):
    metrics = {"difference": ab.Paired("ms"), "ratio": ab.Paired("cost", "size"), "of rows": ab.Paired("n", ab.ROWS)}
    paired = plan(metrics, unit="request", allocation={"control": 1, "a": 1, "b": 1})
    effects = {"difference": ab.relative(0.05), "ratio": 0.02, "of rows": {"b": -0.2}}
    simulated = ab.simulate.log(paired, 20_000, rng=rng(seed), effects=effects, icc=0.6)
    assert max(map(abs, off(simulated).values())) < 4
    totals = simulated.log.groupby(["request", "variant"], observed=True)["ms"].sum().unstack()
    assert totals.corr().iloc[0, 1] == pytest.approx(0.6, abs=0.05)


def test_rows_as_units():
    metrics = {
        "visit": ab.Proportion("visit"),
        "spend": ab.Mean("spend", covariates="history", cap=ab.Cap(quantile=0.99)),
        "history": ab.Mean("history", role="quality"),
        "orders": ab.Count("orders"),
        "p75": ab.Quantile("spend", 0.95),
    }
    rows = plan(metrics, unit=ab.ROWS)
    simulated = ab.simulate.log(rows, 100_000, rng=rng(3), effects={"visit": 0.01, "spend": 0.3}, zeros={"spend": 0.8})
    assert simulated.rows == 100_000
    assert "user" not in simulated.log
    assert max(map(abs, off(simulated).values())) < 4


def test_an_effect_that_wears_off_by_day_and_over_all_days():
    metrics = {
        "revenue": ab.Mean("revenue"),
        "trend": ab.Trend("revenue", day="day", days=6),
        "conversion": ab.Proportion("converted"),
        "clicks": ab.Count("clicks"),
        "load time": ab.Ratio("ms", ab.ROWS),
    }
    effects = {"revenue": 0.5, "conversion": 0.03, "clicks": -0.3, "load time": 1.0}
    novel = plan(metrics)
    simulated = ab.simulate.log(novel, 150_000, rng=rng(9), effects=effects, novelty=2.0, follow=6)
    assert simulated.truth["trend"]["treatment"].effect < 0
    assert simulated.truth["revenue"]["treatment"].effect == pytest.approx(0.5)
    assert max(map(abs, off(simulated).values())) < 4
    days = novel.exposure_days(simulated.log, time="time", every="1d", window="6d", metrics=list(effects))
    found = []
    for day, report in enumerate(days.reports):
        for name in effects:
            truth = simulated.truth[name]["treatment"].by_day
            assert len(truth) == 6
            found.append((report.result(name).estimate - truth[day]) / half_width(report.result(name)))
    assert max(map(abs, found)) < 4
    daily = np.array(simulated.truth["load time"]["treatment"].by_day)
    assert daily[2:] / daily[:-2] == pytest.approx(0.5)
    total = sum(simulated.truth["clicks"]["treatment"].by_day)
    assert total == pytest.approx(-0.3)


def test_an_effect_and_its_trend_are_set_apart():
    metrics = {"revenue": ab.Mean("revenue"), "trend": ab.Trend("revenue", day="day", days=7)}
    simulated = ab.simulate.log(plan(metrics), 80_000, rng=rng(10), effects={"revenue": 0.5, "trend": 0.1})
    assert simulated.truth["revenue"]["treatment"].effect == pytest.approx(0.5)
    assert simulated.truth["trend"]["treatment"].effect == pytest.approx(0.1)
    assert max(map(abs, off(simulated).values())) < 4


def test_what_is_wrong_with_a_log_is_what_the_audit_counts():
    known = replace(EVERY_KIND, missing="drop")
    flaws = {"contaminated": 0.02, "duplicates": 0.03, "late": 0.05, "missing": 0.1}
    simulated = ab.simulate.log(known, 10_000, rng=rng(11), effects=EFFECTS, **flaws)
    audit = known.analyze(simulated.log).statistics.audit
    assert audit.rows == simulated.rows == len(simulated.log)
    assert audit.units == simulated.units == 10_000
    assert audit.rows_duplicated == simulated.duplicates == simulated.log.duplicated("row").sum()
    assert audit.rows_contradictory == 0
    assert audit.units_in_several_variants == simulated.contaminated
    assert simulated.contaminated == (simulated.log.groupby("user")["variant"].nunique() > 1).sum()
    assert simulated.late == (simulated.log["time_arrived"] > simulated.end).sum()
    assert (simulated.log["time_arrived"] >= simulated.log["time"]).all()
    assert simulated.log["time"].between(simulated.start, simulated.end).all()
    for name, share in (("contaminated", 0.02), ("duplicates", 0.03), ("late", 0.05)):
        of = simulated.units if name == "contaminated" else simulated.rows
        assert getattr(simulated, name) / of == pytest.approx(share, rel=0.15)
    assert simulated.log.groupby("user")["ms"].count().eq(0).mean() == pytest.approx(0.1, rel=0.1)
    assert max(map(abs, off(simulated).values())) < 4.5


def test_shares_other_than_planned_and_a_variant_that_is_not_there():
    shifted = ab.simulate.log(EVERY_KIND, 20_000, rng=rng(12), allocation={"control": 3, "blue": 1})
    assert set(shifted.log["variant"].unique()) == {"control", "blue"}
    check = next(c for c in EVERY_KIND.analyze(shifted.log).checks if c.id == "sample_ratio")
    assert check.status == "fail"
    simple = plan({"m": ab.Mean("x")})
    named = ab.simulate.log(
        simple, 1_000, rng=rng(), allocation={"control": 1, "a": 1, "b": 1}, effects={"m": {"b": 1}}
    )
    assert [round(truth.effect, 9) for truth in named.truth["m"].values()] == [0, 1]


def test_the_same_state_gives_the_same_rows_in_memory_and_in_a_file(tmp_path):
    metrics = {name: EVERY_KIND.metrics[name] for name in ("revenue", "buyers", "errors per hour", "trend")}
    small = replace(EVERY_KIND, metrics=metrics)
    options = {"duplicates": 0.01, "contaminated": 0.01, "late": 0.02, "rows": 20.0}
    generator = rng(13)
    made = ab.simulate.log(small, 20_000, rng=generator, **options)
    other = ab.simulate.log(small, 20_000, rng=generator, **options)
    path = tmp_path / "it's a log.parquet"
    written = ab.simulate.log(small, 20_000, rng=rng(13), **options, path=path)
    assert list(tmp_path.iterdir()) == [path]
    assert written.log == str(path)
    read = pd.read_parquet(path)
    columns = [column for column in made.log if made.log[column].dtype != "category"]
    pd.testing.assert_frame_equal(read[columns], made.log[columns])
    assert (read["variant"] == made.log["variant"].astype(str)).all()
    assert not made.log["revenue"].equals(other.log["revenue"])
    assert replace(written, log="") == replace(made, log="")
    one = plan({"revenue": ab.Mean("revenue")}, key="row")
    estimates = [one.analyze(log).result("revenue", "blue").estimate for log in (made.log, written.log)]
    assert estimates[0] == pytest.approx(estimates[1], rel=1e-12)


def test_first_units_are_the_same_however_many_follow():
    simple = plan({"m": ab.Mean("x")})
    few, many = (ab.simulate.log(simple, n, rng=rng(14), rows=200.0).log for n in (1_500, 3_000))
    size = int((few["user"] < 1_300).sum())
    pd.testing.assert_frame_equal(few[:size], many[:size])


def test_a_plan_file_and_plans_of_all_examples(tmp_path):
    for name in ("hillstrom", "gotv", "daily_looks", "revenue_and_latency"):
        simulated = ab.simulate.log(f"examples/{name}.yaml", 5_000, rng=rng(15))
        report = simulated.plan.analyze(simulated.log)
        assert sum(report.units.values()) == 5_000
        assert ab.decide(simulated.plan, report).verdict in ("promote", "continue", "rollback")


def test_a_trajectory_can_be_read():
    simple = plan({"m": ab.Mean("x")}, monitor=ab.AnytimeValid())
    simulated = ab.simulate.log(simple, 5_000, rng=rng(16), days=10, follow=4)
    looks = simple.trajectory(simulated.log, time="time", every="1d", window="4d", until=simulated.end)
    assert len(looks.reports) > 8
    assert sum(looks.reports[-1].units.values()) == 5_000


def test_metrics_of_one_column_share_its_effect():
    metrics = {
        "revenue": ab.Mean("revenue"),
        "capped": ab.Mean("revenue", cap=ab.Cap(value=20.0)),
        "median": ab.Quantile("revenue", 0.5, per="unit"),
        "per session": ab.Ratio("revenue", "sessions"),
    }
    shared = plan(metrics)
    simulated = ab.simulate.log(shared, 60_000, rng=rng(17), effects={"capped": 0.4})
    assert simulated.truth["capped"]["treatment"].effect == pytest.approx(0.4)
    assert simulated.truth["revenue"]["treatment"].effect > 0.5
    assert max(map(abs, off(simulated).values())) < 4
    with pytest.raises(PlanError, match=r"`effects.per session` must agree with `effects.revenue`"):
        ab.simulate.log(shared, 10, rng=rng(), effects={"revenue": 0.5, "per session": 0.5})
    consistent = {"revenue": ab.relative(0.1), "per session": ab.relative(0.1)}
    assert ab.simulate.log(shared, 10, rng=rng(), effects=consistent).truth["median"]["treatment"].relative > 0.09


def test_a_denominator_may_change_too():
    metrics = {"per session": ab.Ratio("orders", "sessions"), "sessions": ab.Mean("sessions"), "o": ab.Mean("orders")}
    effects = {"per session": ab.relative(0.1), "sessions": ab.relative(-0.2)}
    truth = ab.simulate.log(plan(metrics), 10, rng=rng(), effects=effects).truth
    assert truth["per session"]["treatment"].relative == pytest.approx(0.1)
    assert truth["o"]["treatment"].relative == pytest.approx(1.1 * 0.8 - 1)


def test_where_there_is_no_closed_form_the_truth_is_unknown_and_no_effect_can_be_asked_for():
    metrics = {"capped": ab.Mean("x", cap=ab.Cap(quantile=0.9)), "of rows": ab.Ratio("x", ab.ROWS)}
    simulated = ab.simulate.log(plan(metrics), 1_000, rng=rng(), effects={"of rows": 1.0})
    truth = simulated.truth["capped"]["treatment"]
    assert (truth.control, truth.treatment, truth.effect, truth.relative) == (None,) * 4
    assert "unknown" in repr(simulated)
    with pytest.raises(PlanError, match=r"`effects.capped` cannot be had exactly"):
        ab.simulate.log(plan(metrics), 10, rng=rng(), effects={"capped": 1.0})
    nothing = ab.simulate.log(plan(metrics), 10, rng=rng(), effects={"capped": 0.0, "of rows": ab.relative(0.0)})
    assert nothing.truth["capped"]["treatment"].effect == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 1}, "`units` must be at least 2"),
        ({"effects": {"revenu": 1}}, "`effects` must be one of .* Did you mean 'revenue'"),
        ({"effects": {"revenue": {"red": 1.0}}}, "`effects.revenue` must be one of"),
        ({"effects": {"revenue": math.nan}}, "`effects.revenue` must be finite"),
        ({"effects": {"revenue": -11}}, "`effects` must not make `revenue` negative"),
        ({"effects": {"conversion": 0.95}}, "must leave the share of `converted` at most 1"),
        ({"effects": {"visits": -2.5}}, "at least one row a unit"),
        ({"effects": {"fee, capped": 100}}, "`effects.fee, capped` is larger than any change"),
        ({"effects": {"trend": 1e3}}, "`effects` must not make `points` negative"),
        ({"means": {"nope": 1}}, "`means` must be one of"),
        ({"means": {"converted": 1.5}}, "`means.converted` must be between 0 and 1"),
        ({"means": {"revenue": -1}}, "`means.revenue` must be greater than 0"),
        ({"sds": {"clicks": 0.1}}, "`sds.clicks` must be at least 1.414"),
        ({"sds": {"converted": 0.1}}, "`sds.converted` must not be given"),
        ({"zeros": {"revenue": 1.0}}, "`zeros.revenue` must be a share below 1"),
        ({"zeros": {"clicks": 0.1}}, "`zeros.clicks` must be a share below 1 of a column of real numbers"),
        ({"zeros": {"revenue": 0.9}, "sds": {"revenue": 1.0}}, "`sds.revenue` must be at least 30"),
        ({"rows": 0.5}, "`rows` must be at least 1"),
        ({"icc": 1.5}, "`icc` must be a share"),
        ({"covariate_correlation": 2}, "`covariate_correlation` must be from -1 to 1"),
        ({"novelty": 0}, "`novelty` must be greater than 0"),
        ({"contaminated": -0.1}, "`contaminated` must be at least 0"),
        ({"missing": 0.1}, "`missing` must be 0 unless the plan"),
        ({"days": 0}, "`days` must be between 0"),
        ({"follow": 0}, "`follow` must be at least 1"),
        ({"time": "revenue"}, "`time` must name a column that the plan does not use"),
        ({"cluster": "user"}, "`cluster` must name a column that the plan does not use"),
        ({"allocation": {"red": 1}}, "`allocation` must be one of"),
        ({"allocation": {"control": 0}}, "some variant a weight above 0"),
        ({"path": "log.csv"}, "`path` must end in .parquet"),
        ({"path": "/nowhere/log.parquet"}, "`path` must be in a folder that exists"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ab.simulate.log(EVERY_KIND, **{"units": 10, "rng": rng(), **arguments})


def test_types_are_refused():
    with pytest.raises(TypeError, match=r"`rng` must be a numpy.random.Generator"):
        ab.simulate.log(EVERY_KIND, 10, rng=1)
    with pytest.raises(TypeError, match="`effects` must map"):
        ab.simulate.log(EVERY_KIND, 10, rng=rng(), effects=[1])
    with pytest.raises(TypeError, match="`start` must be a datetime"):
        ab.simulate.log(EVERY_KIND, 10, rng=rng(), start="2026-01-01")
    paired = plan({"m": ab.Paired("x")})
    with pytest.raises(PlanError, match="`contaminated` must be 0"):
        ab.simulate.log(paired, 10, rng=rng(), contaminated=0.1)
    with pytest.raises(PlanError, match="`cluster` must not be given"):
        ab.simulate.log(paired, 10, rng=rng(), cluster="c")
    covariates = {"m": ab.Mean("x", covariates="y"), "y": ab.Mean("y")}
    with pytest.raises(PlanError, match=r"`effects.y` must be 0: `y` is a covariate"):
        ab.simulate.log(plan(covariates), 10, rng=rng(), effects={"y": 1})
    with pytest.raises(PlanError, match="measures the covariate `y`"):
        ab.simulate.log(plan({**covariates, "y": ab.Proportion("y")}), 10, rng=rng())
    with pytest.raises(PlanError, match="cannot be a count and 0 or 1"):
        ab.simulate.log(plan({"n": ab.Count("x"), "p": ab.Proportion("x")}), 10, rng=rng())


@pytest.mark.parametrize("shape", [Shape("real", 10, 0.8), Shape("real", 10, 1.5, 0.6), Shape("real", 3, 0.0, 0.25)])
def test_shape_of_real_values(shape):
    sigma, median = max(shape.sigma, 1e-9), shape.mean / (1 - shape.zeros) * math.exp(-(shape.sigma**2) / 2)
    law = stats.lognorm(sigma, scale=median)
    for cap in (0.5, 4.0, 30.0):
        below = integrate.quad(law.sf, 0, cap, epsabs=0, epsrel=1e-11, points=[median] if median < cap else None)[0]
        assert shape.mean_below(cap) == pytest.approx((1 - shape.zeros) * below, rel=1e-8)
    assert shape.mean_below(1e12) == pytest.approx(shape.mean)
    for q in (0.2, 0.7, 0.99):
        wanted = law.ppf((q - shape.zeros) / (1 - shape.zeros)) if q > shape.zeros else 0.0
        assert shape.quantile(q) == pytest.approx(wanted, rel=1e-8)


@pytest.mark.parametrize("shape", [Shape("count", 2.0, 0.5), Shape("count", 0.05, 1.0), Shape("rows", 3.0)])
def test_shape_of_whole_numbers(shape):
    def pmf(k):
        if shape.kind == "rows":
            return stats.poisson.pmf(k - 1, shape.mean - 1)

        def density(z):
            mean = shape.mean * math.exp(shape.sigma * z - shape.sigma**2 / 2)
            return stats.norm.pdf(z) * stats.poisson.pmf(k, mean)

        return integrate.quad(density, -9, 9, epsabs=1e-14, epsrel=1e-11, points=[0, 1, 2])[0]

    law = np.array([pmf(k) for k in range(40)])
    values = np.arange(40)
    assert law @ values == pytest.approx(shape.mean, rel=1e-6)
    assert law @ values**2 == pytest.approx(shape.second_moment, rel=1e-4)
    for cap in (1.0, 2.5, 7.0):
        assert shape.mean_below(cap) == pytest.approx(law @ np.minimum(values, cap), rel=1e-8)
    assert shape.cdf(values) == pytest.approx(np.cumsum(law), abs=1e-10)
    assert shape.quantile(0.9) == np.argmax(np.cumsum(law) >= 0.9)


def test_large_counts_are_nearly_log_normal():
    shape, near = Shape("count", 5_000.0, 1.0), Shape("real", 5_000.0, 1.0)
    for q in (0.1, 0.5, 0.95):
        assert shape.quantile(q) == pytest.approx(near.quantile(q), rel=2e-3)
    assert shape.mean_below(3_000.0) == pytest.approx(near.mean_below(3_000.0), rel=1e-3)


def test_pooled_quantile():
    shapes = [Shape("real", 10, 0.8), Shape("real", 12, 0.8)]
    found = pooled_quantile(shapes, [2.0, 1.0], 0.9)
    assert sum(w * float(s.cdf(np.array(found))) for s, w in zip(shapes, [2 / 3, 1 / 3], strict=True)) == pytest.approx(
        0.9, abs=1e-12
    )
    assert pooled_quantile([Shape("count", 2.0, 0.5), Shape("count", 3.0, 0.5)], [1, 1], 0.5) in (2.0, 3.0)


@pytest.mark.calibration
def test_intervals_cover_the_truth():
    metrics = {
        "revenue": ab.Mean("revenue", covariates="before"),
        "buyers": ab.Proportion("bought"),
        "load time": ab.Ratio("ms", ab.ROWS),
        "clicks": ab.Count("clicks"),
    }
    checked = plan(metrics, key="row")
    effects = {"revenue": ab.relative(0.1), "buyers": 0.05, "load time": -1.0, "clicks": 0.2}
    covered = dict.fromkeys(metrics, 0)
    for seed in range(300):
        options = {"duplicates": 0.02, "contaminated": 0.005}
        simulated = ab.simulate.log(checked, 2_000, rng=rng(seed), effects=effects, **options)
        report = checked.analyze(simulated.log)
        for name in metrics:
            interval = report.result(name).interval(0.95)
            covered[name] += interval.low <= simulated.truth[name]["treatment"].effect <= interval.high
    for count in covered.values():
        assert 0.91 < count / 300 <= 0.99
