"""What every test says of data that it cannot take: the argument by its own name, the rule, and what came."""

from __future__ import annotations

import inspect
import math
import re

import numpy as np
import pytest

import abkit as ab
from tests.contracts.found import found

#: Strata come as a mapping, whose values are named by the same code.
TESTS = [test for test in found() if test.kind.name != "strata"]

BAD = {
    "nan": lambda rows: np.where(rows == rows.flat[0], np.nan, rows),
    "masked": lambda rows: np.ma.masked_array(rows, mask=rows > 0),
    "narrow": lambda rows: rows.astype(np.float32),
    "text": lambda rows: rows.astype(str),
    "none": lambda rows: None,
    "ragged": lambda rows: [[1.0, 2.0], [3.0]],
    "three axes": lambda rows: np.zeros((2, 2, 2)),
    "empty": lambda rows: rows[:0],
}


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", [0, 1])
def test_a_refusal_names_the_argument(test, bad, place):
    rows = np.asarray(test.kind.probe, dtype=np.float64)
    data = [rows, rows]
    data[place] = BAD[bad](rows)
    with pytest.raises((TypeError, ValueError)) as refused:
        test(*data)
    # of pairs that are not as many, either is the one that does not fit
    names = ("`control`", "`treatment`")
    assert str(refused.value).startswith(names if test.pairs else names[place])


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
def test_a_misspelt_alternative_is_answered_with_the_right_one(test):
    with pytest.raises(ValueError, match=r"`alternative` must be one of .* Did you mean 'greater'"):
        test(test.kind.probe, test.kind.probe, alternative="grater")


ROWS = {"control": [1.0, 2.0, 4.0, 3.0], "treatment": [2.0, 3.0, 5.0, 8.0]}
LABELLED = [
    *((test, "clusters") for test in (ab.quantile_test, ab.regression_test, ab.permutation_test, ab.bootstrap_test)),
    *((test, "strata") for test in (ab.regression_test, ab.permutation_test, ab.poststratified_test)),
]
BAD_LABELS = [
    (["a", None, "b", "b"], "must have a label for every row; got 1 that are missing"),
    ([1.0, math.nan, 2.0, 2.0], "must have a label for every row; got 1 that are missing"),
    (np.ma.masked_array([1, 2, 3, 3], mask=[0, 1, 0, 0]), "must hold every label; got a masked array"),
    (np.ones((4, 1)), "must hold one label a row, 4; got shape (4, 1)"),
]


@pytest.mark.filterwarnings("ignore::abkit.errors.AccuracyWarning")
@pytest.mark.parametrize(("test", "name"), LABELLED)
@pytest.mark.parametrize(("labels", "rule"), BAD_LABELS)
def test_labels_that_are_missing_are_refused_by_every_test(test, name, labels, rule):
    seed = {"rng": np.random.default_rng(1)} if "rng" in inspect.signature(test).parameters else {}
    with pytest.raises((TypeError, ValueError), match=re.escape(f"`{name}` {rule}")):
        test(**ROWS, **{name: (labels, labels)}, **seed)
