"""Bandits simulated: abkit beside MABWiser and River, at the same problem, in one run.

Ten arms that give 1 with probabilities 0.05, 0.10, ..., 0.50; every program chooses, is told the reward, and learns.
abkit makes 1,000 runs of 10,000 decisions side by side; the others make one run after another, fewer decisions in all,
since their time for each does not depend on how many there are. Each is measured several times in turn with the others,
and the best of its times counts. Thompson sampling takes ten betas a decision: what NumPy alone needs to draw them is
printed beside it. Then one decision in use: `select` and `update`.

MABWiser and River are skipped where they are not installed.

    python benchmarks/bandits.py [runs] [decisions]
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

import abkit as ab

RATES = [0.05 * arm for arm in range(1, 11)]
ARMS = list(range(10))
POLICIES = {
    "epsilon-greedy": ab.bandits.EpsilonGreedy(0.1),
    "UCB1": ab.bandits.UCB1(),
    "Thompson": ab.bandits.Thompson(),
}
#: How many times as fast as each.
WANTED = {"mabwiser": {"epsilon-greedy": 1000, "UCB1": 1000, "Thompson": 200}, "river": dict.fromkeys(POLICIES, 25)}
OTHERS = {"mabwiser": 2_000, "river": 20_000}
ROUNDS = 3


def simulated(policy: Any, runs: int, decisions: int) -> float:
    """Decisions a second."""
    start = time.perf_counter()
    found = ab.bandits.simulate(policy, ab.bandits.Bernoulli(RATES), decisions, runs, 1)
    seconds = time.perf_counter() - start
    assert found.final_regret.size == runs
    return runs * decisions / seconds


def mabwiser(name: str, decisions: int) -> float:
    from mabwiser.mab import MAB, LearningPolicy

    rules = {
        "epsilon-greedy": LearningPolicy.EpsilonGreedy(0.1),
        "UCB1": LearningPolicy.UCB1(1.0),
        "Thompson": LearningPolicy.ThompsonSampling(),
    }
    policy, rng = MAB(ARMS, rules[name], seed=1), random.Random(1)
    policy.fit(ARMS, [0] * 10)  # an arm that it was not told of is never tried
    start = time.perf_counter()
    for _ in range(decisions):
        arm = policy.predict()
        policy.partial_fit([arm], [int(rng.random() < RATES[arm])])
    return decisions / (time.perf_counter() - start)


def river(name: str, decisions: int) -> float:
    from river import bandit, proba

    policies = {
        "epsilon-greedy": lambda: bandit.EpsilonGreedy(0.1, seed=1),
        "UCB1": lambda: bandit.UCB(delta=1, seed=1),
        "Thompson": lambda: bandit.ThompsonSampling(reward_obj=proba.Beta(), seed=1),
    }
    policy, rng = policies[name](), random.Random(1)
    start = time.perf_counter()
    for _ in range(decisions):
        arm = policy.pull(ARMS)
        policy.update(arm, int(rng.random() < RATES[arm]))
    return decisions / (time.perf_counter() - start)


def betas(runs: int) -> float:
    """Decisions a second, if drawing the betas with NumPy were all there is to do."""
    rng = np.random.default_rng(1)
    a = rng.integers(1, 300, (10, runs)).astype(float)
    start = time.perf_counter()
    for _ in range(50):
        rng.beta(a, a + 5)
    return 50 * runs / (time.perf_counter() - start)


def live(policy: Any, context: Any = None) -> float:
    """Seconds for one `select` and `update`, the middle of many."""
    rng, state, taken = np.random.default_rng(1), policy.init(10), []
    for _ in range(1_000):
        start = time.perf_counter()
        choice = policy.select(state, rng=rng, context=context)
        propensity = choice.propensity if policy.needs_propensity else None
        state = policy.update(
            state, choice.arm, float(rng.random() < RATES[choice.arm]), propensity=propensity, context=context
        )
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def side_by_side(runs: int, decisions: int) -> None:
    installed = [name for name in OTHERS if find_spec(name)]
    for name in OTHERS:
        if name not in installed:
            print(f"{name} is not installed; left out", flush=True)
    programs: dict[str, Callable[[str, int], float]] = {"mabwiser": mabwiser, "river": river}
    print(f"abkit: {runs:,} runs of {decisions:,} decisions, 10 arms; decisions a second, best of {ROUNDS}", flush=True)
    for name, policy in POLICIES.items():
        ours, theirs = 0.0, dict.fromkeys(installed, 0.0)
        for _ in range(ROUNDS):
            ours = max(ours, simulated(policy, runs, decisions))
            for other in installed:
                theirs[other] = max(theirs[other], programs[other](name, OTHERS[other]))
        print(f"  {name:<15} abkit {ours:>14,.0f}", flush=True)
        for other, speed in theirs.items():
            wanted = WANTED[other][name]
            times = f"abkit is {ours / speed:,.0f} times as fast (at least {wanted:,})"
            print(f"  {'':<15} {other:<9} {speed:>10,.0f}  {times}", flush=True)
    limit = max(betas(runs) for _ in range(ROUNDS))
    print(f"  NumPy's betas alone, ten a decision: {limit:,.0f}", flush=True)


def in_use() -> None:
    for name in ab.bandits.__all__:  # a policy is known by its kind once it is loaded
        getattr(ab.bandits, name)
    print("one select and update, 10 arms, microseconds (at most 50):", flush=True)
    for kind, made in sorted(ab.bandits.Policy.kinds.items()):
        try:
            policy = made()
            policy.check_context(None)
        except (TypeError, ValueError):  # wrappers and contextual policies need parameters
            continue
        print(f"  {kind:<20}{live(policy) * 1e6:8.1f}", flush=True)


def main(runs: int = 1_000, decisions: int = 10_000) -> None:
    side_by_side(runs, decisions)
    in_use()


if __name__ == "__main__":
    main(*(int(float(argument)) for argument in sys.argv[1:]))
