"""python score.py > score.json: score tests and intervals of two proportions to 40 digits, by other formulas.

The difference: the closed form of the restricted likelihood's cubic (Farrington and Manning 1990, appendix), without
the factor N / (N - 1) of Miettinen and Nurminen. The ratio: the restricted proportions by root finding on the
likelihood's derivative. Ends of intervals by root finding on the statistic.
"""

import json
import sys

import mpmath as mp

mp.mp.dps = 60
PAIRS = [(48, 80, 56, 70), (3, 10, 9, 10), (2, 7, 6, 7), (1, 34, 7, 34), (100, 1000, 130, 1000), (15, 5000, 4, 200)]
NULLS = ["-0.15", "-0.02", "0", "0.03", "0.4"]
RATIOS = ["0.5", "0.98", "1", "1.25", "3"]
Z = -mp.sqrt(2) * mp.erfinv(2 * mp.mpf("0.025") - 1)  # the normal's upper 2.5% point


def difference_statistic(c, nc, t, nt, null):
    pc, pt = mp.mpf(c) / nc, mp.mpf(t) / nt
    if null == 0:
        restricted_t = restricted_c = mp.mpf(c + t) / (nc + nt)
    else:
        theta = mp.mpf(nc) / nt
        a = 1 + theta
        b = -(1 + theta + pt + theta * pc + null * (theta + 2))
        cc = null * null + null * (2 * pt + theta + 1) + pt + theta * pc
        d = -pt * null * (1 + null)
        v = (b / (3 * a)) ** 3 - b * cc / (6 * a * a) + d / (2 * a)
        u = (mp.sign(v) or 1) * mp.sqrt((b / (3 * a)) ** 2 - cc / (3 * a))
        w = (mp.pi + mp.acos(mp.re(v / u**3))) / 3
        restricted_t = 2 * u * mp.cos(w) - b / (3 * a)
        restricted_c = restricted_t - null
    variance = restricted_t * (1 - restricted_t) / nt + restricted_c * (1 - restricted_c) / nc
    return (pt - pc - null) / mp.sqrt(variance)


def ratio_statistic(c, nc, t, nt, ratio):
    def slope(p):  # of the log likelihood in the control's proportion
        return (c + t) / p - (nc - c) / (1 - p) - ratio * (nt - t) / (1 - ratio * p)

    edge = mp.mpf(10) ** -50
    p = end(slope, 0, edge, min(mp.mpf(1), 1 / ratio) - edge)
    variance = ratio * p * (1 - ratio * p) / nt + ratio**2 * p * (1 - p) / nc
    return (mp.mpf(t) / nt - ratio * mp.mpf(c) / nc) / mp.sqrt(variance)


def end(decreasing, target, low, high):
    for _ in range(190):
        middle = (low + high) / 2
        low, high = (middle, high) if decreasing(middle) > target else (low, middle)
    return low


def shown(value):
    return mp.nstr(value, 40)


def case(c, nc, t, nt):
    def difference(null):
        return difference_statistic(c, nc, t, nt, null)

    def ratio(value):
        return ratio_statistic(c, nc, t, nt, value)

    gap = mp.mpf(t) / nt - mp.mpf(c) / nc
    risk = (mp.mpf(t) / nt) / (mp.mpf(c) / nc)
    edge = mp.mpf(10) ** -9
    return {
        "control": [c, nc],
        "treatment": [t, nt],
        "difference": {null: shown(difference(mp.mpf(null))) for null in NULLS},
        "ratio": {value: shown(ratio(mp.mpf(value))) for value in RATIOS},
        "difference_low": shown(end(difference, Z, -1 + edge, gap)),
        "difference_high": shown(end(difference, -Z, gap, 1 - edge)),
        "ratio_low": shown(end(ratio, Z, edge, risk)),
        "ratio_high": shown(end(ratio, -Z, risk, 1000 * risk)),
    }


if __name__ == "__main__":
    program = f"mpmath {mp.__version__}, Python {sys.version.split()[0]}"
    document = {"program": program, "command": "python score.py", "cases": [case(*pair) for pair in PAIRS]}
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
