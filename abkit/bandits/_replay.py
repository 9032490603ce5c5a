"""Replay: what a policy would have earned, from a log of arms chosen at random."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit._sets import Interval, NoInterval, binomial_interval
from abkit._tails import chi_square_survival, critical
from abkit.adapters._bandit_log import Array, read_decisions
from abkit.bandits._epsilon_greedy import EpsilonGreedy
from abkit.bandits._exp3 import Exp3
from abkit.bandits._policy import IndexPolicy, IntArray, Policy
from abkit.bandits._softmax import Softmax
from abkit.bandits._state import Arm, State, frozen
from abkit.errors import DataError

#: Rows that are drawn for at once: as many as there are arms, since every so-manieth row matches, within these bounds.
FEWEST, MOST = 16, 512
#: Policies whose probabilities are closed forms, and cost less than a draw for each row.
CLOSED = (IndexPolicy, EpsilonGreedy, Softmax, Exp3)
#: Two propensities that differ by less than this share are the same number, written by another program.
ROUNDING = 1e-6
#: A log with counts that differ so much has not chosen its arms uniformly.
NOT_UNIFORM = 1e-6
#: Standard errors by which the mean inverse propensity may fall short of the number of arms.
LARGEST_LACK = 6.0
#: Of a smaller propensity the inverse squared is no number.
SMALLEST = 1e-150


@dataclass(frozen=True, eq=False)
class Replayed:
    """What a policy earned on those decisions of a log that it would have made too.

    Parameters
    ----------
    policy : Policy
        That was replayed.
    state : State
        What it knew at the end.
    places, rewards : array, shape (matches,)
        The place in `state.arms` of each arm that matched, and what it gave, in order.
    n : int
        Decisions in the log.
    kept : int
        Those that were compared with the policy's: all, or where the log was not uniform those accepted.
    """

    policy: Policy[Any]
    state: State
    places: IntArray
    rewards: Float64Array
    n: int
    kept: int

    @property
    def matches(self) -> int:
        """Decisions on which the policy and the log agreed."""
        return int(self.rewards.size)

    @property
    def value(self) -> float:
        """Mean reward of a decision."""
        return float(self.rewards.mean())

    @property
    def stderr(self) -> float:
        """Standard error of the value; nan where there is one match only."""
        return float(self.rewards.std(ddof=1) / math.sqrt(self.matches)) if self.matches > 1 else math.nan

    def interval(self, level: float = 0.95) -> Interval | NoInterval:
        """An interval for the mean reward of the arms chosen: exact where rewards are 0 or 1, else Student's."""
        level = _check.within("level", level, 0, 1)
        if np.all((self.rewards == 0) | (self.rewards == 1)):
            return binomial_interval(int(self.rewards.sum()), self.matches, level)
        if not self.stderr > 0:
            return NoInterval(level, "with fewer than two different rewards their spread is not known")
        half = critical((1 - level) / 2, self.matches - 1) * self.stderr
        return Interval(self.value - half, self.value + half, level)

    def arms(self) -> list[dict[str, Any]]:
        """For each arm the matches and their mean reward, which is None where there is none."""
        counts = np.bincount(self.places, minlength=len(self.state.arms))
        sums = np.bincount(self.places, weights=self.rewards, minlength=len(self.state.arms))
        rows = zip(self.state.arms, counts.tolist(), sums.tolist(), strict=True)
        return [{"arm": arm, "matches": n, "mean": total / n if n else None} for arm, n, total in rows]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found = self.interval()
        return {
            "policy": self.policy.to_dict(),
            "value": self.value,
            "stderr": self.stderr if self.matches > 1 else None,
            "interval": [found.low, found.high] if isinstance(found, Interval) else None,
            "level": found.level,
            "matches": self.matches,
            "kept": self.kept,
            "n": self.n,
            "arms": self.arms(),
            "state": self.state.to_dict(),
        }

    def __str__(self) -> str:
        found = self.interval()
        within = f", 95% interval {found.low:.4g} to {found.high:.4g}" if isinstance(found, Interval) else ""
        rows = f"{self.matches:,} of {self.n:,} decisions match"
        if self.kept < self.n:
            rows += f"; {self.kept:,} were kept, so that arms are as if chosen uniformly"
        lines = [f"{self.policy.kind} would have earned {self.value:.4g} a decision{within}.", f"  {rows}"]
        for row in self.arms():
            mean = "-" if row["mean"] is None else f"{row['mean']:.4g}"
            lines.append(f"  {_check.narrow(str(row['arm']), 24):<24}  {row['matches']:>9,}  {mean:>9}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Replayed({self.policy.kind}, value={self.value:.6g}, matches={self.matches}, n={self.n})"


def replay(  # noqa: PLR0913 - a question and the names of columns
    log: object,
    policy: Policy[Any] | Mapping[str, Any],
    *,
    arm: str = "arm",
    reward: str = "reward",
    propensity: str | None = None,
    order: str | Sequence[str] | None = None,
    context: Sequence[str] | None = None,
    rng: np.random.Generator | None = None,
    state: State | None = None,
) -> Replayed:
    """Let a policy choose again on a log whose arms were chosen at random, and count where both agree.

    Answers: what would this policy, which learns as it goes, have earned?

    Parameters
    ----------
    log : table, path or mapping
        One row a decision.
    policy : Policy or dict
        The policy, or what its `to_dict` wrote.
    arm, reward : str
        Columns: the arm that was chosen, and what it gave.
    propensity : str, optional
        Column: the probability with which the arm was chosen. By default `propensity`, if the log has it; without one,
        each arm must have been as likely as any other, and the counts are checked to allow it.
    order : str or list of str, optional
        Columns that tell when each decision was made; by default rows are in their order.
    context : list of str, optional
        Columns of what was known of a decision, for policies that use it.
    rng : numpy.random.Generator, optional
        The same state of it gives the same replay; by default the same numbers each time.
    state : State, optional
        What the policy knows beforehand, and which arms it has; by default nothing, and all arms of the log.

    Returns
    -------
    Replayed

    Raises
    ------
    DataError
        No decision matches; arms of the policy that the log never chose; a log that was not uniform and has no
        propensities; propensities or rewards that cannot be.

    Notes
    -----
    The rows are walked in order. Where the arm that the policy draws is the log's the reward counts and the policy
    learns it; other rows are passed over, and teach nothing [1]_. If the log's arms were uniform given the context, and
    what arm was shown had no say in later rows, the matches are distributed as the first decisions of the policy
    itself. With K arms about n / K rows match, so a policy that learns is judged on its youth.

    Where the propensities p differ, each row is first accepted with probability p_min / p, p_min the smallest in the
    log, which leaves a uniform log. That needs propensities that are right; where p_min is small few rows are left: use
    `evaluate`.

    The interval is of the mean reward of the arms that this replay chose, its matches taken as independent. It leaves
    out how different another run of the same policy would be: replay with several generators to see that.

    References
    ----------
    .. [1] Li, Chu, Langford and Wang 2011, WSDM, algorithm 2 and theorem 1.

    Examples
    --------
    >>> import numpy as np
    >>> import abkit as ab
    >>> rng = np.random.default_rng(1)
    >>> arm = rng.integers(2, size=10_000)
    >>> log = {"arm": arm, "reward": rng.random(10_000) < np.array([0.1, 0.3])[arm]}
    >>> found = ab.bandits.replay(log, ab.bandits.EpsilonGreedy(0.1))
    >>> round(found.value, 2), found.matches > 4_000
    (0.29, True)
    """
    if not isinstance(policy, Policy):
        policy = Policy.from_dict(policy)
    rng = _own(rng)
    known = _check.names("context", context) if context is not None else ()
    rows = _read(log, (arm, reward, *known), propensity, order, labels={arm})
    labels = rows[arm].tolist()
    seen = sorted(set(labels), key=lambda label: (isinstance(label, str), label))
    start = policy.init(seen) if state is None else _checked_state(policy, state, seen)
    place = {label: index for index, label in enumerate(start.arms)}
    places = np.fromiter((place.get(label, -1) for label in labels), np.intp, len(labels))
    kept = _uniform(places, len(seen), rows.get(propensity or "propensity"), rng)
    contexts = np.stack([rows[name] for name in known], axis=1)[kept] if known else None
    rewards = _rewards(policy, rows[reward][kept])
    after, matched = _play(policy, start, places[kept], rewards, contexts, rng)
    if not matched.size:
        raise DataError(
            f"none of {len(places):,} decisions matches one of the policy's ({len(rewards):,} were compared with it), "
            "so nothing can be said of its value; a longer log is needed, or `evaluate`."
        )
    return Replayed(policy, after, places[kept][matched], rewards[matched], len(places), len(rewards))


def _own(rng: object) -> np.random.Generator:
    """A generator of its own: a log may have been simulated with the very numbers that would be drawn here."""
    if rng is None:
        return np.random.default_rng(20110209)
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"`rng` must be a numpy.random.Generator; got {_check.show(rng)}.")
    return np.random.default_rng(rng.integers(2**32, size=4).tolist())


