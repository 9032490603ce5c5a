"""python mixture_sequences.py > mixture_sequences.json: mixtures to 25 digits, each as its own paper writes it.

Johari et al. 2022 (mSPRT), Howard et al. 2021 (eq. 14, prop. 5), Waudby-Smith et al. 2024 (eq. 9), Lindon et al. 2022;
one-sided mixtures by integration over the half-normal, conjugate ones as products of predictive probabilities or by
integration over the prior.
"""

import json
import sys

import mpmath as mp

mp.mp.dps = 30
EDGE = mp.mpf(10) ** -25


def shown(value):
    return mp.nstr(value, 22)


def end(falling, low, high):
    """Where a function that falls, and is positive, passes one: halves first, then Ridders on the logarithm."""
    low, high = mp.mpf(low), mp.mpf(high)
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 1 else (low, middle)
    return mp.findroot(lambda x: mp.log(falling(x)), (low, high), solver="ridder", tol=EDGE, verify=False)


# The normal mixture under its names: n pairs, difference d, variance V of a pair's difference, sd of effects tau.


def johari(d, n, v, tau, null):
    d, v, tau = mp.mpf(d) - mp.mpf(null), mp.mpf(v), mp.mpf(tau)
    return mp.sqrt(v / (v + n * tau**2)) * mp.exp(n**2 * tau**2 * d**2 / (2 * v * (v + n * tau**2)))


def howard(s, v, rho, alpha):
    """Boundary of a sum at intrinsic time v."""
    return mp.sqrt((v + rho) * mp.log((v + rho) / (rho * alpha**2)))


def waudby_smith(sd, t, rho, alpha):
    """Half-width of a mean of t observations."""
    return sd * mp.sqrt(2 * (t * rho**2 + 1) / (t**2 * rho**2) * mp.log(mp.sqrt(t * rho**2 + 1) / alpha))


def one_sided(s, v, rho):
    """The mixture over rates with a half-normal density of precision rho."""

    def integrand(rate):
        return mp.exp(rate * s - rate**2 * v / 2) * 2 * mp.sqrt(rho / (2 * mp.pi)) * mp.exp(-rho * rate**2 / 2)

    top = max(s / (v + rho), mp.mpf(0))
    step = 1 / mp.sqrt(v + rho)
    return mp.quad(integrand, [0, top / 2, top, top + 2 * step, top + 5 * step, top + 20 * step])


def tuning(v, alpha):
    """Where the width of eq. 14 is least, from its derivative: log((v + rho) / (rho alpha^2)) = v / rho."""
    return end(lambda rho: v / rho / mp.log((v + rho) / (rho * alpha**2)), v * mp.mpf("1e-6"), 10 * v)


def normal_case(alpha, d, n, v, tau):
    a, rho = mp.mpf(alpha), mp.mpf(v) / mp.mpf(tau) ** 2
    s, intrinsic = n * mp.mpf(d), n * mp.mpf(v)
    radius = howard(s, intrinsic, rho * mp.mpf(v), a) / n
    same = waudby_smith(mp.sqrt(mp.mpf(v)), n, 1 / mp.sqrt(rho), a)
    assert abs(radius - same) < EDGE * radius
    assert abs(johari(d, n, v, tau, mp.mpf(d) + radius) * a - 1) < EDGE
    unit = 1 / mp.sqrt(mp.mpf(v))  # one-sided, on the scale of variance 1
    greater = end(lambda m: one_sided((mp.mpf(d) - m) * n * unit, mp.mpf(n), rho) * a, mp.mpf(d) - radius, d)
    return {
        "alpha": float(alpha),
        "difference": float(d),
        "pairs": n,
        "variance": float(v),
        "tau": float(tau),
        "log_evalue": shown(mp.log(johari(d, n, v, tau, 0))),
        "radius": shown(radius),
        "log_evalue_greater": shown(mp.log(one_sided(s * unit, mp.mpf(n), rho))),
        "low_greater": shown(greater),
    }


def multiplier(alpha, times):
    """Half-width in standard errors at a multiple of the number for which the sequence is tuned."""
    a, t = mp.mpf(alpha), 1000 * mp.mpf(times)
    rho = tuning(mp.mpf(1000), a)
    width = howard(0, t, rho, a) / mp.sqrt(t)
    return {"alpha": float(alpha), "times": float(times), "rho": shown(rho), "multiplier": shown(width)}


# Linear models: the density of t, or of F, under the mixture over that under the null.


def student(t, nu):
    return mp.gamma((nu + 1) / 2) / mp.sqrt(nu * mp.pi) / mp.gamma(nu / 2) * (1 + t**2 / nu) ** (-(nu + 1) / 2)


def fisher(f, d, nu):
    return (d / nu) ** (d / 2) * f ** (d / 2 - 1) * (1 + d * f / nu) ** (-(d + nu) / 2) / mp.beta(d / 2, nu / 2)


def linear_case(alpha, t, n, nu, g):
    a, nu_, r = mp.mpf(alpha), mp.mpf(nu), mp.mpf(g) / (mp.mpf(g) + n)

    def ratio(t):
        return mp.sqrt(r) * student(t * mp.sqrt(r), nu_) / student(t, nu_)

    f, d = mp.mpf(t) ** 2 / 2, mp.mpf(3)
    return {
        "alpha": float(alpha),
        "t": float(t),
        "n": n,
        "df": nu,
        "g": float(g),
        "log_evalue": shown(mp.log(ratio(mp.mpf(t)))),
        "radius": shown(-end(lambda t: ratio(t) * a, -50, 0)),
        "f": float(f),
        "log_evalue_f": shown(mp.log(r * fisher(f * r, d, nu_) / fisher(f, d, nu_))),
    }


