"""Broken logs: each is answered by one sentence that names the column, or by a report that promotes nothing."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import abkit as ab
from abkit.cli import main

N = 120
ROW = np.arange(N)
TREATED = ROW % 2
REVENUE = 10.0 + TREATED + ROW % 5
NAMES = ["control", "treatment"] * (N // 2)
DAY = dt.date(2024, 1, 1)
MEAN: dict[str, Any] = {"kind": "mean", "value": "revenue"}
PLAN: dict[str, Any] = {"unit": "user", "variant": "variant", "control": "control", "metrics": {"m": MEAN}}
BOUGHT = {"metrics": {"m": {"kind": "proportion", "value": "bought"}}}
BOTH = {"allocation": {"control": 1, "treatment": 1}}


def columns(**changes: Any) -> dict[str, Any]:
    """A log that promotes, with columns changed, added, or left out where they are None."""
    good = {
        "user": ROW,
        "variant": NAMES,
        "revenue": REVENUE,
        "before": ROW % 7 * 1.0,
        "bought": (ROW % 3 == 0).astype("int64"),
        "views": 1 + ROW % 4,
        "seen": [True] * N,
        "day": ["mon", "tue", "wed"] * (N // 3),
        "row": ROW,
    }
    return {name: values for name, values in {**good, **changes}.items() if values is not None}


def first(value: Any, values: Any = REVENUE) -> list[Any]:
    """The values with another one in the first row."""
    return [value, *list(values)[1:]]


def gaps(values: Any, step: int, where: Any = slice(None)) -> list[Any]:
    """The values with a null in every row of `where` whose number `step` divides."""
    lost = set(ROW[where][::step].tolist())
    return [None if i in lost else value for i, value in enumerate(list(values))]


def metric(**fields: Any) -> dict[str, Any]:
    return {"metrics": {"m": {**MEAN, **fields}}}


def ratio(**fields: Any) -> dict[str, Any]:
    return {"metrics": {"m": {"kind": "ratio", "numerator": "revenue", "denominator": "views", **fields}}}


def quantile(**fields: Any) -> dict[str, Any]:
    return metric(**{"kind": "quantile", "q": 0.5, **fields})


def paired(**fields: Any) -> dict[str, Any]:
    return metric(kind="paired", **fields)


def trend(**fields: Any) -> dict[str, Any]:
    return metric(**{"kind": "trend", "day": "age", "days": 3, **fields})


def table(engine: str, values: dict[str, Any]) -> Any:
    """The columns as a table of an engine."""
    arrow = pa.table(values)
    if engine == "pandas":
        return arrow.to_pandas()
    if engine == "duckdb":
        return duckdb.connect().from_arrow(arrow)
    return pl.from_arrow(arrow) if engine == "polars" else arrow


def parquet(values: dict[str, Any], folder: Path) -> Path:
    pq.write_table(pa.table(values), folder / "log.parquet")
    return folder / "log.parquet"


def run(plan: dict[str, Any], log: object, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of `abkit decide`."""
    (folder / "plan.json").write_text(json.dumps({**PLAN, **plan}))
    code = main(["decide", str(folder / "plan.json"), str(log)])
    return code, *capsys.readouterr()


