"""The server, asked over HTTP as deployers ask it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

import abkit as ab
from abkit._schema import decision_schema
from abkit.hooks import _looks, make_app
from tests.hooks import consumers
from tests.hooks.decisions import EFFECTS, RAMP, log_of, write
from tests.hooks.serving import client, plans_in, running

WEBHOOK = {"name": "checkout", "namespace": "shop", "phase": "Progressing", "checksum": "85d557f47b", "metadata": {}}


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plans_in(tmp_path_factory.mktemp("plans"))


@pytest.fixture(scope="module")
def http(plans: Path) -> Iterator[httpx.Client]:
    with client(plans) as found:
        yield found


def strict(reply: httpx.Response) -> Any:
    assert reply.headers["content-type"] == "application/json"
    return json.loads(reply.text, parse_constant=consumers._no_constant)


@pytest.mark.parametrize("outcome", EFFECTS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_routes_say_what_the_functions_say(method: str, outcome: str, http: httpx.Client, plans: Path) -> None:
    decision = ab.decide(plans / f"{outcome}.json")
    replies = {name: http.request(method, f"/{name}/{outcome}") for name in ("argo", "spinnaker")}
    assert replies["argo"].text == ab.hooks.argo(decision).to_json()
    assert replies["spinnaker"].text == ab.hooks.spinnaker(decision).to_json()
    whole = http.request(method, f"/v1/plans/{outcome}/decision")
    assert strict(whole) == json.loads(decision.to_json())
    Draft202012Validator(decision_schema()).validate(strict(whole))


@pytest.mark.parametrize("outcome", EFFECTS)
@pytest.mark.parametrize("hook", ["confirm-promotion", "rollout", "rollback"])
def test_flagger_posts_what_it_posts(outcome: str, hook: str, http: httpx.Client, plans: Path) -> None:
    expected = ab.hooks.flagger(ab.decide(plans / f"{outcome}.json"), hook)  # type: ignore[arg-type]
    reply = http.post(f"/flagger/{outcome}/{hook}", json=WEBHOOK)
    assert (reply.status_code, reply.text) == (expected.status, expected.to_json())


def test_a_stage_may_stand_in_the_address_or_in_flaggers_metadata(http: httpx.Client) -> None:
    assert strict(http.get("/argo/staged?stage=1"))["next_weight"] == 25
    reply = http.post("/flagger/staged/confirm-traffic-increase", json={**WEBHOOK, "metadata": {"stage": "1"}})
    assert (reply.status_code, strict(reply)["next_weight"]) == (200, 25)
    assert http.get("/argo/staged?stage=4").status_code == 400
    query = {"query": 'abkit_verdict{plan="staged",stage="4"}'}
    assert strict(http.get("/api/v1/query", params=query))["errorType"] == "bad_data"


def test_a_log_that_is_gone_is_no_reason_to_roll_back(http: httpx.Client) -> None:
    assert http.get("/v1/plans/gone/decision").status_code == 422
    body = strict(http.get("/argo/gone"))
    assert (body["decision"], body["outcome"]) == ("continue", "blocked")
    statuses = {hook: http.post(f"/flagger/gone/{hook}", json=WEBHOOK).status_code for hook in ("rollout", "rollback")}
    assert statuses == {"rollout": 200, "rollback": 403}
    assert consumers.prometheus_value(asked(http, 'abkit_blocked{plan="gone"}')) == 1


def asked(http: httpx.Client, query: str) -> tuple[int, str]:
    reply = http.get("/api/v1/query", params={"query": query})
    return reply.status_code, reply.text


@pytest.mark.parametrize(("outcome", "value"), [("promote", 1), ("continue", 0), ("rollback", -1), ("blocked", 0)])
def test_prometheus_queries(outcome: str, value: int, http: httpx.Client) -> None:
    assert consumers.prometheus_value(asked(http, f'abkit_verdict{{plan="{outcome}"}}')) == value
    assert consumers.prometheus_value(asked(http, "vector(1)")) == 1
    assert asked(http, 'abkit_verdict{plan="none"}')[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/argo/none", 404),
        ("GET", "/argo/promote.json", 404),
        ("GET", "/argo/..%2Fpromote", 404),
        ("GET", "/argo/%2Fetc%2Fpasswd", 404),
        ("GET", "/argo/a%00b", 400),
        ("GET", "/argo/" + "a" * 3000, 400),
        ("GET", "/argo/promote?stage=0", 400),
        ("GET", "/argo/promote?stage=two", 400),
        ("GET", "/argo/promote?look=-1", 400),
        ("GET", "/argo/promote?look=1e99", 400),
        ("GET", "/argo/promote/", 404),
        ("DELETE", "/argo/promote", 405),
        ("GET", "/flagger/promote/rollback", 405),
        ("POST", "/healthz", 405),
        ("GET", "/", 404),
        ("GET", "/docs", 404),
    ],
)
def test_what_is_not_there_is_said_in_json(method: str, path: str, status: int, http: httpx.Client) -> None:
    reply = http.request(method, path)
    assert reply.status_code == status
    assert strict(reply)["error"]["message"]
    assert "Traceback" not in reply.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"metadata": []}',
        b'{"metadata": {"stage": 1}}',
        b'{"metadata": {"stage": "0"}}',
        b'{"metadata": {"look": "1; drop table"}}',
        b'{"name": NaN}',
        b"\xff\xfe",
        b"[" * 20_000,
    ],
)
def test_a_webhook_that_is_none_is_a_400(body: bytes, http: httpx.Client) -> None:
    reply = http.post("/flagger/promote/confirm-promotion", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 400
    strict(reply)


def test_bodies_are_bounded(http: httpx.Client) -> None:
    assert http.post("/argo/promote", content=b"x" * 65_536).status_code == 200
    reply = http.post("/argo/promote", content=b"x" * 65_537)
    assert (reply.status_code, strict(reply)["error"]["code"]) == (413, "too_large")
    endless = (b"x" * 10_000 for _ in range(1000))
    assert http.post("/argo/promote", content=endless).status_code == 413
    assert http.get("/healthz").status_code == 200


def test_health_and_plans_and_metrics(http: httpx.Client) -> None:
    assert [strict(http.get(path)) for path in ("/healthz", "/readyz")] == [{"status": "ok"}] * 2
    listed = strict(http.get("/v1/plans"))["plans"]
    assert [plan["name"] for plan in listed] == sorted([*EFFECTS, "gone", "staged"])
    http.get("/argo/rollback")
    text = http.get("/metrics").text
    assert 'abkit_decisions_total{plan="rollback",outcome="rollback"}' in text
    assert 'abkit_answers_total{route="/argo/{name}",status="200"}' in text
    assert 'abkit_answer_seconds_bucket{route="/argo/{name}",le="+Inf"}' in text


def test_a_thousand_requests_eight_at_a_time(http: httpx.Client) -> None:
    urls = [f"/{hook}/{outcome}" for hook in ("argo", "spinnaker") for outcome in EFFECTS]
    expected = {url: http.get(url).text for url in urls}
    assert len(set(expected.values())) == len(urls)

    def ask(worker: int) -> list[tuple[str, int, str]]:
        with httpx.Client(base_url=http.base_url) as mine:
            asked = [urls[(worker + i) % len(urls)] for i in range(125)]
            return [(url, reply.status_code, reply.text) for url in asked for reply in [mine.get(url)]]

    with ThreadPoolExecutor(8) as pool:
        replies = [reply for found in pool.map(ask, range(8)) for reply in found]
    assert len(replies) == 1000
    assert all(status == 200 and text == expected[url] for url, status, text in replies)


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return write(tmp_path, "checkout", "promote")


def test_a_log_is_read_once_until_it_changes(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    judged = _looks._judged
    monkeypatch.setattr(_looks, "_judged", lambda *given: (reads.append(1), time.sleep(0.1), judged(*given))[-1])
    with client(one) as http, ThreadPoolExecutor(8) as pool:
        first = {reply.text for reply in pool.map(lambda _: http.get("/argo/checkout"), range(16))}
        assert (len(first), len(reads)) == (1, 1)
        log_of("rollback").to_parquet(one.with_suffix(".parquet"))
        assert strict(http.get("/argo/checkout"))["decision"] == "rollback"
        one.with_suffix(".parquet").unlink()
        assert strict(http.get("/argo/checkout"))["outcome"] == "blocked"
        log_of("promote").to_parquet(one.with_suffix(".parquet"))
        assert {http.get("/argo/checkout").text} == first
    assert len(reads) == 4


def promoted_soon(http: httpx.Client, address: str) -> bool:
    """Ask until the log has been read, as those who poll do."""
    until = time.monotonic() + 60
    while strict(http.get(address))["decision"] != "promote":
        if time.monotonic() > until:
            return False
    return True


def test_a_slow_log_is_no_verdict_yet(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged, ready = _looks._judged, Event()
    monkeypatch.setattr(_looks, "_judged", lambda *given: (ready.wait(60), judged(*given))[-1])
    with client(one, timeout=0.05) as http:
        late = http.get("/v1/plans/checkout/decision")
        assert (late.status_code, strict(late)["error"]["code"]) == (503, "unready")
        assert int(late.headers["retry-after"]) > 0
        body = strict(http.get("/argo/checkout"))
        assert (body["decision"], body["blocked"]) == ("continue", False)
        assert http.post("/flagger/checkout/confirm-promotion", json=WEBHOOK).status_code == 403
        ready.set()
        assert promoted_soon(http, "/argo/checkout")


def test_a_log_that_never_ends_takes_one_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged, ready = _looks._judged, Event()

    def slow(served: Any, *given: Any) -> Any:
        if served.name == "slow":
            ready.wait(60)
        return judged(served, *given)

    monkeypatch.setattr(_looks, "_judged", slow)
    plans = [write(tmp_path, name, "promote", strategy=RAMP) for name in ("slow", "quick")]
    with client(*plans, timeout=2) as http, ThreadPoolExecutor(8) as pool:
        http.get("/argo/quick")  # which loads the libraries
        asked = ["/argo/slow?stage=1", "/argo/slow?stage=2", "/argo/slow?stage=4", "/argo/quick?stage=1"]
        late = [strict(reply) for reply in pool.map(http.get, asked)]
        assert [body["decision"] for body in late] == ["continue"] * 3 + ["promote"]
        ready.set()
        assert promoted_soon(http, "/argo/slow?stage=1")


def test_no_reply_says_where_a_log_lies(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logs = {
        "missing": {"path": "none.parquet"},
        "absolute": {"path": "/none/none.parquet"},
        "damaged": {"path": "damaged.parquet"},
        "folder": {"path": "."},
        "database": {"duckdb": "none.duckdb", "table": "t"},
        "query": {"duckdb": "some.duckdb", "query": "select * from read_csv('/none/none.csv')"},
        "server": {"sql": "postgresql://reader:secret@127.0.0.1:1/none", "table": "t"},
    }
    import duckdb

    duckdb.connect(tmp_path / "some.duckdb").close()
    plans = [write(tmp_path, name, "promote", log=log) for name, log in logs.items()]
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1")
    with client(*plans) as http:
        for name in logs:
            for reply in (http.get(f"/argo/{name}"), http.get(f"/v1/plans/{name}/decision")):
                strict(reply)
                assert not [word for word in (str(tmp_path), "/none", "127.0.0.1", "secret") if word in reply.text]
            if name != "server":  # where its driver is not installed, that is a fault of the installation
                assert strict(http.get(f"/argo/{name}"))["outcome"] == "blocked"
    assert str(tmp_path / "none.duckdb") in caplog.text
    assert "secret" not in caplog.text


def test_a_fault_is_a_500_without_a_traceback(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(_looks, "_judged", fail)
    with client(one) as http:
        for reply in (http.get("/argo/checkout"), http.post("/flagger/checkout/rollback", json=WEBHOOK)):
            assert reply.status_code == 500
            assert "secret" not in reply.text
            assert strict(reply)["error"]["code"] == "internal"
        assert http.get("/healthz").status_code == 200


def test_the_clock_alone_changes_no_byte_until_it_changes_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_looks, "TICK", 0.0)
    timing = {"start": "2026-01-01", "deadline": "9999w"}
    plan = write(tmp_path, "checkout", "continue", timing=timing)
    late = write(tmp_path, "late", "continue", timing={"start": "2020-01-01", "deadline": "1d"})
    with client(plan, late) as http:
        assert len({http.get("/v1/plans/checkout/decision").text for _ in range(3)}) == 1
        assert strict(http.get("/argo/late"))["outcome"] == "blocked"


def test_a_database_is_read_where_the_plan_says_and_nothing_else_is(tmp_path: Path) -> None:
    import duckdb

    log = log_of("promote")
    with duckdb.connect(tmp_path / "events.duckdb") as connection:
        connection.sql("create table checkout as select * from log")
    assert len(log) == 200
    plan = write(tmp_path, "checkout", "promote")
    content = json.loads(plan.read_text())
    plan.write_text(json.dumps({**content, "log": {"duckdb": "events.duckdb", "table": "checkout"}}))
    with client(plan) as http:
        assert strict(http.get("/argo/checkout"))["decision"] == "promote"
        query = 'abkit_verdict{plan="checkout"} union select * from checkout'
        assert asked(http, query)[0] == 400


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("a b", {}, "letters, digits"),
        ("checkout", {"log": None}, "`log` must say where the log lies"),
        ("checkout", {"metrics": {}}, "checkout.json"),
    ],
)
def test_a_plan_that_cannot_be_served_is_refused_at_the_start(
    name: str, change: dict[str, Any], says: str, tmp_path: Path
) -> None:
    write(tmp_path, name, "promote")
    content = json.loads((tmp_path / f"{name}.json").read_text())
    (tmp_path / f"{name}.json").write_text(json.dumps({**content, **change}))
    with pytest.raises(ab.PlanError, match=says):
        make_app([tmp_path])


def test_two_plans_of_one_name_and_no_plan_at_all_are_refused(one: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    with pytest.raises(ab.PlanError, match="two plans are named 'checkout'"):
        make_app([one, write(tmp_path / "more", "checkout", "promote")])
    (tmp_path / "none").mkdir()
    with pytest.raises(ab.PlanError, match="no plan to serve"):
        make_app([tmp_path / "none"])


def test_without_fastapi_one_sentence_says_what_to_install(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ab.MissingDependencyError, match=r"install abkit-experiments\[serve\]"):
        make_app([one])


def test_the_program_serves_until_it_is_told_to_end(one: Path) -> None:
    line = [sys.executable, "-W", "error", "-m", "abkit", "serve", str(one.parent), "--port", "0"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout
            said = program.stdout.readline()
            address = said.split()[3].rstrip(";")
            assert strict(httpx.get(f"{address}/argo/checkout", timeout=30))["decision"] == "promote"
            port = address.rpartition(":")[2]
            taken = [*line[:-1], port]
            refused = subprocess.run(taken, capture_output=True, text=True, check=False)
            assert (refused.returncode, refused.stdout) == (64, "")
            assert "must be a free address" in refused.stderr
        finally:
            os.kill(program.pid, signal.SIGTERM)
        _, errors = program.communicate(timeout=20)
        assert "Traceback" not in errors


def test_the_running_address_is_this_machine_only(one: Path) -> None:
    with running(one) as address:
        assert address.startswith("http://127.0.0.1:")


def test_each_decision_is_recorded_once_and_can_be_made_again(tmp_path: Path) -> None:
    from abkit import audit

    file = tmp_path / "audit.jsonl"
    plan = write(tmp_path, "checkout", "promote", strategy=RAMP)
    late = write(tmp_path, "late", "continue", timing={"start": "2020-01-01", "deadline": "1d"})
    for _ in range(2):
        with client(plan, late, audit=file) as http, ThreadPoolExecutor(4) as pool:
            asked = ["/argo/checkout?stage=1", "/spinnaker/checkout?stage=1", "/argo/late", "/argo/checkout"] * 2
            given = {strict(reply)["decision_id"] for reply in pool.map(http.get, asked)}
    records = audit.read(file)
    assert sorted(record["decision"]["decision_id"] for record in records) == sorted(given)
    assert all(again.agrees for again in audit.replay(file))


def test_what_cannot_be_recorded_is_not_answered(one: Path, tmp_path: Path) -> None:
    with pytest.raises(ab.DataError, match="cannot be written"):
        make_app([one], audit=tmp_path / "none" / "audit.jsonl")
    file = tmp_path / "audit.jsonl"
    with client(one, audit=file) as http:
        file.write_text("not a record\n")
        reply = http.get("/argo/checkout")
        assert (reply.status_code, strict(reply)["error"]["code"]) == (500, "internal")
        assert str(tmp_path) not in reply.text
        file.unlink()
        assert http.get("/argo/checkout").status_code == 200
    assert file.exists()
