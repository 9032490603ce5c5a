"""python power_rates.py > power_rates.json: statsmodels, whose first sample is our treatment."""

import json

import statsmodels
from statsmodels.stats.rates import (
    power_negbin_ratio_2indep,
    power_poisson_diff_2indep,
)

WAYS = (("two-sided", "two-sided"), ("greater", "larger"), ("less", "smaller"))
cases = []
for control, treatment in ((0.5, 0.6), (2.0, 1.7), (1e-3, 2e-3)):
    for n, ratio in ((300, 1.0), (1000, 2.0), (99_000, 1 / 99)):
        for name, alternative in WAYS:
            common = {"nobs1": n * ratio, "nobs_ratio": 1 / ratio, "alternative": alternative, "return_results": False}
            case = {"control": control, "treatment": treatment, "n": n, "ratio": ratio, "alternative": name}
            power = power_poisson_diff_2indep(treatment, control, method_var="score", alpha=0.01, **common)
            cases.append({**case, "test": "score", "alpha": 0.01, "power": float(power)})
            for exposure, dispersion in ((1.0, 0.7), (0.75, 3.0)):
                given = {"exposure": exposure, "dispersion": dispersion}
                power = power_negbin_ratio_2indep(treatment, control, alpha=0.05, method_var="alt", **given, **common)
                cases.append({**case, **given, "test": "negative-binomial", "alpha": 0.05, "power": float(power)})
print(
    json.dumps(
        {
            "program": f"statsmodels {statsmodels.__version__}",
            "command": "power_poisson_diff_2indep(method_var='score'), power_negbin_ratio_2indep(method_var='alt')",
            "cases": cases,
        }
    ).replace("}, {", "},\n {")
)
