"""Event counts of variants, at any allocation and any time."""

import json
import math

import numpy as np
import pytest

import abkit as ab
from abkit.sequential._counts_sequence import conditional_sequence, log_conditional
from tests.golden.read import cases

MANY = 10**9


def counts(control, treatment, **options):
    """The sequence of events among so many units that none is missing."""
    return conditional_sequence(
        ab.Counts(np.full_like(control, MANY), control), ab.Counts(np.full_like(treatment, MANY), treatment), **options
    )


def one(control, treatment, **options):
    return conditional_sequence(ab.Counts(MANY, control), ab.Counts(MANY, treatment), **options)


@pytest.mark.parametrize("case", cases("anytime_counts", "conditional"))
def test_evidence_and_ends_are_those_of_mpmath(case):
    for alternative in ("two-sided", "greater"):
        sequence = one(case["control"], case["treatment"], share=case["share"], alternative=alternative)
        mirrored = one(
            case["treatment"],
            case["control"],
            share=1 - case["share"],
            alternative="less" if alternative == "greater" else "two-sided",
        )
        for null, expected in case[alternative].items():
            assert sequence.log_evalue(float(null))[-1] == pytest.approx(expected, rel=1e-9, abs=1e-9)
            assert mirrored.log_evalue(-float(null))[-1] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    low, high = one(case["control"], case["treatment"], share=case["share"]).interval()
    ends = [-math.inf if case["interval"][0] is None else case["interval"][0]]
    ends.append(math.inf if case["interval"][1] is None else case["interval"][1])
    assert [low, high] == pytest.approx(ends, rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize(("control", "treatment", "share"), [(0, 9, 0.5), (190, 19, 0.05), (1, 0, 0.01), (6, 7, 0.3)])
def test_the_set_is_where_the_pvalue_is_above_alpha(alternative, control, treatment, share):
    sequence = one(control, treatment, share=share, alternative=alternative, alpha=0.1)
    for end, outwards in zip(sequence.interval(), (-1, 1), strict=True):
        if math.isfinite(end):
            assert sequence.pvalue(end + outwards * 1e-9) < 0.1 < sequence.pvalue(end - outwards * 1e-9)


def test_swapped_variants_change_the_sign():
    first, second = one(30, 52, share=0.4), one(52, 30, share=0.6)
    assert list(first.interval()) == pytest.approx([-end for end in list(second.interval())[::-1]], rel=1e-12)
    assert first.estimate == pytest.approx(-second.estimate)


def test_before_the_first_event_nothing_is_known():
    sequence = counts(np.array([0, 0, 4]), np.array([0, 1, 4]), share=0.5)
    assert list(sequence.low) == [-math.inf, pytest.approx(sequence.low[1]), pytest.approx(sequence.low[2])]
    assert sequence.log_evalue(0.0)[0] == pytest.approx(0, abs=1e-14)
    assert sequence.high[1] == math.inf
    assert json.loads(json.dumps(sequence.to_dict(), allow_nan=False))["estimate"][:2] == [None, None]


def test_looks_are_answered_as_if_each_were_alone():
    control, treatment = np.array([3, 40, 41, 90]), np.array([5, 70, 70, 130])
    sequence = counts(control, treatment, share=0.55)
    for i in range(4):
        alone = one(int(control[i]), int(treatment[i]), share=0.55)
        assert (sequence.low[i], sequence.high[i]) == (alone.low[0], alone.high[0])
    assert list(sequence.n) == list(control + treatment)


def test_exposures_in_one_ratio_are_a_share():
    control, treatment = ab.Events([10, 21], [95.0, 190.0]), ab.Events([2, 3], [5.0, 10.0])
    assert list(conditional_sequence(control, treatment).interval()) == pytest.approx(
        list(conditional_sequence(control, treatment, share=0.05).interval()), rel=1e-12
    )
    with pytest.raises(ValueError, match="planned share"):
        conditional_sequence(control, ab.Events([2, 3], [5.0, 11.0]))


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize(("share", "ratio"), [(0.5, 1.0), (0.05, 1.0), (0.05, 3.0)])
def test_every_path_of_events(alternative, share, ratio):
    """P(the true ratio is ever left out) by adding up all paths of 60 events."""
    n, alpha = 60, 0.2
    theta = share * ratio / (share * ratio + 1 - share)
    pairs = [(k, m - k) for m in range(n + 1) for k in range(m + 1)]
    treated, control = (np.array(column) for column in zip(*pairs, strict=True))
    order = dict(zip(pairs, range(len(pairs)), strict=True))
    pairs_of_events = np.column_stack([control, treated]).astype(np.float64)
    log_evalues = log_conditional(pairs_of_events, np.log(theta / (1 - theta)), 4.0, alternative)
    mass, rejected = {0: 1.0}, 0.0
    for m in range(1, n + 1):
        after: dict[int, float] = {}
        for k, q in mass.items():
            after[k + 1] = after.get(k + 1, 0.0) + q * theta
            after[k] = after.get(k, 0.0) + q * (1 - theta)
        out = {k for k in after if log_evalues[order[k, m - k]] >= -math.log(alpha)}
        rejected += sum(after[k] for k in out)
        mass = {k: q for k, q in after.items() if k not in out}
    assert 0 < rejected <= alpha


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_the_evalue_has_expectation_one_at_the_null_and_less_beyond_it(alternative):
    n, share, null = 30, 0.2, 0.4

    k = np.arange(n + 1)
    logit = np.log(share / (1 - share))
    events = np.column_stack([n - k, k]).astype(np.float64)
    evalues = np.exp(log_conditional(events, logit + null, 5.0, alternative))

    def expectation(truth):
        theta = share * math.exp(truth) / (share * math.exp(truth) + 1 - share)
        return evalues @ [math.comb(n, i) * theta**i * (1 - theta) ** (n - i) for i in k.tolist()]

    assert expectation(null) == pytest.approx(1, rel=1e-10)
    if alternative != "two-sided":
        assert expectation(null + (-0.5 if alternative == "greater" else 0.5)) < 1


def test_two_variants_are_the_pair():
    sequence = ab.count_sequence({"stable": [190, 391, 585], "canary": [19, 37, 59]}, {"stable": 95, "canary": 5})
    pair = counts(np.array([190, 391, 585]), np.array([19, 37, 59]), share=0.05)
    assert sequence.log_evalue == pytest.approx(pair.log_evalue(0.0), rel=1e-12)
    assert list(sequence.contrast("canary").interval()) == pytest.approx(list(pair.interval()), rel=1e-12)


def test_three_variants():
    events = {"a": [40, 75], "b": [44, 90], "c": [90, 170]}
    sequence = ab.count_sequence(events)
    assert sequence.pvalue() < 1e-6
    assert sequence.contrast("c").interval().low > 0
    assert sequence.contrast("b").interval().contains(0)
    assert list(sequence.contrast("a", "c").interval()) == pytest.approx(
        [-end for end in list(sequence.contrast("c", "a").interval())[::-1]], rel=1e-12
    )
    assert sequence.contrast("c", alternative="greater").interval().high == math.inf
    daily = {name: np.diff(column, prepend=0) for name, column in events.items()}
    assert np.array_equal(ab.count_sequence(daily, cumulative=False).log_evalue, sequence.log_evalue)
    plain = json.loads(json.dumps(sequence.to_dict(), allow_nan=False))
    assert list(plain["contrasts"]) == ["b", "c"]


@pytest.mark.parametrize("alpha", [1e-6, 0.5])
def test_extreme_levels(alpha):
    low, high = one(200, 900, share=0.3, alpha=alpha).interval()
    assert low < math.log(900 / 200 * 0.7 / 0.3) < high


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: one(1, 2), ValueError, "planned share"),
        (lambda: one(1, 2, share=1.0), ValueError, "share"),
        (lambda: one(1, 2, share=float("nan")), ValueError, "share"),
        (lambda: one(1, 2, share=0.5, alpha=0), ValueError, "alpha"),
        (lambda: one(1, 2, share=0.5, alternative="up"), ValueError, "alternative"),
        (lambda: one(1, 2, share=0.5, tune_at=0), ValueError, "tune_at"),
        (lambda: conditional_sequence([0, 1], ab.Counts(1, 1), share=0.5), TypeError, "Counts or Events"),
        (lambda: conditional_sequence(ab.Events(1, 1.0), ab.Counts(1, 1), share=0.5), TypeError, "both Counts or both"),
        (lambda: counts(np.array([3, 2]), np.array([1, 1]), share=0.5), ValueError, "cumulative"),
        (lambda: conditional_sequence(ab.Counts([1, 2], [0, 1]), ab.Counts(4, 1), share=0.5), ValueError, "looks"),
        (lambda: ab.count_sequence([5]), ValueError, "2 variants"),
        (lambda: ab.count_sequence([5, 6], [1, 0]), ValueError, "above 0"),
        (lambda: ab.count_sequence([5, 6]).contrast(0), ValueError, "twice"),
        (lambda: ab.count_sequence([5, 6]).contrast(2), ValueError, "variant"),
        (lambda: ab.count_sequence([5.5, 6]), TypeError, "whole"),
        (lambda: ab.count_sequence([5, 6], alpha=2), ValueError, "alpha"),
    ],
)
def test_what_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
