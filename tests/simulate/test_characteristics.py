"""Operating characteristics: against the exact recursion, beside what the plan states, and as text, JSON and a page."""

from __future__ import annotations

import json
import math
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

import abkit as ab
from abkit.simulate import Scenario, operating_characteristics
from abkit.simulate._rates import Rate, average_of
from abkit.simulate._text import percent

RUNS = 4_000
METRICS = {
    "revenue": ab.Mean("revenue"),
    "errors": ab.Proportion("errors", role="guardrail", direction="decrease", margin=0.01),
    "latency": ab.Quantile("ms", 0.99, role="guardrail", direction="decrease", margin=ab.relative(0.1)),
    "rows": ab.Mean("rows", role="quality"),
}


def plan(metrics=None, monitor=None, **fields):
    return ab.Experiment("user", "variant", "old", metrics or METRICS, monitor or ab.FixedHorizon(), **fields)


def run(experiment, scenarios=None, runs=RUNS, seed=1, **options):
    return operating_characteristics(experiment, scenarios, runs, np.random.default_rng(seed), **options)


@pytest.fixture(scope="module")
def canary():
    return run(plan(monitor=ab.AnytimeValid(tune_at=8_000), allocation={"old": 3, "new": 1}), looks=8)


ONE = {"revenue": ab.Mean("revenue")}
BOUNDS = [
    (ab.GroupSequential(looks=5), None),
    (ab.GroupSequential(alpha=0.1, information=(0.2, 0.7, 1.0), boundary="pocock", units=6_000), None),
    (ab.AnytimeValid(alpha=0.1, tune_at=4_000), 10),
    (ab.FixedHorizon(0.05), 1),
    (ab.FixedHorizon(0.05), 14),
]


@pytest.mark.parametrize(("monitor", "looks"), BOUNDS, ids=lambda value: getattr(value, "kind", str(value)))
@pytest.mark.parametrize("effect", [0.0, 1.0, -0.5])
def test_one_metric_is_as_the_exact_recursion_says(monitor, looks, effect):
    """No check fails a run that would stop: alpha of the checks is tiny."""
    experiment = plan(ONE, monitor, quality=ab.Quality(alpha=1e-9))
    found = run(experiment, Scenario("x", {"revenue": effect}), runs=20_000, looks=looks)
    design = monitor.design() if isinstance(monitor, ab.GroupSequential) else monitor.design(found.units)
    information = np.array(design.information)
    stops = design.stopping(effect * found.drifts["revenue"] / math.sqrt(information[-1]))
    row = found["x"]
    for rate, exact in ((row.promote, stops.up.sum()), (row.rollback, stops.down.sum())):
        assert abs(rate - exact) < 4.5 * math.sqrt(exact * (1 - exact) / row.runs) + 1e-6
    for by, exact in ((row.promoted_by, stops.up), (row.rolled_back_by, stops.down)):
        assert np.abs(np.array(by) - np.cumsum(exact)).max() < 4.5 * 0.5 / math.sqrt(row.runs)
    expected = float(stops.total @ np.arange(1, len(information) + 1))
    assert abs(row.looks - expected) <= 4.5 * row.looks.stderr + 1e-9


@pytest.mark.parametrize("monitor", [ab.FixedHorizon(), ab.GroupSequential(looks=4), ab.AnytimeValid(tune_at=8_000)])
def test_an_effect_of_one_has_the_power_that_the_plan_is_sized_for(monitor):
    one = run(plan(ONE, monitor), Scenario("x", {"revenue": 1.0}), runs=20_000, power=0.7)["x"]
    assert abs(one.promote - 0.7) < 4.5 * one.promote.stderr + 0.002  # checks block one in a thousand
    all_of_them = run(plan(monitor=monitor), Scenario("x", {"revenue": 1.0}), power=0.7)["x"]
    assert all_of_them.promote > 0.7 - 4.5 * all_of_them.promote.stderr - 0.06  # false harms, checks, one look


