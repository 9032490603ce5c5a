"""A million p-values, adjusted by each method: abkit beside statsmodels' multipletests.

Both adjust the same numbers in one process, taking turns, and the best of the rounds counts, because a shared machine
is only ever too slow. Besides the adjusted p-values and the rejections abkit returns the level of each hypothesis, and
checks that every number is one. The answers are compared. Hommel's method takes statsmodels a time that grows with the
square of the number, so there it has fewer p-values, and its time at a million is extrapolated.

    python benchmarks/adjust.py [p-values] [rounds]
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

METHODS = {
    "bonferroni": "bonferroni",
    "holm": "holm",
    "hochberg": "simes-hochberg",
    "hommel": "hommel",
    "sidak": "sidak",
    "bh": "fdr_bh",
    "by": "fdr_by",
}
FEW = 20_000  # for Hommel's method in statsmodels


def families(size: int) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(1)
    mixed = rng.random(size)
    mixed[: size // 10] **= 8  # a tenth of the hypotheses are false
    return {"continuous": rng.permutation(mixed), "three decimals": np.round(rng.permutation(mixed), 3)}


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def compare(pvalues: np.ndarray[Any, Any], method: str, rounds: int) -> tuple[float, float]:
    """Best seconds of abkit and of statsmodels."""
    from statsmodels.stats.multitest import multipletests

    from abkit import adjust

    theirs = pvalues[:FEW] if method == "hommel" else pvalues
    best_ours = best_theirs = np.inf
    for _ in range(rounds):
        seconds, adjusted = timed(lambda: adjust(pvalues, method))
        best_ours = min(best_ours, seconds)
        with np.errstate(divide="ignore"):
            seconds, (_, expected, *_) = timed(lambda: multipletests(theirs, 0.05, METHODS[method]))
        best_theirs = min(best_theirs, seconds)
    if theirs is not pvalues:
        adjusted = adjust(theirs, method)
    np.testing.assert_allclose(adjusted.pvalues, expected, rtol=1e-9)
    return best_ours, best_theirs * (pvalues.size / theirs.size) ** 2


def main(size: int = 1_000_000, rounds: int = 5) -> None:
    print(f"{size:,} p-values, best of {rounds}, {os.cpu_count()} processors", flush=True)
    for name, pvalues in families(size).items():
        for method in METHODS:
            ours, theirs = compare(pvalues, method, rounds)
            note = f"  (extrapolated from {FEW:,})" if method == "hommel" else ""
            print(
                f"{name:<15}{method:<11} abkit {ours * 1e3:8.1f} ms   statsmodels {theirs * 1e3:10.1f} ms"
                f"   {theirs / ours:7.1f} x{note}",
                flush=True,
            )


if __name__ == "__main__":
    main(*(int(float(argument)) for argument in sys.argv[1:]))
