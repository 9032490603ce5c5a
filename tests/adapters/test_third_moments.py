"""Third moments: through every engine those of rational arithmetic, and what metrics say of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

import abkit as ab
from abkit.adapters._analyze import read_statistics
from abkit.evidence import Sample
from abkit.inference._caution import LARGEST_SKEWNESS
from abkit.logs import ThirdMoments
from abkit.report import merge_groups
from abkit.sequential import _guard
from abkit.suffstats import CoMoments
from tests.adapters.engines import ENGINES, LOCAL, as_postgres
from tests.adapters.logs import exact, expected, request

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def truth(log: pd.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
    return expected(log)


def check(moments: CoMoments, k: int, truth: dict[str, Any], what: object, tolerance: float = 1e-9) -> None:
    """The same sums of cubes, as shares of what the variances make the largest of them."""
    assert isinstance(moments, ThirdMoments), what
    assert moments.m3 is not None, what
    assert moments.nonzero == truth["nonzero"], what
    wanted = np.array(truth["m3"])[:k, :k, :k]
    sizes = np.sqrt(np.diagonal(truth["m2"])[:k])
    np.testing.assert_array_less(
        np.abs(moments.m3 - wanted), tolerance * np.einsum("i,j,k->ijk", sizes, sizes, sizes) + 1e-300, str(what)
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_exact_third_moments(
    engine: Callable[[pd.DataFrame, Path], Any], log: pd.DataFrame, truth: dict[str, Any], tmp_path: Path
) -> None:
    asked = request()
    merged = merge_groups(read_statistics(engine(log, tmp_path), asked).groups)
    assert {block.metric: block.thirds for block in asked.blocks} == {
        **dict.fromkeys(("revenue", "revenue or nothing", "capped", "clock"), 1),
        **dict.fromkeys(("orders per view", "clock per row"), 2),
        "conversion": 0,
    }
    for variant, metrics in truth.items():
        for block in asked.blocks:
            found = merged[variant].moments[block.metric]
            if block.thirds:
                check(found, block.thirds, metrics[block.metric], (variant, block.metric))
            else:
                assert type(found) is CoMoments


def two_variants(values: np.ndarray, denominators: np.ndarray | None = None) -> pd.DataFrame:
    """One row a unit, every fifth in the treatment."""
    n = len(values)
    columns = {"user": np.arange(n), "variant": np.where(np.arange(n) % 5 == 0, "b", "a"), "x": values}
    return pd.DataFrame(columns if denominators is None else {**columns, "d": denominators})


def analyse(log: Any, metric: Any, **fields: Any) -> tuple[ab.Report, CoMoments, CoMoments]:
    plan = ab.Experiment(unit="user", variant="variant", control="a", metrics={"m": metric}, **fields)
    report = plan.analyze(log)
    groups = merge_groups(report.statistics.groups)
    return report, groups["a"].moments["m"], groups["b"].moments["m"]


def brute(log: pd.DataFrame, variant: str, columns: list[str]) -> dict[str, Any]:
    rows = log[log["variant"] == variant].groupby("user")[columns].sum()
    return exact([[float(value) for value in row] for row in rows.to_numpy()])


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6, 1e9, -1e9])
@pytest.mark.parametrize("rows", [1, 3])
def test_an_offset_costs_no_digits(offset: float, rows: int) -> None:
    values = offset + np.round(RNG.lognormal(0, 1.5, 1200) * 64) / 64
    log = two_variants(values, 3 * offset + RNG.integers(1, 9, 1200))
    log = log.assign(user=log["user"] // (5 * rows) * 5 + log["user"] % 5)
    for metric, columns in ((ab.Mean("x"), ["x"]), (ab.Ratio("x", "d"), ["x", "d"])):
        for variant, moments in zip("ab", analyse(log, metric)[1:], strict=True):
            check(moments, len(columns), brute(log, variant, columns), (offset, variant, columns))


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 7),
            st.sampled_from([0.0, 1.5, -3.25, 100.0, None]),
            st.sampled_from([1.0, 0.5, 8.0]),
        ),
        max_size=40,
    ),
    st.sampled_from(["drop", "zero"]),
)
def test_any_log_gives_its_third_moments(rows: list[Any], missing: Any) -> None:
    log = pd.DataFrame([*((user, float(user), 2.0) for user in range(8)), *rows], columns=["user", "x", "d"])
    log = log.astype({"x": float}).assign(variant=lambda frame: np.where(frame["user"] % 2, "b", "a"))
    kept = log.dropna() if missing == "drop" else log.fillna(0.0)
    for metric, columns in ((ab.Mean("x", missing=missing), ["x"]), (ab.Ratio("x", "d", missing=missing), ["x", "d"])):
        for variant, moments in zip("ab", analyse(log, metric)[1:], strict=True):
            check(moments, len(columns), brute(kept, variant, columns), rows)


@pytest.mark.parametrize("engine", [*LOCAL, pytest.param(as_postgres, marks=pytest.mark.postgres)])
@pytest.mark.parametrize("size", [1e99, 1e130, 1e-120])
def test_cubes_that_do_not_fit_are_unknown_and_refuse_nothing(
    engine: Callable[[pd.DataFrame, Path], Any], size: float, tmp_path: Path
) -> None:
    log = two_variants(size * RNG.lognormal(0, 2, 300), RNG.uniform(1, 2, 300))
    for metric in (ab.Mean("x"), ab.Ratio("x", "d")):
        report, c, t = analyse(engine(log, tmp_path), metric)
        assert c.m3 is None
        assert metric.sample(c, t) == Sample(300, 60, 60, None, share=pytest.approx(metric.sample(c, t).share))
        assert report.result("m").caution is None
        assert (c + t).m3 is None


def test_digits_that_rounding_took_are_unknown() -> None:
    """The first rows, by which values are shifted, are not like the others."""
    values = np.concatenate([np.zeros(12_000), 1e5 + RNG.exponential(size=12_000)])
    log = two_variants(values)[12_000:]
    late = pd.concat([two_variants(values)[:12_000].assign(variant="c"), log])
    assert analyse(log, ab.Mean("x"))[1].m3 is not None
    plan = {"allocation": {"a": 4, "b": 1}}
    assert analyse(late, ab.Mean("x"), **plan)[1].m3 is None


@pytest.mark.parametrize("level", [0.0, 1.0, 0.1, 1e9 + 0.1])
def test_equal_values_have_no_skewness_and_zeros_are_no_events(level: float) -> None:
    log = two_variants(np.full(200, level), np.full(200, 3.0))
    for metric in (ab.Mean("x"), ab.Ratio("x", "d")):
        report, c, t = analyse(log, metric)
        assert report.results[0].test is None
        assert not np.any(c.m3)
        assert metric.sample(c, t).skewness is None
        assert metric.sample(c, t).events == (40 if level else 0)


def units(rows: list[tuple[float, float]]) -> ThirdMoments:
    """Statistics of these units."""
    found = exact(rows) if rows else {"n": 0, "mean": [0.0] * 2, "m2": np.zeros((2, 2)), "m3": np.zeros((2, 2, 2))}
    m3 = np.array(found["m3"])
    moments = CoMoments(found["n"], np.array(found["mean"]), np.array(found["m2"]), ("y", "d"))
    return ThirdMoments.of(moments, m3, found.get("nonzero", 0))


NUMBERS = st.sampled_from([0.0, 1.0, -2.5, 7.0, 1e3, -1e3])


@given(st.lists(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=6), min_size=1, max_size=4))
def test_parts_add_up_to_the_whole_in_any_order(parts: list[list[tuple[float, float]]]) -> None:
    whole, made = units([row for part in parts for row in part]), [units(part) for part in parts]
    for order in (made, made[::-1]):
        for total in (reduce(add, order), reduce(lambda right, left: left + right, order[::-1])):
            assert (total.n, total.nonzero) == (whole.n, whole.nonzero)
            np.testing.assert_allclose(total.m3, whole.m3, rtol=1e-9, atol=1e-9 * (1 + np.abs(whole.m2).max()) ** 1.5)


def test_third_moments_add_up_with_their_like_only() -> None:
    third = units([(1.0, 2.0), (3.0, 5.0)])
    with pytest.raises(TypeError):
        _ = third + CoMoments(third.n, third.mean, third.m2, third.names)
    unknown = ThirdMoments.of(third, None, 1)
    assert (third + unknown).m3 is (unknown + third).m3 is None
    assert (third + unknown).nonzero == 3


def shape(sample: np.ndarray) -> _guard.Shape:
    """Of a mean, by the definitions: standard error, and third cumulant over its cube."""
    n, stderr = len(sample), math.sqrt(sample.var(ddof=1) / len(sample))
    return _guard.Shape(n, stderr, float(np.mean((sample - sample.mean()) ** 3) / n**2 / stderr**3))


def skewness(control: np.ndarray, treatment: np.ndarray) -> float:
    """Of the difference of two means."""
    c, t = shape(control), shape(treatment)
    third = t.skewness * t.stderr**3 - c.skewness * c.stderr**3  # type: ignore[operator]
    return float(third / math.hypot(c.stderr, t.stderr) ** 3)  # type: ignore[arg-type]


def split(log: pd.DataFrame, value: Any) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.asarray(value(log[log["variant"] == variant]), dtype=float) for variant in "ab")  # type: ignore[return-value]


def linearised(part: pd.DataFrame) -> np.ndarray:
    return np.asarray((part["x"] - part["x"].sum() / part["d"].sum() * part["d"]) / part["d"].mean())


LOG = two_variants(RNG.poisson(RNG.gamma(0.2, 10, 500)).astype(float), RNG.integers(1, 9, 500).astype(float))


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (ab.Mean("x"), lambda part: part["x"]),
        (ab.Mean("x", covariates="d"), lambda part: part["x"]),
        (ab.Count("x"), lambda part: part["x"]),
        (ab.Mean("x", cap=ab.Cap(value=10)), lambda part: part["x"].clip(upper=10)),
        (ab.Ratio("x", "d"), linearised),
        (ab.Rate("x", "d"), linearised),
        (ab.Ratio("x", ab.ROWS), lambda part: part["x"]),
        (ab.Proportion("y"), lambda part: part["y"]),
        (ab.Proportion("y", covariates="d"), lambda part: part["y"]),
        (ab.Trend("x", day="d", days=6), lambda part: part["slope"]),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_the_skewness_of_a_metric_is_that_of_its_linearised_outcome(metric: Any, value: Any) -> None:
    weights = np.where(LOG["d"] < 6, 2 * LOG["d"] - 5, 0)
    log = LOG.assign(y=(LOG["x"] > 20).astype(int), slope=LOG["x"] * weights * 6 / (6 * 35))
    report, c, t = analyse(log, metric)
    control, treatment = split(log, value)
    assert metric.skewness(c, t) == pytest.approx(float(_guard.skewness(shape(control), shape(treatment))), rel=1e-9)
    assert metric.skewness(t, c) == pytest.approx(-metric.skewness(c, t), rel=1e-9)
    wanted = abs(skewness(control, treatment))
    if metric.kind != "proportion":
        assert wanted > LARGEST_SKEWNESS
        assert f"the estimate is skewed ({wanted:.2f}, where" in report.result("m").caution
        assert any("aa_replay" in note for note in report.notes())


def test_a_metric_warns_where_a_test_of_its_samples_does() -> None:
    log = two_variants(RNG.normal(5, 1, 400))
    for variant, n in (("a", 160), ("b", 40)):
        log.loc[(log["variant"] == variant) & (log.index < 200), "x"] = np.exp(2 * ndtri((np.arange(n) + 0.5) / n))
    for part in (
        log[:200],
        log[200:],
        log[:30],
        log[:15],
        log.assign(x=np.where(log["variant"] == "a", 1.0, log["x"])),
    ):
        report, *_ = analyse(part, ab.Mean("x"))
        told = report.result("m").caution
        sampled = warned(*split(part, lambda mine: mine["x"]))
        assert (told and told.split(";")[0]) == (sampled and sampled.split(";")[0])
    assert warned(*split(log[:200], lambda mine: mine["x"]))
    assert warned(*split(log[200:], lambda mine: mine["x"])) is None


def warned(control: np.ndarray, treatment: np.ndarray) -> str | None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ab.AccuracyWarning)
        return ab.welch_test(control, treatment).caution


def test_few_units_of_a_ratio_are_warned_of() -> None:
    for metric in (ab.Ratio("x", "d"), ab.Rate("x", "d")):
        report, *_ = analyse(LOG[:40], metric)
        assert "8 units only, too few for the delta method" in report.result("m").caution


def test_statistics_without_third_moments_warn_of_few_units_only() -> None:
    plain = CoMoments.from_sample(LOG[["x"]].to_numpy(), ["x"])
    assert ab.Mean("x").skewness(plain, plain) is None
    assert ab.Mean("x").caution(plain, plain) is None
    assert ab.Mean("x").sample(plain, plain).events is None
    few = CoMoments.from_sample([[1.0], [2.0]], ["x"])
    assert "2 units only" in str(ab.Mean("x").caution(few, plain))


def test_a_sample_holds_the_units_and_events_of_the_smaller_variant() -> None:
    log = LOG.assign(y=(LOG["x"] > 0).astype(int))
    smaller = log[log["variant"] == "b"]
    events = int(smaller["y"].sum())
    for metric in (ab.Mean("x"), ab.Count("x"), ab.Ratio("x", "d"), ab.Rate("x", "d")):
        found = metric.sample(*analyse(log, metric)[1:])
        assert (found.units, found.smaller, found.events, found.counts) == (500, 100, events, None)
        assert math.isfinite(found.skewness or math.nan)
    proportion = ab.Proportion("y")
    found = proportion.sample(*analyse(log, proportion)[1:])
    assert (found.units, found.smaller, found.events) == (500, 100, min(events, 100 - events))
    assert found.counts == (ab.Counts(400, int(log["y"].sum()) - events), ab.Counts(100, events))
    adjusted = ab.Proportion("y", covariates="d")
    assert adjusted.sample(*analyse(log, adjusted)[1:]).counts is None
    quantile = ab.Quantile("x", 0.5)
    found = quantile.sample(*analyse(log, quantile)[1:])
    assert (found.units, found.smaller, found.events, found.skewness) == (500, 100, None, None)
    trend = ab.Trend("x", day="d", days=6)
    assert trend.sample(*analyse(log, trend)[1:]).events is None


def test_a_ratio_without_a_denominator_has_no_skewness() -> None:
    none = units([(1.0, 1.0), (2.0, -1.0)])
    tiny = units([(1.0, 5e-324), (2.0, 5e-324)])
    for moments in (none, tiny):
        assert ab.Ratio("x", "d").sample(moments, moments).skewness is None
