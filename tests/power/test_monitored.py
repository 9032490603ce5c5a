"""Power under a monitor, against rpact, published inflation factors, and the monitors' own tests."""

from __future__ import annotations

import numpy as np
import pytest

import abkit as ab
from abkit.sequential._two_proportions import two_proportions_effect
from tests.golden.read import cases

RPACT = cases("power_monitored")


def schedule(case):
    shape = case["shape"] if case["boundary"] in ("wang-tsiatis", "kim-demets", "hwang-shih-decani") else None
    alpha = case["alpha"]
    return ab.GroupSequential(
        alpha=alpha,
        sides=case["sides"],
        information=case["information"],
        boundary=case["boundary"],
        shape=shape,
        futility=case.get("futility"),
    )


@pytest.mark.parametrize("case", RPACT, ids=[f"{c['kind']}-{c['boundary']}-{c['sides']}" for c in RPACT])
def test_sizes_as_rpact(case):
    common = {
        "sd": case["sd"],
        "test": "z",
        "ratio": case["ratio"],
        "monitor": schedule(case),
        "alternative": "two-sided" if case["sides"] == 2 else "greater",
    }
    found = ab.power.two_means(mde=case["mde"], power=case["power"], **common)
    # with two sides rpact leaves out rejections the wrong way, of which early bounds that are near have the most
    near = {"pocock": 3e-4, "ld-pocock": 3e-4}.get(case["boundary"], 2e-5)
    digits = near if case["sides"] == 2 else 3e-6
    assert found.n_total == pytest.approx(case["n_total"], rel=digits)
    assert found.n_expected == pytest.approx(case["expected"], rel=digits)
    assert found.n_expected_null == pytest.approx(case["expected_null"], rel=digits)
    if "given_total" in case:
        given = ab.power.two_means(n=case["given_total"] / (1 + case["ratio"]), mde=case["mde"], **common)
        assert given.power == pytest.approx(case["power_there"], abs=2e-6)
        assert given.n_expected == pytest.approx(case["expected_there"], rel=3e-6)


@pytest.mark.parametrize(
    ("boundary", "looks", "power", "inflation"),
    [
        ("pocock", 5, 0.8, 1.229),
        ("obrien-fleming", 5, 0.8, 1.028),
        ("pocock", 2, 0.9, 1.100),
        ("obrien-fleming", 2, 0.9, 1.007),
        ("obrien-fleming", 10, 0.9, 1.037),
    ],
)
def test_published_inflation(boundary, looks, power, inflation):
    """Jennison and Turnbull 2000, tables 2.2 and 2.4: two-sided, alpha 0.05."""
    monitor = ab.GroupSequential(looks=looks, boundary=boundary)
    with_looks = ab.power.two_means(mde=0.1, sd=1.0, power=power, monitor=monitor)
    fixed = ab.power.two_means(mde=0.1, sd=1.0, power=power, test="z")
    assert with_looks.n_control / fixed.n_control == pytest.approx(inflation, abs=7e-4)


MONITORS = [
    ab.GroupSequential(looks=4, boundary="pocock"),
    ab.GroupSequential(looks=3, sides=1, alpha=0.01, futility="ld-obrien-fleming"),
    ab.AnytimeValid(tune_at=5000),
    ab.AnytimeValid(alpha=0.01, tune_at=300, sides=1),
    ab.FixedHorizon(alpha=0.1),
]


@pytest.mark.parametrize("monitor", MONITORS, ids=repr)
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_any_two_give_the_third(monitor, alternative):
    common = {"sd": 1.0, "monitor": monitor, "alternative": alternative}
    mde = -0.07 if alternative == "less" else 0.07
    size = ab.power.two_means(mde=mde, power=0.8, **common)
    assert ab.power.two_means(n=size.n_control, mde=mde, **common).power == pytest.approx(0.8, abs=1e-10)
    effect = ab.power.two_means(n=4000, power=0.8, **common)
    assert ab.power.two_means(n=4000, mde=effect.mde, **common).power == pytest.approx(0.8, abs=1e-10)
    assert size.n_expected <= size.n_total * (1 + 1e-12)
    assert size.n_expected_null <= size.n_total * (1 + 1e-12)


def test_arrays_are_a_loop():
    monitor = ab.AnytimeValid(tune_at=2000)
    sizes, effects = np.array([[1000.0], [3000.0]]), np.array([-0.1, 0.05, 0.2])
    together = ab.power.two_means(n=sizes, mde=effects, sd=1.0, monitor=monitor, looks=5)
    for i, n in enumerate(sizes.ravel()):
        for j, mde in enumerate(effects):
            one = ab.power.two_means(n=n, mde=mde, sd=1.0, monitor=monitor, looks=5)
            assert together.power[i, j] == pytest.approx(one.power, abs=1e-12)
            assert together.n_expected[i, j] == pytest.approx(one.n_expected, rel=1e-12)


