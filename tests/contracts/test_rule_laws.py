"""Laws of the rule: damage never helps a treatment, harm never helps it, and order and units do not matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import abkit as ab
from abkit.decision import decide_report
from abkit.report import Check
from tests.decision.test_rule import FAILED, UNKNOWN, report_of

Found = dict[tuple[str, str], float | None]
RANK = {"rollback": 0, "continue": 1, "promote": 2}

# most of them near the critical values, where the share of alpha decides
Z = st.sampled_from([s * z for z in (0.0, 1.0, 1.95, 2.0, 2.2, 2.3, 2.6, 3.0, 6.0) for s in (-1, 1)]) | st.floats(-6, 6)
MARGINS = st.sampled_from([0.0, 0.5, 2.0, ab.relative(0.01), ab.relative(0.03)])
METRICS = st.one_of(
    st.builds(ab.Mean, st.just("x"), role=st.just("success"), direction=st.sampled_from(["increase", "decrease"]),
              margin=st.none() | MARGINS),
    st.builds(ab.Mean, st.just("x"), role=st.sampled_from(["guardrail", "deterioration"]),
              direction=st.sampled_from(["increase", "decrease"]), margin=MARGINS),
)  # fmt: skip


@st.composite
def evidence(draw: st.DrawFn) -> tuple[dict[str, ab.Metric], Found, str]:
    """Metrics of a plan, an estimate for each of them and of one to three treatments, and how alpha is shared."""
    metrics = draw(st.dictionaries(st.sampled_from("abcd"), METRICS, min_size=1, max_size=4))
    treatments = draw(st.sampled_from([["x"], ["x"], ["x", "y"], ["x", "y", "z"]]))
    found: Found = {(name, variant): draw(Z) for variant in treatments for name in metrics}
    return metrics, found, draw(st.sampled_from(["holm", "none"]))


def decided(metrics: dict[str, ab.Metric], found: Found, adjust: str, *checks: Check) -> ab.Decision:
    return decide_report(report_of(metrics, found, checks, adjust=adjust))


def promoted(decision: ab.Decision) -> set[str]:
    return {variant for variant, verdict in decision.variants.items() if verdict == "promote"}


@given(evidence(), st.data())
@settings(max_examples=100)
def test_missing_evidence_promotes_no_further_treatment(
    given_evidence: tuple[dict[str, ab.Metric], Found, str], data: st.DataObject
) -> None:
    metrics, found, adjust = given_evidence
    lost = data.draw(st.sets(st.sampled_from(sorted(found)), min_size=1))
    before = decided(metrics, found, adjust)
    after = decided(metrics, {key: None if key in lost else z for key, z in found.items()}, adjust)
    assert promoted(after) <= promoted(before) - {variant for _, variant in lost}


@given(evidence(), st.sampled_from([FAILED, UNKNOWN]))
@settings(max_examples=100)
def test_a_check_that_has_not_passed_promotes_nothing_and_hides_no_harm(
    given_evidence: tuple[dict[str, ab.Metric], Found, str], check: Check
) -> None:
    before, after = decided(*given_evidence), decided(*given_evidence, check)
    assert after.blocked
    assert promoted(after) == set()
    for variant, verdict in before.variants.items():
        assert (after.variants[variant] == "rollback") == (verdict == "rollback")


@given(evidence(), st.data())
@settings(max_examples=200)
def test_more_harm_never_helps_a_treatment(
    given_evidence: tuple[dict[str, ab.Metric], Found, str], data: st.DataObject
) -> None:
    metrics, found, adjust = given_evidence
    name, variant = data.draw(st.sampled_from(sorted(found)))
    worse = (found[name, variant] or 0.0) - data.draw(st.floats(0.01, 5)) * metrics[name].sign
    before, after = decided(metrics, found, adjust), decided(metrics, {**found, (name, variant): worse}, adjust)
    assert all(RANK[verdict] <= RANK[before.variants[variant]] for variant, verdict in after.variants.items())
    assert RANK[after.verdict] <= RANK[before.verdict]


@given(evidence(), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_the_order_of_metrics_and_treatments_changes_nothing(
    given_evidence: tuple[dict[str, ab.Metric], Found, str], random: Any
) -> None:
    metrics, found, adjust = given_evidence
    names, keys = list(metrics), list(found)
    random.shuffle(names)
    random.shuffle(keys)
    before = decided(metrics, found, adjust)
    after = decided({name: metrics[name] for name in names}, {key: found[key] for key in keys}, adjust)
    assert (after.verdict, after.variant, after.variants) == (before.verdict, before.variant, before.variants)
    assert (after.plan_sha256, after.evidence_sha256) == (before.plan_sha256, before.evidence_sha256)
    assert sorted(map(str, after.reasons)) == sorted(map(str, before.reasons))


@given(evidence())
@settings(max_examples=30)
def test_the_rule_is_a_function(given_evidence: tuple[dict[str, ab.Metric], Found, str]) -> None:
    assert decided(*given_evidence).to_json() == decided(*given_evidence).to_json()


@given(evidence())
@settings(max_examples=100)
def test_a_verdict_is_explained_by_its_reasons(given_evidence: tuple[dict[str, ab.Metric], Found, str]) -> None:
    decision = decided(*given_evidence)
    shown = {"SUCCESS_SUPERIOR", "GUARDRAIL_NONINFERIOR"}
    for variant, verdict in decision.variants.items():
        codes = {reason.code for reason in decision.reasons if reason.variant == variant}
        assert codes
        assert (codes == {"HARM_SHOWN"}) == (verdict == "rollback")
        assert (codes <= shown) == (verdict == "promote")


@given(evidence())
@settings(max_examples=100)
def test_a_reason_of_harm_or_success_has_an_interval_without_its_null(
    given_evidence: tuple[dict[str, ab.Metric], Found, str],
) -> None:
    for reason in decided(*given_evidence).reasons:
        assert reason.margin is not None or reason.code == "NOTHING_TO_SHOW"
        if reason.low is not None and reason.high is not None and reason.margin is not None:
            outside = not reason.low < reason.margin < reason.high
            clear = min(abs(reason.low - reason.margin), abs(reason.high - reason.margin)) > 1e-6
            shown = reason.code in ("HARM_SHOWN", "SUCCESS_SUPERIOR", "GUARDRAIL_NONINFERIOR")
            assert outside or not clear or not shown


# laws on logs

N = 400
ROW = np.arange(N)
TREATED = ROW % 2 == 1
PLAN = ab.Experiment(
    unit="user",
    variant="variant",
    control="control",
    metrics={
        "revenue": ab.Mean("revenue", covariates="before"),
        "errors": ab.Mean("errors", role="guardrail", direction="decrease", margin=0.3),
        "bought": ab.Proportion("bought", role="deterioration"),
    },
    allocation={"control": 1, "treatment": 1},
    key="row",
)


def balanced(rng: np.random.Generator, mean: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Normal values with the same mean and a standard deviation of 1 in both variants."""
    values = rng.normal(0, 1, N)
    for arm in (TREATED, ~TREATED):
        values[arm] = (values[arm] - values[arm].mean()) / values[arm].std(ddof=1)
    return values + mean


