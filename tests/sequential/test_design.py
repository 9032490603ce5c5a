"""Group-sequential designs: critical values, what they give, and how they move as looks are held."""

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

import abkit as ab
from tests.golden.read import cases

INF = math.inf
FAMILIES = [
    ("obrien-fleming", None),
    ("pocock", None),
    ("wang-tsiatis", 0.3),
    ("haybittle-peto", None),
    ("ld-obrien-fleming", None),
    ("ld-pocock", None),
    ("kim-demets", 2.0),
    ("hwang-shih-decani", -4.0),
]


def design_of(case, **more):
    shape = case["shape"]
    shape = (shape[0] if shape else None) if isinstance(shape, list) else shape
    names = ("alpha", "sides", "information", "boundary")
    return ab.group_sequential_design(**{name: case[name] for name in names}, shape=shape, **more)


def title(case):
    return f"{case['boundary']} {case['shape']} {case['alpha']} {case['sides']} {len(case['information'])}"


@pytest.mark.parametrize("case", cases("group_sequential_quadrature"), ids=title)
def test_critical_values_are_those_of_another_quadrature(case):
    assert design_of(case).critical_values == pytest.approx(case["critical_values"], rel=0, abs=1e-10)


@pytest.mark.parametrize("case", cases("group_sequential_quadrature", "exact"), ids=title)
def test_two_looks_have_the_digits_of_one_integral(case):
    expected = [float(value) for value in case["critical_values"]]
    assert design_of(case).critical_values == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("case", cases("group_sequential"), ids=lambda case: case["name"])
def test_designs_are_those_of_rpact(case):
    design = design_of(case, power=case["power"])
    ours, theirs = np.array(design.critical_values), np.array(case["critical_values"], dtype=float)
    # rpact's probabilities are good to 1e-9, its tails are not; with many looks at a small alpha it is off by 3e-5
    loose = 20 if case["alpha"] < 0.01 else 1
    density = np.exp(-0.5 * ours**2) / math.sqrt(2 * math.pi)
    sure = np.isfinite(theirs)
    assert np.all(np.abs(ours - theirs)[sure] < (2e-6 * loose + 2e-9 / density)[sure])
    assert design.alpha_spent == pytest.approx(case["alpha_spent"], abs=1e-7)
    assert design.inflation == pytest.approx(case["inflation"], rel=1e-6 * loose)
    assert np.allclose(design.power(case["effects"]), case["reject"], rtol=0, atol=1e-6 * loose)
    expected = design.expected_information(case["effects"])
    assert np.allclose(expected, case["expected_information"], rtol=0, atol=1e-6 * loose)


def test_published_tables():
    """Jennison and Turnbull 2000, tables 2.1, 2.2, 2.3, 2.4, 2.9."""
    looks = (2, 3, 5, 10, 20)
    pocock = [ab.group_sequential_design(looks=k, boundary="pocock").critical_values[-1] for k in looks]
    assert np.round(pocock, 3).tolist() == [2.178, 2.289, 2.413, 2.555, 2.672]
    fleming = [ab.group_sequential_design(looks=k, boundary="obrien-fleming").critical_values[-1] for k in looks]
    assert np.round(fleming, 3).tolist() == [1.977, 2.004, 2.040, 2.087, 2.126]
    assert (
        round(ab.group_sequential_design(looks=5, boundary="wang-tsiatis", shape=0.25).critical_values[-1], 3) == 2.136
    )
    inflation = [ab.group_sequential_design(looks=5, boundary=b).inflation for b in ("pocock", "obrien-fleming")]
    assert np.round(inflation, 3).tolist() == [1.229, 1.028]
    spending = ab.group_sequential_design(looks=5)
    assert np.round(spending.critical_values, 3).tolist() == [4.877, 3.357, 2.680, 2.290, 2.031]


