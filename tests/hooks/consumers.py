"""What deployers make of a reply: the order of their own assessments, re-stated from their sources."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: How a deployer reaches the server: status and body, or None where nobody answers.
Answered = tuple[int, str] | None


def json_path(content: Any, path: str) -> Any:
    """`{$.a.b}` or `$.a.b`; a KeyError where it does not resolve."""
    for name in path.strip("{}").removeprefix("$").split(".")[1:]:
        content = content[name]
    return content


def holds(condition: str, result: object) -> bool:
    """A condition of the form `result == "word"`."""
    found = re.fullmatch(r'result == "(\w+)"', condition)
    assert found, condition
    return result == found[1]


def argo_measurement(metric: Mapping[str, Any], answered: Answered) -> str:
    """Argo Rollouts 1.9.1, metricproviders/webmetric/webmetric.go and utils/evaluate/evaluate.go."""
    if answered is None or not 200 <= answered[0] < 300:
        return "Error"
    try:
        content = json.loads(answered[1], parse_constant=_no_constant)
    except ValueError:
        return "Successful"  # issue 4535
    try:
        result = json_path(content, metric["provider"]["web"]["jsonPath"])
    except (KeyError, TypeError):
        return "Error"
    if holds(metric["failureCondition"], result):
        return "Failed"
    return "Successful" if holds(metric["successCondition"], result) else "Inconclusive"


def argo_run(metric: Mapping[str, Any], answers: Iterable[Answered]) -> str | None:
    """The phase in which a metric of a run ends, analysis/analysis.go; None while it goes on."""
    counts = {"Successful": 0, "Failed": 0, "Inconclusive": 0}
    errors = successes = 0
    limit = metric.get("consecutiveSuccessLimit", 0)
    for answered in answers:
        phase = argo_measurement(metric, answered)
        if phase == "Error":
            errors += 1
        else:
            errors, counts[phase] = 0, counts[phase] + 1
        successes = successes + 1 if phase == "Successful" else 0
        ended = None
        if counts["Failed"] > metric.get("failureLimit", 0):
            ended = "Failed"
        if counts["Inconclusive"] > metric.get("inconclusiveLimit", 0):
            ended = "Inconclusive"
        if errors > metric.get("consecutiveErrorLimit", 4):
            ended = "Error"
        if ended:
            return ended
        if limit and successes >= limit:
            return "Successful"
        if sum(counts.values()) >= metric["count"]:
            return "Inconclusive" if limit else "Successful"
    return None


def argo_job(metric: Mapping[str, Any], codes: Iterable[int]) -> str | None:
    """metricproviders/job/job.go: the code of the program is 0 or it is not."""
    failed = 0
    for code in codes:
        failed += code != 0
        if failed > metric.get("failureLimit", 0):
            return "Failed"
    return None


@dataclass(frozen=True)
class Flagger:
    """Flagger 1.44.0: scheduler.go, scheduler_hooks.go, webhook.go, and its Prometheus provider."""

    canary: Mapping[str, Any]
    post: Callable[[str], Answered]
    query: Callable[[], Answered]

    def run(self, rounds: int) -> tuple[str, int]:
        """How a release ends, and its weight then."""
        analysis = self.canary["spec"]["analysis"]
        weight = failed = 0
        for _ in range(rounds):
            if any(self._passes(hook) for hook in self._hooks("rollback")):
                return "rolled back", 0
            if failed >= analysis["threshold"]:
                return "rolled back", 0
            if not all(self._passes(hook) for hook in self._hooks("rollout")) or not self._measured():
                failed += 1
                continue
            if weight >= analysis["maxWeight"]:
                if all(self._passes(hook) for hook in self._hooks("confirm-promotion")):
                    return "promoted", 100
                continue
            if all(self._passes(hook) for hook in self._hooks("confirm-traffic-increase")):
                weight = min(weight + analysis["stepWeight"], analysis["maxWeight"])
        return "waiting", weight

    def _hooks(self, kind: str) -> list[Mapping[str, Any]]:
        return [hook for hook in self.canary["spec"]["analysis"]["webhooks"] if hook["type"] == kind]

    def _passes(self, hook: Mapping[str, Any]) -> bool:
        answered = self.post(hook["url"])
        return answered is not None and answered[0] <= 202

    def _measured(self) -> bool:
        least = self.canary["spec"]["analysis"]["metrics"][0]["thresholdRange"]["min"]
        value = prometheus_value(self.query())
        return value is not None and value >= least


def prometheus_value(answered: Answered) -> float | None:
    """pkg/metrics/providers/prometheus.go: the last series of a vector; a value that is no text is an error."""
    if answered is None or answered[0] != 200:
        return None
    data = json.loads(answered[1], parse_constant=_no_constant)["data"]
    assert data["resultType"] == "vector"
    values = [series["value"] for series in data["result"]]
    assert all(isinstance(time, float | int) and isinstance(value, str) for time, value in values)
    return float(values[-1][1]) if values else None


def spinnaker_status(stage: Mapping[str, Any], answered: Answered) -> str:
    """orca-webhook, MonitorWebhookTask.java: one poll."""
    if answered is None or not 200 <= answered[0] < 300:
        return "RUNNING" if answered is None or answered[0] >= 500 or answered[0] == 429 else "TERMINAL"
    try:
        content = json.loads(answered[1], parse_constant=_no_constant)
        status = json_path(content, stage["statusJsonPath"])
        progress = json_path(content, stage["progressJsonPath"])
    except (ValueError, KeyError, TypeError):
        return "TERMINAL"
    if not isinstance(progress, str):
        return "TERMINAL"
    if isinstance(status, int | float):
        return "SUCCEEDED" if status == 100 else "RUNNING"
    for name, phase in (("success", "SUCCEEDED"), ("canceled", "CANCELED"), ("terminal", "TERMINAL")):
        if status.lower() in [word.strip().lower() for word in stage[f"{name}Statuses"].split(",") if word.strip()]:
            return phase
    return "RUNNING"


def github_outputs(text: str) -> dict[str, str]:
    """actions/runner, FileCommandManager.cs: `name=value` lines; a line without both fails the step."""
    outputs = {}
    for line in re.split(r"\r\n|\n|\r", text):
        if line:
            name, equals, value = line.partition("=")
            assert equals, line
            assert "<<" not in name, line
            outputs[name] = value
    return outputs


def workflow_commands(text: str) -> list[tuple[str, str]]:
    """actions/runner, ActionCommand.cs: what lines of a step's log order."""
    found = [re.match(r"\s*::(\w[\w-]*)(?: [^:]*)?::(.*)", line) for line in re.split(r"\r\n|\n|\r", text)]
    old = [re.search(r"##\[(\w[\w-]*)", line) for line in re.split(r"\r\n|\n|\r", text)]
    return [(match[1], match[2]) for match in found if match] + [(match[1], "") for match in old if match]


def dotenv(text: str) -> dict[str, str]:
    """GitLab's dotenv reports: a variable a line, of letters, digits and `_`; 5 KB, 20 of them."""
    assert len(text.encode()) <= 5120
    pairs = [re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", line) for line in text.split("\n") if line]
    assert all(pairs)
    assert len(pairs) <= 20
    return {pair[1]: pair[2] for pair in pairs if pair}


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
