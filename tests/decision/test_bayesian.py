"""Plans that decide by probability and loss: what is promoted, what is shown of it, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import abkit as ab
from abkit._schema import decision_schema, plan_schema
from abkit.cli import main
from abkit.decision._segments import segment_findings
from abkit.errors import PlanError

PLANS = jsonschema.Draft202012Validator(plan_schema())
DECISIONS = jsonschema.Draft202012Validator(decision_schema())
PLAN: dict[str, Any] = {
    "unit": "user",
    "variant": "variant",
    "control": "old",
    "allocation": {"old": 1, "new": 1},
    "metrics": {"revenue": {"kind": "mean", "value": "revenue"}},
    "monitor": "bayesian",
}
GUARD = {"kind": "mean", "value": "errors", "role": "guardrail", "direction": "decrease", "margin": 0.5}
N, SD = 5000, 2.0


def given(revenue: float, errors: float | None = None, n: int = N) -> dict[str, Any]:
    """Statistics of two variants: this much more revenue, and errors."""

    def moments(mean: float) -> ab.Moments:
        return ab.Moments(n, mean, SD**2 * (n - 1))

    of = {"old": {"revenue": moments(10.0)}, "new": {"revenue": moments(10.0 + revenue)}}
    if errors is not None:
        of["old"]["errors"], of["new"]["errors"] = moments(5.0), moments(5.0 + errors)
    return of


def decided(monitor: Any, log: Any, **changes: Any) -> ab.Decision:
    plan = {**PLAN, "monitor": monitor, **changes}
    PLANS.validate(plan)
    decision = ab.decide(plan, log)
    DECISIONS.validate(json.loads(decision.to_json()))
    return decision


STDERR = SD * math.sqrt(2 / N)
DF = 2 * N - 2


@pytest.mark.parametrize(
    ("z", "verdict"), [(1.66, "promote"), (1.63, "continue"), (-1.63, "continue"), (-1.66, "rollback")]
)
def test_the_probability_decides(z: float, verdict: str) -> None:
    decision = decided("bayesian", given(z * STDERR))
    assert decision.verdict == verdict
    (metric,) = decision.metrics
    assert metric.probability == pytest.approx(stats.t.cdf(z, DF), rel=1e-8)
    assert metric.pvalue is None
    assert metric.level == pytest.approx(0.9)
    assert decision.risk.guarantee == "bayesian"
    assert decision.adjust == "none"
    assert "no error rate of repeated looks" in str(decision)
    assert " p = " not in decision.reasons[0].message if decision.reasons else True


def test_reasons_call_a_probability_by_its_name() -> None:
    (reason,) = decided("bayesian", given(2 * STDERR)).reasons
    assert "probability of being better 0.9772" in reason.message
    assert reason.pvalue is None
    assert reason.probability == pytest.approx(stats.t.cdf(2, DF), rel=1e-8)
    (harm,) = decided("bayesian", given(-2 * STDERR)).reasons
    assert "probability of being worse 0.9772" in harm.message
    assert harm.probability == pytest.approx(stats.t.cdf(-2, DF), rel=1e-8)


@pytest.mark.parametrize("monitor", [ab.FixedHorizon(), ab.AnytimeValid()])
def test_other_monitors_show_p_values_and_no_probability(monitor: Any) -> None:
    plan = ab.Experiment.from_dict({**PLAN, "monitor": {"kind": monitor.kind}})
    decision = ab.decide(plan, given(2 * STDERR))
    assert decision.metrics[0].probability is None
    assert decision.metrics[0].loss is None
    assert decision.metrics[0].pvalue is not None
    assert decision.adjust == "holm"


def unit_loss(z: float) -> float:
    return float(stats.norm.pdf(z) - z * stats.norm.sf(z))


@pytest.mark.parametrize(("share", "verdict"), [(1.01, "promote"), (0.99, "continue")])
def test_the_loss_decides(share: float, verdict: str) -> None:
    z = 0.8  # the probability is 0.79: it decides nothing here
    limit = share * STDERR * unit_loss(z)
    for loss in (limit, {"relative": limit / 10}):
        decision = decided({"kind": "bayesian", "loss": loss}, given(z * STDERR))
        assert decision.verdict == verdict
        (reason,) = decision.reasons
        assert f"expected loss of a promotion {STDERR * unit_loss(z):.3g} against {limit:.3g}" in reason.message
        assert reason.loss == pytest.approx(STDERR * unit_loss(z), rel=1e-3)
        assert "is shown" not in reason.message
    opposite = decided({"kind": "bayesian", "loss": limit}, given(-z * STDERR))
    assert opposite.verdict == {"promote": "rollback"}.get(verdict, verdict)
    assert decided({"kind": "bayesian", "loss": limit, "probability": 0.95}, given(z * STDERR)).verdict == "continue"


def test_a_loss_says_that_it_bounds_no_probability() -> None:
    assert decided({"kind": "bayesian", "loss": 0.1}, given(0.1)).risk.false_promote_max == 0.5
    assert decided("bayesian", given(0.1)).risk.false_promote_max == pytest.approx(0.05)


def test_a_guardrail_is_judged_by_its_probability_and_without_the_prior() -> None:
    metrics = {**PLAN["metrics"], "errors": GUARD}
    gain = 5 * STDERR
    for monitor in ("bayesian", {"kind": "bayesian", "loss": 10.0}, {"kind": "bayesian", "prior": {"sd": 0.5}}):
        for z, verdict in ((-1.66, "promote"), (-1.63, "continue"), (1.66, "rollback")):
            decision = decided(monitor, given(gain, 0.5 + z * STDERR), metrics=metrics)
            assert decision.verdict == verdict, (monitor, z)


def test_a_prior_draws_the_estimate_to_itself() -> None:
    z, tau = 1.8, 2 * STDERR
    decision = decided({"kind": "bayesian", "prior": {"sd": tau}}, given(z * STDERR))
    assert decision.verdict == "continue"
    share = tau**2 / (tau**2 + STDERR**2)
    assert decision.metrics[0].estimate == pytest.approx(share * z * STDERR, rel=1e-8)
    assert decision.metrics[0].probability == pytest.approx(stats.norm.cdf(z * math.sqrt(share)), rel=1e-8)
    shares = {"kind": "bayesian", "prior": {"kind": "normal", "sd": tau / 10}, "prior_scale": "relative"}
    assert decided(shares, given(z * STDERR)).metrics[0].probability == decision.metrics[0].probability


@pytest.mark.parametrize(
    "monitor",
    [
        "bayesian",
        "anytime-valid",
        {"kind": "bayesian", "probability": 0.99},
        {"kind": "bayesian", "loss": 0.001},
        {"kind": "bayesian", "loss": {"relative": 0.005}, "probability": 0.8},
        {"kind": "bayesian", "prior": {"sd": 0.02}, "prior_scale": "relative"},
        {"kind": "bayesian", "prior": {"kind": "student", "df": 3, "scale": 0.01}},
        {"kind": "bayesian", "prior": {"kind": "mixture", "weights": [0.9, 0.1], "means": [0, 0], "sds": [0, 1]}},
    ],
)
def test_a_plan_survives_its_file_form(monitor: Any) -> None:
    given_plan = {**PLAN, "monitor": monitor}
    PLANS.validate(given_plan)
    plan = ab.Experiment.from_dict(given_plan)
    written = json.loads(json.dumps(plan.to_dict(), allow_nan=False))
    PLANS.validate(written)
    assert ab.Experiment.from_dict(written) == plan
    assert ab.Experiment.from_dict(written).sha256 == plan.sha256


NUMBERS = {**PLAN["metrics"], "visits": {"kind": "mean", "value": "visits"}}
BROKEN: list[tuple[Any, dict[str, Any], str]] = [
    ("bayes", {}, "Did you mean 'bayesian'"),
    ("group-sequential", {}, "`looks` or `information` must be given"),
    (
        {"kind": "bayesian", "prior": {"kind": "beta"}},
        {},
        "`monitor.prior.kind` must be one of normal, student, mixture",
    ),
    ({"kind": "bayesian", "prior": {"df": 3}}, {}, "`monitor.prior.df` is not a field"),
    ({"kind": "bayesian", "prior": {"sd": 0}}, {}, "in `monitor.prior`: `sd` must be greater than 0"),
    ({"kind": "bayesian", "prior": 0.1}, {}, "`monitor.prior` must be a mapping"),
    ({"kind": "bayesian", "loss": {"share": 1}}, {}, "`monitor.loss` must be a number, or relative"),
    ({"kind": "bayesian", "loss": 0.1}, {"metrics": NUMBERS}, "`monitor.loss` must be relative"),
    ({"kind": "bayesian", "prior": {"sd": 0.1}}, {"metrics": NUMBERS}, "`monitor.prior_scale` must be relative"),
    ({"kind": "bayesian", "loss": 0.1}, {"metrics": {"errors": GUARD}}, "`monitor.loss` must be left out without"),
    ({"kind": "bayesian", "loss": 0.1}, {"adjust": "holm"}, "`adjust` must be none"),
    (
        {"kind": "bayesian", "prior": {"sd": 0.1}},
        {"metrics": {"p90": {"kind": "quantile", "value": "x", "q": 0.9, "per": "unit"}}},
        "`monitor.prior` must be left out for `metrics.p90`",
    ),
    (
        "bayesian",
        {"strategy": "recreate", "time": "ts"} | dict.fromkeys(("allocation",)),
        "`monitor` must be anytime-valid",
    ),
    (
        "bayesian",
        {"strategy": "rolling", "time": "ts", "allocation": None},
        "`monitor` must be fixed-horizon for rolling",
    ),
]


@pytest.mark.parametrize(("monitor", "changes", "message"), BROKEN, ids=range(len(BROKEN)))
def test_what_cannot_be_is_refused_by_name(monitor: Any, changes: dict[str, Any], message: str) -> None:
    plan = {**PLAN, "monitor": monitor, **changes}
    if plan.get("strategy") == "recreate":
        plan = {key: value for key, value in plan.items() if key not in ("unit", "variant", "control")}
    with pytest.raises(PlanError) as error:
        ab.Experiment.from_dict(plan)
    assert message in str(error.value)


def test_nothing_is_shared_unless_the_plan_says_so() -> None:
    metrics = {name: {"kind": "mean", "value": name} for name in ("revenue", "errors")}
    log = given(1.8 * STDERR, 1.8 * STDERR)
    assert decided("bayesian", log, metrics=metrics).verdict == "promote"
    assert decided("bayesian", given(1.8 * STDERR, 0.0), metrics=metrics, adjust="holm").verdict == "continue"
    tree = {"promote": {"any": ["revenue", "errors"]}}
    assert decided("bayesian", given(1.8 * STDERR, 0.0), metrics=metrics, rule=tree).verdict == "promote"


def test_a_rule_with_its_own_alpha_against_harm_asks_that_probability() -> None:
    rule = {"alpha_rollback": 0.01}
    assert decided("bayesian", given(-2 * STDERR), rule=rule).verdict == "continue"
    assert decided({"kind": "bayesian", "loss": 1.0}, given(-2 * STDERR), rule=rule).verdict == "continue"
    assert decided({"kind": "bayesian", "loss": 1.0}, given(-2.4 * STDERR), rule=rule).verdict == "rollback"


def log_of(n: int = 6000, gain: float = 0.3, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    new = rng.random(n) < 0.5
    return pd.DataFrame(
        {
            "user": np.arange(n),
            "variant": np.where(new, "new", "old"),
            "revenue": rng.normal(10, 2, n) + gain * new,
            "bought": rng.random(n) < 0.1 + 0.03 * new,
            "stage": np.where(np.arange(n) < n // 3, 1, 2),
            "country": rng.choice(["DE", "FR"], n),
        }
    )


BOTH = {**PLAN["metrics"], "bought": {"kind": "proportion", "value": "bought"}}


@pytest.mark.parametrize("strategy", ["ab-test", {"kind": "canary", "stages": [50, 50.5]}])
def test_strategies_of_randomised_units_decide_by_their_posterior(strategy: Any) -> None:
    changes = {"allocation": None} if "stages" in strategy else {}
    decision = decided("bayesian", log_of(), metrics=BOTH, strategy=strategy, **changes)
    shown = {metric.metric: metric.probability for metric in decision.metrics}
    assert all(probability is not None and probability > 0.99 for probability in shown.values())


@pytest.mark.parametrize("rule", [{}, {"promote": {"any": ["revenue", "bought"]}}])
def test_segments_share_nothing_unless_the_plan_says_so(rule: dict[str, Any]) -> None:
    plan = ab.Experiment.from_dict({**PLAN, "metrics": BOTH, "segments": ["country"], "rule": rule})
    assert {finding.alpha for finding in segment_findings(plan.analyze(log_of()))} == {plan.monitor.total}
    shared = ab.Experiment.from_dict({**PLAN, "metrics": BOTH, "segments": ["country"], "rule": rule, "adjust": "holm"})
    assert min(finding.alpha for finding in segment_findings(shared.analyze(log_of()))) < plan.monitor.total


def test_counts_are_judged_by_the_exact_posterior() -> None:
    of = {"old": {"bought": ab.Counts(40, 3)}, "new": {"bought": ab.Counts(41, 9)}}
    metrics = {"bought": BOTH["bought"]}
    found = decided("bayesian", of, metrics=metrics).metrics[0]
    c, t = stats.beta(4, 38), stats.beta(10, 33)
    grid = np.linspace(0, 1, 200_001)
    assert found.probability == pytest.approx(np.trapezoid(c.pdf(grid) * t.sf(grid), grid), rel=1e-6)
    report = ab.Experiment.from_dict({**PLAN, "metrics": metrics}).analyze(of)
    assert report.results[0].test is not None
    assert report.results[0].test.validity == "posterior"
    assert "a variant has 3 units of the rarer kind; the uniform prior" in str(report.results[0].test.caution)
    many = {"old": {"bought": ab.Counts(40, 10)}, "new": {"bought": ab.Counts(41, 31)}}
    assert ab.Experiment.from_dict({**PLAN, "metrics": metrics}).analyze(many).results[0].test.caution is None


@pytest.mark.parametrize(
    ("monitor", "role"),
    [
        ("bayesian", {}),
        ({"kind": "bayesian", "loss": {"relative": 100}}, {}),
        ("bayesian", {"role": "guardrail", "margin": 1e-9}),
    ],
)
def test_the_prior_of_counts_gives_no_verdict_against_what_was_seen(monitor: Any, role: dict[str, Any]) -> None:
    """One unit in a thousand is treated: a uniform prior says of it 1 event in 10,000 units, and none was seen."""
    of = {"old": {"bought": ab.Counts(9_990_000, 5)}, "new": {"bought": ab.Counts(10_000, 0)}}
    share = {"allocation": {"old": 99.9, "new": 0.1}}
    for direction in ("increase", "decrease"):
        metrics = {"bought": {**BOTH["bought"], "direction": direction, **role}}
        decision = decided(monitor, of, metrics=metrics, **share)
        assert decision.verdict == "continue", decision
        assert any("a variant has no units of the rarer kind" in note for note in decision.notes)


def damages() -> list[tuple[str, Any]]:
    whole, rng = log_of(), np.random.default_rng(2)
    lost = whole.copy()
    lost.loc[rng.random(len(whole)) < 0.5, "revenue"] = np.nan
    return [
        ("a third of the control is gone", whole[(whole["variant"] == "new") | (whole["user"] % 3 > 0)]),
        ("units in both variants", pd.concat([whole, whole[whole["user"] % 9 == 0].assign(variant="new")])),
        ("one unit each", whole.groupby("variant").head(1)),
        ("values are missing in one variant", whole.assign(
            revenue=whole["revenue"].where((whole["variant"] == "old") | (whole["revenue"] > 9)))),
    ]  # fmt: skip


@pytest.mark.parametrize(("what", "log"), damages(), ids=[what for what, _ in damages()])
@pytest.mark.parametrize(
    "monitor",
    [
        "bayesian",
        {"kind": "bayesian", "loss": 1.0},
        {"kind": "bayesian", "prior": {"sd": 0.05}, "prior_scale": "relative"},
    ],
    ids=["probability", "loss", "prior"],
)
def test_damage_does_not_promote(what: str, log: pd.DataFrame, monitor: Any) -> None:
    assert decided(monitor, log_of()).verdict == "promote"
    assert decided(monitor, log, missing="drop").verdict != "promote", what


def test_the_report_has_probabilities_in_the_place_of_p_values() -> None:
    plan = ab.Experiment.from_dict(
        {**PLAN, "metrics": {**BOTH, "errors": {**GUARD, "value": "stage"}}, "segments": ["country"]}
    )
    report = plan.analyze(log_of())
    text = str(report)
    assert "P(better)" in text
    assert "no error rate holds for repeated looks" in text
    assert "posteriors: `revenue` posterior of a normal estimate, `bought` posterior" in text
    rows = report.to_dict()["results"]
    assert all(row["pvalue"] is None for row in rows)
    assert all(0 <= row["probability_better"] <= 1 for row in rows)
    assert "P(better)" in report._repr_html_()
    plain = ab.Experiment.from_dict({**PLAN, "monitor": "fixed-horizon"}).analyze(log_of())
    assert "probability_better" not in plain.to_dicts()[0]


def test_segments_are_compared_without_the_prior() -> None:
    prior = {"kind": "bayesian", "prior": {"sd": 0.001}, "prior_scale": "relative"}
    found = {
        name: ab.Experiment.from_dict({**PLAN, "monitor": monitor, "segments": ["country"]}).analyze(log_of())
        for name, monitor in (("flat", "bayesian"), ("prior", prior))
    }
    q = {name: report.compare_segments()[0].heterogeneity.statistic for name, report in found.items()}
    assert q["prior"] == pytest.approx(q["flat"], rel=1e-12)
    for text in (str, ab.Report._repr_html_):
        assert "segments compared, by the data alone, without the prior" in text(found["prior"])
        assert "without the prior" not in text(found["flat"])


def test_a_result_under_a_prior_is_not_drawn_to_another_one_twice() -> None:
    prior = ab.bayes.NormalPrior(sd=0.02)
    tests = []
    for monitor in (ab.Bayesian(), ab.Bayesian(prior=prior)):
        plan = ab.Experiment.from_dict({**PLAN, "monitor": "bayesian"})
        test = replace(plan, monitor=monitor).analyze(given(0.05)).results[0].test
        assert test is not None
        tests.append(test)
    flat, drawn = tests
    assert abs(drawn.estimate) < abs(flat.estimate) / 3
    means = [float(ab.bayes.shrunk(test, prior).mean) for test in tests]
    assert means[0] == means[1] == pytest.approx(drawn.estimate, rel=1e-12)
    histories = [ab.bayes.fit_effects([test] * 4 + tests[:1], kind="normal").prior for test in tests]
    assert histories[0] == histories[1]


def test_a_trajectory_says_what_stopping_does() -> None:
    log = log_of().assign(day=np.arange(6000) // 1000)
    notes = ab.Experiment.from_dict(PLAN).trajectory(log, time="day", every=1, window=1).notes()
    exact = ab.Bayesian().design(range(1, 7)).alpha / 2
    assert any(f"{exact:.1%} of all experiments" in note for note in notes)


def test_the_command_line_decides_by_it(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    plan, log = tmp_path / "plan.yaml", tmp_path / "log.csv"
    plan.write_text(
        "unit: user\nvariant: variant\ncontrol: old\nallocation: {old: 1, new: 1}\nmonitor: bayesian\n"
        "metrics:\n  revenue: {kind: mean, value: revenue}\n"
    )
    log_of().to_csv(log, index=False)
    main(["decide", str(plan), str(log), "--format", "json"])
    written = json.loads(capsys.readouterr().out)
    assert written["verdict"] == "promote"
    assert written["risk"]["guarantee"] == "bayesian"
    assert written["metrics"][0]["probability"] > 0.99
    assert written["metrics"][0]["pvalue"] is None


def test_simulation_says_how_often_it_errs_and_refuses_what_it_does_not_know() -> None:
    plan = ab.Experiment.from_dict(PLAN)
    rng = np.random.default_rng(1)
    null = ab.simulate.Scenario("no effect", {})
    found = ab.simulate.operating_characteristics(plan, [null], units=10_000, looks=5, runs=20_000, rng=rng)
    exact = ab.Bayesian().design([1, 2, 3, 4, 5]).alpha / 2
    assert found.rows[0].promote == pytest.approx(exact, abs=0.01)
    for name, monitor in (
        ("prior", {"kind": "bayesian", "prior": {"sd": 0.1}}),
        ("loss", {"kind": "bayesian", "loss": 0.1}),
    ):
        bad = ab.Experiment.from_dict({**PLAN, "monitor": monitor})
        with pytest.raises(PlanError, match=f"`monitor.{name}` must be left out for planning and simulation"):
            ab.simulate.operating_characteristics(bad, [null], units=10_000, rng=rng)
        with pytest.raises(PlanError, match=f"`monitor.{name}` must be left out for planning and simulation"):
            bad.plan(log_of())
