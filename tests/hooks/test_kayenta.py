"""Kayenta's contracts: what its judge is asked and answers, and how those who poll it read the score."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import abkit as ab
from abkit.hooks import (
    kayenta,
    kayenta_configs,
    kayenta_execution,
    kayenta_judge,
    kayenta_polled,
    kayenta_standalone,
    kayenta_started,
)
from tests.hooks.decisions import decision_of

RNG = np.random.default_rng(12)
CALM, SAME = (100 + RNG.standard_normal((2, 60))).tolist()
SLOW = [value + 30 for value in SAME]
LABELS = {"Pass", "High", "Low", "Nodata", "NodataFailMetric", "Error"}
THRESHOLDS = [(95, 75), (95, 94), (100, 1), (1, 0.5), (60.5, 60), (50, 49.5)]


def argo(score, passing, marginal):
    """Argo Rollouts cuts the score to a whole number, and thresholds are whole there."""
    score = int(score)
    return "Successful" if score >= passing else "Inconclusive" if score >= marginal else "Failed"


def orca(score, passing, marginal, *, last=False):
    """Orca fails an interval at or below marginal, and the last one below pass."""
    if last:
        return "Successful" if score >= passing else "Failed"
    return "Failed" if score <= marginal else "Running"


def metric(name="latency", *, groups=("requests",), config=None, **canary):
    return {
        "name": name,
        "query": {"type": "prometheus", "serviceType": "prometheus"},
        "groups": list(groups),
        "analysisConfigurations": {"canary": canary} if config is None else config,
        "scopeName": "default",
    }


def pair(control, experiment, name="latency", own="8a3e"):
    scope = {"startTimeIso": "2026-08-01T10:00:00Z", "startTimeMillis": 1785578400000, "stepMillis": 60000}
    return {
        "name": name,
        "id": own,
        "tags": {"zone": "a"},
        "values": {"control": control, "experiment": experiment},
        "scopes": {"control": scope, "experiment": scope},
        "attributes": {"control": {"query": "..."}},
    }


WITHIN = {"direction": "increase", "effectSize": {"allowedIncrease": 1.1}}


def ask(pairs, metrics=None, thresholds=(95, 75), **judge):
    return {
        "canaryConfig": {
            "name": "a",
            "judge": {"name": "RemoteJudge-v1.0", "judgeConfigurations": judge},
            "metrics": [metric(**WITHIN)] if metrics is None else metrics,
            "classifier": {"groupWeights": {}},
        },
        "scoreThresholds": {"pass": thresholds[0], "marginal": thresholds[1]},
        "metricSetPairList": pairs,
    }


def body(request):
    reply = kayenta_judge(request)
    assert reply.status == 200
    text = reply.to_json()
    assert "NaN" not in text
    assert json.loads(text) == json.loads(json.dumps(reply.body))
    for result in reply.body["results"]:
        assert result["classification"] in LABELS
        assert isinstance(result["controlMetadata"]["stats"]["count"], int)
    return reply.body


def verdict(request):
    return body(request)["abkit"]["verdict"]


def label(request):
    return body(request)["results"][0]["classification"]


@pytest.mark.parametrize("thresholds", THRESHOLDS)
def test_every_consumer_reads_the_verdict_that_was_given(thresholds):
    given = dict(zip(("pass", "marginal"), thresholds, strict=True))
    scores = {name: kayenta(decision_of(name), given).body["score"]["score"] for name in ("promote", "rollback")}
    middle = kayenta(decision_of("continue"), given).body["score"]["score"]
    assert argo(scores["promote"], *thresholds) == orca(scores["promote"], *thresholds, last=True) == "Successful"
    assert orca(scores["rollback"], *thresholds) == "Failed"
    assert argo(scores["rollback"], *thresholds) == ("Failed" if thresholds[1] > 0 else "Inconclusive")
    assert thresholds[1] < middle < thresholds[0]
    assert orca(middle, *thresholds) == "Running"
    if all(isinstance(threshold, int) for threshold in thresholds):
        assert argo(middle, *thresholds) == "Inconclusive"


def test_where_marginal_is_pass_to_continue_fails():
    score = kayenta(decision_of("continue"), {"pass": 80, "marginal": 80}).body["score"]
    assert (score["score"], score["classification"]) == (0.0, "Fail")


@pytest.mark.parametrize(("outcome", "label"), [("promote", "Pass"), ("continue", "Marginal"), ("rollback", "Fail")])
def test_a_decision_has_the_shape_of_a_judgement(outcome, label):
    result = kayenta(decision_of(outcome)).body
    assert set(result) == {"judgeName", "results", "groupScores", "score", "abkit"}
    assert result["score"]["classification"] == label
    assert result["results"][0]["controlMetadata"]["stats"]["count"] == 100
    assert json.loads(kayenta(decision_of(outcome)).to_json())["abkit"]["outcome"] == outcome


def test_blocked_is_marginal_with_its_reason():
    reply = kayenta(decision_of("blocked"))
    assert reply.body["score"]["classification"] == "Marginal"
    assert reply.body["abkit"]["blocked"]
    assert reply.body["score"]["classificationReason"]


def test_what_argo_asks_is_answered_without_a_memory():
    names = kayenta_configs(["checkout", "search.v2_0"]).body
    wanted = {each["name"]: each["id"] for each in names}["search.v2_0"]
    assert isinstance(names[0]["updatedTimestamp"], int)
    scope = {"scope": "a", "location": "", "step": 60, "start": "x", "end": "y"}
    asked = {"scopes": {"default": {"controlScope": scope, "experimentScope": scope}}}
    started = kayenta_started(wanted, asked | {"thresholds": {"pass": 90, "marginal": 50}})
    assert started.status == 200
    plan, thresholds = kayenta_polled(started.body["canaryExecutionId"])
    assert (plan, thresholds) == ("search.v2_0", {"pass": 90.0, "marginal": 50.0})
    for outcome, phase in (("promote", "Successful"), ("continue", "Inconclusive"), ("rollback", "Failed")):
        execution = json.loads(kayenta_execution(decision_of(outcome), thresholds).to_json())
        assert execution["complete"] is True
        assert argo(execution["result"]["judgeResult"]["score"]["score"], 90, 50) == phase


@pytest.mark.parametrize(
    "thresholds",
    [
        None,
        {},
        {"pass": 0, "marginal": 0},
        {"pass": 95, "marginal": 0},
        {"pass": 50, "marginal": 60},
        {"pass": math.nan, "marginal": 1},
    ],
)
def test_a_start_without_thresholds_is_refused(thresholds):
    with pytest.raises(ab.PlanError, match="`thresholds"):
        kayenta_started("checkout", {"thresholds": thresholds})
    for execution in ("checkout", "90_checkout", "a_b_c", "nan_5_c", "5_90_c"):
        with pytest.raises(ab.PlanError, match="`execution` must be an id"):
            kayenta_polled(execution)


def test_an_analysis_runs_until_there_is_a_verdict():
    running = kayenta_standalone(decision_of("continue")).body
    assert (running["complete"], running["status"]) == (False, "running")
    assert "canaryAnalysisExecutionResult" not in running
    for outcome in ("promote", "rollback"):
        done = kayenta_standalone(decision_of(outcome)).body
        assert done["complete"]
        assert done["canaryAnalysisExecutionResult"]["didPassThresholds"] == (outcome == "promote")


def test_the_judge_answers_field_by_field():
    result = body(ask([pair(CALM, SAME)]))
    assert result["judgeName"] == "RemoteJudge-v1.0"
    one = result["results"][0]
    assert set(one) == {
        *("name", "id", "tags", "classification", "classificationReason", "groups", "experimentMetadata"),
        *("controlMetadata", "resultMetadata", "critical", "muted"),
    }
    assert (one["name"], one["id"], one["tags"]) == ("latency", "8a3e", {"zone": "a"})
    assert one["controlMetadata"]["stats"]["count"] == 60
    assert one["controlMetadata"]["stats"]["mean"] == pytest.approx(np.mean(CALM))
    assert one["resultMetadata"]["ratio"] == pytest.approx(np.mean(SAME) / np.mean(CALM))
    assert result["groupScores"] == [
        {"name": "requests", "score": 100.0, "classification": "Pass", "classificationReason": ""}
    ]


def test_the_judge_has_three_values():
    assert body(ask([pair(CALM, SAME)]))["score"]["score"] == 100.0
    harm = body(ask([pair(CALM, SLOW)]))
    assert (harm["score"]["score"], harm["score"]["classification"]) == (0.0, "Fail")
    assert harm["score"]["classificationReason"] == f"latency: {harm['results'][0]['classificationReason']}"
    doubtful = body(ask([pair(CALM[:12], [value * 1.095 for value in SAME[:12]])]))
    assert (doubtful["score"]["score"], doubtful["results"][0]["classification"]) == (85.0, "Nodata")


def test_directions_and_margins_of_ratios():
    fast = [value - 30 for value in SAME]
    assert label(ask([pair(CALM, fast)])) == "Pass"
    assert label(ask([pair(CALM, fast)], [metric(direction="decrease")])) == "Low"
    assert label(ask([pair(CALM, fast)], [metric(direction="either", effectSize={"allowedIncrease": 1.1})])) == "Low"
    wide = {"allowedIncrease": 1.5, "allowedDecrease": 0.5}
    assert label(ask([pair(CALM, SLOW)], [metric(direction="either", effectSize=wide)])) == "Pass"
    assert verdict(ask([pair(CALM, SLOW)], [metric()], margin=0.5)) == "promote"
    own = {"canary": {"direction": "increase"}, "abkit": {"margin": 0.5}}
    assert verdict(ask([pair(CALM, SLOW)], [metric(config=own)])) == "promote"


def test_without_any_margin_nothing_is_shown_to_be_harmless():
    result = body(ask([pair(CALM, SAME)], [metric()]))
    assert (result["results"][0]["classification"], result["score"]["score"]) == ("Pass", 85.0)
    assert "set effectSize, or margin" in result["score"]["classificationReason"]


def test_rare_errors_fail_a_canary_and_do_not_hold_up_a_calm_one():
    errors = metric("errors", config={"canary": {"direction": "increase"}, "abkit": {"role": "deterioration"}})
    none, some = [0] * 60, [1 if place % 4 == 0 else 0 for place in range(60)]
    both = [metric(**WITHIN), errors]
    assert verdict(ask([pair(CALM, SAME), pair(none, none, "errors")], both)) == "promote"
    assert verdict(ask([pair(CALM, SAME), pair(some, some[1:] + some[:1], "errors")], both)) == "promote"
    worse = ask([pair(CALM, SAME), pair(none, some, "errors")], both)
    assert verdict(worse) == "rollback"  # where the peer passes a baseline without errors (kayenta#377)
    empty = [pair(CALM, SAME), pair([], some, "errors")]
    assert verdict(ask(empty, both)) == "continue"
    errors["analysisConfigurations"]["canary"]["nanStrategy"] = "replace"
    assert verdict(ask(empty, both)) == "rollback"  # kayenta#799
    assert verdict(ask([pair(CALM, SAME), pair(some, [], "errors")], both)) == "continue"
    assert verdict(ask([pair(CALM, SAME), pair(some, ["NaN"] * 60, "errors")], both)) == "continue"
    assert verdict(ask([pair(CALM, SAME), pair(none, some[:30] + ["NaN"] * 30, "errors")], both)) != "promote"


def test_where_the_peer_fails_open():
    two = [metric(**WITHIN), metric("cpu", groups=["system"], **WITHIN)]
    for other in ([], [pair([], [], "cpu")], [pair(None, None, "cpu")], [pair(["NaN"] * 60, ["NaN"] * 60, "cpu")]):
        assert verdict(ask([pair(CALM, SAME), *other], two)) == "continue"  # a group without data counts 100 there
    assert verdict(ask([])) == "continue"
    assert verdict(ask([pair(CALM, SAME, "unknown")])) == "continue"
    assert verdict(ask([pair(["x"] * 60, SAME)])) == "continue"  # an error is left out of the score there
    assert verdict(ask([pair([], [])], [metric(nanStrategy="replace", **WITHIN)])) == "continue"
    assert verdict(ask([pair([5] * 60, [5] * 60)])) == "continue"  # nothing moved: an exporter may hang
    for broken in (
        None,
        {},
        {"pass": None, "marginal": 75},
        {"pass": 75, "marginal": 95},
        {"pass": "a", "marginal": 1},
    ):
        refused = kayenta_judge(ask([pair(CALM, SAME)]) | {"scoreThresholds": broken})
        assert refused.status == 422
        assert "thresholds" in refused.body["reason"]


def test_a_metric_that_must_have_data_fails_without():
    must = [metric(mustHaveData=True, **WITHIN)]
    assert label(ask([], must)) == "NodataFailMetric"
    assert verdict(ask([pair(CALM, [])], must)) == "rollback"


def test_muted_metrics_and_groups_without_weight_are_reported_and_do_not_count():
    two = [metric(**WITHIN), metric("cpu", groups=["system"], muted=True)]
    both = [pair(CALM, SAME), pair(CALM, SLOW, "cpu")]
    result = body(ask(both, two))
    assert result["results"][1]["classification"] == "High"
    assert (result["results"][1]["muted"], result["abkit"]["verdict"]) == (True, "promote")
    two[1]["analysisConfigurations"]["canary"]["muted"] = False
    assert verdict(ask(both, two)) == "rollback"
    weightless = ask(both, two)
    weightless["canaryConfig"]["classifier"]["groupWeights"] = {"system": 0}
    assert verdict(weightless) == "promote"
    two[1]["analysisConfigurations"]["canary"]["critical"] = True  # Kayenta fails on it whatever its weight
    assert verdict(weightless) == "rollback"
    two[1]["analysisConfigurations"]["canary"]["critical"] = False
    assert verdict(
        ask(both, [metric(muted=True), two[1] | {"analysisConfigurations": {"canary": {"muted": True}}}])
    ) == ("continue")


def test_alpha_is_shared_by_looks_and_metrics():
    slower = [value + 0.7 for value in SAME]
    one = ask([pair(CALM, slower)], [metric(direction="increase")], alpha=0.05)
    assert verdict(one) == "rollback"
    pvalue = ab.series_test(CALM, slower, alternative="greater").pvalue
    assert pvalue < 0.05
    looks = math.ceil(0.05 / pvalue) + 1
    assert verdict(ask([pair(CALM, slower)], [metric(direction="increase")], alpha=0.05, looks=looks)) == "continue"


@pytest.mark.parametrize(
    "settings",
    [{"alpha": 0}, {"alpha": 0.6}, {"alpha": "x"}, {"looks": 0}, {"looks": 1.5}, {"margin": -1}, {"margin": 2}],
)
def test_settings_out_of_range_are_refused(settings):
    assert kayenta_judge(ask([pair(CALM, SAME)], **settings)).status == 422


@pytest.mark.parametrize("request_", [None, [], "x", {}, {"canaryConfig": {}}, {"canaryConfig": {"metrics": [3]}}])
def test_what_is_no_request_is_refused(request_):
    assert kayenta_judge(request_).status == 422


BAD_CONFIGS = [
    {"direction": "up"},
    {"nanStrategy": "zero"},
    {"effectSize": {"allowedIncrease": 0.5}},
    {"effectSize": {"allowedIncrease": "NaN"}},
    {"effectSize": {"allowedDecrease": 0}},
    {"effectSize": {"measure": "cles", "allowedIncrease": 0.6}},
    {"effectSize": 3},
]


@pytest.mark.parametrize("config", BAD_CONFIGS)
def test_a_metric_that_is_configured_wrongly_is_an_error_and_holds_the_canary_up(config):
    request = ask([pair(CALM, SAME), pair(CALM, SAME, "cpu")], [metric(**WITHIN), metric("cpu", **config)])
    assert body(request)["results"][1]["classification"] == "Error"
    assert verdict(request) == "continue"


DAMAGE = [math.nan, "NaN", None, math.inf, -math.inf, "Infinity", 1e308, 10**400, "", "x", {}, [], True, -1, 0, 1e150]


def damaged(values, rng):
    values = list(values)
    kind = rng.integers(6)
    if kind == 0:
        return values[: rng.integers(60)]
    if kind == 1:
        return [None, [], "NaN", {}, 3, [None] * 60][rng.integers(6)]
    for place in rng.integers(0, 60, size=rng.choice([1, 5, 40])):
        values[place] = DAMAGE[rng.integers(len(DAMAGE))]
    return values


@pytest.mark.parametrize("strategy", ["remove", "replace"])
@pytest.mark.parametrize("experiment", [SLOW, [value * 1.09 for value in SAME]], ids=["harm", "undecided"])
def test_damage_never_promotes(experiment, strategy):
    rng = np.random.default_rng(7)
    metrics = [metric(nanStrategy=strategy, direction="either", effectSize={"allowedIncrease": 1.09})]
    assert verdict(ask([pair(CALM, experiment)], metrics)) != "promote"
    for _ in range(400):
        control = damaged(CALM, rng) if rng.random() < 0.5 else CALM
        assert verdict(ask([pair(control, damaged(experiment, rng))], metrics)) != "promote"


def test_negative_counts_never_promote():
    some = [1 if place % 4 == 0 else 0 for place in range(60)]
    wrong = [-5 if place == 7 else value for place, value in enumerate(some)]
    metrics = [metric(**WITHIN), metric("errors", config={"abkit": {"role": "deterioration"}})]
    assert verdict(ask([pair(CALM, SAME), pair(some, wrong, "errors")], metrics)) == "continue"


def test_the_same_request_has_the_same_bytes():
    request = ask([pair(CALM, SAME)])
    assert kayenta_judge(request).to_json() == kayenta_judge(json.loads(json.dumps(request))).to_json()


def test_names_that_utf8_cannot_hold_are_answered():
    request = ask([pair(CALM, SAME, "\ud800", own="\udfff")], [metric("\ud800", **WITHIN)])
    kayenta_judge(request).to_json().encode()
