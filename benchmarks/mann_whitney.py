"""Mann-Whitney on two samples of a million values each: abkit with its interval beside SciPy without one.

The contenders take turns in one process, and the best of the rounds counts, because a shared machine is only ever too
slow. SciPy is asked for the normal p-value; abkit answers with that same p-value, the probability and its interval.

    python benchmarks/mann_whitney.py [values] [rounds]
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
from scipy.stats import mannwhitneyu

import abkit as ab


def run_scipy(control: np.ndarray, treatment: np.ndarray) -> float:
    return float(mannwhitneyu(treatment, control, use_continuity=False, method="asymptotic").pvalue)


def run_abkit(control: np.ndarray, treatment: np.ndarray) -> float:
    result = ab.mann_whitney_test(control, treatment)
    result.interval(0.95)
    return result.pvalue


CONTENDERS = {"scipy": run_scipy, "abkit": run_abkit}


def samples(n: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(1)
    money = [np.where(rng.random(n) < 0.01, rng.lognormal(3, 1, n), 0.0) for _ in range(2)]
    return {
        "normal": (rng.normal(size=n), rng.normal(0.002, 1, size=n)),
        "whole numbers": (rng.poisson(5, n).astype(float), rng.poisson(5.005, n).astype(float)),
        "99% zeros": (money[0], money[1]),
    }


def main(n: int = 1_000_000, rounds: int = 3) -> None:
    warnings.simplefilter("ignore", ab.AccuracyWarning)
    print(f"2 x {n:,} values")
    for name, (control, treatment) in samples(n).items():
        best = dict.fromkeys(CONTENDERS, float("inf"))
        pvalues = {}
        for _ in range(rounds):
            for contender, run in CONTENDERS.items():
                start = time.perf_counter()
                pvalues[contender] = run(control, treatment)
                best[contender] = min(best[contender], time.perf_counter() - start)
        apart = abs(pvalues["abkit"] / pvalues["scipy"] - 1)
        print(
            f"{name:<14} scipy {best['scipy']:6.3f} s   abkit {best['abkit']:6.3f} s   "
            f"ratio {best['abkit'] / best['scipy']:5.2f}   p-values differ by {apart:.0e}"
        )


if __name__ == "__main__":
    main(*(int(float(argument)) for argument in sys.argv[1:]))
