"""Off-policy values against row-by-row rational arithmetic, and against the defects that others have."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit.adapters import _bandit_query
from abkit.bandits import evaluate
from abkit.errors import DataError
from tests.golden.read import cases

METHODS = ["ips", "snips", "dm", "dr", "switch-dr", "clipped"]
CASES = {case["name"]: case for case in cases("off_policy")}


def frame(case: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(case["rows"], columns=["cell", "arm", "reward", "propensity"])


def drawn(n: int = 2_000, seed: int = 1) -> pd.DataFrame:
    """Three arms, two cells, propensities that depend on the cell."""
    rng = np.random.default_rng(seed)
    logged = np.array([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]])
    cell = rng.integers(2, size=n)
    arm = (rng.random(n)[:, None] > logged[cell].cumsum(axis=1)).sum(axis=1)
    reward = (rng.random(n) < np.array([0.1, 0.3, 0.5])[arm]).astype(float)
    table = {"arm": np.array(["a", "b", "c"])[arm], "reward": reward, "propensity": logged[cell, arm]}
    return pd.DataFrame({**table, "cell": np.array(["u", "v"])[cell]})


LOG = drawn()
TARGET = {"a": 0.2, "b": 0.3, "c": 0.5}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("method", ["ips", "snips", "dr", "switch-dr", "clipped"])
def test_rational_arithmetic(name: str, method: str) -> None:
    case = CASES[name]
    cut = {"threshold": case["threshold"]} if method in ("switch-dr", "clipped") else {}
    found = evaluate(frame(case), case["target"], method, by="cell", **cut)
    value, stderr = map(float, case["expected"][method])
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.stderr == pytest.approx(stderr, rel=1e-12)
    assert found.ess == pytest.approx(float(case["expected"]["ess"]), rel=1e-12)


@pytest.mark.parametrize("by", [(), "cell"])
def test_direct_method_is_the_mean_of_means_with_their_errors(by: Any) -> None:
    found = evaluate(LOG, TARGET, "dm", by=by)
    keys = ["cell"] if by else []
    value = variance = 0.0
    per_cell = []
    for _, cell in LOG.groupby(keys) if keys else [((), LOG)]:
        share = len(cell) / len(LOG)
        stats = cell.groupby("arm")["reward"].agg(["mean", "var", "count"])
        inside = sum(TARGET[arm] * row["mean"] for arm, row in stats.iterrows())
        value += share * inside
        per_cell.append((share, inside))
        variance += sum((share * TARGET[arm]) ** 2 * row["var"] / row["count"] for arm, row in stats.iterrows())
    variance += sum(s * (v - value) ** 2 for s, v in per_cell) / (len(LOG) - 1)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.stderr == pytest.approx(math.sqrt(variance), rel=1e-9)


@pytest.mark.parametrize("method", ["snips", "dm", "switch-dr"])
def test_every_form_of_a_target_is_the_same(method: str) -> None:
    expected = evaluate(LOG, TARGET, method, by="cell")
    table = pd.DataFrame([(c, a, p) for c in "uv" for a, p in TARGET.items()], columns=["cell", "arm", "probability"])
    wide = LOG.assign(**{f"p {arm}": share for arm, share in TARGET.items()})
    forms: list[tuple[Any, Any]] = [
        (LOG, table),
        (wide, {arm: f"p {arm}" for arm in TARGET}),
        (LOG, np.tile(list(TARGET.values()), (len(LOG), 1))),
    ]
    if method in ("ips", "snips", "clipped"):
        own = LOG["arm"].map(TARGET)
        forms += [(LOG.assign(own=own), "own"), (LOG, own.to_numpy())]
    for log, target in forms:
        found = evaluate(log, target, method, by="cell")
        assert found.value == pytest.approx(expected.value, rel=1e-12)
        assert found.stderr == pytest.approx(expected.stderr, rel=1e-9)
        assert found.on_policy == pytest.approx(LOG["reward"].mean(), rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_uniform_is_a_mapping_of_equal_shares(method: str) -> None:
    one, other = evaluate(LOG, "uniform", method), evaluate(LOG, dict.fromkeys("abc", 1 / 3), method)
    assert (one.value, one.stderr) == pytest.approx((other.value, other.stderr), rel=1e-12)
    assert one.ess == pytest.approx(other.ess, rel=1e-12)


@pytest.mark.parametrize("method", ["dm", "dr"])
def test_a_model_by_number_by_column_and_by_array(method: str) -> None:
    model = {"a": 0.1, "b": 0.3, "c": 0.5}
    expected = evaluate(LOG, TARGET, method, model=model)
    wide = LOG.assign(**{f"q {arm}": q for arm, q in model.items()})
    array = np.tile(list(model.values()), (len(LOG), 1))
    for found in (
        evaluate(wide, TARGET, method, model={arm: f"q {arm}" for arm in model}),
        evaluate(LOG, TARGET, method, model=array),
        evaluate(LOG, np.tile(list(TARGET.values()), (len(LOG), 1)), method, model=model),
    ):
        assert found.value == pytest.approx(expected.value, rel=1e-12)
        assert found.stderr == pytest.approx(expected.stderr, rel=1e-9, abs=1e-15)
    assert any("error of the model" in said for said in expected.warnings) == (method == "dm")


def test_the_arm_alone_and_a_policy_with_a_state() -> None:
    assert evaluate(LOG, "c").value == evaluate(LOG, {"c": 1.0}).value
    policy = ab.bandits.EpsilonGreedy(0.3)
    state = policy.update(policy.init(["a", "b", "c"]), ["a", "b", "c"], [0, 0, 1])
    expected = evaluate(LOG, {"a": 0.1, "b": 0.1, "c": 0.8})
    assert evaluate(LOG, (policy, state)).value == pytest.approx(expected.value, rel=1e-12)


@pytest.mark.parametrize("method", ["ips", "snips", "dm", "dr"])
def test_rewards_far_from_zero_keep_their_digits(method: str) -> None:
    plain, far = LOG, LOG.assign(reward=LOG["reward"] + 2.0**24)
    one, other = evaluate(plain, TARGET, method), evaluate(far, TARGET, method)
    if method in ("snips", "dm", "dr"):  # the others are not equivariant
        assert other.value - 2.0**24 == pytest.approx(one.value, abs=1e-7)
        assert other.stderr == pytest.approx(one.stderr, rel=1e-8)
    w = LOG["arm"].map(TARGET) / LOG["propensity"]
    if method == "ips":
        assert other.stderr == pytest.approx((w * far["reward"]).std() / math.sqrt(len(far)), rel=1e-10)


def test_on_policy_the_value_is_the_mean_and_the_difference_nothing() -> None:
    uniform = LOG.assign(propensity=1 / 3)
    found = evaluate(uniform, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})
    assert found.value == pytest.approx(LOG["reward"].mean(), rel=1e-14)
    assert found.stderr == pytest.approx(LOG["reward"].std() / math.sqrt(len(LOG)), rel=1e-12)
    assert found.difference == pytest.approx(0, abs=1e-15)
    assert found.difference_stderr == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_one_query_reads_the_data(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a method that is a sum; the default threshold asks for the number of rows before."""
    queries = []
    plain = _bandit_query.collect
    monkeypatch.setattr(_bandit_query, "collect", lambda frame: queries.append(1) or plain(frame))
    cut = {"threshold": 3.0} if method in ("clipped", "switch-dr") else {}
    evaluate(LOG, TARGET, method, by="cell", **cut)
    assert len(queries) == 1


