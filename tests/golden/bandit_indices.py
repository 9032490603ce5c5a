"""python bandit_indices.py > bandit_indices.json: indices, divergences and limits of bandit problems, to 50 digits.

Every value is worked out from the definition: means and variances from the rewards themselves, divergences as the sums
or integrals that define them, and upper bounds by bisection of the divergence.
"""

import json
import sys

import mpmath as mp

mp.mp.dps = 60
DIGITS = 25

#: Rewards of each arm.
PLAYS = {
    "two": [[1], [0, 1]],
    "bits": [[1, 0, 1, 1], [0, 0], [1, 1, 1], [0, 1, 0, 0, 0, 0, 1], [0]],
    "parts": [["0.25", "0.5", "0.125"], ["0.75"], ["0.1", "0.1", "0.1"], ["1", "0", "0.375", "0.0625"]],
    "long": [[1] * 900 + [0] * 100, [1] * 79 + [0] * 21, [0] * 40 + [1] * 2, [1] * 7],
    "counts": [[0, 3, 2], [0], [7, 11, 4, 9], [1]],
    "times": [["0.5", "2.25"], ["0.001"], ["13.5", "0.75", "4"], ["1.5", "1.5", "1.5", "1.5"]],
    "signed": [["-3.5", "1.25"], ["-0.5"], ["0", "0.5", "-0.25"], ["100"]],
}
IN_BOUNDS = ["two", "bits", "parts", "long"]
OF_FAMILY = {
    "bernoulli": IN_BOUNDS,
    "gaussian": list(PLAYS),
    "poisson": ["two", "bits", "long", "counts"],
    "exponential": ["times"],
}
SD = mp.mpf("1.75")
PAIRS = {
    "bernoulli": [
        ("0.3", "0.30001"),
        ("0.3", "0.5"),
        ("0.9", "0.8"),
        ("1e-9", "1e-3"),
        ("0", "0.25"),
        ("1", "0.25"),
        ("0.5", "0.999999999"),
        ("0.4", "0.44"),
        ("0.4", "0.44000001"),
        ("1e-30", "0.5"),
        ("0.7", "0.7"),
    ],
    "gaussian": [("0.3", "0.30001"), ("-4", "11"), ("1e6", "1000001"), ("2", "2")],
    "poisson": [("0.3", "0.30001"), ("2", "7.5"), ("7.5", "2"), ("0", "3.25"), ("1000000", "1000001"), ("1e-12", "4")],
    "exponential": [("0.3", "0.30001"), ("2", "7.5"), ("7.5", "2"), ("1e-9", "1e3"), ("1e3", "1e-2"), ("5", "5")],
}
MEANS = {
    "bernoulli": ["0", "1e-15", "1e-4", "0.05", "0.3", "0.5", "0.877", "0.9999", "1"],
    "gaussian": ["-20", "0", "0.3"],
    "poisson": ["0", "1e-15", "1e-4", "0.3", "2", "1000", "1e6"],
    "exponential": ["1e-15", "0.3", "2", "1e6"],
}
MOST = ["1e-20", "1e-12", "1e-6", "0.01", "0.25", "1", "4", "25"]
PROBLEMS = [
    ("bernoulli", ["0.9", "0.8"]),
    ("bernoulli", ["0.25", "0.2"]),
    ("bernoulli", ["0.2", "0.1"]),
    ("bernoulli", ["0.1"] + ["0.05"] * 3 + ["0.02"] * 3 + ["0.01"] * 3),
    ("bernoulli", ["0.05", "0.1", "0.15", "0.2", "0.25", "0.3", "0.35", "0.4", "0.45", "0.5"]),
    ("bernoulli", ["0.5", "0.49999", "0"]),
    ("gaussian", ["-1", "0.5", "0.25"]),
    ("poisson", ["0", "3", "2.5", "3"]),
    ("exponential", ["0.2", "0.8", "0.79"]),
]


def xlogy(x, y):
    return mp.mpf(0) if x == 0 else x * mp.log(y)


def divergence(family, p, q):
    if family == "bernoulli":
        return xlogy(p, p / q) + xlogy(1 - p, (1 - p) / (1 - q)) if 0 < q < 1 else mp.mpf(0) if p == q else mp.inf
    if family == "gaussian":
        return (p - q) ** 2 / (2 * SD**2)
    if family == "poisson":
        return q - p + (xlogy(p, p / q) if p else 0)
    return p / q - 1 - mp.log(p / q)


