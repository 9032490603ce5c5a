"""e-values: calibrators against their integral, e-BH by its definition, merging, and a stream."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import abkit as ab
from tests.golden.read import cases

EVALUES = st.lists(st.floats(0, 1e6), min_size=1, max_size=30)


@pytest.mark.parametrize("case", cases("mixture_sequences", "calibrators"))
def test_golden_calibrator(case):
    assert float(ab.p_to_e(case["pvalue"])) == pytest.approx(float(case["evalue"]), rel=1e-12)


def test_calibrators_at_the_edges_and_far_out():
    assert ab.p_to_e([0.0, 1.0]).tolist() == [math.inf, 0.5]
    assert ab.p_to_e([0.25, 1.0], kappa=0.5).tolist() == pytest.approx([1.0, 0.5])
    far = ab.p_to_e([-5000.0], log=True)[0]
    assert far == pytest.approx(5000 - 2 * math.log(5000), rel=1e-12)
    assert ab.e_to_p([0.0, 0.5, 20, math.inf]).tolist() == [1.0, 1.0, 0.05, 0.0]
    assert ab.e_to_p([5000.0], log=True).tolist() == [-5000.0]


@given(EVALUES, st.sampled_from([0.01, 0.05, 0.5]))
def test_e_bh_is_the_definition(evalues, alpha):
    m, order = len(evalues), sorted(evalues, reverse=True)
    k = max((k for k in range(1, m + 1) if k * order[k - 1] * alpha >= m * (1 - 1e-12)), default=0)
    rejected = ab.e_bh(evalues, alpha=alpha)
    assert rejected.sum() >= k
    assert all(bool(r) == (k > 0 and e >= order[k - 1]) for r, e in zip(rejected, evalues, strict=True))
    logs = np.log(np.maximum(evalues, 1e-300))
    np.testing.assert_array_equal(ab.e_bh(logs, alpha=alpha, log=True), rejected)


def test_e_bh_of_numbers_that_overflow():
    assert ab.e_bh([1e5, 3.0, -math.inf, math.inf], log=True).tolist() == [True, False, False, True]
    assert ab.e_bh([]).tolist() == []
    assert ab.e_bh([20.0]).tolist() == [True]


@given(EVALUES)
def test_a_stream_never_changes_what_it_said(evalues):
    whole = ab.e_lond(evalues, alpha=0.1)
    half = len(evalues) // 2
    np.testing.assert_array_equal(ab.e_lond(evalues[:half], alpha=0.1), whole[:half])
    # what a stream finds, all together find too
    assert np.all(ab.e_bh(evalues, alpha=0.1) | ~whole)


def test_merging():
    assert float(ab.merge_evalues([1.0, 3.0])) == pytest.approx(2.0)
    assert float(ab.merge_evalues([2.0, 0.0], how="product")) == 0.0
    assert float(ab.merge_evalues([900.0, 900.0], log=True)) == pytest.approx(900.0)
    assert float(ab.merge_evalues([900.0, 900.0], how="product", log=True)) == 1800.0
    assert ab.merge_evalues([[1.0, 3.0], [0.0, 0.0]]).tolist() == pytest.approx([2.0, 0.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ab.e_bh([-1.0]), "`evalues` must be at least 0"),
        (lambda: ab.e_bh([math.nan]), "must not be nan"),
        (lambda: ab.e_bh([[1.0]]), "1 dimension"),
        (lambda: ab.e_bh([1.0], alpha=1.0), "`alpha` must be between"),
        (lambda: ab.p_to_e(1.5), "`pvalues` must be at most 1"),
        (lambda: ab.p_to_e(0.5, kappa=1.0), "`kappa` must be between"),
        (lambda: ab.merge_evalues([0.0, math.inf], how="product"), "zero and infinity"),
        (lambda: ab.merge_evalues([]), "at least one"),
        (lambda: ab.merge_evalues([1.0], how="median"), "`how` must be one of"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