def test_the_self_normalised_interval_is_that_of_a_ratio() -> None:
    """Others bootstrap with the denominator frozen and are up to twice as wide."""
    rows = CASES["three arms, two cells"]
    table = frame(rows)
    found = evaluate(table, rows["target"], "snips")
    w, r = (table["arm"].map(rows["target"]) / table["propensity"]).to_numpy(), table["reward"].to_numpy()
    rng = np.random.default_rng(2)
    places = rng.integers(len(r), size=(4_000, len(r)))
    ratio = (w * r)[places].sum(axis=1) / w[places].sum(axis=1)
    frozen = (w * r)[places].mean(axis=1) / w.mean()
    assert found.stderr == pytest.approx(ratio.std(), rel=0.06)
    assert frozen.std() > 1.2 * found.stderr


def test_a_row_does_not_predict_itself() -> None:
    """Rewards that are noise and an arm of two rows: with its own reward in the mean the correction would be halved."""
    log = {"arm": ["a", "a", "b", "b"], "reward": [0.0, 1.0, 0.0, 1.0], "propensity": [0.5] * 4}
    found = evaluate(log, "a", "dr")
    # q of row 1 is 1, of row 2 is 0; scores 1 + 2 (0 - 1), 0 + 2 (1 - 0), 1/2, 1/2
    assert found.value == pytest.approx((-1 + 2 + 0.5 + 0.5) / 4)
    assert found.stderr == pytest.approx(np.std([-1, 2, 0.5, 0.5], ddof=1) / 2)


