"""A bootstrap of the difference of two means, every resample drawn: abkit beside scipy.stats.bootstrap.

1,000,000 values in two variants, 2,000 resamples: 2,000,000,000 draws with replacement. Each contender is a process of
its own, whose peak memory counts whole: interpreter, libraries, data. The contenders take turns, and the best of the
rounds counts. SciPy draws ten resamples at a time, so that it stays within the memory. "little" is abkit's named
approximation, the bag of little bootstraps.

    python benchmarks/bootstrap.py [values] [resamples] [rounds] [resamples that SciPy draws, and is scaled up from]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

KINDS = {"continuous": "lognormal values", "binary": "0 and 1", "sparse": "99% zeros, lognormal otherwise"}


def arms(kind: str, values: int) -> list[Any]:
    import numpy as np

    rng = np.random.default_rng(1)
    drawn = []
    for share in (0.1, 0.101):
        y = rng.lognormal(0, 1, values // 2)
        if kind == "binary":
            y = (rng.random(values // 2) < share).astype(float)
        if kind == "sparse":
            y[rng.random(values // 2) < 0.99] = 0.0
        drawn.append(y)
    return drawn


def run_abkit(control: Any, treatment: Any, resamples: int, method: str = "percentile") -> list[float]:
    import numpy as np

    import abkit as ab

    result = ab.bootstrap_test(control, treatment, method=method, resamples=resamples, rng=np.random.default_rng(2))
    return [result.pvalue, *result.interval()]


def run_little(control: Any, treatment: Any, resamples: int) -> list[float]:
    return run_abkit(control, treatment, resamples, "little")


def run_scipy(control: Any, treatment: Any, resamples: int) -> list[float]:
    import numpy as np
    from scipy import stats

    result = stats.bootstrap(
        (treatment, control),
        lambda t, c, axis: t.mean(axis=axis) - c.mean(axis=axis),
        vectorized=True,
        method="percentile",
        n_resamples=resamples,
        batch=10,
        rng=np.random.default_rng(2),
    )
    return [float("nan"), *(float(end) for end in result.confidence_interval)]


CONTENDERS = {"abkit": run_abkit, "scipy": run_scipy, "little": run_little}


def one(name: str, kind: str, values: int, resamples: int) -> None:
    import resource

    control, treatment = arms(kind, values)
    CONTENDERS[name](control[:100], treatment[:100], 100)  # imports what it needs
    before, start = time.process_time(), time.perf_counter()
    answer = CONTENDERS[name](control, treatment, resamples)
    seconds, processor = time.perf_counter() - start, time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "processor": processor, "bytes": peak, "interval": answer[1:]}))


def measure(name: str, kind: str, values: int, resamples: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", name, kind, str(values), str(resamples)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout
    return json.loads(output.splitlines()[-1])


def main(values: int = 1_000_000, resamples: int = 2_000, rounds: int = 1, of_scipy: int = 0) -> None:
    of_scipy = of_scipy or resamples
    print(f"{values:,} values in two variants, {resamples:,} resamples, {os.cpu_count()} processors", flush=True)
    if of_scipy != resamples:
        print(f"SciPy draws {of_scipy:,} resamples; its time is multiplied by {resamples / of_scipy:g}", flush=True)
    for kind, described in KINDS.items():
        print(f"{described}:", flush=True)
        best: dict[str, float] = {}
        for _ in range(rounds):
            for name in CONTENDERS:
                drawn = of_scipy if name == "scipy" else resamples
                run = measure(name, kind, values, drawn)
                seconds, processor = (run[key] * resamples / drawn for key in ("seconds", "processor"))
                best[name] = min(seconds, best.get(name, seconds))
                low, high = run["interval"]
                print(
                    f"  {name:<8}{seconds:9.3f} s  (processor {processor:8.3f} s)  peak {run['bytes'] / 1e6:4.0f} MB  "
                    f"[{low:.6f}, {high:.6f}]",
                    flush=True,
                )
        for name in ("abkit", "little"):
            print(f"  {name}: {best['scipy'] / best[name]:,.1f} x as fast as SciPy", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        main(*(int(float(argument)) for argument in sys.argv[1:]))