def log(seed: int, lift: float = 0.0, errors: float = 0.0) -> pd.DataFrame:
    """A log whose standard error of both means is 0.1, with what the treatment adds to them."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "row": ROW,
            "user": ROW.astype(float),
            "variant": np.where(TREATED, "treatment", "control").astype(object),
            "revenue": balanced(rng, 10) + lift * TREATED,
            "errors": balanced(rng, 2) + errors * TREATED,
            "bought": (ROW // 2 % 3 == 0) * 1.0,
            "before": balanced(rng, 0),
        }
    )


def worst(table: pd.DataFrame, column: str, share: float, *, largest: bool = False) -> pd.Index:
    """The rows of the treatment that speak most against it."""
    mine = table.loc[table.variant == "treatment", column].sort_values(ascending=not largest)
    return mine.index[: int(share * len(mine))]


def put(column: str, value: object, rows: Callable[[pd.DataFrame], Any]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A damage: a value in the rows that are chosen."""

    def damage(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[rows(table), column] = value
        return table

    return damage


def worst_revenue(table: pd.DataFrame) -> pd.Index:
    return worst(table, "revenue", 0.1)


def most_errors(table: pd.DataFrame) -> pd.Index:
    return worst(table, "errors", 0.1, largest=True)


def crossed(table: pd.DataFrame) -> pd.DataFrame:
    """The worst units of the treatment are also seen in the control."""
    more = table.loc[worst_revenue(table)].assign(variant="control")
    return pd.concat([table, more.assign(row=more.row + N)], ignore_index=True)


def contradicted(table: pd.DataFrame) -> pd.DataFrame:
    """The worst rows of the treatment are logged again, with more revenue."""
    more = table.loc[worst_revenue(table)]
    return pd.concat([table, more.assign(revenue=more.revenue + 5)], ignore_index=True)


def moved(table: pd.DataFrame) -> pd.DataFrame:
    """The worst rows of the treatment are logged again, as the control's."""
    return pd.concat([table, table.loc[worst_revenue(table)].assign(variant="control")], ignore_index=True)


# what happens to a log; it is refused, or promotes nothing
DAMAGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    **{f"no column {name}": lambda table, name=name: table.drop(columns=name) for name in log(0).columns},
    "no treatment": lambda table: table[table.variant == "control"],
    "no control": lambda table: table[table.variant == "treatment"],
    "no rows": lambda table: table[:0],
    "one unit each": lambda table: table[:2],
    "an outcome null": put("revenue", None, lambda table: [0]),
    "a guardrail's outcome nan": put("errors", np.nan, lambda table: [0]),
    "a covariate null": put("before", None, lambda table: [0]),
    "an outcome infinite": put("revenue", np.inf, lambda table: [1]),
    "a guardrail's outcome infinite": put("errors", -np.inf, lambda table: [1]),
    "a proportion of two": put("bought", 2.0, lambda table: [1]),
    "outcomes constant": put("revenue", 10.0, lambda table: table.index),
    "outcomes constant in each variant": lambda table: table.assign(revenue=np.where(TREATED, 0.3, 0.1)),
    "a guardrail constant": put("errors", 2.0, lambda table: table.index),
    "worst units without a name": put("user", None, worst_revenue),
    "worst units without a variant": put("variant", None, worst_revenue),
    "worst rows without a key": put("row", None, most_errors),
    "worst units in an unknown variant": put("variant", "other", lambda table: worst(table, "revenue", 0.5)),
    "worst units crossed": crossed,
    "worst rows contradicted": contradicted,
    "worst rows moved": moved,
    "half the treatment lost": lambda table: table.drop(index=worst(table, "revenue", 0.5)),
}