def test_looks_that_are_close_leave_the_last_value_above_that_of_one_look():
    design = ab.group_sequential_design(alpha=0.025, sides=1, information=[0.30, 0.31, 1.0])
    assert design.critical_values[-1] > 1.959963984540054


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize(("boundary", "shape"), FAMILIES)
def test_bounds_spend_alpha_exactly(boundary, shape, sides):
    information = [0.2, 0.5, 0.503, 0.9, 1.0]
    design = ab.group_sequential_design(
        alpha=0.04, sides=sides, information=information, boundary=boundary, shape=shape
    )
    again = ab.Design.from_bounds(information, design.critical_values, sides=sides)
    assert again.alpha_spent == pytest.approx(design.alpha_spent, rel=1e-11)
    assert again.alpha == pytest.approx(0.04, rel=1e-12)
    assert design.power(0.0) == pytest.approx(0.04, rel=1e-12)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize(("boundary", "shape"), FAMILIES)
@pytest.mark.parametrize("alpha", [1e-300, 1e-6, 0.05, 0.5])
def test_one_look_is_the_fixed_test(boundary, shape, alpha, sides):
    design = ab.group_sequential_design(alpha=alpha, sides=sides, looks=1, boundary=boundary, shape=shape)
    assert design.critical_values[0] == pytest.approx(-ndtri(alpha / sides), rel=1e-12, abs=1e-12)
    assert design.inflation == pytest.approx(1, abs=1e-12)


def test_the_power_is_the_power():
    for boundary, shape in FAMILIES:
        design = ab.group_sequential_design(alpha=0.01, sides=1, looks=4, boundary=boundary, shape=shape, power=0.93)
        drift = math.sqrt(design.maximum_information(1.0))
        assert design.power(drift) == pytest.approx(0.93, abs=1e-12)
        assert design.inflation == pytest.approx((drift / (ndtri(0.93) - ndtri(0.01))) ** 2, rel=1e-12)


def test_stopping_agrees_with_simulated_paths():
    rng = np.random.default_rng(7)
    design = ab.group_sequential_design(
        alpha=0.05, sides=1, information=[3, 8, 10], futility="ld-pocock", harm="ld-pocock", power=0.9
    )
    effect, n = 0.6, 200_000
    steps = np.diff(design.information, prepend=0)
    score = np.cumsum(effect * steps + np.sqrt(steps) * rng.normal(size=(n, 3)), axis=1)
    z = score / np.sqrt(design.information)
    going, stops = np.ones(n, dtype=bool), design.stopping(effect)
    for k in range(3):
        up = going & (z[:, k] > design.critical_values[k])
        down = going & (z[:, k] < design.harm[k])
        idle = going & (z[:, k] < design.futility[k]) & ~down
        for found, expected in ((up, stops.up[k]), (down, stops.down[k]), (idle, stops.futility[k])):
            assert found.mean() == pytest.approx(expected, abs=5e-3)
        going &= ~(up | down | idle)
    assert stops.total.sum() == pytest.approx(1)


def test_many_effects_are_each_effect_alone():
    design = ab.group_sequential_design(looks=3, futility="ld-pocock")
    effects = np.array([[-300.0, -2.0, 0.0], [1.0, 3.5, 1e6]])
    assert design.power(effects).shape == (2, 3)
    for i in np.ndindex(2, 3):
        assert design.power(float(effects[i])) == pytest.approx(design.power(effects)[i], abs=1e-13)
        assert design.expected_information(float(effects[i])) == pytest.approx(design.expected_information(effects)[i])
    assert design.power([]).shape == (0,)
    assert design.power([1e300, -1e300]).tolist() == [1, 1]
    assert isinstance(design.power(1), float)


def test_real_information_is_on_the_scale_of_the_effect():
    shares = ab.group_sequential_design(information=[0.25, 0.5, 1])
    real = ab.group_sequential_design(information=[100, 200, 400])
    assert real.critical_values == pytest.approx(shares.critical_values, abs=1e-13)
    assert real.power(0.15) == pytest.approx(shares.power(3.0), abs=1e-13)
    assert real.expected_information(0.15) == pytest.approx(400 * shares.expected_information(3.0))
    assert real.maximum_information(0.15) == pytest.approx(shares.maximum_information(3.0) * 400)


