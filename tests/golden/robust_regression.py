"""python robust_regression.py > robust_regression.json: statsmodels OLS with robust and cluster-robust errors.

Outcome on a constant, treatment, the covariates less their means, with interactions their products with treatment, and
dummies of the strata. p-values from t, not the normal: use_t=True.
"""

import json
import sys

import numpy as np
import statsmodels
import statsmodels.api as sm


def drawn(seed, n, covariates, clusters):
    rng = np.random.default_rng(seed)
    treated, cluster = rng.permutation(np.arange(n) % 3 == 0), rng.integers(0, clusters, n)
    x = np.round(rng.normal(3, 1, (n, covariates)), 2)
    y = (
        10
        + x @ np.arange(1, covariates + 1) * np.where(treated, 1.5, 1)
        + 2 * treated
        + rng.normal(size=clusters)[cluster]
    )
    y = np.round(y + rng.normal(size=n) * np.where(treated, 2, 1), 2)
    return treated, cluster, rng.integers(0, 4, n), x, y


def fits(design, y, cluster):
    for name in ("nonrobust", "HC0", "HC1", "HC2", "HC3"):
        yield name.replace("nonrobust", "classical"), sm.OLS(y, design).fit(cov_type=name, use_t=True)
    for name, correction in (("CR0", False), ("CR1", True)):
        keywords = {"groups": cluster, "use_correction": correction}
        yield name, sm.OLS(y, design).fit(cov_type="cluster", cov_kwds=keywords, use_t=True)


def case(seed, n, covariates, clusters, *, interactions, strata):
    treated, cluster, stratum, x, y = drawn(seed, n, covariates, clusters)
    centred = x - x.mean(axis=0)
    columns = [np.ones(n), treated, centred]
    columns += [treated[:, None] * centred] if interactions else []
    columns += [stratum[:, None] == np.arange(1, 4)] if strata else []
    answers = [
        {"covariance": name, "estimate": fit.params[1], "stderr": fit.bse[1], "pvalue": fit.pvalues[1]}
        for name, fit in fits(np.column_stack(columns).astype(float), y, cluster)
    ]
    return {
        "treated": treated.astype(int).tolist(),
        "cluster": cluster.tolist(),
        "stratum": stratum.tolist(),
        "rows": np.column_stack([y, x]).tolist(),
        "interactions": interactions,
        "strata": strata,
        "fits": answers,
    }


if __name__ == "__main__":
    document = {
        "program": f"statsmodels {statsmodels.__version__}, NumPy {np.__version__}, Python {sys.version.split()[0]}",
        "command": "python robust_regression.py",
        "cases": [
            case(1, 40, 1, 45, interactions=True, strata=False),
            case(2, 80, 3, 50, interactions=True, strata=True),
            case(3, 80, 2, 60, interactions=False, strata=False),
            case(4, 60, 2, 50, interactions=False, strata=True),
        ],
    }
    sys.stdout.write(json.dumps(document) + "\n")
