"""Welch's, Student's and the z-test against R's t.test, and where they have no answer."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit import Interval, Moments, WholeLine, relative, student_test, welch_test, z_test
from tests.golden.read import cases

TESTS = {"welch": welch_test, "student": student_test, "z": z_test}
ARMS = st.builds(
    Moments,
    st.integers(2, 10**6),
    st.floats(-100, 100),
    st.floats(0.01, 1e6),
)


@pytest.mark.parametrize("case", cases("t_test"), ids=lambda case: f"{case['test']}, {case['name']}")
def test_every_number_is_that_of_r(case):
    test = TESTS[case["test"]]
    result = test(case["control"], case["treatment"], alternative=case["alternative"], null=case["null"])
    assert result.stderr == pytest.approx(case["stderr"], rel=1e-13)
    assert result.df == pytest.approx(case["df"], rel=1e-12)
    assert result.statistic == pytest.approx(case["statistic"], rel=1e-12)
    assert result.pvalue == pytest.approx(case["pvalue"], rel=1e-12)
    low, high = result.interval(case["level"])
    assert low == pytest.approx(-math.inf if case["low"] is None else case["low"], rel=1e-11)
    assert high == pytest.approx(math.inf if case["high"] is None else case["high"], rel=1e-11)


def test_the_z_test_worked_by_hand():
    # variances 4 and 9 over n = 100 and 225: standard error sqrt(0.04 + 0.04); difference 0.8; z = 2 sqrt(2)
    result = z_test(Moments(100, 5.0, 4.0 * 99), Moments(225, 5.8, 9.0 * 224))
    assert result.stderr == pytest.approx(math.sqrt(0.08), rel=1e-15)
    assert result.statistic == pytest.approx(2 * math.sqrt(2), rel=1e-14)
    assert result.pvalue == pytest.approx(float(mp.erfc(2)), rel=1e-14)
    assert result.df == math.inf
    assert list(result.interval(0.95)) == pytest.approx(
        [0.8 - 1.959963984540054 * math.sqrt(0.08), 0.8 + 1.959963984540054 * math.sqrt(0.08)], rel=1e-14
    )


@given(ARMS, ARMS)
def test_satterthwaite_lies_between_the_smaller_variant_and_the_pooled_degrees_of_freedom(control, treatment):
    df = welch_test(control, treatment).df
    assert min(control.n, treatment.n) - 1 <= df * (1 + 1e-12)
    assert df <= (control.n + treatment.n - 2) * (1 + 1e-12)


@given(ARMS, ARMS)
def test_the_normal_never_gives_the_larger_pvalue(control, treatment):
    assert z_test(control, treatment).pvalue <= welch_test(control, treatment).pvalue * (1 + 1e-12)


@given(ARMS, st.floats(-100, 100), st.floats(0.01, 1e6))
def test_welch_and_student_have_one_statistic_in_variants_of_one_size(control, mean, m2):
    treatment = Moments(control.n, mean, m2)
    welch, student = welch_test(control, treatment), student_test(control, treatment)
    assert welch.statistic == pytest.approx(student.statistic, rel=1e-12)
    assert welch.df <= student.df * (1 + 1e-12)


def test_student_keeps_its_answer_where_one_variant_does_not_vary():
    result = student_test([1.0, 1.0, 1.0], [2.0, 3.0, 4.0])
    assert result.stderr == pytest.approx(math.sqrt(0.5 * (2 / 3)), rel=1e-15)
    assert result.df == 4


def test_welch_takes_the_degrees_of_freedom_of_the_only_variant_that_varies():
    assert welch_test([1.0] * 9, [2.0, 3.0, 4.0]).df == 2


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_no_variance_is_an_undefined_test_with_a_reason(test):
    result = test([2.0, 2.0, 2.0], [3.0, 3.0])
    assert math.isnan(result.pvalue)
    assert math.isnan(result.statistic)
    assert result.reason == "the variance is zero: every unit has the same value, or they differ in rounding only"
    assert result.estimate == 1
    assert result.interval(0.9) == result.relative(0.9) == WholeLine(0.9)


@pytest.mark.parametrize("treatment", [[0.0, 0.0, 0.0], [5.0, 5.0, 5.0]])
def test_a_margin_of_minus_one_has_an_answer_where_only_the_control_varies(treatment):
    # at relative(-1) the contrast is the treatment's mean alone, and here it is known exactly
    result = welch_test([1.0, 2.0, 3.0, 4.0], treatment, null=relative(-1.0))
    assert result.reason is None
    assert result.pvalue == (1.0 if treatment[0] == 0 else 0.0)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_results_are_plain_floats_and_strict_json(test):
    result = test(np.array([1, 2, 4]), np.array([2.0, 5.0, 9.0]))
    numbers = [result.estimate, result.stderr, result.df, result.statistic, result.pvalue, *result.interval()]
    assert {type(value) for value in numbers} == {float}
    data = result.to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["interval"] == {
        "shape": "bounded",
        "low": result.interval().low,
        "high": result.interval().high,
        "level": 0.95,
    }


def test_undefined_and_infinite_numbers_are_none_in_json():
    undefined = welch_test([2.0, 2.0], [2.0, 2.0]).to_dict()
    assert (undefined["pvalue"], undefined["statistic"]) == (None, None)
    assert undefined["reason"].startswith("the variance is zero")
    one_sided = z_test([1.0, 2.0, 3.0], [2.0, 3.0, 5.0], alternative="greater", null=relative(0.1)).to_dict(0.9)
    assert one_sided["df"] is None
    assert one_sided["interval"]["high"] is None
    assert one_sided["null"] == {"relative": 0.1}
    json.dumps([undefined, one_sided], allow_nan=False)


def test_another_null_is_the_same_effect():
    result = welch_test([1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 5.0, 9.0])
    again = result.with_null(0.5, "greater")
    assert again == welch_test([1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 5.0, 9.0], null=0.5, alternative="greater")
    assert result.with_null(relative(0.1)).alternative == "two-sided"


def test_the_relative_estimate_is_a_share_of_the_size_of_the_control():
    assert welch_test([1.0, 3.0], [2.0, 4.0]).relative_estimate == 0.5
    assert welch_test([-1.0, -3.0], [-2.0, -4.0]).relative_estimate == -0.5
    assert math.isnan(welch_test([-1.0, 1.0], [2.0, 4.0]).relative_estimate)


REFUSED = [
    (([1.0], [1.0, 2.0]), {}, ValueError, "`control` must have at least 2 units; got 1."),
    (([1.0, 2.0], []), {}, ValueError, "`treatment` must have at least 2 units; got 0."),
    (([1.0, math.nan], [1.0, 2.0]), {}, ValueError, "must be finite; got 1 of 2 values that are nan or infinite."),
    ((np.ones(3, dtype=np.float32), [1.0, 2.0]), {}, TypeError, "must be 64-bit floating point; got float32"),
    (([Decimal(1), Decimal(2)], [1.0, 2.0]), {}, TypeError, "must hold numbers; got an array of object."),
    (([[1.0, 2.0]], [1.0, 2.0]), {}, ValueError, "must have 1 dimension(s); got 2."),
    ((Moments([5], [1.0], [1.0]), [1.0, 2.0]), {}, ValueError, "`control` must describe one group; got statistics of"),
    (([1.0, 2.0], [1.0, 2.0]), {"alternative": "two_sided"}, ValueError, "got 'two_sided'. Did you mean 'two-sided'?"),
    (([1.0, 2.0], [1.0, 2.0]), {"alternative": None}, ValueError, "`alternative` must be one of 'two-sided', 'gre"),
    (([1.0, 2.0], [1.0, 2.0]), {"null": math.nan}, ValueError, "`null` must be finite; got nan."),
    (([1.0, 2.0], [1.0, 2.0]), {"null": "0"}, TypeError, "`null` must be a number; got '0'."),
    (([1.0, 2.0], [1.0, 2.0]), {"null": np.float32(0.1)}, TypeError, "`null` must be 64-bit floating point"),
]


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
@pytest.mark.parametrize(("arms", "options", "error", "message"), REFUSED)
def test_what_cannot_be_tested_is_refused(test, arms, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        test(*arms, **options)


@pytest.mark.parametrize("level", [0, 1, -0.1, 1.5, math.nan, 95])
def test_a_level_outside_zero_and_one_is_refused(level):
    result = welch_test([1.0, 2.0], [1.0, 3.0])
    for ask in (result.interval, result.relative, result.to_dict):
        with pytest.raises(ValueError, match=re.escape("`level` must be between 0 and 1; got")):
            ask(level)


def test_an_unknown_relative_method_is_refused():
    with pytest.raises(ValueError, match=re.escape("`method` must be one of 'fieller', 'delta', 'log'; got 'feller'.")):
        welch_test([1.0, 2.0], [1.0, 3.0]).relative(0.95, "feller")


def test_values_as_small_as_1e_150_keep_their_answer():
    tiny = welch_test([1e-150, 2e-150, 4e-150], [3e-150, 5e-150, 5e-150])
    assert tiny.pvalue == pytest.approx(welch_test([1.0, 2.0, 4.0], [3.0, 5.0, 5.0]).pvalue, rel=1e-12)
    assert isinstance(tiny.interval(), Interval)
