"""What a fit lets be read, and what it refuses."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from abkit import DataError, MissingDependencyError
from abkit.bayes import hierarchical
from abkit.evidence import tested as run
from abkit.mcmc._diagnostics import Diagnostics, bfmi, diagnose
from abkit.mcmc._draws import DrawsEffect
from abkit.mcmc._fit import Fit, need_pymc, sample_model
from abkit.types import Relative

GOOD = Diagnostics(4, 1000, 1.002, "`a`", 1500.0, "`b`", 1200.0, "`c`", 0, 0.9)


def test_good_diagnostics_are_no_problem() -> None:
    fit = Fit({}, GOOD)
    assert fit.ok
    assert not fit.problems
    assert str(fit) == (
        "4 chains of 1,000 draws: R-hat 1.002 at most, 1,200 effective draws at least, 0 divergences, E-BFMI 0.90"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rhat": 1.01}, "R-hat of `a` is 1.010, not below 1.01"),
        ({"rhat": math.nan}, "R-hat of `a` is nan"),
        ({"ess_bulk": 399.0}, "`b` has 399 effective draws in the bulk, under 400"),
        ({"ess_tail": math.nan}, "`c` has nan effective draws in the tails"),
        ({"divergences": 1}, "1 of 4,000 draws diverged"),
        ({"bfmi": 0.29}, "E-BFMI is 0.29, under 0.3"),
        ({"stuck": ("`d`",)}, "draws of `d` are not finite or never moved"),
    ],
)
def test_a_failed_fit_gives_no_effect_and_says_why(change: dict[str, object], said: str) -> None:
    fit = Fit({"posterior": {}}, replace(GOOD, **change))
    assert not fit.ok
    assert len(fit.problems) == 1
    assert said in fit.problems[0]
    assert f"PROBLEM: {fit.problems[0]}" in str(fit)
    for read in (lambda: fit.effect("a"), lambda: fit.draws("a"), fit.need_ok):
        with pytest.raises(DataError, match="not sampled well enough"):
            read()
    assert fit.data == {"posterior": {}}
    assert fit.diagnostics.to_dict()["problems"] == list(fit.problems)


@pytest.mark.parametrize("missing", ["pymc", "arviz", "nutpie"])
def test_a_missing_library_is_one_sentence(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    said = r"needs PyMC, ArviZ and nutpie: install abkit-experiments\[bayes\], or all three of them\.$"
    for call in (
        need_pymc,
        lambda: sample_model(None, rng=np.random.default_rng(1)),
        lambda: hierarchical([1.0, 2.0], [1.0, 1.0], rng=np.random.default_rng(1)),
    ):
        with pytest.raises(MissingDependencyError, match=said):
            call()


def test_randomness_and_sizes_are_checked_before_anything_is_loaded() -> None:
    with pytest.raises(TypeError, match="`rng` must be a numpy"):
        sample_model(None, rng=1)
    with pytest.raises(ValueError, match="`chains` must be at least 2"):
        sample_model(None, rng=np.random.default_rng(1), chains=1)
    with pytest.raises(ValueError, match="`target_accept` must be between 0 and 1"):
        sample_model(None, rng=np.random.default_rng(1), target_accept=1.0)


def test_bfmi_is_of_the_worst_chain_and_0_of_one_that_stands() -> None:
    rng = np.random.default_rng(1)
    free, slow = rng.standard_normal(2000), np.cumsum(rng.standard_normal(2000))
    assert bfmi(np.stack([free, free])) == pytest.approx(2, abs=0.2)
    assert bfmi(np.stack([free, slow])) < 0.05
    assert bfmi(np.stack([free, np.ones(2000)])) == 0


def drawn(seed: int = 1, shift: float = 0.3) -> DrawsEffect:
    draws = np.random.default_rng(seed).normal(shift, 0.2, (4, 250))
    return DrawsEffect(draws, share=draws / 2, control=2.0, treatment=2.0 + shift)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.99])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_an_interval_of_draws_leaves_out_a_null_exactly_when_it_is_rejected(level: float, alternative: str) -> None:
    effect = drawn()
    nulls = np.concatenate([effect.draws.ravel(), np.linspace(-1, 2, 301)])
    interval = effect.interval(level, alternative)
    for null in map(float, nulls):
        rejected = effect.pvalue(null, alternative) < 1 - level - 1e-12
        assert interval.contains(null) != rejected, null


def test_draws_claim_no_more_than_their_number() -> None:
    effect = drawn(shift=50.0)
    assert effect.pvalue(0.0, "greater") == 1 / 1001
    assert effect.interval(1 - 1e-6, "two-sided").low == -math.inf
    assert effect.pvalue(0.0, "two-sided") == 2 / 1001
    assert math.isfinite(effect.statistic(0.0))


def test_a_relative_effect_of_draws() -> None:
    result = run("mcmc", drawn(), "two-sided", 0.0, None)
    assert result.relative(0.9).low == pytest.approx(result.interval(0.9).low / 2)
    assert result.with_null(Relative(0.1)).pvalue == result.with_null(0.2).pvalue
    assert result.to_dict()["validity"] == "posterior"
    plain = DrawsEffect(drawn().draws)
    assert plain.relative(0.9, "two-sided", None).shape == "none"
    with pytest.raises(ValueError, match="must be a number"):
        plain.pvalue(Relative(0.1), "greater")


def test_importing_the_fit_loads_no_library() -> None:
    code = "import sys, abkit.bayes as b; b.hierarchical, b.Fit, b.HierarchicalFit; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert not [library for library in ("'pymc'", "'arviz'", "'nutpie'", "'xarray'") if library in loaded]


def chains(values: np.ndarray, **more: np.ndarray) -> dict[str, object]:
    import xarray as xr

    dims = ("chain", "draw", "name")
    posterior = xr.Dataset({"x": (dims, values), **{name: (dims[:2], one) for name, one in more.items()}})
    energy = np.random.default_rng(1).standard_normal(values.shape[:2])
    stats = {"energy": (dims[:2], energy), "diverging": (dims[:2], np.zeros(values.shape[:2], bool))}
    return {"posterior": posterior.assign_coords(name=["p", "q"][: values.shape[2]]), "sample_stats": xr.Dataset(stats)}


@pytest.mark.bayes
def test_diagnostics_name_the_worst_entry() -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((4, 500, 2))
    assert not diagnose(chains(values), ("x",)).problems
    apart = values + np.arange(4)[:, None, None] * np.array([0.0, 1.0])
    found = diagnose(chains(apart), ("x",))
    assert (found.rhat_of, found.ess_bulk_of) == ("`x[q]`", "`x[q]`")
    assert found.rhat > 1.2
    assert diagnose(chains(values, constant=np.ones((4, 500))), ("x",)).stuck == ()
    assert diagnose(chains(values, constant=np.ones((4, 500))), ("x", "constant")).stuck == ("`constant`",)
    values[0, 0, 0] = np.nan
    assert diagnose(chains(values), ("x",)).stuck == ("`x`",)