def test_a_bound_is_finite_however_little_is_spent():
    design = ab.group_sequential_design(alpha=1e-6, looks=100)
    assert all(math.isfinite(c) for c in design.critical_values)
    assert design.critical_values[0] == pytest.approx(50.2493415, abs=1e-6)
    assert design.alpha_spent[-1] == pytest.approx(1e-6, rel=1e-12)
    early = ab.group_sequential_design(information=[2e-8, 0.5, 1])
    assert early.critical_values[1:] == pytest.approx(
        ab.group_sequential_design(information=[0.5, 1]).critical_values, abs=1e-9
    )
    tiny = ab.group_sequential_design(alpha=1e-300, looks=3)
    assert tiny.critical_values == pytest.approx(sorted(tiny.critical_values, reverse=True))
    assert tiny.critical_values[-1] == pytest.approx(37.0, abs=0.1)


def test_looks_that_reject_nothing():
    skipped = ab.group_sequential_design(looks=4, skip=[1, 3])
    assert [math.isinf(c) for c in skipped.critical_values] == [True, False, True, False]
    two = ab.group_sequential_design(information=[0.5, 1])
    assert skipped.critical_values[1::2] == pytest.approx(two.critical_values, abs=1e-12)
    still = ab.group_sequential_design(looks=3, spending_time=[0.2, 0.2, 1])
    assert math.isinf(still.critical_values[1])
    assert still.alpha_spent[-1] == pytest.approx(0.05)
    for boundary in ("pocock", "haybittle-peto"):
        assert math.isinf(ab.group_sequential_design(looks=4, skip=[2], boundary=boundary).critical_values[1])


def test_points_and_callables_are_spending_functions():
    named = ab.group_sequential_design(looks=4, boundary="kim-demets", shape=2)
    points = ab.group_sequential_design(looks=4, boundary=np.array(named.alpha_spent))
    shares = ab.group_sequential_design(looks=4, boundary=[t**2 for t in named.information])
    of_alpha = ab.group_sequential_design(looks=4, boundary=lambda t: 0.05 * t**2)
    of_one = ab.group_sequential_design(looks=4, boundary=lambda t: t**2)
    for other in (points, shares, of_alpha, of_one):
        assert other.critical_values == pytest.approx(named.critical_values, abs=1e-12)


def test_sides_may_differ():
    both = ab.group_sequential_design(looks=3, alpha=0.05, alpha_lower=0.025)
    assert both.critical_values == pytest.approx(ab.group_sequential_design(looks=3).critical_values, abs=1e-13)
    for boundary, shape in FAMILIES:
        design = ab.group_sequential_design(
            looks=4, alpha=0.05, alpha_lower=0.01, boundary=boundary, shape=shape, boundary_lower="ld-pocock"
        )
        stops = design.stopping(0.0)
        assert stops.up.sum() == pytest.approx(0.04, rel=1e-11)
        assert stops.down.sum() == pytest.approx(0.01, rel=1e-11)
        assert design.alpha_spent[-1] == pytest.approx(0.05, rel=1e-11)


def test_updated_keeps_what_was_spent():
    plan = ab.group_sequential_design(alpha=0.025, sides=1, information=[100, 200, 300])
    same = plan.updated([100, 200])
    assert same.critical_values == pytest.approx(plan.critical_values, abs=1e-13)
    assert same.information == plan.information
    first = plan.updated([120])
    second = first.updated([120, 190])
    assert second.critical_values[0] == first.critical_values[0]
    assert second.information == (120, 190, 300)
    over = second.updated([120, 190, 350])
    assert over.critical_values[:2] == second.critical_values[:2]
    assert over.alpha_spent[-1] == pytest.approx(0.025, rel=1e-12)
    under = second.updated([120, 190, 240], final=True)
    assert under.critical_values[:2] == second.critical_values[:2]
    assert under.alpha_spent[-1] == pytest.approx(0.025, rel=1e-12)
    longer = second.updated([120, 190], maximum=600)
    assert longer.information == (120, 190, 600)
    assert longer.critical_values[0] == second.critical_values[0]
    again = longer.updated([120, 190, 400], maximum=500)
    assert again.critical_values[:2] == longer.critical_values[:2]
    assert again.power(0.0) == pytest.approx(0.025, rel=1e-11)


