"""SciPy's unconditional exact tests of tables without ties, of which it loses some to rounding.

Run as `python unconditional.py > unconditional.json`.
"""

import json
import warnings
from importlib.metadata import version

from scipy.stats import barnard_exact, boschloo_exact

TABLES = [(1, 10, 6, 12), (2, 30, 9, 20), (18, 20, 19, 25), (4, 13, 2, 17), (5, 21, 14, 23)]
warnings.simplefilter("ignore")
cases = []
for control, n_control, treatment, n_treatment in TABLES:
    table = [[treatment, control], [n_treatment - treatment, n_control - control]]
    for alternative in ("two-sided", "greater", "less"):
        barnard = barnard_exact(table, alternative=alternative, n=256)
        boschloo = boschloo_exact(table, alternative=alternative, n=256)
        cases.append(
            {
                "control": [control, n_control],
                "treatment": [treatment, n_treatment],
                "alternative": alternative,
                "statistic": float(barnard.statistic),
                "barnard": float(barnard.pvalue),
                "boschloo": float(boschloo.pvalue),
            }
        )
print(
    json.dumps(
        {
            "program": f"SciPy {version('scipy')}",
            "command": "barnard_exact(table, alternative, n=256), boschloo_exact(table, alternative, n=256)",
            "cases": cases,
        },
        indent=1,
    )
)
