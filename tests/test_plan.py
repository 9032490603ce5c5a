"""The plan: the same in Python, in a dict and in a file, and digested by what it means."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import abkit as ab
from abkit.experiment import as_experiment

EXAMPLES = [
    path
    for path in sorted((Path(__file__).parent.parent / "examples").glob("*.yaml"))
    if "abkit.bandit/1" not in path.read_text()
]

FULL = ab.Experiment(
    unit="user",
    variant="variant",
    control="control",
    metrics={
        "revenue": ab.Mean(
            "revenue", margin=ab.relative(0.01), covariates=["before", ab.Sum("visits")], missing="zero"
        ),
        "capped": ab.Mean("revenue", cap=ab.Cap(quantile=0.999), role="deterioration"),
        "bought": ab.Proportion("bought", role="guardrail", margin=0.02),
        "clicks": ab.Ratio("clicks", ab.ROWS, cap=ab.Cap(value=9), denominator_cap=ab.Cap(value=3.5)),
        "before": ab.Mean("before", role="quality", direction="decrease"),
    },
    monitor=ab.FixedHorizon(alpha=0.01),
    allocation={"control": 2, "treatment": 1},
    segments=["country", "device"],
    exposure="seen",
    key=("user", "session"),
    missing="drop",
    adjust="none",
    quality=ab.Quality(alpha=0.0001, contaminated=0.02),
)
SMALL = ab.Experiment(unit="user", variant="variant", control="control", metrics={"m": ab.Mean("revenue")})

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6).filter(str.strip)
SHARES = st.floats(1e-6, 1, exclude_max=True)
SIZES = st.floats(0, 1e12) | st.integers(0, 10**9)
MARGINS = SIZES | SIZES.map(ab.relative)
CAPS = st.none() | SHARES.map(lambda q: ab.Cap(quantile=q)) | SIZES.map(lambda v: ab.Cap(value=v))
COVARIATES = st.lists(NAMES | NAMES.map(ab.Sum), max_size=3, unique=True)
SHARED = {
    "direction": st.sampled_from(["increase", "decrease"]),
    "covariates": COVARIATES,
    "missing": st.sampled_from([None, "error", "drop", "zero"]),
}
PAIRS = st.tuples(NAMES, NAMES).filter(lambda pair: pair[0] != pair[1])


def above_zero(size: Any) -> bool:
    return getattr(size, "value", size) > 0


def roles(margins: st.SearchStrategy[Any]) -> list[dict[str, st.SearchStrategy[Any]]]:
    """The roles of a metric with the margins that each may have."""
    return [
        {"role": st.just("success"), "margin": st.none() | margins},
        {"role": st.sampled_from(["success", "deterioration"]), "mde": margins.filter(above_zero)},
        {"role": st.sampled_from(["guardrail", "deterioration"]), "margin": margins},
        {"role": st.just("quality")},
    ]


def ratio(pair: tuple[str, str], **more: Any) -> ab.Ratio:
    return ab.Ratio(*pair, **more)


CAPPED = {"cap": CAPS, "denominator_cap": CAPS}
METRICS = st.one_of(
    *(st.builds(ab.Mean, NAMES, cap=CAPS, **SHARED, **role) for role in roles(MARGINS)),
    *(st.builds(ratio, PAIRS, **CAPPED, **SHARED, **role) for role in roles(MARGINS)),
    *(st.builds(ab.Count, NAMES, cap=CAPS, **SHARED, **role) for role in roles(MARGINS)),
    *(
        st.builds(
            lambda pair, **more: ab.Rate(*pair, **more),
            PAIRS.filter(lambda pair: pair[0] != ab.ROWS),
            cap=CAPS,
            **SHARED,
            **role,
        )
        for role in roles(MARGINS)
    ),
    *(
        st.builds(ab.Proportion, NAMES.filter(lambda name: name != ab.ROWS), **SHARED, **role)
        for role in roles(SHARES | SIZES.map(ab.relative))
    ),
)


@st.composite
def plans(draw: st.DrawFn) -> ab.Experiment:
    """Any plan."""
    unit, variant = draw(PAIRS.filter(lambda pair: pair[1] != ab.ROWS))
    columns = NAMES.filter(lambda name: name != ab.ROWS)
    labels = draw(st.lists(NAMES, min_size=2, max_size=4, unique=True))
    weights = st.fixed_dictionaries({label: st.floats(0.01, 100) for label in labels})
    names = st.lists(columns, max_size=3, unique=True)
    return ab.Experiment(
        unit=unit,
        variant=variant,
        control=labels[0],
        metrics=draw(st.dictionaries(NAMES, METRICS, min_size=1, max_size=4)),
        monitor=ab.FixedHorizon(draw(SHARES)),
        allocation=draw(st.none() | weights),
        segments=draw(names),
        exposure=draw(st.none() | columns),
        key=draw(names),
        missing=draw(st.sampled_from(["error", "drop", "zero"])),
        adjust=draw(st.sampled_from(["holm", "none"])),
        quality=ab.Quality(draw(SHARES), draw(st.floats(0, 1))),
    )


@given(plans())
@settings(max_examples=40)
def test_a_plan_survives_a_dict_json_and_yaml(plan: ab.Experiment) -> None:
    data = plan.to_dict()
    assert ab.Experiment.from_dict(data) == plan
    through_json = ab.Experiment.from_dict(json.loads(json.dumps(data, allow_nan=False)))
    assert (through_json, through_json.sha256) == (plan, plan.sha256)
    assert ab.Experiment.from_dict(yaml.safe_load(yaml.safe_dump(data))) == plan


@pytest.mark.parametrize("plan", [FULL, SMALL], ids=["full", "small"])
@pytest.mark.parametrize("suffix", [".json", ".yaml", ".yml", ".YAML"])
def test_a_plan_survives_a_file(plan: ab.Experiment, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"plan{suffix}"
    dump = json.dumps if suffix == ".json" else yaml.safe_dump
    path.write_text(dump(plan.to_dict()), encoding="utf-8")
    for found in (ab.Experiment.from_file(path), ab.Experiment.from_file(str(path)), as_experiment(path)):
        assert (found, found.sha256) == (plan, plan.sha256)


def test_every_field_is_in_the_dict_after_the_name_of_the_schema() -> None:
    assert list(FULL.to_dict()) == ["schema", *(field.name for field in fields(FULL))]
    assert list(FULL.to_dict()["metrics"]["capped"]) == [
        "kind", "role", "direction", "margin", "mde", "covariates", "missing", "value", "cap",
    ]  # fmt: skip


def test_the_dict_is_strict_json() -> None:
    assert json.loads(json.dumps(FULL.to_dict(), allow_nan=False)) == FULL.to_dict()


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_the_examples_are_plans(path: Path) -> None:
    plan = ab.Experiment.from_file(path)
    assert ab.Experiment.from_dict(plan.to_dict()) == plan


def test_the_digest_ignores_the_order_of_fields_metrics_and_variants() -> None:
    data = FULL.to_dict()
    turned = dict(reversed(data.items()))
    turned["metrics"] = dict(reversed(data["metrics"].items()))
    turned["allocation"] = dict(reversed(data["allocation"].items()))
    assert list(turned["metrics"]) != list(data["metrics"])
    assert ab.Experiment.from_dict(turned).sha256 == FULL.sha256


# two ways to write one plan
SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"control": "0"}, {"control": 0}),
    ({"control": "false"}, {"control": False}),
    ({"segments": "day"}, {"segments": ["day"]}),
    ({"key": ("user",)}, {"key": "user"}),
    ({"monitor": ab.FixedHorizon()}, {"monitor": ab.FixedHorizon(np.float64(0.05))}),
    ({"metrics": {"m": ab.Mean("a", margin=1)}}, {"metrics": {"m": ab.Mean("a", margin=1.0)}}),
    ({"metrics": {"m": ab.Mean("a", covariates="b")}}, {"metrics": {"m": ab.Mean("a", covariates=["b"])}}),
    ({"metrics": {"m": ab.Mean("a", cap=ab.Cap(value=1))}}, {"metrics": {"m": ab.Mean("a", cap=ab.Cap(value=1.0))}}),
    (
        {"control": "0", "allocation": {"0": 1, "1": 1}},
        {"control": 0, "allocation": {0: 1.0, 1: 1.0}},
    ),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_digest_is_that_of_what_a_plan_means(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert replace(SMALL, **one) == replace(SMALL, **other)
    assert replace(SMALL, **one).sha256 == replace(SMALL, **other).sha256


ADAPTIVE: dict[str, Any] = {
    "assignment": "adaptive",
    "metrics": {"m": ab.Mean("revenue")},
    "allocation": None,
    "segments": (),
}
CHANGES: list[dict[str, Any]] = [
    {"unit": "session"},
    {"variant": "arm"},
    {"control": "other", "allocation": None},
    {"metrics": {"m": ab.Mean("revenue")}},
    {"metrics": {"m": ab.Mean("revenue", role="deterioration")}},
    {"metrics": {"m": ab.Mean("revenue", margin=1)}},
    {"metrics": {"m": ab.Mean("revenue", margin=ab.relative(1))}},
    {"metrics": {"m": ab.Ratio("revenue", "views")}},
    {"monitor": ab.FixedHorizon(0.02)},
    {"allocation": {"control": 1, "treatment": 1}},
    {"segments": ["device", "country"]},
    {"exposure": None},
    {"key": "user"},
    {"missing": "error"},
    {"adjust": "holm"},
    {"quality": ab.Quality()},
    {**ADAPTIVE, "propensity": "p", "order": "time"},
    {**ADAPTIVE, "propensity": "p", "order": "day"},
    {**ADAPTIVE, "propensity": {"control": "p", "treatment": "q"}, "order": "time"},
    {"strategy": ab.Shadow(), "metrics": {"m": ab.Paired("revenue")}},
    {"strategy": ab.Canary(stages=[1, 10])},
    {"strategy": ab.Canary(stages=[1, ab.Stage(10, min_time="1h")])},
    {"time": "at"},
    {"timing": ab.Timing(deadline="7d")},
    {"rule": ab.Rule(alpha_rollback=0.05)},
    {"log": ab.Source(path="log.parquet")},
]


def test_every_field_moves_the_digest() -> None:
    changed = [replace(FULL, **change) for change in CHANGES]
    digests = {FULL.sha256, *(plan.sha256 for plan in changed)}
    assert len(digests) == len(CHANGES) + 1
    assert {name for change in CHANGES for name in change} == {field.name for field in fields(FULL)}


def test_a_plan_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        SMALL.unit = "x"  # type: ignore[misc]
    for mapping in (FULL.metrics, FULL.allocation):
        with pytest.raises(TypeError):
            mapping["m"] = None  # type: ignore[index]


def test_a_plan_does_not_follow_the_dicts_it_was_made_from() -> None:
    metrics, allocation = {"m": ab.Mean("a")}, {"control": 1.0, "treatment": 1.0}
    plan = replace(SMALL, metrics=metrics, allocation=allocation)
    before = plan.sha256
    metrics["n"], allocation["other"] = ab.Mean("b"), 1.0
    assert plan.sha256 == before


# what the constructor refuses: the change, the type of the error, and what it says
REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"unit": 1}, TypeError, "`unit` must be text"),
    ({"variant": "user"}, ValueError, "`variant` must be another column than `unit`"),
    ({"control": 0.5}, TypeError, "`control` must be the name of a variant"),
    ({"metrics": [ab.Mean("a")]}, TypeError, "`metrics` must map names to metrics"),
    ({"metrics": {}}, ValueError, "`metrics` must have at least one metric"),
    ({"metrics": {1: ab.Mean("a")}}, TypeError, "`metrics` must be text; got 1"),
    ({"metrics": {"m": "revenue"}}, TypeError, "`metrics.m` must be a metric such as"),
    ({"metrics": {"m": ab.Mean}}, TypeError, "`metrics.m` must be a metric such as"),
    ({"monitor": 0.05}, TypeError, "`monitor` must be a monitor such as"),
    ({"quality": {"alpha": 0.1}}, TypeError, "`quality` must be Quality"),
    ({"allocation": ["a"]}, TypeError, "`allocation` must map variants to weights"),
    ({"allocation": {"control": 1, None: 1}}, TypeError, "`allocation` must have variants as keys"),
    ({"allocation": {"control": 1, 0: 1, "0": 1}}, ValueError, "`allocation` must name each variant once; got '0'"),
    ({"missing": None}, ValueError, "`missing` must be one of"),
    ({"adjust": "bh"}, ValueError, "`adjust` must be one of"),
]


@pytest.mark.parametrize(("change", "kind", "says"), REFUSED)
def test_the_constructor_names_what_is_wrong(change: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind) as caught:
        replace(SMALL, **change)
    assert says in str(caught.value)


@pytest.mark.parametrize("plan", [None, 5, [SMALL], ab.Mean("a"), b"plan.yaml"])
def test_what_is_no_plan_is_a_plan_error(plan: object) -> None:
    with pytest.raises(ab.PlanError, match="`plan` must be an Experiment, a dict, or the path of a plan file"):
        as_experiment(plan)


def test_a_plan_is_taken_as_it_is_as_a_dict_and_as_a_path(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(SMALL.to_dict()))
    assert as_experiment(SMALL) is SMALL
    for plan in (SMALL.to_dict(), tmp_path / "plan.json", str(tmp_path / "plan.json")):
        assert as_experiment(plan) == SMALL


def test_reading_a_plan_leaves_its_dict_alone() -> None:
    data = FULL.to_dict()
    before = json.dumps(data)
    ab.Experiment.from_dict(data)
    assert json.dumps(data) == before


@pytest.mark.parametrize("text", ["{}", "[]", '"x"', "0", "{unit: a}", '{"unit": {"unit": {}}}', "null"])
def test_any_json_is_a_plan_or_a_plan_error(text: str) -> None:
    with pytest.raises(ab.PlanError):
        ab.Experiment.from_dict(yaml.safe_load(text))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from([field.name for field in fields(ab.Experiment)])


def read_or_refused(data: dict[str, Any]) -> str:
    """What a plan error says, or nothing for a plan that survives its dict."""
    try:
        plan = ab.Experiment.from_dict(data)
    except ab.PlanError as error:
        return str(error)
    assert ab.Experiment.from_dict(plan.to_dict()) == plan
    return ""


@given(FIELDS, JSON)
@settings(max_examples=80)
def test_garbage_in_a_field_is_a_plan_or_one_sentence(name: str, value: Any) -> None:
    said = read_or_refused({**SMALL.to_dict(), name: value})
    assert said == "" or name in said
    assert len(said) < 500


@given(st.sampled_from(["kind", "role", "direction", "margin", "mde", "covariates", "missing", "value", "cap"]), JSON)
@settings(max_examples=80)
def test_garbage_in_a_metric_is_a_plan_or_one_sentence(name: str, value: Any) -> None:
    said = read_or_refused({**SMALL.to_dict(), "metrics": {"m": {"kind": "mean", "value": "revenue", name: value}}})
    assert said == "" or "metrics.m" in said
    assert len(said) < 500


def test_a_plan_can_be_copied_and_pickled() -> None:
    plan = ab.Experiment(unit="u", variant="v", control="a", metrics={"m": ab.Mean("x")}, allocation={"a": 1, "b": 2})
    assert copy.deepcopy(plan) == pickle.loads(pickle.dumps(plan)) == plan
