"""`abkit serve`: the application, run by uvicorn."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path

from abkit.errors import MissingDependencyError, PlanError
from abkit.hooks._app import make_app


def serve(
    plans: Iterable[str | Path],
    host: str,
    port: int,
    *,
    timeout: float,
    max_body: int,
    workers: int,
    audit: str | Path | None,
) -> None:
    """Answer until the process is told to end; requests that are being answered then have `timeout` seconds."""
    app = make_app(plans, timeout=timeout, max_body=max_body, workers=workers, audit=audit)
    try:
        import uvicorn
    except ImportError as error:
        raise MissingDependencyError(
            "the server needs uvicorn: install abkit-experiments[serve], or uvicorn."
        ) from error
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(timeout)),
    )
    with _listening(host, port) as listener:
        address = listener.getsockname()
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        print(
            f"abkit serves on http://{shown}:{address[1]} until interrupted; GET /v1/plans lists its plans", flush=True
        )
        uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off, which costs 40 ms an answer, where the socket names its protocol
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()  # who reads the address may ask at once
    except (OSError, OverflowError) as error:
        listener.close()
        raise PlanError(f"`--host` and `--port` must be a free address; got {host}, {port}: {error}.") from error
    return listener
