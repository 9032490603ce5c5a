"""Kayenta's addresses, asked as Kayenta, Argo Rollouts and kayentactl ask them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.hooks.decisions import EFFECTS
from tests.hooks.serving import client, plans_in

THRESHOLDS = {"pass": 90, "marginal": 50}
SCOPE = {
    "scope": "checkout",
    "location": "eu",
    "step": 60,
    "start": "2026-01-01T00:00:00Z",
    "end": "2026-01-01T01:00:00Z",
}
ARGO = {"scopes": {"default": {"controlScope": SCOPE, "experimentScope": SCOPE}}, "thresholds": THRESHOLDS}
ACCOUNTS = "application=shop&metricsAccountName=m&configurationAccountName=c&storageAccountName=c"
PHASES = {"promote": "Successful", "continue": "Inconclusive", "rollback": "Failed", "blocked": "Inconclusive"}


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with client(plans_in(tmp_path_factory.mktemp("plans"))) as found:
        yield found


def argo(http: httpx.Client, name: str) -> str:
    """Argo Rollouts 1.9.1, metricproviders/kayenta/kayenta.go: three requests to a phase."""
    configs = http.get("/kayenta/canaryConfig?application=shop&configurationAccountName=c").json()
    config = next(config["id"] for config in configs if config["name"] == name)
    started = http.post(f"/kayenta/canary/{config}?{ACCOUNTS}", json=ARGO)
    assert started.status_code == 200
    execution = http.get(f"/kayenta/canary/{started.json()['canaryExecutionId']}").json()
    assert execution["complete"] is True
    score = int(execution["result"]["judgeResult"]["score"]["score"])
    return "Successful" if score >= 90 else "Inconclusive" if score >= 50 else "Failed"


@pytest.mark.parametrize("outcome", EFFECTS)
def test_argo_rollouts_polls_a_canary(outcome: str, http: httpx.Client) -> None:
    assert argo(http, outcome) == PHASES[outcome]


def test_a_log_that_is_gone_is_inconclusive(http: httpx.Client) -> None:
    assert argo(http, "gone") == "Inconclusive"


@pytest.mark.parametrize("outcome", EFFECTS)
def test_an_analysis_by_itself_goes_on_until_there_is_a_verdict(outcome: str, http: httpx.Client) -> None:
    body = {"canaryConfig": {"name": outcome}, "executionRequest": {"thresholds": THRESHOLDS, "scopes": []}}
    path = "/kayenta/standalone_canary_analysis"
    ids = {http.post(f"{path}{end}", json=body).json()["canaryAnalysisExecutionId"] for end in ("", f"/{outcome}")}
    assert len(ids) == 1
    found = http.get(f"{path}/{ids.pop()}").json()
    assert found["complete"] == (outcome in ("promote", "rollback"))
    if found["complete"]:
        assert found["canaryAnalysisExecutionResult"]["didPassThresholds"] == (outcome == "promote")


def judge_request(size: int = 60) -> dict[str, Any]:
    path = Path(__file__).parents[2] / "examples" / "deployers" / "kayenta" / "canary-config.json"
    rng = np.random.default_rng(1)
    series = {"control": rng.normal(30, 1, size).tolist(), "experiment": rng.normal(60, 1, size).tolist()}
    pairs = [
        {"name": name, "id": name, "tags": {}, "values": series, "attributes": {}} for name in ("errors", "latency")
    ]
    config = json.loads(path.read_text())
    return {"canaryConfig": config, "scoreThresholds": THRESHOLDS, "metricSetPairList": pairs}


def test_the_judge_answers_what_kayenta_posts(http: httpx.Client) -> None:
    reply = http.post("/kayenta/judge", json=judge_request())
    assert reply.status_code == 200
    assert {result["name"] for result in reply.json()["results"]} == {"errors", "latency"}
    assert reply.json()["score"]["classification"] == "Fail"
    assert http.post("/kayenta/judge", json=judge_request()).content == reply.content


def test_a_judge_is_given_more_than_others(http: httpx.Client) -> None:
    large = json.dumps({**judge_request(), "padding": "x" * 100_000}).encode()
    assert http.post("/kayenta/judge", content=large).status_code == 200
    assert http.post("/kayenta/canary/promote", content=large).status_code == 413
    assert http.post("/kayenta/judge", content=b"x" * (64 * 65_536 + 1)).status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/kayenta/canary/none", ARGO, 404),
        ("POST", "/kayenta/canary/promote", {}, 400),
        ("POST", "/kayenta/canary/promote", {"thresholds": {"pass": 1, "marginal": 50}}, 400),
        ("POST", "/kayenta/canary/promote", None, 400),
        ("POST", "/kayenta/standalone_canary_analysis", {"canaryConfig": {}}, 404),
        ("POST", "/kayenta/standalone_canary_analysis", [], 400),
        ("POST", "/kayenta/standalone_canary_analysis/promote", {"executionRequest": {}}, 400),
        ("GET", "/kayenta/canary/nonsense", None, 400),
        ("GET", "/kayenta/canary/90_50_none", None, 404),
        ("GET", "/kayenta/standalone_canary_analysis/90_95_promote", None, 400),
        ("POST", "/kayenta/judge", {}, 422),
    ],
)
def test_what_is_asked_wrongly_is_no_fault_of_the_server(
    method: str, path: str, body: Any, status: int, http: httpx.Client
) -> None:
    given = {} if method == "GET" else {"json": body}
    assert http.request(method, path, **given).status_code == status  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 50_000, b"\xff"])
def test_a_body_that_is_no_json_is_a_400(body: bytes, http: httpx.Client) -> None:
    assert http.post("/kayenta/judge", content=body).status_code == 400
