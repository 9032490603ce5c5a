"""Post-stratification against R, against regression on the strata's indicators, and where it has no answer."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit import Moments, poststratified_test, regression_test, welch_test
from tests.golden.read import cases

DATA = Path(__file__).parents[3] / "shared" / "data"
FIELDS = ("control", "treatment", "var_control", "var_treatment", "covariance", "df")


def numbers(result):
    return [getattr(result.effect, field) for field in FIELDS]


def drawn(seed, strata=4):
    rng = np.random.default_rng(seed)
    stratum = np.concatenate([np.repeat(np.arange(strata), 2), rng.integers(0, strata, 30)])
    y = np.round(4 * (stratum + rng.normal(size=len(stratum)))) / 4
    return y, stratum


def by_stratum(y, stratum):
    return {int(label): y[stratum == label] for label in np.unique(stratum)}


@pytest.mark.parametrize("case", cases("poststratified"), ids=lambda case: case["name"])
def test_every_number_is_that_of_r(case):
    y, stratum, n = np.array(case["y"]), case["stratum"], case["n_control"]
    result = poststratified_test(y[:n], y[n:], strata=(stratum[:n], stratum[n:]))
    expected = [case[key] for key in ("control", "treatment", "var_control", "var_treatment")]
    assert numbers(result) == pytest.approx([*expected, 0, case["df"]], rel=1e-10)
    assert result.estimate == pytest.approx(case["estimate"], rel=1e-9)
    assert result.stderr == pytest.approx(case["stderr"], rel=1e-10)


@given(st.integers(0, 10**6), st.sampled_from([0.0, 1e9]))
def test_rows_samples_and_moments_agree(seed, offset):
    (yc, sc), (yt, s_t) = drawn(seed), drawn(seed + 1)
    yc, yt = yc + offset, yt + offset
    a = poststratified_test(yc, yt, strata=(sc, s_t))
    b = poststratified_test(by_stratum(yc, sc), by_stratum(yt, s_t))
    summaries = [{k: Moments.from_sample(v) for k, v in by_stratum(*arm).items()} for arm in ((yt, s_t), (yc, sc))]
    c = poststratified_test(dict(reversed(summaries[1].items())), summaries[0])
    assert numbers(b) == pytest.approx(numbers(a), rel=1e-12)
    assert numbers(c) == pytest.approx(numbers(a), rel=1e-12)


@given(st.integers(0, 10**6))
def test_it_is_the_regression_on_the_indicators_of_the_strata(seed):
    (yc, sc), (yt, s_t) = drawn(seed), drawn(seed + 1)
    a = poststratified_test(yc, yt, strata=(sc, s_t))
    rows = [np.column_stack([y, s[:, None] == np.arange(1, 4)]) for y, s in ((yc, sc), (yt, s_t))]
    b = regression_test(*rows, covariance="HC2")
    assert numbers(a)[:5] == pytest.approx(numbers(b)[:5], rel=1e-9, abs=1e-14)


@given(st.integers(0, 10**6))
def test_statistics_of_two_logs_answer_as_the_whole_does(seed):
    (yc, sc), (yt, s_t), (more, labels) = drawn(seed), drawn(seed + 1), drawn(seed + 2)
    parts = [{k: Moments.from_sample(v) for k, v in by_stratum(*arm).items()} for arm in ((yc, sc), (more, labels))]
    together = {k: parts[0][k] + parts[1][k] for k in parts[0]}
    a = poststratified_test(together, by_stratum(yt, s_t))
    b = poststratified_test(np.concatenate([yc, more]), yt, strata=(np.concatenate([sc, labels]), s_t))
    assert numbers(a) == pytest.approx(numbers(b), rel=1e-11)


def test_one_stratum_is_welchs_test():
    c, t = [1.0, 2.0, 4.0, 3.5], [2.0, 5.0, 4.0]
    assert numbers(poststratified_test({"all": c}, {"all": t})) == pytest.approx(numbers(welch_test(c, t)), rel=1e-13)


def test_by_hand_and_simpsons_reversal():
    # treatment is 1 above control in each stratum, and below it on the whole
    control = {"low": [0.0, 2.0], "high": [9.0, 11.0, 9.0, 11.0, 9.0, 11.0]}
    treatment = {"low": [1.0, 3.0, 1.0, 3.0, 1.0, 3.0], "high": [10.0, 12.0]}
    result = poststratified_test(control, treatment)
    pooled = [np.concatenate(list(arm.values())) for arm in (control, treatment)]
    assert welch_test(*pooled).estimate < 0
    assert (result.control, result.treatment, result.estimate) == (5.5, 6.5, 1.0)
    # each stratum has half of the units; variances 2 of 2 units, and 6/5 of 6
    assert result.effect.variance == pytest.approx(2 * (1 / 4) * (1 + 0.2), rel=1e-14)
    v = np.array([1 / 4, 0.05, 0.05, 1 / 4])
    assert result.df == pytest.approx(v.sum() ** 2 / (v**2 / [1, 5, 5, 1]).sum(), rel=1e-14)


def test_constant_strata_have_no_variance():
    constant = {"a": [0.1] * 3, "b": [0.7] * 7}
    other = {"a": [0.1] * 4, "b": [0.9] * 3}
    for result in (
        poststratified_test(constant, other),
        poststratified_test(
            [0.1] * 3 + [0.7] * 7, [0.1] * 4 + [0.9] * 3, strata=(["a"] * 3 + ["b"] * 7, ["a"] * 4 + ["b"] * 3)
        ),
    ):
        assert result.reason is not None
        assert result.stderr == 0
        assert math.isinf(result.df)
        assert result.to_dict()["df"] is None
    assert poststratified_test(constant, {"a": [0.1, 0.2], "b": [0.7] * 3}).stderr > 0


# R 4.2.2, estimatr 1.0.0, the women's e-mail against none: difference_in_means(visit ~ t, blocks =
# paste(history_segment, newbie)), then of spend;
# lm_lin(visit ~ t, ~ recency + history + mens + newbie, se_type = "HC2")
OF_ESTIMATR = {
    "visit": (0.0451453961029895, 0.00321448067318195),
    "spend": (0.423230180433457, 0.130385930931389),
    "lin": (0.0452099382701412, 0.00320438250808938),
}


def test_the_strata_and_the_covariates_of_a_real_log():
    log = pd.read_csv(DATA / "hillstrom_email.csv.gz")
    control, treatment = (log[log["segment"] == name] for name in ("No E-Mail", "Womens E-Mail"))
    strata = [part["history_segment"] + " " + part["newbie"].astype(str) for part in (control, treatment)]
    for outcome in ("visit", "spend"):
        result = poststratified_test(control[outcome], treatment[outcome], strata=strata)
        assert (result.estimate, result.stderr) == pytest.approx(OF_ESTIMATR[outcome], rel=1e-11)
    rows = [part[["visit", "recency", "history", "mens", "newbie"]].to_numpy(float) for part in (control, treatment)]
    result = regression_test(*rows)
    assert (result.estimate, result.stderr) == pytest.approx(OF_ESTIMATR["lin"], rel=1e-11)


@pytest.mark.parametrize(
    ("control", "treatment", "strata", "error", "message"),
    [
        ({"a": [1, 2], "b": [1, 2]}, {"a": [1, 2]}, None, ValueError, "`treatment` must .* stratum; got 0 in 'b'"),
        ({"a": [1, 2]}, {"a": [1, 2], "b": [1, 2]}, None, ValueError, "`control` must .* every stratum; got 0 in 'b'"),
        ({"a": [1, 2]}, {"a": [1]}, None, ValueError, "`treatment` must .* stratum; got 1 in 'a'. Put it together"),
        ({}, {}, None, ValueError, "`control` must have at least one stratum"),
        ([1, 2, 3], [1, 2, 3], None, TypeError, "`control` must be a mapping of strata, or come with `strata`"),
        ({"a": [1, 2]}, [1, 2], None, TypeError, "`treatment` must be a mapping"),
        ([1, 2, 3], [1, 2, 3], (["a", "a", "b"], ["a", "a", "b"]), ValueError, "`control` .* got 1 in 'b'"),
        ([1, 2, 3, 4], [1, 2], ([7, 7, 8, 8], [7, 7]), ValueError, "`treatment` .* got 0 in 8"),
        ([1, 2, 3], [1, 2, 3], (["a", "a"], ["a", "a", "a"]), ValueError, "`strata` must hold one label a row, 3"),
        ([], [], ([], []), ValueError, "`control` must have at least 2 units"),
        ({"a": Moments([2, 2], [0, 0], [1, 1])}, {"a": [1, 2]}, None, ValueError, "one group a stratum"),
        ({"a": [1, math.nan]}, {"a": [1, 2]}, None, ValueError, "must be finite"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_by_name(control, treatment, strata, error, message):
    with pytest.raises(error, match=message):
        poststratified_test(control, treatment, strata=strata)
