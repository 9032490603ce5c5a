"""Logs of decisions through engines: the same rows and the same value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from abkit.adapters._bandit_log import read_decisions
from abkit.bandits import evaluate
from abkit.errors import DataError
from tests.adapters.engines import (
    as_csv,
    as_dask,
    as_duckdb,
    as_ibis,
    as_lazy_polars,
    as_pandas,
    as_parquet,
    as_polars,
    as_pyarrow,
)

ENGINES = [as_pandas, as_polars, as_lazy_polars, as_pyarrow, as_duckdb, as_ibis, as_dask, as_parquet, as_csv]
N = 300
ARM = np.arange(N) * 7 % 10 % 3
LOG = pd.DataFrame(
    {
        "arm": ARM,
        "name": np.array(["x", "y", "z"])[ARM],
        "reward": np.arange(N) % 4 == 0,
        "propensity": np.array([0.5, 0.25, 0.25])[ARM],
        "own": np.array([0.25, 0.25, 0.5])[ARM],
        "day": (np.arange(N) * 37) % 50,
        "cell": np.array(["u", "v"])[np.arange(N) % 2],
    }
)


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_in_their_order(engine: Callable[..., Any], tmp_path: Path) -> None:
    rows = read_decisions(engine(LOG, tmp_path), ["arm", "name", "reward"], "day", labels=["arm"])
    expected = LOG.sort_values("day", kind="stable")
    assert list(rows) == ["arm", "name", "reward"]
    assert rows["arm"].tolist() == expected["arm"].tolist()
    assert type(rows["arm"][0]) is int
    assert rows["name"].tolist() == expected["name"].tolist()
    assert rows["reward"].dtype == np.float64
    assert rows["reward"].tolist() == expected["reward"].astype(float).tolist()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_value(engine: Callable[..., Any], tmp_path: Path) -> None:
    log = engine(LOG, tmp_path)
    expected = evaluate(LOG, {"0": 0.25, "1": 0.25, "2": 0.5}, "dr", by="cell")
    found = evaluate(log, {0: 0.25, 1: 0.25, 2: 0.5}, "dr", by="cell")
    assert (found.value, found.stderr) == pytest.approx((expected.value, expected.stderr), rel=1e-12)
    drift = evaluate(log, "own", "snips", arm="name", order="day")
    assert drift.value == pytest.approx(evaluate(LOG, {"x": 0.25, "y": 0.25, "z": 0.5}, "snips", arm="name").value)
    assert sum(period.n for period in drift.diagnostics.periods) == N


@pytest.mark.parametrize("engine", [as_pandas, as_polars, as_duckdb, as_csv])
def test_gaps_are_counted(engine: Callable[..., Any], tmp_path: Path) -> None:
    holes = LOG.assign(propensity=LOG["propensity"].where(LOG.index > 2), name=LOG["name"].where(LOG.index > 0))
    with pytest.raises(DataError, match=r"1 of 300 in `name`, 3 of 300 in `propensity`"):
        read_decisions(engine(holes, tmp_path), ["name", "propensity"])
    with pytest.raises(DataError, match="3 of 300 in `propensity`"):
        evaluate(engine(holes, tmp_path), "uniform", arm="arm")


def test_what_is_no_log() -> None:
    with pytest.raises(DataError, match="no rows"):
        read_decisions({"arm": []}, ["arm"])
    with pytest.raises(DataError, match="equal length"):
        read_decisions({"arm": [1], "reward": [1, 2]}, ["arm"])
    with pytest.raises(DataError, match="Did you mean 'arm'"):
        read_decisions({"arm": [1]}, ["armm"])
    with pytest.raises(DataError, match="names or whole numbers"):
        read_decisions({"arm": [1.5]}, ["arm"], labels=["arm"])
