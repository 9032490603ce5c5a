"""python bayes_compare.py > bayes_compare.json: posterior probabilities of effects, and what a wrong choice costs.

`cases`: P(T <= g(C)) and P(T > g(C)), g the control's value with the effect added, as the integral of the control's
density times the treatment's tail, by mpmath's adaptive quadrature in 25 places, cut where either density is.
`sums`: two betas with whole parameters by the finite sum of Miller (2015), and the losses from four such sums,
E max(C - T, 0) = E C P(C' > T) - E T P(C > T'), where C' and T' have one more success; in 340 places.
"""

import json
import sys
from itertools import pairwise

import mpmath as mp

BETA = [
    ((101, 901), (131, 871), "difference", [0, 0.01, -0.02]),
    ((1, 1), (2.5, 0.5), "difference", [0.3, -0.7]),
    ((0.5, 20.5), (3.5, 17.5), "difference", [0.05, -0.05]),
    ((101, 901), (131, 871), "relative", [0.1, -0.1]),
    ((4.5, 1.5), (6, 0.5), "relative", [0.2, -0.3]),
    ((701, 301), (501, 501), "difference", [0, 0.3, 0.38]),
    ((701, 301), (501, 501), "relative", [0.8]),
    ((21, 31), (41, 9), "log odds ratio", [0.5, 2, -1, -6]),
]
GAMMA = [
    ((17.5, 1200.5), (30.5, 1300), "difference", [0, 0.004, -0.01]),
    ((0.5, 100), (3.5, 90), "difference", [0.01, -0.001]),
    ((17.5, 1200.5), (30.5, 1300), "relative", [0.3, -0.6, 20]),
    ((900.5, 1000), (2500.5, 1000), "difference", [0, 0.3]),
]
NORMAL = [
    ((10, 0.5), (11, 0.7), "relative", [0, 0.05, -0.3]),
    ((0.3, 0.5), (1, 0.4), "relative", [0.5, 3, -2]),
]
STUDENT = [
    ((10.8, 0.4, 4), (12.2, 0.33, 4), "difference", [0, 1, -20]),
    ((0, 1, 1), (2, 0.1, 3), "difference", [0, 50]),
    ((5, 0.1, 40), (5.9, 0.2, 900), "difference", [0, -1.5, 3]),
    ((10.8, 0.4, 4), (12.2, 0.33, 4), "relative", [0, 0.1, 2]),
    ((0.5, 1, 3), (1, 1, 7), "relative", [0.5, -4]),
]
SUMS = [(101, 901, 131, 871), (1, 1, 1, 1), (1, 20, 3, 5), (500, 500, 700, 300), (900, 100, 300, 700)]
SUMS += [(60, 10000, 10, 10000), (30, 100000, 2, 1000000), (5, 3, 200, 100), (5001, 95001, 5011, 94991)]
SUMS += [(1000, 200, 200, 1000), (1, 1000001, 1, 500001)]


def beta(a, b):
    a, b = mp.mpf(a), mp.mpf(b)
    mean, sd = a / (a + b), mp.sqrt(a * b / (a + b + 1)) / (a + b)
    scale = mp.beta(a, b)

    def pdf(x):
        return x ** (a - 1) * (1 - x) ** (b - 1) / scale if 0 < x < 1 else mp.mpf(0)

    def sf(x):
        return mp.mpf(x <= 0) if not 0 < x < 1 else mp.betainc(b, a, 0, 1 - x, regularized=True)

    def cdf(x):
        return mp.mpf(x >= 1) if not 0 < x < 1 else mp.betainc(a, b, 0, x, regularized=True)

    return pdf, cdf, sf, mean, sd, (mp.mpf(0), mp.mpf(1))


def gamma(k, rate):
    k, rate = mp.mpf(k), mp.mpf(rate)

    def pdf(x):
        return rate * (rate * x) ** (k - 1) * mp.exp(-rate * x) / mp.gamma(k) if x > 0 else mp.mpf(0)

    def sf(x):
        return mp.gammainc(k, rate * x, mp.inf, regularized=True) if x > 0 else mp.mpf(1)

    def cdf(x):
        return mp.gammainc(k, 0, rate * x, regularized=True) if x > 0 else mp.mpf(0)

    return pdf, cdf, sf, k / rate, mp.sqrt(k) / rate, (mp.mpf(0), mp.inf)


def normal(m, s):
    m, s = mp.mpf(m), mp.mpf(s)
    ends = (-mp.inf, mp.inf)
    return lambda x: mp.npdf(x, m, s), lambda x: mp.ncdf((x - m) / s), lambda x: mp.ncdf((m - x) / s), m, s, ends


