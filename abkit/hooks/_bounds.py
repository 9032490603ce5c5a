"""How much of a server one request may take."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from abkit.hooks._meter import Meter
from abkit.hooks._reply import Reply

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
#: Requests that are answered at once.
AT_ONCE = 256


def refusal(status: int, code: str, message: str) -> Reply:
    """A request that is not answered, and why."""
    return Reply(status, {"error": {"code": code, "message": message}})


class Bounded:
    """An ASGI application whose requests are bounded in size, in time to arrive, and in number; and counted.

    Parameters
    ----------
    app : ASGI application
    largest : function of a path
        The bytes that a request's body may have.
    timeout : float
        Seconds that a body may take to arrive.
    meter : Meter
        What is told of every answer.
    """

    def __init__(self, app: App, largest: Callable[[str], int], timeout: float, meter: Meter) -> None:
        self._app, self._largest, self._timeout, self._meter = app, largest, timeout, meter
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._running += 1
        try:
            await self._bounded(scope, receive, counted)
        except Exception:
            # left to the server, it would close the connection under the next request
            logging.getLogger("abkit").exception("a fault while answering %s", scope["path"])
            if status:
                raise
            await _refuse(counted, refusal(500, "internal", "internal error; the server's log has more."))
        finally:
            self._running -= 1
            route = getattr(scope.get("route"), "path", "other")
            self._meter.answered(route, status, time.perf_counter() - start)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        largest = self._largest(scope["path"])
        if self._running > AT_ONCE:
            await _refuse(send, refusal(503, "busy", "too many requests at once; ask again."))
            return
        try:
            async with asyncio.timeout(self._timeout):
                body = await _body(receive, largest)
        except TimeoutError:
            await _refuse(send, refusal(408, "timeout", f"the body took more than {self._timeout:g} s to arrive."))
            return
        if body is None:
            await _refuse(send, refusal(413, "too_large", f"the body must have at most {largest:,} bytes."))
            return
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def replayed() -> Message:
            return messages.pop() if messages else await receive()

        await self._app(scope, replayed, send)


async def _body(receive: Receive, largest: int) -> bytes | None:
    """The whole body; None where it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > largest:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


async def _refuse(send: Send, reply: Reply) -> None:
    body = reply.to_json().encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    if reply.status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
