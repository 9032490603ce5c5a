"""The tests that abkit.inference has, found and not listed, and how to draw data for each.

A new `<something>_test(control, treatment, *, alternative, null, ...)` is held to the laws of `test_test_laws.py`
without a line here, as long as it takes one of the KINDS of data below; with a parameter `method`, each method is.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, get_args, get_type_hints

import numpy as np
from hypothesis import strategies as st

import abkit as ab
from abkit import inference

EIGHTHS = st.integers(-400, 400).map(lambda i: i / 8)


@dataclass(frozen=True)
class Kind:
    """A kind of data: rows of one variant, statistics of them, and statistics of sizes that no test could draw rows of.

    `pairs`: the rows of both variants belong together, and are as many. `means`: the rows are numbers that may be
    scaled, and scaling keeps the p-value. `given`: the form in which a test is given rows.
    """

    name: str
    rows: Callable[[int], st.SearchStrategy[Any]]
    summarise: Callable[[Any], Any]
    probe: Any
    large: st.SearchStrategy[Any] | None = None
    pairs: bool = False
    means: bool = False
    given: Callable[[Any], Any] = lambda data: data


def lists(values: st.SearchStrategy[Any], least: int, most: int = 12) -> Callable[[int], st.SearchStrategy[Any]]:
    """Lists of at least `least` rows and at most `most`, or of exactly so many as are asked for."""
    return lambda n: st.lists(values, min_size=n or least, max_size=n or most)


def same(rows: Any) -> Any:
    return rows


def pair(rows: Any) -> ab.CoMoments:
    return ab.CoMoments.from_sample(rows, ["numerator", "denominator"])


def by_stratum(rows: Any) -> Any:
    """Rows of (stratum, value) as a mapping of stratum to values."""
    if isinstance(rows, dict):
        return rows
    return {label: [value for own, value in rows if own == label] for label in sorted({row[0] for row in rows})}


def moments_by_stratum(rows: Any) -> dict[str, ab.Moments]:
    return {label: ab.Moments.from_sample(values) for label, values in by_stratum(rows).items()}


def rows_by_stratum(_: int) -> st.SearchStrategy[Any]:
    """At least two rows in each of two strata."""
    rows = st.lists(st.tuples(st.sampled_from(["a", "b"]), EIGHTHS), max_size=8)
    least = [st.tuples(st.just(label), EIGHTHS) for label in "aabb"]
    return st.tuples(st.tuples(*least), rows).map(lambda both: [*both[0], *both[1]])


@st.composite
def large_moments(draw):
    n = draw(st.integers(2, 10**6))
    return ab.Moments(n, draw(st.integers(-(10**4), 10**4)) / 100, draw(st.sampled_from([0.01, 1.0, 25.0])) * n)


@st.composite
def large_counts(draw):
    n = draw(st.integers(1, 10**6))
    return ab.Counts(n, round(n * draw(st.sampled_from([0.0, 0.001, 0.01, 0.1, 0.11, 0.5, 0.999, 1.0]))))


@st.composite
def few_counts(draw):
    n = draw(st.integers(1, 25))
    return ab.Counts(n, draw(st.integers(0, n)))


@st.composite
def large_events(draw):
    exposure = draw(st.sampled_from([1e-3, 0.7, 50.0, 1e6]))
    return ab.Events(draw(st.sampled_from([0, 1, 2, 7, 40, 10**4, 10**8])), exposure)


@st.composite
def large_comoments(draw):
    n = draw(st.integers(2, 10**6))
    mean = [draw(st.integers(-1000, 1000)) / 100, draw(st.integers(1, 1000)) / 100]
    a, b = draw(st.sampled_from([0.1, 4.0])), draw(st.sampled_from([0.0, 0.5, 1.0]))
    covariance = draw(st.sampled_from([-0.9, 0.0, 0.5])) * math.sqrt(a * b)
    return ab.CoMoments(n, mean, np.array([[a, covariance], [covariance, b]]) * n, ["numerator", "denominator"])


@st.composite
def large_unit_events(draw):
    n = draw(st.integers(2, 10**6))
    mean = [draw(st.integers(1, 500)) / 100, draw(st.integers(100, 1000)) / 100]
    spread = mean[0] * draw(st.sampled_from([1.0, 4.0]))
    return ab.CoMoments(n, mean, np.array([[spread, 0.1], [0.1, 0.5]]) * n, ["events", "exposure"])


UNIT_EVENTS = lists(st.tuples(st.integers(0, 9), st.integers(1, 40).map(lambda i: i / 8)), 2)
SOME_EVENTS = [(0, 1.0), (3, 2.5), (1, 0.5)]

#: The first kind that a test does not refuse is the one that it is held to the laws with.
KINDS = [
    Kind("moments", lists(EIGHTHS, 2), ab.Moments.from_sample, [1.0, 2.0, 4.0], large_moments(), means=True),
    Kind("counts", lists(st.sampled_from([0, 1]), 1), ab.Counts.from_sample, [0, 1, 1], large_counts()),
    Kind(
        "comoments",
        lists(st.tuples(EIGHTHS, st.integers(1, 12)), 2),
        pair,
        [(1, 2), (2, 3), (5, 4)],
        large_comoments(),
    ),
    Kind("sample", lists(EIGHTHS, 2), same, [1.0, 2.0, 4.0], means=True),
    Kind(
        "strata",
        rows_by_stratum,
        moments_by_stratum,
        [("a", 1.0), ("a", 2.0), ("b", 5.0), ("b", 7.0)],
        given=by_stratum,
    ),
    Kind("binary pairs", lists(st.sampled_from([0, 1]), 2), same, [0, 1, 1], pairs=True),
]

#: Methods that take, of a kind of data that another method takes, only some, or that need another kind.
OWN_KINDS = {
    "exact_test": Kind("few counts", lists(st.sampled_from([0, 1]), 1), ab.Counts.from_sample, [0, 1, 1], few_counts()),
    "rate_test, exact": Kind("events", UNIT_EVENTS, ab.Events.from_sample, SOME_EVENTS, large_events()),
    "rate_test, score": Kind("events", UNIT_EVENTS, ab.Events.from_sample, SOME_EVENTS, large_events()),
    "rate_test, quasi": Kind(
        "comoments of events",
        UNIT_EVENTS,
        lambda rows: ab.CoMoments.from_sample(rows, ["events", "exposure"]),
        SOME_EVENTS,
        large_unit_events(),
    ),
    "rate_test, negative-binomial": Kind("rows of events", UNIT_EVENTS, same, SOME_EVENTS),
}

OWN_KINDS |= {
    "series_test, level": Kind("series", lists(EIGHTHS, 20, 24), same, [1.0, 2.0, 4.0] * 7, means=True),
    "series_test, counts": Kind("series of events", lists(st.integers(0, 4), 20, 24), same, [0, 1, 1] * 7),
    "series_test, auto": Kind("series of events", lists(st.integers(0, 4), 20, 24), same, [0, 1, 1] * 7),
}

#: Tests whose rows of both variants belong together.
PAIRED = {"paired_test", "signed_rank_test", "series_test"}

#: Methods whose one-sided p-values both count what was observed, so that they add up to more than one.
DISCRETE = {
    ("exact_test", "fisher"),
    ("exact_test", "boschloo"),
    ("exact_test", "barnard"),
    ("rate_test", "exact"),
    ("mann_whitney_test", None),
    ("mcnemar_test", "exact"),
    ("quantile_test", None),
    ("signed_rank_test", None),
    ("series_test", "counts"),
    ("series_test", "auto"),
}

#: Methods whose two sides order the outcomes each in its own way: nothing bounds the sum of their p-values.
TWO_ORDERS = {"exact_test, boschloo"}

#: Tests whose p-value, as a function of the null, is a flight of steps.
STEPPED = {"exact_test, barnard", "quantile_test", "signed_rank_test"}

#: Scales on which an estimate is in the metric's own unit.
IN_THE_METRICS_UNIT = {"difference", "pseudo-median"}

#: Keywords without which a test would take too long for hundreds of examples.
QUICK: dict[str, dict[str, Any]] = {"bootstrap_test": {"resamples": 200}, "permutation_test": {"resamples": 200}}


#: The share of the examples that tests which take long are asked for.
PATIENCE = {
    "exact_test, barnard": 0.1,
    "exact_test, boschloo": 0.1,
    "rate_test, negative-binomial": 0.3,
    "series_test": 0.3,
    "bootstrap_test": 0.3,
}


@dataclass(frozen=True)
class Case:
    """A test, or one method of it, with its kind of data."""

    function: Callable[..., ab.TestResult]
    kind: Kind
    keywords: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        method = self.keywords.get("method")
        return f"{self.function.__name__}, {method}" if method else self.function.__name__

    @property
    def random(self) -> bool:
        """Whether the answer depends on a generator, so that only laws about one answer hold exactly."""
        return "rng" in inspect.signature(self.function).parameters

    @property
    def pairs(self) -> bool:
        return self.kind.pairs or self.function.__name__ in PAIRED

    @property
    def patience(self) -> float:
        """The share of the examples that it is asked for."""
        return PATIENCE.get(self.name, PATIENCE.get(self.function.__name__, 1.0))

    @property
    def discrete(self) -> bool:
        return self.random or (self.function.__name__, self.keywords.get("method")) in DISCRETE

    @property
    def stepped(self) -> bool:
        return self.random or self.function.__name__ in STEPPED or self.name in STEPPED

    @property
    def shares(self) -> bool:
        """Whether the test has an answer as a share of the control's mean."""
        probe, reverse = (self.kind.summarise(rows) for rows in (self.kind.probe, self.kind.probe[::-1]))
        return bool(self(probe, reverse).relative(0.9).shape != "none")

    def __call__(self, control: Any, treatment: Any, **keywords: Any) -> ab.TestResult:
        seed = {"rng": np.random.default_rng(1)} if self.random else {}
        control, treatment = self.kind.given(control), self.kind.given(treatment)
        return self.function(control, treatment, **seed, **self.keywords, **keywords)


def found() -> list[Case]:
    """Every public test of two variants, once a method."""
    cases = []
    for name, function in sorted(vars(inference).items()):
        parameters = list(inspect.signature(function).parameters) if callable(function) else []
        hints = get_type_hints(function) if parameters[:2] == ["control", "treatment"] else {}
        if name.endswith("_test") and hints.get("return") is ab.TestResult:
            methods = [{"method": method} for method in get_args(hints.get("method"))] or [{}]
            quick = QUICK.get(name, {})
            cases += [Case(function, kind_of(function, quick | method), quick | method) for method in methods]
    return cases


def kind_of(function: Callable[..., ab.TestResult], keywords: dict[str, Any]) -> Kind:
    name = function.__name__
    own = OWN_KINDS.get(f"{name}, {keywords.get('method')}") or OWN_KINDS.get(name)
    for kind in [own] if own else KINDS:
        try:
            Case(function, kind, keywords)(kind.summarise(kind.probe), kind.summarise(kind.probe))
        except (TypeError, ValueError):
            continue
        return kind
    raise AssertionError(f"{function.__name__} takes none of the KINDS of data: describe its own")
