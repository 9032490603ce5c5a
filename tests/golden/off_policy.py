"""Off-policy estimates in rational arithmetic and mpmath, row by row; no NumPy, no abkit.

python tests/golden/off_policy.py > tests/golden/off_policy.json
"""

import json
import sys
from fractions import Fraction

import mpmath as mp

mp.mp.dps = 40


def root(value: Fraction) -> mp.mpf:
    return mp.sqrt(mp.mpf(value.numerator) / value.denominator)


def mean_and_stderr(scores: list[Fraction]) -> tuple[Fraction, mp.mpf]:
    n = len(scores)
    mean = sum(scores) / n
    return mean, root(sum((s - mean) ** 2 for s in scores) / (n - 1) / n)


def estimates(rows: list[tuple], target: dict, threshold: Fraction) -> dict:
    """Rows of (cell, arm, reward, propensity); each row's model is the mean of the others of its cell and arm."""
    n = len(rows)
    w = [target[arm] / e for _, arm, _, e in rows]
    r = [reward for _, _, reward, _ in rows]
    found = {"ips": mean_and_stderr([a * b for a, b in zip(w, r, strict=True)])}
    value = sum(a * b for a, b in zip(w, r, strict=True)) / sum(w)
    found["snips"] = (
        value,
        root(sum(a * a * (b - value) ** 2 for a, b in zip(w, r, strict=True)))
        / mp.mpf(1)
        / (mp.mpf(sum(w).numerator) / sum(w).denominator),
    )
    found["clipped"] = mean_and_stderr([min(a, threshold) * b for a, b in zip(w, r, strict=True)])
    robust, switched = [], []
    for i, (cell, arm, reward, _) in enumerate(rows):
        q = {}
        for a in target:
            same = [rows[j][2] for j in range(n) if j != i and rows[j][0] == cell and rows[j][1] == a]
            everyone = [rows[j][2] for j in range(n) if j != i]
            q[a] = sum(same) / len(same) if same else sum(everyone) / len(everyone)
        model = sum(target[a] * q[a] for a in target)
        robust.append(model + w[i] * (reward - q[arm]))
        switched.append(model + (w[i] * (reward - q[arm]) if w[i] <= threshold else 0))
    found["dr"], found["switch-dr"] = mean_and_stderr(robust), mean_and_stderr(switched)
    ess = sum(w) ** 2 / sum(a * a for a in w)
    digits = {
        name: [mp.nstr(mp.mpf(Fraction(v).numerator) / Fraction(v).denominator, 20), mp.nstr(s, 20)]
        for name, (v, s) in found.items()
    }
    return {**digits, "ess": mp.nstr(mp.mpf(ess.numerator) / ess.denominator, 20)}


def log(n: int, scale: int) -> list[tuple]:
    """Rows without a random number: arms, cells, propensities and rewards from remainders."""
    logged = {
        "u": {"a": Fraction(1, 2), "b": Fraction(1, 4), "c": Fraction(1, 4)},
        "v": {"a": Fraction(1, 8), "b": Fraction(3, 8), "c": Fraction(1, 2)},
    }
    rows = []
    for i in range(n):
        cell = "uv"[i % 7 % 2]
        arm = "abcabbcacb"[(i * i + 3 * i) % 10]
        rows.append((cell, arm, Fraction((i * 37 + i // 5) % 11 * scale, 16), logged[cell][arm]))
    return rows


def rare(n: int) -> list[tuple]:
    """Three clicks in n rows, and one row with a weight above 10,000."""
    rows = [("u", "ab"[i % 2], Fraction(int(i in (5, 50, 77))), Fraction(1, 2)) for i in range(n)]
    rows[50] = ("u", "a", Fraction(1), Fraction(3, 65536))
    return rows


def case(name: str, rows: list[tuple], target: dict, threshold: Fraction) -> dict:
    listed = [[c, a, float(r), float(e)] for c, a, r, e in rows]
    shares = {a: float(p) for a, p in target.items()}
    found = estimates(rows, target, threshold)
    return {"name": name, "rows": listed, "target": shares, "threshold": float(threshold), "expected": found}


TARGET = {"a": Fraction(1, 4), "b": Fraction(1, 4), "c": Fraction(1, 2)}
CASES = [
    case("three arms, two cells", log(60, 1), TARGET, Fraction(3, 2)),
    case("large rewards", log(40, 65536), TARGET, Fraction(1)),
    case("rare clicks, a weight above 10,000", rare(100), {"a": Fraction(1, 2), "b": Fraction(1, 2)}, Fraction(8)),
]
json.dump(
    {
        "program": f"Python {sys.version.split()[0]}, fractions, mpmath {mp.__version__}",
        "command": "python tests/golden/off_policy.py",
        "cases": CASES,
    },
    sys.stdout,
)
print()
