"""The templates of examples/deployers: read as their deployers read them, and run against a server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pandas as pd
import pytest
import yaml

import abkit as ab
from abkit.cli import main
from abkit.hooks import _looks
from tests.hooks import consumers
from tests.hooks.decisions import write
from tests.hooks.serving import client, running

FOLDER = Path(__file__).parents[2] / "examples" / "deployers"
OUTCOMES = ("promote", "continue", "rollback", "blocked")


def template(path: str) -> Any:
    text = (FOLDER / path).read_text(encoding="utf-8")
    return json.loads(text) if path.endswith(".json") else yaml.safe_load(text)


@pytest.fixture(scope="module", params=OUTCOMES)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """An outcome, and a server whose plan `checkout` has it."""
    folder = tmp_path_factory.mktemp(request.param)
    write(folder, "checkout", request.param)
    with client(folder) as http:
        yield request.param, http


@pytest.fixture
def crashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A server that always fails."""

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(_looks, "_judged", fail)
    with client(write(tmp_path, "checkout", "promote")) as http:
        yield http


def ask(http: httpx.Client, url: str, method: str = "GET") -> consumers.Answered:
    """The same path at the server that is here."""
    parts = urlsplit(url)
    assert parts.port == 8080
    body = {"json": {"name": "checkout", "namespace": "shop", "phase": "Progressing"}} if method == "POST" else {}
    reply = http.request(method, f"{parts.path}?{parts.query}", **body)
    return reply.status_code, reply.text


def web_metric() -> Any:
    return template("argo-rollouts/analysis-template-web.yaml")["spec"]["metrics"][0]


def argo_url() -> str:
    spec = template("argo-rollouts/analysis-template-web.yaml")["spec"]
    url = spec["metrics"][0]["provider"]["web"]["url"]
    for argument in spec["args"]:
        url = url.replace(f"{{{{args.{argument['name']}}}}}", argument["value"])
    assert "{{" not in url
    return str(url)


def test_argo_rollouts(served: tuple[str, httpx.Client]) -> None:
    outcome, http = served
    answered = ask(http, argo_url())
    assert answered == ask(http, argo_url())
    ends = {"promote": "Successful", "continue": "Inconclusive", "rollback": "Failed", "blocked": "Inconclusive"}
    assert consumers.argo_run(web_metric(), [answered] * 288) == ends[outcome]
    if ends[outcome] == "Inconclusive":
        assert consumers.argo_run(web_metric(), [answered] * 287) is None


def test_argo_rollouts_hears_a_verdict_after_many_that_were_none() -> None:
    say = {word: (200, json.dumps({"decision": word})) for word in ("promote", "continue", "rollback")}
    metric = web_metric()
    assert consumers.argo_run(metric, [say["continue"]] * 100 + [say["promote"]]) == "Successful"
    assert consumers.argo_run(metric, [say["continue"]] * 100 + [say["rollback"]]) == "Failed"
    outage = [None] * 12
    assert consumers.argo_run(metric, [*outage, say["continue"], *outage, say["promote"]]) == "Successful"
    assert consumers.argo_run(metric, [*outage, None]) == "Error"


@pytest.mark.parametrize(
    ("left_out", "ends"), [("consecutiveSuccessLimit", "Successful"), ("inconclusiveLimit", "Inconclusive")]
)
def test_each_limit_of_the_template_is_needed(left_out: str, ends: str) -> None:
    metric = {name: value for name, value in web_metric().items() if name != left_out}
    looks = 288 if left_out == "consecutiveSuccessLimit" else 1
    assert consumers.argo_run(metric, [(200, '{"decision":"continue"}')] * looks) == ends


def test_argo_rollouts_takes_a_fault_for_an_error(crashed: httpx.Client) -> None:
    assert consumers.argo_measurement(web_metric(), ask(crashed, argo_url())) == "Error"


def test_argo_rollouts_job() -> None:
    metric = template("argo-rollouts/analysis-template-job.yaml")["spec"]["metrics"][0]
    job = metric["provider"]["job"]["spec"]
    assert job["backoffLimit"] == 0
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    container = job["template"]["spec"]["containers"][0]
    policy = container["args"][container["args"].index("--exit-policy") + 1]
    codes = {outcome: ab.hooks.ci(decision, policy) for outcome, decision in decisions().items()}
    ends = {outcome: consumers.argo_job(metric, [code] * 3) for outcome, code in codes.items()}
    assert ends == {"promote": None, "continue": None, "rollback": "Failed", "blocked": None}
    assert all(consumers.argo_job(metric, [code]) == "Failed" for code in (1, 2, 64, 65, 70, 124, 137))


def decisions() -> dict[str, ab.Decision]:
    from tests.hooks.decisions import decision_of

    return {outcome: decision_of(outcome) for outcome in OUTCOMES}


def flagger(http: httpx.Client) -> consumers.Flagger:
    metric = template("flagger/metric-template.yaml")["spec"]

    def query() -> consumers.Answered:
        assert metric["provider"]["address"].endswith(":8080")
        reply = http.get("/api/v1/query", params={"query": metric["query"]})
        return reply.status_code, reply.text

    return consumers.Flagger(template("flagger/canary.yaml"), lambda url: ask(http, url, "POST"), query)


def test_flagger(served: tuple[str, httpx.Client]) -> None:
    outcome, http = served
    ends = {"promote": ("promoted", 100), "rollback": ("rolled back", 0)}
    assert flagger(http).run(30) == ends.get(outcome, ("waiting", 0))


