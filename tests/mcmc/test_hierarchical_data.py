"""What a hierarchical model reads from a report, results, statistics and arrays; no sampling."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit.bayes import HierarchicalPrior
from abkit.mcmc._drawn_law import DrawnLaw
from abkit.mcmc._hierarchical_data import read
from abkit.mcmc._hierarchical_estimates import Asked, Estimates
from abkit.mcmc._hierarchical_models import conditional, drawn_effects, scaling
from abkit.mcmc._hierarchical_prior import default_prior
from abkit.mcmc._predictive_check import predictive_check

ANY = Asked(None, None, None, None, None)


def log(units: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "unit": range(units),
            "variant": rng.choice(["A", "B", "C"], units),
            "country": rng.choice(["DE", "FR", "UK"], units),
            "x": rng.normal(10, 1, units),
            "y": rng.normal(5, 1, units),
        }
    )


@cache
def report(monitor: object = None) -> ab.Report:
    plan = ab.Experiment(
        unit="unit",
        variant="variant",
        control="A",
        segments=["country"],
        metrics={"x": ab.Mean("x"), "y": ab.Mean("y")},
        **({"monitor": monitor} if monitor else {}),
    )
    return plan.analyze(log())


def test_a_report_over_segments_variants_and_metrics() -> None:
    found = report()
    segments = read(found, None, None, Asked("segment", "x", "B", None, None))
    assert segments.names == ("DE", "FR", "UK")
    assert segments.raw[1] == found.result("x", "B", "country=FR").estimate
    assert segments.stderrs[2] == found.result("x", "B", "country=UK").stderr
    variants = read(found, None, None, Asked("variant", "y", None, None, None))
    assert variants.names == ("B", "C")
    metrics = read(found, None, None, Asked("metric", None, "B", None, None))
    assert (metrics.names, metrics.scale) == (("x", "y"), "relative")
    effect = found.result("x", "B")
    assert metrics.raw[0] == pytest.approx(effect.relative_estimate)
    e = effect.effect
    delta = np.sqrt(e.var_treatment + (e.treatment / e.control) ** 2 * e.var_control) / e.control
    assert metrics.stderrs[0] == pytest.approx(delta, rel=1e-6)


def test_a_monitor_does_not_widen_the_likelihood() -> None:
    plain = read(report(), None, None, Asked("metric", None, "B", None, None))
    monitored = read(report(ab.AnytimeValid(0.05, tune_at=400)), None, None, Asked("metric", None, "B", None, None))
    assert monitored.stderrs == pytest.approx(plain.stderrs, rel=1e-9)


def test_a_prior_of_the_plan_is_no_part_of_the_likelihood() -> None:
    bayesian = report(ab.Bayesian(0.95, prior=ab.bayes.NormalPrior(sd=0.001), prior_scale="relative"))
    shrunk = bayesian.result("x", "B")
    for asked in (Asked("metric", None, "B"), Asked("variant", "x"), Asked("segment", "x", "B")):
        plain, found = read(report(), None, None, asked), read(bayesian, None, None, asked)
        assert found.raw == pytest.approx(plain.raw)
        assert found.stderrs == pytest.approx(plain.stderrs)
    assert shrunk.stderr < 0.2 * plain.stderrs.min()


def test_variants_of_a_report_share_the_variance_of_their_control() -> None:
    found = report()
    variants = read(found, None, None, Asked("variant", "x"))
    effects = [found.result("x", name).effect for name in "BC"]
    assert variants.shared == pytest.approx(effects[0].var_control)
    assert variants.own**2 == pytest.approx([e.var_treatment for e in effects])
    assert read(found, None, None, Asked("segment", "x", "B")).shared == 0
    results = {name: found.result("x", name) for name in "BC"}
    assert read(results, None, None, Asked("variant")).shared == variants.shared
    assert read(results, None, None, Asked("segment")).shared == 0


def test_one_control_serves_several_treatments() -> None:
    control, b, c = ab.Moments(50, 10.0, 40.0), ab.Moments(60, 11.0, 50.0), ab.Moments(30, 12.0, 50.0)
    found = read(control, {"b": b, "c": c}, None, ANY)
    assert found.names == ("b", "c")
    assert found.shared == pytest.approx(40 / 49 / 50)
    assert found.stderrs[0] == pytest.approx(ab.z_test(control, b).stderr)
    assert read(control, [b, c], ["p", "q"], ANY).names == ("p", "q")
    counts = read(ab.Counts(100, 10), [ab.Counts(100, 12), ab.Counts(80, 9)], None, ANY)
    assert counts.counts is None
    assert counts.shared == pytest.approx(1 / 10.5 + 1 / 90.5)
    rates = read(ab.Events(100, 10.0), [ab.Events(120, 10.0), ab.Events(90, 8.0)], None, ANY)
    assert rates.scale == "log rate ratio"
    assert rates.raw[0] == pytest.approx(np.log(120.5 / 100.5))
    assert rates.stderrs[0] == pytest.approx(np.sqrt(1 / 120.5 + 1 / 100.5))


def test_rows_go_with_their_plan_and_proportions_can_be_counts() -> None:
    rows = log(120)
    rows["bought"] = rows["country"] == "DE"  # no success, and no standard error, elsewhere
    plan = ab.Experiment(
        unit="unit", variant="variant", control="A", segments=["country"], metrics={"bought": ab.Proportion("bought")}
    )
    found = read(plan, rows, None, Asked("segment", None, "B", None, "log odds ratio"))
    assert found.names == ("DE", "FR", "UK")
    control, treatment = found.counts or ()
    assert list(control.successes) == [control.n[0], 0, 0]
    assert treatment.n[1] == ((rows["country"] == "FR") & (rows["variant"] == "B")).sum()
    variants = read(plan, rows, None, Asked("variant", None, None, None, "log odds ratio"))
    assert (variants.counts, variants.scale) == (None, "log odds ratio")
    assert variants.shared > 0
    with pytest.raises(ab.DataError, match="0 segments with an estimate"):
        read(plan, rows, None, Asked("segment", None, "B"))
    with pytest.raises(ValueError, match="must not be 'log odds ratio' for 'x': it is no proportion"):
        read(report(), None, None, Asked("segment", "x", "B", None, "log odds ratio"))
    with pytest.raises(TypeError, match="rows of units go with their plan"):
        read(rows, None, None, ANY)


def test_reports_of_several_experiments() -> None:
    found = read({"spring": report(), "autumn": report()}, None, None, Asked("segment", "x", "C", None, None))
    assert found.names == ("spring", "autumn")


def test_what_a_report_lacks_is_said() -> None:
    with pytest.raises(ab.PlanError, match="`metric` must be one of x, y"):
        read(report(), None, None, Asked("segment", None, "B", None, None))
    with pytest.raises(ValueError, match="`over` must be one of 'segment'"):
        read(report(), None, None, Asked("country", "x", "B", None, None))
    with pytest.raises(ValueError, match="`column` must be one of 'country'"):
        read(report(), None, None, Asked("segment", "x", "B", "city", None))


def test_results_arrays_and_frames_say_the_same() -> None:
    y, s = np.array([0.1, 0.3, -0.2]), np.array([0.2, 0.1, 0.3])
    frame = pd.DataFrame({"name": ["a", "b", "c"], "estimate": y, "stderr": s})
    same = [
        read(y, s, ["a", "b", "c"], ANY),
        read(list(y), list(s), ["a", "b", "c"], ANY),
        read(frame, None, None, ANY),
        read({"name": ["a", "b", "c"], "estimate": y, "stderr": s}, None, None, ANY),
    ]
    for found in same:
        assert found.names == ("a", "b", "c")
        assert np.array_equal(found.raw, y)
        assert np.array_equal(found.stderrs, s)


def test_pairs_of_statistics() -> None:
    control, treatment = ab.Moments(50, 10.0, 40.0), ab.Moments(60, 11.0, 50.0)
    result = ab.z_test(control, treatment)
    found = read({"p": (control, treatment), "q": (treatment, control)}, None, None, ANY)
    assert (found.raw[0], found.stderrs[0]) == pytest.approx((result.estimate, result.stderr))
    relative = read({"p": (control, treatment), "q": (treatment, control)}, None, None, Asked(*[None] * 4, "relative"))
    assert relative.raw[0] == pytest.approx(0.1)
    listed = read([result, result.with_null(0.1)], None, None, ANY)
    assert listed.names == ("1", "2")
    counts = read({"p": (ab.Counts(9, 0), ab.Counts(9, 9)), "q": (ab.Counts(9, 3), ab.Counts(9, 3))}, None, None, ANY)
    assert counts.counts is not None
    assert counts.raw[1] == 0
    assert counts.raw[0] == pytest.approx(2 * np.log(19))


@pytest.mark.parametrize(
    ("source", "second", "error", "said"),
    [
        ([1.0], [1.0], ab.DataError, "two effects or more; got 1"),
        ([1.0, 2.0], [1.0, 0.0], ValueError, "above 0; got 0 of '2'"),
        ([1.0, 2.0], [1.0, -1.0], ValueError, "above 0"),
        ([1.0, np.nan], [1.0, 1.0], ValueError, "finite"),
        ([1.0, 2.0], [1.0, 1.0, 1.0], ValueError, "as many as each other; got 2, 2 and 3"),
        (ab.Counts(9, 3), ab.Counts(9, 3), ValueError, "arrays of one length"),
        (ab.Counts([9, 9], [3, 3]), ab.Moments(9, 3.0, 1.0), TypeError, "must be Counts like the control's"),
        (ab.Counts([0, 9], [0, 3]), ab.Counts([9, 9], [3, 3]), ab.DataError, "a unit of each variant"),
        (ab.Moments([1, 9], [1.0, 3], [0.0, 1]), ab.Moments([9, 9], [3.0, 3], [1.0, 1]), ab.DataError, "two units"),
        (ab.Events(0, 0.0), [ab.Events(1, 1.0)] * 2, ab.DataError, "exposure of each variant"),
        ("text", None, TypeError, "`source` must be a report"),
        ({"a": 1.0, "b": 2.0}, None, TypeError, "must hold results with an estimate"),
        ({"a": [ab.Counts(9, 3)] * 2, "b": [ab.Moments(9, 3.0, 1.0)] * 2}, None, TypeError, "got Counts, Moments"),
    ],
)
def test_what_cannot_be_pooled_is_refused(source: object, second: object, error: type, said: str) -> None:
    with pytest.raises(error, match=said):
        read(source, second, None, ANY)


def test_the_default_prior_has_the_unit_of_the_data() -> None:
    y, s = np.array([3.0, 4.0]), np.array([1.0, 1.0])
    small, large = default_prior(y, s), default_prior(y * 1e8, s * 1e8)
    assert large.sd == pytest.approx(small.sd * 1e8)
    assert small.spread == pytest.approx(np.sqrt(13.5))
    assert default_prior(np.zeros(2), s).spread == 1
    cauchy = HierarchicalPrior(sd=1, spread=2, spread_df=1)
    assert cauchy.describe() == (
        "The mean of all effects is normal with mean 0 and sd 1; their sd about it is half-Cauchy with scale 2."
    )
    with pytest.raises(ValueError, match="`spread` must be greater than 0"):
        HierarchicalPrior(sd=1, spread=0)
    mu, tau = HierarchicalPrior(mean=1, sd=0.1, spread=2).sample(np.random.default_rng(1), 40_000)
    assert mu.mean() == pytest.approx(1, abs=0.01)
    assert tau.mean() == pytest.approx(2 * np.sqrt(2 / np.pi), abs=0.05)
    assert drawn_effects(cauchy, 4.0, 3, 7, np.random.default_rng(1))["effect"].shape == (1, 7, 3)


def test_scaling_survives_any_unit() -> None:
    data = Estimates(("a", "b"), np.array([1e8, 1e8 + 2]), np.array([1.0, 3.0]))
    centre, size = scaling(data)
    assert 1e8 <= centre <= 1e8 + 2
    assert 1 < size < 4


def test_tails_are_means_of_normal_tails() -> None:
    rng = np.random.default_rng(1)
    data = Estimates(("a", "b"), np.array([1.0, 30.0]), np.array([1.0, 1.0]))
    mu, variance = rng.normal(0, 0.1, (2, 50)), rng.uniform(0.5, 2, (1, 2, 50))
    law = DrawnLaw(*conditional(data, mu, variance))
    below, above, _ = law.look(np.zeros(2))
    assert below + above == pytest.approx(1)
    assert 0 < below[1] < 1e-60  # no draw lies there
    draws = law.centres[0] + law.spreads[0] * rng.standard_normal((4000, 2, 50))
    assert (draws.mean(), draws.std()) == pytest.approx((law.mean[0], law.sd[0]), abs=0.01)
    low, high = law.ends(0.025)
    assert law.cdf(low) == pytest.approx(0.025)
    assert law.sf(high) == pytest.approx(0.025)


def test_a_predictive_check_names_what_the_model_does_not_make() -> None:
    made = np.random.default_rng(1).standard_normal((2000, 10))
    good = predictive_check("posterior", made, made[0])
    assert good.conflicts == ()
    bad = predictive_check("prior", made, made[0] + 9)
    assert bad.conflicts == ("mean", "smallest", "largest")
    assert bad.to_dict()["statistics"]["mean"]["probability"] == 0
    assert "CONFLICT" in str(bad)
