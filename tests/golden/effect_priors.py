"""python effect_priors.py > effect_priors.json: posteriors of effects, as integrals of prior times likelihood.

By mpmath in 22 places: the estimate's density under the prior, mean and standard deviation of the effect, and at some
points the logarithms of both tails, of the density, and of the means of what lies above and below.
"""

import json
import sys

import mpmath as mp

mp.mp.dps = 22
STUDENT = [
    ((3, 0, 1), 2, 1, [-27.5, -0.5, 0, 2, 35]),
    ((1, 0, 1), 5, 1, [-30, 0, 4.5]),
    ((0.5, 0.1, 1), 3, 0.5, [-14, 0.1, 3.2]),
    ((30, 0.5, 1), -3, 2, [-40, 0, 0.5, 20]),
    ((3, 0, 0.001), 20, 1, [-1, 0, 0.002, 19]),
    ((3, 0, 1000), 0.3, 1, [-36, 0, 5]),
    ((5000, 0, 1), 4, 1, [-15, 0, 2]),
]
MIXTURE = [
    (([0.8, 0.2], [0, 0], [0.002, 0.02]), 0.03, 0.01, [-0.3, 0, 0.025]),
    (([0.3, 0.5, 0.2], [-1, 0, 4], [0.5, 0.1, 2]), 1, 0.7, [-12, 0, 0.1, 25]),
]


def normal(x, mean, sd):
    return mp.exp(-(((x - mean) / sd) ** 2) / 2) / (sd * mp.sqrt(2 * mp.pi))


def student(df, mean, scale):
    df, mean, scale = mp.mpf(df), mp.mpf(mean), mp.mpf(scale)
    top = mp.gamma((df + 1) / 2) / mp.gamma(df / 2) / mp.sqrt(df * mp.pi) / scale
    return lambda x: top * (1 + ((x - mean) / scale) ** 2 / df) ** (-(df + 1) / 2)


def mixture(weights, means, sds):
    parts = [tuple(mp.mpf(str(value)) for value in part) for part in zip(weights, means, sds, strict=True)]
    return lambda x: mp.fsum(w * normal(x, m, s) for w, m, s in parts)


def integral(of, low, high, marks, widths):
    """Between two points, in pieces that grow with the distance from every mark and from both ends."""
    points = {low, high}
    for mark in (*marks, low, high):
        for width in widths:
            steps = [width * mp.mpf(2) ** k for k in (range(-6, 7) if mark in (low, high) else range(-1, 9))]
            points |= {mark, *(mark - step for step in steps), *(mark + step for step in steps)}
    kept = sorted(point for point in points if low <= point <= high)
    return mp.quad(of, kept, method="gauss-legendre", maxdegree=5)


def case(kind, parameters, prior, data, points, marks, widths):
    y, s = (mp.mpf(str(value)) for value in data)
    marks, widths = [mp.mpf(str(m)) for m in (*marks, y)], [mp.mpf(str(w)) for w in (*widths, s)]
    low, high = y - 70 * s, y + 70 * s

    def joint(x):
        return prior(x) * normal(y, x, s)

    def over(of, a, b):
        return integral(of, a, b, marks, widths)

    marginal = over(joint, low, high)
    mean = over(lambda x: x * joint(x), low, high) / marginal
    variance = over(lambda x: (x - mean) ** 2 * joint(x), low, high) / marginal
    rows = []
    for at in points:
        x = mp.mpf(str(at))
        top = joint(x)

        def beside(e, top=top):
            # mpmath stops at an absolute error
            return joint(e) / top

        values = (
            over(beside, low, x),
            over(beside, x, high),
            1,
            over(lambda e, x=x, beside=beside: (e - x) * beside(e), x, high),
            over(lambda e, x=x, beside=beside: (x - e) * beside(e), low, x),
        )
        rows.append({"x": at, "log": [float(mp.log(value * top / marginal)) for value in values]})
    found = {"log_marginal": float(mp.log(marginal)), "mean": float(mean), "sd": float(mp.sqrt(variance))}
    return {"kind": kind, "parameters": parameters, "estimate": float(y), "stderr": float(s), **found, "points": rows}


cases = [
    case("student", parameters, student(*parameters), (y, s), points, [parameters[1]], [parameters[2]])
    for parameters, y, s, points in STUDENT
] + [
    case("mixture", parameters, mixture(*parameters), (y, s), points, parameters[1], parameters[2])
    for parameters, y, s, points in MIXTURE
]
program = f"Python {sys.version.split()[0]}, mpmath {mp.__version__}"
print(json.dumps({"program": program, "command": "python effect_priors.py", "cases": cases}, indent=1))
