"""Promote an arm, continue, or drop it, from the log of a policy: truth, damage, and what such a plan refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit.adapters._adaptive_log import read_decided
from abkit.bandits._adaptive import adaptive_effect, stable_moments
from abkit.bandits._contrast import choices_pvalue, contrast_effect, lost_pvalue
from abkit.bandits._decided import read_adaptive
from tests.decision.policy_logs import PLAN, decisions, plan_of, played, rates, table

ONE = replace(PLAN, propensity="propensity")
WIN, NONE, HARM = (table("greedy", means, 2_000, 7) for means in ([0.0, 0.35], [0.0, 0.0], [0.0, -0.5]))
WITHIN = 3 * np.sqrt(0.025 * 0.975 / 60)  # three standard errors of 60 runs


def check(decision: ab.Decision, name: str) -> Any:
    return next(found for found in decision.checks if found.id == name)


@pytest.mark.parametrize(("log", "verdict"), [(WIN, "promote"), (NONE, "continue"), (HARM, "rollback")])
@pytest.mark.parametrize("plan", [PLAN, ONE], ids=["a column an arm", "a column of the chosen arm"])
@pytest.mark.parametrize("monitor", [ab.FixedHorizon(), ab.AnytimeValid(), ab.GroupSequential(looks=2, units=4_000)])
def test_the_verdict_on_an_arm(log: pd.DataFrame, verdict: str, plan: ab.Experiment, monitor: Any) -> None:
    decision = ab.decide(replace(plan, monitor=monitor), log)
    assert (decision.verdict, decision.variants, decision.blocked) == (verdict, {"b": verdict}, False)
    assert [found.id for found in decision.checks] == ["propensities", "chances", "choices", "identity"]


@pytest.mark.parametrize("kind", ["greedy", "thompson"])
@pytest.mark.parametrize(("difference", "right"), [(0.0, "continue"), (0.6, "promote"), (-0.6, "rollback")])
def test_verdicts_are_right_as_often_as_they_should_be(kind: str, difference: float, right: str) -> None:
    found = rates(decisions(PLAN, *played(kind, [0.0, difference], 500, 60, np.random.default_rng(5))))
    wrong = {"promote": 0.025, "rollback": 0.025, "continue": 0.5}
    assert all(found[verdict] <= wrong[verdict] + WITHIN for verdict in found if verdict != right)
    assert found[right] > 0.5


def test_three_arms_have_a_verdict_each() -> None:
    log = table("greedy", [0.0, 0.6, -0.9], 3_000, 3)
    decision = ab.decide(plan_of(3), log)
    assert (decision.verdict, decision.variant) == ("promote", "b")
    assert decision.variants == {"b": "promote", "c": "rollback"}


def test_guardrails_and_counts_are_judged_by_the_same_rule() -> None:
    rng = np.random.default_rng(2)
    log = WIN.assign(clicks=rng.poisson(2, len(WIN)), bought=rng.random(len(WIN)) < 0.3)
    metrics = {
        "reward": ab.Mean("reward"),
        "clicks": ab.Count("clicks", role="guardrail", margin=ab.relative(0.5)),
        "bought": ab.Proportion("bought", role="deterioration"),
    }
    decision = ab.decide(replace(PLAN, metrics=metrics), log)
    assert decision.verdict == "promote"
    assert {metric.metric: metric.status for metric in decision.metrics}["clicks"] == "noninferior"


def test_the_estimate_is_that_of_the_contrast_of_two_arms() -> None:
    arm, propensities = (WIN["arm"] == "b").to_numpy(int), WIN[["p_a", "p_b"]].to_numpy()
    direct = adaptive_effect(stable_moments(arm, WIN["reward"].to_numpy(), propensities))
    contrast = read_adaptive(WIN, PLAN.request(), {"reward": False}).decided.contrasts["reward", "b"]
    found = contrast_effect(contrast)
    for name in ("control", "treatment", "var_control", "var_treatment", "covariance", "df"):
        assert getattr(found, name) == pytest.approx(getattr(direct, name), rel=1e-9), name


@pytest.mark.parametrize("factor", [2.0**-200, 1.0, 2.0**200])
def test_the_unit_of_an_outcome_changes_no_statistic(factor: float) -> None:
    one, other = (PLAN.analyze(log).result("reward") for log in (WIN, WIN.assign(reward=WIN.reward * factor)))
    assert other.statistic == pytest.approx(one.statistic, rel=1e-12)
    assert other.estimate == pytest.approx(one.estimate * factor, rel=1e-12)


def test_an_offset_changes_no_difference() -> None:
    one, other = (PLAN.analyze(log).result("reward") for log in (WIN, WIN.assign(reward=WIN.reward + 1e6)))
    assert (other.estimate, other.stderr) == (
        pytest.approx(one.estimate, rel=1e-8),
        pytest.approx(one.stderr, rel=1e-8),
    )


@pytest.mark.parametrize("every", [1, 50])
def test_the_order_of_rows_changes_nothing_within_batches_neither(every: int) -> None:
    log = WIN.assign(t=WIN.t // every)
    mixed = log.sample(frac=1, random_state=1)
    assert ab.decide(PLAN, log).to_json() == ab.decide(PLAN, mixed).to_json()


def test_the_order_of_decisions_counts() -> None:
    estimates = {PLAN.analyze(log).result("reward").estimate for log in (WIN, WIN.assign(t=WIN.t.to_numpy()[::-1]))}
    assert len(estimates) == 2


def put(column: str, value: object, rows: Callable[[pd.DataFrame], Any]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def damage(log: pd.DataFrame) -> pd.DataFrame:
        log = log.astype({column: object}) if value is None else log.copy()
        log.loc[rows(log), column] = value
        return log.astype({column: float}) if value is None and column != "arm" else log

    return damage


def worst(log: pd.DataFrame, share: float = 0.1) -> pd.Index:
    """The rows of the treatment that speak most against it."""
    mine = log.loc[log.arm == "b", "reward"].sort_values()
    return mine.index[: int(share * len(mine))]


def some(log: pd.DataFrame) -> pd.Index:
    return log.index[:1]


def swapped(log: pd.DataFrame) -> pd.DataFrame:
    return log.assign(p_a=log.p_b, p_b=log.p_a, propensity=1 - log.propensity)


DAMAGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    **{f"no column {name}": lambda log, name=name: log.drop(columns=name) for name in ("t", "arm", "reward")},
    "no propensities": lambda log: log.drop(columns=["propensity", "p_b"]),
    "no rows": lambda log: log[:0],
    "no control": lambda log: log[log.arm == "b"],
    "no treatment": lambda log: log[log.arm == "a"],
    "two rows": lambda log: log[:2],
    "twelve rows": lambda log: log[:12],
    "arms as they were not chosen": swapped,
    "every choice certain": lambda log: log.assign(
        propensity=1.0, p_a=(log.arm == "a") * 1.0, p_b=(log.arm == "b") * 1.0
    ),
    "an even chance, which it was not": lambda log: log.assign(propensity=0.5, p_a=0.5, p_b=0.5),
    "propensities in per cent": lambda log: log.assign(
        propensity=100 * log.propensity, p_a=100 * log.p_a, p_b=100 * log.p_b
    ),
    "the order null": put("t", None, some),
    "an outcome null": put("reward", None, some),
    "an outcome infinite": put("reward", np.inf, some),
    "outcomes constant": put("reward", 1.0, lambda log: log.index),
    "outcomes constant in each arm": lambda log: log.assign(reward=np.where(log.arm == "b", 0.3, 0.1)),
    "worst rows without an arm": put("arm", None, worst),
    "worst rows in an unknown arm": put("arm", "other", worst),
    "worst rows lost": lambda log: log.drop(index=worst(log, 0.3)),
    **{
        f"{what} {value} in {name}": (
            lambda log, value=value, rows=rows: put("p_b", value, rows)(put("propensity", value, rows)(log))
        )
        for what, rows in (("a propensity", some), ("propensities of the worst", worst))
        for value in (None, np.nan, 0.0, -0.1, 1.1)
        for name in ("both forms",)
    },
    "worst rows certain": lambda log: put("p_a", 0.0, worst)(
        put("p_b", 1.0, worst)(put("propensity", 1.0, worst)(log))
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("plan", [PLAN, ONE], ids=["a column an arm", "a column of the chosen arm"])
def test_a_damaged_log_is_refused_or_promotes_nothing(name: str, plan: ab.Experiment) -> None:
    try:
        decision = ab.decide(plan, DAMAGES[name](WIN))
    except ab.DataError:
        return
    assert decision.verdict != "promote"
    assert decision.blocked or decision.metrics[0].status != "superior"


def test_what_is_wrong_with_propensities_is_counted() -> None:
    log = WIN.copy()
    log.loc[[3, 4], "p_b"] = np.nan
    log.loc[5, "p_a"] = 1.5
    log.loc[[6, 7, 8], "p_a"] += 0.01
    found = check(ab.decide(PLAN, log), "propensities")
    assert found.status == "fail"
    assert found.message == (
        "2 without a propensity, 1 with a propensity below 0 or above 1, 3 with propensities that do not add up to 1 "
        "of 2,000 decisions, left out"
    )
    near = log.loc[~log.index.isin(range(3, 9))].assign(p_a=lambda rows: rows.p_a + 5e-7)
    assert check(ab.decide(PLAN, near), "propensities").status == "pass"


def test_a_log_without_chance_says_so() -> None:
    decision = ab.decide(PLAN, DAMAGES["every choice certain"](WIN))
    assert (decision.verdict, decision.blocked) == ("continue", True)
    assert "a policy without chance leaves nothing to compare" in check(decision, "chances").message


def test_harm_is_shown_on_tainted_data_too() -> None:
    log = put("p_b", np.nan, some)(HARM)
    assert (ab.decide(PLAN, log).verdict, ab.decide(PLAN, log).blocked) == ("rollback", True)


@pytest.mark.parametrize("once", [True, False])
def test_propensities_that_are_right_are_hardly_ever_doubted(once: bool) -> None:
    arms, _, propensities = played("thompson", [0.0, 0.3], 400, 200, np.random.default_rng(9))
    chosen = np.stack([arms == 0, arms == 1])
    right = [pvalue_of(chosen[:, :, run], propensities[:, :, run], once) for run in range(200)]
    assert sum(pvalue < 0.05 for pvalue in right) <= 0.05 * 200
    wrong = [pvalue_of(chosen[::-1, :, run], propensities[:, :, run], once) for run in range(50)]
    assert max(wrong) < 1e-3


def pvalue_of(chosen: Any, propensities: Any, once: bool) -> float:
    from abkit.logs import Choices

    excess, variance, way = chosen - propensities, propensities * (1 - propensities), 2 * propensities - 1
    rows = [
        Choices((float(x.sum()), float((x * w).sum())), (float(v.sum()), float((v * w * w).sum())), 1.0, 0)
        for x, v, w in zip(excess, variance, way, strict=True)
    ]
    named = dict(zip("ab", rows, strict=True))
    return choices_pvalue(named, once=once)


def test_values_lost_from_one_arm_block_and_others_do_not() -> None:
    plan = replace(PLAN, missing="drop")
    lost = ab.decide(plan, put("reward", np.nan, worst)(WIN))
    assert (lost.verdict, check(lost, "missing:reward").status) == ("continue", "fail")
    anywhere = put("reward", np.nan, lambda log: log.index[::20])(WIN)
    decision = ab.decide(plan, anywhere)
    assert (decision.verdict, check(decision, "missing:reward").status) == ("promote", "pass")
    assert "100 of 2,000 rows have no `reward`: left out of `reward`" in decision.notes


def test_losses_of_one_arm_have_the_p_value_of_a_bet() -> None:
    even = np.full((2, 30), 0.5)
    assert lost_pvalue(np.ones(30, int), even) < 1e-5
    assert lost_pvalue(np.arange(30) % 2, even) == 1.0


def test_rare_outcomes_are_no_evidence_yet() -> None:
    log = table("greedy", [0.02, 0.05], 300, 4, binary=True)
    decision = ab.decide(PLAN, log)
    assert (decision.verdict, decision.reasons[0].code) == ("continue", "NO_DATA")
    assert "at least 10 should be expected: wait for more decisions" in decision.reasons[0].message


def test_the_report_shows_the_adaptive_estimates_and_says_so() -> None:
    report = PLAN.analyze(WIN)
    text = str(report)
    assert text.startswith("decisions: a ")
    assert "the plain means of the variants are not shown" in text
    row = report.results[0]
    assert row.treatment - row.control == pytest.approx(report.result("reward").estimate, rel=1e-12)
    assert row.n_control + row.n_treatment == len(WIN)
    naive = WIN.groupby("arm").reward.mean()
    assert row.control != pytest.approx(naive["a"], rel=1e-6)
    assert "adaptively weighted AIPW" in report.result("reward").method
    assert "decisions: a " in report._repr_html_()


FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"propensity": None}, "ab.bandits.adaptive_test needs them too"),
    ({"order": None}, "`order` must be given for an adaptive plan: log with every decision the probability"),
    ({"assignment": "random"}, "`assignment` must be one of"),
    ({"assignment": "randomised"}, "`propensity` must be left out unless `assignment` is adaptive"),
    ({"assignment": "randomised", "propensity": None}, "`order` must be left out unless `assignment` is adaptive"),
    ({"allocation": {"a": 1, "b": 1}}, "`allocation` must be left out of an adaptive plan"),
    ({"segments": "country"}, "`segments` must be left out of an adaptive plan"),
    ({"propensity": {"a": "p_a"}}, "`propensity` must map the control 'a' and every other variant"),
    ({"propensity": {"b": "p_b", "c": "p_c"}}, "`propensity` must map the control 'a'"),
    ({"propensity": {"a": "p", "b": "p"}}, "must name a column each; got 'p'"),
    ({"propensity": "t"}, "must name a column each; got 't'"),
    ({"order": "arm"}, "must name a column each; got 'arm'"),
    ({"order": ab.ROWS}, "must name a column each; got 'ROWS'"),
    ({"propensity": 1}, "`propensity` must be"),
    ({"metrics": {"m": ab.Ratio("x", "y")}}, "a ratio metric is not the mean of one number a decision"),
    ({"metrics": {"m": ab.Mean("x", covariates="z")}}, "covariates are not used"),
    ({"metrics": {"m": ab.Mean("x", cap=ab.Cap(value=1))}}, "a cap is of all decisions together"),
    ({"metrics": {"m": ab.Mean(ab.ROWS)}}, "ROWS is always 1"),
    ({"metrics": {"m": ab.Quantile("x", 0.5)}}, "a quantile metric is not the mean"),
]


@pytest.mark.parametrize(("fields", "message"), FIELDS)
def test_a_plan_that_cannot_be_answered_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        replace(PLAN, **fields)
    with pytest.raises(ab.PlanError):
        ab.Experiment.from_dict({**PLAN.to_dict(), **({} if "metrics" in fields else fields), **_written(fields)})


def _written(fields: dict[str, Any]) -> dict[str, Any]:
    if "metrics" not in fields:
        return {}
    plan = ab.Experiment(unit="u", variant="arm", control="a", metrics=fields["metrics"])
    return {"metrics": plan.to_dict()["metrics"]}


@pytest.mark.parametrize("plan", [PLAN, ONE])
def test_an_adaptive_plan_survives_a_dict(plan: ab.Experiment) -> None:
    data = plan.to_dict()
    assert data["assignment"] == "adaptive"
    assert ab.Experiment.from_dict(data) == plan
    assert ab.Experiment.from_dict(data).sha256 == plan.sha256 != replace(plan, order="when").sha256


ELSEWHERE: dict[str, Callable[[], object]] = {
    "a trajectory": lambda: PLAN.trajectory(WIN, time="t", every=100),
    "days since exposure": lambda: PLAN.exposure_days(WIN, time="t", every=100, window=200),
    "planning": lambda: PLAN.plan(WIN),
    "a replay": lambda: ab.aa_replay(PLAN, WIN, times=2, rng=np.random.default_rng(1)),
    "a simulated log": lambda: ab.simulate.log(PLAN, 10, rng=np.random.default_rng(1)),
    "operating characteristics": lambda: ab.simulate.operating_characteristics(PLAN, None, 10, np.random.default_rng()),
    "a scenario": lambda: ab.simulate.default_scenarios(PLAN),
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_what_needs_randomised_variants_refuses_in_a_sentence(what: str) -> None:
    with pytest.raises(ab.PlanError, match=f"^{what} must have a plan with `assignment` randomised"):
        ELSEWHERE[what]()


def test_reading_keeps_what_it_read() -> None:
    rows = read_decided(WIN, PLAN.request())
    assert rows.arms == ("a", "b")
    assert np.array_equal(rows.outcomes["reward"], WIN.reward)


def test_copies_of_decisions_are_noted() -> None:
    copies = WIN[WIN["reward"] > 0.5]
    for log, said in ((WIN, 0), (pd.concat([WIN, copies]), len(copies)), (WIN.assign(t=WIN["t"] // 10), 0)):
        notes = [note for note in ab.decide(PLAN, log).notes if "equal another one" in note]
        assert [note.split(" ")[0] for note in notes] == ([f"{said:,}"] if said else [])
