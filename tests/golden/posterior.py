"""python posterior.py > posterior.json: which of several is best, and what a wrong choice costs.

Integrals of products of distribution functions by mpmath's adaptive quadrature in 20 places, cut where densities are;
two betas with whole parameters by the finite sum of Miller (2015) in 60 places.
"""

import json
import sys

import mpmath as mp

mp.mp.dps = 20
CASES = {
    "beta": [[(1, 1), (1, 1), (1, 1)], [(21, 81), (31, 76)], [(0.5, 3.5), (2.25, 7)]],
    "normal": [[(0, 1), (0.5, 2)], [(1, 0.1), (1.2, 0.2), (0.3, 0.4)]],
    "student": [[(0, 1, 4), (0.5, 2, 8)]],
    "gamma": [[(20, 10), (30, 12)], [(0.5, 1), (3, 2)]],
}
SUMS = [(3, 5, 2, 9), (1, 1, 500, 500), (2, 100000, 7, 100000), (10, 10, 1000, 10), (400, 600, 700, 300)]
SUMS += [(30, 10, 20, 900), (5001, 95001, 5011, 94991)]


def functions(family, parameters):
    """Density and distribution function of an arm, and where its mass is."""
    p = [mp.mpf(value) for value in parameters]
    if family == "beta":
        mean, sd = p[0] / sum(p), mp.sqrt(p[0] * p[1] / (sum(p) ** 2 * (sum(p) + 1)))
        scale = mp.beta(*p)
        return (
            lambda x: x ** (p[0] - 1) * (1 - x) ** (p[1] - 1) / scale,
            lambda x: mp.betainc(*p, 0, min(x, 1), regularized=True),
            (mean, sd, 0, 1),
        )
    if family == "normal":
        return lambda x: mp.npdf(x, *p), lambda x: mp.ncdf(x, *p), (p[0], p[1], -mp.inf, mp.inf)
    if family == "gamma":

        def pdf(x):
            return p[1] ** p[0] * x ** (p[0] - 1) * mp.exp(-p[1] * x) / mp.gamma(p[0])

        return (
            pdf,
            lambda x: mp.gammainc(p[0], 0, p[1] * x, regularized=True),
            (p[0] / p[1], mp.sqrt(p[0]) / p[1], 0, mp.inf),
        )
    m, s, v = p
    c = mp.gamma((v + 1) / 2) / (mp.gamma(v / 2) * mp.sqrt(v * mp.pi) * s)

    def pdf(x):
        return c * (1 + ((x - m) / s) ** 2 / v) ** (-(v + 1) / 2)

    def cdf(x):
        tail = mp.betainc(v / 2, 0.5, 0, v / (v + ((x - m) / s) ** 2), regularized=True) / 2
        return 1 - tail if x > m else tail

    return pdf, cdf, (m, s, -mp.inf, mp.inf)


def cuts(arms):
    low, high = max(a[2][2] for a in arms), min(a[2][3] for a in arms)
    points = {mean + k * sd for _, _, (mean, sd, _, _) in arms for k in (-100, -9, -3, 0, 3, 9, 100)}
    points.add(1 / mp.mpf("1.05"))  # where a share, raised by a twentieth, is 1
    return [low, *sorted(x for x in points if low < x < high), high]


def case(family, parameters):
    arms = [functions(family, p) for p in parameters]
    cut = cuts(arms)

    def product(x, but=None):
        return mp.fprod(cdf(x) for k, (_, cdf, _) in enumerate(arms) if k != but)

    best = [mp.quad(lambda x, k=k: arms[k][0](x) * product(x, k), cut) for k in range(len(arms))]
    loss = [mp.quad(lambda x, k=k: arms[k][1](x) * (1 - product(x, k)), cut) for k in range(len(arms))]
    c = max(range(len(arms)), key=lambda k: best[k])
    relative = family in ("beta", "gamma")
    margin = mp.mpf("0.05")
    raised = (lambda x: x * (1 + margin)) if relative else (lambda x: x + margin)
    within = mp.quad(lambda x: arms[c][0](x) * product_at(arms, raised(x), c), cut)
    return {
        "family": family,
        "parameters": parameters,
        "best": numbers(best),
        "loss": numbers(loss),
        "within": float(within),
    }


def product_at(arms, x, but):
    return mp.fprod(cdf(x) for k, (_, cdf, _) in enumerate(arms) if k != but)


def numbers(values):
    return [float(value) for value in values]


def second_is_larger(a1, b1, a2, b2):
    with mp.workdps(60):
        terms = (
            mp.exp(log_beta(a1 + i, b1 + b2) - mp.log(b2 + i) - log_beta(1 + i, b2) - log_beta(a1, b1))
            for i in range(a2)
        )
        return mp.fsum(terms)


def log_beta(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


if __name__ == "__main__":
    cases = [case(family, parameters) for family, listed in CASES.items() for parameters in listed]
    sums = [
        {
            "parameters": p,
            "second": float(second_is_larger(*p)),
            "first": float(second_is_larger(p[2], p[3], p[0], p[1])),
        }
        for p in SUMS
    ]
    program = f"mpmath {mp.__version__}, Python {sys.version.split()[0]}"
    print(
        json.dumps(
            {"program": program, "command": "mp.quad, mp.betainc, mp.loggamma", "cases": cases, "sums": sums}, indent=1
        )
    )
