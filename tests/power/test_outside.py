"""What every function does with what nobody should ask."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import abkit as ab

VIEWS = {"baseline": 0.1, "mean_denominator": 20, "sd_denominator": 15, "sd_numerator": 2.5, "correlation": 0.7}
FAMILIES = {
    "two_means": (ab.power.two_means, {"sd": 1.0}),
    "z": (ab.power.two_means, {"sd": 1.0, "test": "z"}),
    "two_proportions": (ab.power.two_proportions, {"baseline": 0.1}),
    "fisher": (ab.power.two_proportions, {"baseline": 0.1, "test": "fisher"}),
    "two_ratios": (ab.power.two_ratios, VIEWS),
    "exact rates": (ab.power.two_rates, {"baseline": 0.5}),
    "score of rates": (ab.power.two_rates, {"baseline": 0.5, "test": "score"}),
    "negative binomial": (ab.power.two_rates, {"baseline": 0.5, "dispersion": 0.5}),
    "quasi": (ab.power.two_rates, {"baseline": 0.5, "test": "quasi"}),
    "paired": (ab.power.paired, {"sd": 1.0}),
    "ranks": (ab.power.ranks, {}),
    "logistic ranks": (ab.power.ranks, {"shape": "logistic"}),
    "quantile": (ab.power.quantile, {"density": 0.4}),
    "many_variants": (ab.power.many_variants, {"sd": 1.0, "treatments": 3}),
    "student of many": (ab.power.many_variants, {"sd": 1.0, "treatments": 3, "test": "student"}),
    "clusters": (ab.power.clusters, {"sd": 1.0, "icc": 0.05, "cluster_size": 20}),
    "regression": (ab.power.regression, {"sd": 1.0, "r2": 0.5}),
}
each_family = pytest.mark.parametrize(("ask", "given"), FAMILIES.values(), ids=FAMILIES)


@each_family
@pytest.mark.parametrize("mde", [1e-60, 1e-130, 1e-300])
def test_more_units_than_can_be_counted(ask, given, mde):
    found = ask(mde=mde, power=0.8, **given)
    assert found.reason == f"an effect of {mde:g} needs more than 1e+100 units of the control"
    json.dumps(found.to_dict(), allow_nan=False)


@each_family
def test_more_units_than_can_be_counted_are_refused(ask, given):
    with pytest.raises(ValueError, match=r"`n` must be .* below 1e\+100; got 1e\+200"):
        ask(n=1e200, power=0.8, **given)


@each_family
def test_words_that_are_no_arguments(ask, given):
    with pytest.raises(TypeError, match=r"`pwer` is no argument.*Did you mean 'power'"):
        ask(n=50, pwer=0.8, **given)


@each_family
def test_shapes_that_do_not_fit(ask, given):
    with pytest.raises(ValueError, match=r"must have shapes that broadcast; got .*\(2,\).*\(3,\)"):
        ask(mde=[0.1, 0.2], power=[0.7, 0.8, 0.9], **given)


@each_family
def test_arrays_hold_floats(ask, given):
    found = ask(mde=[0.3, 0.4], power=0.8, **given)
    for name in ("n_control", "n_treatment", "mde", "power", "alpha"):
        assert getattr(found, name).dtype == np.float64
    assert "2 answers" in str(found)


@pytest.mark.parametrize("count", ["any", "all", "each"])
@pytest.mark.parametrize("test", ["z", "student"])
def test_many_variants_below_alpha(count, test):
    """The chance of one comparison, or of all of them, is far below alpha where nothing has an effect."""
    asked = {"treatments": 3, "sd": 1.0, "count": count, "test": test}
    power = 0.04
    found = ab.power.many_variants(n=20, power=power, **asked)
    if count == "any":
        assert "a power of 0.04 is not above the 0.05 without any effect" in found.reason
        return
    assert ab.power.many_variants(n=20, mde=found.mde, **asked).power == pytest.approx(power, abs=1e-10)
    again = ab.power.many_variants(mde=0.2, power=power, **asked)
    assert ab.power.many_variants(mde=0.2, n=again.n_control, **asked).power == pytest.approx(power, abs=1e-10)
    assert "without any effect" in ab.power.many_variants(n=20, power=1e-5, **asked).reason


def test_print_rounds_up():
    assert "101 units of the control and 101" in str(ab.power.two_means(n=100.0000003, mde=0.5, sd=1.0))
    assert "99 units of the control and 1 of" in str(ab.power.two_means(n=99, mde=0.5, sd=1.0, ratio=1 / 99, test="z"))
    assert "30 units of the control and 21 of" in str(ab.power.two_means(n=30, mde=0.5, sd=1.0, ratio=0.7))


def test_alpha_near_one_of_many():
    found = ab.power.many_variants(treatments=3, mde=0.3, sd=1.0, power=0.995, alpha=0.999)
    assert math.isfinite(found.n_control)


@each_family
@pytest.mark.parametrize("mde", [1e60, 1e300])
def test_effects_beyond_measure(ask, given, mde):
    """An answer, a reason or a refusal; no warning."""
    for asked in ({"power": 0.8}, {"n": 20}):
        try:
            found = ask(mde=mde, **asked, **given)
        except ValueError as refused:
            assert str(refused).startswith(("`mde` must be", "`test` 'fisher'"))  # noqa: PT017
        else:
            if isinstance(found, ab.power.NoSolution):
                assert "units of the control, the fewest that the test can have" in found.reason
            json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_units_do_not_matter(unit):
    many = {"treatments": 2, "power": 0.8, "test": "student"}
    plain = ab.power.many_variants(sd=1.0, mde=0.3, **many).n_control
    assert ab.power.many_variants(sd=unit, mde=0.3 * unit, **many).n_control == pytest.approx(plain, rel=1e-12)
    plain = ab.power.quantile(density=0.3, mde=0.3, power=0.8).n_control
    scaled = ab.power.quantile(density=0.3 / unit, mde=0.3 * unit, power=0.8).n_control
    assert scaled == pytest.approx(plain, rel=1e-12)


def test_equivalence_within_a_margin_beyond_what_can_be():
    asked = {"baseline": 0.99, "hypothesis": "equivalence", "n": 200}
    found = ab.power.two_proportions(power=0.8, margin=0.05, **asked)  # 0.99 + 0.05 is no proportion
    assert "every effect within the margin" in found.reason
    asked["margin"] = ab.relative(0.05)
    found = ab.power.two_proportions(power=0.9665, **asked)
    assert 0 < found.mde < 1 / 99
    assert ab.power.two_proportions(mde=ab.relative(found.mde), **asked).power == pytest.approx(0.9665, abs=1e-10)


def test_equivalence_with_less_power_than_alpha():
    asked = {"sd": 1.0, "hypothesis": "equivalence", "margin": 0.3, "n": 70, "alpha": 0.05}
    least = ab.power.two_means(mde=0.3 * (1 - 1e-9), **asked).power
    assert least < 0.045
    found = ab.power.two_means(power=0.04, **asked)
    assert ab.power.two_means(mde=found.mde, **asked).power == pytest.approx(0.04, abs=1e-10)
    found = ab.power.two_means(power=least / 2, **asked)
    assert found.reason.startswith("every effect within the margin is found with a power of at least 0.0")


@pytest.mark.parametrize("family", ["two_means", "two_ratios", "quantile", "regression", "quasi", "two_proportions"])
def test_no_best_ratio_where_the_control_does_not_count(family):
    ask, given = FAMILIES[family]
    asked = {"baseline": -5.0, "alternative": "greater", "margin": ab.relative(1.0), "ratio": "best"}
    if "baseline" in given:
        asked |= {"baseline": abs(given["baseline"]), "hypothesis": "non-inferiority"}
        asked["mde"] = 0.0
    else:
        asked["mde"] = ab.relative(1.5)
    with pytest.raises(ValueError, match="must be"):
        ask(power=0.8, **(given | asked))


def test_relative_is_a_bool():
    with pytest.raises(TypeError, match="`relative` must be True or False; got 'yes'"):
        ab.power.two_means(mde=0.1, sd=1.0, baseline=1.0, power=0.8, relative="yes")
