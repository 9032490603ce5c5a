"""Laws of every test of treatment against control. The tests are found, not listed: see `found.py`."""

from __future__ import annotations

import inspect
import math
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import abkit as ab
from tests.contracts.found import IN_THE_METRICS_UNIT, TWO_ORDERS, found

ALTERNATIVES = st.sampled_from(["two-sided", "greater", "less"])
LEVELS = st.sampled_from([0.2, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
MIRRORED = {"two-sided": "two-sided", "greater": "less", "less": "greater"}

TESTS = found()
EXACT = [test for test in TESTS if not test.random]
OF_SHARES = [test for test in TESTS if test.shares]
OF_STATISTICS = [test for test in EXACT if test.kind.large is not None]
OF_MEANS = [test for test in EXACT if test.kind.means]

#: Tests of units that have both variants: none was assigned to one.
OF_UNITS_IN_BOTH = {"paired_test", "signed_rank_test", "mcnemar_test", "series_test"}


def each(tests):
    return pytest.mark.parametrize("test", tests, ids=lambda test: test.name)


every_test = each(TESTS)


def law(tests, **strategies):
    """A property that each of the tests is held to, on fewer examples where a test is slow."""

    def decorate(body):
        def run(test):
            @settings(max_examples=max(5, round(settings.default.max_examples * test.patience)))
            @given(**strategies)
            def example(**drawn):
                body(test, **drawn)

            example()

        run.__name__, run.__doc__ = body.__name__, body.__doc__
        return each(tests)(run)

    return decorate


def drawn_rows(data, test):
    control = data.draw(test.kind.rows(0), label="control")
    return control, data.draw(test.kind.rows(len(control) if test.pairs else 0), label="treatment")


def drawn_statistics(data, test):
    """Statistics of samples, and statistics of sizes that no sample in a test could have."""
    if test.kind.large is None or data.draw(st.booleans(), label="of a sample"):
        return tuple(test.kind.summarise(rows) for rows in drawn_rows(data, test))
    return data.draw(test.kind.large, label="control"), data.draw(test.kind.large, label="treatment")


def drawn_null(data, result):
    """A null within reach of the estimate, and within what the test's scale allows."""
    assume(math.isfinite(result.estimate))
    steps = data.draw(st.integers(-24, 24), label="null, in quarters of a standard error from the estimate") / 4
    stderr = result.stderr if 0 < result.stderr < math.inf else 0.01
    null = data.draw(st.sampled_from([0.0, result.estimate + steps * stderr]), label="null")
    assume(allows(result, null))
    return null


def allows(result, null):
    """Whether a null is within the domain of the effect: only that may be refused."""
    try:
        result.with_null(null)
    except ValueError as error:
        if str(error).startswith("`null` must be"):
            return False
        raise
    return True


def drawn_share(data, result):
    assume(result.relative(0.9).shape != "none")
    share = data.draw(st.integers(-40, 60), label="share in sixteenths") / 16
    assume(allows(result, ab.relative(share)))
    return share


def defined(result):
    assume(result.reason is None)
    return result


def tied(pvalue, level):
    return abs(pvalue - (1 - level)) <= 1e-9


def same(a, b, scale=1.0):
    return a == b or abs(a - b) <= 1e-9 * max(abs(a), abs(b), scale)


def test_the_known_tests_are_found():
    assert {test.function.__name__ for test in TESTS} >= {
        "welch_test",
        "student_test",
        "z_test",
        "proportion_test",
        "ratio_test",
    }


@every_test
def test_the_face_is_one(test):
    parameters = inspect.signature(test.function).parameters
    assert parameters["alternative"].default == "two-sided"
    assert parameters["null"].default == 0
    assert all(p.kind is p.KEYWORD_ONLY for name, p in parameters.items() if name not in ("control", "treatment"))
    assert "Answers" in test.function.__doc__


@each([test for test in TESTS if test.function.__name__ not in OF_UNITS_IN_BOTH])
def test_units_that_were_assigned_by_earlier_outcomes_are_refused_by_name(test):
    data = test.kind.summarise(test.kind.probe), test.kind.summarise(test.kind.probe)
    refusal = rf"`assignment` must be 'randomised' for {test.function.__name__}; .*ab\.bandits\.adaptive_test"
    with pytest.raises(ValueError, match=refusal):
        test(*data, assignment="adaptive")
    with pytest.raises(ValueError, match="`assignment` must be one of 'randomised', 'adaptive'"):
        test(*data, assignment="bandit")
    assert test(*data, assignment="randomised") is not None


@law(EXACT, data=st.data(), alternative=ALTERNATIVES, level=LEVELS)
def test_swapping_the_variants_flips_the_estimate_and_mirrors_the_interval(test, data, alternative, level):
    control, treatment = drawn_statistics(data, test)
    null = drawn_null(data, test(control, treatment))
    a = defined(test(control, treatment, alternative=alternative, null=null))
    b = test(treatment, control, alternative=MIRRORED[alternative], null=-null)
    assert same(b.estimate, -a.estimate, 0)
    if a.scale == "difference":
        assert (b.control, b.treatment) == (a.treatment, a.control)
    assert same(b.stderr, a.stderr, 0)
    assert same(b.statistic, -a.statistic)
    assert same(b.pvalue, a.pvalue, 0 if abs(a.statistic) < 30 else 1e-3)
    low, high = a.interval(level)
    mirrored_low, mirrored_high = b.interval(level)
    assert same(mirrored_low, -high, a.stderr + 1e-6)
    assert same(mirrored_high, -low, a.stderr + 1e-6)


@law(OF_STATISTICS, data=st.data(), alternative=ALTERNATIVES)
def test_samples_and_their_statistics_agree(test, data, alternative):
    control, treatment = drawn_rows(data, test)
    summarise = test.kind.summarise
    of_rows = test(control, treatment, alternative=alternative)
    of_statistics = test(summarise(control), summarise(treatment), alternative=alternative)
    if of_rows.reason:
        assert (of_rows.reason, of_rows.effect) == (of_statistics.reason, of_statistics.effect)
    else:
        # only the rows show whether they are few or skewed
        assert replace(of_rows, caution=None) == replace(of_statistics, caution=None)


@law(OF_STATISTICS, data=st.data())
def test_statistics_of_two_halves_answer_as_the_whole_does(test, data):
    control, treatment = drawn_rows(data, test)
    summarise = test.kind.summarise
    cut = data.draw(st.integers(0, len(control)), label="cut")
    empty = test.kind.name.startswith("comoments") and cut in (0, len(control))
    assume(not empty)  # a table without rows has no columns to name
    halves = summarise(control[:cut]) + summarise(control[cut:])
    whole = test(control, treatment)
    assume(whole.reason is None and whole.stderr > 1e-6)
    pooled = test(halves, summarise(treatment))
    assert same(pooled.pvalue, whole.pvalue, 1e-6)
    assert same(pooled.estimate, whole.estimate)


@law(
    [test for test in EXACT if not test.pairs],
    data=st.data(),
    alternative=ALTERNATIVES,
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_the_rows_is_irrelevant(test, data, alternative, order):
    control, treatment = drawn_rows(data, test)
    a = test(control, treatment, alternative=alternative)
    assume(a.reason is None and a.stderr > 1e-6)
    order.shuffle(control)
    order.shuffle(treatment)
    b = test(control, treatment, alternative=alternative)
    assert same(b.estimate, a.estimate)
    assert same(b.pvalue, a.pvalue, 1e-6)


@law(TESTS, data=st.data(), alternative=ALTERNATIVES, level=LEVELS)
def test_the_interval_leaves_out_the_null_exactly_when_p_is_below_one_minus_level(test, data, alternative, level):
    control, treatment = drawn_statistics(data, test)
    null = drawn_null(data, test(control, treatment))
    result = defined(test(control, treatment, alternative=alternative, null=null))
    assume(not tied(result.pvalue, level))
    assert result.interval(level).contains(null) == (result.pvalue >= 1 - level)


@law(OF_SHARES, data=st.data(), alternative=ALTERNATIVES, level=LEVELS)
def test_the_relative_set_leaves_out_the_share_exactly_when_p_is_below_one_minus_level(test, data, alternative, level):
    control, treatment = drawn_statistics(data, test)
    share = drawn_share(data, test(control, treatment))
    result = defined(test(control, treatment, alternative=alternative, null=ab.relative(share)))
    assume(not tied(result.pvalue, level))
    assert result.relative(level).contains(share) == (result.pvalue >= 1 - level)


@law(OF_SHARES, data=st.data(), alternative=ALTERNATIVES, level=LEVELS)
def test_absolute_and_relative_answers_agree_at_zero(test, data, alternative, level):
    control, treatment = drawn_statistics(data, test)
    absolute = defined(test(control, treatment, alternative=alternative))
    assume(absolute.relative(level).shape != "none")
    share = test(control, treatment, alternative=alternative, null=ab.relative(0.0))
    assert same(share.statistic, absolute.statistic)
    assert same(share.pvalue, absolute.pvalue, 0 if abs(absolute.statistic) < 30 else 1e-3)
    assume(not tied(absolute.pvalue, level))
    assert absolute.interval(level).contains(0) == absolute.relative(level).contains(0)


@law(TESTS, data=st.data(), alternative=ALTERNATIVES)
def test_the_interval_touches_the_null_at_level_one_minus_p(test, data, alternative):
    control, treatment = drawn_statistics(data, test)
    null = drawn_null(data, test(control, treatment))
    result = defined(test(control, treatment, alternative=alternative, null=null))
    assume(1e-6 < result.pvalue < 1 - 1e-6)
    if test.stepped:
        # the null may lie anywhere on a step: it is in the set at its own level, and out of it at one a little lower
        p = result.pvalue
        assert result.interval(1 - p * (1 - 1e-6)).contains(null)
        assert not result.interval(1 - min(p * (1 + 1e-6), (1 + p) / 2)).contains(null)
        return
    ends = result.interval(1 - result.pvalue)
    assert min(abs(end - null) for end in ends) <= 1e-6 * (result.stderr + abs(null)) + 1e-15


@law(OF_SHARES, data=st.data(), alternative=ALTERNATIVES)
def test_the_relative_set_touches_the_share_at_level_one_minus_p(test, data, alternative):
    control, treatment = drawn_statistics(data, test)
    share = drawn_share(data, test(control, treatment))
    result = defined(test(control, treatment, alternative=alternative, null=ab.relative(share)))
    assume(1e-6 < result.pvalue < 1 - 1e-6)
    assume(
        test.kind.means or test.kind.name.startswith("comoments") or share > -1
    )  # a ratio of zero is the edge of what there is
    assume(result.stderr > 0)  # where every unit succeeds p jumps at no change, and a closed set has its end there
    p = result.pvalue
    # just inside at a slightly higher level, just outside at a slightly lower one
    assert result.relative(1 - p * (1 - 1e-6)).contains(share)
    assert not result.relative(1 - min(p * (1 + 1e-6), (1 + p) / 2)).contains(share)


@law(TESTS, data=st.data())
def test_the_pvalue_is_monotone_in_the_null(test, data):
    control, treatment = drawn_statistics(data, test)
    whole = defined(test(control, treatment))
    nulls = sorted(drawn_null(data, whole) for _ in range(2))
    greater = [whole.with_null(null, "greater").pvalue for null in nulls]
    less = [whole.with_null(null, "less").pvalue for null in nulls]
    assert greater[0] <= greater[1] * (1 + 1e-9)
    assert less[1] <= less[0] * (1 + 1e-9)


@law(TESTS, data=st.data(), alternative=ALTERNATIVES)
def test_intervals_are_nested_in_their_level(test, data, alternative):
    control, treatment = drawn_statistics(data, test)
    result = defined(test(control, treatment, alternative=alternative))
    narrow, wide = result.interval(0.8), result.interval(0.95)
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high
    assert wide.low <= result.estimate <= wide.high


@law(TESTS, data=st.data())
def test_the_two_sided_pvalue_is_twice_the_smaller_one_sided(test, data):
    control, treatment = drawn_statistics(data, test)
    null = drawn_null(data, test(control, treatment))
    two, greater, less = (
        test(control, treatment, alternative=alternative, null=null).pvalue
        for alternative in ("two-sided", "greater", "less")
    )
    assume(not math.isnan(two))
    if test.name not in TWO_ORDERS:
        assert greater + less >= 1 - 1e-9 if test.discrete else same(greater + less, 1)
    assert same(two, min(1, 2 * min(greater, less)), 0)


@law(TESTS, data=st.data(), margin=st.sampled_from([0.0, 0.01, 0.1, 0.5]))
def test_a_wider_margin_never_makes_non_inferiority_harder_to_show(test, data, margin):
    control, treatment = drawn_statistics(data, test)
    whole = defined(test(control, treatment))
    null, wider = -margin * whole.stderr, -(margin + 0.25) * whole.stderr
    assume(allows(whole, wider))
    narrow, wide = whole.with_null(null, "greater").pvalue, whole.with_null(wider, "greater").pvalue
    assert wide <= narrow * (1 + 1e-9)


def multiplied(statistics, factor):
    if isinstance(statistics, ab.Moments):
        return ab.Moments(statistics.n, statistics.mean * factor, statistics.m2 * factor * factor)
    return [value * factor for value in statistics]


@law(OF_MEANS, data=st.data(), exponent=st.integers(-30, 30), alternative=ALTERNATIVES)
def test_scaling_by_a_positive_constant_keeps_the_pvalue(test, data, exponent, alternative):
    control, treatment = drawn_statistics(data, test)
    whole = test(control, treatment)
    null, scale = drawn_null(data, whole), 2.0**exponent
    own = scale if whole.scale in IN_THE_METRICS_UNIT else 1.0
    a = defined(test(control, treatment, alternative=alternative, null=null))
    b = test(multiplied(control, scale), multiplied(treatment, scale), alternative=alternative, null=null * own)
    assert same(b.pvalue, a.pvalue, 0)
    assert same(b.estimate, a.estimate * own, 0)
    assert same(b.relative_estimate, a.relative_estimate) or math.isnan(a.relative_estimate)


@law(OF_MEANS, data=st.data(), shift=st.integers(-(10**6), 10**6), alternative=ALTERNATIVES)
def test_a_shift_keeps_the_absolute_estimate_stderr_and_pvalue(test, data, shift, alternative):
    control, treatment = drawn_rows(data, test)
    a = test(control, treatment, alternative=alternative)
    assume(a.reason is None)
    b = test([x + shift for x in control], [x + shift for x in treatment], alternative=alternative)
    digits = math.ulp(abs(shift) + 100)
    assert abs(b.estimate - a.estimate) <= 4 * digits
    assert same(b.stderr, a.stderr, 0)
    assert abs(b.pvalue - a.pvalue) <= 1e-9 + (8 * digits / a.stderr if a.stderr > 0 else 0)


@law(OF_MEANS, data=st.data(), alternative=ALTERNATIVES)
def test_turning_the_sign_of_the_metric_turns_the_answer(test, data, alternative):
    control, treatment = drawn_statistics(data, test)
    a = defined(test(control, treatment, alternative=alternative))
    b = test(multiplied(control, -1), multiplied(treatment, -1), alternative=MIRRORED[alternative])
    assert same(b.pvalue, a.pvalue, 0)
    assert same(b.estimate, -a.estimate, 0)
    if a.scale == "difference":
        assert same(b.relative_estimate, -a.relative_estimate) or math.isnan(a.relative_estimate)
