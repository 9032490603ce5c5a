"""python anytime_counts.py > anytime_counts.json: exact anytime-valid answers of counts, by mpmath with 36 digits.

Every likelihood ratio is written out; ends of sets are roots of the logarithm of E, minimised over what the null
leaves open.
"""

import json
import sys

import mpmath as mp

mp.mp.dps = 36
HALF = mp.mpf(1) / 2
SRM = [
    ([0, 0], [1, 1], [100, 10000]),
    ([3993, 3716], [1, 1], [100, 10000]),
    ([1000, 64], [95, 5], [10]),
    ([50030000, 49970000], [0.5, 0.5], [100, 10000]),
    ([12, 0, 7, 81], [0.1, 0.05, 0.1, 0.75], [1, 30, 5000]),
]
CONDITIONAL = [(0, 7, 0.5), (190, 19, 0.05), (585, 59, 0.05), (1, 0, 0.01), (40000000, 40020000, 0.5), (3, 4, 0.9)]
PROPORTIONS = [
    (100, 10000, 150, 10000, 0.5, 10000, 2),
    (9500, 950000, 700, 50000, 0.05, 100000, 2),
    (3, 2000, 11, 400, 0.2, 1000, 1),
    (93, 100, 99, 100, 0.5, 200, 2),
    (50000000, 100000000, 50060000, 100000000, 0.5, 10000, 2),
]


def lambert(alpha):
    return mp.lambertw(-(mp.mpf(alpha) ** 2) / mp.e, -1).real


def log_beta_binomial(a, b, x, c):
    return mp.log(mp.beta(a + x, b + c)) - mp.log(mp.beta(a, b))


def log_dirichlet(counts, weights, k):
    shares = [mp.mpf(w) / mp.fsum(map(mp.mpf, weights)) for w in weights]
    value = mp.loggamma(k) - mp.loggamma(k + sum(counts))
    for n, share in zip(counts, shares, strict=True):
        value += mp.loggamma(k * share + n) - mp.loggamma(k * share) - n * mp.log(share)
    return value


def srm(counts, weights, concentrations):
    evalue = mp.fsum(mp.exp(log_dirichlet(counts, weights, k)) for k in concentrations) / len(concentrations)
    return {"counts": counts, "weights": weights, "concentration": concentrations, "log_evalue": float(mp.log(evalue))}


def above(a, b, theta):
    return mp.betainc(a, b, theta, 1, regularized=True)


def log_conditional(c, x, share, ratio, alternative, alpha=0.05, tune_at=30):
    """Log E of x of c + x events in the treatment, whose share is `share`, against a log rate ratio."""
    w = mp.mpf(share)
    theta = w * mp.exp(ratio) / (w * mp.exp(ratio) + 1 - w)
    k = tune_at / (-lambert(alpha if alternative == "two-sided" else 2 * alpha) - 1)
    total = mp.mpf(0)
    for weight, a, b in ((mp.mpf("0.9"), k * theta, k * (1 - theta)), (mp.mpf("0.1"), HALF, HALF)):
        term = log_beta_binomial(a, b, x, c) - x * mp.log(theta) - c * mp.log(1 - theta)
        factor = mp.mpf(1)
        if alternative == "greater":
            factor = above(a + x, b + c, theta) / above(a, b, theta)
        total += weight * mp.exp(term) * factor
    return mp.log(total)


def conditional(c, x, share):
    def excess(at):
        return log_conditional(c, x, share, at, "two-sided") - mp.log(20)

    def end(sign):
        w = mp.mpf(share)
        best = mp.log((x + HALF) / (c + HALF) * (1 - w) / w)
        near, far = best, best + sign * mp.mpf(1) / 64
        while excess(far) < 0:
            far += (far - near) + sign * mp.mpf(1) / 64
            if abs(far) > 100:
                return None
        return float(mp.findroot(excess, (near, far), solver="anderson", tol=1e-25))

    small = c + x < 10**6
    return {
        "control": c,
        "treatment": x,
        "share": share,
        "two-sided": {str(null): float(log_conditional(c, x, share, null, "two-sided")) for null in (0.0, -0.7)},
        "greater": {str(null): float(log_conditional(c, x, share, null, "greater")) for null in (0.0, -0.7)}
        if small
        else {},
        "interval": [end(-1), end(1)],
    }


