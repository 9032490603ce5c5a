"""python group_sequential_quadrature.py > group_sequential_quadrature.json: critical values by other quadratures.

Two looks: one integral, and its root, to 30 digits. More looks: the recursion of Armitage, McPherson and Rowe (1969) of
sub-densities, from one look to the next at one drift, each on a single Clenshaw-Curtis grid over the whole continuation
region, with spending functions evaluated to 40 digits. abkit carries something else (the chance of having gone on), on
Gauss-Legendre panels. Grids of half as many points give the same values to 1e-14 (said on the error stream).
"""

import json
import math
import sys

import mpmath as mp
import numpy as np
import scipy
from scipy.optimize import brentq
from scipy.special import ndtr

mp.mp.dps = 40
FAR = 10.0


def upper_quantile(p):
    p = mp.mpf(p)
    guess = mp.mpf(-float(scipy.special.ndtri(float(p))))
    return mp.findroot(lambda z: mp.log(mp.erfc(z / mp.sqrt(2)) / 2) - mp.log(p), guess)


def spent(boundary, shape, alpha, t):
    """Of one side, to 40 digits."""
    t, a = mp.mpf(t), mp.mpf(alpha)
    if boundary == "ld-obrien-fleming":
        return mp.erfc(upper_quantile(a / 2) / mp.sqrt(2 * t))
    if boundary == "ld-pocock":
        return a * mp.log(1 + (mp.e - 1) * t)
    if boundary == "kim-demets":
        return a * t ** mp.mpf(shape)
    gamma = mp.mpf(shape)
    return a * t if gamma == 0 else a * (1 - mp.exp(-gamma * t)) / (1 - mp.exp(-gamma))


