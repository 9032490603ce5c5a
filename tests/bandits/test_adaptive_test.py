"""Inference after a bandit: by hand in fractions, invariances, and what is refused."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import abkit as ab
from abkit.bandits._adaptive import adaptive_effect, moments_of, stable_moments, stable_rows, two_point_weights

# (arm, reward, propensity of b): e (1 - e) is a square, so that the stable weight is a fraction
HAND = [
    ("a", 3, Fraction(1, 2)),
    ("b", 5, Fraction(1, 2)),
    ("b", 4, Fraction(4, 5)),
    ("a", 2, Fraction(4, 5)),
    ("b", 7, Fraction(9, 10)),
    ("b", 6, Fraction(9, 10)),
    ("a", 4, Fraction(1, 5)),
    ("b", 5, Fraction(1, 2)),
]
ROOTS = {
    Fraction(1, 2): Fraction(1, 2),
    Fraction(4, 5): Fraction(2, 5),
    Fraction(9, 10): Fraction(3, 10),
    Fraction(1, 5): Fraction(2, 5),
}


def table(rows=HAND):
    chosen = [float(e if arm == "b" else 1 - e) for arm, _, e in rows]
    return {"arm": [row[0] for row in rows], "reward": [float(row[1]) for row in rows], "propensity": chosen}


def by_hand():
    """Estimates, variance of the contrast and degrees of freedom, one decision after another."""
    past, everything = {"a": [], "b": []}, []
    scores, weights, squares = [], [], []
    for t, (arm, reward, e) in enumerate(HAND):
        h = ROOTS[e] if t else Fraction(0)
        guess = {
            k: Fraction(sum(v), len(v)) if v else Fraction(sum(everything), max(len(everything), 1))
            for k, v in past.items()
        }
        gain = {k: (reward - guess[k]) / p if arm == k else Fraction(0) for k, p in (("a", 1 - e), ("b", e))}
        scores.append({k: guess[k] + gain[k] for k in guess})
        weights.append(h)
        squares.append({k: (h * gain[k]) ** 2 for k in gain})
        past[arm].append(Fraction(reward))
        everything.append(Fraction(reward))
    total, n = sum(weights), len(HAND)
    value = {k: sum(h * s[k] for h, s in zip(weights, scores, strict=True)) / total for k in "ab"}
    off = [{k: h * (s[k] - value[k]) for k in "ab"} for h, s in zip(weights, scores, strict=True)]
    realised = {(j, k): sum(o[j] * o[k] for o in off) / total**2 * Fraction(n, n - 1) for j in "ab" for k in "ab"}
    spread = {k: sum((y - Fraction(sum(past[k]), len(past[k]))) ** 2 for y in past[k]) for k in "ab"}
    pooled = sum(spread.values()) / (n - 2)
    shares = {
        k: sum(h * h / (e if k == "b" else 1 - e) for h, (_, _, e) in zip(weights, HAND, strict=True)) for k in "ab"
    }
    own = {k: (spread[k] + 2 * pooled) / (len(past[k]) + 1) for k in "ab"}
    expected = {k: shares[k] * own[k] / total**2 for k in "ab"}
    variance = {k: max(realised[k, k], expected[k]) for k in "ab"}
    both = [s["a"] + s["b"] for s in squares]
    by_squares = 2 * sum(both) ** 2 / (sum(x * x for x in both) - sum(both) ** 2 / n)
    by_pulls = sum(expected.values()) ** 2 / sum(expected[k] ** 2 / (len(past[k]) - 1) for k in "ab")
    contrast = variance["a"] + variance["b"] - 2 * realised["a", "b"]
    return value, contrast, variance["a"], min(by_squares, by_pulls)


def drawn(seed=1, n=400, means=(0.3, 0.5), floor=0.1):
    rng = np.random.default_rng(seed)
    share = np.where(rng.random(n) < 0.5, floor, 1 - floor)
    chosen = rng.random(n) < share
    reward = (rng.random(n) < np.where(chosen, means[1], means[0])).astype(float)
    arm = np.where(chosen, "b", "a").tolist()
    return {"arm": arm, "reward": reward, "propensity": np.where(chosen, share, 1 - share), "share": share}


@pytest.mark.filterwarnings("ignore::abkit.errors.AccuracyWarning")
def test_a_case_worked_by_hand():
    value, contrast, own, df = by_hand()
    result = ab.bandits.adaptive_test(table(), control="a", treatment="b")
    assert result.control == pytest.approx(float(value["a"]), rel=1e-12)
    assert result.treatment == pytest.approx(float(value["b"]), rel=1e-12)
    assert result.stderr == pytest.approx(math.sqrt(contrast), rel=1e-12)
    assert result.effect.var_control == pytest.approx(float(own), rel=1e-12)
    assert result.df == pytest.approx(float(df), rel=1e-12)
    assert result.caution is not None


def test_with_constant_propensities_it_is_near_the_randomised_answer():
    rng = np.random.default_rng(2)
    chosen = rng.random(4_000) < 0.5
    reward = rng.normal(10, 2, 4_000) + chosen
    log = {"arm": np.where(chosen, "b", "a"), "reward": reward, "propensity": np.full(4_000, 0.5)}
    welch = ab.welch_test(reward[~chosen], reward[chosen])
    for weights in ("stable", "constant", "two-point", "uniform"):
        result = ab.bandits.adaptive_test(log, control="a", weights=weights)
        assert result.estimate == pytest.approx(welch.estimate, abs=0.1 * welch.stderr + 0.02)
        assert result.stderr == pytest.approx(welch.stderr, rel=0.1)


@pytest.mark.parametrize("weights", ["stable", "constant", "two-point", "uniform"])
def test_swapping_arms_shifting_and_scaling_rewards(weights):
    log = drawn()
    a = ab.bandits.adaptive_test(log, control="a", weights=weights)
    b = ab.bandits.adaptive_test(log, control="b", treatment="a", weights=weights)
    assert b.estimate == pytest.approx(-a.estimate, rel=1e-12)
    assert b.stderr == pytest.approx(a.stderr, rel=1e-12)
    moved = log | {"reward": 4 * log["reward"] + 1e7}
    c = ab.bandits.adaptive_test(moved, control="a", weights=weights)
    assert c.estimate == pytest.approx(4 * a.estimate, rel=1e-6)
    assert c.stderr == pytest.approx(4 * a.stderr, rel=1e-6)
    assert c.control == pytest.approx(4 * a.control + 1e7, rel=1e-12)


def test_moments_add_up_over_stretches_and_runs_are_separate():
    log = drawn(n=300)
    arm = (np.array(log["arm"]) == "b").astype(int)
    propensities = np.stack([1 - log["share"], log["share"]], axis=1)
    whole = adaptive_effect(stable_moments(arm, log["reward"], propensities))
    rows = stable_rows(arm, log["reward"], propensities)
    parts = adaptive_effect(moments_of(rows[:, :, :120]) + moments_of(rows[:, :, 120:]))
    assert parts.estimate == pytest.approx(whole.estimate, rel=1e-12)
    assert parts.variance == pytest.approx(whole.variance, rel=1e-11)
    result = ab.bandits.adaptive_test(log, control="a")
    assert result.estimate == pytest.approx(whole.estimate, abs=1e-12)
    runs = stable_moments(
        np.stack([arm, 1 - arm], axis=1),
        np.stack([log["reward"]] * 2, axis=1),
        np.stack([propensities, propensities[:, ::-1]], axis=2),
    )
    assert runs.mean[0, : len(runs.names) // 2] == pytest.approx(runs.mean[1, len(runs.names) // 2 :], abs=1e-15)


def test_three_arms_need_every_propensity():
    rng = np.random.default_rng(3)
    e = rng.dirichlet([4, 4, 4], 900)
    place = (e.cumsum(axis=1) > rng.random((900, 1))).argmax(axis=1)
    log = {"arm": place, "reward": rng.normal(place, 1.0), **{f"p{k}": e[:, k] for k in range(3)}}
    columns = {0: "p0", 1: "p1", 2: "p2"}
    result = ab.bandits.adaptive_test(log, control=0, treatment=2, propensity=columns)
    assert result.interval(0.999).contains(2.0)
    assert ab.bandits.arm_value(log, 1, propensity=columns).interval(0.999).contains(1.0)
    with pytest.raises(ValueError, match=r"`propensity` must map every arm .* got one column, and 3 arms"):
        ab.bandits.adaptive_test(log, control=0, treatment=2, propensity="p0")
    with pytest.raises(ValueError, match="`treatment` must be named"):
        ab.bandits.adaptive_test(log, control=0, propensity=columns)
    with pytest.raises(ValueError, match="`propensity` must have the column of 2"):
        ab.bandits.adaptive_test(log, control=0, treatment=2, propensity={0: "p0"})


def test_order_is_that_of_the_column():
    log = drawn(n=200)
    back = {name: list(values)[::-1] for name, values in log.items()} | {"time": list(range(200))[::-1]}
    assert (
        ab.bandits.adaptive_test(back, control="a", order="time").to_dict()
        == ab.bandits.adaptive_test(log, control="a").to_dict()
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"propensity": [0.0] + [0.5] * 7},
            "`propensity` must be above 0 for the arm that was chosen, at least 1e-12; got 0 and 1 decision",
        ),
        ({"propensity": [1.5] + [0.5] * 7}, "`propensity` must be from 0 to 1; got 1 of 8 outside"),
        ({"propensity": [1.0] * 8}, "`propensity` must leave"),
        ({"arm": ["a"] + ["b"] * 7}, "`control` must have at least 2 rewards; got 1"),
        ({"arm": ["b"] * 8}, "`control` must be an arm of the log, 'b'; got 'a'"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        ab.bandits.adaptive_test(table() | change, control="a", treatment="b")


def test_options_of_the_other_method_are_refused_by_name():
    for options in ({"alpha": 0.1}, {"bounds": (0, 1)}, {"looks": [3]}, {"bets": "betting"}):
        with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be left out: the method 'aw-aipw'"):
            ab.bandits.adaptive_test(table(), control="a", **options)
    for options in ({"weights": "uniform"}, {"decay": 0.5}, {"null": 0.1}):
        with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be left out: the method 'anytime'"):
            ab.bandits.adaptive_test(table(), control="a", method="anytime", **options)
    with pytest.raises(ValueError, match="`decay` must be left out: the weights 'stable'"):
        ab.bandits.adaptive_test(table(), control="a", decay=0.5)
    with pytest.raises(ValueError, match="Did you mean 'aw-aipw'"):
        ab.bandits.adaptive_test(table(), control="a", method="aw-aip")


def test_propensities_that_are_not_those_of_the_choices_are_doubted():
    log = drawn() | {"propensity": np.full(400, 0.2)}
    log["arm"] = ["a", "b"] * 200
    with pytest.warns(ab.AccuracyWarning, match="chosen 200 times, where"):
        result = ab.bandits.adaptive_test(log | {"propensity": [0.2, 0.8] * 200}, control="a")
    assert "not those with which" in result.caution


def test_rewards_that_are_all_the_same_are_undefined():
    log = drawn() | {"reward": [7.3] * 400}
    result = ab.bandits.adaptive_test(log, control="a")
    assert math.isnan(result.pvalue)
    assert (result.control, result.treatment) == (7.3, 7.3)


@pytest.mark.filterwarnings("ignore::abkit.errors.AccuracyWarning")
@pytest.mark.parametrize("size", [1e-140, 1e140])
def test_rewards_of_any_size(size):
    log = drawn() | {"propensity": np.where(np.arange(400) == 7, 1e-12, drawn()["propensity"])}
    a = ab.bandits.arm_value(log, "a")
    with np.errstate(all="raise", under="ignore"):
        b = ab.bandits.arm_value(log | {"reward": size * log["reward"]}, "a")
    assert b.estimate == pytest.approx(size * a.estimate, rel=1e-9)
    assert b.stderr == pytest.approx(size * a.stderr, rel=1e-9)


def test_decisions_in_which_an_arm_could_not_come_have_no_weight():
    log = drawn(n=300)
    sure = {"arm": ["b"] * 300, "reward": [0.5] * 300, "propensity": [1.0] * 300}
    both = {name: [*log[name], *sure[name]] for name in sure}
    a, b = (ab.bandits.adaptive_test(data, control="a") for data in (log, both))
    assert b.estimate == pytest.approx(a.estimate, rel=1e-12)


def test_two_point_weights_share_the_variance_evenly():
    """Where e falls as its floor does, each decision has a share; h^2 / e adds up to 1 at the end."""
    t = np.arange(1, 501)
    e = np.stack([0.5 * t**-0.7, 1 - 0.5 * t**-0.7])
    allocation = np.cumsum(two_point_weights(e, 0.7) ** 2 / e, axis=1)
    assert allocation[:, -1] == pytest.approx([1, 1], abs=1e-12)
    assert np.all(np.diff(allocation, axis=1) >= 0)


def test_intervals_are_nominal_after_a_bandit_and_naive_ones_are_not():
    """1,500 logs; the whole table is in docs/calibration-bandits.md."""
    rng, runs, n = np.random.default_rng(8), 1_500, 300
    pulls, sums = np.zeros((2, runs)), np.zeros((2, runs))
    arm, reward, propensity = (np.empty((n, runs)) for _ in range(3))
    for t in range(n):
        rate = sums / np.maximum(pulls, 1)
        share = 0.1 + 0.8 * (np.sign(rate[1] - rate[0]) + 1) / 2
        chosen = rng.random(runs) < share
        won = rng.normal(0, 1, runs)
        arm[t], reward[t], propensity[t] = chosen, won, share
        for k, mine in enumerate((~chosen, chosen)):
            pulls[k] += mine
            sums[k] += mine * won
    from abkit.bandits._adaptive import estimates

    values, covariance, df = estimates(stable_moments(arm, reward, np.stack([1 - propensity, propensity], axis=1)))
    z = (values[:, 1] - values[:, 0]) / np.sqrt(covariance[:, 0, 0] + covariance[:, 1, 1] - 2 * covariance[:, 0, 1])
    from scipy.special import stdtrit

    assert abs(np.mean(np.abs(z) <= stdtrit(df, 0.975)) - 0.95) < 0.02


@pytest.mark.parametrize(
    ("arms", "control", "keys"),
    [
        ([0, 1], np.int64(0), (np.int64(0), 1)),
        ([0, 1], "0", ("0", "1")),
        (["0", "1"], 0, (0, 1)),
        (["a", "b"], np.str_("a"), (np.str_("a"), "b")),
        ([False, True], False, (False, True)),
    ],
)
def test_an_arm_may_be_named_as_evaluate_takes_it(arms: list[Any], control: Any, keys: tuple[Any, Any]) -> None:
    log = {"arm": arms * 40, "reward": [0, 1, 1, 0, 1, 1, 0, 0] * 10, "propensity": [0.5] * 80}
    log |= {"first": [0.5] * 80, "second": [0.5] * 80}
    plain = ab.bandits.adaptive_test(log | {"arm": ["a", "b"] * 40}, control="a").estimate
    assert ab.bandits.adaptive_test(log, control=control).estimate == plain
    columns = dict(zip(keys, ("first", "second"), strict=True))
    assert ab.bandits.adaptive_test(log, control=control, propensity=columns).estimate == plain
