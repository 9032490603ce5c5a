"""python quantile.py > quantile.json: quantiles by exact arithmetic, SciPy's quantile_test and NumPy.

"pairs": the one-sided probabilities of two quantiles' difference in rational arithmetic, gap by gap: a quantile lies
between two neighbouring order statistics with a binomial probability and evenly there, so each pair of gaps
contributes the share of a rectangle below a line. (`_quantile_effect` adds up trapezoids on the union of the values.)
"tails": binomial tails at order statistics to 40 digits. "ends": SciPy's confidence intervals of one quantile.
"""

import json
import sys
from fractions import Fraction
from math import comb

import mpmath as mp
import numpy as np
import scipy
from scipy import stats

mp.mp.dps = 50
INFINITE = Fraction(10**9)

PAIRS = [
    ([1, 3, 4, 7, 9, 12], [2, 5, 6, 8, 13, 21, 34], "1/2"),
    ([0, 0, 0, 0, 1, 2, 5], [0, 0, 0, 3, 4, 4, 10, 11], "1/2"),
    ([0, 0, 0, 0, 1, 2, 5, 9, 9], [0, 0, 0, 3, 4, 4, 10, 11], "3/4"),
    ([-5, -3, -2, 1, 2, 4], [-4, -1, -1, 0, 3, 6, 8], "2/5"),
    ([2, 2, 2], [2, 2, 2, 2], "1/2"),
]
NULLS = ["-3", "-1/2", "0", "1", "5/2", "20"]
SHARES = ["-3/2", "-1", "-1/4", "0", "1/2", "1", "3"]
TAILS = [
    (40, "1/2", [3, 15, 20, 21, 33]),
    (300, "9/10", [180, 255, 270, 281, 299]),
    (2000, "99/100", [1900, 1999, 2000]),
]


def pieces(values, q):
    """(low, high, probability) of each gap; the unbounded gaps are points far away."""
    x, n = sorted(map(Fraction, values)), len(values)
    inner = [(x[r - 1], x[r], comb(n, r) * q**r * (1 - q) ** (n - r)) for r in range(1, n)]
    return (1 - q) ** n, inner, q**n


def below_line(low, high, a, b):
    """P(U <= V), U even on [low, high], V on [a, b] (in either order); a point where the ends are equal."""
    a, b = min(a, b), max(a, b)

    def integral(v):  # of the distribution function of U
        if high == low:
            return max(v - low, 0)
        inside = min(max(v, low), high)
        return (inside - low) ** 2 / (2 * (high - low)) + max(v - high, 0)

    if a == b:
        return Fraction(int(a >= low)) if low == high else min(max((a - low) / (high - low), Fraction(0)), Fraction(1))
    return (integral(b) - integral(a)) / (b - a)


def at_most(control, treatment, q, line):
    """P(T <= line(C)); a control above the data counts, a treatment below them too, and two unknowns of one side."""
    below_c, inner_c, above_c = pieces(control, q)
    below_t, inner_t, _ = pieces(treatment, q)
    total = below_t * sum(p for *_, p in inner_c)
    for mass, end in ((above_c, INFINITE), (below_c, -INFINITE)):
        total += mass * (1 if line(end) >= 0 else below_t)
    for low, high, p in inner_t:
        for a, b, weight in inner_c:
            parts = [(a, b, weight)]
            if a < 0 < b:
                parts = [(a, Fraction(0), weight * -a / (b - a)), (Fraction(0), b, weight * b / (b - a))]
            total += sum(p * w * below_line(low, high, line(start), line(end)) for start, end, w in parts)
    return total


def both(control, treatment, q, line, mirrored_line):
    greater = at_most(control, treatment, q, line)
    less = at_most([-x for x in control], [-x for x in treatment], q=1 - q, line=mirrored_line)
    return [shown(greater), shown(less)]


def shown(value):
    return mp.nstr(mp.mpf(value.numerator) / value.denominator, 30)


def pair(control, treatment, q):
    q_ = Fraction(q)
    return {
        "control": control,
        "treatment": treatment,
        "q": q,
        "nulls": {d: both(control, treatment, q_, shifted(Fraction(d)), shifted(-Fraction(d))) for d in NULLS},
        "shares": {s: both(control, treatment, q_, stretched(Fraction(s)), stretched(-Fraction(s))) for s in SHARES},
    }


def shifted(d):
    return lambda c: c + d


def stretched(share):
    return lambda c: c + share * abs(c)


def tails(n, q, ranks):
    q_ = mp.mpf(Fraction(q).numerator) / Fraction(q).denominator

    def mass(k):
        return mp.binomial(n, k) * q_**k * (1 - q_) ** (n - k)

    return {
        "n": n,
        "q": q,
        "ranks": ranks,
        "at_most": [mp.nstr(mp.fsum(mass(k) for k in range(r)), 30) for r in ranks],
        "at_least": [mp.nstr(mp.fsum(mass(k) for k in range(r, n + 1)), 30) for r in ranks],
    }


def ends(n, q, level):
    """SciPy's interval of order statistics of 1, ..., n; it covers at least `level`."""
    interval = stats.quantile_test(np.arange(1.0, n + 1), p=q).confidence_interval(level)
    return {"n": n, "q": q, "level": level, "low": interval.low, "high": interval.high}


def estimate(values, q):
    return {"values": values, "q": q, "quantile": float(np.quantile(values, q, method="median_unbiased"))}


if __name__ == "__main__":
    versions = f"mpmath {mp.__version__}, SciPy {scipy.__version__}, NumPy {np.__version__}"
    document = {
        "program": f"{versions}, Python {sys.version.split()[0]}",
        "command": "python quantile.py",
        "pairs": [pair(*case) for case in PAIRS],
        "tails": [tails(*case) for case in TAILS],
        "ends": [ends(n, q, 0.95) for n, q in ((25, 0.5), (200, 0.5), (200, 0.9), (1500, 0.99))],
        "estimates": [estimate(values, q) for values, *_ in PAIRS for q in (0.1, 0.5, 0.9)],
    }
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
