from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import abkit as ab

two_means = ab.power.two_means
POWERS = [1e-3, 0.051, 0.5, 0.8, 0.999, 1 - 1e-9]
ALPHAS = [1e-9, 1e-4, 0.05, 0.5]


@pytest.mark.parametrize("test", ["welch", "student", "z"])
@pytest.mark.parametrize("ratio", [1 / 99, 1.0, 99.0])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_the_power_at_the_solved_value_is_the_asked_one(test, ratio, alternative):
    power, alpha, mde = (grid.ravel() for grid in np.meshgrid(POWERS, ALPHAS, [3e-7, 0.01, 1.0, 20.0]))
    mde = -mde if alternative == "less" else mde
    asked = {"sd": 1.0, "alpha": alpha, "ratio": ratio, "alternative": alternative, "test": test}
    by_n = two_means(mde=mde, power=power, **asked)
    fine = np.isfinite(by_n.n_control)
    assert fine[(np.abs(mde) < 1e-6) & (power > alpha)].all()
    assert not fine[power <= alpha].any()
    back = two_means(mde=mde[fine], n=by_n.n_control[fine], **(asked | {"alpha": alpha[fine]})).power
    np.testing.assert_allclose(back, power[fine], atol=1e-10, rtol=0)
    sizes = np.where(np.abs(mde) == 20, 198.0, 198 / np.abs(mde) ** 2)
    by_mde = two_means(n=sizes, power=power, **asked)
    fine = np.isfinite(by_mde.mde)
    np.testing.assert_array_equal(fine, power > alpha)
    back = two_means(n=sizes[fine], mde=by_mde.mde[fine], **(asked | {"alpha": alpha[fine]})).power
    np.testing.assert_allclose(back, power[fine], atol=1e-10, rtol=0)


@settings(max_examples=150, deadline=None)
@given(
    log_size=st.floats(-7, 1.2),
    power=st.floats(1e-3, 1 - 1e-9),
    log_alpha=st.floats(-9, math.log10(0.5)),
    log_ratio=st.floats(-2, 2),
    log_sd=st.floats(-1, 1),
    test=st.sampled_from(["welch", "student", "z"]),
    hypothesis=st.sampled_from(["superiority", "non-inferiority", "equivalence"]),
    relative=st.booleans(),
)
def test_any_request_has_an_answer_or_a_reason(  # noqa: PLR0917
    log_size, power, log_alpha, log_ratio, log_sd, test, hypothesis, relative
):
    size, alpha = 10**log_size, 10**log_alpha
    asked = {"sd": 1.0, "sd_treatment": 10**log_sd, "ratio": 10**log_ratio, "alpha": alpha, "test": test}
    asked |= {"hypothesis": hypothesis, "relative": relative, "baseline": 1.0}
    asked |= {} if hypothesis == "superiority" else {"margin": min(size, 0.9), "mde": 0.0}
    asked |= {"mde": size} if hypothesis == "superiority" else {}
    found = two_means(power=power, **asked)
    if isinstance(found, ab.power.NoSolution):
        assert found.reason
        assert found.n_control is None
        return
    assert two_means(n=found.n_control, **asked).power == pytest.approx(power, abs=1e-10)
    if found.n_control >= 2:
        size = two_means(n=found.n_control, power=power, **(asked | {"mde": None}))
        if isinstance(size, ab.power.NoSolution):
            assert hypothesis == "equivalence"
            return
        assert two_means(n=found.n_control, **(asked | {"mde": size.mde})).power == pytest.approx(power, abs=1e-10)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"mde": 0.0, "power": 0.8}, "is not beyond the null of 0"),
        ({"mde": -0.5, "power": 0.8, "alternative": "greater"}, "is not beyond the null of 0 in the direction"),
        ({"mde": 0.5, "power": 0.8, "alternative": "less"}, "is not beyond the null of 0 in the direction"),
        ({"mde": 0.1, "power": 0.8, "alternative": "greater", "margin": 0.1}, "is not beyond the null of 0.1"),
        ({"mde": 0.5, "power": 0.04}, "a power of 0.04 is not above alpha, and needs no data"),
        ({"n": 50, "power": 0.04}, "a power of 0.04 is not above alpha, and needs no effect"),
        ({"mde": 0.3, "power": 0.8, "hypothesis": "equivalence", "margin": 0.3}, "is not within the margin of 0.3"),
        ({"n": 5, "power": 0.8, "hypothesis": "equivalence", "margin": 0.3}, "where there is no difference at all"),
        ({"mde": 50.0, "power": 0.8}, "2 units of the control, the fewest that the test can have"),
        ({"n": 3, "power": 0.8, "ratio": 0.1}, "the treatment would have 0.3 units, and the test needs 2"),
        ({"n": 3, "mde": 0.8, "ratio": 0.1}, "the treatment would have 0.3 units, and the test needs 2"),
    ],
)
def test_what_is_impossible_says_why(asked, sentence):
    found = two_means(sd=1.0, **asked)
    assert isinstance(found, ab.power.NoSolution)
    assert sentence in found.reason
    assert str(found).startswith("no `")
    assert {"n": found.n_control, "mde": found.mde, "power": found.power}[found.solved] is None
    in_array = two_means(sd=[1.0, 1.0], **asked)
    assert sentence in in_array.reasons[1]
    assert in_array.to_dict()[{"n": "n_control"}.get(found.solved, found.solved)] == [None, None]


def test_few_units_and_an_extreme_power():
    found = two_means(n=2, sd=1, power=0.9999999)
    assert two_means(n=2, sd=1, mde=found.mde).power == pytest.approx(0.9999999, abs=1e-13)


def test_arrays_broadcast_and_scalars_stay_scalars():
    found = two_means(mde=np.array([[0.1], [0.2]]), power=[0.5, 0.8, 0.9], sd=1.0)
    assert found.n_control.shape == found.mde.shape == found.alpha.shape == (2, 3)
    assert found.reasons is None
    alone = two_means(mde=0.2, power=0.8, sd=1.0)
    assert isinstance(alone.n_control, float)
    assert found.n_control[1, 1] == pytest.approx(alone.n_control, rel=1e-13)


def test_an_element_without_an_answer_leaves_the_others_alone():
    found = two_means(mde=[0.5, 0.0, -0.5], power=0.8, sd=1.0, alternative="greater")
    assert np.isnan(found.n_control).tolist() == [False, True, True]
    assert [bool(reason) for reason in found.reasons] == [False, True, True]


def test_nothing_at_all_is_an_empty_answer():
    assert two_means(mde=[], power=0.8, sd=1.0).n_control.shape == (0,)


def test_solving_an_effect_of_two_sides_answers_upwards():
    upwards = two_means(n=100, power=0.8, sd=1.0).mde
    assert upwards > 0
    assert two_means(n=100, mde=-upwards, sd=1.0).power == pytest.approx(0.8, abs=1e-12)
    assert two_means(n=100, power=0.8, sd=1.0, alternative="less").mde < 0


def test_more_units_than_anybody_has():
    assert two_means(mde=1e-6, sd=1.0, power=0.8).n_control == pytest.approx(1.5697721e13, rel=1e-7)
    few, many = (two_means(n=n, mde=2.8e-6, sd=1.0 / 2**0.5).power for n in (0.99e12, 1.01e12))
    assert few < many < few + 0.02
