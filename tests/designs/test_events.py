"""A flag's events under a plan: the report, its checks and the verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import abkit as ab
from abkit.designs._events_checks import independence_pvalue, split_pvalue
from abkit.sequential import srm_sequence

FLAG = "new-checkout"
START = pd.Timestamp("2026-11-02T08:00Z")
N = 4_000


def evaluations(users: np.ndarray, variant: Any, seconds: Any, reason: Any = "SPLIT", **more: Any) -> pd.DataFrame:
    columns = {
        "event": "feature_flag.evaluation",
        "feature_flag.key": FLAG,
        "feature_flag.context.id": users.astype(str),
        "feature_flag.result.variant": variant,
        "feature_flag.result.reason": reason,
        "feature_flag.version": "1",
        "timestamp": START + pd.to_timedelta(seconds, unit="s"),
    }
    return pd.DataFrame({**columns, **more})


def tracks(users: np.ndarray, name: str, seconds: Any, value: Any = None) -> pd.DataFrame:
    columns = {"event": name, "feature_flag.context.id": users.astype(str)}
    made = pd.DataFrame({**columns, "timestamp": START + pd.to_timedelta(seconds, unit="s")})
    return made if value is None else made.assign(value=value)


RNG = np.random.default_rng(11)
USERS = np.arange(N)
ON = RNG.random(N) < 0.5
VARIANT = np.where(ON, "on", "off")
SEEN = RNG.uniform(0, 86_400, N)
COUNTRY = RNG.choice(["DE", "FR"], N)
BUYS = RNG.random(N) < np.where(ON, 0.6, 0.4)
FAILS = RNG.random(N) < 0.02
VALUES = RNG.gamma(2, 10, N)
LOG = pd.concat(
    [
        evaluations(USERS, VARIANT, SEEN, country=COUNTRY, visits=USERS % 7),
        tracks(USERS[BUYS], "purchase", SEEN[BUYS] + 30, VALUES[BUYS]),
        tracks(USERS[FAILS], "error", SEEN[FAILS] + 20),
    ],
    ignore_index=True,
)
PLAN = ab.Experiment(
    strategy=ab.FeatureFlag(flag=FLAG),
    control="off",
    allocation={"off": 1, "on": 1},
    metrics={
        "revenue": ab.Mean("purchase", covariates="visits"),
        "errors": ab.Mean("count(error)", role="guardrail", direction="decrease", margin=0.04),
    },
)


def check(decision: ab.Decision | ab.Report, name: str) -> Any:
    return next(check for check in decision.checks if check.id == name)


def with_plan(**fields: Any) -> ab.Experiment:
    return replace(PLAN, strategy=replace(PLAN.strategy, **fields))


def test_the_report_is_that_of_a_table_of_units() -> None:
    units = pd.DataFrame(
        {
            "u": USERS,
            "v": VARIANT,
            "revenue": np.where(BUYS, VALUES, 0.0),
            "buyers": BUYS,
            "errors": FAILS.astype(float),
            "visits": USERS % 7,
            "country": COUNTRY,
        }
    )
    plain = ab.Experiment(
        unit="u",
        variant="v",
        control="off",
        allocation={"off": 1, "on": 1},
        segments="country",
        monitor=PLAN.monitor,
        metrics={
            "buyers": ab.Proportion("buyers"),
            "revenue": ab.Mean("revenue", covariates="visits"),
            "errors": ab.Mean("errors", role="guardrail", direction="decrease", margin=0.04),
        },
    )
    metrics = {"buyers": ab.Proportion("purchase"), **PLAN.metrics}
    expected, found = plain.analyze(units), replace(PLAN, segments="country", metrics=metrics).analyze(LOG)
    assert found.units == expected.units
    for theirs, ours in zip((*expected.results, *expected.segments), (*found.results, *found.segments), strict=True):
        assert (theirs.metric, theirs.segment, theirs.n_treatment) == (ours.metric, ours.segment, ours.n_treatment)
        assert theirs.test is not None
        assert ours.test is not None
        assert ours.test.estimate == pytest.approx(theirs.test.estimate, rel=1e-12)
        assert ours.test.stderr == pytest.approx(theirs.test.stderr, rel=1e-12)
    span = found.statistics.span
    assert span is not None
    assert span.first == (START + pd.to_timedelta(SEEN.min(), unit="s")).floor("us")


def test_a_good_release_is_promoted_and_a_bad_one_is_switched_off() -> None:
    decision = ab.decide(PLAN, LOG)
    assert (decision.verdict, decision.blocked, decision.risk.guarantee) == ("promote", False, "anytime")
    worse = FAILS | (ON & (RNG.random(N) < 0.2))
    bad = pd.concat([LOG[LOG["event"] != "error"], tracks(USERS[worse], "error", SEEN[worse] + 20)])
    assert ab.decide(PLAN, bad).verdict == "rollback"


def test_rows_in_any_order_and_written_twice_give_the_same_verdict(tmp_path: Path) -> None:
    plan = with_plan(tracked=("error",))
    first = ab.decide(plan, LOG)
    shuffled = LOG.sample(frac=1, random_state=3)
    assert ab.decide(plan, shuffled).to_json() == first.to_json()
    LOG.to_parquet(tmp_path / "log.parquet")
    assert ab.decide(plan, tmp_path / "log.parquet").to_json() == first.to_json()
    twice = ab.decide(plan, pd.concat([LOG, LOG.iloc[:500]]))
    assert twice.metrics == first.metrics
    assert check(twice, "duplicates").message.startswith("500 copies of events left out")


def test_only_what_chance_gave_counts() -> None:
    targeted = evaluations(np.arange(N, 2 * N), "on", 50.0, "TARGETING_MATCH", country="DE")
    rich = tracks(np.arange(N, 2 * N), "purchase", 60.0, np.full(N, 1e6))
    decision = ab.decide(PLAN, pd.concat([LOG, targeted, rich]))
    assert decision.metrics == ab.decide(PLAN, LOG).metrics
    notes = "; ".join(decision.notes)
    assert "4,000 of 8,000 evaluations were not by chance (4,000 targeting_match): left out" in notes
    assert "tracked events of units that chance gave no variant: left out" in notes
    with pytest.raises(ab.DataError, match=r"by chance \(SPLIT\) .* the log has 4,000 targeting_match"):
        ab.decide(PLAN, pd.concat([targeted, rich]))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("contamination", evaluations(USERS[:200], np.where(ON[:200], "off", "on"), 90_000.0)),
        ("targeting", evaluations(USERS[:200], "forced", 90_000.0, "TARGETING_MATCH")),
        ("evaluation_errors", evaluations(USERS[ON][:200], None, 90_000.0, "ERROR", **{"error.type": "general"})),
        ("before_exposure", tracks(USERS[ON][:200], "error", -60.0)),
        ("identity", evaluations(USERS[:200], "on", SEEN[:200]).assign(**{"feature_flag.context.id": None})),
        ("identity", tracks(USERS[:200], "error", 1.0).assign(timestamp=pd.NaT)),
        ("sample_ratio", evaluations(np.arange(N, N + 500), "on", 1.0, visits=1)),
    ],
)
def test_broken_logs_promote_nothing(name: str, more: pd.DataFrame) -> None:
    decision = ab.decide(PLAN, pd.concat([LOG, more]))
    assert check(decision, name).status == "fail"
    assert (decision.verdict, decision.blocked) != ("promote", False)
    assert decision.verdict != "promote"


def test_what_is_never_tracked_is_not_zero() -> None:
    silent = LOG[LOG["event"] != "error"]
    decision = ab.decide(PLAN, silent)
    assert check(decision, "tracked:error").status == "unknown"
    assert decision.verdict == "continue"
    declared = ab.decide(with_plan(tracked=("error",)), silent)
    assert all(found.id != "tracked:error" for found in declared.checks)
    elsewhere = LOG.assign(
        **{"feature_flag.context.id": LOG["feature_flag.context.id"].where(LOG["event"] != "error", "x")}
    )
    assert "none of a unit that chance gave" in check(ab.decide(PLAN, elsewhere), "tracked:error").message


def test_what_no_evaluation_says_is_an_error() -> None:
    with pytest.raises(ab.DataError, match="no evaluation by chance of the flag 'new-checkout' has `continent`"):
        ab.decide(replace(PLAN, segments="continent"), LOG)
    with pytest.raises(ab.DataError, match="no event has the key `id`"):
        ab.decide(replace(PLAN, key="id"), LOG)


def test_missing_values_are_not_zero() -> None:
    broken = LOG.copy()
    broken.loc[broken["event"] == "purchase", "value"] = np.nan
    log = pd.concat([broken, tracks(USERS[:1], "purchase", 90_000.0, 1.0)])
    with pytest.raises(ab.DataError, match="column `purchase` of the metric `revenue` is null or nan"):
        ab.decide(PLAN, log)
    metrics = {"revenue": ab.Mean("purchase", missing="drop")}
    decision = ab.decide(replace(PLAN, metrics=metrics), log)
    assert check(decision, "missing:revenue").status == "fail"
    assert decision.verdict != "promote"


def other_flag(variant: np.ndarray, key: str = "banner") -> pd.DataFrame:
    return evaluations(USERS, variant, SEEN - 5).assign(**{"feature_flag.key": key})


def test_other_flags_must_have_nothing_to_do_with_ours() -> None:
    independent = np.where(RNG.random(N) < 0.3, "a", "b")
    decision = ab.decide(PLAN, pd.concat([LOG, other_flag(independent)]))
    assert check(decision, "overlap:banner").status == "pass"
    assert decision.verdict == "promote"
    assert any(
        "its effect differs between the 2 variants of the flag 'banner' with p" in note for note in decision.notes
    )
    same_hash = np.where(ON, "a", "b")
    confounded = ab.decide(PLAN, pd.concat([LOG, other_flag(same_hash)]))
    assert (check(confounded, "overlap:banner").status, confounded.verdict) == ("fail", "continue")
    named = ab.decide(with_plan(others=("else",)), pd.concat([LOG, other_flag(same_hash)]))
    assert (check(named, "overlap:else").status, named.verdict) == ("unknown", "continue")


def test_of_many_other_flags_those_with_the_most_units_are_looked_at() -> None:
    flags = [other_flag(np.where(RNG.random(N) < 0.5, "a", "b"), f"f{i}").iloc[: 1000 - i] for i in range(8)]
    report = PLAN.analyze(pd.concat([LOG, *flags]))
    looked = [found.id for found in report.checks if found.id.startswith("overlap:")]
    assert looked == [f"overlap:f{i}" for i in range(5)]


def test_effects_that_differ_between_the_variants_of_another_flag_are_said() -> None:
    theirs = np.where(RNG.random(N) < 0.5, "a", "b")
    gone = LOG[
        ~((LOG["event"] == "purchase") & LOG["feature_flag.context.id"].isin(USERS[ON & (theirs == "a")].astype(str)))
    ]
    notes = ab.decide(replace(PLAN, segments=()), pd.concat([gone, other_flag(theirs)])).notes
    (said,) = [note for note in notes if note.startswith("`revenue` of on: its effect differs")]
    assert float(said.split("p = ")[1].split(" ")[0]) < 1e-12


def test_independence_is_the_likelihood_ratio_test_of_the_table() -> None:
    rng = np.random.default_rng(2)
    shares = {"off": 1.0, "on": 1.0, "new": 2.0}
    for _ in range(20):
        table = rng.integers(1, 80, (4, 3))
        strata = [(dict(zip(shares, map(int, line), strict=True)), shares) for line in table]
        expected = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue
        assert independence_pvalue([strata], once=True) == pytest.approx(expected, rel=1e-9)
        twice = independence_pvalue([strata, strata], once=True)
        statistic = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
        assert twice == pytest.approx(stats.chi2.sf(2 * statistic, 12), rel=1e-9)


def test_independence_at_any_time_is_seldom_denied() -> None:
    """Looked at ten times under a split that was not planned, beside a flag that has nothing to do with it."""
    rng = np.random.default_rng(8)
    shares, alarms = {"off": 1.0, "on": 1.0}, 0
    for _ in range(20):
        ours, theirs = rng.random((10, 200)) < 0.7, rng.random((10, 200)) < 0.3
        cells = np.cumsum([[(~ours & t).sum(1), (ours & t).sum(1)] for t in (theirs, ~theirs)], axis=2)
        lowest = 1.0
        for look in range(10):
            strata = [({"off": int(off), "on": int(on)}, shares) for off, on in cells[:, :, look]]
            lowest = min(lowest, independence_pvalue([strata], once=False))
        alarms += lowest < 0.05
    assert alarms <= 2


def test_splits_are_tested_within_strata() -> None:
    weights = {"off": 1.0, "on": 1.0}
    strata = [({"off": 60, "on": 40}, weights), ({"off": 30, "on": 50}, weights)]
    expected = stats.chi2.sf(4.0 + 5.0, 2)
    assert split_pvalue(strata, once=True) == pytest.approx(expected, rel=1e-12)
    one = srm_sequence(*strata[0]).log_evalue[-1] + srm_sequence(*strata[1]).log_evalue[-1]
    assert split_pvalue(strata, once=False) == pytest.approx(min(1.0, float(np.exp(-one))))
    assert np.isnan(split_pvalue([], once=True))


def staged(second: float) -> tuple[pd.DataFrame, np.ndarray]:
    """A tenth of the users in the first version, half of them in the second, at another level."""
    late = SEEN > 43_200
    on = np.where(late, RNG.random(N) < 0.5, RNG.random(N) < 0.1)
    level = np.where(late, 20.0, 10.0) + RNG.normal(0, 1, N) + second * on
    log = evaluations(USERS, np.where(on, "on", "off"), SEEN).assign(
        **{"feature_flag.version": np.where(late, "8", "7")}
    )
    return pd.concat([log, tracks(USERS, "spent", SEEN + 5, level)]), on


def test_versions_are_stages_and_are_compared_within_themselves() -> None:
    plan = replace(with_plan(stages=(10, 50, 100)), allocation=None, metrics={"spent": ab.Mean("spent")})
    log, _ = staged(0.0)
    report = plan.analyze(log)
    assert sorted(report.stages) == [1, 2]
    assert abs(report.result("spent").estimate) < 0.2  # of all rows together it is about 4
    assert check(report, "sample_ratio").status == "pass"
    better, _ = staged(0.5)
    decision = ab.decide(plan, better)
    assert (decision.verdict, decision.stage.index, decision.stage.next_weight) == ("promote", 2, 100)
    too_many = pd.concat([better, evaluations(USERS[:3] + N, "on", 90_000.0).assign(**{"feature_flag.version": "9"})])
    short = replace(plan, strategy=replace(plan.strategy, stages=(10, 50)))
    assert check(ab.decide(short, too_many), "versions").status == "fail"


def test_names_are_names_whatever_is_in_them() -> None:
    nasty = 'x\'); drop table events; -- "q" /* ~1 */'
    log = LOG.replace({"event": {"purchase": nasty}, "feature_flag.key": {FLAG: nasty}}).rename(
        columns={"country": f"{nasty}!"}
    )
    plan = replace(
        PLAN,
        strategy=ab.FeatureFlag(flag=nasty, tracked=("error",)),
        segments=f"{nasty}!",
        metrics={"s": ab.Mean(nasty), "n": ab.Mean(f"count({nasty})", role="deterioration")},
    )
    decision = ab.decide(plan, log)
    assert decision.verdict == "promote"
    assert set(decision.segments) == {f"{nasty}!=DE", f"{nasty}!=FR"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"strategy": ab.FeatureFlag()}, "`strategy.flag` must be given"),
        ({"metrics": {"m": ab.Mean(ab.ROWS)}}, "must name tracked events"),
        ({"metrics": {"m": ab.Quantile("page", q=0.9)}}, "a quantile needs per: unit"),
        ({"metrics": {"m": ab.Paired("page")}}, "must be of totals per unit"),
        ({"exposure": "seen"}, "`exposure` must be left out"),
        ({"unit": ab.ROWS}, "`unit` must name the targeting key"),
    ],
)
def test_plans_that_cannot_be_answered_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(PLAN, **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reasons": ()}, "at least one reason"),
        ({"skew": "soon"}, "`strategy.skew` must be a length of time"),
        ({"tracked": ("a", "a")}, "must not repeat a name"),
        ({"flag": 3}, "`strategy.flag` must"),
    ],
)
def test_fields_of_the_strategy_are_checked(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        ab.FeatureFlag(**fields)


def test_the_plan_survives_its_file_form() -> None:
    plan = with_plan(reasons=("SPLIT", "CACHED"), skew="5s", others=("banner",), stages=(10, 100))
    plan = replace(plan, allocation=None)
    assert ab.Experiment.from_dict(plan.to_dict()) == plan
