"""The score test of two Poisson rates by statsmodels. Run as `python rates_score.py > rates_score.json`."""

import json
from importlib.metadata import version

from statsmodels.stats.rates import test_poisson_2indep

PAIRS = [(11, 800.0, 23, 803.0), (6, 17.0, 2, 3.25), (1000, 1e6, 1100, 1.01e6), (137, 24.19893, 11, 2.5)]
NAMES = {"two-sided": "two-sided", "greater": "larger", "less": "smaller"}
cases = []
for control, exposure_c, treatment, exposure_t in PAIRS:
    for alternative, name in NAMES.items():
        for ratio, share in ((1.0, 0.0), (1.25, 0.25)):
            difference = share * control / exposure_c
            arms = (treatment, exposure_t, control, exposure_c)
            r = test_poisson_2indep(*arms, value=ratio, method="score", compare="ratio", alternative=name)
            d = test_poisson_2indep(*arms, value=difference, method="score", compare="diff", alternative=name)
            cases.append(
                {
                    "control": [control, exposure_c],
                    "treatment": [treatment, exposure_t],
                    "alternative": alternative,
                    "ratio": ratio,
                    "ratio_statistic": float(r.statistic),
                    "ratio_pvalue": float(r.pvalue),
                    "difference": difference,
                    "difference_statistic": float(d.statistic),
                    "difference_pvalue": float(d.pvalue),
                }
            )
command = "test_poisson_2indep(treatment, exposure, control, exposure, value, 'score', compare, alternative)"
print(json.dumps({"program": f"statsmodels {version('statsmodels')}", "command": command, "cases": cases}, indent=1))
