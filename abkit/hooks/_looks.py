"""Decisions of a server: each log is read once for everybody who asks, and again when it has changed."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from abkit.errors import AbkitError, DataError
from abkit.hooks._discreet import discreet
from abkit.hooks._recorder import Recorder
from abkit.hooks._served import Served, fingerprint

if TYPE_CHECKING:
    from abkit.decision import Decision
    from abkit.report import Report

T = TypeVar("T")
Key = tuple[str, int | None, int | None]
#: Decisions that are kept.
KEPT = 256
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


@dataclass(frozen=True, slots=True)
class Reading:
    """A log that is being read, for whom, and what it was then."""

    key: Key
    seen: object
    future: Future[Held]


class Looks:
    """Decides for a server.

    The answer is a function of the plan, of the log's bytes, and of the stage and look that are asked for; so it is
    kept until the log changes. Only what depends on the clock is asked again, and where that changes neither verdict
    nor reasons the decision stays as it was, to the byte.
    """

    def __init__(
        self, plans: Mapping[str, Served], timeout: float, workers: int, recorder: Recorder | None = None
    ) -> None:
        self.plans, self._timeout, self._recorder = plans, timeout, recorder
        self._workers = workers
        self._pool = self._new_pool()
        self._kept: OrderedDict[Key, Held] = OrderedDict()
        self._pending: dict[str, Reading] = {}

    async def judge(self, name: str, stage: int | None, look: int | None) -> Decision | AbkitError:
        """The decision on a plan, or why there is none. An error that is not the log's is raised."""
        key, seen = (name, stage, look), fingerprint(self.plans[name])
        held = self._known(key, seen)
        if held is not None:
            return held.judged
        try:
            async with asyncio.timeout(self._timeout):
                return (await self._read(key, seen)).judged
        except TimeoutError:
            return UnreadyError(f"the log of {name} takes more than {self._timeout:g} s to read; ask again.")

    def _known(self, key: Key, seen: object) -> Held | None:
        """What is kept, if it is still the answer."""
        held, served = self._kept.get(key), self.plans[key[0]]
        if held is None or held.fingerprint != seen:
            return None
        self._kept.move_to_end(key)
        return held if not served.clocked or time.monotonic() < held.at + TICK else None

    async def _read(self, key: Key, seen: object) -> Held:
        """What a reading finds; a plan has one at a time, so that a log that never ends keeps one worker busy."""
        while (reading := self._pending.get(key[0])) is not None and (reading.key, reading.seen) != (key, seen):
            await asyncio.gather(asyncio.shield(asyncio.wrap_future(reading.future)), return_exceptions=True)
        held = self._known(key, seen)
        if held is not None:
            return held
        future = self._started(key, seen) if reading is None else reading.future
        return await asyncio.shield(asyncio.wrap_future(future))

    def _started(self, key: Key, seen: object) -> Future[Held]:
        future = self._pool.submit(_judged, self.plans[key[0]], key, seen, self._kept.get(key), self._recorder)
        self._pending[key[0]] = Reading(key, seen, future)
        future.add_done_callback(partial(self._tell, asyncio.get_running_loop(), key))
        return future

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

    def _tell(self, loop: asyncio.AbstractEventLoop, key: Key, done: Future[Held]) -> None:
        with suppress(RuntimeError):  # the server has ended meanwhile
            loop.call_soon_threadsafe(self._keep, key, done)

    def _keep(self, key: Key, done: Future[Held]) -> None:
        self._pending.pop(key[0], None)
        if not done.cancelled() and done.exception() is None:
            self._kept[key] = done.result()
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def _judged(served: Served, key: Key, seen: object, held: Held | None, recorder: Recorder | None) -> Held:
    from abkit.adapters._source import open_source
    from abkit.decision import State, decide

    _, stage, look = key
    report = held.report if held is not None and held.fingerprint == seen else None
    state = None if stage is None else State(stage=stage)
    now = dt.datetime.now(dt.UTC) if served.clocked else None
    try:
        if report is None:
            with open_source(served.source, served.base) as log:
                report = served.plan.analyze(log, look=look)
        judged: Decision | DataError = decide(served.plan, report, state=state, now=now)
    except DataError as error:
        why, judged = error, discreet(error)
    if held is not None and held.fingerprint == seen and _same(held.judged, judged):
        judged = held.judged
    elif isinstance(judged, DataError):
        logging.getLogger("abkit").warning("%s: %s", served.name, why)
    elif recorder is not None:
        recorder.record(served.plan, judged, state, now, look)
    return Held(seen, report, judged, time.monotonic())


def _same(before: Decision | DataError, after: Decision | DataError) -> bool:
    if isinstance(before, DataError) or isinstance(after, DataError):
        return str(before) == str(after)
    return before.decision_id == after.decision_id
