"""Coverage of the bootstrap's intervals, by simulation; writes docs/calibration-resampling.md.

An interval covers the truth exactly when the test of the truth has p >= 0.05 (a law that the contract tests hold every
test to), so coverage is read off p-values. Both variants are drawn from one distribution, so that the truth is 0.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import abkit as ab

pytestmark = pytest.mark.calibration

PAGE = Path(__file__).parents[2] / "docs" / "calibration-resampling.md"
RESAMPLES = 399
#: Repetitions with few units, and with many.
SMALL, LARGE = 400, 200
#: Units of control and treatment, repetitions and methods: unequal variants show what skewness does.
SETTINGS = [
    ((20, 20), SMALL, ("percentile", "basic", "bca", "studentised")),
    ((380, 20), SMALL, ("percentile", "basic", "bca", "studentised")),
    ((1_000, 1_000), LARGE, ("percentile", "little")),
    ((8_000, 2_000), LARGE, ("percentile", "little")),
]
DATA = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal, sigma 1": lambda rng, n: rng.lognormal(size=n),
    "lognormal, sigma 2": lambda rng, n: rng.lognormal(0, 2, size=n),
}
HEAD = f"""# Calibration of the bootstrap

How often 95% intervals of the difference of two means hold the true difference, with {RESAMPLES} resamples. Made by
`make calibrate` with a fixed seed (`tests/calibration/test_resampling.py`). In brackets the bound of the simulation: a
method that is nominal lies within it of 95% in 95 of 100 simulations.

| data | units of control and treatment | {" | ".join(("percentile", "basic", "bca", "studentised", "little"))} |
|---|---|---|---|---|---|---|
"""


def coverage(data: str, sizes: tuple[int, int], repetitions: int, methods: tuple[str, ...]) -> dict[str, float]:
    rng = np.random.default_rng([len(data), *sizes])
    held = dict.fromkeys(methods, 0)
    for _ in range(repetitions):
        control, treatment = (DATA[data](rng, n) for n in sizes)
        for method in methods:
            result = ab.bootstrap_test(control, treatment, method=method, resamples=RESAMPLES, rng=rng)
            held[method] += not result.pvalue < 0.05
    return {method: count / repetitions for method, count in held.items()}


def test_the_coverage_of_bootstrap_intervals_and_its_page():
    lines, found = [], {}
    for data in DATA:
        for sizes, repetitions, methods in SETTINGS:
            shares = coverage(data, sizes, repetitions, methods)
            found |= {(data, sizes, method): share for method, share in shares.items()}
            bound = 1.96 * math.sqrt(0.95 * 0.05 / repetitions)
            cells = [
                f"{shares[m]:.1%}" if m in shares else ""
                for m in ("percentile", "basic", "bca", "studentised", "little")
            ]
            lines.append(f"| {data} | {sizes[0]} and {sizes[1]} (±{100 * bound:.1f} points) | {' | '.join(cells)} |")
    PAGE.write_text(HEAD + "\n".join(lines) + "\n\n" + TAIL, encoding="utf-8")

    def within(share: float, repetitions: int, points: float) -> bool:
        return abs(share - 0.95) <= points / 100 + 3 * math.sqrt(0.95 * 0.05 / repetitions)

    for sizes in ((20, 20), (380, 20)):
        assert within(found["normal", sizes, "studentised"], SMALL, 1)
    for data in ("normal", "lognormal, sigma 1"):
        assert within(found[data, (1_000, 1_000), "percentile"], LARGE, 1)
        for sizes in ((1_000, 1_000), (8_000, 2_000)):
            assert within(found[data, sizes, "little"], LARGE, 2)


TAIL = """With 20 normal units in a variant only "studentised" has the wider tails of the t distribution. In equal
variants the skewness of both cancels, and "percentile" does well; "bca" of a mean follows the largest
values of the sample, and holds the truth least often. With few units in one variant none is nominal for
skewed data, and with sigma 2 all fail, because the sample does not show the tail that moves the mean:
`permutation_test` answers whether there is an effect, and a capped metric how large it is. The little
bootstraps, of parts of n^0.6 units, agree with the whole bootstrap for tails up to sigma 1, and hold the
truth less often than it does where they are heavier.
"""