def _read(
    log: object, columns: Sequence[str], propensity: str | None, order: Any, labels: set[str]
) -> dict[str, Array]:
    try:
        return read_decisions(log, (*columns, propensity or "propensity"), order, labels=labels)
    except DataError as error:
        if propensity is not None or "no column `propensity`" not in str(error):
            raise
    return read_decisions(log, columns, order, labels=labels)


def _checked_state(policy: Policy[Any], state: object, seen: list[Arm]) -> State:
    if not isinstance(state, State):
        raise TypeError(f"`state` must be what `init` or `update` returned; got {_check.show(state)}.")
    made = policy.init(state.arms)
    if made.kind != state.kind:
        raise ValueError(f"`state` must be of the policy, which makes {made.kind!r}; got {state.kind!r}.")
    never = ", ".join(repr(arm) for arm in state.arms if arm not in seen)
    if never:
        raise DataError(f"the log never chose {never}, which the policy may; leave such arms out of `state`.")
    return state


def _rewards(policy: Policy[Any], rewards: Array) -> Float64Array:
    if rewards.dtype != np.float64:
        raise DataError(f"`reward` must hold numbers; got {_check.show(rewards[0])}.")
    if rewards.size:
        try:
            policy.check_reward(rewards)
        except ValueError as error:
            raise DataError(str(error)) from error
    return rewards


