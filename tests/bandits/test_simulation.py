"""What a simulation says: bands, slope and bound, logs, files, text and plots."""

from __future__ import annotations

import json

import numpy as np
import pytest

import abkit as ab

b = ab.bandits
ENVIRONMENT = b.Bernoulli([0.6, 0.4], arms=["new", "old"])


@pytest.fixture(scope="module")
def found():
    return b.simulate(b.UCB1(), ENVIRONMENT, 1000, 200, 1)


def test_regret_and_pulls_agree(found):
    assert found.final_regret == pytest.approx(0.2 * found.pulls[1], abs=1e-9)
    assert found.pulls.sum(axis=0).tolist() == [1000.0] * 200
    assert found.shares.sum(axis=1) == pytest.approx(np.ones(found.times.size))
    assert found.shares[-1] == pytest.approx(found.pulls.mean(axis=1) / 1000)
    assert found.times[0] == 1
    assert found.times[-1] == 1000


def test_bands_are_quantiles_of_the_runs(found):
    bands = found.bands(0.5)
    assert bands.low[-1] == pytest.approx(np.quantile(found.final_regret, 0.25))
    assert bands.high[-1] == pytest.approx(np.quantile(found.final_regret, 0.75))
    assert bands.median[-1] == pytest.approx(np.median(found.final_regret))
    assert found.regret.level == 0.9
    assert found.regret.stderr[-1] == pytest.approx(found.final_regret.std(ddof=1) / 200**0.5)
    with pytest.raises(ValueError, match="`level` must be between 0 and 1; got 1"):
        found.bands(1.0)


def test_the_slope_is_that_of_a_line_through_the_last_decade(found):
    last = found.times >= 100
    line = np.polyfit(np.log(found.times[last]), found.regret.mean[last], 1)
    assert found.slope == pytest.approx(line[0])
    assert found.slope_stderr > 0
    assert found.lower_bound[-1] == pytest.approx(b.lai_robbins([0.6, 0.4]) * np.log(1000))


def test_one_run_of_one_decision():
    one = b.simulate(b.EpsilonGreedy(), b.Bernoulli([0.5]), 1, 1, 1, record=True)
    assert one.final_regret.tolist() == [0.0]
    assert one.slope is None
    assert one.slope_stderr is None
    assert json.loads(json.dumps(one.to_dict(), allow_nan=False))["regret"]["stderr"] == [None]
    assert "1 run of 1 decision cost 0 each" in str(one)
    assert len(one.log()) == 1
    one.plot()


def test_plain_values_read_the_same_policy_and_environment(found):
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["schema"] == "abkit.bandit-simulation/1"
    assert b.Policy.from_dict(data["policy"]) == found.policy
    assert b.Environment.from_dict(data["environment"]) == ENVIRONMENT
    assert data["regret"]["mean"][-1] == found.final_regret.mean()
    assert data["arms"] == ["new", "old"]


def test_a_log_is_one_row_a_decision():
    found = b.simulate(b.EpsilonGreedy(0.5), ENVIRONMENT, 50, 3, 1, record=True)
    log = found.log(run=2)
    assert log.columns.tolist() == [
        "t", "arm", "reward", "propensity", "propensity_new", "propensity_old", "randomised"
    ]  # fmt: skip
    assert log["t"].tolist() == list(range(50))
    assert set(log["arm"]) == {"new", "old"}
    chosen = np.where(log["arm"] == "new", log["propensity_new"], log["propensity_old"])
    assert log["propensity"].tolist() == chosen.tolist()
    assert log["randomised"].all()
    assert log["arm"].tolist() == [ENVIRONMENT.arms[place] for place in found.kept.places[:, 2]]


def test_contexts_are_in_the_log():
    environment = b.LinearContexts([[0.0, 1.0], [0.5, 0.0]])
    log = b.simulate(b.LinThompson(2), environment, 20, 2, 1, record=True).log()
    assert np.all(log["context_0"] == 1)
    assert log["context_1"].nunique() == 20


def test_logs_of_deterministic_policies_are_marked():
    log = b.simulate(b.UCB1(), ENVIRONMENT, 50, 2, 1, record=True).log()
    assert not log["randomised"].any()
    text = str(b.simulate(b.UCB1(), ENVIRONMENT, 50, 2, 1))
    assert "unfit for inverse-propensity" in " ".join(text.split())


def test_a_log_must_have_been_recorded(found):
    with pytest.raises(ValueError, match="`record` must be True"):
        found.log()
    recorded = b.simulate(b.UCB1(), ENVIRONMENT, 5, 2, 1, record=True)
    with pytest.raises(ValueError, match="`run` must be below the number of runs"):
        recorded.log(2)


def test_the_text_says_what_it_cost(found):
    text = str(found)
    assert repr(found) == text
    assert text.startswith("UCB1 in Bernoulli: 200 runs of 1,000 decisions cost")
    assert f"{found.final_regret.mean():.4g} each" in text
    assert "no policy that learns everywhere grows by less than C = 2.466" in " ".join(text.split())
    assert "new" in text
    assert max(map(len, text.splitlines())) <= 120
    drifting = b.simulate(b.UCB1(), b.Drifting(ENVIRONMENT, [0.1, 0.4], 50), 100, 2, 1)
    assert "no lower bound is known here" in " ".join(str(drifting).split())
    many = b.simulate(b.UCB1(), b.Bernoulli([0.5] * 30), 100, 2, 1)
    assert "... and 10 more" in str(many)


def test_plots_show_the_bound_and_every_arm(found):
    ax = found.plot()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["90% of 200 runs", "median", "mean", "Lai and Robbins: 2.466 ln t"]
    assert ax.get_ylabel() == "regret"
    arms = [text.get_text() for text in found.plot_allocation().get_legend().get_texts()]
    assert arms == ["new", "old"]
    figure = found.figure()
    assert len(figure.axes) == 2
    figure.draw_without_rendering()
