"""Blue-green and recreate from a log to a decision: engines, what is left out, checks, harm that comes fast."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import abkit as ab

EXAMPLES = Path(__file__).parents[2] / "examples" / "strategies"
SWITCH = pd.Timestamp("2026-11-01T12:00Z")
METRICS = {"latency": ab.Mean("ms", role="guardrail", direction="decrease", margin=ab.relative(0.1))}


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"before_after_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def series(before: int = 400, after: int = 12, seed: int = 1, **columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    times = SWITCH + pd.to_timedelta(5 * np.arange(-before, after), unit="min")
    return pd.DataFrame({"time": times, "ms": rng.normal(100, 3, before + after), **columns})


def plan(**fields: object) -> ab.Experiment:
    strategy = ab.BlueGreen(**{"switch": "2026-11-01T12:00Z", **fields})  # type: ignore[arg-type]
    return ab.Experiment(strategy=strategy, time="time", metrics=METRICS)


def check(decision: ab.Decision, name: str) -> str:
    return next(f"{found.status}: {found.message}" for found in decision.checks if found.id == name)


@pytest.mark.parametrize("name", ["blue_green", "recreate"])
def test_examples_decide_what_is_true(name: str) -> None:
    module = example(name)
    plan = ab.Experiment.from_file(EXAMPLES / f"{name}.yaml")
    assert ab.Experiment.from_dict(plan.to_dict()) == plan
    for truth, verdict in (("win", "promote"), ("undecided", "continue"), ("harm", "rollback")):
        decision = ab.decide(plan, module.release(truth, np.random.default_rng(7)))
        assert (decision.verdict, decision.blocked) == (verdict, False)
        assert decision.risk.guarantee == "observational"


def test_large_harm_is_found_within_two_buckets() -> None:
    log = series()
    log.loc[log["time"] >= SWITCH, "ms"] += 60
    for buckets in (1, 2):
        seen = log[log["time"] < SWITCH + buckets * pd.Timedelta("5min")]
        if ab.decide(plan(), seen).verdict == "rollback":
            return
    pytest.fail("no rollback")


@pytest.mark.parametrize("engine", ["polars", "lazy", "arrow", "duckdb", "parquet", "shuffled", "naive"])
def test_every_engine_reads_the_same(engine: str, tmp_path: Path) -> None:
    log = series()
    path = tmp_path / "log.parquet"
    log.to_parquet(path)
    logs = {
        "polars": lambda: pl.from_pandas(log),
        "lazy": lambda: pl.from_pandas(log).lazy(),
        "arrow": lambda: pa.Table.from_pandas(log),
        "duckdb": lambda: duckdb.from_df(log),
        "parquet": lambda: path,
        "shuffled": lambda: log.sample(frac=1, random_state=1),
        "naive": lambda: log.assign(time=log["time"].dt.tz_localize(None)),
    }
    assert ab.decide(plan(), logs[engine]()).evidence_sha256 == ab.decide(plan(), log).evidence_sha256


def test_requests_and_buckets_say_the_same() -> None:
    rng = np.random.default_rng(3)
    place = np.repeat(np.arange(-400, 13), 20)
    seconds = np.sort(rng.uniform(0, 300, (413, 20)), axis=1).ravel()
    rows = pd.DataFrame({"time": SWITCH + pd.to_timedelta(300 * place + seconds, unit="s")})
    rows["ms"] = rng.gamma(4, 25, len(rows))
    buckets = rows.groupby(place)["ms"].mean().iloc[1:-1]  # the first and the last one of requests are not complete
    times = SWITCH + pd.to_timedelta(300 * buckets.index.to_numpy(), unit="s")
    one, other = (plan().analyze(log) for log in (rows, pd.DataFrame({"time": times, "ms": buckets.to_numpy()})))
    assert one.units == other.units == {"before": 399, "after": 12}
    assert one.result("latency").estimate == pytest.approx(other.result("latency").estimate, rel=1e-9)
    assert "not complete" in next(c.message for c in one.checks if c.id == "left_out")


def test_before_the_switch_there_is_nothing_to_say() -> None:
    log = series()
    decision = ab.decide(plan(), log[log["time"] < SWITCH])
    assert (decision.verdict, decision.blocked) == ("continue", False)
    assert decision.metrics[0].status == "no_data"
    with pytest.raises(ab.DataError, match="before the switch"):
        ab.decide(plan(), log[log["time"] >= SWITCH])


def test_silence_after_the_switch_blocks() -> None:
    log = series(after=24)
    decision = ab.decide(plan(), log.drop(log.index[404:412]))
    assert (decision.verdict, decision.blocked) == ("continue", True)
    assert check(decision, "series").startswith("fail: buckets without rows: 0 of 400 before, 8 of 24 after")


def test_the_environment_says_when_the_switch_was() -> None:
    log = series(environment="blue")
    log.loc[log["time"] >= SWITCH, "environment"] = "green"
    by_colour = plan(switch=None, environment="environment")
    assert ab.decide(by_colour, log).metrics == ab.decide(plan(), log).metrics
    log.loc[log.index[-6:], "environment"] = "blue"
    strays = ab.decide(by_colour, log)
    assert strays.blocked
    assert check(strays, "environment").startswith("fail: 6 rows")
    with pytest.raises(ab.DataError, match="no row of 'green'"):
        ab.decide(by_colour, log.assign(environment="blue"))


@pytest.mark.parametrize(("passed", "blocked"), [(10, False), (9, True), (0, True)])
def test_green_is_tested_before_it_serves(passed: int, blocked: bool) -> None:
    tests = pd.DataFrame({"time": SWITCH - pd.to_timedelta(range(10), unit="min"), "ms": 1e6})
    tests["smoke"] = pd.array([True] * passed + [False] * (10 - passed), dtype="boolean")
    log = pd.concat([series(), tests], ignore_index=True)
    log["smoke"] = log["smoke"].astype("boolean")
    decision = ab.decide(plan(smoke="smoke", settle="5m"), log)
    assert decision.blocked is blocked
    assert decision.metrics[0].estimate == pytest.approx(ab.decide(plan(settle="5m"), series()).metrics[0].estimate)


def test_the_outage_is_found_in_the_log_and_may_be_too_long() -> None:
    module = example("recreate")
    given = ab.Experiment.from_file(EXAMPLES / "recreate.yaml")
    log = module.release("win", np.random.default_rng(3))
    assert isinstance(given.strategy, ab.Recreate)
    found = replace(given, strategy=replace(given.strategy, stop=None, start=None))
    assert check(ab.decide(given, log), "outage").startswith("pass: the outage lasted 20m")
    assert "longest gap" in check(ab.decide(found, log), "outage")
    assert ab.decide(found, log).metrics == ab.decide(given, log).metrics
    short = ab.decide(replace(given, strategy=replace(given.strategy, max_outage="19m")), log)
    assert (short.verdict, short.blocked) == ("continue", True)


def test_times_that_are_missing_or_doubled_are_counted() -> None:
    log = series()
    log.loc[log.index[:8], "time"] = pd.NaT
    decision = ab.decide(plan(), pd.concat([log, log.iloc[100:103]]))
    assert check(decision, "times").startswith("fail: 8 of 415 rows")
    assert "3 rows with the time of another" in check(decision, "series")


def test_a_season_needs_two() -> None:
    decision = ab.decide(plan(season="1d"), series(before=500))
    assert decision.blocked
    assert check(decision, "season").startswith("unknown: 1 full seasons")


def test_no_error_in_a_week() -> None:
    metrics = {"errors": ab.Ratio("errors", "n", role="guardrail", direction="decrease", margin=0.005)}
    watched = replace(plan(), metrics=metrics)
    log = series(errors=0, n=1000)
    assert ab.decide(watched, log).verdict == "promote"
    log.loc[log.index[-12:], "errors"] = [30, 41, 28, 33, 52, 44, 38, 37, 29, 40, 33, 41]
    assert ab.decide(watched, log).verdict == "rollback"
    assert ab.decide(watched, log.iloc[:405]).verdict == "rollback"


def test_missing_values() -> None:
    log = series()
    log.loc[log.index[3], "ms"] = np.nan
    with pytest.raises(ab.DataError, match="`missing`"):
        ab.decide(plan(), log)
    dropped = replace(plan(), missing="drop").analyze(log)
    assert dropped.results[0].n_control == 399
    assert any("1 of 412 rows have no `ms`" in note for note in dropped.notes())


def test_nothing_that_is_not_a_number_leaves() -> None:
    for ms in (7.0, 1e300, 0.0):
        decision = ab.decide(plan(), series(ms=ms))
        assert decision.verdict == "continue"
        assert "NaN" not in decision.to_json()


def test_rollback_is_cheaper_than_another_outage() -> None:
    recreate = ab.Recreate(stop="2026-11-01T11:55Z", start="2026-11-01T12:00Z")
    other = ab.Experiment(strategy=recreate, time="time", metrics=METRICS)
    assert plan().rule.alpha_rollback == 0.1
    assert other.rule.alpha_rollback == 0.02
    own = replace(plan(), rule=ab.Rule(alpha_rollback=0.01))
    assert own.rule.alpha_rollback == 0.01
    held = replace(plan(), rule=ab.Rule(tainted="hold"))
    assert held.rule == ab.Rule(tainted="hold", alpha_rollback=0.1)
    assert ab.decide(other, series()).risk.false_rollback_max == 0.02


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"time": None}, "time"),
        ({"control": "blue"}, "control"),
        ({"segments": ["country"]}, "segments"),
        ({"monitor": ab.GroupSequential(looks=3, units=1000)}, "monitor"),
        ({"metrics": {"p99": ab.Quantile("ms", 0.99)}}, "p99"),
        ({"metrics": {"ms": ab.Mean("ms", cap=ab.Cap(value=1))}}, "cap"),
        ({"metrics": {"ms": ab.Mean("ms", covariates="x")}}, "covariates"),
        ({"strategy": ab.BlueGreen()}, "switch"),
    ],
)
def test_plans_that_a_series_cannot_answer(fields: dict[str, object], match: str) -> None:
    base = {"strategy": ab.BlueGreen(switch="2026-11-01T12:00Z"), "time": "time", "metrics": METRICS}
    with pytest.raises(ValueError, match=match):
        ab.Experiment(**{**base, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "fields", "match"),
    [
        (ab.BlueGreen, {"bucket": "0m"}, "bucket"),
        (ab.BlueGreen, {"bucket": "7m", "season": "1d"}, "season"),
        (ab.BlueGreen, {"switch": "noon"}, "switch"),
        (ab.BlueGreen, {"green": "blue"}, "green"),
        (ab.BlueGreen, {"smoke_pass": 1.5}, "smoke_pass"),
        (ab.Recreate, {"stop": "2026-11-01"}, "neither"),
        (ab.Recreate, {"stop": "2026-11-02", "start": "2026-11-01"}, "start"),
        (ab.Recreate, {"controls": ["a", "a"]}, "controls"),
    ],
)
def test_strategies_check_their_fields(kind: type, fields: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        kind(**fields)


def test_second_rows_that_come_with_the_switch_hide_no_harm() -> None:
    log = series(after=24)
    after = log["time"] >= SWITCH
    log.loc[after, "ms"] += 30
    diluted = ab.decide(plan(), pd.concat([log, log[after].assign(ms=0.0)]))
    assert diluted.verdict != "promote"
    assert diluted.blocked
    assert check(diluted, "repeated").startswith(
        "fail: buckets with more than one row: 0 of 400 before, 24 of 24 after"
    )
    assert check(ab.decide(plan(), log), "repeated").startswith("pass")
