"""Anytime-valid sample-ratio mismatch."""

import json
import math

import numpy as np
import pytest

import abkit as ab
from abkit.sequential._dirichlet import log_dirichlet
from tests.golden.read import cases

DAILY = {"control": [1010, 984, 1003, 996], "treatment": [985, 911, 888, 869]}


@pytest.mark.parametrize("case", cases("anytime_counts", "srm"))
def test_bayes_factors_are_those_of_mpmath(case):
    sequence = ab.srm_sequence(case["counts"], case["weights"], concentration=case["concentration"])
    assert sequence.log_evalue[-1] == pytest.approx(case["log_evalue"], rel=1e-9, abs=1e-11)


def test_days_and_totals_are_one_thing():
    totals = {name: np.cumsum(units) for name, units in DAILY.items()}
    daily, total = ab.srm_sequence(DAILY, cumulative=False), ab.srm_sequence(totals)
    assert np.array_equal(daily.log_evalue, total.log_evalue)
    rows = ab.srm_sequence(np.column_stack(list(totals.values())), [3, 3])
    assert np.array_equal(rows.log_evalue, total.log_evalue)
    assert rows.variants == (0, 1)
    assert ab.srm_sequence([int(units[-1]) for units in totals.values()]).log_evalue[-1] == total.log_evalue[-1]


def test_how_units_are_grouped_into_looks_changes_nothing():
    fine = ab.srm_sequence(DAILY, cumulative=False)
    coarse = ab.srm_sequence({name: np.add.reduceat(units, [0, 2]) for name, units in DAILY.items()}, cumulative=False)
    assert np.array_equal(coarse.log_evalue, fine.log_evalue[[1, 3]])


def test_the_running_pvalue_never_rises_and_the_current_one_may():
    sequence = ab.srm_sequence([[70, 20], [100, 100]])
    assert sequence.pvalue() < 0.01 < sequence.pvalue(running=False)
    assert np.all(np.diff(sequence.log_pvalue()) <= 0)
    assert sequence.first_mismatch is None
    assert ab.srm_sequence([[70, 20], [100, 100]], alpha=0.01).first_mismatch == 0


def test_which_variant_has_too_many_units():
    sequence = ab.srm_sequence({"a": 700, "b": 250, "c": 80}, {"a": 7, "b": 2, "c": 1})
    assert (sequence.over, sequence.under) == ("b", "c")
    assert sequence.excess.sum() == pytest.approx(0, abs=1e-15)
    even = ab.srm_sequence({"a": 50, "b": 50})
    assert (even.over, even.under) == (None, None)


def test_a_unit_in_a_variant_of_weight_zero_is_impossible():
    sequence = ab.srm_sequence({"a": [5, 9], "b": [6, 9], "off": [0, 1]}, {"a": 1, "b": 1, "off": 0})
    assert sequence.log_evalue[0] < 0
    assert sequence.pvalue() == 0
    assert sequence.over == "off"
    assert json.loads(json.dumps(sequence.to_dict(), allow_nan=False))["log_evalue"][1] is None
    none = ab.srm_sequence({"a": 5, "b": 6}, {"a": 1, "b": 1, "off": 0})
    assert none.log_evalue[0] == pytest.approx(float(ab.srm_sequence([5, 6]).log_evalue[0]), abs=1e-15)


def test_no_units_say_nothing():
    sequence = ab.srm_sequence([[0, 0], [1, 0]])
    assert sequence.pvalue() == 1
    assert sequence.log_evalue[0] == 0
    assert ab.srm_sequence([7], [2]).log_evalue[0] == pytest.approx(0, abs=1e-14)


def test_nothing_underflows():
    sequence = ab.srm_sequence([10**9, 2 * 10**9])
    assert sequence.log_pvalue()[-1] < -1e8
    assert sequence.pvalue() == 0


@pytest.mark.parametrize("alpha", [0.05, 0.5])
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_every_path_of_assignments(alpha, share):
    """P(ever an alarm) by adding up all paths of 60 units, two variants: units in the first are all that matters."""
    n = 60
    units = [(k, m - k) for m in range(n + 1) for k in range(m + 1)]
    alarms = dict(zip(units, _log_evalues(units, share), strict=True))
    mass, rejected = {0: 1.0}, 0.0
    for m in range(1, n + 1):
        after: dict[int, float] = {}
        for k, q in mass.items():
            after[k + 1] = after.get(k + 1, 0.0) + q * share
            after[k] = after.get(k, 0.0) + q * (1 - share)
        rejected += sum(q for k, q in after.items() if alarms[k, m - k] >= -math.log(alpha))
        mass = {k: q for k, q in after.items() if alarms[k, m - k] < -math.log(alpha)}
    assert 0 < rejected <= alpha


def test_the_evalue_has_expectation_one():
    n, share = 25, 0.3
    evalues = np.exp(_log_evalues([(k, n - k) for k in range(n + 1)], share))
    chance = [math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    assert evalues @ chance == pytest.approx(1, rel=1e-12)


def _log_evalues(units, share):
    each = [log_dirichlet(np.array(units, dtype=float), np.array([share, 1 - share]), k) for k in (2.0, 40.0)]
    return np.logaddexp(*each) - math.log(2)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        (([3.0, 4.0],), {}, TypeError, "whole"),
        (([float("nan"), 4],), {}, TypeError, "whole"),
        (([-1, 4],), {}, ValueError, "at least 0"),
        (([[5, 5], [4, 9]],), {}, ValueError, "cumulative=False"),
        (([5, 5], [0, 0]), {}, ValueError, "above 0"),
        (([5, 5], [1, -1]), {}, ValueError, "at least 0"),
        (([5, 5], [1, float("nan")]), {}, ValueError, "at least 0"),
        (([5, 5], [1]), {}, ValueError, "one weight for each"),
        (([5, 5], {"a": 1, "b": 2}), {}, ValueError, "both be mappings"),
        (({"a": 5}, {"b": 5}), {}, ValueError, "every variant"),
        (({"a": [5, 6], "b": [5]},), {}, ValueError, "as many looks"),
        (([],), {}, ValueError, "looks"),
        (([[5, 5], [6]],), {}, ValueError, "rows of one length"),
        (([5, 5],), {"alpha": 1}, ValueError, "alpha"),
        (([5, 5],), {"concentration": [0.0]}, ValueError, "concentration"),
        (([5, 5],), {"concentration": []}, ValueError, "concentration"),
    ],
)
def test_what_is_refused(arguments, options, error, words):
    with pytest.raises(error, match=words):
        ab.srm_sequence(*arguments, **options)
