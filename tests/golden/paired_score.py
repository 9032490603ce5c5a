"""python paired_score.py > paired_score.json: score tests of paired proportions, and mid-p limits, by brute force.

The score statistics take the maximum of the multinomial likelihood under the null: over the discordant pairs by
bisection for a difference, over two cells by sections of three for a ratio. Mid-p limits by bisection of the
sum of binomial probabilities.
"""

import json
import sys

import mpmath as mp

mp.mp.dps = 32
# both, control only, treatment only, neither
PAIRS = [
    (1, 7, 1, 12),
    (59, 16, 6, 80),
    (43, 0, 1, 0),
    (20, 12, 12, 6),
    (5, 0, 9, 3),
    (7, 0, 0, 4),
    (10**9, 30, 12, 99),
]
NULLS = ["-0.3", "-0.02", "0", "1e-6", "0.1", "0.95"]
SHARES = ["-0.5", "0", "0.25", "3"]


def root(falling, low, high):
    for _ in range(150):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2


def log_likelihood(cells, shares):
    return sum(k * mp.log(p) for k, p in zip(cells, shares, strict=True) if k)


def peak(value, low, high):
    """The place of the maximum of a concave function, by sections of three."""
    for _ in range(85):
        third = (high - low) / 3
        low, high = (low + third, high) if value(low + third) < value(high - third) else (low, high - third)
    return (low + high) / 2


def of_difference(pairs, null):
    a, c, b, d = pairs
    n = sum(pairs)
    if null < 0:
        return -of_difference((a, b, c, d), -null)
    room = (1 - null) / 2

    def slope(x):  # in the log odds of the control-only share within its room
        only = room / (1 + mp.exp(-x))
        rest = 2 * room / (1 + mp.exp(x))
        return b / (only + null) + c / only - 2 * (a + d) / rest

    only = room / (1 + mp.exp(-root(slope, mp.mpf(-90), mp.mpf(90))))
    return (mp.mpf(b - c) / n - null) / mp.sqrt((2 * only + null - null**2) / n)


def of_ratio(pairs, share):
    """Over the control's proportion, and the share of pairs with both successes."""
    a, c, b, _ = pairs
    n, ratio = sum(pairs), 1 + share

    def shares(control, both):
        return both, control - both, ratio * control - both, 1 - (1 + ratio) * control + both

    def best_both(control):
        low, high = max(mp.mpf(0), (1 + ratio) * control - 1), min(control, ratio * control)
        tiny = (high - low) * mp.mpf(10) ** -35
        return peak(lambda both: log_likelihood(pairs, shares(control, both)), low + tiny, high - tiny)

    most = min(mp.mpf(1), 1 / ratio) * (1 - mp.mpf(10) ** -30)
    control = peak(lambda x: log_likelihood(pairs, shares(x, best_both(x))), mp.mpf(10) ** -30, most)
    both, only_c, only_t, _ = shares(control, best_both(control))
    variance = (only_t + ratio**2 * only_c + (1 - ratio) ** 2 * both) / n
    return (mp.mpf(a + b) / n - ratio * mp.mpf(a + c) / n) / mp.sqrt(variance)


def mid_p(successes, trials, log_odds):
    p, q = 1 / (1 + mp.exp(-log_odds)), 1 / (1 + mp.exp(log_odds))
    terms = [mp.binomial(trials, k) * p**k * q ** (trials - k) for k in range(successes, trials + 1)]
    return sum(terms) - terms[0] / 2


def shown(value):
    return mp.nstr(value, 25)


def number(text):
    return mp.mpf(float(text))


def case(pairs):
    _, c, b, _ = pairs
    result = {
        "pairs": pairs,
        "difference": {text: shown(of_difference(pairs, number(text))) for text in NULLS},
    }
    if sum(pairs) < 1000:
        result["ratio"] = {text: shown(of_ratio(pairs, number(text))) for text in SHARES}
    if b and c:
        result["mid_low"] = shown(root(lambda x: mp.mpf("0.025") - mid_p(b, b + c, x), mp.mpf(-30), mp.mpf(30)))
        result["mid_high"] = shown(-root(lambda x: mp.mpf("0.025") - mid_p(c, b + c, x), mp.mpf(-30), mp.mpf(30)))
    return result


if __name__ == "__main__":
    program = f"mpmath {mp.__version__}, Python {sys.version.split()[0]}"
    document = {"program": program, "command": "python paired_score.py", "cases": [case(pairs) for pairs in PAIRS]}
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
