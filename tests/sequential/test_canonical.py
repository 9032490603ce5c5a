"""The recursion: against the multivariate normal, at any effect, in tails, and where looks are close."""

import math

import numpy as np
import pytest
from scipy.special import log_ndtr, ndtr

from abkit.sequential._canonical import crossing_probabilities, log_crossings, point_above, point_below, start, walk
from tests.golden.read import cases

INF = math.inf


@pytest.mark.parametrize("case", cases("group_sequential", "exact"), ids=lambda case: str(case["critical_values"]))
def test_chances_of_going_on_are_those_of_mvtnorm(case):
    upper = case["critical_values"]
    lower = [-INF] * len(upper) if case["sides"] == 1 else [-c for c in upper]
    up, down = crossing_probabilities(case["information"], lower, upper)
    tolerance = 1e-11 if len(upper) <= 3 else 1e-8  # Miwa's steps
    assert np.allclose(1 - np.cumsum(up + down), case["stays"], rtol=0, atol=tolerance)


def test_every_path_stops_somewhere_at_every_effect():
    information = np.array([0.1, 0.35, 0.351, 0.8, 1.0]) * 50
    upper, lower = [3.0, 2.5, 2.4, 2.2, 1.0], [-1.0, 0.0, -INF, 0.5, 1.0]
    for effect in (-3.0, -0.2, 0.0, 0.3, 1.0, 40.0):
        up, down = crossing_probabilities(information, lower, upper, effect)
        assert up.sum() + down.sum() == pytest.approx(1, abs=1e-13)


def test_the_mirror_image_of_bounds_and_effect_is_the_mirror_image():
    information, upper, lower = [0.2, 0.5, 1.0], [2.5, 2.2, 2.0], [-2.0, -INF, -1.0]
    up, down = crossing_probabilities(information, lower, upper, 1.3)
    down_too, up_too = crossing_probabilities(information, [-c for c in upper], [-c for c in lower], -1.3)
    assert np.allclose([up, down], [up_too, down_too], rtol=1e-12, atol=0)


def test_the_scale_of_information_does_not_matter():
    information, upper, lower = np.array([0.2, 0.5, 1.0]), [2.5, 2.2, 2.0], [-2.0] * 3
    up, _ = crossing_probabilities(information, lower, upper, 1.3)
    other, _ = crossing_probabilities(information * 1e12, lower, upper, 1.3e-6)
    assert np.allclose(up, other, rtol=1e-12, atol=0)


def test_one_recursion_serves_many_effects():
    information, upper, lower = [0.2, 0.5, 1.0], [2.5, 2.2, 2.0], [-2.0, -1.0, 0.0]
    effects = np.array([[-2.0, 0.0, 0.5], [1.0, 2.0, 4.0]])
    above, below = log_crossings(walk(information, lower, upper, (-2.0, 4.0)), lower, upper, effects)
    assert above.shape == (2, 3, 3)
    for i in np.ndindex(2, 3):
        alone = crossing_probabilities(information, lower, upper, float(effects[i]))
        assert np.allclose(np.exp([above[i], below[i]]), alone, rtol=1e-11, atol=1e-18)


def test_looks_without_bounds_leave_the_normal():
    up, down = crossing_probabilities([0.1, 0.2, 0.2002, 1.0], [-INF] * 4, [INF, INF, INF, 1.5], 0.7)
    assert up == pytest.approx([0, 0, 0, ndtr(0.7 - 1.5)], abs=1e-14)
    assert not down.any()


def test_two_looks_far_out_have_the_digits_of_an_integral():
    import mpmath as mp

    with mp.workdps(30):
        for t, c, b in ((0.5, 12.0, 11.0), (0.1, 20.0, 9.0), (0.5, 1.0, 9.0), (0.9, 3.0, 8.8)):
            root, rest = mp.sqrt(mp.mpf(t)), mp.sqrt(2 * (1 - mp.mpf(t)))
            cuts = [-20, *(c - step for step in (8, 4, 2, 1, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0))]
            exact = mp.quad(lambda y: mp.npdf(y) * mp.erfc((b - y * root) / rest) / 2, cuts)  # noqa: B023
            looks = walk([t, 1.0], [-INF, -INF], [c, b], (0.0, 0.0))
            # the integral itself is good to 4e-10
            assert float(looks[1].log_above(b)) == pytest.approx(float(mp.log(exact)), abs=1e-9)


def test_points_are_where_the_probability_is():
    here = start([0.3, 1.0], (0.0, 2.0), (20.0, 40.0))
    assert point_above(here, -1e5) == pytest.approx(447.2, abs=0.1)
    assert float(log_ndtr(-point_above(here, -1e5))) == pytest.approx(-1e5, rel=1e-12)
    after = here.advance(-1.0, 2.0)
    for log_mass in (-0.9, -5.0, -300.0):
        for effect in (0.0, 2.0):
            assert float(after.log_above(point_above(after, log_mass, effect), effect)) == pytest.approx(
                log_mass, rel=1e-12
            )
            assert float(after.log_below(point_below(after, log_mass, effect), effect)) == pytest.approx(
                log_mass, rel=1e-12
            )
    assert point_above(after, -INF) == INF
    assert point_above(after, -1e-3) == -INF  # more than what went on
    assert point_below(after, -1e-3) == INF


def test_the_density_is_the_slope_of_the_tail():
    after = start([0.3, 1.0], reach=(10.0, 10.0)).advance(-1.0, 2.0, (-0.3, 0.4))
    step = 1e-5
    slope = (math.exp(after.log_above(1.2 - step)) - math.exp(after.log_above(1.2 + step))) / (2 * step)
    assert math.exp(after.log_density(1.2)) == pytest.approx(slope, rel=1e-8)


def test_a_gap_stops_paths_too():
    here = start([0.4, 1.0])
    whole, gap = here.advance(-2.0, 2.0), here.advance(-2.0, 2.0, (-0.5, 0.7))
    inside = here.advance(-0.5, 0.7)
    total = [math.exp(part.log_above(-INF)) for part in (whole, gap, inside)]
    assert total[0] == pytest.approx(total[1] + total[2], abs=1e-15)
    assert math.exp(here.advance(-2.0, 2.0, (-3.0, 3.0)).log_above(-INF)) == 0


def test_looks_a_millionth_apart():
    up, _ = crossing_probabilities([0.5, 0.5 + 1e-6, 1.0], [-INF] * 3, [2.0, 2.0, 2.0])
    assert 0 < up[1] < 1e-3
    two, _ = crossing_probabilities([0.5, 1.0], [-INF] * 2, [2.0, 2.0])
    assert up.sum() == pytest.approx(two.sum(), abs=3e-4)
