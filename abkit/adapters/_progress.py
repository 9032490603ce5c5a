"""A line that tells a person at a terminal that long work goes on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SILENT_SECONDS = 2.0


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show `what` and the seconds gone by, on a terminal's standard error, once it takes over two seconds."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    drawer = threading.Thread(target=_draw, args=(what, done), daemon=True)
    drawer.start()
    try:
        yield
    finally:
        done.set()
        drawer.join()


def _draw(what: str, done: threading.Event) -> None:
    start = time.monotonic()
    if done.wait(SILENT_SECONDS):
        return
    while not done.wait(0.2):
        sys.stderr.write(f"\r{what} ... {time.monotonic() - start:.0f} s")
        sys.stderr.flush()
    sys.stderr.write("\r\033[K")
    sys.stderr.flush()
