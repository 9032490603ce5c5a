"""python equivalence.py > equivalence.json"""

import json

import statsmodels
from statsmodels.stats.proportion import tost_proportions_2indep
from statsmodels.stats.weightstats import ttost_ind

CONTROL = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
TREATMENT = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
MEANS = [(CONTROL, TREATMENT), ([3.1, 4.7, 2.2, 5.9, 3.3, 4.1, 2.8, 3.9], [9.5, -2.25, 14.0]), (CONTROL, CONTROL[:7])]
COUNTS = [(1000, 100, 1100, 118), (50, 5, 70, 9), (8000, 800, 8000, 812)]


def means():
    for control, treatment in MEANS:
        for low, high in ((-4.0, 4.0), (-0.5, 3.0), (-6.0, 1.0)):
            for test, variance in (("student", "pooled"), ("welch", "unequal")):
                p, (t_low, p_low, df), (t_high, p_high, _) = ttost_ind(treatment, control, low, high, usevar=variance)
                yield {
                    "test": test,
                    "control": control,
                    "treatment": treatment,
                    "low": low,
                    "high": high,
                    "pvalue": p,
                    "lower": [t_low, p_low],
                    "upper": [t_high, p_high],
                    "df": df,
                }


def counts():
    for n_c, c, n_t, t in COUNTS:
        for low, high in ((-0.05, 0.05), (-0.01, 0.02), (-0.2, 0.1)):
            r = tost_proportions_2indep(t, n_t, c, n_c, low, high, method="wald", compare="diff")
            yield {
                "control": [n_c, c],
                "treatment": [n_t, t],
                "low": low,
                "high": high,
                "pvalue": float(r.pvalue),
                "lower": float(r.results_larger.pvalue),
                "upper": float(r.results_smaller.pvalue),
            }


print(
    json.dumps(
        {
            "program": f"statsmodels {statsmodels.__version__}",
            "command": "ttost_ind(treatment, control, low, high, usevar); tost_proportions_2indep(..., method='wald')",
            "cases": list(means()),
            "counts": list(counts()),
        },
        indent=1,
    )
)
