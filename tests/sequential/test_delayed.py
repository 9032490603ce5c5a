"""Delayed outcomes: against the exact trivariate normal, rpact, and what the decision values are defined by."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import abkit as ab
from tests.golden.read import cases

EXACT = [case for case in cases("stopping_mvtnorm") if case["kind"] == "delayed"]
RPACT = [case for case in cases("stopping_rpact") if case["kind"] == "delayed"]


@pytest.mark.parametrize("case", EXACT)
def test_as_the_exact_trivariate_normal(case):
    bounds = ab.Design.from_bounds(case["information"], case["critical_values"], sides=1)
    found = replace(bounds, futility=tuple(case["futility"])).delayed(case["pipeline"])
    assert found.critical_values == pytest.approx(case["decision"], abs=1e-11)


@pytest.mark.parametrize("case", RPACT)
def test_as_rpact(case):
    design = ab.group_sequential_design(
        alpha=0.025, sides=1, information=case["information"], futility=[*case["user_futility"], None], binding=True
    )
    found = design.delayed(np.add(case["information"][:-1], case["delay"]))
    assert found.critical_values == pytest.approx(case["decision"][:-1], abs=1e-6)
    assert found.reversal == pytest.approx(case["reversal"], rel=1e-5)


def test_alpha_is_kept_and_the_decision_comes_late():
    rng = np.random.default_rng(4)
    design = ab.group_sequential_design(alpha=0.1, sides=1, looks=2, futility=[0.4, None], binding=True)
    found = design.delayed([0.7])
    scores = np.cumsum(rng.normal(size=(200_000, 3)) * np.sqrt([0.5, 0.2, 0.3]), axis=1)
    first, decision, last = (scores / np.sqrt([0.5, 0.7, 1])).T
    stopped = (first >= design.critical_values[0]) | (first <= 0.4)
    rejected = np.where(stopped, decision >= found.critical_values[0], last >= design.critical_values[1])
    assert abs(rejected.mean() - 0.1) < 4 * 0.3 / math.sqrt(200_000)


def test_nothing_but_the_pipeline_is_new():
    design = ab.group_sequential_design(alpha=0.025, sides=1, looks=3, futility="ld-pocock", power=0.9)
    near, far = (design.delayed([1 / 3 + d, 2 / 3 + d]).critical_values for d in (1e-4, 0.2))
    assert all(c < u for c, u in zip(far, design.critical_values, strict=False))
    between = zip(design.futility, near, design.critical_values, strict=False)
    assert all(low < c < high for low, c, high in between)


def test_an_overrun_stands_in_the_place_of_the_look_that_stopped():
    design = ab.group_sequential_design(alpha=0.05, sides=2, information=[400, 800, 1200])
    nearly = design.overrun([1.2, 2.8], 2.8, [400, 800, 800 * (1 + 1e-9)])
    stopped = design.stopped([1.2, 2.8])
    assert nearly.pvalue == pytest.approx(stopped.pvalue, rel=1e-6)
    assert nearly.estimate == pytest.approx(stopped.estimate, rel=1e-6)
    assert design.overrun([1.2, 2.8], 2.6, [400, 800, 900]).pvalue > stopped.pvalue
    with pytest.raises(ValueError, match="must end with that of the overrun"):
        design.overrun([1.2, 2.8], 2.8, [400, 800, 800])
    with pytest.raises(ValueError, match="one value a look"):
        design.overrun([1.2, 2.8], 2.8, [400, 800])


@pytest.mark.parametrize(
    ("choice", "final", "message"),
    [
        ({"futility": "ld-pocock"}, [0.7, 0.9], "one value per interim look"),
        ({"futility": "ld-pocock"}, [0.5], "must exceed that of the look"),
        ({"futility": "ld-pocock"}, [math.nan], "finite"),
        ({}, [0.7], "`futility` at every interim look"),
        ({"futility": [None, 1.0]}, [0.7], "`futility` at every interim look"),
    ],
)
def test_what_is_refused(choice, final, message):
    design = ab.group_sequential_design(alpha=0.025, sides=1, looks=2, **choice)
    with pytest.raises(ValueError, match=message):
        design.delayed(final)
