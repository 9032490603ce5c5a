"""Broken plans: each is answered by one sentence that names the field and what to do, and exit code 64."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit.cli import main

MEAN = {"kind": "mean", "value": "revenue"}
PLAN: dict[str, Any] = {"unit": "user", "variant": "variant", "control": "control", "metrics": {"revenue": MEAN}}
DROP = object()


def metric(**fields: Any) -> dict[str, Any]:
    """The plan with its one metric changed."""
    changed = {key: value for key, value in {**MEAN, **fields}.items() if value is not DROP}
    return {"metrics": {"revenue": changed}}


def quantile(**fields: Any) -> dict[str, Any]:
    return metric(**{"kind": "quantile", "q": 0.99, **fields})


def paired(**fields: Any) -> dict[str, Any]:
    return metric(kind="paired", **fields)


def trend(**fields: Any) -> dict[str, Any]:
    return metric(**{"kind": "trend", "day": "age", "days": 7, **fields})


def guardrail(margin: Any) -> dict[str, Any]:
    return metric(role="guardrail", margin=margin)


def alpha(value: Any) -> dict[str, Any]:
    return {"monitor": {"kind": "fixed-horizon", "alpha": value}}


def split(**weights: Any) -> dict[str, Any]:
    return {"allocation": weights}


# what is wrong, what is changed in a good plan, and what the sentence must say
FIELDS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("unknown field", {"segmets": ["day"]}, ["`segmets`", "Did you mean 'segments'?"]),
    ("unknown field far from any", {"zzz": 1}, ["`zzz` is not a field", "unit, variant, control"]),
    ("unknown field of a metric", metric(vlaue="x"), ["`metrics.revenue.vlaue`", "Did you mean 'value'?"]),
    (
        "unknown field of the monitor",
        {"monitor": {"kind": "fixed-horizon", "alfa": 0.1}},
        ["`monitor.alfa`", "'alpha'"],
    ),
    ("unknown field of quality", {"quality": {"contaminatd": 0.1}}, ["`quality.contaminatd`", "'contaminated'"]),
    ("unknown field of a cap", metric(cap={"quantil": 0.9}), ["`metrics.revenue`", "`cap.quantil`", "'quantile'"]),
    (
        "unknown field of a denominator's cap",
        metric(denominator_cap={"value": 1}),
        ["`metrics.revenue.denominator_cap`"],
    ),
    ("no unit", {"unit": DROP}, ["`unit` must be given"]),
    ("no variant", {"variant": DROP}, ["`variant` must be given"]),
    ("no control", {"control": DROP}, ["`control` must be given"]),
    ("no metrics", {"metrics": DROP}, ["`metrics` must have at least one metric"]),
    ("no value", metric(value=DROP), ["`metrics.revenue.value` must be given"]),
    ("no kind of metric", metric(kind=DROP), ["`metrics.revenue.kind` must be given", "mean, proportion, ratio"]),
    ("no kind of monitor", {"monitor": {"alpha": 0.05}}, ["`monitor.kind` must be given", "fixed-horizon"]),
    ("unknown kind", metric(kind="maen"), ["`metrics.revenue.kind`", "'maen'", "Did you mean 'mean'?"]),
    ("kind as number", metric(kind=1), ["`metrics.revenue.kind`", "got 1"]),
    ("kind as list", metric(kind=["mean"]), ["`metrics.revenue.kind`", "['mean'] (list)"]),
    ("kind as mapping", metric(kind={"a": "b"}), ["`metrics.revenue.kind`", "(dict)"]),
    (
        "no denominator",
        metric(kind="ratio", value=DROP, numerator="clicks"),
        ["`metrics.revenue.denominator` must be given"],
    ),
    (
        "denominator like numerator",
        metric(kind="ratio", value=DROP, numerator="a", denominator="a"),
        ["`denominator` must differ from the numerator"],
    ),
    ("proportion of rows", metric(kind="proportion", value="ROWS"), ["`value` must be a column of 0 and 1"]),
    ("cap of a proportion", metric(kind="proportion", cap={"value": 1}), ["`metrics.revenue.cap` is not a field"]),
    ("no quantile", quantile(q=DROP), ["`metrics.revenue.q` must be given"]),
    ("quantile of nothing", quantile(value=DROP), ["`metrics.revenue.value` must be given"]),
    ("quantile 0", quantile(q=0), ["`metrics.revenue`", "`q` must be between 0 and 1; got 0"]),
    ("quantile 1", quantile(q=1), ["`q` must be between 0 and 1; got 1"]),
    ("quantile in per cent", quantile(q=99), ["`q` must be between 0 and 1; got 99"]),
    ("quantile nan", quantile(q=math.nan), ["`q` must be between 0 and 1; got nan"]),
    ("quantile as text", quantile(q="p99"), ["`q` must be a number; got 'p99'"]),
    ("quantile null", quantile(q=None), ["`q` must be a number; got None"]),
    ("several quantiles", quantile(q=[0.5, 0.99]), ["`q` must be a number; got [0.5, 0.99] (list)"]),
    ("quantile per event", quantile(per="event"), ["`per` must be one of 'unit', 'row'; got 'event'"]),
    ("quantile per null", quantile(per=None), ["`per` must be one of 'unit', 'row'; got None"]),
    ("quantile of rows", quantile(value="ROWS"), ["`value` must be a column where `per` is 'row'", "ROWS"]),
    ("buckets of no width", quantile(accuracy=0), ["`accuracy` must be between 0 and 0.5; got 0"]),
    ("buckets too wide", quantile(accuracy=0.5), ["`accuracy` must be between 0 and 0.5; got 0.5"]),
    ("buckets too narrow", quantile(accuracy=1e-6), ["`accuracy` must be at least 1e-05; got 1e-06"]),
    ("covariates of a quantile", quantile(covariates="before"), ["`covariates` must not be given for a quantile"]),
    ("cap of a quantile", quantile(cap={"value": 1}), ["`metrics.revenue.cap` is not a field"]),
    ("no days of a trend", trend(day=DROP), ["`metrics.revenue.day` must be given"]),
    ("days that are the value", trend(day="revenue"), ["`day` must be a column of days since exposure; got 'revenue'"]),
    ("days that are rows", trend(day="ROWS"), ["`day` must be a column of days since exposure; got 'ROWS'"]),
    ("days of an empty name", trend(day=" "), ["`metrics.revenue`", "`day` must not be empty"]),
    ("a trend over one day", trend(days=1), ["`days` must be", "2", "got 1"]),
    ("a trend over half a day", trend(days=2.5), ["`days` must be", "got 2.5"]),
    ("a trend over text", trend(days="7"), ["`days` must be", "got '7'"]),
    ("a trend over null", trend(days=None), ["`days` must be", "got None"]),
    ("cap of a trend", trend(cap={"value": 1}), ["`metrics.revenue.cap` is not a field"]),
    ("covariates of pairs", paired(covariates="before"), ["`covariates` must not be given for a paired metric"]),
    ("cap of pairs", paired(cap={"value": 1}), ["`metrics.revenue.cap` is not a field"]),
    ("pairs of nothing", paired(value=DROP), ["`metrics.revenue.value` must be given"]),
    (
        "pairs over themselves",
        paired(denominator="revenue"),
        ["`denominator` must differ from the value; got 'revenue'"],
    ),
    ("pairs over an empty name", paired(denominator=""), ["`metrics.revenue`", "`denominator` must not be empty"]),
    ("pairs over a number", paired(denominator=2), ["`denominator` must be text; got 2"]),
    ("pairs over a column in capitals", paired(denominater="views"), ["Did you mean 'denominator'?"]),
    ("pairs of an empty name", paired(value=" "), ["`metrics.revenue`", "`value` must not be empty"]),
    (
        "pairs with others",
        {"metrics": {"revenue": MEAN, "latency": {"kind": "paired", "value": "ms"}}},
        ["`metrics` must be all paired or none; got 'latency', which is, and 'revenue', which is not"],
    ),
    (
        "pairs of rows",
        {"unit": "ROWS", **paired()},
        ["`unit` must name a column for paired metrics", "ROWS"],
    ),
    ("unit as number", {"unit": 3}, ["`unit` must be text; got 3"]),
    ("unit empty", {"unit": ""}, ["`unit` must be given"]),
    ("variant blank", {"variant": "  "}, ["`variant` must not be empty"]),
    ("unit like variant", {"variant": "user"}, ["`variant` must be another column than `unit`"]),
    ("unit null", {"unit": None}, ["`unit` must be text; got None"]),
    ("control null", {"control": None}, ["`control` must be the name of a variant; got None"]),
    ("control fraction", {"control": 1.5}, ["`control` must be the name of a variant; got 1.5"]),
    ("control list", {"control": ["a"]}, ["`control` must be the name of a variant", "(list)"]),
    ("control empty", {"control": ""}, ["`control` must be given"]),
    ("exposure as list", {"exposure": ["a"]}, ["`exposure` must be text"]),
    ("exposure empty", {"exposure": ""}, ["`exposure` must not be empty"]),
    ("variant ROWS", {"variant": "ROWS"}, ["`variant` must name a column; ROWS stands for"]),
    ("exposure ROWS", {"exposure": "ROWS"}, ["`exposure` must name a column; ROWS stands for"]),
    ("segments ROWS", {"segments": ["day", "ROWS"]}, ["`segments` must name a column; ROWS stands for"]),
    ("key ROWS", {"key": "ROWS"}, ["`key` must name a column; ROWS stands for"]),
    ("covariate ROWS", metric(covariates="ROWS"), ["`metrics.revenue`", "`covariates`", "ROWS"]),
    ("segments as number", {"segments": 5}, ["`segments` must be a name or a list of names; got 5"]),
    ("segments with null", {"segments": ["day", None]}, ["`segments` must be text; got None"]),
    ("segments repeated", {"segments": ["day", "day"]}, ["`segments` must not repeat a name"]),
    ("key as mapping", {"key": {"a": "b"}}, ["`key` must be a name or a list of names"]),
    ("key nested", {"key": [["a"]]}, ["`key` must be text", "(list)"]),
    ("unknown role", metric(role="sucess"), ["`metrics.revenue`", "`role`", "Did you mean 'success'?"]),
    ("role as number", metric(role=3), ["`role` must be one of", "got 3"]),
    ("unknown direction", metric(direction="up"), ["`direction` must be one of 'increase', 'decrease'", "'up'"]),
    ("unknown missing", {"missing": "skip"}, ["`missing` must be one of 'error', 'drop', 'zero'"]),
    ("unknown missing of a metric", metric(missing="skip"), ["`metrics.revenue`", "`missing` must be one of"]),
    ("unknown adjust", {"adjust": "bonferroni"}, ["`adjust` must be one of 'holm', 'none'"]),
    ("adjust as boolean", {"adjust": False}, ["`adjust` must be one of", "got False"]),
    (
        "guardrail without a margin",
        metric(role="guardrail"),
        ["`metrics.revenue`", "`margin` must be given", "deterioration"],
    ),
    ("negative margin", guardrail(-1), ["`margin` must be at least 0; got -1"]),
    ("negative relative margin", guardrail({"relative": -0.1}), ["`margin` must be at least 0; got -0.1"]),
    ("margin of text", guardrail({"relative": "x"}), ["`metrics.revenue`", "`relative` must be a number; got 'x'"]),
    (
        "both forms of margin",
        guardrail({"relative": 0.1, "absolute": 2}),
        ["`margin` must be a number, or relative: share"],
    ),
    ("empty margin", guardrail({}), ["`margin` must be a number, or relative: share"]),
    ("margin as list", guardrail([1]), ["`margin` must be a number; got [1] (list)"]),
    ("margin as boolean", guardrail(True), ["`margin` must be a number; got True"]),
    ("margin infinite", guardrail(math.inf), ["`margin` must be at least 0; got inf"]),
    ("margin nan", guardrail({"relative": math.nan}), ["`relative` must be finite; got nan"]),
    (
        "margin of a quality metric",
        metric(role="quality", margin=1),
        ["`margin` must not be given for a quality metric"],
    ),
    ("margin of a proportion in per cent", metric(kind="proportion", margin=5), ["`margin`", "below 1; got 5"]),
    (
        "margin of a proportion of 1",
        metric(kind="proportion", margin=1.0),
        ["`metrics.revenue`", "`margin`", "below 1"],
    ),
    ("cap with both", metric(cap={"quantile": 0.9, "value": 3}), ["`cap` must have either a quantile or a value"]),
    ("cap with none", metric(cap={}), ["`cap` must have either a quantile or a value"]),
    ("cap above one", metric(cap={"quantile": 1.5}), ["`cap.quantile` must be between 0 and 1; got 1.5"]),
    ("cap as number", metric(cap=0.9), ["`cap` must be quantile: share, or value: threshold; got 0.9"]),
    ("cap infinite", metric(cap={"value": math.inf}), ["`cap.value` must be finite; got inf"]),
    ("cap of text", metric(cap={"value": "x"}), ["`cap.value` must be a number; got 'x'"]),
    (
        "denominator's cap as number",
        metric(kind="ratio", value=DROP, numerator="a", denominator="b", denominator_cap=3),
        ["`denominator_cap` must be quantile: share, or value: threshold"],
    ),
    ("covariates as number", metric(covariates=5), ["`metrics.revenue`", "`covariates` must be text; got 5"]),
    ("covariates null", metric(covariates=None), ["`covariates` must be text; got None"]),
    ("covariates repeated", metric(covariates=["a", "a"]), ["`covariates` must not repeat a column"]),
    ("covariates nested", metric(covariates=[["a"]]), ["`covariates` must be text", "(list)"]),
    ("covariate sum of a number", metric(covariates={"sum": 3}), ["`sum` must be text; got 3"]),
    ("covariate with two keys", metric(covariates={"sum": "a", "of": "b"}), ["`covariates` must be text", "(dict)"]),
    ("alpha 0", alpha(0), ["`monitor`", "`alpha` must be between 0 and 1; got 0"]),
    ("alpha 1", alpha(1), ["`alpha` must be between 0 and 1; got 1"]),
    ("alpha 2", alpha(2), ["`alpha` must be between 0 and 1; got 2"]),
    ("alpha negative", alpha(-0.05), ["`alpha` must be between 0 and 1; got -0.05"]),
    ("alpha nan", alpha(math.nan), ["`alpha` must be between 0 and 1; got nan"]),
    ("alpha infinite", alpha(math.inf), ["`alpha` must be between 0 and 1; got inf"]),
    ("alpha as text", alpha("0.05"), ["`alpha` must be a number; got '0.05'"]),
    ("alpha null", alpha(None), ["`alpha` must be a number; got None"]),
    ("alpha as list", alpha([0.05]), ["`alpha` must be a number; got [0.05] (list)"]),
    ("alpha as boolean", alpha(True), ["`alpha` must be a number; got True"]),
    ("alpha of 400 digits", alpha(10**400), ["`alpha` must be finite", "digits"]),
    ("alpha below what floats hold", alpha(1e-17), ["`monitor.alpha` must be at least 1e-09; got 1e-17"]),
    ("alpha of the checks", {"quality": {"alpha": 2}}, ["`quality.alpha` must be between 0 and 1; got 2"]),
    ("contaminated above one", {"quality": {"contaminated": 1.5}}, ["`quality.contaminated` must be at most 1"]),
    ("contaminated negative", {"quality": {"contaminated": -1}}, ["`quality.contaminated` must be at least 0"]),
    ("quality as text", {"quality": "strict"}, ["`quality` must be a mapping", "'strict'"]),
    ("unsupported monitor", {"monitor": {"kind": "sequential"}}, ["`monitor.kind` must be one of fixed-horizon"]),
    ("monitor as an unknown word", {"monitor": "fixed"}, ["`monitor.kind` must be one of fixed-horizon"]),
    ("wrong version", {"schema": "abkit.plan/2"}, ["`schema` must be 'abkit.plan/1'; got 'abkit.plan/2'"]),
    ("allocation without control", split(treatment=1, other=1), ["`allocation` must name the control 'control'"]),
    ("allocation with one variant", split(control=1), ["`allocation` must name at least two variants"]),
    ("allocation empty", {"allocation": {}}, ["`allocation` must name the control"]),
    ("allocation as list", {"allocation": ["control", "treatment"]}, ["`allocation` must map variants to weights"]),
    ("weight negative", split(control=1, treatment=-1), ["`allocation.treatment` must be at least 0; got -1"]),
    ("weight of the control zero", split(control=0, treatment=1), ["`allocation.control` must be above 0"]),
    ("weight nan", split(control=1, treatment=math.nan), ["`allocation.treatment` must be at least 0; got nan"]),
    ("weight infinite", split(control=1, treatment=math.inf), ["`allocation.treatment` must be at least 0; got inf"]),
    ("weight as text", split(control=1, treatment="half"), ["`allocation.treatment` must be a number; got 'half'"]),
    ("weight null", split(control=1, treatment=None), ["`allocation.treatment` must be a number; got None"]),
    ("metrics empty", {"metrics": {}}, ["`metrics` must have at least one metric"]),
    ("metrics null", {"metrics": None}, ["`metrics` must be a mapping"]),
    ("metrics as list", {"metrics": [MEAN]}, ["`metrics` must be a mapping"]),
    ("metric as text", {"metrics": {"revenue": "revenue"}}, ["`metrics.revenue` must be a mapping"]),
    ("metric null", {"metrics": {"revenue": None}}, ["`metrics.revenue` must be a mapping"]),
    ("metric without a name", {"metrics": {"": MEAN}}, ["`metrics` must not be empty"]),
    (
        "metric name that no file can hold",
        {"metrics": {"\ud800": MEAN}},
        ["`metrics` must be text that UTF-8 can hold"],
    ),
    ("nested garbage", {"metrics": {"revenue": [[[{"a": [[[[[[]]]]]]}]]]}}, ["`metrics.revenue` must be a mapping"]),
    ("very long value", {"adjust": "x" * 100_000}, ["`adjust` must be one of", "xxx..."]),
    ("very long field", {"x" * 100_000: 1}, ["xxx...`", "is not a field"]),
    ("very long list", {"control": ["x"] * 100_000}, ["`control` must be the name of a variant"]),
]

HEAD = "unit: user\nvariant: variant\ncontrol: control\nmetrics:\n  revenue: {kind: mean, value: revenue}\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)
BOMB_IN_LIST = "".join(f"- {line.split(': ', 1)[1]}\n" for line in BOMB.splitlines())

# file name, content, and what the sentence must say
FILES: list[tuple[str, str | bytes, list[str]]] = [
    ("empty.yaml", "", ["empty.yaml' is empty", "abkit schema plan"]),
    ("comment.yaml", "# nothing\n", ["is empty"]),
    ("null.yaml", "null\n", ["is empty"]),
    ("empty.json", "", ["is empty"]),
    ("null.json", "null", ["is empty"]),
    ("list.yaml", "- unit\n- variant\n", ["the plan must be a mapping", "(list)"]),
    ("text.yaml", "hello\n", ["the plan must be a mapping", "'hello'"]),
    ("number.json", "5", ["the plan must be a mapping", "got 5"]),
    ("twice.yaml", HEAD + "unit: session\n", ["`unit` is given twice"]),
    ("twice_inside.yaml", "metrics:\n  a: {kind: mean, value: a, value: b}\n", ["`value` is given twice"]),
    ("twice.json", '{"unit": "a", "unit": "b"}', ["`unit` is given twice"]),
    (
        "number_names.yaml",
        "metrics:\n  1: {kind: mean, value: a}\n  '1': {kind: mean, value: b}\n" + HEAD[:41],
        ["'1' twice"],
    ),
    ("number_labels.yaml", HEAD + "allocation: {control: 1, 1: 1, '1': 2}\n", ["`allocation`", "'1' twice"]),
    ("null_label.yaml", HEAD + "allocation: {control: 1, ~: 1}\n", ["`allocation` must have variants as keys", "None"]),
    ("list_key.yaml", HEAD + "? [a, b]\n: 1\n", ["keys must be names", "['a', 'b']"]),
    ("flow.yaml", "unit: [\n", ["is not YAML: line 2, column 1"]),
    ("tab.yaml", "unit:\n\t- user\n", ["is not YAML: line 2, column 1", "'\\t'"]),
    ("two.yaml", HEAD + "---\n" + HEAD, ["is not YAML", "another document"]),
    ("nul.yaml", HEAD + "key: a\x00b\n", ["is not YAML", "#x0000"]),
    (
        "tag.yaml",
        HEAD + "key: !!python/object/apply:os.system ['true']\n",
        ["is not YAML: line 6, column 6", "os.system"],
    ),
    ("own_tag.yaml", HEAD + "key: !mine user\n", ["is not YAML: line 6", "'!mine'"]),
    ("timestamp_tag.yaml", HEAD + "key: !!timestamp today\n", ["is not YAML: line 6", "timestamp"]),
    ("binary_tag.yaml", HEAD + "key: !!binary '*'\n", ["is not YAML: line 6", "binary"]),
    ("bad_number_tag.yaml", HEAD + "key: !!int one\n", ["is not YAML", "'one'"]),
    ("bad_boolean_tag.yaml", HEAD + "key: !!bool maybe\n", ["is not YAML", "maybe"]),
    ("bomb.yaml", BOMB, ["`a` is not a field"]),
    ("bomb_as_value.yaml", HEAD + BOMB + "adjust: *j\n", ["is not a field"]),
    ("bomb_in_field.yaml", HEAD + f"adjust:\n{BOMB_IN_LIST}", ["`adjust` must be one of", "..."]),
    ("bomb_as_kind.yaml", HEAD.replace("kind: mean", "kind: {one: [*x]}"), ["is not YAML", "undefined alias"]),
    ("alias_of_itself.yaml", HEAD + "key: &a [*a]\n", ["`key` must be text", "..."]),
    ("unknown_alias.yaml", HEAD + "key: *nowhere\n", ["is not YAML: line 6", "nowhere"]),
    ("deep.yaml", HEAD + "key: " + "[" * 1_000 + "]" * 1_000 + "\n", ["is nested too deeply"]),
    ("deep.json", "[" * 100_000, ["is nested too deeply"]),
    ("digits.json", '{"unit": 1' + "0" * 5_000 + "}", ["is not JSON", "4300 digits"]),
    ("digits.yaml", "unit: 1" + "0" * 5_000 + "\n", ["is not YAML", "4300 digits"]),
    ("comma.json", '{"unit": "user",}', ["is not JSON", "line 1 column"]),
    ("single_quotes.json", "{'unit': 'user'}", ["is not JSON", "double quotes"]),
    ("yaml.json", HEAD, ["is not JSON"]),
    ("latin.yaml", "unit: größe\n".encode("latin-1"), ["cannot be read", "save it as UTF-8"]),
    ("wide.json", '{"unit": "user"}'.encode("utf-16"), ["cannot be read", "save it as UTF-8"]),
    ("bytes.yaml", bytes(range(256)), ["cannot be read", "save it as UTF-8"]),
    ("plan.toml", HEAD, ["plan.toml' must be a .yaml, .yml or .json file"]),
    ("plan", HEAD, ["must be a .yaml, .yml or .json file"]),
]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that promotes under the good plan, so that only the plan can be at fault."""
    path = tmp_path_factory.mktemp("log") / "log.parquet"
    treated = np.arange(100) % 2
    revenue = 10.0 + treated + np.arange(100) % 5
    variant = np.where(treated, "treatment", "control")
    pd.DataFrame({"user": np.arange(100), "variant": variant, "revenue": revenue}).to_parquet(path)
    return path


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**PLAN, **changes}.items() if value is not DROP}


