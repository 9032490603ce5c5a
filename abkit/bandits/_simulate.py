"""A policy in an environment, many times over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from abkit import _check
from abkit.adapters._progress import progress
from abkit.bandits._course import Course, Tally, reads_contexts
from abkit.bandits._environment import Environment
from abkit.bandits._policy import IntArray, Policy
from abkit.bandits._records import Records
from abkit.bandits._simulation import Simulation

#: Runs that share a generator and arrays; the first thousand runs of more are those of a thousand.
TOGETHER = 1000
CHECKPOINTS = 100


def simulate(
    policy: Policy[Any],
    environment: Environment,
    horizon: int,
    runs: int,
    rng: np.random.Generator | int,
    *,
    checkpoints: Sequence[int] | None = None,
    record: bool = False,
) -> Simulation:
    """Let a policy choose in an environment whose truth is known, many times over.

    Answers: what does a policy cost before it knows the best arm, and how sure is that?

    Parameters
    ----------
    policy : Policy
    environment : Environment
        What the arms give.
    horizon : int
        Decisions in a run, at least 1.
    runs : int
        Independent repetitions, at least 1.
    rng : numpy.random.Generator or int
        The same state of it, or the same number, gives the same result.
    checkpoints : list of int, optional
        After which decisions regret is kept, from 1 to the horizon; by default about 100, evenly on a logarithmic
        scale. The horizon is always one.
    record : bool
        Keep every decision with its reward and all propensities, for `log`. That takes 8 (arms + 2) bytes for each
        decision, and the time to compute the propensities.

    Returns
    -------
    Simulation

    Raises
    ------
    ValueError
        A number outside its domain; rewards that the policy refuses; a contextual policy without contexts.

    Notes
    -----
    Regret is pseudo-regret: the sum of the best arm's expected reward less that of the arm chosen, at that decision and
    in its context. The chance in the rewards themselves is left out, so that fewer runs are needed.
    A policy without a use for contexts is not shown them.

    Examples
    --------
    >>> import abkit as ab
    >>> found = ab.bandits.simulate(ab.bandits.UCB1(), ab.bandits.Bernoulli([0.9, 0.8]), 1000, 200, 1)
    >>> bool(20 < found.final_regret.mean() < 40)
    True
    """
    _check_sides(policy, environment)
    horizon, runs = _check.count("horizon", horizon, 1), _check.count("runs", runs, 1)
    _check.choice("record", record, (True, False))
    times = _times(checkpoints, horizon)
    sizes = [min(TOGETHER, runs - first) for first in range(0, runs, TOGETHER)]
    seeds = np.random.SeedSequence(_generator(rng).integers(2**63, size=4).tolist()).spawn(len(sizes))
    courses = [
        Course(policy, environment, size, np.random.default_rng(seed), record=record)
        for size, seed in zip(sizes, seeds, strict=True)
    ]
    tallies = _run_all(courses, times, runs * horizon)
    return Simulation(
        policy=policy,
        environment=environment,
        horizon=horizon,
        runs=runs,
        times=times,
        regrets=np.concatenate([tally.regret for tally in tallies], axis=1),
        shares=np.tensordot(np.array(sizes) / runs, [tally.shares for tally in tallies], 1),
        pulls=np.concatenate([tally.pulls for tally in tallies], axis=1),
        records=Records.joined([tally.records for tally in tallies if tally.records]) if record else None,
    )


def _run_all(courses: list[Course], times: IntArray, steps: int) -> list[Tally]:
    """One course after the other: NumPy's steps are too short here for threads to gain anything."""
    done = [0]

    def tell(more: int) -> None:
        done[0] += more
        show(done[0] / steps)

    with progress(f"simulating {steps:,} decisions") as show:
        return [course.run(times, tell) for course in courses]


def _check_sides(policy: object, environment: object) -> None:
    if not isinstance(policy, Policy):
        raise TypeError(f"`policy` must be one of ab.bandits; got {_check.show(policy)}.")
    if not isinstance(environment, Environment):
        raise TypeError(f"`environment` must be one of ab.bandits; got {_check.show(environment)}.")
    if environment.extremes is not None:
        policy.check_reward(np.array(environment.extremes))
    if reads_contexts(policy):
        policy.check_context(np.eye(environment.dimension)[0] if environment.dimension else None)


def _times(checkpoints: object, horizon: int) -> IntArray:
    if checkpoints is None:
        return np.unique(np.geomspace(1, horizon, CHECKPOINTS).round().astype(np.intp))
    given = _check.sample("checkpoints", checkpoints)
    wrong = given[~((given >= 1) & (given <= horizon) & (given == np.floor(given)))]
    if wrong.size:
        raise ValueError(f"`checkpoints` must be whole numbers from 1 to the horizon, {horizon}; got {wrong[0]:g}.")
    return np.unique(np.append(given, horizon).astype(np.intp))


def _generator(rng: object) -> np.random.Generator:
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, (int, np.integer)):
        raise TypeError(f"`rng` must be a numpy.random.Generator or a whole number; got {_check.show(rng)}.")
    return np.random.default_rng(_check.count("rng", rng))