def _uniform(places: IntArray, arms: int, shares: Array | None, rng: np.random.Generator) -> IntArray:
    """Rows of a log of so many arms which are as if chosen uniformly."""
    every = np.arange(len(places))
    if shares is None:
        _refuse_uneven(np.bincount(places[places >= 0]))
        return every
    if shares.dtype != np.float64 or not (shares.min() > 0 and shares.max() <= 1):
        worst = shares.min() if shares.dtype == np.float64 and not shares.min() > 0 else shares.max()
        raise DataError(f"`propensity` must be probabilities, above 0 and at most 1; got {_check.show(worst)}.")
    _refuse_certain(shares, arms)
    least = float(shares.min())
    if float(shares.max()) > least * (1 + ROUNDING):
        return every[rng.random(len(every)) * shares < least]
    if least * arms > 1 + ROUNDING:
        raise DataError(
            f"`propensity` must be at most 1/{arms} where {arms} arms have the same; got {least:g}. The log of a "
            "policy that leaves nothing to chance cannot be replayed."
        )
    return every


def _refuse_certain(shares: Array, arms: int) -> None:
    """Propensities by which some arm had no chance in many rows: 1 / p of the chosen arm is else `arms` on average."""
    inverse = 1 / np.maximum(shares, SMALLEST)
    mean, noise = float(inverse.mean()), float(inverse.std()) / math.sqrt(len(inverse))
    if noise > 0 and mean < arms - LARGEST_LACK * noise:
        raise DataError(
            f"`propensity` must leave each of {arms} arms a chance in every row, so that its inverse is {arms} on "
            f"average; it is {mean:.3g}. The log of a policy that leaves little to chance cannot be replayed; use "
            "`evaluate`, or log with a floor (WithFloor)."
        )


def _refuse_uneven(counts: IntArray) -> None:
    """Counts that a uniform choice would not have given."""
    expected = counts.mean()
    chance = chi_square_survival(float(((counts - expected) ** 2).sum() / expected), len(counts) - 1)
    if len(counts) > 1 and chance < NOT_UNIFORM:
        raise DataError(
            f"the log's arms were not chosen uniformly: {counts.min():,} to {counts.max():,} times each "
            f"(p < {NOT_UNIFORM:g}). Name the column of their propensities, `propensity`, or use `evaluate`."
        )


def _play(
    policy: Policy[Any],
    start: State,
    places: IntArray,
    rewards: Float64Array,
    contexts: Float64Array | None,
    rng: np.random.Generator,
) -> tuple[State, IntArray]:
    """Walk the rows. Until one matches nothing is learnt, so arms are drawn for a block of rows at once."""
    policy.check_context(None if contexts is None else contexts[0])
    state, n = start.copy(), len(places)
    width = min(max(len(state.arms), FEWEST), MOST)
    logged = np.concatenate([places, np.full(width, -1, dtype=np.intp)])
    known = None if contexts is None else np.concatenate([contexts, np.zeros((width, contexts.shape[1]))])
    agree = _accepted if known is None and isinstance(policy, CLOSED) else _drawn
    row, matched = 0, []
    while row < n:
        block = slice(row, row + width)
        same = agree(policy, state, rng, logged[block], None if known is None else known[block])
        first = int(same.argmax())
        if not same[first]:
            row += width
            continue
        row += first
        context, place = None if known is None else known[row], int(logged[row])
        share = float(policy.probabilities(state, context)[place]) if policy.needs_propensity else None
        policy.absorb(state, place, float(rewards[row]), share, context)
        matched.append(row)
        row += 1
    return frozen(state), np.array(matched, dtype=np.intp)


def _drawn(policy: Policy[Any], state: State, rng: np.random.Generator, logged: IntArray, known: Any) -> Any:
    """Where an arm that is drawn for each row is the logged one."""
    return policy.pick(_side_by_side(state, len(logged)), rng, known) == logged


def _accepted(policy: Policy[Any], state: State, rng: np.random.Generator, logged: IntArray, _: Any) -> Any:
    """The same with the probabilities of the arms, of which one vector serves all rows."""
    return rng.random(len(logged)) < np.append(policy.probabilities(state), 0.0)[logged]


def _side_by_side(state: State, width: int) -> State:
    """The same knowledge in so many runs, without a copy."""
    views: dict[str, Any] = {}
    for field in fields(state)[1:]:
        value = getattr(state, field.name)
        if isinstance(value, State):
            views[field.name] = _side_by_side(value, width)
        else:
            views[field.name] = np.broadcast_to(value[:, None], (value.shape[0], width, *value.shape[1:]))
    return replace(state, **views)
