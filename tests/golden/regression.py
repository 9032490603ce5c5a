"""python regression.py > regression.json: statsmodels on rows and on units, for the ratio test and the adjustment.

Clusters: OLS of the rows on a constant, one variant at a time, cov_type="cluster" by unit without small-sample
correction. Adjustment: OLS of the units' outcome on treatment, the covariates less their pooled means, and the
products of the two (Lin 2013, sec. 4).
"""

import json
import sys

import numpy as np
import statsmodels
import statsmodels.api as sm


def rows_of_units(rng, units, rate):
    rows = rng.integers(1, 7, units)
    return [[int(value) for value in rng.binomial(1, rng.beta(2, 2 / rate - 2), n)] for n in rows]


def clustered(units):
    rows = np.concatenate([np.asarray(unit, dtype=float) for unit in units])
    unit = np.repeat(np.arange(len(units)), [len(u) for u in units])
    fit = sm.OLS(rows, np.ones((len(rows), 1))).fit(
        cov_type="cluster", cov_kwds={"groups": unit, "use_correction": False}
    )
    return float(fit.params[0]), float(fit.bse[0])


def cluster_case(seed, n_control, n_treatment):
    rng = np.random.default_rng(seed)
    control, treatment = rows_of_units(rng, n_control, 0.3), rows_of_units(rng, n_treatment, 0.45)
    return {
        "control": control,
        "treatment": treatment,
        "control_fit": clustered(control),
        "treatment_fit": clustered(treatment),
    }


def adjusted_case(seed, n_control, n_treatment, slopes_control, slopes_treatment):
    rng = np.random.default_rng(seed)
    k = len(slopes_control)
    x = np.round(rng.normal(5, 2, (n_control + n_treatment, k)), 3)
    treated = np.r_[np.zeros(n_control), np.ones(n_treatment)]
    y = np.where(treated == 1, 1 + x @ slopes_treatment, x @ slopes_control)
    y = np.round(y + rng.normal(0, 1.5, len(y)), 3)
    centred = x - x.mean(axis=0)
    design = np.column_stack([np.ones(len(y)), treated, centred, treated[:, None] * centred])
    fit = sm.OLS(y, design).fit()
    rows = np.column_stack([y, x]).tolist()
    return {
        "control": rows[:n_control],
        "treatment": rows[n_control:],
        "slopes_control": fit.params[2 : 2 + k].tolist(),
        "slopes_treatment": (fit.params[2 : 2 + k] + fit.params[2 + k :]).tolist(),
        "estimate": float(fit.params[1]),
    }


if __name__ == "__main__":
    document = {
        "program": f"statsmodels {statsmodels.__version__}, NumPy {np.__version__}, Python {sys.version.split()[0]}",
        "command": "python regression.py",
        "clusters": [cluster_case(1, 12, 12), cluster_case(2, 25, 7)],
        "adjusted": [
            adjusted_case(3, 15, 15, [1.0], [1.0]),
            adjusted_case(4, 30, 9, [0.5], [-1.5]),
            adjusted_case(5, 12, 40, [1.0, 0.5, -0.25], [2.0, 0.0, 1.0]),
        ],
    }
    sys.stdout.write(json.dumps(document) + "\n")
