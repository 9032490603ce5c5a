"""The published results of real experiments, from their logs; needs the shared data beside the project."""

from __future__ import annotations

from pathlib import Path

import pytest

import abkit as ab
from abkit.cli import main

DATA = Path(__file__).parents[2] / "shared" / "data"
EXAMPLES = Path(__file__).parents[1] / "examples"

# Gerber, Green and Larimer 2008, American Political Science Review 102(1), Tables 2 and 3: effects on turnout with
# standard errors clustered by household, as printed
PUBLISHED = {
    "Civic Duty": (0.018, 0.003),
    "Hawthorne": (0.026, 0.003),
    "Self": (0.049, 0.003),
    "Neighbors": (0.081, 0.003),
}
# Python 3.11, statsmodels 0.15.0, on the same file:
#   OLS(primary_06 ~ const + dummies of treatment).fit(cov_type="cluster", cov_kwds={"groups": household})
#   params  0.017899 0.025736 0.048513 0.081310    bse  0.003237 0.003258 0.003300 0.003370
CLUSTERED = {
    "Civic Duty": (0.017899, 0.003237),
    "Hawthorne": (0.025736, 0.003258),
    "Self": (0.048513, 0.003300),
    "Neighbors": (0.081310, 0.003370),
}


@pytest.fixture(scope="module")
def turnout() -> ab.Report:
    return ab.Experiment.from_file(EXAMPLES / "gotv.yaml").analyze(DATA / "gotv_michigan_2006.csv.gz")


@pytest.mark.parametrize("letter", PUBLISHED)
def test_the_published_effects_and_clustered_errors_come_out(turnout: ab.Report, letter: str) -> None:
    result = turnout.result("turnout", letter)
    assert round(result.estimate, 3) == PUBLISHED[letter][0]
    assert round(result.stderr, 3) == PUBLISHED[letter][1]
    assert result.estimate == pytest.approx(CLUSTERED[letter][0], abs=5e-7)
    assert result.stderr == pytest.approx(CLUSTERED[letter][1], rel=3e-4)


def test_the_log_is_complete(turnout: ab.Report) -> None:
    audit = turnout.statistics.audit
    assert (audit.rows, audit.units) == (344_084, 180_002)
    assert {check.status for check in turnout.checks} == {"pass"}


def test_the_letters_that_shame_are_promoted_from_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["decide", str(EXAMPLES / "gotv.yaml"), str(DATA / "gotv_michigan_2006.csv.gz")])
    assert code == 0
    assert capsys.readouterr().out.startswith("PROMOTE Neighbors")


def test_a_constant_column_survives() -> None:
    plan = ab.Experiment(
        unit="household",
        variant="treatment",
        control="No Postcard",
        metrics={"constant": ab.Ratio("general_04", ab.ROWS), "turnout": ab.Ratio("primary_06", ab.ROWS)},
    )
    rows = plan.analyze(DATA / "gotv_michigan_2006.csv.gz").results
    constant = [row for row in rows if row.metric == "constant"]
    assert all(row.test is None and row.reason and "variance is zero" in row.reason for row in constant)
    assert all(row.test is not None for row in rows if row.metric == "turnout")
