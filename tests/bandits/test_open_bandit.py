"""The Open Bandit logs: each policy from the other's; needs the shared data beside the project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from abkit.bandits import evaluate

DATA = Path(__file__).parents[3] / "shared" / "data"
COLUMNS = {"arm": "item_id", "reward": "click", "propensity": "propensity_score"}


@pytest.mark.parametrize(("method", "value", "stderr"), [("ips", 0.002360, 0.000871), ("snips", 0.002334, 0.000869)])
def test_uniform_from_thompson_sampling(method: str, value: float, stderr: float) -> None:
    """Values that were computed by hand in NumPy beside this project."""
    found = evaluate(DATA / "obd_all_bts.parquet", "uniform", method, **COLUMNS)
    assert (round(found.value, 6), round(found.stderr, 6)) == (value, stderr)
    assert round(found.ess) == 340
    seen = found.diagnostics
    assert round(seen.inverse_propensity.value, 1) == 80.9
    assert seen.smallest_propensity == pytest.approx(4.5e-5)
    assert found.on_policy == pytest.approx(0.0042)


def test_by_hand_to_the_last_digits() -> None:
    log = pd.read_parquet(DATA / "obd_all_bts.parquet", columns=list(COLUMNS.values()))
    w, r = 1 / 80 / log["propensity_score"], log["click"]
    found = evaluate(log, "uniform", "ips", **COLUMNS)
    assert found.value == pytest.approx((w * r).mean(), rel=1e-12)
    assert found.stderr == pytest.approx((w * r).std() / 100, rel=1e-12)
    mean = r.groupby(log["item_id"]).transform("mean")
    n = r.groupby(log["item_id"]).transform("count")
    direct = r.groupby(log["item_id"]).mean().sum() / 80
    scores = direct + (r - mean) * (w * n - 1 / 80) / (n - 1)
    robust = evaluate(log, "uniform", "dr", **COLUMNS)
    assert robust.value == pytest.approx(scores.mean(), rel=1e-11)
    assert robust.stderr == pytest.approx(scores.std() / 100, rel=1e-11)


def test_uniform_from_its_own_log() -> None:
    found = evaluate(DATA / "obd_all_random.parquet", "uniform", "snips", **COLUMNS)
    assert found.diagnostics.inverse_propensity.value == pytest.approx(80, rel=1e-12)
    assert found.value == pytest.approx(0.0038, rel=1e-12)
    assert found.ess == pytest.approx(10_000)
    assert not found.warnings
    assert np.isclose(found.difference, 0, atol=1e-15)