def sentence(ran: tuple[int, str, str], says: list[str]) -> None:
    """Exit code 65, nothing on the output, and one sentence with all of `says`."""
    code, out, err = ran
    assert (code, out) == (65, ""), out + err
    assert err.startswith("abkit: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert len(err) < 500
    assert all(part in err for part in says), err


# what is wrong, the columns changed, the plan changed, and what the sentence must say
REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("outcome misspelt", {"revenue": None, "revenu": REVENUE}, {}, ["no column `revenue`", "Did you mean 'revenu'?"]),
    ("unit column missing", {"user": None}, {}, ["no column `user`"]),
    ("variant column missing", {"variant": None}, {}, ["no column `variant`"]),
    ("covariate missing", {"before": None}, metric(covariates="before"), ["no column `before`"]),
    ("denominator missing", {"views": None}, ratio(), ["no column `views`"]),
    ("segment missing", {"day": None}, {"segments": "day"}, ["no column `day`"]),
    ("exposure missing", {"seen": None}, {"exposure": "seen"}, ["no column `seen`"]),
    ("key missing", {"row": None}, {"key": "row"}, ["no column `row`"]),
    ("no rows", {name: values[:0] for name, values in columns().items()}, {}, ["no rows"]),
    ("no control", {"variant": ["a", "b"] * (N // 2)}, {}, ["no control 'control' in `variant`", "'a', 'b'"]),
    ("control misspelt", {"variant": ["contrl", "new"] * (N // 2)}, {}, ["no control 'control'", "'contrl'?"]),
    ("control only", {"variant": ["control"] * N}, {}, ["one variant only, 'control'"]),
    ("control only, planned", {"variant": ["control"] * N}, BOTH, ["only units of the control 'control'"]),
    ("treatment only, planned", {"variant": ["treatment"] * N}, BOTH, ["no units of the control 'control'"]),
    (
        "unknown variants only",
        {"variant": ["x", "y"] * (N // 2)},
        BOTH,
        ["120 units are in variants that the plan does not name"],
    ),
    (
        "numbers for named variants",
        {"variant": TREATED},
        BOTH,
        ["120 units are in variants that the plan does not name"],
    ),
    ("every unit in both variants", {"user": ROW // 2}, {}, ["60 units are in several variants"]),
    (
        "keys that contradict each other",
        {"row": ROW // 4},
        {"key": "row"},
        ["keys have rows that contradict each other", "nothing can be compared"],
    ),
    ("too many variants", {"variant": first("control", [f"v{i}" for i in ROW])}, {}, ["`variant`", "more than 100"]),
    ("a null outcome", {"revenue": first(None)}, {}, ["`revenue`", "1 of 120 rows", "drop", "zero", "error"]),
    ("a nan outcome", {"revenue": first(np.nan)}, {}, ["`revenue`", "null or nan in 1 of 120 rows", "drop", "zero"]),
    ("null in a proportion", {"bought": first(None, TREATED)}, BOUGHT, ["`bought`", "1 of 120 rows", "`missing`"]),
    ("null in a boolean", {"bought": first(None, TREATED == 1)}, BOUGHT, ["`bought`", "1 of 120 rows", "`missing`"]),
    ("null denominators", {"views": [None] * 7 + [1] * 113}, ratio(), ["`views`", "7 of 120 rows", "`missing`"]),
    ("null covariate", {"before": first(None)}, metric(covariates="before"), ["`before`", "1 of 120 rows"]),
    ("outcomes all null", {"revenue": [None] * N}, {}, ["`revenue`"]),
    ("an infinite outcome", {"revenue": first(np.inf)}, {}, ["`revenue` is infinite in 1 of 120 rows"]),
    ("minus infinity, to be dropped", {"revenue": first(-np.inf)}, {"missing": "drop"}, ["`revenue` is infinite in 1"]),
    ("infinite covariate", {"before": [np.inf] * N}, metric(covariates="before"), ["`before` is infinite in 120"]),
    ("outcomes of text", {"revenue": ["x"] * N}, {}, ["`m` needs numbers", "`revenue` holds text"]),
    ("outcomes of numbers as text", {"revenue": [str(x) for x in REVENUE]}, {}, ["`revenue` holds text"]),
    ("covariate of text", {"before": ["x"] * N}, metric(covariates="before"), ["`before` holds text"]),
    ("outcomes of dates", {"revenue": [DAY] * N}, {}, ["`revenue` holds times"]),
    ("outcomes of times", {"revenue": [dt.datetime(2024, 1, 1)] * N}, {}, ["`revenue` holds times"]),
    ("outcomes of lists", {"revenue": [[1.0, 2.0]] * N}, {}, ["`revenue` holds List"]),
    ("outcomes of structs", {"revenue": [{"a": 1}] * N}, {}, ["`revenue` holds Struct"]),
    ("outcomes of bytes", {"revenue": [b"x"] * N}, {}, ["`revenue` holds Binary"]),
    ("a proportion with 2", {"bought": first(2, TREATED)}, BOUGHT, ["`bought` of a proportion must be 0 or 1; 1 of"]),
    ("a proportion with a half", {"bought": first(0.5, TREATED * 1.0)}, BOUGHT, ["`bought`", "must be 0 or 1; 1 of"]),
    ("a negative proportion", {"bought": -TREATED}, BOUGHT, ["`bought`", "60 of 120 rows are not"]),
    ("a proportion of text", {"bought": ["y", "n"] * (N // 2)}, BOUGHT, ["`bought` holds text"]),
    ("units all null", {"user": pa.nulls(N, pa.int64())}, {}, ["`user`"]),
    ("units all nan", {"user": [np.nan] * N}, {}, ["`user`"]),
    ("variants all null", {"variant": pa.nulls(N, pa.string())}, {}, ["`variant`"]),
    ("keys all null", {"row": pa.nulls(N, pa.int64())}, {"key": "row"}, ["`row`"]),
    ("nobody exposed", {"seen": [False] * N}, {"exposure": "seen"}, ["`seen`"]),
    ("exposure of text", {"seen": ["x"] * N}, {"exposure": "seen"}, ["`exposure`", "`seen`"]),
    ("exposure of dates", {"seen": [DAY] * N}, {"exposure": "seen"}, ["`exposure`", "`seen`"]),
    ("exposure neither 0 nor 1", {"seen": [2] * N}, {"exposure": "seen"}, ["`exposure`", "`seen`"]),
    (
        "covariate that varies within a unit",
        {"user": ROW // 4 * 2 + TREATED},
        metric(covariates="before"),
        ["the covariate `before`", "60 units", "Sum('before')"],
    ),
    ("a column named ROWS", {"ROWS": ROW}, {}, ["a column named ROWS", "rename it"]),
    ("a cap at zero", {"revenue": first(5.0, ROW * 0.0)}, metric(cap={"quantile": 0.5}), ["0.5 quantile of `revenue`"]),
    ("sums that overflow", {"revenue": REVENUE * 1e307}, {}, ["`revenue`"]),
    ("a square that overflows", {"revenue": first(1e200)}, {}, ["`revenue`"]),
    ("a quantile of a column that is not there", {"revenue": None}, quantile(), ["no column `revenue`"]),
    ("a quantile of text", {"revenue": ["x"] * N}, quantile(), ["`m` needs numbers", "`revenue` holds text"]),
    (
        "a quantile with an infinite value",
        {"revenue": first(np.inf)},
        quantile(),
        ["`revenue` is infinite in 1 of 120"],
    ),
    ("a quantile with a null", {"revenue": first(None)}, quantile(), ["`revenue`", "1 of 120 rows", "drop", "zero"]),
    ("a quantile of totals with a nan", {"revenue": first(np.nan)}, quantile(per="unit"), ["`revenue`", "1 of 120"]),
    ("a quantile of units in both variants", {"user": ROW // 2}, quantile(), ["60 units are in several variants"]),
    (
        "no unit in two variants",
        {},
        paired(),
        ["no units of the control 'control'", "120 units are not in every variant", "nothing can be compared"],
    ),
    (
        "no unit in two variants, with a denominator",
        {},
        paired(denominator="views"),
        ["no units of the control 'control'", "120 units are not in every variant", "nothing can be compared"],
    ),
    (
        "pairs with an allocation and one variant",
        {"user": ROW // 2, "variant": ["control"] * N},
        {**paired(denominator="ROWS"), **BOTH},
        ["no units of the control 'control'", "60 units are not in every variant"],
    ),
    (
        "a null denominator of pairs",
        {"user": ROW // 2, "views": [None, *[1] * (N - 1)]},
        paired(denominator="views"),
        ["`views` of the metric `m`", "1 of 120 rows"],
    ),
    ("a denominator of pairs of text", {"user": ROW // 2}, paired(denominator="day"), ["`day` holds text"]),
    ("pairs over a column that is not there", {"user": ROW // 2}, paired(denominator="vies"), ["no column `vies`"]),
    ("a trend over days of text", {}, trend(day="day"), ["needs numbers", "`day` holds text"]),
    ("a trend without its days", {}, trend(day="ag"), ["the log has no column `ag`"]),
    ("a trend with a null day", {"age": first(None, ROW % 3)}, trend(), ["`age` of the metric `m`", "1 of 120 rows"]),
    ("a trend with an infinite day", {"age": first(np.inf, ROW % 3)}, trend(), ["`age` is infinite in 1 of 120 rows"]),
    ("a trend of text", {"age": ROW % 3, "revenue": ["x"] * N}, trend(), ["`revenue` holds text"]),
    ("a pair with a null", {"user": ROW // 2, "revenue": first(None)}, paired(), ["`revenue`", "1 of 120 rows"]),
    ("pairs of text", {"user": ROW // 2, "revenue": ["x"] * N}, paired(), ["`revenue` holds text"]),
    ("pairs that overflow", {"user": ROW // 2, "revenue": first(1e200)}, paired(), ["`revenue`", "too large to be"]),
    ("a covariate that overflows", {"before": REVENUE * 1e200}, metric(covariates="before"), ["`before`"]),
]

# what is wrong, the columns changed, the plan changed, and what the decision must say; it never is "promote"
ANSWERED: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    (
        "one unit a variant",
        {name: list(values)[:2] for name, values in columns().items()},
        {},
        ["NO_DATA: `m` of treatment: the control has 1 unit(s), and at least 2 are needed"],
    ),
    ("the same constant", {"revenue": [0.1] * N}, {}, ["NO_DATA", "the variance is zero"]),
    ("a cap below every value", {}, metric(cap={"value": 0}), ["NO_DATA", "the variance is zero"]),
    ("no successes", {"bought": ROW * 0}, BOUGHT, ["SUCCESS_NOT_SHOWN"]),
    ("no denominators", {"views": ROW * 0}, ratio(), ["NO_DATA", "denominator `views` adds up to zero in the control"]),
    ("none in one variant", {"views": 1 - TREATED}, ratio(), ["NO_DATA", "adds up to zero in the treatment"]),
    ("denominators too small to divide by", {"views": REVENUE * 1e-200}, ratio(), ["NO_DATA"]),
    (
        "a ratio too large for a float",
        {"revenue": REVENUE * 1e150, "views": REVENUE * 1e-160},
        ratio(),
        ["NO_DATA: `m` of treatment"],
    ),
    ("denominators that cancel", {"views": np.array([0.1, 0.1, -0.1, -0.1] * (N // 4))}, ratio(), []),
    ("all outcomes dropped", {"revenue": [np.nan] * N}, {"missing": "drop"}, ["NO_DATA", "no units in the control"]),
    (
        "outcomes of one variant dropped",
        {"revenue": gaps(REVENUE, 1, TREATED == 1)},
        {"missing": "drop"},
        ["BLOCKED", "CHECK_FAILED: missing:m", "treatment 100.00%", "60 of 120 rows have no `revenue`"],
    ),
    (
        "a third of one variant's outcomes dropped",
        {"revenue": gaps(REVENUE, 3, TREATED == 1)},
        {"missing": "drop"},
        ["BLOCKED", "CHECK_FAILED: missing:m", "treatment 33.33%", "20 of 120 rows have no `revenue`"],
    ),
    (
        "a tenth of the units in both",
        {"user": np.where(ROW < 24, ROW // 2, ROW)},
        {},
        ["BLOCKED", "CHECK_FAILED: contamination"],
    ),
    (
        "rows that contradict their duplicates",
        {"row": np.where(ROW < 8, ROW % 4 // 2 * 4 + TREATED, ROW)},
        {"key": "row"},
        ["BLOCKED", "CHECK_FAILED: duplicates", "contradict each other"],
    ),
    (
        "a quarter without a unit",
        {"user": gaps(ROW, 4)},
        {},
        ["CHECK_FAILED: identity", "30 of 120 rows without a unit"],
    ),
    ("a quarter without a variant", {"variant": gaps(NAMES, 4)}, {}, ["CHECK_FAILED: identity", "30 of 120 rows"]),
    ("a quarter without a key", {"row": gaps(ROW, 4)}, {"key": "row"}, ["CHECK_FAILED: identity", "30 of 120 rows"]),
    (
        "a planned variant absent",
        {},
        {"allocation": {"control": 1, "treatment": 1, "other": 1}},
        ["BLOCKED", "CHECK_FAILED: sample_ratio: units 60 : 60 : 0", "NO_DATA: `m` of other"],
    ),
    (
        "a variant that must have no units",
        {},
        {"allocation": {"control": 1, "treatment": 0}},
        ["BLOCKED", "CHECK_FAILED: sample_ratio", "weight is zero"],
    ),
    ("a split that is off", {}, {"allocation": {"control": 3, "treatment": 1}}, ["CHECK_FAILED: sample_ratio"]),
    (
        "a quality metric that differs",
        {},
        {"metrics": {"m": MEAN, "q": {**MEAN, "role": "quality"}}},
        ["BLOCKED", "CHECK_FAILED: quality:q:treatment"],
    ),
    (
        "a quality metric that cannot be tested",
        {"views": ROW * 0},
        {"metrics": {"m": MEAN, "q": {"kind": "mean", "value": "views", "role": "quality"}}},
        ["BLOCKED", "CHECK_FAILED: quality:q:treatment"],
    ),
    (
        "a guardrail that cannot be tested",
        {"views": ROW * 0},
        {"metrics": {"m": MEAN, "g": {"kind": "mean", "value": "views", "role": "guardrail", "margin": 1}}},
        ["NO_DATA: `g` of treatment"],
    ),
    ("a covariate that is the outcome", {}, metric(covariates="revenue"), ["NO_DATA", "the variance is zero"]),
    ("a covariate that explains everything", {"before": REVENUE * 2}, metric(covariates="before"), ["NO_DATA"]),
    ("a quantile of a constant", {"revenue": [0.1] * N}, quantile(), ["SUCCESS_NOT_SHOWN"]),
    (
        "a quantile of no values",
        {"revenue": pa.array([None] * N, pa.float64())},
        quantile(missing="drop"),
        ["NO_DATA", "no units in the control"],
    ),
    (
        "pairs without values",
        {"user": ROW // 2, "revenue": pa.array([None] * N, pa.float64())},
        paired(missing="drop"),
        ["NO_DATA", "no units in the control"],
    ),
    ("a quantile of one constant each", {"revenue": 1.0 + TREATED}, quantile(q=0.999), ["SUCCESS_NOT_SHOWN"]),
    ("a quantile beyond the values", {"revenue": REVENUE * (1 + TREATED)}, quantile(q=0.999), ["SUCCESS_NOT_SHOWN"]),
    (
        "a quantile of one unit a variant",
        {"user": TREATED},
        quantile(),
        ["NO_DATA: `m` of treatment: the control has 1 unit(s), and at least 2 are needed"],
    ),
    (
        "a quantile that every unit has alike",
        {"user": ROW // 4 * 2 + TREATED, "revenue": 10.0 + TREATED + 5 * (ROW // 2 % 2)},
        quantile(),
        ["NO_DATA", "the same share of its values below the quantile"],
    ),
    (
        "a quantile with contaminated units",
        {"user": [3, 2, *ROW[2:].tolist()]},
        quantile(),
        ["CHECK_FAILED: contamination"],
    ),
    (
        "a quantile whose values one variant lacks",
        {"revenue": gaps(REVENUE, 2, slice(1, None, 2))},
        quantile(missing="drop"),
        ["CHECK_FAILED: missing:m", "control 0.00%, treatment 50.00%"],
    ),
    (
        "a tenth of the pairs lost",
        {"user": np.where(ROW < 12, ROW, ROW // 2 + 1000)},
        paired(),
        ["BLOCKED", "CHECK_FAILED: pairs: 12 of 66 units not in every variant"],
    ),
    (
        "pairs with one difference",
        {"user": ROW // 2, "revenue": 0.1 * (ROW // 2) + 0.7 * TREATED},
        paired(),
        ["NO_DATA", "every pair has the same difference"],
    ),
    (
        "one pair",
        {name: list(values)[:2] for name, values in columns(user=ROW // 2).items()},
        paired(),
        ["NO_DATA: `m` of treatment: there are 1 pair(s), and at least 2 are needed"],
    ),
    (
        "a denominator of zero",
        {"user": ROW // 2, "views": 1 - TREATED},
        paired(denominator="views"),
        ["NO_DATA: `m` of treatment: the denominator `views` adds up to zero in the treatment"],
    ),
    (
        "a ratio that is constant within pairs",
        {"user": ROW // 2, "revenue": (1 + ROW % 4) * 0.3},
        paired(denominator="views"),
        ["NO_DATA", "the variance is zero"],
    ),
    (
        "one block",
        {"user": [0] * N},
        paired(denominator="ROWS"),
        ["NO_DATA: `m` of treatment: there are 1 pair(s), and at least 2 are needed"],
    ),
    (
        "blocks whose values one side lacks",
        {"user": ROW // 4, "revenue": gaps(REVENUE, 2, slice(1, None, 2))},
        paired(denominator="ROWS", missing="drop"),
        ["BLOCKED", "CHECK_FAILED: missing:m", "control 0.00%, treatment 50.00%"],
    ),
    ("a trend of days that are all too late", {"age": 3 + ROW % 3}, trend(), ["NO_DATA", "the variance is zero"]),
    ("a trend of one day each", {"age": [1] * N}, trend(), ["NO_DATA", "the variance is zero"]),
    ("a trend that no variant has", {"age": ROW // 2 % 3, "revenue": [7] * N}, trend(), ["SUCCESS_NOT_SHOWN"]),
    (
        "days that one variant lacks",
        {"age": gaps(ROW % 3, 2, slice(1, None, 2))},
        trend(missing="drop"),
        ["BLOCKED", "CHECK_FAILED: missing:m", "control 0.00%, treatment 50.00%"],
    ),
    (
        "pairs whose values one side lacks",
        {"user": ROW // 2, "revenue": gaps(REVENUE, 2, slice(1, None, 2))},
        paired(missing="drop"),
        ["BLOCKED", "CHECK_FAILED: missing:m", "control 0.00%, treatment 50.00%"],
    ),
    ("whole numbers that floats cannot tell apart", {"revenue": (2**62 + ROW)}, {}, ["NO_DATA"]),
    ("numbers too small to square", {"revenue": REVENUE * 1e-200}, {}, ["NO_DATA"]),
]


def test_the_good_log_promotes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run({}, parquet(columns(), tmp_path), tmp_path, capsys)
    assert (code, out.split("\n")[0], err) == (0, "PROMOTE treatment", "")


def test_the_tables_of_broken_logs_are_long() -> None:
    assert len(REFUSED) + len(ANSWERED) >= 75
    assert len({row[0] for row in REFUSED + ANSWERED}) == len(REFUSED + ANSWERED)


@pytest.mark.parametrize(("values", "plan", "says"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_broken_file_is_refused_in_one_sentence(
    values: dict[str, Any], plan: dict[str, Any], says: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence(run(plan, parquet(columns(**values), tmp_path), tmp_path, capsys), says)


def refused(engine: str, values: dict[str, Any], plan: dict[str, Any], says: list[str]) -> None:
    with pytest.raises(ab.DataError) as caught:
        ab.decide({**PLAN, **plan}, table(engine, columns(**values)))
    assert all(part in str(caught.value) for part in says), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("values", "plan", "says"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_broken_table_is_refused_in_one_sentence(
    values: dict[str, Any], plan: dict[str, Any], says: list[str]
) -> None:
    refused("polars", values, plan, says)


# rows of the table above whose values the engines hold in different ways
HELD_IN_MANY_WAYS = [
    "a null outcome", "a nan outcome", "null in a boolean", "outcomes all null", "an infinite outcome",
    "outcomes of text", "outcomes of dates", "outcomes of lists", "units all null", "units all nan",
    "variants all null", "a cap at zero", "sums that overflow",
]  # fmt: skip


@pytest.mark.parametrize("engine", ["pandas", "pyarrow", "duckdb"])
@pytest.mark.parametrize("name", HELD_IN_MANY_WAYS)
def test_every_engine_says_the_same(name: str, engine: str) -> None:
    refused(engine, *next(row[1:] for row in REFUSED if row[0] == name))


@pytest.mark.parametrize(("values", "plan", "says"), [row[1:] for row in ANSWERED], ids=[row[0] for row in ANSWERED])
def test_evidence_that_is_missing_or_broken_is_said_aloud_and_promotes_nothing(
    values: dict[str, Any], plan: dict[str, Any], says: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(plan, parquet(columns(**values), tmp_path), tmp_path, capsys)
    assert (code in (75, 76), err) == (True, ""), out + err
    assert code == (76 if "BLOCKED" in out.split("\n")[0] else 75)
    assert all(part in out for part in says), out


@pytest.mark.parametrize(("values", "plan", "says"), [row[1:] for row in ANSWERED], ids=[row[0] for row in ANSWERED])
def test_a_broken_table_promotes_nothing(values: dict[str, Any], plan: dict[str, Any], says: list[str]) -> None:
    decision = ab.decide({**PLAN, **plan}, table("polars", columns(**values)))
    assert decision.verdict == "continue"
    assert all(part in str(decision) for part in says), decision
    json.loads(decision.to_json())


@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize(
    ("control", "treatment"),
    [(1.0, 2.0), (0.1, 0.3), (0.7, 0.1), (0.2, 0.7), (1e9 + 0.1, 1e9 + 0.3), (1e-9, 1e9), (-0.1, 0.1), (0.0, 0.1)],
)
def test_variants_without_variance_are_not_compared(control: float, treatment: float, rows: int) -> None:
    # what is left after rounding is not a variance
    values = np.repeat(np.where(TREATED, treatment, control), rows)
    log = pd.DataFrame({"user": np.repeat(ROW, rows), "variant": np.repeat(NAMES, rows), "revenue": values})
    decision = ab.decide(PLAN, log)
    assert (decision.verdict, decision.metrics[0].status) == ("continue", "no_data")


@pytest.mark.parametrize("slope", [2.0, 1 / 3, -0.7, 1e-3])
def test_an_outcome_that_a_covariate_explains_wholly_shows_nothing(slope: float) -> None:
    before = np.sqrt(ROW + 1.0)
    log = pd.DataFrame(columns(before=before, revenue=slope * before + 0.1))
    assert ab.decide({**PLAN, **metric(covariates="before")}, log).verdict == "continue"


@pytest.mark.parametrize("seed", range(16))
def test_an_outcome_that_is_its_own_covariate_shows_nothing(seed: int) -> None:
    # the adjusted difference is zero, and what rounding makes of it and of its standard error is no evidence
    rng = np.random.default_rng(seed)
    log = pd.DataFrame(columns(revenue=rng.normal(rng.choice([0, 3, 100]), 1, N)))
    assert ab.decide({**PLAN, **metric(covariates="revenue")}, log).metrics[0].status == "no_data"


@pytest.mark.parametrize("unit", [1e-157, 1e-160, 1e-170])
def test_a_covariate_too_small_to_square_explains_nothing(unit: float) -> None:
    log = pd.DataFrame(columns(before=np.sqrt(ROW + 1.0) * unit))
    assert ab.decide({**PLAN, **metric(covariates="before")}, log).verdict == "promote"


CSV = pd.DataFrame(columns()).to_csv(index=False, lineterminator="\n")
HEAD, BODY = CSV.split("\n", 1)
LAST = "999,control,{},1.0,1,1,True,mon,999\n"

# file name, content, and what the sentence must say
FILES: list[tuple[str, str | bytes, list[str]]] = [
    ("empty.csv", "", ["empty.csv"]),
    ("empty.csv.gz", gzip.compress(b""), ["empty.csv.gz"]),
    ("blank.csv", "\n\n\n", ["blank.csv"]),
    ("header.csv", HEAD + "\n", ["no rows"]),
    ("header.tsv", HEAD.replace(",", "\t") + "\n", ["no rows"]),
    ("no_header.csv", BODY, ["no column `user`"]),
    ("misspelt.csv", CSV.replace("revenue", "revenu"), ["no column `revenue`", "Did you mean 'revenu'?"]),
    ("gap.csv", CSV + LAST.format(""), ["`revenue`", "null or nan in 1 of 121 rows", "drop", "zero"]),
    ("nan.csv", CSV + LAST.format("nan"), ["`revenue`", "null or nan in 1 of 121 rows", "drop", "zero"]),
    ("inf.csv", CSV + LAST.format("inf"), ["`revenue` is infinite in 1 of 121 rows"]),
    ("too_large.csv", CSV + LAST.format("1e400"), ["`revenue` is infinite in 1 of 121 rows"]),
    ("word.csv", CSV + LAST.format("oops"), ["`revenue` holds text"]),
    ("late_word.csv", HEAD + "\n" + BODY * 200 + LAST.format("oops"), ["`revenue` holds text"]),
    ("comma_decimals.csv", CSV.replace(".", ","), ["the log"]),
    ("two_columns.csv", CSV.replace("before", "revenue"), ["`revenue`", "twice"]),
    ("two_units.csv", CSV.replace("before", "user"), ["`user`", "twice"]),
    ("rows.csv", CSV.replace("before", "ROWS"), ["a column named ROWS"]),
    ("short_line.csv", CSV + "999,control\n", ["short_line.csv", "cannot be read"]),
    ("long_line.csv", CSV + "999,control" + ",1" * 20 + "\n", ["long_line.csv", "cannot be read"]),
    ("latin.csv", CSV.replace("mon", "größe").encode("latin-1"), ["latin.csv' cannot be read"]),
    ("wide.csv", CSV.encode("utf-16"), ["wide.csv' cannot be read"]),
    ("bytes.csv", bytes(range(256)) * 20, ["bytes.csv' cannot be read"]),
    ("zipped.csv", gzip.compress(CSV.encode()), ["zipped.csv' cannot be read"]),
    ("plain.csv.gz", CSV, ["plain.csv.gz' cannot be read"]),
    ("cut.csv.gz", gzip.compress(CSV.encode())[:300], ["cut.csv.gz' cannot be read"]),
    ("empty.parquet", "", ["empty.parquet' cannot be read"]),
    ("text.parquet", "hello", ["text.parquet' cannot be read"]),
    ("csv.parquet", CSV, ["csv.parquet' cannot be read"]),
    ("log.json", "{}", ["the log has no units of the control"]),
    ("list.json", "[]", ["list.json' must be a .parquet, .csv"]),
    ("rows.json", '{"user": [1, 2]}', ["`log` must be a table, or a dict of variants to the statistics"]),
    ("log.xlsx", b"PK", ["log.xlsx' must be a .parquet, .csv"]),
    ("log", CSV, ["log' must be a .parquet, .csv"]),
]


@pytest.mark.parametrize(("name", "content", "says"), FILES, ids=[row[0] for row in FILES])
def test_a_file_that_is_no_log_is_refused_in_one_sentence(
    name: str, content: str | bytes, says: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    sentence(run({}, tmp_path / name, tmp_path, capsys), says)


def test_a_parquet_file_cut_short_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = parquet(columns(), tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    sentence(run({}, path, tmp_path, capsys), ["log.parquet' cannot be read"])


def test_a_parquet_file_with_two_columns_of_one_name_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = pa.table(columns()).append_column("revenue", pa.array(REVENUE * 2))
    pq.write_table(twice, tmp_path / "log.parquet")
    sentence(run({}, tmp_path / "log.parquet", tmp_path, capsys), ["`revenue`", "twice"])


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere.parquet", "nowhere*.csv", "no/where.csv.gz"])
def test_a_log_that_is_not_there_is_named(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence(run({}, tmp_path / name, tmp_path, capsys), [f"{name}' does not exist; check the path"])


@pytest.mark.parametrize("name", ["folder.csv", "folder.parquet"])
def test_a_folder_is_not_a_log(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).mkdir()
    sentence(run({}, tmp_path / name, tmp_path, capsys), [f"{name}' is a folder; name its files"])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files_of_one_log_with_different_columns_are_refused(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # a column is a column by its name: the second file has another one where the first has `revenue`
    for number, name in enumerate(("revenue", "income")):
        part = pd.DataFrame(columns(user=ROW + N * number)).rename(columns={"revenue": name})
        path = tmp_path / f"part{number}.{suffix}"
        part.to_csv(path, index=False) if suffix == "csv" else part.to_parquet(path)
    sentence(run({}, tmp_path / f"part*.{suffix}", tmp_path, capsys), ["revenue"])


@pytest.mark.parametrize("name", ["a b.csv", "it's.csv", "log[1].csv", "größe.csv", "LOG.CSV", "a;b.csv"])
def test_a_log_may_have_any_file_name(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_text(CSV)
    code, _, err = run({}, tmp_path / name, tmp_path, capsys)
    assert (code, err) == (0, "")


def twice_revenue() -> pd.DataFrame:
    frame = pd.DataFrame(columns())
    return pd.concat([frame, frame[["revenue"]]], axis=1)


def closed_relation() -> duckdb.DuckDBPyRelation:
    connection = duckdb.connect()
    relation = connection.from_arrow(pa.table(columns()))
    connection.close()
    return relation


def sparse() -> pd.DataFrame:
    return pd.DataFrame(columns(revenue=pd.arrays.SparseArray(REVENUE)))


def late_word() -> pd.DataFrame:
    frame = pd.concat([pd.DataFrame(columns())] * 60, ignore_index=True).astype({"revenue": object})
    frame.loc[4_001, "revenue"] = "oops"
    return frame


# what is wrong, the object given for a log, and what the sentence must say
TABLES: list[tuple[str, Any, list[str]]] = [
    ("number", lambda: 5, ["`log` must be a table", "int"]),
    ("list of dicts", lambda: [{"user": 1}], ["`log` must be a table", "list"]),
    ("dict", columns, ["`log` must be a table", "dict"]),
    ("series", lambda: pd.Series(REVENUE), ["`log` must be a table", "Series"]),
    ("array", lambda: np.zeros((3, 3)), ["`log` must be a table", "ndarray"]),
    ("groups", lambda: pd.DataFrame(columns()).groupby("user"), ["`log` must be a table", "DataFrameGroupBy"]),
    ("pandas without columns", pd.DataFrame, ["column"]),
    ("Polars without columns", pl.DataFrame, ["no column `user`"]),
    ("unit in the index", lambda: pd.DataFrame(columns()).set_index("user"), ["no column `user`"]),
    ("two columns of one name in pandas", twice_revenue, ["revenue"]),
    ("two columns of one name in PyArrow", lambda: pa.Table.from_batches(
        pa.table(columns()).append_column("revenue", pa.array(REVENUE)).to_batches()), ["revenue"]),
    ("mixed types", lambda: pd.DataFrame(columns(revenue=first("oops"))), ["`revenue` holds text"]),
    ("mixed types far down", late_word, ["cannot be read", "oops"]),
    ("complex numbers", lambda: pd.DataFrame(columns(revenue=REVENUE + 1j)), ["cannot be read", "complex"]),
    ("sparse numbers", sparse, ["cannot be read", "Sparse"]),
    ("decimal nan", lambda: pd.DataFrame(columns(revenue=[decimal.Decimal("nan")] * N)), ["`revenue`", "120 of 120"]),
    ("closed DuckDB connection", closed_relation, ["cannot be read", "closed"]),
    ("lazy Polars query that fails", lambda: pl.LazyFrame(columns()).with_columns(
        revenue=pl.col("day").cast(pl.Int64)), ["conversion"]),
    ("lazy Polars scan of nothing", lambda: pl.scan_parquet("nowhere.parquet"), ["nowhere.parquet"]),
]  # fmt: skip


@pytest.mark.parametrize(("make", "says"), [row[1:] for row in TABLES], ids=[row[0] for row in TABLES])
def test_an_object_that_is_no_log_is_refused_in_one_sentence(make: Any, says: list[str]) -> None:
    with pytest.raises(ab.DataError) as caught:
        ab.decide(PLAN, make())
    assert all(part in str(caught.value) for part in says), caught.value
    assert "\n" not in str(caught.value)


# columns of user, variant, revenue, before, day, row and seen, whose names must not matter
ODD_NAMES = [
    ("select", "from", "where", "group", "order", "table", "null"),
    ("unit", "code", "x0", "x1", "segment0", "key0", "rows"),
    ("code", "unit", "rows", "units", "low0", "copies", "differ"),
    ("low", "high", "copies", "all rows", "key0", "segment0", "x0"),
    ("rows", "low", "sum_x0", "same_x1", "high", "high0", "units"),
    ("rows_x0", "ok_x0", "n rows", "sum x0", "product x0 x0", "vary same_x1", "capped x0"),
    ("a b", 'a"b', "a'b", "a`b", "a\\b", "a;b", "a.b"),
    ("größe", "用户", "%s", "{x}", "a,b", "-- x", "$1"),
    ("v", "null x0", "nan x0", "infinite x0", "other x0", "mean x0", "std x0"),
    ("USER", "Variant", "REVENUE", "Before", "dAY", "roW", "Seen"),
    ("a\nb", "a\tb", " a", "a ", "0", "1.5", "true"),
    ("a*", "?", "_", "#", "@", "&", "~"),
]


def named(user: str, variant: str, revenue: str, before: str, day: str, row: str, seen: str) -> dict[str, Any]:
    """A plan that reads seven columns."""
    mean = {"kind": "mean", "value": revenue, "covariates": before}
    per_row = {"kind": "ratio", "numerator": revenue, "denominator": "ROWS"}
    more = {"segments": day, "key": row, "exposure": seen, "metrics": {"mean": mean, "per row": per_row}}
    return {"unit": user, "variant": variant, "control": "control", **more}


PLAIN = ("user", "variant", "revenue", "before", "day", "row", "seen")


@pytest.fixture(scope="module")
def plainly_named() -> ab.Decision:
    return ab.decide(named(*PLAIN), pd.DataFrame(columns()))


@pytest.mark.parametrize("engine", ["pandas", "polars"])
@pytest.mark.parametrize("names", ODD_NAMES, ids=["|".join(names) for names in ODD_NAMES])
def test_a_column_may_have_any_name(names: tuple[str, ...], engine: str, plainly_named: ab.Decision) -> None:
    renamed = dict(zip(PLAIN, names, strict=True))
    log = {renamed.get(name, name): values for name, values in columns().items()}
    decision = ab.decide(named(*names), table(engine, log))
    assert (decision.verdict, decision.evidence_sha256) == ("promote", plainly_named.evidence_sha256)


@pytest.mark.parametrize("engine", ["pandas", "polars", "pyarrow"])
def test_columns_that_the_plan_does_not_name_may_hold_anything(engine: str) -> None:
    extra = {"": ROW, "Revenue": ROW, "REVENUE_1": ROW, "list": [[1]] * N, "none": pa.nulls(N), "*": ROW, "x0": ROW}
    assert ab.decide(PLAN, table(engine, {**columns(), **extra})).verdict == "promote"


# the column's values, the control of the plan, and the allocation
LABELS: list[tuple[str, Any, Any, dict[Any, float] | None]] = [
    ("numbers, 0", TREATED, 0, None),
    ("numbers, '0'", TREATED, "0", None),
    ("numbers, False", TREATED, False, None),
    ("numbers, planned", TREATED, 0, {0: 1, 1: 1}),
    ("numbers, planned as text", TREATED, "0", {"0": 1, "1": 1}),
    ("numbers, planned as booleans", TREATED, False, {False: 1, True: 1}),
    ("small numbers", TREATED.astype("int8"), 0, {0: 1, 1: 1}),
    ("fractions", TREATED * 1.0, 0, None),
    ("fractions, planned", TREATED * 1.0, 0, {0: 1, 1: 1}),
    ("fractions, planned as text", TREATED * 1.0, "0", {"0": 1, "1.0": 1}),
    ("booleans, False", TREATED == 1, False, None),
    ("booleans, 'false'", TREATED == 1, "false", None),
    ("booleans, 0", TREATED == 1, 0, None),
    ("booleans, planned", TREATED == 1, False, {False: 1, True: 1}),
    ("booleans, planned as numbers", TREATED == 1, 0, {0: 1, 1: 1}),
    ("categories", pa.array(NAMES).dictionary_encode(), "control", None),
    ("categories, planned", pa.array(NAMES).dictionary_encode(), "control", {"control": 1, "treatment": 1}),
    ("dates", [DAY, DAY.replace(day=2)] * (N // 2), "2024-01-01", None),
    ("dates, planned", [DAY, DAY.replace(day=2)] * (N // 2), "2024-01-01", {"2024-01-01": 1, "2024-01-02": 1}),
    ("odd text", ["a 'b'", 'c "d"'] * (N // 2), "a 'b'", {"a 'b'": 1, 'c "d"': 1}),
]


@pytest.mark.parametrize("engine", ["pandas", "polars"])
@pytest.mark.parametrize(("values", "control", "weights"), [row[1:] for row in LABELS], ids=[row[0] for row in LABELS])
def test_a_variant_column_may_have_any_type(values: Any, control: Any, weights: Any, engine: str) -> None:
    plan = {**PLAN, "control": control, "allocation": weights}
    decision = ab.decide(plan, table(engine, columns(variant=values)))
    assert decision.verdict == "promote"


@pytest.mark.parametrize("engine", ["pandas", "polars", "pyarrow", "duckdb"])
@pytest.mark.parametrize("kind", [pa.float32(), pa.int8(), pa.int64(), pa.uint16(), pa.decimal128(8, 2), pa.bool_()])
def test_an_outcome_may_be_any_number(kind: pa.DataType, engine: str) -> None:
    whole = pa.array(REVENUE > 12) if kind == pa.bool_() else pa.array(REVENUE).cast(kind)
    assert ab.decide(PLAN, table(engine, columns(revenue=whole))).verdict == "promote"


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "tsv", "parquet"])
def test_large_numbers_of_units_stay_apart(suffix: str, tmp_path: Path) -> None:
    # identifiers beyond 2**53, where neighbours are one float
    frame = pd.DataFrame(columns(user=[str(2**63 + i) for i in range(N)]))
    path = tmp_path / f"log.{suffix}"
    if suffix == "parquet":
        frame.astype({"user": "uint64"}).to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    report = ab.Experiment.from_dict(PLAN).analyze(path)
    assert (report.statistics.audit.units, report.statistics.audit.units_in_several_variants) == (N, 0)


@pytest.mark.parametrize("engine", ["pandas", "polars"])
def test_too_many_segments_are_refused(engine: str) -> None:
    row = np.arange(10_002)
    log = {"user": row, "variant": ["control", "treatment"] * 5_001, "revenue": row * 1.0, "day": row}
    with pytest.raises(ab.DataError, match=r"the segments day make 10,002 groups; at most 10,000 can be reported"):
        ab.decide({**PLAN, "segments": "day"}, table(engine, log))