class Pair:
    """Log E of two Bernoulli variants against a pair of proportions, as its definition has it."""

    def __init__(self, case, alternative):
        c, n_c, t, n_t, share, tune_at, sides = case
        self.c, self.n_c, self.t, self.n_t = c, n_c, t, n_t
        w = mp.mpf(share)
        rho = w * (1 - w) * mp.mpf("0.02") * tune_at / (-lambert(0.05 * (3 - sides)) - 1)
        spread = min(1 / mp.sqrt(rho), mp.mpf(4))
        steps = int(mp.ceil(mp.log(8 / (mp.mpf("1e-4") * spread)) / mp.log(mp.mpf("1.3"))))
        sizes = [8 / mp.mpf("1.3") ** i for i in range(steps)]
        masses = [1 / (size / spread + spread / size) for size in sizes]
        signs = [1, -1] if alternative == "two-sided" else [1]
        whole = mp.fsum(masses) * len(signs)
        self.tilts = []
        for sign in signs:
            for size, mass in zip(sizes, masses, strict=True):
                s = sign * size
                rest, back = mp.log(1 - w + w * mp.exp(s)), mp.log(1 - w + w * mp.exp(-s))
                for b, a, events in ((-rest, s - rest, True), (back, s + back, False)):
                    self.tilts.append((mass / whole * mp.exp(c * b + t * a), mp.exp(b) - 1, mp.exp(a) - 1, events))
        self.jeffreys = mp.fsum(log_beta_binomial(HALF, HALF, x, n - x) for x, n in ((c, n_c), (t, n_t)))

    def likelihood(self, p_c, p_t):
        cells = ((self.c, p_c), (self.n_c - self.c, 1 - p_c), (self.t, p_t), (self.n_t - self.t, 1 - p_t))
        return mp.fsum(n * mp.log(p) for n, p in cells if n)

    def log_evalue(self, p_c, p_t):
        middle = (p_c + p_t) / 2
        leans = [mp.exp(-mp.mpf("1.4") * p) / (1 + mp.exp(-mp.mpf("1.4"))) for p in (middle, 1 - middle)]
        total = mp.mpf(0)
        for mass, b, a, events in self.tilts:  # the odds times e^a make p e^a / (1 + p (e^a - 1)) of p
            ratio = mass / ((1 + p_c * b) ** self.n_c * (1 + p_t * a) ** self.n_t)
            total += mp.mpf("0.9") * leans[not events] * ratio
        return mp.log(total + mp.mpf("0.1") * mp.exp(self.jeffreys - self.likelihood(p_c, p_t)))

    def least(self, path, start):
        """The least over a path on which E falls, then rises: halvings, then a parabola."""

        def function(logit):
            return self.log_evalue(*path(1 / (1 + mp.exp(-logit))))

        middle, width, tiny = mp.log(start / (1 - start)), mp.mpf(8), mp.mpf("1e-12")
        for _ in range(24):
            width /= 2
            middle += width if function(middle + tiny) < function(middle - tiny) else -width
        step = mp.mpf("1e-6")
        low, here, high = (function(middle + i * step) for i in (-1, 0, 1))
        return function(middle + step * (low - high) / (2 * (low - 2 * here + high)))


def difference(d):
    return lambda q: (q * (1 - abs(d)) + max(-d, 0), q * (1 - abs(d)) + max(d, 0))


def ratio(r):
    return lambda q: (q * min(1, mp.exp(-r)), q * min(1, mp.exp(r)))


def proportions(*case):
    c, n_c, t, n_t = case[:4]
    pooled = mp.mpf(c + t) / (n_c + n_t)
    two, one = (Pair(case, alternative) for alternative in ("two-sided", "greater"))
    estimate = mp.mpf(t) / n_t - mp.mpf(c) / n_c
    spread = mp.sqrt(pooled * (1 - pooled) * (mp.mpf(1) / n_c + mp.mpf(1) / n_t))

    def end(pair, sign):
        def function(d):
            return pair.least(difference(d), pooled) - mp.log(20)

        start = estimate + sign * 3 * spread
        return float(mp.findroot(function, (start, start + sign * spread / 4), tol=1e-25))

    return {
        "case": case,
        "no effect": [float(pair.least(difference(mp.mpf(0)), pooled)) for pair in (two, one)],
        "difference -0.001": float(two.least(difference(mp.mpf("-0.001")), pooled)),
        "ratio 0.95": float(two.least(ratio(mp.log(mp.mpf("0.95"))), pooled)),
        "interval": [end(two, -1), end(two, 1)],
        "lowest": end(one, -1),
    }


if __name__ == "__main__":
    document = {
        "program": f"mpmath {mp.__version__}, Python {sys.version.split()[0]}",
        "command": "python anytime_counts.py",
        "srm": [srm(*case) for case in SRM],
        "conditional": [conditional(*case) for case in CONDITIONAL],
        "proportions": [proportions(*case) for case in PROPORTIONS],
    }
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
