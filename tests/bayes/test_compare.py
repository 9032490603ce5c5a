"""Comparisons: what they say, of one pair and of many, what they refuse, and what is left where there are no data."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

from abkit import CoMoments, Counts, Events, Interval, Moments, NoInterval, relative, z_test
from abkit.bayes import (
    BetaPrior,
    GammaPrior,
    MeanPrior,
    MixturePrior,
    NormalInverseGammaPrior,
    NormalPrior,
    StudentPrior,
    compare,
)
from abkit.bayes._law import Law
from abkit.bayes._models import ratios

FEW, MORE = Counts(1000, 100), Counts(1000, 130)
RNG = np.random.default_rng(7)


OF_EFFECTS = [
    NormalPrior(sd=0.02),
    StudentPrior(df=4, scale=0.02),
    MixturePrior(weights=(0.5, 0.5), means=(0, 0), sds=(0.01, 0.05)),
]


def pair(rows):
    return CoMoments.from_sample(rows, ["numerator", "denominator"])


PAIRS = {
    "counts": (FEW, MORE),
    "moments": (Moments(20, 10.8, 33.8), Moments(25, 12.2, 22.2)),
    "events": (Events(17, 1200.5), Events(30, 1300.0)),
    "comoments": (pair(RNG.gamma(2, 1, (50, 2))), pair(RNG.gamma(2, 1.2, (60, 2)))),
}


def ends(region):
    return [region.low, region.high]


def test_a_comparison_in_words_and_numbers():
    result = compare(FEW, MORE)
    assert result.method == "beta-binomial"
    assert result.prior == "uniform on each share, beta(1, 1): worth 2 units of which one succeeds"
    assert "P(treatment better) = 0.9822" in str(result)
    assert result.probability_better == pytest.approx(0.98216506611635, abs=1e-13)
    assert result.probability_best.sum() == pytest.approx(1)
    assert result.expected_loss[0] - result.expected_loss[1] == pytest.approx(result.estimate)
    assert (result.control, result.treatment) == (101 / 1002, 131 / 1002)
    assert result.reason is None


@pytest.mark.parametrize("kind", PAIRS)
def test_swapped_variants_mirror_the_answer(kind):
    control, treatment = PAIRS[kind]
    one, other = compare(control, treatment), compare(treatment, control)
    assert other.estimate == pytest.approx(-one.estimate)
    assert other.stderr == pytest.approx(one.stderr)
    assert other.probability_better == pytest.approx(1 - one.probability_better, rel=1e-10)
    np.testing.assert_allclose(other.expected_loss, one.expected_loss[::-1], rtol=1e-8)
    for shape in ("equal-tailed", "hdi"):
        low, high = one.interval(0.9, shape)
        assert ends(other.interval(0.9, shape)) == pytest.approx([-high, -low])


@pytest.mark.parametrize("kind", PAIRS)
def test_lower_is_better_turns_what_is_better(kind):
    up, down = compare(*PAIRS[kind]), compare(*PAIRS[kind], direction="decrease")
    assert down.probability_better == pytest.approx(1 - up.probability_better, rel=1e-9)
    np.testing.assert_allclose(down.probability_best, up.probability_best[::-1], rtol=1e-9)
    np.testing.assert_allclose(down.expected_loss, up.expected_loss[::-1], rtol=1e-9)
    assert (down.estimate, down.pvalue) == (up.estimate, up.pvalue)


@pytest.mark.parametrize("kind", PAIRS)
def test_many_pairs_are_each_pair_alone(kind):
    control, treatment = PAIRS[kind]
    if kind == "comoments":
        both = [CoMoments([a.n, b.n], [a.mean, b.mean], [a.m2, b.m2], a.names) for a, b in PAIRS_TWICE[kind]]
    else:
        fields = type(control).__slots__
        both = [type(control)(*([getattr(s, f) for s in two] for f in fields)) for two in PAIRS_TWICE[kind]]
    many = compare(*both, null=0.01)
    alone = [compare(control, treatment, null=0.01), compare(treatment, control, null=0.01)]
    for name in ("estimate", "stderr", "probability_better", "control", "treatment"):
        np.testing.assert_allclose(getattr(many, name), [getattr(one, name) for one in alone], rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(many.expected_loss.T, [one.expected_loss for one in alone], rtol=1e-8)
    for region in (many.interval(0.9), many.relative(0.9), many.interval(0.9, "hdi")):
        assert region.low.shape == (2,)
    np.testing.assert_allclose(many.interval(0.9).low, [one.interval(0.9).low for one in alone], rtol=1e-8)
    json.dumps(many.to_dict(), allow_nan=False)


PAIRS_TWICE = {kind: ((a, b), (b, a)) for kind, (a, b) in PAIRS.items()}


def test_several_treatments_and_one_of_them():
    three = compare(FEW, {"a": MORE, "b": Counts(1000, 90)})
    assert three.names == ("control", "a", "b")
    assert three.probability_best.shape == (3,)
    assert three.probability_best.sum() == pytest.approx(1)
    assert three.estimate.shape == (2,)
    alone = three["b"]
    assert alone.pvalue == compare(FEW, Counts(1000, 90)).pvalue
    assert alone.expected_loss.shape == (2,)
    with pytest.raises(ValueError, match="`name` must be one of 'a', 'b'"):
        three["c"]
    listed = compare(FEW, [MORE, Counts(1000, 90)])
    assert listed.names == ("control", "treatment 1", "treatment 2")
    np.testing.assert_allclose(listed.probability_best, three.probability_best)
    with pytest.raises(ValueError, match="must be asked of one pair"):
        three.test()


def test_a_mean_with_the_reference_prior_has_students_posterior():
    control, treatment = Moments(5, 10.8, 3.38), Moments(8, 12.2, 2.22)
    result = compare(control, treatment)
    own = stats.t(4, 10.8, math.sqrt(3.38 / 4 / 5))
    assert ends(result.variant("control", 0.9)) == pytest.approx(list(own.interval(0.9)))
    assert ends(result.variant("control", 0.9, "hdi")) == pytest.approx(list(own.interval(0.9)))
    assert result.stderr == pytest.approx(math.sqrt(own.var() + 7 / 5 * 2.22 / 7 / 8))


def test_a_mean_with_a_conjugate_prior():
    prior = NormalInverseGammaPrior(mean=10, weight=2, shape=3, scale=4)
    result = compare(Moments(5, 10.8, 3.38), Moments(5, 12.2, 2.22), prior=prior)
    scale = 4 + 3.38 / 2 + 2 * 5 * 0.8**2 / (2 * 7)  # Murphy (2007), eq. 86 to 89
    own = stats.t(2 * 5.5, (20 + 54) / 7, math.sqrt(scale / (5.5 * 7)))
    assert ends(result.variant("control")) == pytest.approx(list(own.interval(0.95)))
    assert compare(Moments(0, 0.0, 0.0), Moments(5, 12.2, 2.22), prior=prior).control == 10


def test_a_mean_whose_spread_is_known_is_normal():
    result = compare(Moments(4, 10.0, 3.0), Moments(16, 11.0, 9.0), sd=2.0)
    assert result.stderr == pytest.approx(math.sqrt(1 + 0.25))
    assert result.probability_better == pytest.approx(stats.norm.cdf(1 / math.sqrt(1.25)))
    informed = compare(Moments(4, 10.0, 3.0), Moments(16, 11.0, 9.0), sd=2.0, prior=MeanPrior(mean=9.0, sd=1.0))
    assert informed.control == pytest.approx(9.5)


def test_a_ratio_is_normal_to_first_order():
    control, treatment = PAIRS["comoments"]
    value, variance, _ = ratios((control, treatment))
    result = compare(control, treatment)
    assert result.estimate == pytest.approx(value[1] - value[0])
    assert result.probability_better == pytest.approx(stats.norm.cdf(result.estimate / math.sqrt(variance.sum())))


def test_rates_by_default_have_a_prior_worth_half_an_event():
    control, treatment = PAIRS["events"]
    explicit = GammaPrior(0.5, 0.5 * 2500.5 / 47.5)
    one, other = compare(control, treatment), compare(control, treatment, prior=explicit)
    assert one.probability_better == other.probability_better
    assert "half an event" in one.prior
    scaled = compare(Events(17, 1200.5 * 60), Events(30, 1300.0 * 60))  # minutes in place of hours
    assert scaled.probability_better == pytest.approx(one.probability_better, rel=1e-12)
    assert ends(scaled.relative()) == pytest.approx(ends(one.relative()))


@pytest.mark.parametrize("kind", PAIRS)
def test_regions_and_scales_are_of_one_posterior(kind):
    result = compare(*PAIRS[kind])
    below, within, above = result.rope(-0.01, 0.02)
    assert below + within + above == pytest.approx(1)
    assert above == pytest.approx(compare(*PAIRS[kind], null=0.02).probability_better, rel=1e-10)
    lift = compare(*PAIRS[kind], scale="relative")
    assert lift.interval() == result.relative()
    assert lift.probability_better == pytest.approx(result.probability_better, rel=1e-10)
    more = compare(*PAIRS[kind], null=relative(0.05)).probability_better
    assert more == pytest.approx(lift.rope(0.05, 0.05)[2], rel=1e-10)
    assert lift.interval(0.5).low < lift.estimate < lift.interval(0.5).high


@pytest.mark.parametrize("flipped", [1, -1])
def test_a_region_far_out_in_a_tail_keeps_its_digits(flipped):
    normal = compare(Moments(4, 0.0, 3.0), Moments(4, 12.0 * flipped, 3.0), sd=1.0)
    _, within, _ = normal.rope(*sorted((0.0, 0.5 * flipped)))
    root = math.sqrt(0.5)
    assert within == pytest.approx(float(ndtr(-11.5 / root) - ndtr(-12 / root)), rel=1e-10, abs=0)


def test_the_log_scales():
    odds, ratio = compare(FEW, MORE, scale="log odds ratio"), compare(FEW, MORE, scale="log ratio")
    assert odds.estimate == pytest.approx(0.2951, abs=1e-4)
    assert [math.expm1(end) for end in ratio.interval()] == pytest.approx(ends(ratio.relative()))
    assert odds.test().odds_ratio(0.9).low == pytest.approx(math.exp(odds.interval(0.9).low))
    for scale, data in (("log odds ratio", "events"), ("log ratio", "moments"), ("log odds ratio", "comoments")):
        with pytest.raises(ValueError, match="`scale` must not be"):
            compare(*PAIRS[data], scale=scale)


@pytest.mark.parametrize("prior", OF_EFFECTS, ids=lambda prior: type(prior).__name__)
@pytest.mark.parametrize("kind", PAIRS)
def test_a_prior_of_the_effect_shrinks_the_estimate(kind, prior):
    control, treatment = PAIRS[kind]
    result = compare(control, treatment, prior=prior)
    flat = compare(control, treatment)
    assert 0 < result.estimate / flat.estimate < 1.01
    assert result.prior == prior.describe()
    assert result.expected_loss[0] - result.expected_loss[1] == pytest.approx(result.estimate, rel=1e-9)
    assert result.probability_best[1] == pytest.approx(result.probability_better)
    assert isinstance(result.relative(), Interval)
    assert result.relative().contains(result.estimate / abs(flat.control))
    assert isinstance(result.variant("control"), NoInterval)
    json.dumps(result.to_dict(), allow_nan=False)


def test_a_wide_prior_of_the_effect_is_the_normal_answer():
    control, treatment = PAIRS["moments"]
    result = compare(control, treatment, prior=NormalPrior(sd=1e6))
    stderr = math.sqrt(33.8 / 19 / 20 + 22.2 / 24 / 25)
    assert result.stderr == pytest.approx(stderr)
    many = [Moments(2000, 10.8, 33.8 * 1999 / 19 * 100), Moments(2500, 12.2, 22.2 * 2499 / 24 * 100)]
    assert ends(result.relative(0.9)) == pytest.approx(list(z_test(*many).relative(0.9)), rel=1e-5)


@pytest.mark.parametrize(
    ("control", "treatment", "why"),
    [
        (Moments(1, 10.8, 0.0), Moments(5, 12.2, 2.22), "fewer than 2 units"),
        (Moments(0, 0.0, 0.0), Moments(5, 12.2, 2.22), "fewer than 2 units"),
        (Moments(5, 10.8, 0.0), Moments(5, 12.2, 0.0), "the variance is zero"),
        (Events(0, 0.0), Events(0, 0.0), "no exposure"),
        (pair([[1.0, 2.0]]), pair([[1.0, 2.0], [2.0, 3.0]]), "fewer than 2 units"),
    ],
)
def test_what_has_no_posterior_says_why(control, treatment, why):
    result = compare(control, treatment)
    assert why in result.reason
    assert why in str(result)
    shown = result.to_dict()
    assert shown["probability_better"] is None
    assert shown["interval"]["shape"] == "none"
    json.dumps(shown, allow_nan=False)
    test = result.test()
    assert why in test.reason
    assert math.isnan(result.pvalue)
    json.dumps(test.to_dict(), allow_nan=False)


def test_of_many_pairs_only_those_without_a_posterior_are_none():
    result = compare(Moments([5, 1], [1.0, 2.0], [3.0, 0.0]), Moments([5, 5], [1.5, 2.0], [3.0, 1.0]))
    shown = result.to_dict()
    assert shown["estimate"][0] == pytest.approx(0.5)
    assert shown["estimate"][1] is None
    assert shown["interval"]["low"][1] is None
    assert result.reason is not None


@pytest.mark.parametrize(
    ("control", "treatment"),
    [
        (Counts(0, 0), Counts(0, 0)),
        (Counts(10, 0), Counts(10, 10)),
        (Counts(1, 0), Counts(10**9, 10**9)),
        (Counts(10**12, 10**11), Counts(10**12, 10**11 + 10**6)),
        (Counts(10**9, 0), Counts(10**9, 3)),
        (Counts(2**53, 2**52), Counts(5, 1)),
        (Events(0, 3.0), Events(0, 5.0)),
        (Events(0, 1e-3), Events(10**8, 1e6)),
        (Events(10**12, 1e3), Events(3, 0.0001)),
        (Moments(2, 1.0, 0.0), Moments(2, 3.0, 0.5)),
        (Moments(2, 0.0, 1e-12), Moments(10**9, 1e3, 1e15)),
        (Moments(2, -3.0, 1e12), Moments(3, 1e-9, 1e-30)),
        (Moments(10**6, -5.0, 1e6), Moments(10**6, -4.9, 1e6)),
    ],
    ids=str,
)
def test_extreme_data_have_an_answer(control, treatment):
    result = compare(control, treatment)
    assert 0 <= result.probability_better <= 1
    shown = result.to_dict(0.999)
    json.dumps(shown, allow_nan=False)
    low, high = result.interval(0.9)
    assert low < high
    assert result.with_null(low, "greater").pvalue == pytest.approx(0.05, rel=1e-6)
    assert result.with_null(high, "less").pvalue == pytest.approx(0.05, rel=1e-6)
    low, high = result.relative(0.9)
    assert low <= high


def test_where_only_one_variant_varies_the_other_is_known():
    result = compare(Moments(5, 1.0, 0.0), Moments(5, 2.0, 2.0))
    assert result.probability_better == pytest.approx(stats.t.cdf(1 / math.sqrt(0.1), 4), abs=1e-9)


def test_every_probability_has_its_digits_in_the_tail():
    result = compare(Counts(1000, 700), Counts(1000, 500))
    assert 0 < result.probability_better < 1e-19
    assert result.probability_better == result.probability_best[1]
    assert result.pvalue == pytest.approx(2 * result.probability_better, rel=1e-11, abs=0)
    assert 0 < result.expected_loss[0] < 1e-19


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"prior": GammaPrior(1, 1)}, "`prior` of Counts must be a BetaPrior or a prior of the effect; got GammaPrior"),
        ({"prior": "uniform"}, "`prior` of Counts must be a BetaPrior"),
        ({"scale": "log"}, "`scale` must be one of 'difference', 'relative', 'log odds ratio', 'log ratio'; got 'log'"),
        ({"direction": "up"}, "`direction` must be one of 'increase', 'decrease'; got 'up'"),
        ({"alternative": "both"}, "`alternative` must be one of"),
        ({"null": math.nan}, "`null` must be finite"),
        ({"sd": 1.0}, "`sd` is for Moments"),
    ],
)
def test_what_does_not_fit_is_refused(keywords, message):
    with pytest.raises((TypeError, ValueError), match=message):
        compare(FEW, MORE, **keywords)


def test_names_and_columns_that_do_not_fit_are_refused():
    for names in ({"control": MORE}, {1: MORE}):
        with pytest.raises(ValueError, match="`treatment` must have text for names, other than 'control'; got"):
            compare(FEW, names)
    rows = RNG.gamma(2, 1, (9, 3))
    other = CoMoments.from_sample(rows[:, :2], ["numerator", "users"])
    for wrong in ((PAIRS["comoments"][0], other), (CoMoments.from_sample(rows[:, :1], ["numerator"]),) * 2):
        with pytest.raises(ValueError, match="must have the same two columns for a ratio; got"):
            compare(*wrong)
    with pytest.raises(TypeError, match="`prior` must be a prior, not its class"):
        compare(FEW, MORE, prior=NormalPrior)


def test_several_treatments_with_a_prior_of_the_effect_have_effects_but_no_best():
    result = compare(FEW, {"a": MORE, "b": Counts(1000, 90)}, prior=NormalPrior(sd=0.1))
    shown = result.to_dict()
    assert len(shown["probability_better"]) == 2
    assert "probability_best" not in shown
    with pytest.raises(ValueError, match="the best of several treatments needs priors of their own"):
        _ = result.expected_loss


def test_no_effect_at_all_is_within_its_region():
    prior = MixturePrior(weights=(0.5, 0.5), means=(0, 0), sds=(0, 0.02))
    below, within, above = compare(FEW, MORE, prior=prior).rope(0, 0)
    assert below + within + above == pytest.approx(1)
    assert within > 0.28
    assert compare(FEW, MORE, prior=prior).relative(0.6).low == 0


def test_statistics_of_two_kinds_are_refused():
    with pytest.raises(TypeError, match="`treatment` must be Counts, as the control is"):
        compare(FEW, Events(1, 2.0))
    with pytest.raises(TypeError, match="`control` must be one of Counts, Moments, Events, CoMoments"):
        compare([1, 0], [1, 1])
    with pytest.raises(ValueError, match="`treatment` must hold at least one variant"):
        compare(FEW, [])
    with pytest.raises(ValueError, match="`treatment` must have shape"):
        compare(Counts([1, 2], [1, 1]), Counts([1, 2, 3], [1, 1, 1]))
    with pytest.raises(ValueError, match="`sd` must be given with a MeanPrior"):
        compare(*PAIRS["moments"], prior=MeanPrior(1, 2))
    with pytest.raises(ValueError, match="`level` must be between 0 and 1"):
        compare(FEW, MORE).interval(1.0)
    with pytest.raises(ValueError, match="`kind` must be one of"):
        compare(FEW, MORE).interval(0.9, "shortest")
    with pytest.raises(ValueError, match="`high` must be at least `low`"):
        compare(FEW, MORE).rope(0.1, -0.1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: BetaPrior(0, 1),
        lambda: BetaPrior(1, math.inf),
        lambda: GammaPrior(1, 0),
        lambda: GammaPrior(math.nan, 1),
        lambda: NormalInverseGammaPrior(0, 0, 1, 1),
        lambda: NormalInverseGammaPrior(0, 1, 1, -1),
        lambda: MeanPrior(0, 0),
    ],
)
def test_improper_priors_are_refused(make):
    with pytest.raises(ValueError, match="must be greater than 0"):
        make()


def test_a_shortest_interval_at_the_end_of_what_is_possible():
    result = compare(Counts(20, 14), Counts(3, 0), scale="relative")
    low, high = result.interval(0.9, "hdi")
    assert low == pytest.approx(-1, abs=1e-9)
    assert high == pytest.approx(result.interval(0.8).high, rel=1e-9)


class Spike(Law):
    """P(effect <= x) = x^0.001 between 0 and 1: nearly all is far closer to 0 than the standard deviation."""

    mean, sd = np.array([0.001]), np.array([0.02])
    support = (0.0, 1.0)

    def rows(self, chosen):
        return self

    def look(self, x):
        below = x**0.001
        return below, -np.expm1(0.001 * np.log(x)), 0.001 * below / x


def test_a_quantile_inside_a_spike_is_as_precise_as_the_spike_is_narrow():
    for q in (0.9, 0.975, 0.99):
        assert Spike().ppf(q)[0] == pytest.approx(math.exp(math.log(q) / 0.001), rel=1e-8, abs=0)


@pytest.mark.parametrize("pair", [((10, 0), (10, 0)), ((20, 3), (30, 0)), ((40, 0), (1000, 0))])
@pytest.mark.parametrize("worth", [0.1, 0.5, 1.0])
def test_a_density_that_falls_from_nothing_on_has_its_shortest_interval_there(pair, worth):
    lift = compare(*(Counts(*counts) for counts in pair), prior=BetaPrior(worth, worth), scale="relative")
    low, high = lift.interval(0.9, "hdi")
    assert low == -1.0
    assert lift.law.sf(np.array([high]))[0] == pytest.approx(0.1, rel=1e-9)
    assert high < lift.interval(0.9).high


def test_counts_that_a_prior_leaves_open_have_no_posterior():
    open_, known = compare(
        Counts(np.array([10, 10]), np.array([3, 3])),
        Counts(np.array([10, 10]), np.array([0, 2])),
        prior=BetaPrior(0.01, 0.01),
    ).probability_better
    assert math.isnan(open_)
    assert 0 < known < 1
    events = compare(Events(3, 10.0), Events(0, 10.0), prior=GammaPrior(0.01, 0.1))
    assert "the prior is worth less than 0.1 of one" in str(events)
