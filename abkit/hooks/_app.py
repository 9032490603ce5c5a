"""The HTTP application: every deployer's question about every plan."""

# Annotations are evaluated where the routes are made, since FastAPI is imported there.
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from abkit import __version__
from abkit.errors import AbkitError, MissingDependencyError, PlanError
from abkit.hooks import _openapi
from abkit.hooks._argo import argo
from abkit.hooks._bounds import Bounded, refusal
from abkit.hooks._desk import Desk, http
from abkit.hooks._flagger import Hook, flagger
from abkit.hooks._kayenta_routes import add_kayenta
from abkit.hooks._looks import Looks, UnreadyError
from abkit.hooks._meter import MEDIA, Meter
from abkit.hooks._prometheus import LABELS, parsed_query, prometheus, prometheus_error
from abkit.hooks._recorder import Recorder
from abkit.hooks._reply import Reply
from abkit.hooks._served import NAME, served_plans
from abkit.hooks._spinnaker import spinnaker

if TYPE_CHECKING:
    from fastapi import FastAPI

    from abkit.decision import Decision

#: The highest stage and look that a request may name.
HIGHEST = 10_000


def make_app(
    plans: Iterable[str | Path],
    *,
    timeout: float = 10.0,
    max_body: int = 65_536,
    workers: int = 2,
    audit: str | Path | None = None,
) -> "FastAPI":
    """The server of `abkit serve`, as an ASGI application.

    Answers: what is each deployer told about each of these plans?

    Parameters
    ----------
    plans : paths
        Plan files, or folders of them. A plan is asked for by the name of its file, without its ending, and must say
        where its log lies. They are read once, here.
    timeout : float
        Seconds that a request waits for a log to be read. The reading goes on, and the next request finds it done.
    max_body : int
        Bytes that the body of a request may have; of one to Kayenta's judge, which brings whole series, 64 times as
        many.
    workers : int
        Logs that are read at once.
    audit : path, optional
        A file in which each decision is recorded once, before it is answered; see `abkit.audit`.

    Returns
    -------
    fastapi.FastAPI

    Raises
    ------
    PlanError
        A file is no plan, or says not where its log lies, or has another's name.
    DataError
        The file of decisions cannot be written.
    MissingDependencyError
        FastAPI is not installed.
    """
    try:
        from fastapi import FastAPI
    except ImportError as error:
        raise MissingDependencyError(
            "the server needs FastAPI and uvicorn: install abkit-experiments[serve], or both of them."
        ) from error
    recorder = None if audit is None else Recorder(Path(audit))
    looks, meter = Looks(served_plans(plans), timeout, workers, recorder), Meter()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        looks.close()

    app = FastAPI(
        title="abkit",
        version=__version__,
        summary="Promote, continue or roll back, as each deployer reads it.",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # a redirect would go to whatever host the request claims to be for
        lifespan=lifespan,
    )
    desk = Desk(looks, meter)
    _add_health(app, desk)
    _add_decisions(app, desk)
    _add_flagger(app, desk)
    _add_prometheus(app, desk)
    add_kayenta(app, desk)
    _add_errors(app)
    app.add_middleware(Bounded, largest=_largest(max_body), timeout=timeout, meter=meter)
    described = app.openapi
    app.openapi = lambda: _openapi.without_validation(described())  # type: ignore[method-assign]
    return app


def _largest(max_body: int) -> Callable[[str], int]:
    return lambda path: max_body * 64 if path.endswith("/judge") else max_body


