"""python quantile_sequence.py > quantile_sequence.json: sequences of a quantile, and a band's constants.

Robbins' mixture is an integral over the beta distribution, whole or cut at q, by incomplete betas in 30 places;
the quantile's ends by trying every rank. The band's constant: Howard and Ramdas 2022, theorem 2, minimised over a grid
of eta that is refined, and solved by bisection.
"""

import json
import sys

import mpmath as mp

mp.mp.dps = 30
VALUES = [3.1, 0.5, 7.2, 1.1, 4.0, 9.9, 2.6, 2.5, 8.8, 0.1, 6.3, 5.0, 4.4, 1.9, 3.3, 12.0, 0.7, 2.2, 5.6, 3.9]
TIES = [0, 1, 1, 0, 0, 2, 0, 1, 0, 0, 0, 3, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 1]
CASES = [(VALUES, 0.5, 0.3, 10), (VALUES, 0.25, 0.5, 4), (TIES, 0.5, 0.2, 20), (TIES, 0.9, 0.4, 30)]
LEVELS = [0.5, 0.1, 0.05, 0.025, 0.01, 1e-3, 1e-6]


def concentration(tune_at, level):
    return mp.mpf(tune_at) / (-mp.lambertw(-(level**2) / mp.e, -1).real - 1)


def mixture(count, n, q, k, side):
    """The likelihood of a share p, mixed over p, over that of q."""
    low, high = {"two-sided": (0, 1), "greater": (0, q), "less": (q, 1)}[side]
    a, b = k * q, k * (1 - q)
    mass = mp.betainc(a, b, low, high)
    return mp.betainc(a + count, b + n - count, low, high) / mass / (q**count * (1 - q) ** (n - count))


def ends(values, q, alpha, tune_at, side):
    level = mp.mpf(alpha) if side == "two-sided" else min(2 * mp.mpf(alpha), mp.mpf(9) / 10)
    q, n = mp.mpf(q), len(values)
    k = concentration(tune_at, level)
    held = [s for s in range(n + 1) if mixture(s, n, q, k, side) < 1 / mp.mpf(alpha)]
    ordered = sorted(values)
    low = ordered[held[0] - 1] if held[0] >= 1 else None
    high = ordered[held[-1]] if held[-1] < n else None
    return [low if side != "less" else None, high if side != "greater" else None]


def evidence(values, x, q, alpha, tune_at):
    below, upto, n = sum(v < x for v in values), sum(v <= x for v in values), len(values)
    k = concentration(tune_at, mp.mpf(alpha))
    return float(mp.log(min(mixture(s, n, mp.mpf(q), k, "two-sided") for s in range(below, upto + 1))))


def chance(c):
    scale = mp.mpf("0.85")

    def bound(eta):
        g = (2 / eta) * (scale - mp.sqrt(2 * (eta - 1) / c)) ** 2
        if scale <= mp.sqrt(2 * (eta - 1) / c) or g <= 1:
            return mp.inf
        return 4 * mp.exp(-g * c) * (1 + 1 / ((g - 1) * mp.log(eta)))

    low, high = mp.mpf(1), 2 * scale**2
    for _ in range(24):
        grid = [low + (high - low) * i / 20 for i in range(1, 20)]
        best = min(range(19), key=lambda i: bound(grid[i]))
        step = (high - low) / 20
        low, high = max(grid[best] - step, low), min(grid[best] + step, high)
    return bound((low + high) / 2)


def band(alpha):
    low, high = mp.mpf(1), mp.mpf(100)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if chance(middle) > alpha else (low, middle)
    return float(low)


def case(values, q, alpha, tune_at):
    found = {"values": values, "q": q, "alpha": alpha, "tune_at": tune_at}
    for side in ("two-sided", "greater", "less"):
        found[side] = [ends(values[:t], q, alpha, tune_at, side) for t in range(1, len(values) + 1)]
    found["log_evalue_at_1"] = [evidence(values[:t], 1, q, alpha, tune_at) for t in range(1, len(values) + 1)]
    return found


if __name__ == "__main__":
    document = {
        "program": f"mpmath {mp.__version__}, Python {sys.version.split()[0]}",
        "command": "python quantile_sequence.py",
        "cases": [case(*each) for each in CASES],
        "band": [{"alpha": alpha, "constant": band(alpha)} for alpha in LEVELS],
    }
    sys.stdout.write(json.dumps(document) + "\n")