def verdict(plan: ab.Experiment, table: pd.DataFrame) -> str:
    try:
        return ab.decide(plan, table).verdict
    except ab.DataError:
        return "refused"


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize(("lift", "errors"), [(0.18, 0.1), (1.0, 0.0)], ids=["doubtful", "good"])
def test_a_damaged_log_is_refused_or_promotes_nothing(name: str, lift: float, errors: float) -> None:
    assert verdict(PLAN, DAMAGES[name](log(0, lift, errors))) != "promote"


def test_the_undamaged_logs_promote_only_the_good_treatment() -> None:
    assert [verdict(PLAN, log(0, *effects)) for effects in ((0.18, 0.1), (1.0, 0.0))] == ["continue", "promote"]


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_outcomes_dropped_from_one_variant_promote_nothing(share: float) -> None:
    # the largest costs of the treatment are lost, which looks like a success
    plan = replace(PLAN, metrics={"errors": ab.Mean("errors", direction="decrease", missing="drop")})
    damaged = put("errors", None, lambda table: worst(table, "errors", share, largest=True))(log(1))
    decision = ab.decide(plan, damaged)
    assert (decision.verdict, decision.blocked) == ("continue", True)
    assert f"{share * N / 2:.0f} of 400 rows have no `errors`: left out of `errors`" in decision.notes


def test_outcomes_that_the_plan_counts_as_zero_are_counted_aloud() -> None:
    plan = replace(PLAN, metrics={"errors": ab.Mean("errors", missing="zero")})
    decision = ab.decide(plan, put("errors", None, lambda table: table.index[:30])(log(1)))
    assert "30 of 400 rows have no `errors`: counted as zero in `errors`" in decision.notes


FEW = replace(PLAN, metrics={"revenue": ab.Mean("revenue")}, quality=ab.Quality(contaminated=0.05))


def test_a_few_rows_that_contradict_each_other_do_not_make_a_treatment_better() -> None:
    # below the limit, so that they do not block; they are evidence for neither side
    table = log(3, 0.16)
    again = table[TREATED].iloc[:10]
    assert verdict(FEW, table) == "continue"
    assert verdict(FEW, pd.concat([table, again.assign(revenue=again.revenue + 4)])) == "continue"


def test_a_unit_whose_only_row_is_in_two_variants_is_in_neither() -> None:
    table = log(3)
    report = FEW.analyze(pd.concat([table, table[~TREATED].iloc[:10].assign(variant="treatment")]))
    assert report.units == {"control": 190, "treatment": 200}


def test_harm_rolls_back_on_clean_and_on_tainted_data() -> None:
    for table in (log(0, -1.0), crossed(log(0, -1.0)), contradicted(log(0, -1.0))):
        assert verdict(PLAN, table) == "rollback"
    assert ab.decide(PLAN, crossed(log(0, -1.0))).blocked


