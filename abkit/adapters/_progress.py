"""A line that tells a person at a terminal that long work goes on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SILENT_SECONDS = 2.0


@contextmanager
def progress(what: str) -> Iterator[Callable[[float], None]]:
    """Show `what` and the seconds gone by, on a terminal's standard error, once it takes over two seconds.

    What it yields may be told the share that is done, which is then shown too.
    """
    if not sys.stderr.isatty():
        yield lambda share: None  # noqa: ARG005
        return
    done, shares = threading.Event(), [0.0]
    drawer = threading.Thread(target=_draw, args=(what, done, shares), daemon=True)
    drawer.start()
    try:
        yield lambda share: shares.__setitem__(0, share)
    finally:
        done.set()
        drawer.join()


def _draw(what: str, done: threading.Event, shares: list[float]) -> None:
    start = time.monotonic()
    if done.wait(SILENT_SECONDS):
        return
    while not done.wait(0.2):
        told = f"{shares[0]:.0%}, " if shares[0] else ""
        sys.stderr.write(f"\r{what} ... {told}{time.monotonic() - start:.0f} s\033[K")
        sys.stderr.flush()
    sys.stderr.write("\r\033[K")
    sys.stderr.flush()