def upper(family, p, most):
    low, high = p, p
    step = mp.mpf(1)
    while high < 1 if family == "bernoulli" else divergence(family, p, high) <= most:
        step *= 2
        high = mp.mpf(1) if family == "bernoulli" else max(p, mp.mpf(1)) * step
    for _ in range(260):
        middle = (low + high) / 2
        low, high = (middle, high) if divergence(family, p, middle) <= most else (low, middle)
    return low


class Play:
    def __init__(self, rewards):
        self.rewards = [[mp.mpf(r) for r in arm] for arm in rewards]
        self.n = [len(arm) for arm in self.rewards]
        self.mean = [mp.fsum(arm) / len(arm) for arm in self.rewards]
        pairs = zip(self.rewards, self.mean, strict=True)
        self.variance = [mp.fsum((r - mean) ** 2 for r in arm) / len(arm) for arm, mean in pairs]
        self.t = sum(self.n)
        self.arms = len(self.n)

    def each(self, formula):
        return [shown(formula(*arm)) for arm in zip(self.n, self.mean, self.variance, strict=True)]


def shown(value):
    return None if mp.isinf(value) else mp.nstr(value, DIGITS)


def of_bounds(play):
    log_t = mp.log(play.t)

    def tuned(n, mean, variance):
        return mean + mp.sqrt(log_t / n * min(mp.mpf(1) / 4, variance + mp.sqrt(2 * log_t / n)))

    def bernstein(zeta, c):
        e = zeta * log_t
        return play.each(lambda n, mean, variance: mean + mp.sqrt(2 * variance * e / n) + 3 * c * e / n)

    def moss(horizon):
        return play.each(lambda n, mean, _: mean + mp.sqrt(max(mp.log(horizon / (mp.mpf(play.arms) * n)), 0) / n))

    return {
        "ucb1": play.each(lambda n, mean, _: mean + mp.sqrt(2 * log_t / n)),
        "ucb1_tuned": play.each(tuned),
        "ucb_v": bernstein(mp.mpf("1.2"), mp.mpf(1)),
        "ucb_v_practical": bernstein(mp.mpf(1), mp.mpf("0.25")),
        "moss": moss(mp.mpf(1000)),
        "moss_anytime": moss(mp.mpf(play.t)),
    }


def of_family(play, family):
    log_t = mp.log(play.t)
    best = max(play.mean)

    def bound(c):
        clock = max(log_t + c * mp.log(log_t), mp.mpf(0))
        return play.each(lambda n, mean, _: upper(family, mean, clock / n))

    return {
        "kl_ucb": bound(0),
        "kl_ucb_3": bound(3),
        "imed": play.each(lambda n, mean, _: -n * divergence(family, mean, best) - mp.log(n)),
    }


def constant(family, means):
    known = [mp.mpf(float(mean)) for mean in means]
    best = max(known)
    return shown(mp.fsum((best - m) / divergence(family, m, best) for m in known if m < best))


def main():
    plays = {name: Play(rewards) for name, rewards in PLAYS.items()}
    # decimals are read as float64 reads them: the divergence of near means notices the difference
    values = {
        "bounds": [{"play": name, **of_bounds(plays[name])} for name in IN_BOUNDS],
        "families": [
            {"family": family, "play": name, **of_family(plays[name], family)}
            for family, names in OF_FAMILY.items()
            for name in names
        ],
        "divergences": [
            {"family": family, "p": p, "q": q, "kl": shown(divergence(family, mp.mpf(float(p)), mp.mpf(float(q))))}
            for family, pairs in PAIRS.items()
            for p, q in pairs
        ],
        "uppers": [
            {
                "family": family,
                "p": p,
                "most": [[d, shown(upper(family, mp.mpf(float(p)), mp.mpf(float(d))))] for d in MOST],
            }
            for family, means in MEANS.items()
            for p in means
        ],
        "constants": [{"family": family, "means": means, "c": constant(family, means)} for family, means in PROBLEMS],
    }
    out = {
        "program": f"mpmath {mp.__version__}",
        "command": "python bandit_indices.py",
        "sd": float(SD),
        "plays": {name: [[float(r) for r in arm] for arm in rewards] for name, rewards in PLAYS.items()},
        **values,
    }
    parts = ",\n".join(f"{json.dumps(key)}: {lines(value)}" for key, value in out.items())
    sys.stdout.write(f"{{{parts}}}\n")


def lines(value):
    if not isinstance(value, list):
        return json.dumps(value)
    return "[" + ",\n ".join(json.dumps(item) for item in value) + "]"


if __name__ == "__main__":
    main()