def test_flagger_rolls_back_when_nobody_watches_for_too_long(crashed: httpx.Client) -> None:
    release = flagger(crashed)
    threshold = release.canary["spec"]["analysis"]["threshold"]
    assert release.run(threshold) == ("waiting", 0)
    assert release.run(threshold + 1) == ("rolled back", 0)


def test_spinnaker(served: tuple[str, httpx.Client]) -> None:
    outcome, http = served
    stage = template("spinnaker/webhook-stage.json")
    polls = {consumers.spinnaker_status(stage, ask(http, stage["url"], method)) for method in ("POST", "GET")}
    phase = {"promote": "SUCCEEDED", "rollback": "TERMINAL"}.get(outcome, "RUNNING")
    assert polls == {phase}
    assert stage["statusUrlResolution"] == "getMethod"
    if outcome == "blocked":
        listed = {**stage, "statusJsonPath": "$.outcome", "canceledStatuses": "blocked"}
        assert consumers.spinnaker_status(listed, ask(http, stage["url"])) == "CANCELED"


def test_spinnaker_goes_on_asking_where_there_was_a_fault(crashed: httpx.Client) -> None:
    stage = template("spinnaker/webhook-stage.json")
    assert consumers.spinnaker_status(stage, ask(crashed, stage["url"])) == "RUNNING"


def checkout(folder: Path, outcome: str) -> None:
    """The plan that the templates name, with a log that has this outcome; or one that makes abkit fail."""
    (folder / "plans").mkdir()
    text = (FOLDER / "plans" / "checkout.yaml").read_text(encoding="utf-8")
    (folder / "plans" / "checkout.yaml").write_text(text, encoding="utf-8")
    treated = np.arange(4000) % 2
    effect = {"promote": 1.0, "rollback": -1.0}.get(outcome, 0.0)
    version = np.where(treated, "canary", "stable")
    orders = 5 + effect * treated + np.arange(4000) % 3
    errors = (np.arange(4000) % 100 < 2).astype(int)
    log = pd.DataFrame({"user": np.arange(4000), "version": version, "orders": orders, "errors": errors})
    if outcome == "blocked":
        log = log[(log.version == "stable") | (log.user % 8 == 1)]
    if outcome != "failed":
        log.to_parquet(folder / "plans" / "checkout.parquet")


def shell(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A script as runners start it."""
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    given = {**os.environ, "PATH": path, **environment}
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)


@pytest.fixture
def abkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command of a script here, and puts a program on the path that says and ends as it did."""

    def prepared(script: str) -> int:
        command = next(line for line in script.splitlines() if line.startswith("abkit "))
        monkeypatch.chdir(tmp_path)
        for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
            monkeypatch.setenv(name, str(tmp_path / name))
        code = main(command.partition("||")[0].partition(">")[0].split()[1:])
        (tmp_path / "said").write_text(capsys.readouterr().out, encoding="utf-8")
        (tmp_path / "abkit").write_text(f"#!/bin/sh\ncat said\nexit {code}\n", encoding="utf-8")
        (tmp_path / "abkit").chmod(0o755)
        return code

    return prepared


CODES = {"promote": 0, "continue": 75, "rollback": 10, "blocked": 76, "failed": 65}


@pytest.mark.parametrize("outcome", CODES)
def test_github_actions(outcome: str, tmp_path: Path, abkit: Any) -> None:
    checkout(tmp_path, outcome)
    jobs = template("github-actions/release.yml")["jobs"]
    step = next(step for step in jobs["decide"]["steps"] if step.get("id") == "abkit")
    assert abkit(step["run"]) == CODES[outcome]
    done = shell(step["run"], tmp_path)
    outputs = consumers.github_outputs((tmp_path / "GITHUB_OUTPUT").read_text())
    assert done.returncode == (65 if outcome == "failed" else 0)
    assert outputs["outcome"] == ("blocked" if outcome == "failed" else outcome)
    assert len(consumers.workflow_commands(done.stdout)) == 1
    assert (tmp_path / "GITHUB_STEP_SUMMARY").read_text().startswith(f"### abkit: {outputs['outcome']}\n")
    assert jobs["decide"]["outputs"]["outcome"] == "${{ steps.abkit.outputs.outcome }}"
    conditions = {name: job["if"] for name, job in jobs.items() if name != "decide"}
    assert conditions == {name: f"needs.decide.outputs.outcome == '{name}'" for name in ("promote", "rollback")}


@pytest.mark.parametrize("outcome", CODES)
def test_gitlab(outcome: str, tmp_path: Path, abkit: Any) -> None:
    checkout(tmp_path, outcome)
    jobs = template("gitlab/.gitlab-ci.yml")
    script = jobs["decide"]["script"][1]
    assert abkit(script) == CODES[outcome]
    code = shell(script, tmp_path).returncode
    assert code == CODES[outcome]
    goes_on = code == 0 or code in jobs["decide"]["allow_failure"]["exit_codes"]
    assert goes_on == (outcome != "failed")
    variables = consumers.dotenv((tmp_path / "abkit.env").read_text())
    for job in ("promote", "rollback"):
        acted = goes_on and shell("\n".join(jobs[job]["script"]), tmp_path, **variables).stdout != ""
        assert acted == (job == outcome)


def test_the_readme_names_every_template() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    files = [file for file in FOLDER.rglob("*") if file.is_file() and file.name != "README.md"]
    assert all(str(file.relative_to(FOLDER)) in readme for file in files)


def test_the_plan_of_the_templates_can_be_served(tmp_path: Path) -> None:
    checkout(tmp_path, "promote")
    with running(tmp_path / "plans") as address:
        assert httpx.get(f"{address}/argo/checkout").json()["decision"] == "promote"
