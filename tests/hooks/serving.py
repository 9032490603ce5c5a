"""A server on this machine, and its application without one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from abkit.hooks import make_app
from tests.hooks.decisions import EFFECTS, RAMP, write


def plans_in(folder: Path) -> Path:
    """A folder with a plan of each outcome, one with stages, and one whose log is gone."""
    for outcome in EFFECTS:
        write(folder, outcome, outcome)
    write(folder, "staged", "promote", strategy=RAMP)
    write(folder, "gone", "promote")
    (folder / "gone.parquet").unlink()
    return folder


@contextmanager
def running(*plans: Path, **options: Any) -> Iterator[str]:
    """The address of a server in a thread."""
    config = uvicorn.Config(make_app(plans, **options), port=0, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def client(*plans: Path, **options: Any) -> Iterator[httpx.Client]:
    with running(*plans, **options) as address, httpx.Client(base_url=address) as found:
        yield found
