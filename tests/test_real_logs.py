"""The published results of real experiments, from their logs; needs the shared data beside the project."""

from __future__ import annotations

import math
from dataclasses import replace
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
# The same with groups = cluster, the 10,000 blocks within which households were randomised. Its variances have the
# factor G / (G - 1) x (N - 1) / (N - K) with G = 10,000 blocks, N = 344,084 rows and K = 5 variants; those of abkit
# the first part of it.
BY_BLOCK = {
    "Civic Duty": (0.017899344085, 0.003118550613),
    "Hawthorne": (0.025736312128, 0.003130971950),
    "Self": (0.048513190963, 0.003202160626),
    "Neighbors": (0.081309912921, 0.003313849069),
}
LOG = DATA / "gotv_michigan_2006.csv.gz"


@pytest.fixture(scope="module")
def turnout() -> ab.Report:
    return replace(ab.Experiment.from_file(EXAMPLES / "gotv.yaml"), segments="hh_size").analyze(LOG)


@pytest.fixture(scope="module")
def by_block() -> ab.Report:
    metrics = {
        "turnout": ab.Paired("primary_06", denominator=ab.ROWS),
        "constant": ab.Paired("general_04", denominator=ab.ROWS, role="deterioration"),
    }
    shares = {"No Postcard": 5, **dict.fromkeys(PUBLISHED, 1)}
    return ab.Experiment(
        unit="cluster", variant="treatment", control="No Postcard", allocation=shares, metrics=metrics
    ).analyze(LOG)


@pytest.mark.parametrize("letter", PUBLISHED)
def test_the_published_effects_and_clustered_errors_come_out(turnout: ab.Report, letter: str) -> None:
    result = turnout.result("turnout", letter)
    assert round(result.estimate, 3) == PUBLISHED[letter][0]
    assert round(result.stderr, 3) == PUBLISHED[letter][1]
    assert result.estimate == pytest.approx(CLUSTERED[letter][0], abs=5e-7)
    assert result.stderr == pytest.approx(CLUSTERED[letter][1], rel=3e-4)


@pytest.mark.parametrize("letter", PUBLISHED)
def test_errors_by_block_are_those_of_least_squares_clustered_by_block(by_block: ab.Report, letter: str) -> None:
    result = by_block.result("turnout", letter)
    assert round(result.estimate, 3) == PUBLISHED[letter][0]
    assert result.estimate == pytest.approx(BY_BLOCK[letter][0], abs=1e-12)
    assert result.stderr * math.sqrt(344_083 / 344_079) == pytest.approx(BY_BLOCK[letter][1], rel=1e-9)
    assert result.df == 9_999


def test_every_block_has_every_letter(by_block: ab.Report) -> None:
    assert by_block.units == dict.fromkeys(["No Postcard", *PUBLISHED], 10_000)
    assert {check.id: check.status for check in by_block.checks} == {"identity": "pass", "pairs": "pass"}
    constant = [row for row in by_block.results if row.metric == "constant"]
    assert all(row.reason and "variance is zero" in row.reason for row in constant)


def test_all_letters_are_shown_among_four_by_holm_and_by_dunnett(turnout: ab.Report, by_block: ab.Report) -> None:
    for report in (turnout, by_block):
        assert all(ab.adjust([report.result("turnout", letter) for letter in PUBLISHED], "holm").rejected)
    letters = [turnout.result("turnout", letter) for letter in PUBLISHED]
    dunnett, holm = ab.adjust(letters, "dunnett"), ab.adjust(letters, "bonferroni")
    assert all(dunnett.rejected)
    # one control five times as large as each letter: correlations of 1/6, so little is gained over Bonferroni
    gains = [(d.high - d.low) / (h.high - h.low) for d, h in zip(dunnett.intervals, holm.intervals, strict=True)]
    assert gains == pytest.approx([0.9957] * 4, abs=5e-4)
    with pytest.raises(ValueError, match="two independent means"):  # letters within a block are not
        ab.adjust([by_block.result("turnout", letter) for letter in PUBLISHED], "dunnett")


def test_the_effect_of_shame_differs_by_household_size_but_is_never_reversed(turnout: ab.Report) -> None:
    found = {c.variant: c for c in turnout.compare_segments() if c.metric == "turnout"}
    assert set(found) == set(PUBLISHED)
    neighbors = found["Neighbors"]
    assert neighbors.segments[:5] == ("1", "2", "3", "4", "5")
    assert neighbors.heterogeneity.pvalue < 0.01
    assert all(neighbors.adjusted.rejected[:5])
    assert {c.reversal.kind for c in found.values()} == {"none"}


def test_the_log_is_complete(turnout: ab.Report) -> None:
    audit = turnout.statistics.audit
    assert (audit.rows, audit.units) == (344_084, 180_002)
    assert {check.status for check in turnout.checks} == {"pass"}


def test_the_letters_that_shame_are_promoted_from_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["decide", str(EXAMPLES / "gotv.yaml"), str(LOG)])
    assert code == 0
    assert capsys.readouterr().out.startswith("PROMOTE Neighbors")


def test_a_constant_column_survives() -> None:
    plan = ab.Experiment(
        unit="household",
        variant="treatment",
        control="No Postcard",
        metrics={"constant": ab.Ratio("general_04", ab.ROWS), "turnout": ab.Ratio("primary_06", ab.ROWS)},
    )
    rows = plan.analyze(LOG).results
    constant = [row for row in rows if row.metric == "constant"]
    assert all(row.test is None and row.reason and "variance is zero" in row.reason for row in constant)
    assert all(row.test is not None for row in rows if row.metric == "turnout")
