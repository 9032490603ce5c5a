"""python bandit_contexts.py > bandit_contexts.json: softmax, Exp3, and linear and logistic policies, to 40 digits.

From the definitions: inverses of the matrices themselves, modes by bisection of the gradient in all coefficients
together, and probabilities as integrals of a density times distribution functions.
"""

import json
import sys

import mpmath as mp

mp.mp.dps = 40

SOFTMAX = [
    ([0.0, 0.35], 0.5),
    ([0.3, 0.3125, 0.9, -2.0], 0.05),
    ([0.3, 0.3125, 0.9, -2.0], 3.0),
    ([100000000.0, 100000001.0], 0.5),
    ([1e-3, 2e-3, 5e-3], 1e6),
]
#: Place of the arm, reward, propensity.
LESSONS = [(0, 1.0, 0.4), (1, 0.25, 0.1), (2, 0.0, 0.5), (0, 0.7, 0.9), (1, 1.0, 0.05)]
#: Place of the arm, reward, context.
DECISIONS = [
    (0, 1.0, [1.0, 0.5, -0.25]),
    (1, 0.0, [1.0, -1.5, 0.75]),
    (0, 0.0, [1.0, 2.0, 0.125]),
    (1, 1.0, [1.0, 0.25, 3.0]),
    (0, 1.0, [1.0, -0.75, -1.0]),
    (0, 1.0, [1.0, 0.375, 0.0]),
]
ARMS = 3
QUERIES = [[1.0, 0.0, 0.0], [1.0, -0.5, 2.0], [0.0, 3.0, -1.0]]
RIDGES = [1.0, 10.0, 1e-6, 0.25]
ALPHA, V = 1.5, 0.5


def softmax(means, temperature):
    top = max(means)
    powers = [mp.exp((mp.mpf(m) - mp.mpf(top)) / mp.mpf(temperature)) for m in means]
    return [p / sum(powers) for p in powers]


def exp3(gamma):
    weights = [mp.mpf(1)] * 3
    for arm, reward, propensity in LESSONS:
        weights[arm] *= mp.exp(gamma * mp.mpf(reward) / (3 * mp.mpf(propensity)))
    return [(1 - gamma) * w / sum(weights) + gamma / 3 for w in weights]


def implicit(gamma):
    losses = [mp.mpf(0)] * 3
    for arm, reward, propensity in LESSONS:
        losses[arm] += (1 - mp.mpf(reward)) / (mp.mpf(propensity) + gamma)
    weights = [mp.exp(-2 * gamma * loss) for loss in losses]
    return [w / sum(weights) for w in weights]


def linear(arm, ridge, x):
    a, b, x = mp.mpf(ridge) * mp.eye(3), mp.matrix(3, 1), mp.matrix(x)
    for chosen, reward, context in DECISIONS:
        if chosen == arm:
            c = mp.matrix(context)
            a, b = a + c * c.T, b + mp.mpf(reward) * c
    inverse = a**-1
    return (x.T * inverse * b)[0], mp.sqrt((x.T * inverse * x)[0])


def logistic(ridge):
    """Mean and precision of each coefficient of each arm."""
    centres = [[mp.mpf(0)] * 3 for _ in range(ARMS)]
    precisions = [[mp.mpf(ridge)] * 3 for _ in range(ARMS)]
    for arm, reward, context in DECISIONS:
        m, q, y = centres[arm], precisions[arm], 2 * mp.mpf(reward) - 1
        w = mode(m, q, y, list(map(mp.mpf, context)))
        p = 1 / (1 + mp.exp(-sum(a * b for a, b in zip(w, context, strict=True))))
        centres[arm] = w
        precisions[arm] = [a + mp.mpf(b) ** 2 * p * (1 - p) for a, b in zip(q, context, strict=True)]
    return centres, precisions


