"""python bayes_factor_exact.py > bayes_factor_exact.json: Bayes factors as ratios of marginal likelihoods, by mpmath.

Shares and rates: products of beta and gamma functions, in 80 places. Means under a normal-inverse-gamma prior: the
densities of equal means before and after, each an integral. A prior of the effect: the mean of the estimate's density
over the prior, against that without an effect.
"""

import json
import sys

import mpmath as mp

mp.mp.dps = 80
SHARES = [((1, 1), (100, 1000), (130, 1000)), ((0.5, 0.5), (0, 12), (5, 9)), ((2, 38), (50000, 10**6), (50700, 10**6))]
SHARES += [
    ((1, 1), (10**9, 10**11), (10**9 + 10**5, 10**11)),
    ((1, 1), (0, 0), (0, 0)),
    ((1, 1), (10, 10**4), (900, 10**4)),
]
RATES = [
    ((2, 400), (17, 1200.5), (30, 1300)),
    ((0.5, 0.01), (0, 3), (7, 5)),
    ((3, 10), (10**8, 10**6), (10**8 + 10**5, 10**6)),
]
MEANS = [((10, 2, 3, 4), (5, 10.8, 3.38), (8, 12.2, 2.22)), ((0, 0.1, 1, 1), (100, 0, 99), (150, 0.5, 149))]
EFFECTS = [("normal", (0, 0.02)), ("normal", (0.01, 0.005)), ("student", (4, 0, 0.02)), ("student", (0.1, 0.02, 0.02))]
EFFECTS += [("mixture", ((0.5, 0.5), (0, 0), (0.01, 0.05))), ("mixture", ((0.9, 0.1), (0, 0.02), (0.002, 0.03)))]


def shares(prior, *variants):
    a, b = map(mp.mpf, prior)
    log_beta = [mp.log(mp.beta(a + y, b + n - y)) for y, n in (*variants, tuple(map(sum, zip(*variants, strict=True))))]
    return log_beta[0] + log_beta[1] - log_beta[2] - mp.log(mp.beta(a, b))


def rates(prior, *variants):
    k, rate = map(mp.mpf, prior)

    def log_gamma(y, exposure):
        return mp.loggamma(k + y) - (k + y) * mp.log(rate + mp.mpf(exposure))

    total = log_gamma(*map(sum, zip(*variants, strict=True)))
    return log_gamma(*variants[0]) + log_gamma(*variants[1]) - total + k * mp.log(rate) - mp.loggamma(k)


def student(mean, weight, shape, scale):
    """The density of a mean under normal-inverse-gamma, Murphy (2007), eq. 110."""
    s, v = mp.sqrt(mp.mpf(scale) / (shape * weight)), 2 * mp.mpf(shape)
    c = mp.gamma((v + 1) / 2) / (mp.gamma(v / 2) * mp.sqrt(v * mp.pi) * s)
    return lambda x: c * (1 + ((x - mean) / s) ** 2 / v) ** (-(v + 1) / 2), mean, s


def after(prior, n, mean, m2):
    m, w, a, b = map(mp.mpf, prior)
    mean, m2 = mp.mpf(repr(mean)), mp.mpf(repr(m2))
    return (w * m + n * mean) / (w + n), w + n, a + mp.mpf(n) / 2, b + m2 / 2 + w * n * (mean - m) ** 2 / (2 * (w + n))


def equal(one, other):
    (f, m, s), (g, k, r) = student(*one), student(*other)
    cuts = sorted(
        {x + sign * j * w for x, w in ((m, s), (k, r)) for j in (0, 1, 3, 8, 20, 60, 300) for sign in (-1, 1)}
    )
    return mp.log(mp.quad(lambda x: f(x) * g(x), [-mp.inf, *cuts, mp.inf]))


def means(prior, control, treatment):
    own = tuple(map(mp.mpf, prior))
    return equal(own, own) - equal(after(prior, *control), after(prior, *treatment))


def prior_density(kind, given):
    if kind == "normal":
        return lambda e: mp.npdf(e, *given)
    if kind == "mixture":
        return lambda e: sum(w * mp.npdf(e, m, s) for w, m, s in zip(*given, strict=True))
    df, m, s = map(mp.mpf, given)
    c = mp.gamma((df + 1) / 2) / (mp.gamma(df / 2) * mp.sqrt(df * mp.pi) * s)
    return lambda e: c * (1 + ((e - m) / s) ** 2 / df) ** (-(df + 1) / 2)


def student_sides(df, m, s):
    """What lies below and above zero, whose integrals converge slowly where tails are heavy."""
    outer = mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + (m / s) ** 2), regularized=True) / 2
    return [outer, 1 - outer] if m > 0 else [1 - outer, outer]


def effect(kind, given, n=1000, y=(100, 130)):
    """Of counts, whose estimate is taken as normal."""
    p = [mp.mpf(k) / n for k in y]
    estimate, s = p[1] - p[0], mp.sqrt(sum(q * (1 - q) for q in p) / n)
    density = prior_density(kind, given)
    cuts = [mp.mpf(k) / 100 for k in (-40, -20, -10, -6, -4, -2, -1)]
    sides = [[-mp.inf, *cuts, 0], [0, *(-c for c in reversed(cuts)), mp.inf]]
    joint = [mp.quad(lambda e: density(e) * mp.npdf(estimate, e, s), cut) for cut in sides]
    before = student_sides(*map(mp.mpf, given)) if kind == "student" else [mp.quad(density, cut) for cut in sides]
    none = mp.npdf(estimate, 0, s)
    two = mp.log(sum(joint) / sum(before) / none)
    return [two, *(mp.log(j / b / none) for j, b in zip(joint, before, strict=True))]


def text(value):
    return mp.nstr(value, 20)


def rows(of, listed):
    return [{"prior": p, "control": c, "treatment": t, "log_factor": text(of(p, c, t))} for p, c, t in listed]


found = {"program": f"mpmath {mp.__version__}", "command": "python bayes_factor_exact.py"}
found |= {"shares": rows(shares, SHARES), "rates": rows(rates, RATES)}
mp.mp.dps = 25
found["means"] = rows(means, MEANS)
found["effects"] = [
    {"kind": k, "prior": p, **dict(zip(("two-sided", "less", "greater"), map(text, effect(k, p)), strict=True))}
    for k, p in EFFECTS
]
json.dump(found, sys.stdout, indent=1)
print()