def test_propensities_that_are_wrong_are_said_to_be() -> None:
    wrong = evaluate(LOG.assign(propensity=1 / 3), TARGET)
    assert not any("mean weight" in said for said in evaluate(LOG, TARGET).warnings)
    assert any("mean weight" in said for said in wrong.warnings)
    assert any("mean inverse propensity" in said for said in evaluate(LOG.assign(propensity=0.25), TARGET).warnings)


def test_few_rows_that_decide_are_named() -> None:
    log = LOG.copy()
    log.loc[0, "propensity"] = 1e-6
    found = evaluate(log, TARGET)
    assert found.ess < 2
    assert any("effective sample size" in said for said in found.warnings)
    assert found.diagnostics.smallest_propensity == 1e-6


def test_arms_without_support_in_a_cell_are_counted() -> None:
    log = LOG[~((LOG["cell"] == "u") & (LOG["arm"] == "c"))]
    found = evaluate(log, TARGET, "ips", by="cell")
    assert found.unsupported == pytest.approx(0.5 * (log["cell"] == "u").mean())
    assert any("could not show" in said for said in found.warnings)


def test_propensities_that_drift() -> None:
    rng = np.random.default_rng(4)
    n = 4_000
    first = np.linspace(0.5, 0.9, n)
    arm = rng.random(n) < first
    log = {"arm": np.where(arm, "a", "b"), "reward": rng.random(n) < 0.2, "t": np.arange(n)}
    log["propensity"] = np.where(arm, first, 1 - first)
    found = evaluate(log, "uniform", order="t")
    assert len(found.diagnostics.periods) == 10
    assert sum(period.n for period in found.diagnostics.periods) == n
    assert any("drift" in said for said in found.warnings)
    steady = evaluate(LOG.assign(t=range(len(LOG))), "uniform", order="t")
    assert not any("drift" in said for said in steady.warnings)


def test_a_log_of_a_deterministic_policy_is_refused_by_name() -> None:
    ones = LOG.assign(propensity=1.0)
    ties = ones.assign(propensity=np.where(np.arange(len(ones)) < 3, 1 / 3, 1.0))
    for log in (ones, ties):
        for method in ("ips", "dr"):
            with pytest.raises(DataError, match="deterministic policy"):
                evaluate(log, TARGET, method)
        assert evaluate(log, TARGET, "dm").unsupported > 0.5
    assert evaluate(ones.assign(arm="a"), "a").value == pytest.approx(LOG["reward"].mean())


BAD = [
    (LOG.assign(propensity=0.0), TARGET, {}, "above 0"),
    (LOG.assign(propensity=-0.1), TARGET, {}, "above 0"),
    (LOG.assign(propensity=1.5), TARGET, {}, "at most 1"),
    (LOG.assign(propensity=np.where(LOG.index == 3, np.nan, 0.5)), TARGET, {}, "1 of 2,000 in `propensity`"),
    (LOG.assign(reward=np.where(LOG.index < 2, np.inf, 0.5)), TARGET, {}, "2 of 2,000 in `reward`"),
    (LOG.assign(arm=LOG["arm"].where(LOG.index > 3)), TARGET, {}, "must name the arm of every row"),
    (LOG.assign(reward="yes"), TARGET, {}, "must hold numbers"),
    (LOG.drop(columns="propensity"), TARGET, {}, "no column `propensity`"),
    (LOG.iloc[:0], TARGET, {}, "no rows"),
    (LOG.iloc[:1], {LOG["arm"].iloc[0]: 1.0}, {}, "one row"),
    (LOG, {"a": 0.5, "d": 0.5}, {}, "chooses the arm 'd'"),
    (LOG, "d", {}, "chooses the arm 'd'"),
    (LOG, {"a": 0.5, "b": 0.2}, {}, "make 1 together"),
    (LOG, {"a": 1.5, "b": -0.5}, {}, "at least 0"),
    (LOG, {}, {}, "at least one arm"),
    (LOG, {"a": 0.5, "b": "reward"}, {}, "all of them columns"),
    (LOG, None, {}, "`target` must be"),
    (LOG, np.ones(3), {}, "one row for each of 2,000"),
    (LOG, np.full((2000, 2), 0.5), {}, "one column for each of 3 arms"),
    (LOG, np.full((2000, 3), 0.5), {}, "make 1 together"),
    (LOG, np.full(2000, 1.5), {}, "must be probabilities"),
    (LOG, "reward", {"method": "dr"}, "every arm"),
    (LOG, TARGET, {"method": "magic"}, "must be one of"),
    (LOG, TARGET, {"model": {"a": 1}}, "`model` must be left out"),
    (LOG, TARGET, {"method": "dr", "model": {"a": 1}}, "it lacks b, c"),
    (LOG, TARGET, {"threshold": 3.0}, "`threshold` must be left out"),
    (LOG, TARGET, {"method": "clipped", "threshold": 0.0}, "greater than 0"),
    (LOG, TARGET, {"bounds": (0, 0.5)}, "declared bounds"),
    (LOG, TARGET, {"level": 1.0}, "`level`"),
    (LOG, TARGET, {"propensity": None}, "`propensity` must name"),
    (LOG, TARGET, {"reward": "propensity"}, "different columns"),
    (LOG, pd.DataFrame({"arm": ["a", "a"], "probability": [0.5, 0.5]}), {}, "one row a cell and arm"),
    (
        LOG,
        pd.DataFrame({"cell": ["u"], "arm": ["a"], "probability": [1.0]}),
        {"by": "cell"},
        "it lacks v",
    ),
    (3, TARGET, {}, "must be a table"),
]