def mode(m, q, y, x):
    """Newton's method in all coefficients, halved where the objective would rise."""

    def objective(w):
        score = sum(a * b for a, b in zip(w, x, strict=True))
        return sum(a * (b - c) ** 2 for a, b, c in zip(q, w, m, strict=True)) / 2 + mp.log(1 + mp.exp(-y * score))

    w = list(m)
    for _ in range(200):
        score = sum(a * b for a, b in zip(w, x, strict=True))
        p = 1 / (1 + mp.exp(y * score))
        gradient = mp.matrix([a * (b - c) - y * p * d for a, b, c, d in zip(q, w, m, x, strict=True)])
        hessian = mp.diag(q) + p * (1 - p) * mp.matrix(x) * mp.matrix(x).T
        step = mp.lu_solve(hessian, gradient)
        size = mp.mpf(1)
        while (
            objective([a - size * b for a, b in zip(w, step, strict=True)]) > objective(w) and size > mp.mpf(10) ** -30
        ):
            size /= 2
        w = [a - size * b for a, b in zip(w, step, strict=True)]
        if mp.norm(gradient) < mp.mpf(10) ** -35:
            break
    return w


def best(scores):
    """The probability of each of independent normal numbers to be the largest."""
    ends = sorted({m + z * s for m, s in scores for z in range(-12, 13, 2)})

    def density(y, mean, sd):
        return mp.exp(-(((y - mean) / sd) ** 2) / 2) / (sd * mp.sqrt(2 * mp.pi))

    def below(y, mean, sd):
        return mp.erfc((mean - y) / (sd * mp.sqrt(2))) / 2

    def integrand(y, k):
        others = [below(y, *score) for j, score in enumerate(scores) if j != k]
        return density(y, *scores[k]) * mp.fprod(others)

    return [mp.quad(lambda y, k=k: integrand(y, k), ends) for k in range(len(scores))]


def main():
    lin = []
    for ridge in RIDGES:
        for x in QUERIES:
            scores = [linear(arm, ridge, x) for arm in range(ARMS)]
            lin.append(
                {
                    "ridge": ridge,
                    "context": x,
                    "index": [float(m + mp.mpf(ALPHA) * s) for m, s in scores],
                    "shares": [float(p) for p in best([(m, mp.mpf(V) * s) for m, s in scores])],
                }
            )
    logit = []
    for ridge in RIDGES:
        centres, precisions = logistic(ridge)
        shares = []
        for x in QUERIES:
            scores = [
                (
                    sum(a * b for a, b in zip(m, x, strict=True)),
                    mp.mpf(V) * mp.sqrt(sum(mp.mpf(b) ** 2 / a for a, b in zip(q, x, strict=True))),
                )
                for m, q in zip(centres, precisions, strict=True)
            ]
            shares.append([float(p) for p in best(scores)])
        plain = [[[float(value) for value in row] for row in rows] for rows in (centres, precisions)]
        logit.append({"ridge": ridge, "centres": plain[0], "precisions": plain[1], "shares": shares})
    out = {
        "program": f"mpmath {mp.__version__}",
        "command": "python bandit_contexts.py",
        "softmax": [{"means": m, "temperature": t, "shares": [float(p) for p in softmax(m, t)]} for m, t in SOFTMAX],
        "lessons": LESSONS,
        "exp3": [{"gamma": g, "shares": [float(p) for p in exp3(mp.mpf(g))]} for g in (0.25, 1.0, 0.0625)],
        "ix": [{"gamma": g, "shares": [float(p) for p in implicit(mp.mpf(g))]} for g in (0.25, 2.0, 0.0625)],
        "decisions": DECISIONS,
        "queries": QUERIES,
        "alpha": ALPHA,
        "v": V,
        "linear": lin,
        "logistic": logit,
    }
    parts = ",\n".join(f"{json.dumps(key)}: {lines(value)}" for key, value in out.items())
    sys.stdout.write(f"{{{parts}}}\n")


def lines(value):
    if not isinstance(value, list):
        return json.dumps(value)
    return "[" + ",\n ".join(json.dumps(item) for item in value) + "]"


if __name__ == "__main__":
    main()
