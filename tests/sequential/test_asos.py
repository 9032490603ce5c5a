"""Peeking at real experiments: what the example prints; needs the shared data beside the project."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "asos.py"
DATA = Path(__file__).parents[3] / "shared" / "data" / "asos_digital_experiments.parquet"


def printed(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), str(path)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    return capsys.readouterr().out


def test_what_turned_and_what_was_mismatched(monkeypatch, capsys):
    """What the fixed test says, counted once more in another way; the rest as the page shows it."""
    import duckdb
    import numpy as np

    log = duckdb.sql(f"from '{DATA}' order by time_since_start").df()
    fixed_ever = fixed_last = turned = 0
    for _, looks in log.groupby(["experiment_id", "variant_id", "metric_id"]):
        falls = (looks[["count_c", "count_t"]] < looks[["count_c", "count_t"]].cummax()).any(axis=1)
        kept = looks[~falls & (looks["count_c"] > 1) & (looks["count_t"] > 1)].dropna()
        z = (kept.mean_t - kept.mean_c) / np.sqrt(kept.variance_c / kept.count_c + kept.variance_t / kept.count_t)
        rejected = (z.abs() > 1.959964).to_numpy()
        if rejected.size:
            fixed_ever += rejected.any()
            fixed_last += rejected[-1]
            turned += rejected.any() and not rejected[-1]
    out = printed(DATA, monkeypatch, capsys)
    total = next(line for line in out.splitlines() if line.split()[:1] == ["all"])
    assert total.split() == ["all", "381", str(fixed_ever), str(fixed_last), "99", "55"]
    assert f"{turned} looked significant at some look and ended otherwise: 90 of them" in out
    assert out.count("first seen on day") == 12
    assert "c3d89d, variant 2: share 0.4616" in out


def test_without_the_data_it_says_so(tmp_path, monkeypatch, capsys):
    assert "is not there" in printed(tmp_path / "none.parquet", monkeypatch, capsys)