@pytest.mark.parametrize("place", range(len(BAD)))
def test_what_cannot_be_is_refused(place: int) -> None:
    log, target, options, words = BAD[place]
    with pytest.raises((ValueError, TypeError), match=words):
        evaluate(log, target, **options)


def test_a_model_speaks_for_an_arm_that_the_log_does_not_have() -> None:
    found = evaluate(LOG, {"a": 0.5, "d": 0.5}, "dr", model={"a": 0.1, "b": 0.3, "c": 0.5, "d": 0.7})
    assert found.unsupported == 0.5
    assert any("the model's alone" in said for said in found.warnings)


def test_dm_without_propensities() -> None:
    found = evaluate(LOG.drop(columns="propensity"), TARGET, "dm", propensity=None)
    assert found.value == pytest.approx(evaluate(LOG, TARGET, "dm").value, rel=1e-12)
    assert found.diagnostics is None


@pytest.mark.parametrize("method", ["snips", "dm", "dr"])
def test_as_strict_json_and_in_print(method: str) -> None:
    found = evaluate(LOG, TARGET, method, bounds=(0, 1))
    back = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert back["value"] == found.value
    assert str(found).startswith("The target's mean reward is")
    assert found.interval(0.99).low < found.interval().low
    constant = evaluate(LOG.assign(reward=0.1), TARGET, method)
    json.dumps(constant.to_dict(), allow_nan=False)
    if method in ("snips", "dm", "dr"):
        assert constant.value == pytest.approx(0.1, rel=1e-14)
        assert constant.stderr == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("column", [{"reward": 1e200}, {"propensity": 1e-300}])
def test_squares_that_do_not_add_up(column: dict[str, float]) -> None:
    with pytest.raises(DataError, match="so large"):
        evaluate(LOG.assign(**column), TARGET)


@pytest.mark.parametrize("method", ["dm", "dr", "switch-dr"])
def test_an_array_goes_with_columns_of_the_log(method: str) -> None:
    rng = np.random.default_rng(8)
    shares, predicted = rng.dirichlet([1, 1], 40), rng.random((40, 2))
    log = {"arm": np.arange(40) % 2, "reward": rng.random(40), "propensity": np.full(40, 0.5)}
    log |= {f"t{i}": shares[:, i] for i in range(2)} | {f"m{i}": predicted[:, i] for i in range(2)}
    target, model = {0: "t0", 1: "t1"}, {0: "m0", 1: "m1"}
    found = {
        evaluate(log, *given, model=known).value
        for given, known in (((target, method), model), ((target, method), predicted), ((shares, method), model))
    }
    assert max(found) - min(found) < 1e-15


@pytest.mark.parametrize(("offset", "of_model"), [(1e6, 0.0), (0.0, 1e6), (1e6, -1e6)])
def test_the_error_of_a_given_model_does_not_know_where_rewards_lie(offset: float, of_model: float) -> None:
    rng = np.random.default_rng(9)
    shares, model = rng.dirichlet([1, 1], 50), {"a": 1.0 + of_model, "b": 3.0 + of_model}
    log = {"arm": ["a", "b"] * 25, "reward": rng.random(50) + offset, "ta": shares[:, 0], "tb": shares[:, 1]}
    found = evaluate(log, {"a": "ta", "b": "tb"}, "dm", propensity=None, model=model)
    direct = shares @ np.array([1.0, 3.0])
    assert found.stderr == pytest.approx(direct.std(ddof=1) / math.sqrt(50), rel=1e-9)
    assert found.difference == pytest.approx(found.value - np.mean(log["reward"]), abs=1e-8)
