"""python proportion_extremes.py > proportion_extremes.json: two proportions where double precision is at its limits.

Score statistics of a difference, a ratio and an odds ratio, each at the maximum of the restricted likelihood, which is
found by bisection of the log-likelihood's slope along the log odds of the place in its range; and the normal quantile
at which Newcombe's hybrid of Wilson's limits, each a root of its quadratic equation, reaches a null. 60 digits.
"""

import json
import sys

import mpmath as mp

mp.mp.dps = 60
# control and treatment as (successes, n); nulls are text, so that they are read as doubles and exact from there
CASES = [
    ((10**9 - 3, 10**9), (10**9 - 9, 10**9), ["1e-9", "-7e-9", "-2e-8"]),
    ((3, 10**9), (9, 10**9), ["-1e-9", "7e-9", "2e-8"]),
    ((0, 10**9), (1, 10**6), ["1e-7", "4e-6", "0.5"]),
    ((10**6, 10**6), (999_990, 10**6), ["-1e-6", "-3e-5", "1e-12"]),
    ((5 * 10**8, 10**9), (500_060_000, 10**9), ["0", "1e-4", "1.5e-4"]),
    ((2, 12), (10**8, 10**9), ["-0.3", "0.2", "0.85"]),
    ((1, 528_343_281), (133_030, 133_037), ["0.9999", "0.99995", "0.99999"]),
    ((0, 20), (0, 35), ["0.01", "-0.1", "0.7"]),
    ((20, 20), (35, 35), ["0.01", "-0.1", "-0.7"]),
    ((0, 8), (9, 9), ["0.999", "0.3", "-0.999"]),
    ((1, 1), (0, 1), ["-0.5", "0", "0.5"]),
]
SHARES = ["-0.999999", "-0.5", "1e-9", "0.25", "1e6"]
MODEST = SHARES[1:4]  # beyond, the hybrid's limits no longer move, and the quantile has no digits
LOG_ODDS = ["-3", "0.1", "2", "12"]


def root(falling, low, high):
    for _ in range(260):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2


def logistic(x):
    return 1 / (1 + mp.exp(-x))


def restricted(control, treatment, shares):
    """The maximum of the likelihood where `shares(place)` are (p_c, q_c, p_t, q_t)."""
    (c, n_c), (t, n_t) = control, treatment

    def likelihood(x):
        counts = (c, n_c - c, t, n_t - t)
        return sum(k * mp.log(p) for k, p in zip(counts, shares(logistic(x), logistic(-x)), strict=True) if k)

    step = mp.mpf(10) ** -15
    x = root(lambda x: likelihood(x + step) - likelihood(x - step), mp.mpf(-90), mp.mpf(90))
    return shares(logistic(x), logistic(-x))


def gap(control, treatment, ratio, null):
    return mp.mpf(treatment[0]) / treatment[1] - ratio * mp.mpf(control[0]) / control[1] - null


def z(control, treatment, ratio, null, shares):
    p_c, q_c, p_t, q_t = restricted(control, treatment, shares)
    variance = p_t * q_t / treatment[1] + ratio**2 * p_c * q_c / control[1]
    return gap(control, treatment, ratio, null) / mp.sqrt(variance)


def of_difference(control, treatment, null):
    if null == 0:
        return z(control, treatment, 1, 0, lambda u, v: (u, v, u, v))
    if null < 0:
        return -of_difference(treatment, control, -null)
    room = 1 - null
    return z(control, treatment, 1, null, lambda u, v: (room * u, room * v + null, room * u + null, room * v))


def of_share(control, treatment, share):
    ratio = 1 + share
    if share < 0:
        return -of_share(treatment, control, -share / ratio)
    return z(control, treatment, ratio, 0, lambda u, v: (u / ratio, (v + share) / ratio, u, v))


def of_odds(control, treatment, log_odds):
    """The treatment's successes against those expected of both margins: the score of the log odds ratio."""
    (c, n_c), (t, n_t) = control, treatment

    def expected(x):
        return n_c * logistic(x) + n_t * logistic(x + log_odds)

    x = root(lambda x: (c + t) - expected(x), mp.mpf(-120), mp.mpf(120))
    cells = [n * logistic(s * y) for n, y in ((n_c, x), (n_t, x + log_odds)) for s in (1, -1)]
    return (t - cells[2]) * mp.sqrt(sum(1 / cell for cell in cells))


def wilson(successes, n, quantile):
    """Both roots of (p - successes/n)^2 = quantile^2 p (1 - p) / n."""
    a, b = n + quantile**2, 2 * successes + quantile**2
    spread = mp.sqrt(b * b - 4 * a * mp.mpf(successes) ** 2 / n)
    return (b - spread) / (2 * a), (b + spread) / (2 * a)


def newcombe(control, treatment, ratio, null):
    distance = gap(control, treatment, ratio, null)
    p_c, p_t = mp.mpf(control[0]) / control[1], mp.mpf(treatment[0]) / treatment[1]

    def reach(quantile):
        (low_c, high_c), (low_t, high_t) = wilson(*control, quantile), wilson(*treatment, quantile)
        if distance > 0:
            return mp.hypot(p_t - low_t, ratio * (high_c - p_c))
        return mp.hypot(high_t - p_t, ratio * (p_c - low_c))

    most = mp.mpf(10) ** 12
    if reach(most) < abs(distance):
        return mp.sign(distance) * mp.inf
    return mp.sign(distance) * mp.exp(root(lambda x: abs(distance) - reach(mp.exp(x)), mp.mpf(-60), mp.log(most)))


def shown(value):
    return mp.nstr(value, 25)


def number(text):
    return mp.mpf(float(text))


def case(control, treatment, nulls):
    nulls, shares = {text: number(text) for text in nulls}, {text: number(text) for text in SHARES}
    result = {
        "control": control,
        "treatment": treatment,
        "difference": {text: shown(of_difference(control, treatment, null)) for text, null in nulls.items()},
        "newcombe": {text: shown(newcombe(control, treatment, 1, null)) for text, null in nulls.items()},
    }
    successes, n = control[0] + treatment[0], control[1] + treatment[1]
    if successes:
        result["ratio"] = {text: shown(of_share(control, treatment, share)) for text, share in shares.items()}
        ratios = {text: newcombe(control, treatment, 1 + shares[text], 0) for text in MODEST}
        result["newcombe_ratio"] = {text: shown(value) for text, value in ratios.items()}
    if 0 < successes < n:
        result["log_odds"] = {text: shown(of_odds(control, treatment, number(text))) for text in LOG_ODDS}
    return result


if __name__ == "__main__":
    program = f"mpmath {mp.__version__}, Python {sys.version.split()[0]}"
    document = {"program": program, "command": "python proportion_extremes.py", "cases": [case(*c) for c in CASES]}
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