@pytest.mark.parametrize(("boundary", "shape"), FAMILIES)
@pytest.mark.parametrize("sides", [1, 2])
def test_an_updated_design_still_has_its_alpha(boundary, shape, sides):
    plan = ab.group_sequential_design(sides=sides, looks=4, boundary=boundary, shape=shape)
    assert plan.updated([0.25]).critical_values == pytest.approx(plan.critical_values, abs=1e-9)
    first = plan.updated([0.31])
    second = first.updated([0.31, 0.7])
    assert second.critical_values[0] == pytest.approx(first.critical_values[0], abs=1e-12)
    last = second.updated([0.31, 0.7, 0.95], final=True)
    assert last.critical_values[:2] == pytest.approx(second.critical_values[:2], abs=1e-12)
    assert last.power(0.0) == pytest.approx(0.05, rel=1e-10)


def test_updated_by_the_calendar():
    plan = ab.group_sequential_design(looks=3, spending_time=[0.2, 0.6, 1.0])
    assert plan.updated([1 / 3, 2 / 3]).critical_values == pytest.approx(plan.critical_values, abs=1e-12)
    slow = plan.updated([0.2]).updated([0.2, 0.5])
    assert slow.alpha_spent == pytest.approx(plan.alpha_spent)
    assert slow.information == pytest.approx((0.2, 0.5, 1.0))
    other = plan.updated([0.2], spending_time=[0.4])
    assert other.alpha_spent[0] > plan.alpha_spent[0]
    assert other.alpha_spent[-1] == pytest.approx(0.05)


def test_given_bounds_tell_their_errors():
    peeks = ab.Design.from_bounds([0.2, 0.4, 0.6, 0.8, 1], [1.959963984540054] * 5)
    assert round(peeks.alpha, 3) == 0.142  # Armitage, McPherson and Rowe 1969
    assert peeks.inflation > 1
    one = ab.Design.from_bounds([4.0], [1.0], sides=1)
    assert one.power(0.7) == pytest.approx(ndtr(1.4 - 1.0), abs=1e-15)
    lopsided = ab.Design.from_bounds([0.5, 1], [2.0, INF], lower_critical_values=[-INF, -2.0])
    assert lopsided.alpha == pytest.approx(2 * ndtr(-2.0), abs=1e-4)


def test_binding_futility_lowers_the_critical_values_and_keeps_alpha():
    for boundary, shape in FAMILIES:
        free, bound = (
            ab.group_sequential_design(
                alpha=0.05, sides=1, looks=3, boundary=boundary, shape=shape, futility="ld-pocock", binding=binding
            )
            for binding in (False, True)
        )
        assert bound.power(0.0) == pytest.approx(0.05, rel=1e-9)
        assert free.power(0.0) < 0.05
        assert free.critical_values[-1] == pytest.approx(
            ab.group_sequential_design(alpha=0.05, sides=1, looks=3, boundary=boundary, shape=shape).critical_values[
                -1
            ],
            abs=1e-12,
        )
        for design in (free, bound):
            drift = math.sqrt(design.maximum_information(1.0))
            assert design.power(drift) == pytest.approx(0.8, abs=1e-9)
            assert design.stopping(drift).futility.sum() == pytest.approx(0.2, abs=1e-9)
            assert design.futility[-1] == pytest.approx(design.critical_values[-1])


def test_given_futility_bounds():
    design = ab.group_sequential_design(sides=1, looks=3, futility=[None, 0.5, None])
    assert design.stopping(0.0).futility[0] == 0
    assert design.stopping(0.0).futility[1] > 0.5
    assert design.critical_values == ab.group_sequential_design(sides=1, looks=3).critical_values
    assert design.power(0.0) < 0.05