def test_wrong_decisions_are_those_that_the_truth_makes_wrong(canary):
    def wrong(name):
        return canary[name].wrong_promote is not None, canary[name].wrong_rollback is not None

    assert wrong("no effect") == (True, True)
    assert wrong("success +1") == (False, True)
    assert wrong("success -0.5") == (True, False)
    assert wrong("errors at its margin") == (True, True)
    assert wrong("harm -0.5") == (False, True)
    assert wrong("harm -1.5") == (True, False)


def test_without_a_success_metric_only_a_margin_makes_a_promotion_wrong():
    metrics = {name: METRICS[name] for name in ("errors", "latency")}
    found = run(plan(metrics), runs=200)
    assert found["no effect"].wrong_promote is None
    assert found["errors at its margin"].wrong_promote is not None


def test_a_margin_of_a_success_metric_is_what_a_promotion_must_exceed():
    metrics = {"revenue": ab.Mean("revenue", mde=2.0, margin=1.0)}
    scenarios = [Scenario(str(effect), {"revenue": effect}) for effect in (0.5, 0.6, 1.0)]
    found = run(plan(metrics), scenarios, runs=20_000)
    assert found["0.5"].wrong_promote == pytest.approx(0.025, abs=0.005)
    assert found["0.6"].wrong_promote is None
    assert found["1.0"].promote == pytest.approx(0.8, abs=0.015)


def test_rates_add_up_and_errors_are_those_of_a_binomial(canary):
    for row in canary.rows:
        assert row.promote.count + row.continued.count + row.rollback.count == row.runs
        assert row.promoted_by[-1] == pytest.approx(row.promote)
        assert 0 <= row.treated <= row.units <= canary.units[-1]
        assert row.share == pytest.approx(row.looks / 8)
        assert row.look_quantiles == tuple(sorted(row.look_quantiles, key=lambda q: 99 if q is None else q))
    assert canary["sparse counts"].runs == 1_000
    assert canary["no effect"].runs == RUNS


def test_rates_have_exact_intervals_and_bounds():
    for count in (0, 7, 50):
        exact = binomtest(count, 50).proportion_ci(0.95, "exact")
        assert tuple(Rate(count, 50).interval()) == pytest.approx((exact.low, exact.high), rel=1e-12)
    assert percent(Rate(0, 300)) == "<1.0%"  # 1 - 0.05 ** (1 / 300), rounded outwards
    assert percent(Rate(300, 300)) == ">99.0%"
    assert (Rate(0, 9).surely_above(0.0), Rate(9, 9).surely_above(0.4), Rate(5, 9).surely_above(0.4)) == (
        False, True, False,
    )  # fmt: skip
    assert average_of(np.array([3.0])).stderr == 0


def test_rates_and_means_are_numbers_that_survive_copies(canary):
    row = canary.row("no effect")
    assert row is canary["no effect"]
    assert row.rollback <= 0.05
    assert f"{Rate(1, 8):.1%}" == "12.5%"
    assert Rate(1, 8) == 0.125
    assert json.dumps(Rate(1, 8)) == "0.125"
    for number in (row.rollback, row.looks):
        again = pickle.loads(pickle.dumps(number))
        assert (type(again), again, again.stderr) == (type(number), number, number.stderr)
    with pytest.raises(ValueError, match="`level` must be between 0 and 1; got 95"):
        row.rollback.interval(95)


def test_the_same_seed_gives_the_same_bytes_and_rows_do_not_depend_on_each_other():
    some = [Scenario("a", {"revenue": 1.0}), Scenario("b", late=0.2), Scenario("c", events=20)]
    first = run(plan(), some, runs=300)
    assert first.to_json() == run(plan(), some, runs=300).to_json()
    assert first["b"].to_dict() == run(plan(), some[1:2], runs=300)["b"].to_dict()
    assert first.to_json() != run(plan(), some, runs=300, seed=2).to_json()


def test_peeking_with_the_bounds_of_one_look_is_visible():
    metrics = {"revenue": ab.Mean("revenue")}
    metrics |= {f"g{i}": ab.Mean("x", role="guardrail", margin=1.0) for i in range(3)}
    found = run(plan(metrics), Scenario("no effect"), looks=20)
    assert ("no effect", "rollback") in {(name, what) for name, what, *_ in found.excesses}
    text = str(found)
    assert "MORE THAN STATED: of releases that it should not, the plan promotes " in text
    assert " in 'no effect'" in text
    assert "the plan's statements are of one look and do not cover this" in " ".join(text.split())


