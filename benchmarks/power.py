"""100,000 sample sizes, effects and powers in one call, beside a loop over statsmodels' solve_power.

abkit solves them all; statsmodels solves a part of them, spread over the whole range, and its time for all is that
part's, scaled. The t test is Student's, as statsmodels has it; most of its time is the noncentral t distribution. The
numbers of the part are compared: how far apart they are at most, as shares, and how far off the asked power is what
statsmodels' own power function gives at abkit's answers. Its root finder stops at some 1e-8 of the effect itself,
which of small effects is a large share. A power needs no root: there a call costs one evaluation, in either.

    python benchmarks/power.py [questions] [of them in the loop]
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import abkit as ab

ALPHA, POWER, RATIO = 0.05, 0.8, 1.5
ROUNDS = 3


def best(run: Callable[[], Any]) -> tuple[float, Any]:
    seconds = np.inf
    for _ in range(ROUNDS):
        start = time.perf_counter()
        result = run()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds, result


def questions(size: int) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(1)
    effects = np.exp(rng.uniform(np.log(0.01), np.log(1.0), size))
    units = np.exp(rng.uniform(np.log(10), np.log(100_000), size))
    return {"n": effects, "mde": units, "power": rng.uniform(0.5, 4.0, size)}


def ours(test: str, solved: str, given: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    asked = {"n": {"mde": given, "power": POWER}, "mde": {"n": given, "power": POWER}}
    asked["power"] = {"n": 1000.0, "mde": given / 25}
    found = ab.power.two_means(sd=1.0, alpha=ALPHA, ratio=RATIO, test=test, **asked[solved])
    return np.asarray({"n": found.n_control, "mde": found.mde, "power": found.power}[solved])


def theirs(of: Any, solved: str, given: float) -> float:
    asked = {"n": (given, None, POWER), "mde": (None, given, POWER), "power": (given / 25, 1000.0, None)}
    d, n, power = asked[solved]
    return float(np.squeeze(of.solve_power(effect_size=d, nobs1=n, alpha=ALPHA, power=power, ratio=RATIO)))


def power_at(of: Any, solved: str, given: float, found: float) -> float:
    """How far statsmodels' own power function, at the number that abkit found, is from what was asked."""
    d, n = {"n": (given, found), "mde": (found, given), "power": (given / 25, 1000.0)}[solved]
    return float(of.power(d, n, ALPHA, ratio=RATIO)) - (found if solved == "power" else POWER)


def main(size: int = 100_000, part: int = 300) -> None:
    from statsmodels.stats.power import NormalIndPower, TTestIndPower

    print(f"{size:,} questions, statsmodels {part:,} of them, {os.cpu_count()} processors", flush=True)
    for test, of in (("z", NormalIndPower()), ("student", TTestIndPower())):
        for solved, given in questions(size).items():
            seconds, found = best(lambda test=test, solved=solved, given=given: ours(test, solved, given))
            some = np.linspace(0, size - 1, part).astype(int)
            start = time.perf_counter()
            expected = np.array([theirs(of, solved, given[i]) for i in some])
            loop = (time.perf_counter() - start) * size / part
            apart = np.max(np.abs(found[some] / expected - 1))
            off = max(abs(power_at(of, solved, given[i], found[i])) for i in some)
            print(
                f"{test:<9}{solved:<7} abkit {seconds:6.3f} s   statsmodels {loop:6.0f} s (scaled)"
                f"{loop / seconds:7.0f} x   apart by {apart:.0e}, off by {off:.0e}",
                flush=True,
            )


if __name__ == "__main__":
    main(*(int(float(argument)) for argument in sys.argv[1:]))
