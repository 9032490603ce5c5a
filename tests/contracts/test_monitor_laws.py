"""Laws of every monitor with every metric: p and interval agree, looking costs, plans and looks lose nothing."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit import metrics, sequential
from abkit._schema import decision_schema, plan_schema
from abkit._sets import Interval, NoInterval
from abkit.adapters._analyze import read_statistics
from abkit.adapters._trajectory import read_trajectory
from abkit.evidence import EXACT
from abkit.logs import LogStatistics
from abkit.sequential._boundaries import SHAPES, SPENDING
from abkit.suffstats import CoMoments

UNITS, DAYS = 1200, 6
SHAPE = {"wang-tsiatis": 0.25, "kim-demets": 2.0, "hwang-shih-decani": -2.0}
ALTERNATIVES = ("two-sided", "greater", "less")
#: Of every kind, at least one; of every named boundary, one.
MONITORS: dict[str, dict[str, Any]] = {
    "fixed-horizon": {"kind": "fixed-horizon", "alpha": 0.05},
    "anytime": {"kind": "anytime-valid", "tune_at": UNITS},
    "anytime, one side": {"kind": "anytime-valid", "alpha": 0.025, "sides": 1, "tune_at": UNITS},
    "bayesian": {"kind": "bayesian"},
    "bayesian, a prior": {"kind": "bayesian", "prior": {"sd": 0.5}, "prior_scale": "relative"},
    "bayesian, a loss": {"kind": "bayesian", "loss": {"relative": 0.002}},
    "points": {"kind": "group-sequential", "information": [0.2, 0.5, 1], "boundary": [0.01, 0.02, 0.05]},
    "one side": {"kind": "group-sequential", "looks": 3, "alpha": 0.025, "sides": 1, "futility": "ld-pocock"},
    "a clock": {"kind": "group-sequential", "looks": 3, "units": UNITS},
    **{
        name: {"kind": "group-sequential", "looks": 3, "boundary": name, "shape": SHAPE.get(name)}
        for name in (*SHAPES, *SPENDING)
    },
}
#: With these every metric is tried, with the others a mean.
USUAL = ["fixed-horizon", "bayesian", "anytime", "anytime, one side", "one side", "a clock", "pocock"]
MONEY = {"kind": "mean", "value": "revenue"}
METRICS: dict[str, dict[str, Any]] = {
    "mean": MONEY,
    "mean with a margin": {**MONEY, "margin": 0.5},
    "mean with a relative margin": {**MONEY, "margin": {"relative": 0.02}},
    "guardrail": {**MONEY, "role": "guardrail", "margin": {"relative": 0.05}},
    "deterioration": {**MONEY, "role": "deterioration", "direction": "decrease"},
    "adjusted mean": {**MONEY, "covariates": ["before"]},
    "proportion": {"kind": "proportion", "value": "bought"},
    "proportion, relative": {"kind": "proportion", "value": "bought", "margin": {"relative": 0.05}},
    "ratio": {"kind": "ratio", "numerator": "revenue", "denominator": "views", "margin": {"relative": 0.01}},
    "adjusted ratio": {"kind": "ratio", "numerator": "revenue", "denominator": "views", "covariates": ["before"]},
    "count": {"kind": "count", "value": "orders"},
    "rate": {"kind": "rate", "value": "orders", "exposure": "views", "margin": {"relative": 0.05}},
    "quantile": {"kind": "quantile", "value": "revenue", "q": 0.9, "per": "unit"},
    "quantile of rows": {"kind": "quantile", "value": "revenue", "q": 0.5},
    "trend": {"kind": "trend", "value": "revenue", "day": "day", "days": DAYS, "role": "deterioration"},
    "paired": {"kind": "paired", "value": "revenue"},
    "paired proportion": {"kind": "paired-proportion", "value": "bought"},
    "disagreement": {"kind": "disagreement", "value": "views", "margin": 0.5},
}
PAIRS = ("paired", "paired proportion", "disagreement")
#: What has no place among open-ended totals.
WINDOWED = {"quantile", "quantile of rows", "trend"}
PLAN = jsonschema.Draft202012Validator(plan_schema())
DECISION = jsonschema.Draft202012Validator(decision_schema())
GRID = [*product(USUAL, METRICS), *((name, "mean") for name in MONITORS if name not in USUAL)]


def log_of(effect: float = 0.6, *, pairs: bool = False) -> pd.DataFrame:
    """Two rows a unit on two of six days; of pairs one in each variant."""
    rng = np.random.default_rng(4)
    user = np.repeat(np.arange(UNITS), 2)
    day = np.sort(rng.integers(0, DAYS, (UNITS, 2)), axis=1).ravel()
    treated = np.tile([0, 1], UNITS) if pairs else np.repeat(rng.permutation(UNITS) % 2, 2)
    before = np.repeat(rng.gamma(4.0, 5.0, UNITS), 2)
    return pd.DataFrame(
        {
            "user": user,
            "variant": np.where(treated, "new", "old"),
            "day": day,
            "time": day + rng.random(2 * UNITS),
            "before": before,
            "revenue": before / 4 + rng.gamma(4.0, 2.0, 2 * UNITS) + effect * treated,
            "bought": rng.random(2 * UNITS) < 0.10 + 0.1 * effect * treated,
            "orders": rng.poisson(1.0 + effect * treated / 2),
            "views": 1 + rng.poisson(3.0, 2 * UNITS),
        }
    )


def plan_of(monitor: str, metric: str, **changes: Any) -> ab.Experiment:
    fields = {"unit": "user", "variant": "variant", "control": "old", "metrics": {"m": METRICS[metric]}}
    share = {} if metric in PAIRS else {"allocation": {"old": 1, "new": 1}}
    return ab.Experiment.from_dict({**fields, **share, "monitor": MONITORS[monitor], **changes})


LOGS = {pairs: log_of(pairs=pairs) for pairs in (False, True)}
FOUND: dict[str, LogStatistics] = {}


def report_of(monitor: str, metric: str, look: int | None = None) -> ab.Report:
    """The report at a look, of statistics that are read once a metric."""
    from abkit.report import make_report

    plan = plan_of(monitor, metric)
    if metric not in FOUND:
        FOUND[metric] = read_statistics(LOGS[metric in PAIRS], plan.request())
    only_one = monitor in ("fixed-horizon", "a clock")
    return make_report(plan, FOUND[metric], None if only_one else look or 2)


def test_every_kind_is_tried() -> None:
    assert {monitor["kind"] for monitor in MONITORS.values()} == set(sequential.KINDS)
    assert {metric["kind"] for metric in METRICS.values()} == set(metrics.KINDS)


@pytest.mark.parametrize(("monitor", "metric"), GRID)
def test_p_and_interval_agree(monitor: str, metric: str) -> None:
    row = report_of(monitor, metric).results[0]
    assert row.test is not None, row.reason
    centre, stderr = row.test.estimate, row.test.stderr
    for alternative in ALTERNATIVES:
        for distance in (-4.0, -2.1, 0.0, 1.7, 3.1):  # 3 itself is a bound of Haybittle and Peto, and a tie
            test = row.test.with_null(centre + distance * stderr, alternative)
            assert 0 <= test.pvalue <= 1
            for level in (0.5, 0.95, 0.999):
                if abs(test.pvalue - (1 - level)) > 1e-9:
                    assert test.interval(level).contains(test.null) == (test.pvalue >= 1 - level)


@pytest.mark.parametrize(("monitor", "metric"), GRID)
def test_shares_and_differences_agree_about_no_effect(monitor: str, metric: str) -> None:
    test = report_of(monitor, metric).results[0].test
    assert test is not None
    relative = test.relative(0.95)
    if not isinstance(relative, NoInterval):
        assert relative.contains(0.0) == test.interval(0.95).contains(0.0)


@pytest.mark.parametrize(("monitor", "metric"), GRID)
def test_looking_more_than_once_makes_no_p_value_smaller(monitor: str, metric: str) -> None:
    """But for exact monitors of counts, whose statistic is another one, and for posteriors, which look at no look."""
    test = report_of(monitor, metric).results[0].test
    fixed = report_of("fixed-horizon", metric).results[0].test
    assert test is not None
    assert fixed is not None
    if MONITORS[monitor]["kind"] in ("fixed-horizon", "bayesian") or test.validity == EXACT:
        return
    alone = fixed.effect.normal()
    for null, alternative in product((0.0, fixed.estimate - 3 * fixed.stderr), ALTERNATIVES):
        assert test.effect.pvalue(null, alternative) >= alone.pvalue(null, alternative) * (1 - 1e-9)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "monitor", [name for name in MONITORS if name not in ("fixed-horizon", "a clock", "bayesian, a prior")]
)
def test_an_interval_at_every_look_is_at_least_as_wide_as_that_of_one_look(monitor: str) -> None:
    alone = report_of("fixed-horizon", "mean").results[0].test
    assert alone is not None
    normal = alone.effect.normal().interval(0.95, "two-sided")
    assert isinstance(normal, Interval)
    for look in (1, 2, 3):
        test = report_of(monitor, "mean", look).results[0].test
        assert test is not None
        own = test.interval(0.95)
        assert own.low <= normal.low + 1e-9  # type: ignore[union-attr]
        assert own.high >= normal.high - 1e-9  # type: ignore[union-attr]


@pytest.mark.parametrize(("monitor", "metric"), GRID)
def test_a_plan_survives_its_file_form(monitor: str, metric: str) -> None:
    plan = plan_of(monitor, metric)
    written = json.loads(json.dumps(plan.to_dict(), allow_nan=False))
    PLAN.validate(written)
    assert ab.Experiment.from_dict(written) == plan
    assert ab.Experiment.from_dict(written).sha256 == plan.sha256


@pytest.mark.parametrize(("monitor", "metric"), GRID)
def test_every_report_is_decided_and_written(monitor: str, metric: str) -> None:
    from abkit.decision import decide_report

    report = report_of(monitor, metric)
    json.dumps(report.to_dict(), allow_nan=False)
    assert str(report)
    decision = decide_report(report)
    DECISION.validate(json.loads(decision.to_json()))
    assert decision.verdict in ("promote", "continue", "rollback")
    assert not decision.blocked


@pytest.mark.parametrize("monitor", MONITORS)
@pytest.mark.parametrize("metric", ["mean", "proportion"])
def test_damaged_data_never_promote(monitor: str, metric: str) -> None:
    look = None if monitor in ("fixed-horizon", "a clock") else len(MONITORS[monitor].get("information", [1] * 3))
    whole = log_of(3.0)
    plan = plan_of(monitor, metric)
    assert ab.decide(plan, whole, look=look).verdict == "promote"
    lost = whole[(whole["variant"] == "new") | (whole["user"] % 3 > 0)]
    decision = ab.decide(plan, lost, look=look)
    assert decision.blocked
    assert decision.verdict == "continue"


def pooled(statistics: LogStatistics) -> dict[tuple[str, str], CoMoments]:
    return {(group.variant, name): moments for group in statistics.groups for name, moments in group.moments.items()}


@pytest.mark.parametrize("every", [0.7, 1.0, 6.0])
@pytest.mark.parametrize("window", [None, 1.5])
@pytest.mark.parametrize("metric", [name for name in METRICS if name not in PAIRS])
def test_any_looks_at_a_log_end_with_the_same_statistics(metric: str, window: float | None, every: float) -> None:
    if window is None and metric in WINDOWED:
        return
    log = LOGS[False]
    request = plan_of("anytime", metric).request()
    found = read_trajectory(log, request, time="time", every=every, window=window, until=20)
    if window is not None:
        first = log.groupby("user")["time"].transform("min")
        log = log[log["time"] < first + window]
    last, truth = (pooled(statistics) for statistics in (found.statistics[-1], read_statistics(log, request)))
    if window is not None and found.late.units_incomplete:
        pytest.fail("every window ends before the last look")
    assert last.keys() == truth.keys()
    for key, moments in last.items():
        assert moments.n == truth[key].n
        np.testing.assert_allclose(moments.mean, truth[key].mean, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(moments.m2, truth[key].m2, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("monitor", MONITORS)
def test_the_last_look_of_a_trajectory_is_the_report_at_that_look(monitor: str) -> None:
    plan = plan_of(monitor, "mean")
    trajectory = plan.trajectory(LOGS[False], time="time", every=2.0)
    assert len(trajectory.reports) == 3
    alone = plan.analyze(LOGS[False], look=trajectory.looks[-1])
    for mine, theirs in zip(trajectory.reports[-1].to_dicts(), alone.to_dicts(), strict=True):
        assert mine.keys() == theirs.keys()
        for name, value in mine.items():
            same = value == theirs[name] if not isinstance(value, float) else np.isclose(value, theirs[name], rtol=1e-9)
            assert same, name
