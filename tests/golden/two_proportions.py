"""python two_proportions.py > two_proportions.json: tests and intervals of two proportions by statsmodels and SciPy.

The score test of a difference is asked for at zero only: elsewhere the linear term of statsmodels' cubic has the
control's successes where Miettinen and Nurminen 1985 (appendix I) have its units. See score.json and
proportion_extremes.json instead.
"""

import json
import sys
import warnings

import scipy
import statsmodels
from scipy.stats.contingency import odds_ratio
from statsmodels.stats.proportion import confint_proportions_2indep, test_proportions_2indep

PAIRS = [(48, 80, 56, 70), (3, 10, 9, 10), (1, 34, 7, 34), (100, 1000, 130, 1000), (15, 5000, 4, 200)]
COMPARED = {"difference": ("diff", [0.0]), "ratio": ("ratio", [1.0, 0.9, 2.5])}
OF_DIFFERENCE = {"newcombe": "newcomb", "agresti-caffo": "agresti-caffo", "wald": "wald"}


def statistic(pair, value, compare, **options):
    c, n_c, t, n_t = pair
    return float(test_proportions_2indep(t, n_t, c, n_c, value=value, compare=compare, **options).statistic)


def ends(pair, compare, method):
    c, n_c, t, n_t = pair
    return list(map(float, confint_proportions_2indep(t, n_t, c, n_c, compare=compare, method=method)))


def score(pair, correction):
    """z of the score test of each null, keyed by the null."""
    return {
        name: {str(null): statistic(pair, null, compare, method="score", correction=correction) for null in nulls}
        for name, (compare, nulls) in {**COMPARED, "odds_ratio": ("odds-ratio", [0.6, 1.5, 4.0])}.items()
    }


def case(*pair):
    c, n_c, t, n_t = pair
    woolf = odds_ratio([[t, n_t - t], [c, n_c - c]], kind="sample").confidence_interval()
    return {
        "control": [c, n_c],
        "treatment": [t, n_t],
        "score": score(pair, correction=False),
        "miettinen-nurminen": score(pair, correction=True),
        "agresti-caffo": {str(null): statistic(pair, null, "diff", method="agresti-caffo") for null in (0.0, 0.3)},
        "wald": {str(null): statistic(pair, null, "diff", method="wald") for null in (0.0, 0.3)},
        "logit": statistic(pair, 1.0, "odds-ratio", method="logit"),
        "intervals": {name: ends(pair, "diff", method) for name, method in OF_DIFFERENCE.items()},
        "odds_ratio": ends(pair, "odds-ratio", "logit"),
        "woolf": [float(woolf.low), float(woolf.high)],
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    versions = f"statsmodels {statsmodels.__version__}, SciPy {scipy.__version__}, Python {sys.version.split()[0]}"
    document = {"program": versions, "command": "python two_proportions.py", "cases": [case(*pair) for pair in PAIRS]}
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