@pytest.mark.parametrize(("column", "sign"), [("revenue", -1), ("errors", 1)])
def test_more_harm_in_a_log_never_helps(column: str, sign: int) -> None:
    ranks = []
    for size in (0.0, 0.2, 0.4, 0.7, 3.0):
        table = log(4, 0.3)
        table[column] += sign * size * TREATED
        ranks.append(RANK[verdict(PLAN, table)])
    assert ranks == sorted(ranks, reverse=True)
    assert (ranks[0], ranks[-1]) == (2, 0)


@pytest.mark.parametrize(("lift", "errors"), [(0.5, 0.0), (-0.5, 0.0), (0.1, 0.4), (0.5, 1.0)])
@pytest.mark.parametrize("factor", [0.001, 2.0**40])
def test_the_unit_of_a_metric_changes_no_verdict(factor: float, lift: float, errors: float) -> None:
    metrics = {
        "revenue": ab.Mean("revenue", covariates="before", margin=0.01),
        "errors": ab.Mean("errors", role="guardrail", direction="decrease", margin=ab.relative(0.15)),
    }
    scaled = {**metrics, "revenue": replace(metrics["revenue"], margin=0.01 * factor)}
    table = log(5, lift, errors)
    more = table.assign(revenue=table.revenue * factor, errors=table.errors * factor)
    one, other = ab.decide(replace(PLAN, metrics=metrics), table), ab.decide(replace(PLAN, metrics=scaled), more)
    assert (one.verdict, one.variants) == (other.verdict, other.variants)
    for a, b in zip(one.metrics, other.metrics, strict=True):
        assert (a.status, a.level) == (b.status, b.level)
        assert a.pvalue == pytest.approx(b.pvalue, rel=1e-6)
        assert (a.estimate or 0) * factor == pytest.approx(b.estimate, rel=1e-6)


@pytest.mark.parametrize(("lift", "errors"), [(0.5, 0.0), (-0.5, 0.0), (0.1, 0.4), (0.5, 1.0)])
def test_a_metric_and_its_negative_with_the_other_direction_are_the_same(lift: float, errors: float) -> None:
    metrics = {
        "revenue": ab.Mean("revenue", margin=0.01),
        "errors": ab.Mean("errors", role="guardrail", direction="decrease", margin=0.3),
    }
    turned = {
        "revenue": replace(metrics["revenue"], direction="decrease"),
        "errors": replace(metrics["errors"], direction="increase"),
    }
    table = log(6, lift, errors)
    negative = table.assign(revenue=-table.revenue, errors=-table.errors)
    one, other = ab.decide(replace(PLAN, metrics=metrics), table), ab.decide(replace(PLAN, metrics=turned), negative)
    assert (one.verdict, [m.status for m in one.metrics]) == (other.verdict, [m.status for m in other.metrics])
    assert [m.pvalue for m in one.metrics] == pytest.approx([m.pvalue for m in other.metrics], rel=1e-6)


def test_the_laws_are_not_empty() -> None:
    # the evidence drawn above reaches every verdict
    seen: set[str] = set()

    @given(evidence())
    @settings(max_examples=50, database=None)
    def collect(given_evidence: tuple[dict[str, ab.Metric], Found, str]) -> None:
        seen.update(decided(*given_evidence).variants.values())

    collect()
    assert seen == set(RANK)


@pytest.mark.parametrize("missing", ["drop", "zero"])
def test_rows_lost_from_one_variant_block_a_promotion_though_every_unit_keeps_some(missing: str) -> None:
    rng = np.random.default_rng(8)
    user = np.repeat(np.arange(2_000), 10)
    treated = user % 2 == 1
    table = pd.DataFrame({"user": user, "variant": np.where(treated, "treatment", "control")})
    table["errors"] = rng.poisson(2.0, user.size).astype(float)
    table.loc[treated & (rng.random(user.size) < 0.2), "errors"] = np.nan
    plan = ab.Experiment(
        unit="user",
        variant="variant",
        control="control",
        metrics={"errors": ab.Mean("errors", direction="decrease", missing=missing)},
    )
    decision = ab.decide(plan, table)
    assert (decision.verdict, decision.blocked) == ("continue", True)
    assert [check.status for check in decision.checks if check.id == "missing:errors"] == ["fail"]


def test_a_relative_margin_shows_nothing_where_the_control_may_be_zero() -> None:
    table = pd.DataFrame(
        {
            "user": range(10),
            "variant": ["control"] * 5 + ["treatment"] * 5,
            "value": [-1, 2, 0, 1, -1.5, 3, 4, 2.5, 5, 4],
        }
    )
    guardrail = ab.Mean("value", role="guardrail", margin=ab.relative(0.1))
    decision = ab.decide(
        ab.Experiment(unit="user", variant="variant", control="control", metrics={"v": guardrail}), table
    )
    assert (decision.verdict, decision.metrics[0].status) == ("continue", "inconclusive")
