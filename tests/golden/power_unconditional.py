"""python power_unconditional.py > power_unconditional.json: SciPy's own exact p-values of every table, one-sided."""

import json

import numpy as np
import scipy
from scipy import stats

cases = []
for n_c, n_t in ((6, 6), (9, 7), (4, 12)):
    for name, test in (("boschloo", stats.boschloo_exact), ("barnard", stats.barnard_exact)):
        pvalues = np.array(
            [
                [test([[t, c], [n_t - t, n_c - c]], alternative="greater", n=64).pvalue for t in range(n_t + 1)]
                for c in range(n_c + 1)
            ]
        )
        for control, treatment in ((0.1, 0.6), (0.5, 0.9), (0.3, 0.4)):
            tables = np.outer(
                stats.binom.pmf(np.arange(n_c + 1), n_c, control), stats.binom.pmf(np.arange(n_t + 1), n_t, treatment)
            )
            cases += [
                {
                    "test": name,
                    "n_control": n_c,
                    "n_treatment": n_t,
                    "control": control,
                    "treatment": treatment,
                    "alpha": alpha,
                    "power": float(tables[pvalues <= alpha].sum()),
                }
                for alpha in (0.05, 0.025)
            ]
print(
    json.dumps(
        {
            "program": f"SciPy {scipy.__version__}",
            "command": "sum of binom.pmf x binom.pmf over tables with boschloo_exact or barnard_exact pvalue <= alpha",
            "cases": cases,
        }
    ).replace("}, {", "},\n {")
)
