"""python bounded.py > bounded.json: sequences of bounded means in 40 digits, from the formulas as they are printed.

Waudby-Smith and Ramdas 2024: theorem 2 with eq. 15, and theorem 3 with eq. 26 (c = 1/2 in both, theta = 1/2). Capitals
are products, and the ends of the set where a capital is below 1 / alpha are found by bisection.
"""

import json
import sys

import mpmath as mp

mp.mp.dps = 40
CASES = [
    ([0.2, 0.9, 0.4, 0.4, 0.7, 0.1, 0.0, 1.0, 0.35, 0.6], 0.05),
    ([1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1], 0.1),
    ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0.05),
    ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0.5),
    ([0.3] * 40, 0.05),
    ([0.01, 0.02, 0.0, 0.015, 0.3, 0.01, 0.0, 0.02] * 4, 1e-6),
    ([0.625], 0.05),
]


def mean(xs):
    return (mp.mpf(1) / 2 + mp.fsum(xs)) / (len(xs) + 1)


def variance(xs):
    return (mp.mpf(1) / 4 + mp.fsum((xs[i] - mean(xs[: i + 1])) ** 2 for i in range(len(xs)))) / (len(xs) + 1)


def bets(xs, log_level):
    return [mp.sqrt(2 * log_level / (variance(xs[: t - 1]) * t * mp.log(t + 1))) for t in range(1, len(xs) + 1)]


def bernstein(xs, log_level):
    lam = [min(b, mp.mpf(1) / 2) for b in bets(xs, log_level)]
    centre = mp.fsum(b * x for b, x in zip(lam, xs, strict=True)) / mp.fsum(lam)
    costs = [4 * (xs[i] - mean(xs[:i])) ** 2 * (-mp.log(1 - lam[i]) - lam[i]) / 4 for i in range(len(xs))]
    margin = (log_level + mp.fsum(costs)) / mp.fsum(lam)
    return max(centre - margin, 0), min(centre + margin, 1)


def above(xs, lam, m):
    return mp.fprod(1 + (min(b, 1 / (2 * m)) if m > 0 else b) * (x - m) for b, x in zip(lam, xs, strict=True))


def lower_end(xs, lam, goal):
    if above(xs, lam, mp.mpf(0)) < goal:
        return mp.mpf(0)
    low, high = mp.mpf(0), mp.mpf(1)
    for _ in range(70):
        middle = (low + high) / 2
        low, high = (middle, high) if above(xs, lam, middle) >= goal else (low, middle)
    return low


def betting(xs, log_level):
    lam, goal = bets(xs, log_level), mp.exp(log_level)
    return lower_end(xs, lam, goal), 1 - lower_end([1 - x for x in xs], lam, goal)


def capitals(xs, log_level, m):
    """Log of the half of the capital that is bet upwards, and of the half that is bet downwards."""
    lam = bets(xs, log_level)
    return mp.log(above(xs, lam, m) / 2), mp.log(above([1 - x for x in xs], lam, 1 - m) / 2)


def case(values, alpha):
    xs, log_level = [mp.mpf(x) for x in values], mp.log(2 / mp.mpf(alpha))
    found = {"values": values, "alpha": alpha}
    for name, method in (("bernstein", bernstein), ("betting", betting)):
        ends = [method(xs[:t], log_level) for t in range(1, len(xs) + 1)]
        found[name] = [[float(low), float(high)] for low, high in ends]
    one_sided = [bernstein(xs[:t], mp.log(1 / mp.mpf(alpha)))[0] for t in range(1, len(xs) + 1)]
    found["bernstein_greater"] = [float(low) for low in one_sided]
    found["betting_greater"] = [float(betting(xs[:t], mp.log(1 / mp.mpf(alpha)))[0]) for t in range(1, len(xs) + 1)]
    logs = [max(capitals(xs[:t], log_level, mp.mpf(0.45))) for t in range(1, len(xs) + 1)]
    found["log_capital_at_0.45"] = [float(log) for log in logs]
    return found


if __name__ == "__main__":
    document = {
        "program": f"mpmath {mp.__version__}, Python {sys.version.split()[0]}",
        "command": "python bounded.py",
        "cases": [case(*each) for each in CASES],
    }
    sys.stdout.write(json.dumps(document) + "\n")