def test_what_is_impossible_is_nan_among_the_rest():
    found = ab.power.two_means(
        mde=np.array([0.1, -0.1]), sd=1.0, power=0.8, alternative="greater", monitor=ab.GroupSequential(looks=2)
    )
    assert np.isnan(found.n_expected[1])
    assert found.n_expected[0] < found.n_total[0]


@pytest.mark.parametrize("monitor", [MONITORS[0], MONITORS[2]], ids=repr)
@pytest.mark.parametrize("alternative", ["two-sided", "less"])
def test_simulated_paths(monitor, alternative):
    """The canonical statistics of each look against the monitor's own bounds; expected sizes too."""
    looks, n, mde = 4, 1500.0, -0.08
    found = ab.power.two_means(n=n, mde=mde, sd=1.0, monitor=monitor, alternative=alternative, looks=looks)
    rng, runs = np.random.default_rng(8), 40_000
    shares = np.arange(1, looks + 1) / looks
    steps = rng.standard_normal((runs, looks)) / np.sqrt(looks) + mde * np.sqrt(n / 2) / looks
    z = steps.cumsum(axis=1) / np.sqrt(shares)
    bounds = (
        monitor.design().critical_values
        if isinstance(monitor, ab.GroupSequential)
        else [monitor.multiplier(2 * n * share) for share in shares]
    )
    crossed = -z > bounds
    if alternative == "two-sided":
        crossed |= z > bounds
    assert crossed.any(axis=1).mean() == pytest.approx(found.power, abs=4 * 0.5 / np.sqrt(runs))
    stopped = np.where(crossed.any(axis=1), crossed.argmax(axis=1), looks - 1)
    assert (2 * n * shares[stopped]).mean() == pytest.approx(found.n_expected, rel=0.01)


@pytest.mark.parametrize(
    ("given", "null"),
    [
        ({"baseline": 0.1, "mde": 0.03, "n": 3000}, 0.0),
        ({"baseline": 0.2, "mde": 0.0, "n": 4000, "hypothesis": "non-inferiority", "margin": 0.03}, -0.03),
    ],
)
def test_proportions_by_the_exact_sequence(given, null):
    """The rejections of the e-process itself, at a few looks."""
    monitor, looks, runs = ab.AnytimeValid(tune_at=6000), 3, 500
    planned = ab.power.two_proportions(**given, monitor=monitor, looks=looks)
    alternative = "greater" if null else "two-sided"
    n, p = given["n"], given["baseline"]
    each, hits, rng = n // looks, 0, np.random.default_rng(3)
    for _ in range(runs):
        x_c = rng.binomial(each, p, looks).cumsum()
        x_t = rng.binomial(each, p + given["mde"], looks).cumsum()
        for k in range(looks):
            units = each * (k + 1)
            effect = two_proportions_effect(int(x_c[k]), units, int(x_t[k]), units, 0.5, monitor.tune_at)
            if effect.pvalue(null, alternative) <= planned.alpha:
                hits += 1
                break
    assert hits / runs == pytest.approx(planned.power, abs=4 * 0.5 / np.sqrt(runs))


def test_nothing_is_found_during_the_burn_in():
    found = ab.power.two_means(n=90, mde=2.0, sd=1.0, monitor=ab.AnytimeValid(tune_at=200))
    assert found.power == 0
    assert ab.power.two_means(n=100, mde=2.0, sd=1.0, monitor=ab.AnytimeValid(tune_at=200)).power > 0.99


def test_one_look_is_the_fixed_test():
    fixed = ab.power.two_means(mde=0.5, sd=1.0, power=0.8, alpha=0.05)
    horizon = ab.power.two_means(mde=0.5, sd=1.0, power=0.8, monitor=ab.FixedHorizon(alpha=0.05))
    assert horizon.n_control == fixed.n_control
    assert horizon.n_expected == horizon.n_expected_null == horizon.n_total


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"monitor": ab.FixedHorizon(), "looks": 5}, "`looks` must be 1"),
        ({"monitor": ab.GroupSequential(looks=3), "looks": 5}, "`looks` must be left out"),
        ({"monitor": ab.AnytimeValid(), "hypothesis": "equivalence", "margin": 1.0}, "`monitor` must be left out"),
        ({"monitor": ab.AnytimeValid(), "alpha": 0.1}, "`alpha` must be left out"),
    ],
)
def test_refused(given, message):
    with pytest.raises(ValueError, match=message):
        ab.power.two_means(n=100, mde=0.5, sd=1.0, **given)


def test_scaled_bounds():
    """A score test's null standard error moves the bounds: with one planned look it is the fixed test."""
    given = {"baseline": 0.02, "mde": 0.01, "power": 0.9, "ratio": 0.2}
    fixed = ab.power.two_proportions(**given)
    one_look = ab.power.two_proportions(**given, monitor=ab.GroupSequential(looks=1))
    assert one_look.n_control == pytest.approx(fixed.n_control, rel=1e-9)
