"""A betting sequence: abkit at every observation, beside the same capital on a grid of means.

The grid is the usual way to do it, written down here as plainly as its formula: the capital against each of 1,000 means
after every value, all in memory, with the ends at the nearest means that are left. It needs a table of values by
means, so it runs on fewer values than abkit; its time and memory at abkit's number are extrapolated, and said to be.
Both sides run in a process of their own, whose peak memory counts whole: interpreter, libraries, data.

    python benchmarks/betting.py [values] [values of the grid] [means of the grid]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

KINDS = {"beta": "beta(2, 6)", "even": "0 and 1, half of each", "rare": "0 and 1, 1% ones", "constant": "0.3, always"}


def draw(kind: str, n: int) -> Any:
    import numpy as np

    rng = np.random.default_rng(1)
    if kind == "beta":
        return rng.beta(2, 6, n)
    if kind == "constant":
        return np.full(n, 0.3)
    return (rng.random(n) < {"even": 0.5, "rare": 0.01}[kind]).astype(float)


def run_abkit(x: Any, _means: int) -> list[float]:
    import abkit as ab

    result = ab.confidence_sequence(x, method="betting")
    return [float(result.low[-1]), float(result.high[-1])]


def run_grid(x: Any, means: int, alpha: float = 0.05) -> list[float]:
    import numpy as np

    t = np.arange(1, x.size + 1)
    squares = np.cumsum((x - (0.5 + np.cumsum(x)) / (t + 1)) ** 2)
    variance = np.append(0.25, (0.25 + squares[:-1]) / (t[:-1] + 1))
    bet = np.sqrt(2 * np.log(2 / alpha) / (variance * t * np.log(t + 1)))[:, None]
    m = (np.arange(means) + 0.5) / means
    gap = x[:, None] - m
    up = np.cumsum(np.log1p(np.minimum(bet, 0.5 / m) * gap), axis=0)
    down = np.cumsum(np.log1p(-np.minimum(bet, 0.5 / (1 - m)) * gap), axis=0)
    left = np.maximum(up, down) - np.log(2) < -np.log(alpha)
    low, high = m[left.argmax(axis=1)], m[means - 1 - left[:, ::-1].argmax(axis=1)]
    return [float(low[-1]), float(high[-1])]


CONTENDERS = {"abkit": run_abkit, "grid": run_grid}


def one(name: str, kind: str, n: int, means: int) -> None:
    import resource

    x = draw(kind, n)
    CONTENDERS[name](x[:300], 10)  # imports what it needs
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    before, start = time.process_time(), time.perf_counter()
    ends = CONTENDERS[name](x, means)
    seconds, processor = time.perf_counter() - start, time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "processor": processor, "bytes": peak, "idle": idle, "ends": ends}))


def measure(name: str, kind: str, n: int, means: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", name, kind, str(n), str(means)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout
    return json.loads(output.splitlines()[-1])


def main(values: int = 100_000, of_grid: int = 10_000, means: int = 1_000) -> None:
    print(f"ends at every one of {values:,} values; the grid at {of_grid:,}, with {means:,} means", flush=True)
    for kind, described in KINDS.items():
        print(f"{described}:", flush=True)
        for name, n in (("abkit", values), ("grid", of_grid), ("abkit", of_grid)):
            run = measure(name, kind, n, means)
            low, high = run["ends"]
            print(
                f"  {name:<6}{n:>9,} values {run['seconds']:8.3f} s  (processor {run['processor']:7.3f} s)  "
                f"peak {run['bytes'] / 1e6:6.0f} MB  [{low:.9f}, {high:.9f}]",
                flush=True,
            )
            if name == "grid":
                times = values / of_grid
                table = (run["bytes"] - run["idle"]) * times
                print(
                    f"  {'':<6}{values:>9,} values {run['seconds'] * times:8.1f} s  and "
                    f"{(run['idle'] + table) / 1e6:6,.0f} MB, extrapolated in proportion",
                    flush=True,
                )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        main(*(int(float(argument)) for argument in sys.argv[1:]))