def clenshaw_curtis(low, high, n):
    angle = np.pi * np.arange(n + 1) / n
    weights = np.ones(n + 1)
    k = np.arange(1, n // 2 + 1)
    factor = np.where(k == n / 2, 1.0, 2.0) / (4 * k**2 - 1.0)
    weights -= np.cos(2 * np.outer(angle, k)) @ factor
    weights *= 2.0 / n
    weights[[0, -1]] /= 2
    return (low + high) / 2 - (high - low) / 2 * np.cos(angle), weights * (high - low) / 2


class Forward:
    """The sub-density of Z where it goes on, without an effect."""

    def __init__(self, points):
        self.points, self.information = points, 0.0
        self.z, self.mass = np.zeros(1), np.ones(1)

    def above(self, c, information):
        step = math.sqrt(information - self.information)
        way = (c * math.sqrt(information) - self.z * math.sqrt(self.information)) / step
        return float(self.mass @ ndtr(-way))

    def advance(self, low, high, information):
        z, weights = clenshaw_curtis(max(low, -FAR), high, self.points)
        step = math.sqrt(information - self.information)
        start = self.z * math.sqrt(self.information)
        density = np.empty_like(z)
        for rows in np.array_split(np.arange(z.size), max(1, z.size // 50)):
            way = (z[rows, None] * math.sqrt(information) - start) / step
            density[rows] = np.exp(-0.5 * way * way) @ self.mass
        density *= math.sqrt(information) / step / math.sqrt(2 * math.pi)
        self.z, self.mass, self.information = z, weights * density, information


def by_spending(boundary, shape, alpha, sides, information, points):
    side = alpha / sides
    levels = [spent(boundary, shape, side, t) for t in information]
    steps = [float(now - before) for before, now in zip([0, *levels[:-1]], levels, strict=True)]
    forward, bounds = Forward(points), []
    for t, step in zip(information, steps, strict=True):
        high = 1 + float(upper_quantile(step))

        def excess(c, t=t, step=step):
            return math.log(max(forward.above(c, t), 1e-300) / step)

        bounds.append(brentq(excess, -3, high, xtol=1e-14, rtol=1e-14))
        if t < 1:
            forward.advance(-bounds[-1] if sides == 2 else -math.inf, bounds[-1], t)
    return bounds


def by_form(exponent, alpha, sides, information, points):
    multiples = np.array(information) ** exponent

    def excess(constant):
        forward, total = Forward(points), 0.0
        for t, multiple in zip(information, multiples, strict=True):
            c = constant * multiple
            total += forward.above(c, t)
            if t < 1:
                forward.advance(-c if sides == 2 else -math.inf, c, t)
        return math.log(total * sides / alpha)

    high = float(upper_quantile(alpha / sides / len(information))) + 0.1
    return list(brentq(excess, high / 4, high, xtol=1e-13) * multiples)


def two_looks(boundary, shape, alpha, sides, t):
    """To 30 digits; nothing is left out but what lies beyond 30 standard deviations."""
    side = mp.mpf(alpha) / sides
    first = spent(boundary, shape, side, t)
    second = side - first
    c, t = upper_quantile(first), mp.mpf(t)
    low = -c if sides == 2 else mp.mpf(-30)
    cuts = [low, *[x for x in (-8, -4, -2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) if low < x < c], c]

    def above(b):
        return mp.quad(lambda y: mp.npdf(y) * mp.erfc((b - y * mp.sqrt(t)) / mp.sqrt(2 * (1 - t))) / 2, cuts)

    guess = float(upper_quantile(second))
    b = mp.findroot(lambda b: mp.log(above(b) / second), (guess, guess - 1e-3), tol=1e-25)
    return [mp.nstr(c, 20), mp.nstr(b, 20)]


TWO_LOOKS = (("ld-obrien-fleming", None, 0.1), ("ld-pocock", None, 0.999), ("kim-demets", 3, 0.5))
FORMS = {"pocock": 0.0, "obrien-fleming": -0.5}


def solve(boundary, shape, alpha, sides, information, points):
    if boundary in FORMS or boundary == "wang-tsiatis":
        exponent = FORMS[boundary] if boundary in FORMS else shape - 0.5
        return by_form(exponent, alpha, sides, information, points)
    return by_spending(boundary, shape, alpha, sides, information, points)


def even(looks):
    return [(k + 1) / looks for k in range(looks)]


def settings():
    close, spaced = [0.3, 0.31, 1.0], [0.2, 0.4, 0.4004, 0.9, 0.9009, 1.0]
    for sides in (1, 2):
        for alpha in (1e-6, 0.025, 0.5):
            for boundary, shape in (
                ("ld-obrien-fleming", None),
                ("ld-pocock", None),
                ("kim-demets", 0.3),
                ("kim-demets", 3),
                ("hwang-shih-decani", -4),
                ("hwang-shih-decani", 0),
                ("hwang-shih-decani", 2),
            ):
                yield boundary, shape, alpha, sides, close, 1200
                yield boundary, shape, alpha, sides, even(20), 600
            for boundary, shape in (("pocock", None), ("obrien-fleming", None), ("wang-tsiatis", 0.25)):
                yield boundary, shape, alpha, sides, close, 800
                yield boundary, shape, alpha, sides, even(20), 400
        yield "ld-obrien-fleming", None, 0.025, sides, spaced, 2400
        yield "ld-pocock", None, 0.025, sides, spaced, 2400
        yield "ld-obrien-fleming", None, 0.05, sides, even(100), 1400
        yield "ld-pocock", None, 0.05, sides, even(100), 1000
    yield "pocock", None, 0.05, 2, even(100), 500


def main():
    cases, worst = [], 0.0
    for boundary, shape, alpha, sides, information, points in settings():
        values = solve(boundary, shape, alpha, sides, information, points)
        if len(information) < 20 and points < 2000:
            other = solve(boundary, shape, alpha, sides, information, points // 2)
            worst = max(worst, float(np.abs(np.array(other) - values).max()))
        about = {"boundary": boundary, "shape": shape, "alpha": alpha, "sides": sides, "information": information}
        cases.append(about | {"critical_values": values})
    exact = []
    for sides in (1, 2):
        for alpha in (1e-6, 0.025, 0.5):
            for boundary, shape, t in TWO_LOOKS:
                about = {"boundary": boundary, "shape": shape, "alpha": alpha, "sides": sides, "information": [t, 1.0]}
                exact.append(about | {"critical_values": two_looks(boundary, shape, alpha, sides, t)})
    sys.stderr.write(f"grids of half the points differ by {worst:.1e} at most\n")
    program = f"NumPy {np.__version__}, SciPy {scipy.__version__}, mpmath {mp.__version__}"
    head = {"program": program, "command": "python group_sequential_quadrature.py"}
    parts = {"cases": cases, "exact": exact}
    rows = [f'"{name}": [' + ",\n ".join(map(json.dumps, part)) + "]" for name, part in parts.items()]
    sys.stdout.write(json.dumps(head)[:-1] + ", " + ", ".join(rows) + "}\n")


if __name__ == "__main__":
    main()
