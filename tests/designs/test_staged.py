"""Ramps: every stage within itself, a unit in its first stage only, and one stage as if there were no ramp."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

import abkit as ab
from abkit.designs._staged import staged_report
from abkit.inference import proportion_test

STAGES = (1, 5, 25, 50)
ERRORS = ab.Proportion("error", role="guardrail", direction="decrease", margin=0.02)
START = pd.Timestamp("2026-11-01T00:00Z")


def plan(*metrics: ab.Metric, **fields: Any) -> ab.Experiment:
    named = {f"m{i}": metric for i, metric in enumerate(metrics or (ERRORS,))}
    usual = {"strategy": ab.Canary(stages=STAGES), "unit": ab.ROWS, "variant": "release", "control": "stable"}
    return ab.Experiment(metrics=named, **{**usual, **fields})


def ramp(seed: int = 1, sizes: tuple[int, ...] = (4000, 4000, 3000, 2000), effect: float = 0.0) -> pd.DataFrame:
    """Requests whose errors and latency rise from stage to stage, as the canary's share does."""
    rng, parts = np.random.default_rng(seed), []
    for i, size in enumerate(sizes):
        canary = rng.random(size) < STAGES[i] / 100
        parts.append(
            pd.DataFrame(
                {
                    "release": np.where(canary, "canary", "stable"),
                    "stage": i + 1,
                    "at": START + pd.to_timedelta(np.arange(size) + 20_000 * i, unit="s"),
                    "error": (rng.random(size) < 0.02 * (i + 1) + effect * canary).astype(int),
                    "latency": rng.lognormal(3 + 0.2 * i, 0.5, size),
                    "seconds": rng.gamma(4.0, 1.0 + i, size),
                    "before": rng.normal(i, 1.0, size),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


LOG = ramp()


def test_means_are_those_of_the_stages_with_fixed_weights() -> None:
    """Weights n_c n_t / (n_c + n_t); the variance is that of the weighted means, by hand."""
    report = plan(ab.Mean("seconds", role="deterioration")).analyze(LOG)
    parts = [
        (s[s["release"] == "stable"]["seconds"], s[s["release"] == "canary"]["seconds"])
        for _, s in LOG.groupby("stage")
    ]
    known = np.array([len(c) * len(t) / (len(c) + len(t)) for c, t in parts])
    w = known / known.sum()
    test = report.result("m0")
    assert test.estimate == pytest.approx(float(w @ [t.mean() - c.mean() for c, t in parts]), rel=1e-12)
    variance = sum(x * x * (c.var() / len(c) + t.var() / len(t)) for x, (c, t) in zip(w, parts, strict=True))
    assert test.stderr == pytest.approx(math.sqrt(variance), rel=1e-10)
    assert (report.results[0].n_control, report.results[0].n_treatment) == tuple(
        sum(map(len, p)) for p in zip(*parts, strict=True)
    )


def test_ratios_and_fieller_margins_are_of_the_weighted_means() -> None:
    report = plan(ab.Ratio("seconds", "latency", role="deterioration")).analyze(LOG)
    w, parts = weights_and_parts()
    y, d = ([[float(w @ [part[i][name].mean() for part in parts])] for i in (0, 1)] for name in ("seconds", "latency"))
    expected = y[1][0] / d[1][0] - y[0][0] / d[0][0]
    assert report.result("m0").estimate == pytest.approx(expected, rel=1e-11)
    relative = plan(ab.Mean("seconds", role="guardrail", margin=ab.relative(0.5))).analyze(LOG).result("m0")
    low, high = relative.relative(0.9)
    for end in (low, high):
        assert relative.with_null(ab.relative(end)).pvalue == pytest.approx(0.1, rel=1e-6)


def weights_and_parts() -> tuple[np.ndarray, list[tuple[pd.DataFrame, pd.DataFrame]]]:
    parts = [(s[s["release"] == "stable"], s[s["release"] == "canary"]) for _, s in LOG.groupby("stage")]
    known = np.array([len(c) * len(t) / (len(c) + len(t)) for c, t in parts])
    return known / known.sum(), parts


def test_covariates_adjust_within_stages() -> None:
    log = LOG.assign(seconds=LOG["seconds"] + 10 * LOG["before"])
    plain, adjusted = (
        plan(ab.Mean("seconds", role="deterioration", covariates=covariates)).analyze(log).result("m0")
        for covariates in ((), ("before",))
    )
    assert adjusted.stderr < 0.9 * plain.stderr
    assert abs(adjusted.estimate) < 4 * adjusted.stderr


def test_a_log_whose_raw_means_have_the_wrong_sign() -> None:
    """The canary is better in every stage; added up raw it is worse, as its requests are late ones."""
    log = ramp(3, (20_000, 20_000, 20_000, 20_000), effect=-0.012)
    raw = log.groupby("release")["error"].mean()
    assert raw["canary"] > raw["stable"] + 0.005
    staged = ab.decide(plan(replace(ERRORS, margin=0.005)), log)
    assert staged.metrics[0].estimate < -0.005
    assert (staged.verdict, staged.blocked, staged.final) == ("promote", False, True)


@pytest.mark.parametrize("monitor", [ab.AnytimeValid(), ab.FixedHorizon()])
@pytest.mark.parametrize(
    "metric",
    [
        ERRORS,
        ab.Mean("seconds", role="guardrail", margin=ab.relative(0.1), direction="decrease"),
        ab.Quantile("latency", 0.9, role="guardrail", margin=ab.relative(0.1), direction="decrease"),
        ab.Ratio("seconds", "latency", role="deterioration"),
    ],
)
def test_one_stage_is_the_unstaged_answer_exactly(metric: ab.Metric, monitor: object) -> None:
    log = ramp(5, (20_000,)).assign(stage=1)
    shares = {"allocation": {"stable": 99, "canary": 1}, "monitor": monitor}
    staged = plan(metric, **shares).analyze(log)
    plain = plan(metric, **shares, strategy=ab.ABTest()).analyze(log)
    assert staged.results[0].test == plain.results[0].test or repr(staged.to_dicts()) == repr(plain.to_dicts())
    assert staged.checks[0].status == plain.checks[0].status == "pass"


def test_proportions_of_a_fixed_horizon_are_stouffers_sum() -> None:
    test = plan(ERRORS, monitor=ab.FixedHorizon()).analyze(LOG).result("m0")
    w, parts = weights_and_parts()
    tests = [proportion_test(*(ab.Counts(len(s), int(s["error"].sum())) for s in pair), null=0.02) for pair in parts]
    z = sum(math.sqrt(x) * part.statistic for x, part in zip(w, tests, strict=True))
    assert test.with_null(0.02).statistic == pytest.approx(z, rel=1e-12)
    low, high = test.interval(0.95)
    assert test.with_null(low).pvalue == pytest.approx(0.05, rel=1e-5)
    assert test.with_null(high).pvalue == pytest.approx(0.05, rel=1e-5)
    assert low < test.estimate < high
    assert test.with_null(high).statistic == pytest.approx(float(ndtri(0.025)), rel=1e-6)


def test_quantiles_over_stages_invert_their_test() -> None:
    slow = ab.Quantile("latency", 0.9, role="guardrail", margin=ab.relative(0.2), direction="decrease")
    test = plan(slow).analyze(LOG).result("m0")
    low, high = test.relative(0.95)
    assert -0.2 < low < test.relative_estimate < high < 0.3
    for share in (low, high):
        assert test.with_null(ab.relative(share)).pvalue == pytest.approx(0.05, rel=1e-4)
    slower = LOG.assign(latency=LOG["latency"] * np.where(LOG["release"] == "canary", 1.6, 1.0))
    assert ab.decide(plan(slow), slower).verdict == "rollback"


@pytest.mark.parametrize("as_table", [pl.DataFrame, lambda log: pl.LazyFrame(log), lambda log: duckdb.from_df(log)])  # noqa: PLW0108
def test_engines_and_the_order_of_rows_change_no_byte(as_table: Any) -> None:
    metrics = ERRORS, ab.Mean("seconds", role="guardrail", margin=1.0, direction="decrease")
    wanted = ab.decide(plan(*metrics, time="at"), LOG).to_json()
    assert ab.decide(plan(*metrics, time="at"), as_table(LOG.sample(frac=1, random_state=1))).to_json() == wanted


def users() -> pd.DataFrame:
    """Users who come back, some of them as the canary's share has risen to them."""
    rng, parts = np.random.default_rng(11), []
    for i, weight in enumerate((5, 25, 50)):
        user = rng.integers(0, 3000, 2000)
        canary = (user * 2654435761 % 10007) / 10007 < weight / 100
        at = START + pd.to_timedelta(np.sort(rng.integers(0, 3600, 2000)) + 3600 * i, unit="s")
        parts.append(
            pd.DataFrame(
                {
                    "user": user,
                    "release": np.where(canary, "canary", "stable"),
                    "stage": i + 1,
                    "at": at,
                    "x": rng.normal(size=2000),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("warm_up", [None, "10m"])
def test_a_unit_is_in_the_stage_of_its_first_row(warm_up: str | None) -> None:
    log = users()
    ours = plan(
        ab.Mean("x", role="deterioration"),
        unit="user",
        time="at",
        strategy=ab.Canary(stages=[5, 25, 50], warm_up=warm_up),
    )
    report = ours.analyze(log)
    kept = log[log["stage"] == log.groupby("user")["stage"].transform("min")]
    cold = kept["at"] < kept["stage"].map(log.groupby("stage")["at"].min()) + pd.Timedelta(warm_up or "0m")
    by_user = kept[~cold].groupby("user").agg(release=("release", "first"), stage=("stage", "first"), x=("x", "sum"))
    sizes = by_user.groupby(["stage", "release"]).size()
    assert {(n, v): u for n, stage in report.stages.items() for v, u in stage.units.items()} == sizes.to_dict()
    assert report.stages[2].first == log[log["stage"] == 2]["at"].min()
    known, gaps = [], []
    for _, stage in by_user.groupby("stage"):
        c, t = (stage[stage["release"] == v]["x"] for v in ("stable", "canary"))
        known.append(len(c) * len(t) / (len(c) + len(t)))
        gaps.append(t.mean() - c.mean())
    assert report.result("m0").estimate == pytest.approx(np.average(gaps, weights=known), rel=1e-10)
    assert report.statistics.audit.units_in_several_variants == 0
    assert f"{len(log) - len(kept):,} rows are of units that were first seen in an earlier stage" in str(report)
    assert ("while in which a stage warms up: left out" in str(report)) == bool(warm_up)
    both = pd.concat([log, log.iloc[1500:1600].assign(release="canary")])
    assert plan(ab.Mean("x"), unit="user", strategy=ours.strategy, time="at").analyze(both).checks[2].status == "fail"


def test_the_sample_ratio_is_that_of_each_stage() -> None:
    assert plan().analyze(LOG).checks[0].status == "pass"
    swapped = LOG.assign(stage=5 - LOG["stage"])
    check = plan().analyze(swapped).checks[0]
    assert (check.id, check.status) == ("sample_ratio", "fail")
    late = LOG[
        (LOG["stage"] < 4) | (LOG["release"] == "stable") | (LOG.index % 3 == 0)
    ]  # the canary loses what crashes
    decision = ab.decide(plan(), late)
    assert (decision.verdict, decision.blocked) == ("continue", True)


@pytest.mark.parametrize("stage", [np.nan, 0, 7, 1.5, -1])
def test_rows_of_no_stage_are_left_out_and_counted(stage: float) -> None:
    odd = LOG.assign(stage=LOG["stage"].astype(float))
    odd.loc[odd.index % 10 == 0, "stage"] = stage
    report = plan().analyze(odd)
    check = next(check for check in report.checks if check.id == "stages")
    assert check.status == "fail"
    assert f"{len(odd[odd.index % 10 == 0]):,} of {len(odd):,} rows" in check.message
    assert ab.decide(plan(), odd).verdict == "continue"
    assert sum(report.units.values()) == len(odd[odd.index % 10 != 0])


def test_stages_without_both_variants_compare_nothing_and_say_so() -> None:
    log = LOG[(LOG["stage"] > 1) | (LOG["release"] == "stable")]
    report = plan(ERRORS, ab.Mean("seconds")).analyze(log)
    assert any("stage 1 compares nothing" in note for note in report.notes())
    assert report.results[0].n_control == len(log[(log["stage"] > 1) & (log["release"] == "stable")])
    nobody = LOG[(LOG["stage"] == 1) == (LOG["release"] == "stable")]
    empty = plan(ERRORS, ab.Mean("seconds", role="guardrail", margin=1.0)).analyze(nobody)
    assert {row.reason for row in empty.results} == {"no stage has enough units of both variants"}
    assert ab.decide(plan(), nobody).verdict == "continue"


def test_no_errors_at_all_are_data_and_the_rule_of_three_is_said() -> None:
    quiet = ab.decide(plan(), LOG.assign(error=0))
    assert quiet.metrics[0].status == "noninferior"
    assert (quiet.metrics[0].estimate, quiet.metrics[0].high < 0.02) == (0.0, True)
    n = quiet.metrics[0].n_treatment
    assert any(f"fewer than 3 in {n:,} units ({3 / n:.2g})" in note for note in quiet.notes)


def test_a_ramp_from_its_first_stage_to_everybody() -> None:
    stages = [
        ab.Stage(1, min_time="1h", advance="no-harm"),
        ab.Stage(5, min_units=100),
        25,
        ab.Stage(50, min_time="1h"),
    ]
    ours = plan(ERRORS, strategy=ab.Canary(stages=stages), time="at")
    log, state, seen = ramp(2, (20_000, 20_000, 20_000, 12_000), -0.015), None, []
    for stage in (1, 1, 2, 3, 4):
        part = log[log["stage"] <= stage]
        now = part["at"].max() if seen else START + pd.Timedelta("30m")
        decision = ab.decide(ours, part if seen else part[part["at"] <= now], state=state, now=now.to_pydatetime())
        seen.append((decision.verdict, decision.stage.index, decision.stage.next_weight, decision.final))
        state = decision.state
    assert seen == [
        ("continue", 1, 1.0, False),
        ("promote", 1, 5.0, False),
        ("promote", 2, 25.0, False),
        ("promote", 3, 50.0, False),
        ("promote", 4, 100.0, True),
    ]


def test_the_evidence_of_earlier_stages_does_not_leave_a_stage_without_rows() -> None:
    first = ab.decide(plan(), ramp(2, (20_000, 20_000, 20_000), -0.01))
    assert (first.verdict, first.state.stage) == ("promote", 4)
    again = ab.decide(plan(), ramp(2, (20_000, 20_000, 20_000), -0.01), state=first.state)
    assert (again.verdict, [reason.code for reason in again.reasons]) == ("continue", ["TOO_FEW_UNITS"])


@pytest.mark.parametrize("last", [1, 2, 3, 4])
def test_harm_rolls_back_at_any_stage(last: int) -> None:
    decision = ab.decide(plan(), ramp(4, (20_000,) * last, effect=0.15))
    assert (decision.verdict, decision.stage.next_weight, decision.final) == ("rollback", 0.0, True)


def test_what_is_refused_in_a_sentence() -> None:
    with pytest.raises(ab.PlanError, match="must be AnytimeValid"):
        ab.Experiment.from_dict({**plan().to_dict(), "monitor": {"kind": "group-sequential", "looks": 4}})
    with pytest.raises(ValueError, match="`time` must name the column of times"):
        plan(strategy=ab.Canary(stages=STAGES, warm_up="5m"))
    with pytest.raises(ab.DataError, match="the log has no column `stage`"):
        plan().analyze(LOG.drop(columns="stage"))
    with pytest.raises(ab.DataError, match="must hold the numbers of the stages"):
        plan().analyze(LOG.assign(stage="first"))
    with pytest.raises(ab.DataError, match="no stage of the plan"):
        plan().analyze(LOG.assign(stage=9))
    with pytest.raises(ab.PlanError, match="a trajectory must have a plan without a column of stages"):
        plan().trajectory(LOG, time="at", every="1h")
    with pytest.raises(ab.PlanError, match="name the two that are compared"):
        plan().analyze(LOG.assign(release=np.where(LOG.index % 7 == 0, "third", LOG["release"])))


def test_a_baseline_of_the_canarys_size_needs_no_column() -> None:
    steady = ab.Canary(stages=[ab.Stage(weight, control=weight) for weight in STAGES])
    assert steady.stage is None
    log = ramp(9, (4000,)).assign(release=np.where(np.arange(4000) % 2, "canary", "stable"))
    check = plan(strategy=steady).analyze(log).checks[0]
    assert (check.status, "1 : 1 planned" in check.message) == ("pass", True)


def test_segments_are_by_stage_too() -> None:
    log = LOG.assign(country=np.where(LOG.index % 2, "DE", "FR"))
    report = plan(ab.Mean("seconds"), segments=["country"]).analyze(log)
    for country in ("DE", "FR"):
        whole = plan(ab.Mean("seconds")).analyze(log[log["country"] == country])
        found = report.result("m0", "canary", f"country={country}")
        assert found.estimate == pytest.approx(whole.result("m0").estimate, rel=1e-10)
    assert len(report.compare_segments()) == 1


@given(st.lists(st.tuples(*[st.integers(1, 400)] * 2, *[st.floats(0, 1)] * 2), min_size=2, max_size=4), st.booleans())
@settings(max_examples=12, deadline=None)
def test_any_counts_have_an_answer_that_flips_with_the_variants(
    cells: list[tuple[int, int, float, float]], bad: bool
) -> None:
    parts = []
    for i, (n_c, n_t, p_c, p_t) in enumerate(cells):
        for name, n, p in (("stable", n_c, p_c), ("canary", n_t, p_t)):
            parts.append(
                pd.DataFrame({"release": name, "stage": i + 1, "error": (np.arange(n) < round(n * p)).astype(int)})
            )
    log = pd.concat(parts, ignore_index=True)
    metric = replace(ERRORS, direction="decrease" if bad else "increase", role="deterioration", margin=None)
    steady = ab.Canary(stages=[ab.Stage(w, control=w) for w in (5, 10, 20, 40)], stage="stage")
    one, other = (plan(metric, strategy=steady, control=control).analyze(log) for control in ("stable", "canary"))
    if one.results[0].test is None:
        assert min(sum(cell[i] for cell in cells if min(cell[:2]) > 1) for i in (0, 1)) == 0
        return
    here, there = one.result("m0"), other.result("m0")
    assert here.estimate == pytest.approx(-there.estimate, abs=1e-12)
    assert here.pvalue == pytest.approx(there.pvalue, rel=1e-6)
    low, high = here.interval(0.95)
    assert -1 <= low <= here.estimate <= high <= 1
    assert there.interval(0.95).high == pytest.approx(-low, abs=1e-6)


def test_statistics_in_place_of_rows_give_the_same_report() -> None:
    report = plan().analyze(LOG)
    from abkit.adapters._analyze import read_statistics
    from abkit.logs import Ramp

    statistics = read_statistics(LOG, replace(plan().request(), ramp=Ramp("stage", 4)))
    assert staged_report(plan(), statistics).to_dicts() == report.to_dicts()