def student(m, s, v):
    m, s, v = mp.mpf(m), mp.mpf(s), mp.mpf(v)
    c = mp.gamma((v + 1) / 2) / (mp.gamma(v / 2) * mp.sqrt(v * mp.pi) * s)

    def pdf(x):
        return c * (1 + ((x - m) / s) ** 2 / v) ** (-(v + 1) / 2)

    def sf(x):
        tail = mp.betainc(v / 2, 0.5, 0, v / (v + ((x - m) / s) ** 2), regularized=True) / 2
        return 1 - tail if x < m else tail

    return pdf, lambda x: sf(2 * m - x), sf, m, s, (-mp.inf, mp.inf)


def quadrature(family, control, treatment, scale, effect):
    pdf, _, _, m, s, (low, high) = family(*control)
    _, cdf, sf, mt, st, _ = family(*treatment)
    e = mp.mpf(repr(effect))

    def at(c):
        if scale == "difference":
            return c + e
        if scale == "relative":
            return c + e * abs(c)
        odds = c / max(1 - c, mp.mpf(10) ** -300) * mp.exp(e)
        return odds / (1 + odds)

    spots = [0, 1.5, 3, 6, 9, 13, 20, 30, 300] if low < 0 else [0, 1.5, 3, 6, 9, 13, 20, 30]
    points = {m + sign * k * s for k in spots for sign in (-1, 1)}
    for k in spots:
        for v in (mt - k * st, mt + k * st):  # where the control has the treatment at one of its own spots
            if scale == "difference":
                points.add(v - e)
            elif scale == "relative":
                points |= {v / (1 + e)} if e != -1 else set()
                points |= {v / (1 - e), mp.mpf(0)} if e != 1 and low < 0 else set()
            elif 0 < v < 1:
                odds = v / (1 - v) * mp.exp(-e)
                points.add(odds / (1 + odds))
    if high == 1 and scale != "log odds ratio":
        points |= {1 - e, -e} if scale == "difference" else {1 / (1 + e)}
    cut = [low, *sorted(x for x in points if low < x < high), high]
    return [integral(lambda x, tail=tail: pdf(x) * tail(at(x)), cut) for tail in (cdf, sf)]


def integral(product, cut):
    """Piece by piece in units of the largest: the tolerance of mpmath is absolute, so that tails would be lost."""
    pieces = list(pairwise(cut))
    heights = [height(product, a, b) for a, b in pieces]
    unit = max(heights)
    kept = [
        piece
        for piece, h in zip(pieces, heights, strict=True)
        if h > unit * mp.mpf(10) ** -24 or not mp.isfinite(sum(piece))
    ]
    return unit * mp.fsum(mp.quad(lambda x: product(x) / unit, piece, maxdegree=9) for piece in kept)


def height(product, a, b):
    """About what there is between a and b."""
    if not mp.isfinite(b - a):
        return mp.mpf(0)
    return max(product(a + (b - a) * k / 16) for k in range(1, 16)) * (b - a)


def above(a1, b1, a2, b2):
    """P(T > C) of C ~ beta(a1, b1) and T ~ beta(a2, b2)."""
    term = mp.beta(a1, b1 + b2) / (b2 * mp.beta(1, b2) * mp.beta(a1, b1))
    total = mp.mpf(0)
    for i in range(a2):
        total += term
        term *= mp.mpf(a1 + i) / (a1 + i + b1 + b2) * (b2 + i) / (i + 1)
    return total


def sums(a1, b1, a2, b2):
    c, t = mp.mpf(a1) / (a1 + b1), mp.mpf(a2) / (a2 + b2)
    p, q = above(a1, b1, a2, b2), above(a2, b2, a1, b1)
    of_treatment = c * above(a2, b2, a1 + 1, b1) - t * above(a2 + 1, b2, a1, b1)
    of_control = t * above(a1, b1, a2 + 1, b2) - c * above(a1 + 1, b1, a2, b2)
    return [q, p, of_control, of_treatment]


def text(values):
    return [mp.nstr(v, 20, min_fixed=0, max_fixed=0) for v in values]


mp.mp.dps = 25
families = {"beta": (beta, BETA), "gamma": (gamma, GAMMA), "normal": (normal, NORMAL), "student": (student, STUDENT)}
cases = [
    {"family": name, "control": c, "treatment": t, "scale": s, "null": x, "tails": text(quadrature(f, c, t, s, x))}
    for name, (f, listed) in families.items()
    for c, t, s, nulls in listed
    for x in nulls
    if not print(name, c, x, file=sys.stderr, flush=True)
]
mp.mp.dps = 340
exact = [{"parameters": p, "values": text(sums(*p))} for p in SUMS]
result = {
    "program": f"mpmath {mp.__version__}",
    "command": "python bayes_compare.py",
    "cases": cases,
    "sums": exact,
}
json.dump(result, sys.stdout, indent=1)
print()