def sentence(captured: tuple[str, str]) -> str:
    """The one line of a refusal."""
    out, err = captured
    assert out == ""
    assert err.startswith("abkit: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert len(err) < 500
    return err


def refused(plan: Path, log: Path, capsys: pytest.CaptureFixture[str], says: list[str]) -> None:
    assert main(["decide", str(plan), str(log)]) == 64
    found = sentence(capsys.readouterr())
    assert all(part in found for part in says), found


def test_the_good_plan_promotes(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(PLAN))
    assert main(["decide", str(path), str(log)]) == 0
    assert capsys.readouterr().out.startswith("PROMOTE treatment\n")


def test_the_table_of_broken_plans_is_long() -> None:
    assert len(FIELDS) + len(FILES) >= 140
    assert len({row[0] for row in FIELDS}) == len(FIELDS)


@pytest.mark.parametrize(("changes", "says"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS])
def test_a_broken_field_is_named_in_one_sentence(
    changes: dict[str, Any], says: list[str], log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(changed(changes)))
    refused(path, log, capsys, says)


@pytest.mark.parametrize(("changes", "says"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS])
def test_the_same_dict_raises_a_plan_error(changes: dict[str, Any], says: list[str]) -> None:
    with pytest.raises(ab.PlanError) as caught:
        ab.Experiment.from_dict(changed(changes))
    assert all(part in str(caught.value) for part in says)


@pytest.mark.parametrize(("name", "content", "says"), FILES, ids=[row[0] for row in FILES])
def test_a_broken_file_is_named_in_one_sentence(
    name: str, content: str | bytes, says: list[str], log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(path, log, capsys, says)


def test_a_plan_that_is_not_there_is_named(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(tmp_path / "nowhere.yaml", log, capsys, ["nowhere.yaml' does not exist; check the path"])


def test_a_folder_is_not_a_plan(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "folder.yaml").mkdir()
    refused(tmp_path / "folder.yaml", log, capsys, ["folder.yaml' cannot be read"])


def test_a_log_is_not_a_plan(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(log, log, capsys, ["must be a .yaml, .yml or .json file"])


@pytest.mark.parametrize("name", ["twice.yaml", "comma.json", "latin.yaml", "deep.json", "plan.toml"])
def test_the_program_itself_says_one_sentence_and_exits_64(name: str, log: Path, tmp_path: Path) -> None:
    content = next(row[1] for row in FILES if row[0] == name)
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = subprocess.run(
        [sys.executable, "-m", "abkit", "decide", str(path), str(log)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 64
    sentence((done.stdout, done.stderr))


@pytest.mark.parametrize("word", ["no", "off", "yes", "010", "1_000", "0x1f", "12:30", "2024-01-01", "=", "<<"])
def test_a_variant_may_have_a_name_that_older_yaml_reads_as_something_else(word: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(HEAD.replace("control: control", f"control: {word}") + f"allocation: {{{word}: 1, other: 1}}\n")
    experiment = ab.Experiment.from_file(path)
    assert experiment.control == word
    assert dict(experiment.allocation or {}) == {word: 1.0, "other": 1.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 1e-3), ("0.05", 0.05), (".05", 0.05), ("5.0e-2", 0.05), ("+0.05", 0.05), ("5E-2", 0.05)],
)
def test_a_number_may_be_written_as_json_or_yaml_writes_it(text: str, value: float, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(HEAD + f"monitor: {{kind: fixed-horizon, alpha: {text}}}\n")
    assert ab.Experiment.from_file(path).monitor.alpha == value


@pytest.mark.parametrize(
    ("text", "name"), [("1", "1"), ("false", "false"), ("True", "true"), ("'0'", "0"), ("-1", "-1")]
)
def test_a_control_may_be_a_whole_number_or_a_boolean(text: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(HEAD.replace("control: control", f"control: {text}"))
    assert ab.Experiment.from_file(path).control == name


def test_a_byte_order_mark_is_no_part_of_a_plan(tmp_path: Path) -> None:
    for name, text in (("plan.yaml", HEAD), ("plan.json", json.dumps(PLAN))):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        assert ab.Experiment.from_file(tmp_path / name) == ab.Experiment.from_dict(PLAN)
