"""Every method that is calibrated: what it is asked, on which data, and what is true there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import abkit as ab
from tests.calibration.designs import DATA, SIZES, SPLITS, Array, Data, clustered, events, paired, paired_binary, sizes

Draw = Callable[[np.random.Generator, float], tuple[Any, Any]]
Ask = Callable[[Any, Any, np.random.Generator], ab.TestResult]


@dataclass(frozen=True)
class Method:
    """A method, the page's title of it, and what to use where it misses its nominal error rate.

    `counts`: it sees successes only, so that samples with the same ones are asked once. `blind`: it is given totals
    that do not show what is wrong, and cannot warn.
    """

    name: str
    ask: Ask
    instead: str
    largest: int = 20_000
    slow: bool = False
    counts: bool = False
    blind: bool = False


@dataclass(frozen=True)
class Setting:
    """Data of one kind and size, the methods that are asked, and the effect that is true with the lift."""

    data: str
    split: str
    n: int
    draw: Draw
    truth: float
    methods: tuple[Method, ...]
    lift: float = 0.2

    @property
    def name(self) -> str:
        return f"{self.data}, {self.n:,} {self.split}"


OPTIONS: dict[str, Any] = {"largest": 20_000, "slow": False, "counts": False}


def plain(test: str, instead: str, **keywords: Any) -> Method:
    """A method that takes two samples as they are."""
    largest, slow, counts = (keywords.pop(name, value) for name, value in OPTIONS.items())
    shown = "".join(f", {value}" for key, value in keywords.items() if key in ("method", "q", "covariance"))
    random = keywords.pop("random", False)

    def ask(control: Any, treatment: Any, rng: np.random.Generator) -> ab.TestResult:
        seed = {"rng": rng} if random else {}
        result: ab.TestResult = getattr(ab, test)(control, treatment, **seed, **keywords)
        return result

    return Method(f"{test}{shown}", ask, instead, largest, slow, counts)


MEANS = (
    plain("welch_test", "permutation_test, or mann_whitney_test for another question"),
    plain("student_test", "welch_test, permutation_test"),
    plain("z_test", "welch_test"),
    plain("regression_test", "welch_test, permutation_test"),
    plain("permutation_test", "mann_whitney_test", resamples=499, random=True, slow=True),
    *(
        plain(
            "bootstrap_test",
            "permutation_test, or a capped metric",
            method=method,
            resamples=499,
            random=True,
            slow=True,
        )
        for method in ("percentile", "basic", "bca", "studentised")
    ),
)
RANKS = (plain("mann_whitney_test", "brunner_munzel_test"), plain("brunner_munzel_test", "mann_whitney_test"))
BINARY = (
    *(
        plain("proportion_test", "exact_test", method=method, counts=True)
        for method in ("score", "miettinen-nurminen", "wald", "newcombe", "agresti-caffo")
    ),
    plain("exact_test", "exact_test, fisher", method="barnard", largest=200, slow=True, counts=True),
    plain("exact_test", "exact_test, fisher", method="boschloo", largest=200, slow=True, counts=True),
)
FISHER = plain("exact_test", "proportion_test, nearer to nominal on average", method="fisher", counts=True)
QUANTILES = (0.5, 0.9, 0.99)


def settings() -> Iterator[Setting]:
    """Every setting of the page."""
    for data in DATA:
        for split in SPLITS:
            for n in SIZES:
                yield from of_units(data, split, n)
    for n in SIZES:
        yield from of_pairs(n)
        yield from of_events(n)
        yield from of_clusters(n)


def of_units(data: Data, split: str, n: int) -> Iterator[Setting]:
    def draw(rng: np.random.Generator, lift: float) -> tuple[Array, Array]:
        n_control, n_treatment = sizes(n, split)
        return data.draw(rng, n_control, 0.0), data.draw(rng, n_treatment, lift)

    def setting(truth: float, *methods: Method) -> Setting:
        return Setting(data.name, split, n, draw, truth, tuple(m for m in methods if n <= m.largest), data.lift)

    yield setting(data.difference(), *MEANS)
    yield setting(data.probability(), *RANKS)
    if data.binary:
        yield setting(data.difference(), *BINARY)
        yield setting(data.log_odds(), FISHER)
    if data.quantile:
        for q in QUANTILES:
            yield setting(data.quantiles(q), plain("quantile_test", "a lower quantile", q=q))


def of_pairs(n: int) -> Iterator[Setting]:
    numbers = (plain("paired_test", "signed_rank_test"), plain("signed_rank_test", "paired_test"))
    yield Setting("pairs, normal", "pairs", n, lambda rng, lift: paired(rng, n, lift), 1.0, numbers, 0.1)
    binary = (plain("mcnemar_test", "mcnemar_test, exact", method="score"),)
    # P(T) - P(C): a fifth of the units are drawn again, the others move with the threshold
    yield Setting("pairs, 10% yes", "pairs", n, lambda rng, lift: paired_binary(rng, n, lift), 0.02, binary)


def of_events(n: int) -> Iterator[Setting]:
    def draw(spread: float) -> Draw:
        return lambda rng, lift: (events(rng, n, 0.0, spread=spread), events(rng, n, lift, spread=spread))

    def totals(rows: Array) -> ab.Events:
        return ab.Events(int(rows[:, 0].sum()), float(rows[:, 1].sum()))

    def method(
        name: str, summarise: Callable[[Array], Any], instead: str, largest: int = 20_000, *, slow: bool = False
    ) -> Method:
        def ask(control: Any, treatment: Any, rng: np.random.Generator) -> ab.TestResult:
            result: ab.TestResult = ab.rate_test(summarise(control), summarise(treatment), method=name)
            return result

        blind = name in ("score", "exact") and summarise is totals
        return Method(f"rate_test, {name}", ask, instead, largest, slow, blind=blind)

    poisson = (method("score", totals, "rate_test, quasi"), method("quasi", lambda rows: rows, "rate_test, score"))
    relative = (
        method("exact", totals, "rate_test, quasi"),
        method("negative-binomial", lambda rows: rows, "rate_test, quasi", 200, slow=True),
    )
    for name, spread in (("events, Poisson", 0.0), ("events, overdispersed", 1.0)):
        yield Setting(name, "50:50", n, draw(spread), 0.1, poisson)
        yield Setting(name, "50:50", n, draw(spread), float(np.log(1.2)), relative)


def of_clusters(n: int) -> Iterator[Setting]:
    clusters = max(n // 10, 4)  # n is about the number of rows

    def draw(rng: np.random.Generator, lift: float) -> tuple[Any, Any]:
        return clustered(rng, clusters, 0.0), clustered(rng, clusters, lift)

    def regression(covariance: str) -> Method:
        def ask(control: Any, treatment: Any, rng: np.random.Generator) -> ab.TestResult:
            (y_c, c), (y_t, t) = control, treatment
            result: ab.TestResult = ab.regression_test(y_c, y_t, clusters=(c, t), covariance=covariance)
            return result

        return Method(f"regression_test, {covariance}", ask, "regression_test, CR2")

    def sums(rows: tuple[Array, Array]) -> Array:
        y, label = rows
        return np.column_stack([np.bincount(label, y), np.bincount(label).astype(float)])

    ratio = Method("ratio_test", lambda c, t, _: ab.ratio_test(sums(c), sums(t)), "regression_test, CR2")
    naive = Method("welch_test of rows", lambda c, t, _: ab.welch_test(c[0], t[0]), "ratio_test", blind=True)
    methods = (ratio, *(regression(kind) for kind in ("CR0", "CR1", "CR2")), naive)
    yield Setting(f"{clusters:,} clusters of 1 to 50 a variant", "clusters", n, draw, 2.0, methods)
