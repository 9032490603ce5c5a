"""python bootstrap.py > bootstrap.json: the exact distribution of the bootstrap of small samples.

All n^n resamples of each variant are counted, in fractions: nothing is drawn. For some nulls, the probabilities that a
resampled difference, and a resampled t, lies below the null's place, or at it.
"""

import json
import sys
from collections import Counter
from fractions import Fraction
from itertools import product

PAIRS = [([1, 2, 4, 9], [3, 3, 8, 11]), ([0, 0, 1, 0, 0], [0, 1, 5]), ([2, 3, 7], [1, 8, 20, 4])]
NULLS = ["-2", "-1/2", "0", "1", "5/2", "4"]


def resamples(values):
    """Mean and variance of the mean of every resample, with how many there are of each."""
    found = Counter()
    for drawn in product(values, repeat=len(values)):
        n, mean = len(drawn), Fraction(sum(drawn), len(drawn))
        found[mean, sum((x - mean) ** 2 for x in drawn) / (n * (n - 1))] += 1
    return found


def side(gap, variance, place, variance_seen):
    """-1, 0 or 1 as gap / sqrt(variance) lies below, at, or above place / sqrt(variance_seen)."""
    if variance == 0 and gap == 0:
        return (place < 0) - (place > 0)
    a, b = gap * abs(gap) * variance_seen, place * abs(place) * variance
    return (a > b) - (a < b)


def case(control, treatment):
    c, t = resamples(control), resamples(treatment)
    total = len(control) ** len(control) * len(treatment) ** len(treatment)
    mean_c, mean_t = Fraction(sum(control), len(control)), Fraction(sum(treatment), len(treatment))
    seen = mean_t - mean_c
    variance = sum(
        sum((x - m) ** 2 for x in values) / (len(values) * (len(values) - 1))
        for values, m in ((control, mean_c), (treatment, mean_t))
    )
    counts = {null: Counter() for null in NULLS}
    for (mean_a, variance_a), k in c.items():
        for (mean_b, variance_b), j in t.items():
            gap = mean_b - mean_a
            for null in NULLS:
                place = Fraction(null)
                counts[null]["draws", (gap > place) - (gap < place)] += k * j
                key = side(gap - seen, variance_a + variance_b, seen - place, variance)
                counts[null]["t", key] += k * j
    return {
        "control": control,
        "treatment": treatment,
        "below": {null: float(Fraction(found["draws", -1], total)) for null, found in counts.items()},
        "at": {null: float(Fraction(found["draws", 0], total)) for null, found in counts.items()},
        "t_above": {null: float(Fraction(found["t", 1], total)) for null, found in counts.items()},
        "t_at": {null: float(Fraction(found["t", 0], total)) for null, found in counts.items()},
    }


if __name__ == "__main__":
    document = {
        "program": f"Python {sys.version.split()[0]}, fractions",
        "command": "python bootstrap.py",
        "cases": [case(*pair) for pair in PAIRS],
    }
    sys.stdout.write(json.dumps(document) + "\n")
