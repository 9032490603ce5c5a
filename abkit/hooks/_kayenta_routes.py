"""Kayenta's addresses: its remote judge, and the canary API that others poll."""

# Annotations are evaluated where the routes are made, since FastAPI is imported there.
import json
from typing import TYPE_CHECKING, Annotated, Any

from abkit.errors import PlanError
from abkit.hooks import _openapi
from abkit.hooks._bounds import refusal
from abkit.hooks._desk import Desk, http
from abkit.hooks._kayenta import (
    kayenta_configs,
    kayenta_execution,
    kayenta_polled,
    kayenta_standalone,
    kayenta_started,
)
from abkit.hooks._looks import UnreadyError
from abkit.hooks._reply import Reply

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

#: An execution that is not complete: whoever polls asks again.
RUNNING = Reply(200, {"complete": False, "status": "running"})


def add_kayenta(app: "FastAPI", desk: Desk) -> None:
    """All of them, under /kayenta."""
    _add_judge(app, desk)
    _add_canary(app, desk)
    _add_standalone(app, desk)


def _add_judge(app: "FastAPI", desk: Desk) -> None:
    from fastapi import Request, Response

    from abkit.hooks._kayenta_judge import kayenta_judge

    refused = {422: (_openapi.ANY, "The request states no thresholds or no metrics.")}
    judged = _openapi.responses(_openapi.ANY, "A CanaryJudgeResult.", more=refused)

    @app.post("/kayenta/judge", responses=judged, operation_id="judge", response_class=Response, **_BODY)
    async def judge(request: Request) -> Response:
        """Kayenta's RemoteJudge: the request brings its own series, and no plan is asked."""
        body = await _json(request)
        try:
            return http(await desk.looks.run(lambda: kayenta_judge(body), "the judgement"))
        except UnreadyError as error:
            return http(refusal(503, "unready", str(error)))


def _add_canary(app: "FastAPI", desk: Desk) -> None:
    from fastapi import Path, Request, Response

    listed = _openapi.responses({"type": "array", "items": _openapi.ANY}, "The plans, as canary configurations.")

    @app.get("/kayenta/canaryConfig", responses=listed, operation_id="canaryConfigs", response_class=Response)
    async def configs() -> Response:
        """The plans, by name."""
        return http(kayenta_configs(desk.plans))

    started = _openapi.responses(_openapi.ANY, "The id to poll.")

    @app.post("/kayenta/canary/{name}", responses=started, operation_id="canary", response_class=Response, **_BODY)
    async def start(name: Annotated[str, Path(max_length=100)], request: Request) -> Response:
        """Start an execution: of the body only the thresholds are read."""
        return http(kayenta_started(desk.known(name), await _json(request)))

    found = _openapi.responses(_openapi.ANY, "The execution; complete, unless its log is still being read.")

    @app.get("/kayenta/canary/{execution}", responses=found, operation_id="execution", response_class=Response)
    async def execution(execution: Annotated[str, Path(max_length=200)]) -> Response:
        """The decision as the result of a canary."""
        name, thresholds = kayenta_polled(execution)
        judged = await desk.judge(name)
        return http(RUNNING if isinstance(judged, UnreadyError) else kayenta_execution(judged, thresholds))


def _add_standalone(app: "FastAPI", desk: Desk) -> None:
    from fastapi import Path, Request, Response

    path = "/kayenta/standalone_canary_analysis"
    started = _openapi.responses(_openapi.ANY, "The id to poll.")

    @app.post(path, responses=started, operation_id="analysis", response_class=Response, **_BODY)
    async def start(request: Request) -> Response:
        """Start an analysis: of the body, the configuration's name and the thresholds are read."""
        body = await _json(request)
        name = _within(body, "canaryConfig").get("name")
        return http(_analysis(desk.known(str(name)), body))

    @app.post(f"{path}/{{name}}", responses=started, operation_id="analysisOf", response_class=Response, **_BODY)
    async def start_named(name: Annotated[str, Path(max_length=100)], request: Request) -> Response:
        """Start the analysis of a plan."""
        return http(_analysis(desk.known(name), await _json(request)))

    found = _openapi.responses(_openapi.ANY, "The analysis; complete once the verdict is not to continue.")

    @app.get(f"{path}/{{execution}}", responses=found, operation_id="analysisResult", response_class=Response)
    async def analysis(execution: Annotated[str, Path(max_length=200)]) -> Response:
        """The decision as the result of an analysis."""
        name, thresholds = kayenta_polled(execution)
        return http(kayenta_standalone(await desk.judge(name), thresholds))


def _analysis(name: str, body: Any) -> Reply:
    started = kayenta_started(name, _within(body, "executionRequest")).body
    assert isinstance(started, dict)  # noqa: S101 - it is what that function makes
    return Reply(200, {"canaryAnalysisExecutionId": started["canaryExecutionId"]})


def _within(body: Any, name: str) -> dict[str, Any]:
    inner = body.get(name) if isinstance(body, dict) else None
    if not isinstance(inner, dict):
        raise PlanError(f"`{name}` must be given, as a mapping.")
    return inner


async def _json(request: "Request") -> Any:
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise PlanError("the body must be JSON.") from error


_BODY: Any = {
    "openapi_extra": {
        "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}, "required": True}
    }
}
