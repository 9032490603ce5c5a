"""python superiority.py > superiority.json: P(T > C) + P(T = C)/2 by SciPy and statsmodels, and its score interval.

Brunner and Munzel's test is that of SciPy, its interval that of statsmodels. The score test and interval of
Mann and Whitney's statistic are worked out to 40 digits from every pair of units, by the formulas of
docs/methods/mann-whitney.md.
"""

import json
import sys

import mpmath as mp
import numpy as np
import scipy
import statsmodels
from scipy.stats import brunnermunzel
from statsmodels.stats.nonparametric import rank_compare_2indep

mp.mp.dps = 40
SAMPLES = {
    # Brunner and Munzel 2000, table 1: pain after surgery
    "pain": ([1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1], [3, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4]),
    "stars": ([1] * 22 + [2] * 14 + [3] * 10 + [4] * 6, [1] * 12 + [2] * 6 + [3] * 8 + [4] * 18),
    "fractions": ([0.5, 1.25, 3.5, 2.75, 9.5, -4.0, 0.25], [2.5, 3.25, 11.0, 1.5, 8.75, 4.5]),
    "60 and 9": ([((i * 37) % 101) / 4 for i in range(60)], [((i * 53) % 97) / 3 + 5 for i in range(9)]),
    "mostly zeros": ([0] * 90 + list(range(1, 11)), [0] * 60 + list(range(5, 25))),
    "separate": (list(range(60)), list(range(60, 115))),
}
NULLS = ["-0.2", "0", "0.1", "0.35"]
Z = -mp.sqrt(2) * mp.erfinv(2 * mp.mpf("0.025") - 1)


def placements(sample, other):
    return [sum(mp.mpf((y < x) * 2 + (y == x)) / 2 for y in other) / len(other) for x in sample]


def spread(values):
    mean = mp.fsum(values) / len(values)
    return mp.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)


class Score:
    """The score test without the exact distribution, from its definition."""

    def __init__(self, control, treatment):
        m, n = len(control), len(treatment)
        total, both = m + n, list(control) + list(treatment)
        self.total = total
        self.theta = mp.fsum(placements(treatment, control)) / n
        ties = sum(both.count(v) ** 3 - both.count(v) for v in set(both))
        self.null = mp.mpf(total + 1 - mp.mpf(ties) / (total * (total - 1))) / (12 * m * n)
        shown = spread(placements(control, treatment)) / m + spread(placements(treatment, control)) / n
        modelled = self.null * self.shape(self.theta)
        self.ratio = shown / modelled if modelled else mp.mpf(1)

    def shape(self, theta):
        def method_5(p):
            more = mp.mpf(self.total) / 2 - 1
            return p * (1 - p) * (1 + more * ((1 - p) / (2 - p) + p / (1 + p)))

        return method_5(theta) / method_5(mp.mpf(1) / 2)

    def statistic(self, null):
        d = self.theta - mp.mpf(1) / 2
        weight = min(max(null * d / (d * d + 4 * self.null), mp.mpf(0)), mp.mpf(1))
        variance = self.null * self.shape(mp.mpf(1) / 2 + null) * (1 + weight * (self.ratio - 1))
        return (d - null) / mp.sqrt(variance)

    def end(self, c):
        low, high = mp.mpf("-0.5"), mp.mpf("0.5")
        for _ in range(120):
            middle = (low + high) / 2
            low, high = (middle, high) if self.statistic(middle) > c else (low, middle)
        return low


def main():
    cases = []
    for name, (control, treatment) in SAMPLES.items():
        score = Score(control, treatment)
        case = {
            "name": name,
            "control": control,
            "treatment": treatment,
            "superiority": mp.nstr(score.theta, 25),
            "score": {null: mp.nstr(score.statistic(mp.mpf(null)), 25) for null in NULLS},
            "score_low": mp.nstr(score.end(Z), 25),
            "score_high": mp.nstr(score.end(-Z), 25),
        }
        if name != "separate":
            ours = rank_compare_2indep(np.array(treatment, float), np.array(control, float), use_t=True)
            case["studentised"] = {
                "statistic": float(ours.statistic),
                "df": float(ours.df),
                "low": float(ours.conf_int(alpha=0.05)[0]),
                "high": float(ours.conf_int(alpha=0.05)[1]),
                "at_0.6": float(ours.test_prob_superior(value=0.6).pvalue),
                # SciPy's first argument is the smaller one of "less"
                "pvalues": {
                    alternative: float(brunnermunzel(treatment, control, alternative=alternative).pvalue)
                    for alternative in ("two-sided", "greater", "less")
                },
            }
        cases.append(case)
    program = f"SciPy {scipy.__version__}, statsmodels {statsmodels.__version__}, mpmath {mp.__version__}"
    lines = ",\n ".join(json.dumps(case) for case in cases)
    sys.stdout.write(f'{{"program": "{program}", "command": "python superiority.py", "cases": [{lines}]}}\n')


if __name__ == "__main__":
    main()