# Zeros and ones: the predictive probability of each outcome over its probability under the null.


def beta_ratio(n, ones, p, a, b):
    value = mp.mpf(1)
    for i in range(ones):
        value *= (a + i) / ((a + b + i) * p)
    for j in range(n - ones):
        value *= (b + j) / ((a + b + ones + j) * (1 - p))
    return value


def beta_above(n, ones, p, a, b):
    """The mixture over proportions above p only."""

    def likelihood(x):
        return (x / p) ** ones * ((1 - x) / (1 - p)) ** (n - ones)

    def density(x):
        return x ** (a - 1) * (1 - x) ** (b - 1)

    points = [p, p + (1 - p) / 8, p + (1 - p) / 3, 1]
    return mp.quad(lambda x: likelihood(x) * density(x), points) / mp.quad(density, points)


def beta_case(alpha, n, ones, tune_at):
    a, share = mp.mpf(alpha), mp.mpf(ones) / n
    weight = tuning(mp.mpf(tune_at), a) - 1

    def ratio(p):
        return beta_ratio(n, ones, p, weight * p, weight * (1 - p)) * a

    def given(p):
        return beta_ratio(n, ones, p, mp.mpf("0.5"), mp.mpf("1.5")) * a

    case = {
        "alpha": float(alpha),
        "n": n,
        "ones": ones,
        "tune_at": tune_at,
        "log_evalue": shown(mp.log(ratio(mp.mpf("0.3")) / a)),
        "low": shown(end(ratio, EDGE, share)),
        "high": shown(-end(lambda p: ratio(-p), -1 + EDGE, -share)),
        "low_prior": shown(end(given, EDGE, share)),
        "high_prior": shown(-end(lambda p: given(-p), -1 + EDGE, -share)),
    }
    if 2 * a < 0.9 and share < 0.5:
        half = tuning(mp.mpf(tune_at), 2 * a) - 1
        above = end(lambda p: beta_above(n, ones, p, half * p, half * (1 - p)) * a, share / 50, share)
        case["low_greater"] = shown(above)
    return case


# Events: the integral of the Poisson likelihood ratio over a gamma prior with the null as its mean.


def gamma_ratio(y, expected, a, low=0, high=mp.inf):
    """Over expected numbers of events, those of the prior between low and high times the null."""

    def density(x):  # of the ratio to the null
        return x ** (a - 1) * mp.exp(-a * x)

    def likelihood(x):
        return x**y * mp.exp(-(x - 1) * expected)

    peak = (a + y) / (a + expected)
    middle = sorted({peak, peak / 2, 2 * peak, mp.mpf(1)})
    points = [low, *[x for x in middle if low < x < high], high]
    return mp.quad(lambda x: likelihood(x) * density(x), points) / mp.quad(density, points)


def gamma_case(alpha, y, tune_at):
    a, shape = mp.mpf(alpha), tuning(mp.mpf(tune_at), mp.mpf(alpha))
    low, high = y / mp.mpf(50), 6 * y + 60
    case = {
        "alpha": float(alpha),
        "events": y,
        "tune_at": tune_at,
        "log_evalue": shown(mp.log(gamma_ratio(y, mp.mpf(10), shape))),
        "high": shown(-end(lambda m: gamma_ratio(y, -m, shape) * a, -high, -y)),
    }
    if y >= 17:
        case["low"] = shown(end(lambda m: gamma_ratio(y, m, shape) * a, low, y))
        half = tuning(mp.mpf(tune_at), 2 * a)
        case["low_greater"] = shown(end(lambda m: gamma_ratio(y, m, half, low=mp.mpf(1)) * a, low, y))
        case["high_less"] = shown(-end(lambda m: gamma_ratio(y, -m, half, high=mp.mpf(1)) * a, -high, -y))
    return case


def calibrator(p):
    """p to e by the integral over kappa."""
    return {"pvalue": float(p), "evalue": shown(mp.quad(lambda k: k * mp.mpf(p) ** (k - 1), [0, 0.05, 0.3, 1]))}


ALPHAS = ("0.05", "1e-6", "0.5")
PAIRS = [("0.3", 100, "2", "0.2"), ("0.011", 50_000, "0.19", "0.01"), ("-4", 7, "30", "2.5"), ("0.9", 4000, "1", "0.7")]
TIMES = ("0.1", "0.25", "1", "4", "10", "200")
LINEAR = [("0.05", "2.4", 100, 97, "12"), ("0.01", "-6", 30, 20, "3.5"), ("0.05", "31", 5000, 4990, "600")]
BETA = [("0.05", 60, 9, 100), ("0.05", 400, 396, 1000), ("1e-6", 300, 40, 200), ("0.5", 20, 7, 10)]
GAMMA = [("0.05", 0, 30), ("0.05", 17, 30), ("1e-6", 140, 100), ("0.5", 3, 5)]
PVALUES = ("1e-12", "0.001", "0.05", "0.5", "0.999", "0.9999", "0.99999999")

if __name__ == "__main__":
    document = {
        "program": f"mpmath {mp.__version__}, Python {sys.version.split()[0]}",
        "command": "python mixture_sequences.py",
        "normal": [normal_case(alpha, *pair) for alpha in ALPHAS for pair in PAIRS],
        "multipliers": [multiplier(alpha, times) for alpha in ("0.05", "0.01", "1e-6") for times in TIMES],
        "linear": [linear_case(*row) for row in LINEAR],
        "beta": [beta_case(*row) for row in BETA],
        "calibrators": [calibrator(p) for p in PVALUES],
    }
    mp.mp.dps = 22
    document["gamma"] = [gamma_case(*row) for row in GAMMA]
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
