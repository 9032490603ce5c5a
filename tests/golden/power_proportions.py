"""python power_proportions.py > power_proportions.json: statsmodels."""

import json

import statsmodels
from statsmodels.stats.proportion import power_proportions_2indep

cases = [
    {
        "control": control,
        "mde": mde,
        "n": n,
        "ratio": ratio,
        "alpha": alpha,
        "alternative": name,
        "power": float(
            power_proportions_2indep(
                mde, control, n * ratio, ratio=1 / ratio, alpha=alpha, alternative=alternative, return_results=False
            )
        ),
    }
    for control, mde in ((0.1, 0.02), (0.5, -0.1), (0.999, -0.004), (1e-4, 3e-4))
    for n, ratio in ((50, 1.0), (1000, 2.0), (9900, 1 / 99))
    for alpha in (0.05, 1e-6)
    for name, alternative in (("two-sided", "two-sided"), ("greater", "larger"), ("less", "smaller"))
]
print(
    json.dumps(
        {
            "program": f"statsmodels {statsmodels.__version__}",
            "command": "power_proportions_2indep(diff, prop2, nobs1, ratio, alpha, alternative)",
            "cases": cases,
        }
    ).replace("}, {", "},\n {")
)
