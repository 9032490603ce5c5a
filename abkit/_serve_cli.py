"""`abkit serve`: its command line."""

from __future__ import annotations

import argparse
from typing import Any

from abkit import _check
from abkit.errors import PlanError

HOST, PORT, TIMEOUT, MAX_BODY, WORKERS = "127.0.0.1", 8080, 10.0, 65_536, 2


def add_serve(commands: argparse._SubParsersAction[Any]) -> None:
    """The command and its options."""
    parser = commands.add_parser("serve", help="answer deployers over HTTP")
    parser.add_argument(
        "plans",
        nargs="+",
        help="plan files, or folders of them; each says where its log lies and has its file's name",
    )
    parser.add_argument("--host", default=HOST, help=f"the address to listen on ({HOST}: this machine only)")
    parser.add_argument("--port", type=int, default=PORT, help=f"the port to listen on ({PORT}); 0 is any free one")
    parser.add_argument(
        "--timeout", type=float, default=TIMEOUT, help=f"seconds that a request waits for a log ({TIMEOUT:g})"
    )
    parser.add_argument(
        "--max-body", type=int, default=MAX_BODY, help=f"bytes that the body of a request may have ({MAX_BODY:,})"
    )
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"logs that are read at once ({WORKERS})")
    parser.add_argument("--audit", metavar="FILE", help="record each decision once in this file; see `abkit audit`")
    parser.set_defaults(run=_serve)


def _serve(parsed: argparse.Namespace) -> int:
    from abkit.hooks._serve import serve

    try:
        timeout = _check.within("--timeout", parsed.timeout, 0, 3600)
        max_body = _check.count("--max-body", parsed.max_body, 1)
        workers = _check.count("--workers", parsed.workers, 1)
    except ValueError as error:
        raise PlanError(str(error)) from error
    serve(
        parsed.plans,
        parsed.host,
        parsed.port,
        timeout=timeout,
        max_body=max_body,
        workers=workers,
        audit=parsed.audit,
    )
    return 0