def test_plain_values_and_text():
    design = ab.group_sequential_design(looks=3, skip=[1])
    plain = design.to_dict()
    assert plain["critical_values"][0] is None
    assert plain["alpha_spent"][-1] == pytest.approx(0.05)
    assert str(design).splitlines()[0] == "ld-obrien-fleming, alpha 0.05, two sides"
    nothing = ab.Design.from_bounds([0.5, 1], [INF, INF])
    assert nothing.to_dict()["inflation"] is None
    assert str(nothing).splitlines()[-1] == "inflation out of reach at power 0.8"
    assert all(type(c) is float for c in (*design.critical_values, *design.alpha_spent, *design.information))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "looks"),
        ({"looks": 3, "information": [0.5, 1]}, "looks"),
        ({"looks": 0}, "looks"),
        ({"looks": 2, "alpha": 0.6, "sides": 1}, "alpha"),
        ({"looks": 2, "alpha": math.nan}, "alpha"),
        ({"looks": 2, "sides": 3}, "sides"),
        ({"information": [0.5, 0.5]}, "information"),
        ({"information": [0.0, 1]}, "information"),
        ({"information": [0.5, math.inf]}, "information"),
        ({"information": []}, "information"),
        ({"information": [1e-300, 1]}, "information"),
        ({"looks": 2, "boundary": "obrien"}, "boundary"),
        ({"looks": 2, "boundary": [0.01, 0.02, 0.05]}, "boundary"),
        ({"looks": 2, "boundary": [0.06, 0.05]}, "boundary"),
        ({"looks": 2, "boundary": [0.01, 0.04]}, "boundary"),
        ({"looks": 2, "boundary": "kim-demets"}, "shape"),
        ({"looks": 2, "boundary": "kim-demets", "shape": 0}, "shape"),
        ({"looks": 2, "boundary": "pocock", "shape": 1}, "shape"),
        ({"looks": 2, "boundary": "wang-tsiatis"}, "shape"),
        ({"looks": 4, "boundary": "haybittle-peto", "shape": 1.0}, "shape"),
        ({"looks": 2, "power": 0.04, "futility": "ld-pocock"}, "power"),
        ({"looks": 2, "futility": "pocock"}, "futility"),
        ({"looks": 2, "futility": [0.0]}, "futility"),
        ({"looks": 2, "harm": "ld-pocock"}, "harm"),
        ({"looks": 2, "skip": [2]}, "skip"),
        ({"looks": 2, "spending_time": [0.5]}, "spending_time"),
        ({"looks": 2, "spending_time": [0.5, 0.4]}, "spending_time"),
        ({"looks": 2, "sides": 1, "alpha_lower": 0.01}, "alpha_lower"),
    ],
)
def test_what_is_refused_is_named(arguments, named):
    with pytest.raises(ValueError, match=f"`{named}`"):
        ab.group_sequential_design(**arguments)


def test_given_bounds_are_checked():
    for information, values, more in (
        ([0.5, 1], [2.0], {}),
        ([0.5, 1], [2.0, math.nan], {}),
        ([1, 0.5], [2.0, 2.0], {}),
        ([0.5, 1], [2.0, 2.0], {"lower_critical_values": [2.5, -2]}),
        ([0.5, 1], [2.0, 2.0], {"sides": 1, "lower_critical_values": [-2, -2]}),
    ):
        with pytest.raises(ValueError, match="`"):
            ab.Design.from_bounds(information, values, **more)
    with pytest.raises(ValueError, match="plan"):
        ab.Design.from_bounds([1.0], [2.0]).updated([1.0])


def test_a_calendar_that_has_run_out_ends_the_test():
    plan = ab.group_sequential_design(information=[0.3, 1], spending_time=[0.6, 1], futility="ld-pocock")
    over = plan.updated([0.3]).updated([0.3, 0.7])
    assert over.information == (0.3, 0.7)
    assert over.alpha_spent[-1] == pytest.approx(0.05, abs=1e-15)
    assert ab.group_sequential_design(looks=3).updated([0.4], spending_time=[1.0]).information == (0.4,)
