"""Cluster-robust regression of a million rows on treatment and five covariates: abkit beside statsmodels.

Both are given NumPy arrays, fit the same model (one slope a covariate, CR1), take turns, and the best of the rounds
counts, because a shared machine is only ever too slow. The estimates and standard errors must agree to 1e-9.

    python benchmarks/regression.py [rows] [clusters] [rounds]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import statsmodels.api as sm

import abkit as ab


def log(rows: int, clusters: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcome and covariates, treatment, and cluster of each row; clusters are of many sizes, and were randomised."""
    rng = np.random.default_rng(1)
    cluster = rng.integers(0, clusters, rows) * rng.integers(1, 3, rows) // 2
    of_cluster = rng.normal(size=(clusters, 6))
    x = of_cluster[cluster, :5] + rng.normal(size=(rows, 5)) + [0, 1, 10, 100, 1000]
    treated = cluster % 2 == 1
    y = 3 + 0.02 * treated + x @ [1, 0.5, 0, -0.25, 0.1] + of_cluster[cluster, 5] + rng.normal(size=rows)
    return np.column_stack([y, x]), treated, cluster


def main(rows: int = 1_000_000, clusters: int = 50_000, rounds: int = 5) -> None:
    data, treated, cluster = log(rows, clusters)
    arms, labels = (data[~treated], data[treated]), (cluster[~treated], cluster[treated])
    design = sm.add_constant(np.column_stack([treated, data[:, 1:]]))

    def of_statsmodels() -> tuple[float, float]:
        fit = sm.OLS(data[:, 0], design).fit(cov_type="cluster", cov_kwds={"groups": cluster})
        return float(fit.params[1]), float(fit.bse[1])

    def of_abkit(covariance: str, *, interactions: bool) -> tuple[float, float]:
        result = ab.regression_test(*arms, clusters=labels, covariance=covariance, interactions=interactions)
        return result.estimate, result.stderr

    contenders: dict[str, Callable[[], tuple[float, float]]] = {
        "statsmodels, cluster": of_statsmodels,
        "abkit, CR1": lambda: of_abkit("CR1", interactions=False),
        "abkit, CR2 with its degrees of freedom": lambda: of_abkit("CR2", interactions=False),
        "abkit, CR2, slopes per variant": lambda: of_abkit("CR2", interactions=True),
    }
    seconds = dict.fromkeys(contenders, np.inf)
    answers = {}
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.perf_counter()
            answers[name] = run()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    print(f"{rows:,} rows, {len(np.unique(cluster)):,} clusters, best of {rounds}")
    for name, (estimate, stderr) in answers.items():
        print(f"{name:40} {seconds[name]:7.3f} s   estimate {estimate:.12f}   stderr {stderr:.12f}")
    peer, own = (np.array(answers[name]) for name in ("statsmodels, cluster", "abkit, CR1"))
    error = float(np.abs(own / peer - 1).max())
    print(
        f"CR1: {seconds['statsmodels, cluster'] / seconds['abkit, CR1']:.1f} times faster; numbers agree to {error:.1e}"
    )
    if not error <= 1e-9:
        raise SystemExit("the numbers differ")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