@pytest.mark.parametrize("monitor", [ab.GroupSequential(looks=20), ab.AnytimeValid(), ab.FixedHorizon()])
def test_a_plan_keeps_what_it_states(monitor):
    metrics = {"revenue": ab.Mean("revenue")}
    metrics |= {f"g{i}": ab.Mean("x", role="guardrail", margin=1.0) for i in range(3)}
    at_margins = Scenario("margins", {"revenue": 2.0, "g0": -1.0, "g1": -1.0, "g2": -1.0})
    found = run(plan(metrics, monitor), [Scenario("no effect"), Scenario("together", correlation=0.9), at_margins])
    assert not found.excesses
    assert "No wrong decision is surely more frequent than the plan states" in str(found)


def test_it_is_printed_sentence_first_within_120_columns(canary):
    text = str(canary)
    assert text.startswith("4,000 runs of 8 looks at up to 8,000 units: a release without any effect is rolled back in")
    assert max(map(len, text.splitlines())) <= 120
    for row in canary.rows:
        assert f"\n{row.scenario.name}  " in text
    assert "`looks`" not in text  # they were given
    assert "8,000 units of all variants at the last look (`tune_at`" in " ".join(text.split())


def test_long_names_and_large_numbers_fit():
    names = {
        f"an_unusually_long_name_of_a_metric_number_{i}": ab.Mean("x", role="guardrail", margin=1.0) for i in range(3)
    }
    found = run(plan(METRICS | names, ab.GroupSequential(looks=3, units=10**9)), runs=50)
    assert max(map(len, str(found).splitlines())) <= 120


def test_json_is_strict_and_complete(canary):
    def refuse(name):
        raise AssertionError(name)

    values = json.loads(canary.to_json(), parse_constant=refuse)
    assert values["schema"] == "abkit.operating-characteristics/1"
    assert [row["scenario"]["name"] for row in values["rows"]] == [row.scenario.name for row in canary.rows]
    row = values["rows"][0]
    assert row["promote"]["value"] == canary["no effect"].promote
    assert row["promote"]["low"] <= row["promote"]["value"] <= row["promote"]["high"]
    assert values["risk"]["false_promote_max"] == 0.025


def test_the_page_is_one_file_that_needs_no_network(canary, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        canary.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert not re.search(r"(src|href)=[\"']https?:", page)
    assert "<script" not in page
    canary.save(tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_names_are_escaped_in_the_page(tmp_path):
    found = run(plan(), Scenario("<b>&"), runs=20)
    found.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;&amp;" in page
    assert "<b>&" not in page


def test_a_page_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ab.PlanError, match="`page` must be a file that can be written"):
        run(plan(), Scenario("x"), runs=20).save(tmp_path / "none" / "page.html")


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"runs": 0}, ValueError, "`runs` must be at least 1; got 0."),
        ({"runs": 1.5}, TypeError, "`runs` must be a whole number; got 1.5"),
        ({"rng": 1}, TypeError, "`rng` must be a numpy.random.Generator; got 1."),
        ({"rng": None}, TypeError, "`rng` must be a numpy.random.Generator; got None."),
        ({"scenarios": "no effect"}, TypeError, "`scenarios` must be a Scenario or a list of them; got 'no effect'."),
        ({"scenarios": ["no effect"]}, TypeError, "`scenarios` must hold Scenario(...); got 'no effect'."),
        ({"scenarios": []}, ValueError, "`scenarios` must be at least one, each with a name of its own; got []"),
        ({"scenarios": [Scenario("x"), Scenario("x")]}, ValueError, "each with a name of its own; got ['x', 'x']"),
        ({"units": 3}, ValueError, "`units` must be at least 4; got 3."),
        ({"units": 10, "looks": 5}, ValueError, "`units` must be at least 20; got 10."),
        ({"looks": 0}, ValueError, "`looks` must be at least 1; got 0."),
        ({"power": 1.0}, ValueError, "`power` must be between 0 and 1; got 1."),
    ],
)
def test_a_bad_argument_is_named(arguments, error, says):
    given = {"scenarios": None, "runs": 20, "rng": np.random.default_rng(1)} | arguments
    with pytest.raises(error, match=re.escape(says)):
        operating_characteristics(plan(), given.pop("scenarios"), given.pop("runs"), given.pop("rng"), **given)