def _add_health(app: "FastAPI", desk: Desk) -> None:
    from fastapi import Response

    alive = _openapi.responses(_openapi.HEALTH, "The server answers.")

    @app.get("/healthz", responses=alive, operation_id="healthz", response_class=Response)
    async def healthz() -> Response:
        """Whether the process answers."""
        return http(Reply(200, {"status": "ok"}))

    @app.get("/readyz", responses=alive, operation_id="readyz", response_class=Response)
    async def readyz() -> Response:
        """Whether plans are loaded: they are before the first request."""
        return http(Reply(200, {"status": "ok"}))

    text: dict[int | str, dict[str, Any]] = {
        200: {"description": "Counts and latencies.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    }

    @app.get("/metrics", responses=text, operation_id="metrics", response_class=Response)
    async def metrics() -> Response:
        """The server's own counts, in Prometheus' text format."""
        return Response(desk.meter.text(), media_type=MEDIA)

    listed = _openapi.responses(_openapi.PLANS, "The plans.")

    @app.get("/v1/plans", responses=listed, operation_id="plans", response_class=Response)
    async def plans() -> Response:
        """The plans that may be asked for, by name."""
        return http(Reply(200, {"plans": [_described(name, desk) for name in desk.plans]}))


def _described(name: str, desk: Desk) -> dict[str, Any]:
    plan = desk.plans[name].plan
    return {
        "name": name,
        "sha256": plan.sha256,
        "strategy": plan.strategy.kind,
        "metrics": list(plan.metrics),
        "stages": [stage.weight for stage in getattr(plan.strategy, "stages", ())],
    }


def _add_decisions(app: "FastAPI", desk: Desk) -> None:
    """The routes that have nothing in their bodies: those of deployers that read a word, and the decision itself."""
    from fastapi import Path as At
    from fastapi import Query, Response

    from abkit._schema import decision_schema

    broken = {422: (_openapi.REFUSAL, "The log cannot answer its plan.")}
    routes: list[tuple[str, str, Callable[[Decision | AbkitError], Reply], Any, str]] = [
        ("/v1/plans/{name}/decision", "decision", _decision, (decision_schema(), broken), "The whole decision."),
        ("/argo/{name}", "argo", argo, (_openapi.ARGO, None), "A web metric of Argo Rollouts."),
        ("/spinnaker/{name}", "spinnaker", spinnaker, (_openapi.SPINNAKER, None), "A webhook stage of Spinnaker."),
    ]

    def endpoint(hook: "Callable[[Decision | AbkitError], Reply]") -> Callable[..., Awaitable[Response]]:
        async def answered(
            name: Annotated[str, At(pattern=f"^{NAME}$", examples=list(desk.plans))],
            stage: Annotated[int | None, Query(ge=1, le=HIGHEST)] = None,
            look: Annotated[int | None, Query(ge=1, le=HIGHEST)] = None,
        ) -> Response:
            return http(hook(await desk.judge(name, stage, look)))

        return answered

    for path, name, hook, (schema, more), what in routes:
        for method in ("GET", "POST"):
            app.add_api_route(
                path,
                endpoint(hook),
                methods=[method],
                operation_id=f"{name}_{method.lower()}",
                summary=what,
                responses=_openapi.responses(schema, what, more=more),
                response_class=Response,
            )


def _decision(judged: "Decision | AbkitError") -> Reply:
    if isinstance(judged, UnreadyError):
        return refusal(503, "unready", str(judged))
    if isinstance(judged, AbkitError):
        return refusal(422, "data", str(judged))
    return Reply(200, judged.to_dict())


def _add_flagger(app: "FastAPI", desk: Desk) -> None:
    from fastapi import Path as At
    from fastapi import Response
    from fastapi.exceptions import RequestValidationError
    from pydantic import BaseModel, ValidationError
    from pydantic import Field as Bound

    class Place(BaseModel):
        stage: int | None = Bound(None, ge=1, le=HIGHEST)
        look: int | None = Bound(None, ge=1, le=HIGHEST)

    class Webhook(BaseModel):
        """What Flagger posts."""

        name: str = ""
        namespace: str = ""
        phase: str = ""
        checksum: str = ""
        metadata: dict[str, str] | None = None

    no = {403: (_openapi.FLAGGER, "No: the reason is in the body.")}

    @app.post(
        "/flagger/{name}/{hook}",
        responses=_openapi.responses(_openapi.FLAGGER, "Yes.", more=no),
        operation_id="flagger",
        response_class=Response,
    )
    async def webhook(
        name: Annotated[str, At(pattern=f"^{NAME}$", examples=list(desk.plans))], hook: Hook, payload: Webhook
    ) -> Response:
        """A webhook of Flagger; stage and look may stand in its metadata."""
        try:
            place = Place.model_validate({key: (payload.metadata or {}).get(key) for key in ("stage", "look")})
        except ValidationError as error:
            raise RequestValidationError(error.errors()) from error
        return http(flagger(await desk.judge(name, place.stage, place.look), hook))


def _add_prometheus(app: "FastAPI", desk: Desk) -> None:
    from fastapi import Query, Response

    wrong = {status: (_openapi.PROMETHEUS_ERROR, text) for status, text in _openapi.REFUSALS.items() if status < 405}

    @app.get(
        "/api/v1/query",
        responses=_openapi.responses(_openapi.PROMETHEUS, "A vector of one number.", more=wrong),
        operation_id="query",
        response_class=Response,
    )
    async def query(
        query: Annotated[str, Query(max_length=1000, description=_openapi.QUERY_HELP)] = "", time: str = ""
    ) -> Response:
        """An instant query, as Prometheus has it."""
        try:
            asked = parsed_query(query)
            places = {label: _count(label, asked.labels.get(label)) for label in LABELS[1:]}
        except PlanError as error:
            return http(prometheus_error(400, "bad_data", str(error)))
        if asked.name is None:
            return http(prometheus(PlanError("nothing is asked"), query, _seconds(time)))
        if asked.labels["plan"] not in desk.plans:
            return http(prometheus_error(404, "not_found", "there is no such plan; GET /v1/plans lists them."))
        return http(prometheus(await desk.judge(asked.labels["plan"], **places), query, _seconds(time)))


def _count(label: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= HIGHEST):
        raise PlanError(f"`{label}` must be a whole number from 1 to {HIGHEST:,}.")
    return int(text)


def _seconds(text: str) -> float:
    """The time of a query that is a number; Prometheus takes texts too, and nobody here reads the time."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


def _add_errors(app: "FastAPI") -> None:
    """All errors are JSON of one shape, and none shows a traceback."""
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

    codes = {404: "not_found", 405: "method_not_allowed"}

    from fastapi import Request, Response

    async def refused(_: Request, error: HTTPException) -> Response:
        response = http(refusal(error.status_code, codes.get(error.status_code, "bad_request"), str(error.detail)))
        response.headers.update(error.headers or {})
        return response

    async def invalid(_: Request, error: RequestValidationError) -> Response:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        return http(refusal(400, "bad_request", wrong))

    async def asked_wrongly(request: Request, error: PlanError) -> Response:
        if request.url.path == "/api/v1/query":
            return http(prometheus_error(400, "bad_data", str(error)))
        return http(refusal(400, "bad_request", str(error)))

    async def lacking(_: Request, error: AbkitError) -> Response:
        return http(refusal(500, "internal", str(error)))

    handlers: dict[Any, Any] = {
        HTTPException: refused,
        RequestValidationError: invalid,
        PlanError: asked_wrongly,
        AbkitError: lacking,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
