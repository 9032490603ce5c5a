"""Counts and rates as metrics: the numbers of means and ratios, and checks of their own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import abkit as ab

USERS = 300


def log(**changes):
    rng = np.random.default_rng(5)
    rows = 4 * USERS
    user = rng.integers(0, USERS, rows)
    good = {
        "user": user,
        "variant": np.array(["control", "treatment"])[user % 2],
        "orders": rng.poisson(rng.gamma(0.5, 2.0, USERS)[user]),
        "hours": rng.integers(1, 30, rows) / 8,
        "age": user % 7,
    }
    return pd.DataFrame({**good, **changes})


def report(frame, **metrics):
    return ab.Experiment(unit="user", variant="variant", control="control", metrics=metrics).analyze(frame)


@pytest.mark.parametrize("shared", [{}, {"covariates": "age"}, {"cap": ab.Cap(quantile=0.99)}])
def test_a_count_is_a_mean_and_a_rate_a_ratio_with_checks(shared):
    found = report(
        log(),
        count=ab.Count("orders", **shared),
        mean=ab.Mean("orders", **shared),
        rate=ab.Rate("orders", "hours", **shared),
        ratio=ab.Ratio("orders", "hours", **shared),
    )
    results = {result.metric: result for result in found.results if result.segment is None}
    for ours, theirs in (("count", "mean"), ("rate", "ratio")):
        a, b = results[ours], results[theirs]
        assert a.test.effect == b.test.effect
        assert (a.control, a.treatment, a.variance_kept) == (b.control, b.treatment, b.variance_kept)
        assert a.test.method.startswith("quasi")


def test_rows_can_be_counted():
    result = report(log(), rows=ab.Count(ab.ROWS)).results[0]
    assert result.control == pytest.approx(4, abs=0.3)


def test_an_experiment_with_counts_survives_its_file_form_and_is_decided():
    plan = ab.Experiment(
        unit="user",
        variant="variant",
        control="control",
        metrics={
            "orders": ab.Count("orders", margin=ab.relative(0.01)),
            "per hour": ab.Rate("orders", "hours", role="guardrail", margin=ab.relative(0.9)),
        },
    )
    assert ab.Experiment.from_dict(plan.to_dict()) == plan
    decision = ab.decide(plan, log())
    assert decision.to_dict()


@pytest.mark.parametrize(
    ("orders", "why"),
    [
        (lambda good: good - 3, "`orders` has negative values in the control, which no count has"),
        (lambda good: good + 0.25, "`orders` has values in the control that are not whole numbers, as counts are"),
        (lambda good: good * 0.0625, "`orders` has values in the control that are not whole numbers, as counts are"),
    ],
)
@pytest.mark.parametrize("metric", [ab.Count("orders"), ab.Rate("orders", "hours")])
def test_what_is_no_count_is_refused(metric, orders, why):
    frame = log()
    frame["orders"] = orders(frame["orders"])
    frame = pd.concat([frame, frame[frame["variant"] == "control"].head(1)])
    assert report(frame, metric=metric).results[0].reason == why


def test_an_exposure_of_nothing_is_refused():
    result = report(log(hours=0.0), rate=ab.Rate("orders", "hours")).results[0]
    assert result.reason == "the exposure `hours` does not add up to more than zero in the control"


def test_rates_of_nonsense_are_refused():
    with pytest.raises(ValueError, match="`exposure` must differ from the value; got 'orders' twice"):
        ab.Rate("orders", "orders")
    with pytest.raises(ValueError, match="use Count\\(ROWS\\)"):
        ab.Rate(ab.ROWS, "hours")