def test_a_power_that_chance_alone_has_is_refused():
    with pytest.raises(ab.PlanError, match="`power` must exceed what a test without any effect has"):
        run(plan(ONE), Scenario("x"), runs=10, power=1e-9)


def test_looks_and_units_that_the_plan_has_itself_must_not_be_given():
    scheduled = plan(monitor=ab.GroupSequential(looks=4, units=800))
    with pytest.raises(ab.PlanError, match="`looks` must be left out: the plan has its own 4; got 5"):
        run(scheduled, looks=5)
    with pytest.raises(ab.PlanError, match="`units` must be left out: the plan's monitor has 800; got 900"):
        run(scheduled, units=900)
    assert run(scheduled, Scenario("x"), runs=10).units == (200, 400, 600, 800)


def test_a_scenario_that_is_not_there_is_named(canary):
    with pytest.raises(KeyError, match="Did you mean 'no effect'"):
        canary["no efect"]


def test_a_history_says_how_large_effects_are():
    rng = np.random.default_rng(5)
    log = pd.DataFrame({"user": range(4_000), "revenue": rng.normal(10, 2, 4_000), "cost": rng.normal(5, 1, 4_000)})
    metrics = {
        "revenue": ab.Mean("revenue", mde=0.2),
        "cost": ab.Mean("cost", role="guardrail", direction="decrease", margin=0.1),
    }
    found = run(plan(metrics), Scenario("planned", {"revenue": 1.0}), units=4_000, history=log)
    sd = {name: float(log[name].std()) for name in ("revenue", "cost")}
    assert found.drifts["revenue"] == pytest.approx(0.2 / (sd["revenue"] * math.sqrt(2 / 2_000)), rel=1e-3)
    assert found.drifts["cost"] == pytest.approx(0.1 / (sd["cost"] * math.sqrt(2 / 2_000)), rel=1e-3)
    assert "1 is its `mde`, 0.2, a z of" in " ".join(str(found).split())


def test_what_is_not_simulated_is_said():
    metrics = {"ms": ab.Mean("ms", missing="drop")}
    assert "the checks of missing values, which are of one look each, are not simulated" in str(
        run(plan(metrics), Scenario("x"), runs=10)
    )
    assert "not simulated" not in str(run(plan(), Scenario("x"), runs=10))


@pytest.mark.parametrize("scenario", [Scenario("x"), Scenario("x", duplicates=0.1), Scenario("x", autocorrelation=0.9)])
def test_covariates_are_checked_as_often_as_there_are_looks(scenario):
    metrics = {"revenue": ab.Mean("revenue", covariates=["before", "age"])}
    experiment = plan(metrics, ab.AnytimeValid(tune_at=8_000), quality=ab.Quality(alpha=0.02))
    blocked = [run(experiment, scenario, looks=looks)["x"].blocked for looks in (1, 10)]
    assert abs(blocked[0] - 0.02) < 4.5 * math.sqrt(0.02 * 0.98 / RUNS) + 0.01
    assert 0.06 < blocked[1] < 0.2


def test_extreme_plans_run():
    for monitor in (
        ab.FixedHorizon(1e-9),
        ab.FixedHorizon(0.999),
        ab.AnytimeValid(tune_at=1),
        ab.GroupSequential(looks=20, units=2),
        ab.GroupSequential(information=(1e-6, 1.0), boundary="pocock"),
    ):
        for allocation in ({"old": 0.99999, "new": 0.00001}, {"old": 1, "a": 1, "b": 3}):
            found = run(plan(monitor=monitor, allocation=allocation), runs=10)
            assert found.to_json()
            assert str(found)
