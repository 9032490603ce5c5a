"""Segments compared: against statsmodels, and on logs whose truth is known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.meta_analysis import combine_effects

import abkit as ab


def plan(**fields):
    metrics = {"revenue": ab.Mean("revenue")}
    return ab.Experiment(
        **{"unit": "user", "variant": "variant", "control": "old", "metrics": metrics, "segments": "country"} | fields
    )


def log(effects, users=600, seed=1):
    """The same number of users in each country and variant, and each country's own effect."""
    rng = np.random.default_rng(seed)
    country = np.repeat(list(effects), users)
    new = np.tile([False, True], users * len(effects) // 2)
    revenue = rng.normal(10, 3, len(country)) + np.where(new, [effects[c] for c in country], 0.0)
    variant = np.where(new, "new", "old")
    return pd.DataFrame({"user": range(len(country)), "variant": variant, "country": country, "revenue": revenue})


def test_heterogeneity_is_that_of_statsmodels():
    report = plan().analyze(log({"DE": 0.1, "FR": 1.2, "IT": 0.5}))
    (found,) = report.compare_segments()
    tests = [report.result("revenue", segment=f"country={country}") for country in found.segments]
    expected = combine_effects(np.array([t.estimate for t in tests]), np.array([t.stderr**2 for t in tests]))
    assert found.segments == ("DE", "FR", "IT")
    assert found.heterogeneity.statistic == pytest.approx(expected.q, rel=1e-9)
    assert found.heterogeneity.i_squared == pytest.approx(expected.i2, rel=1e-9)


def test_holm_over_segments_says_which_are_shown():
    (found,) = plan().analyze(log({"DE": 0.0, "FR": 1.5, "IT": 1.5})).compare_segments()
    assert found.adjusted.rejected.tolist() == [False, True, True]
    assert "shown in FR, IT (Holm)" in found.message
    assert "REVERSAL" not in found.message
    for effect, own in zip(found.shrunk, found.adjusted.results, strict=True):
        assert abs(effect.estimate - own.estimate) <= abs(found.heterogeneity.estimate - own.estimate) + 1e-12


def test_a_reversal_is_pointed_out_in_the_report():
    rows = log({"DE": 0.6, "FR": 0.6}, users=2000)
    # the new variant went mostly to the country that spends less
    rows["revenue"] += np.where(rows["country"] == "FR", 8.0, 0.0)
    keep = np.random.default_rng(2).random(len(rows)) < np.where(
        (rows["variant"] == "new") == (rows["country"] == "DE"), 1, 0.3
    )
    report = plan(allocation={"old": 1, "new": 1}).analyze(rows[keep])
    (found,) = report.compare_segments()
    assert found.reversal.kind == "every"
    assert "REVERSAL: every segment has the opposite sign" in str(report)
    assert "REVERSAL" in report._repr_html_()
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["segments"][0]["reversal"]


def test_segments_without_a_result_are_left_out():
    rows = pd.concat([log({"DE": 0.5, "FR": 0.5}), log({"IT": 0.0}, users=2).assign(user=[9001, 9002])])
    (found,) = plan().analyze(rows).compare_segments()
    assert found.segments == ("DE", "FR")
    assert plan().analyze(log({"DE": 0.5})).compare_segments() == ()
    assert plan(segments=()).analyze(log({"DE": 0.5, "FR": 1})).compare_segments() == ()


def test_each_metric_treatment_and_column_is_compared():
    rows = log({"DE": 0.5, "FR": 0.5}).assign(device=["phone", "phone", "desk", "desk"] * 300)
    metrics = {"revenue": ab.Mean("revenue"), "rich": ab.Mean("rich")}
    report = plan(segments=["country", "device"], metrics=metrics).analyze(rows.assign(rich=rows["revenue"] > 10))
    assert [(found.metric, found.column) for found in report.compare_segments()] == [
        ("revenue", "country"),
        ("rich", "country"),
        ("revenue", "device"),
        ("rich", "device"),
    ]
