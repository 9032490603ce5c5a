"""Laws of every test of treatment against control. The tests are found, not listed.

A new `<something>_test(control, treatment, ...)` in `abkit.inference` is held to all of this without a line here,
as long as it takes one of the kinds of statistics below.
"""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import abkit as ab
from abkit import inference

ALTERNATIVES = st.sampled_from(["two-sided", "greater", "less"])
LEVELS = st.sampled_from([0.2, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
MIRRORED = {"two-sided": "two-sided", "greater": "less", "less": "greater"}
EIGHTHS = st.integers(-400, 400).map(lambda i: i / 8)


def found():
    """Every public test of two variants."""
    for name, function in sorted(vars(inference).items()):
        if name.endswith("_test") and list(inspect.signature(function).parameters)[:2] == ["control", "treatment"]:
            yield function


# A kind of data: how to draw the rows of one variant, and how to make its statistics of them.


def rows_of_moments():
    return st.lists(EIGHTHS, min_size=2, max_size=12)


def rows_of_counts():
    return st.lists(st.sampled_from([0, 1]), min_size=1, max_size=30)


def rows_of_comoments():
    return st.lists(st.tuples(EIGHTHS, st.integers(1, 12)), min_size=2, max_size=12)


def pair(rows):
    return ab.CoMoments.from_sample(rows, ["numerator", "denominator"])


KINDS = {
    ab.Moments: (rows_of_moments, ab.Moments.from_sample, [1.0, 2.0, 4.0]),
    ab.Counts: (rows_of_counts, ab.Counts.from_sample, [0, 1, 1]),
    ab.CoMoments: (rows_of_comoments, pair, [(1, 2), (2, 3), (5, 4)]),
}


def kind_of(test):
    """The kind of statistics that a test takes: the one it does not refuse."""
    accepted = []
    for kind, (_, summarise, rows) in KINDS.items():
        try:
            test(summarise(rows), summarise(rows))
        except (TypeError, ValueError):
            continue
        accepted.append(kind)
    assert len(accepted) == 1, f"{test.__name__} takes {accepted}: describe its data in KINDS"
    return accepted[0]


TESTS = list(found())
KIND_OF = {test: kind_of(test) for test in TESTS}
OF_MEANS = [test for test in TESTS if KIND_OF[test] is ab.Moments]
every_test = pytest.mark.parametrize("test", TESTS, ids=lambda test: test.__name__)
every_test_of_means = pytest.mark.parametrize("test", OF_MEANS, ids=lambda test: test.__name__)


def drawn_rows(data, test):
    rows = KINDS[KIND_OF[test]][0]()
    return data.draw(rows, label="control"), data.draw(rows, label="treatment")


def drawn_statistics(data, test):
    """Statistics of samples, and statistics of sizes that no sample in a test could have."""
    kind = KIND_OF[test]
    if data.draw(st.booleans(), label="of a sample"):
        return tuple(KINDS[kind][1](rows) for rows in drawn_rows(data, test))
    return data.draw(LARGE[kind], label="control"), data.draw(LARGE[kind], label="treatment")


@st.composite
def large_moments(draw):
    n = draw(st.integers(2, 10**6))
    return ab.Moments(n, draw(st.integers(-(10**4), 10**4)) / 100, draw(st.sampled_from([0.01, 1.0, 25.0])) * n)


@st.composite
def large_counts(draw):
    n = draw(st.integers(1, 10**6))
    return ab.Counts(n, round(n * draw(st.sampled_from([0.0, 0.001, 0.01, 0.1, 0.11, 0.5, 0.999, 1.0]))))


@st.composite
def large_comoments(draw):
    n = draw(st.integers(2, 10**6))
    mean = [draw(st.integers(-1000, 1000)) / 100, draw(st.integers(1, 1000)) / 100]
    a, b = draw(st.sampled_from([0.1, 4.0])), draw(st.sampled_from([0.0, 0.5, 1.0]))
    covariance = draw(st.sampled_from([-0.9, 0.0, 0.5])) * math.sqrt(a * b)
    return ab.CoMoments(n, mean, np.array([[a, covariance], [covariance, b]]) * n, ["numerator", "denominator"])


LARGE = {ab.Moments: large_moments(), ab.Counts: large_counts(), ab.CoMoments: large_comoments()}


def drawn_null(data, result):
    """An absolute null within reach of the estimate, and within -1 and 1 for proportions."""
    steps = data.draw(st.integers(-24, 24), label="null, in quarters of a standard error from the estimate") / 4
    null = data.draw(st.sampled_from([0.0, result.estimate + steps * (result.stderr or 0.01)]), label="null")
    assume(result.method != "score" or -1 < null < 1)
    return null


def drawn_share(data):
    return data.draw(st.integers(-40, 60), label="share in sixteenths") / 16


def defined(result):
    assume(result.reason is None)
    return result


def tied(pvalue, level):
    return abs(pvalue - (1 - level)) <= 1e-9


def same(a, b, scale=1.0):
    return a == b or abs(a - b) <= 1e-9 * max(abs(a), abs(b), scale)


def test_the_known_tests_are_found():
    assert {test.__name__ for test in TESTS} >= {
        "welch_test",
        "student_test",
        "z_test",
        "proportion_test",
        "ratio_test",
    }


@every_test
def test_the_face_is_one(test):
    parameters = inspect.signature(test).parameters
    assert parameters["alternative"].default == "two-sided"
    assert parameters["null"].default == 0
    assert all(p.kind is p.KEYWORD_ONLY for name, p in parameters.items() if name not in ("control", "treatment"))
    assert "Answers" in test.__doc__


@every_test
@given(data=st.data(), alternative=ALTERNATIVES, level=LEVELS)
def test_swapping_the_variants_flips_the_estimate_and_mirrors_the_interval(test, data, alternative, level):
    control, treatment = drawn_statistics(data, test)
    null = drawn_null(data, test(control, treatment))
    a = defined(test(control, treatment, alternative=alternative, null=null))
    b = test(treatment, control, alternative=MIRRORED[alternative], null=-null)
    assert b.estimate == -a.estimate
    assert (b.control, b.treatment) == (a.treatment, a.control)
    assert same(b.stderr, a.stderr, 0)
    assert same(b.statistic, -a.statistic)
    assert same(b.pvalue, a.pvalue, 0 if abs(a.statistic) < 30 else 1e-3)
    low, high = a.interval(level)
    mirrored_low, mirrored_high = b.interval(level)
    assert same(mirrored_low, -high, a.stderr + 1e-6)
    assert same(mirrored_high, -low, a.stderr + 1e-6)


@every_test
@given(data=st.data(), alternative=ALTERNATIVES)
def test_samples_and_their_statistics_agree(test, data, alternative):
    control, treatment = drawn_rows(data, test)
    summarise = KINDS[KIND_OF[test]][1]
    of_rows = test(control, treatment, alternative=alternative)
    of_statistics = test(summarise(control), summarise(treatment), alternative=alternative)
    if of_rows.reason:
        assert (of_rows.reason, of_rows.effect) == (of_statistics.reason, of_statistics.effect)
    else:
        assert of_rows == of_statistics


@every_test
@given(data=st.data())
def test_statistics_of_two_halves_answer_as_the_whole_does(test, data):
    control, treatment = drawn_rows(data, test)
    summarise = KINDS[KIND_OF[test]][1]
    cut = data.draw(st.integers(0, len(control)), label="cut")
    empty = KIND_OF[test] is ab.CoMoments and cut in (0, len(control))
    assume(not empty)  # a table without rows has no columns to name
    halves = summarise(control[:cut]) + summarise(control[cut:])
    whole = test(control, treatment)
    assume(whole.reason is None and whole.stderr > 1e-6)
    pooled = test(halves, summarise(treatment))
    assert same(pooled.pvalue, whole.pvalue, 1e-6)
    assert same(pooled.estimate, whole.estimate)


@every_test
@given(data=st.data(), alternative=ALTERNATIVES, order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_is_irrelevant(test, data, alternative, order):
    control, treatment = drawn_rows(data, test)
    a = test(control, treatment, alternative=alternative)
    assume(a.reason is None and a.stderr > 1e-6)
    order.shuffle(control)
    order.shuffle(treatment)
    b = test(control, treatment, alternative=alternative)
    assert same(b.estimate, a.estimate)
    assert same(b.pvalue, a.pvalue, 1e-6)


@every_test
@given(data=st.data(), alternative=ALTERNATIVES, level=LEVELS)
def test_the_interval_leaves_out_the_null_exactly_when_p_is_below_one_minus_level(test, data, alternative, level):
    control, treatment = drawn_statistics(data, test)
    null = drawn_null(data, test(control, treatment))
    result = defined(test(control, treatment, alternative=alternative, null=null))
    assume(not tied(result.pvalue, level))
    assert result.interval(level).contains(null) == (result.pvalue >= 1 - level)


@every_test
@given(data=st.data(), alternative=ALTERNATIVES, level=LEVELS)
def test_the_relative_set_leaves_out_the_share_exactly_when_p_is_below_one_minus_level(test, data, alternative, level):
    control, treatment = drawn_statistics(data, test)
    share = drawn_share(data)
    result = defined(test(control, treatment, alternative=alternative, null=ab.relative(share)))
    assume(not tied(result.pvalue, level))
    assert result.relative(level).contains(share) == (result.pvalue >= 1 - level)


@every_test
@given(data=st.data(), alternative=ALTERNATIVES, level=LEVELS)
def test_absolute_and_relative_answers_agree_at_zero(test, data, alternative, level):
    control, treatment = drawn_statistics(data, test)
    absolute = defined(test(control, treatment, alternative=alternative))
    share = test(control, treatment, alternative=alternative, null=ab.relative(0.0))
    assert same(share.statistic, absolute.statistic)
    assert same(share.pvalue, absolute.pvalue, 0 if abs(absolute.statistic) < 30 else 1e-3)
    assume(not tied(absolute.pvalue, level))
    assert absolute.interval(level).contains(0) == absolute.relative(level).contains(0)


@every_test
@given(data=st.data(), alternative=ALTERNATIVES)
def test_the_interval_touches_the_null_at_level_one_minus_p(test, data, alternative):
    control, treatment = drawn_statistics(data, test)
    null = drawn_null(data, test(control, treatment))
    result = defined(test(control, treatment, alternative=alternative, null=null))
    assume(1e-6 < result.pvalue < 1 - 1e-6)
    ends = result.interval(1 - result.pvalue)
    assert min(abs(end - null) for end in ends) <= 1e-6 * (result.stderr + abs(null)) + 1e-15


@every_test
@given(data=st.data(), alternative=ALTERNATIVES)
def test_the_relative_set_touches_the_share_at_level_one_minus_p(test, data, alternative):
    control, treatment = drawn_statistics(data, test)
    share = drawn_share(data)
    result = defined(test(control, treatment, alternative=alternative, null=ab.relative(share)))
    assume(1e-6 < result.pvalue < 1 - 1e-6)
    assume(result.method != "score" or share > -1)  # a ratio of zero is the edge of what there is
    p = result.pvalue
    # just inside at a slightly higher level, just outside at a slightly lower one
    assert result.relative(1 - p * (1 - 1e-6)).contains(share)
    assert not result.relative(1 - min(p * (1 + 1e-6), (1 + p) / 2)).contains(share)


@every_test
@given(data=st.data())
def test_the_pvalue_is_monotone_in_the_null(test, data):
    control, treatment = drawn_statistics(data, test)
    whole = defined(test(control, treatment))
    nulls = sorted(drawn_null(data, whole) for _ in range(2))
    greater = [whole.with_null(null, "greater").pvalue for null in nulls]
    less = [whole.with_null(null, "less").pvalue for null in nulls]
    assert greater[0] <= greater[1] * (1 + 1e-9)
    assert less[1] <= less[0] * (1 + 1e-9)


@every_test
@given(data=st.data(), alternative=ALTERNATIVES)
def test_intervals_are_nested_in_their_level(test, data, alternative):
    control, treatment = drawn_statistics(data, test)
    result = defined(test(control, treatment, alternative=alternative))
    narrow, wide = result.interval(0.8), result.interval(0.95)
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high
    assert wide.low <= result.estimate <= wide.high


@every_test
@given(data=st.data())
def test_the_two_sided_pvalue_is_twice_the_smaller_one_sided(test, data):
    control, treatment = drawn_statistics(data, test)
    null = drawn_null(data, test(control, treatment))
    two, greater, less = (
        test(control, treatment, alternative=alternative, null=null).pvalue
        for alternative in ("two-sided", "greater", "less")
    )
    assume(not math.isnan(two))
    assert same(greater + less, 1)
    assert same(two, min(1, 2 * min(greater, less)), 0)


@every_test
@given(data=st.data(), margin=st.sampled_from([0.0, 0.01, 0.1, 0.5]))
def test_a_wider_margin_never_makes_non_inferiority_harder_to_show(test, data, margin):
    control, treatment = drawn_statistics(data, test)
    whole = defined(test(control, treatment))
    null, wider = -margin * whole.stderr, -(margin + 0.25) * whole.stderr
    assume(whole.method != "score" or wider > -1)
    narrow, wide = whole.with_null(null, "greater").pvalue, whole.with_null(wider, "greater").pvalue
    assert wide <= narrow * (1 + 1e-9)


@every_test_of_means
@given(data=st.data(), exponent=st.integers(-30, 30), alternative=ALTERNATIVES)
def test_scaling_by_a_positive_constant_keeps_the_pvalue(test, data, exponent, alternative):
    control, treatment = drawn_statistics(data, test)
    scale = 2.0**exponent
    null = drawn_null(data, test(control, treatment))
    scaled = [ab.Moments(s.n, s.mean * scale, s.m2 * scale * scale) for s in (control, treatment)]
    a = defined(test(control, treatment, alternative=alternative, null=null))
    b = test(*scaled, alternative=alternative, null=null * scale)
    assert same(b.pvalue, a.pvalue, 0)
    assert b.estimate == a.estimate * scale
    assert same(b.relative_estimate, a.relative_estimate) or math.isnan(a.relative_estimate)


@every_test_of_means
@given(data=st.data(), shift=st.integers(-(10**6), 10**6), alternative=ALTERNATIVES)
def test_a_shift_keeps_the_absolute_estimate_stderr_and_pvalue(test, data, shift, alternative):
    control, treatment = drawn_rows(data, test)
    a = test(control, treatment, alternative=alternative)
    assume(a.reason is None)
    b = test([x + shift for x in control], [x + shift for x in treatment], alternative=alternative)
    digits = math.ulp(abs(shift) + 100)
    assert abs(b.estimate - a.estimate) <= 4 * digits
    assert same(b.stderr, a.stderr, 0)
    assert abs(b.pvalue - a.pvalue) <= 1e-9 + 8 * digits / a.stderr


@every_test_of_means
@given(data=st.data(), alternative=ALTERNATIVES)
def test_turning_the_sign_of_the_metric_turns_the_answer(test, data, alternative):
    control, treatment = drawn_statistics(data, test)
    turned = [ab.Moments(s.n, -s.mean, s.m2) for s in (control, treatment)]
    a = defined(test(control, treatment, alternative=alternative))
    b = test(*turned, alternative=MIRRORED[alternative])
    assert b.pvalue == a.pvalue
    assert b.estimate == -a.estimate
    assert b.relative_estimate == -a.relative_estimate or math.isnan(a.relative_estimate)
