"""100,000 pairs compared in one call, beside bayesian-testing and beside plain Monte Carlo of 20,000 draws a pair.

Each answers two questions of each pair: how probable is it that the treatment is better, and what is lost, on average,
by choosing it. abkit answers them of all pairs; the others of a part of them, spread over the whole, and their time for
all is that part's, scaled. Time is the processor's, so that other work on the machine counts for little. How far off
they are, at the median and at most, is measured on some of that part: against the exact sum of Miller (2015) in 50
digits for two betas, and SciPy's adaptive quadrature for two means.

    python benchmarks/bayes.py [pairs] [of them by drawing] [of them in many digits]
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

import abkit as ab

DRAWS = 20_000
Answers = np.ndarray[Any, Any]


def shares(size: int) -> tuple[ab.Counts, ab.Counts]:
    """Pairs of 300 to 100,000 units each, whose effects are nothing, small or plain."""
    rng = np.random.default_rng(1)
    n = np.exp(rng.uniform(np.log(300), np.log(100_000), (2, size))).astype(int)
    share = rng.beta(2, 20, size)
    other = np.clip(share * np.exp(rng.normal(0, 0.1, size)), 0, 0.9)
    return ab.Counts(n[0], rng.binomial(n[0], share)), ab.Counts(n[1], rng.binomial(n[1], other))


def means(size: int) -> tuple[ab.Moments, ab.Moments]:
    """The same with means."""
    rng = np.random.default_rng(2)
    n = np.exp(rng.uniform(np.log(300), np.log(100_000), (2, size))).astype(int)
    mean = rng.normal(0, 2, (2, size)) / np.sqrt(n) + 10
    m2 = rng.chisquare(n - 1)
    return ab.Moments(n[0], mean[0], m2[0]), ab.Moments(n[1], mean[1], m2[1])


def ours(control: Any, treatment: Any) -> Answers:
    found = ab.bayes.compare(control, treatment)
    return np.stack([found.probability_better, found.expected_loss[1]])


def drawn(control: Any, treatment: Any, rows: Any) -> Answers:
    rng = np.random.default_rng(3)
    found = []
    for i in rows:
        a, b = (draws(rng, statistics, i) for statistics in (control, treatment))
        found.append((np.mean(b > a), np.mean(np.maximum(a - b, 0))))
    return np.array(found).T


def draws(rng: Any, of: Any, i: int) -> Answers:
    if isinstance(of, ab.Counts):
        return rng.beta(1 + of.successes[i], 1 + of.n[i] - of.successes[i], DRAWS)
    scale = np.sqrt(of.m2[i] / (of.n[i] - 1) / of.n[i])
    return of.mean[i] + scale * rng.standard_t(of.n[i] - 1, DRAWS)


def theirs(control: Any, treatment: Any, rows: Any) -> Answers:
    """bayesian-testing, with uniform priors of shares, and its own weak prior of means."""
    from bayesian_testing.experiments import BinaryDataTest, NormalDataTest

    found = []
    for i in rows:
        test = BinaryDataTest() if isinstance(control, ab.Counts) else NormalDataTest()
        for name, of in (("control", control), ("treatment", treatment)):
            if isinstance(of, ab.Counts):
                test.add_variant_data_agg(name, int(of.n[i]), int(of.successes[i]), 1, 1)
            else:
                total = float(of.n[i] * of.mean[i])
                test.add_variant_data_agg(name, int(of.n[i]), total, float(of.m2[i] + total * of.mean[i]))
        answer = test.evaluate(sim_count=DRAWS, seed=int(i))[1]
        found.append((answer["prob_being_best"], answer["expected_loss"]))
    return np.array(found).T


def exact(control: Any, treatment: Any, i: int) -> tuple[float, float]:
    if isinstance(control, ab.Moments):
        return exact_means(control, treatment, i)
    import mpmath as mp

    with mp.workdps(50):
        parts = [
            (mp.mpf(int(1 + s.successes[i])), mp.mpf(int(1 + s.n[i] - s.successes[i]))) for s in (control, treatment)
        ]
        (a, b), (c, d) = parts
        # E max(C - T, 0) = E C P(C' > T) - E T P(C > T'), where a prime is one more success
        loss = a / (a + b) * (1 - above(mp, a + 1, b, c, d)) - c / (c + d) * (1 - above(mp, a, b, c + 1, d))
        return float(above(mp, a, b, c, d)), float(loss)


def above(mp: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """P(T > C) of two betas with whole parameters, as a finite sum whose terms follow from one another."""
    term = mp.beta(a, b + d) / (d * mp.beta(1, d) * mp.beta(a, b))
    total = mp.mpf(0)
    for i in range(int(c)):
        total += term
        term *= (a + i) / (a + b + d + i) * (d + i) / (i + 1)
    return total


def exact_means(control: Any, treatment: Any, i: int) -> tuple[float, float]:
    from scipy import integrate, special

    (m, s, v), (k, r, w) = (
        (x.mean[i], np.sqrt(x.m2[i] / (x.n[i] - 1) / x.n[i]), float(x.n[i] - 1)) for x in (control, treatment)
    )
    peak = np.exp(special.gammaln((v + 1) / 2) - special.gammaln(v / 2)) / np.sqrt(v * np.pi)

    def worth(u: float) -> tuple[float, float]:
        """Of a control at u deviates: P(T > C) and E max(C - T, 0), times its density."""
        z = (m + s * u - k) / r
        of_treatment = np.exp(special.gammaln((w + 1) / 2) - special.gammaln(w / 2)) / np.sqrt(w * np.pi)
        of_treatment *= (1 + z * z / w) ** (-(w + 1) / 2)
        loss = r * (z * special.stdtr(w, z) + (w + z * z) / (w - 1) * of_treatment)
        density = peak * (1 + u * u / v) ** (-(v + 1) / 2)
        return density * special.stdtr(w, -z), density * loss

    cuts = (-40, -12, -6, -3, -1, 0, 1, 3, 6, 12, 40)
    better, loss = (
        sum(
            integrate.quad(lambda u, part=part: worth(u)[part], low, high, epsabs=1e-16, epsrel=1e-13, limit=200)[0]
            for low, high in pairwise(cuts)
        )
        for part in (0, 1)
    )
    return better, loss


def best(run: Callable[[], Any], rounds: int = 3) -> tuple[float, Any]:
    seconds = np.inf
    for _ in range(rounds):
        start = time.process_time()
        result = run()
        seconds = min(seconds, time.process_time() - start)
    return seconds, result


def main(size: int = 100_000, part: int = 100, digits: int = 25) -> None:
    print(f"{size:,} pairs, {part:,} of them by {DRAWS:,} draws, {os.cpu_count()} processors", flush=True)
    for name, pairs in (("shares", shares(size)), ("means", means(size))):
        ab.bayes.compare(*(type(p)(*(getattr(p, f)[:9] for f in p.__dataclass_fields__ if f != "kind")) for p in pairs))
        seconds, found = best(lambda pairs=pairs: ours(*pairs))
        print(f"{name:<8} {'abkit':<16} {seconds:8.2f} s for all", flush=True)
        rows = np.linspace(0, size - 1, part).astype(int)
        some = rows[:: max(1, part // digits)]
        truth = np.array([exact(*pairs, i) for i in some]).T
        report("abkit", found[:, some], truth)
        for other, way in (("NumPy draws", drawn), ("bayesian-testing", theirs)):
            loop, answers = best(lambda way=way, pairs=pairs, rows=rows: way(*pairs, rows), 1)
            total = loop * size / part
            print(f"{name:<8} {other:<16} {total:8.0f} s (scaled) {total / seconds:8.0f} x", flush=True)
            report(other, answers[:, np.isin(rows, some)], truth)


def report(name: str, found: Answers, truth: Answers) -> None:
    off = np.abs(found - truth)
    print(
        f"         {name:<16} off by: probability {np.median(off[0]):.0e}, at most {off[0].max():.0e}"
        f"; loss {np.median(off[1]):.0e}, at most {off[1].max():.0e}",
        flush=True,
    )


if __name__ == "__main__":
    main(*(int(float(argument)) for argument in sys.argv[1:]))
