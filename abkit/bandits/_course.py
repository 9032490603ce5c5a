"""Several runs of a policy in an environment, decision by decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from abkit._check import Float64Array
from abkit.bandits._delayed import Delayed
from abkit.bandits._environment import Environment
from abkit.bandits._lanes import lanes_of
from abkit.bandits._policy import IntArray, Policy
from abkit.bandits._records import Records


class Lesson(NamedTuple):
    """Rewards of at most one decision a run, and what else was known of it."""

    flat: IntArray
    reward: Float64Array
    propensity: Float64Array | None
    context: Float64Array | None

    def part(self, which: Any) -> Lesson:
        """Those of some runs."""
        return Lesson._make(None if column is None else column[which] for column in self)


class Tally(NamedTuple):
    """What is kept of a course: regret (checkpoints, runs), share of arms (checkpoints, arms), pulls (arms, runs)."""

    regret: Float64Array
    shares: Float64Array
    pulls: Float64Array
    records: Records | None


class Course:
    """Runs side by side."""

    def __init__(
        self, policy: Policy[Any], environment: Environment, runs: int, rng: np.random.Generator, *, record: bool
    ) -> None:
        self.policy, self.environment, self.runs, self.rng = policy, environment, runs, rng
        self.reads = reads_contexts(policy)
        self.mail = _Mail(runs) if isinstance(environment, Delayed) else None
        self.moves = environment.changes or environment.dimension > 0
        self.lanes = lanes_of(policy, tables=self.mail is None)(policy, environment.arms, runs, rng)
        self.record, self.asks = record, record or policy.needs_propensity
        self.means = np.repeat(environment.expected(), runs)
        self.regret, self.horizon = np.zeros(runs), 0

    def run(self, times: IntArray, tell: Callable[[int], None]) -> Tally:
        """Make decisions up to the last of these times, and keep what there is at each."""
        self.horizon = int(times[-1])
        records = Records.empty(self.environment, self.horizon, self.runs) if self.record else None
        regret, shares, t = np.empty((times.size, self.runs)), np.empty((times.size, len(self.environment.arms))), 0
        for row, end in enumerate(times.tolist()):
            for at in range(t, end):
                self._decide(at, records)
            tell((end - t) * self.runs)
            t, pulls = end, self.lanes.pulls.reshape(-1, self.runs)
            regret[row], shares[row] = self._regret_now(pulls), pulls.mean(axis=1) / end
        return Tally(regret, shares, pulls, records)

    def _decide(self, t: int, records: Records | None) -> None:
        if self.mail is not None:
            for lesson in self.mail.open(t):
                self.lanes.learn(*lesson)
        context = seen = None
        if self.moves:
            context = self.environment.contexts(t, self.runs, self.rng)
            seen = context if self.reads else None
            expected = self.environment.expected(t, context)
            self.means = np.repeat(expected, self.runs) if expected.ndim == 1 else expected.reshape(-1)
        every = self.lanes.probabilities(seen) if self.asks else None
        flat = self.lanes.choose(seen)
        means = self.means.take(flat)
        reward = self.environment.around(means, t, self.rng)
        if self.environment.extremes is None:
            self.policy.check_reward(reward)
        if self.moves:
            lanes = flat % self.runs
            self.regret[lanes] += self.means.reshape(-1, self.runs).max(axis=0)[lanes] - means
        if records is not None and every is not None:
            records.keep(t, flat, reward, every, context)
        lesson = Lesson(flat, reward, None if every is None else every.reshape(-1).take(flat), seen)
        if self.mail is None:
            self.lanes.learn(*lesson)
        else:
            self.mail.post(self.environment.arrivals(t, self.runs, self.rng), lesson, self.horizon)

    def _regret_now(self, pulls: Float64Array) -> Float64Array:
        if self.moves:
            return self.regret
        expected = self.environment.expected()
        return np.asarray((expected.max() - expected) @ pulls)


class _Mail:
    """Rewards under way, by the decision before which they are known."""

    def __init__(self, runs: int) -> None:
        self.runs = runs
        self.due: dict[int, list[Lesson]] = {}

    def post(self, arrivals: int | IntArray, lesson: Lesson, horizon: int) -> None:
        """Send the rewards of one decision; what comes after the last decision is not kept."""
        if isinstance(arrivals, int):
            if arrivals < horizon:
                self.due.setdefault(arrivals, []).append(lesson)
            return
        order = arrivals.argsort(kind="stable")
        ends = np.flatnonzero(np.diff(arrivals[order])) + 1
        for which in np.split(order, ends):
            if arrivals[which[0]] < horizon:
                self.due.setdefault(int(arrivals[which[0]]), []).append(lesson.part(which))

    def open(self, t: int) -> Iterator[Lesson]:
        """What is known before this decision: in the order of decisions, never two of a run at once."""
        came = self.due.pop(t, [])
        if all(lesson.flat.size == self.runs for lesson in came):
            yield from came
            return
        columns = zip(*came, strict=True)
        joined = Lesson._make(None if column[0] is None else np.concatenate(column) for column in columns)
        order = (joined.flat % self.runs).argsort(kind="stable")
        lanes = joined.flat[order] % self.runs
        place = np.arange(lanes.size)
        nth = place - np.maximum.accumulate(np.where(np.diff(lanes, prepend=-1) != 0, place, 0))
        for turn in range(int(nth.max()) + 1):
            yield joined.part(order[nth == turn])


def reads_contexts(policy: Policy[Any]) -> bool:
    """Whether a policy cannot do without a context."""
    try:
        policy.check_context(None)
    except (TypeError, ValueError):
        return True
    return False
