"""Decisions of a server: each log is read once for everybody who asks, and again when it has changed."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from abkit.errors import AbkitError, DataError
from abkit.hooks._served import Served, fingerprint

if TYPE_CHECKING:
    from abkit.decision import Decision
    from abkit.report import Report

T = TypeVar("T")
Key = tuple[str, int | None, int | None]
#: Decisions that are kept, and logs that wait to be read.
KEPT, WAITING = 256, 64
#: Seconds after which the clock is looked at again, where a plan has a deadline or says how old its log may be.
TICK = 1.0


class UnreadyError(AbkitError):
    """The log is still being read."""


@dataclass(frozen=True, slots=True)
class Held:
    """A decision, or why there is none, with what it was made from and when."""

    fingerprint: object
    report: Report | None
    judged: Decision | DataError
    at: float


class Looks:
    """Decides for a server.

    The answer is a function of the plan, of the log's bytes, and of the stage and look that are asked for; so it is
    kept until the log changes. Only what depends on the clock is asked again, and where that changes neither verdict
    nor reasons the decision stays as it was, to the byte.
    """

    def __init__(self, plans: Mapping[str, Served], timeout: float, workers: int) -> None:
        self.plans, self._timeout = plans, timeout
        self._workers = workers
        self._pool = self._new_pool()
        self._kept: OrderedDict[Key, Held] = OrderedDict()
        self._pending: dict[tuple[Key, object], Future[Held]] = {}

    async def judge(self, name: str, stage: int | None, look: int | None) -> Decision | AbkitError:
        """The decision on a plan, or why there is none. An error that is not the log's is raised."""
        served, key = self.plans[name], (name, stage, look)
        seen, held = fingerprint(served), self._kept.get(key)
        if held is not None and held.fingerprint == seen:
            self._kept.move_to_end(key)
            if not served.clocked or time.monotonic() < held.at + TICK:
                return held.judged
        future = self._pending.get((key, seen))
        if future is None:
            if len(self._pending) >= WAITING:
                return UnreadyError("too many logs are being read; ask again.")
            future = self._pool.submit(_judged, served, key, seen, held)
            self._pending[key, seen] = future
            future.add_done_callback(partial(self._tell, asyncio.get_running_loop(), key, seen))
        try:
            return (await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), self._timeout)).judged
        except TimeoutError:
            return UnreadyError(f"the log of {name} takes more than {self._timeout:g} s to read; ask again.")

    async def run(self, work: Callable[[], T], what: str) -> T:
        """Other work, beside the reading of logs; an UnreadyError where it takes too long."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._pool.submit(work)), self._timeout)
        except TimeoutError:
            raise UnreadyError(f"{what} takes more than {self._timeout:g} s; ask again.") from None

    def close(self) -> None:
        """Wait for nobody. Whoever serves the application again finds it open."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._new_pool()

    def _new_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._workers, thread_name_prefix="abkit")

    def _tell(self, loop: asyncio.AbstractEventLoop, key: Key, seen: object, done: Future[Held]) -> None:
        with suppress(RuntimeError):  # the server has ended meanwhile
            loop.call_soon_threadsafe(self._keep, key, seen, done)

    def _keep(self, key: Key, seen: object, done: Future[Held]) -> None:
        self._pending.pop((key, seen), None)
        if not done.cancelled() and done.exception() is None:
            self._kept[key] = done.result()
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def _judged(served: Served, key: Key, seen: object, held: Held | None) -> Held:
    from abkit.adapters._source import open_source
    from abkit.decision import State, decide

    _, stage, look = key
    report = held.report if held is not None and held.fingerprint == seen else None
    try:
        if report is None:
            with open_source(served.source, served.base) as log:
                report = served.plan.analyze(log, look=look)
        state = None if stage is None else State(stage=stage)
        now = dt.datetime.now(dt.UTC) if served.clocked else None
        judged: Decision | DataError = decide(served.plan, report, state=state, now=now)
    except DataError as error:
        judged = error
    if held is not None and held.fingerprint == seen and _same(held.judged, judged):
        judged = held.judged
    return Held(seen, report, judged, time.monotonic())


def _same(before: Decision | DataError, after: Decision | DataError) -> bool:
    if isinstance(before, DataError) or isinstance(after, DataError):
        return str(before) == str(after)
    return before.decision_id == after.decision_id
