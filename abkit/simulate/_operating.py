"""Running a plan many times in known worlds."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._check import Float64Array
from abkit.decision import risk_of
from abkit.errors import PlanError
from abkit.experiment import Experiment, as_experiment
from abkit.planning._rule import promotion_of
from abkit.simulate._canonical import Runs, noise_of, simulate_alike
from abkit.simulate._characteristics import Characteristics, OperatingCharacteristics
from abkit.simulate._critical import notes_on_bounds
from abkit.simulate._log_arguments import refuse_compared
from abkit.simulate._on_counts import simulate_counts
from abkit.simulate._on_logs import simulate_sums
from abkit.simulate._rates import average_of, rate_of
from abkit.simulate._rule import PROMOTE, ROLLBACK
from abkit.simulate._scenario import Scenario, allocation_of, default_scenarios
from abkit.simulate._setting import Setting, make_setting
from abkit.strategies import Ramped

QUANTILES = (0.1, 0.5, 0.9)
#: Runs on counts, each different pair of which is tested, and on sums, each batch of which is drawn.
MOST_ON_COUNTS, MOST_ON_SUMS = 1_000, 2_000
#: Runs of scenarios with the same noise that are held at once.
HELD = 1_000_000
JOINT, SUMS, COUNTS = "joint distribution", "sums of logs", "counts of events"


def operating_characteristics(  # noqa: PLR0913 - what a simulation may take, one plain word each
    plan: object,
    scenarios: Scenario | Iterable[Scenario] | None = None,
    runs: int = 20_000,
    rng: np.random.Generator | None = None,
    *,
    history: object = None,
    units: int | None = None,
    looks: int | None = None,
    power: float = 0.8,
) -> OperatingCharacteristics:
    """Run a plan many times in known worlds, and count what it decides.

    Answers: what will this very plan, with its looks, its corrections and its checks, really do?

    Parameters
    ----------
    plan : Experiment, dict, or path of a plan file
        The plan as it would be run.
    scenarios : Scenario or list of Scenario, optional
        The worlds. By default those of `default_scenarios`.
    runs : int
        How many experiments a scenario, at least 1. Scenarios of rare events take 1,000 at most, those on sums of logs
        2,000.
    rng : numpy.random.Generator
        Draws everything. The same state gives the same bytes; a scenario's row does not depend on the others.
    history : table, path, or statistics, optional
        What `Experiment.plan` reads. With it, effects are in the unit of each metric's own `mde` and margin.
    units : int, optional
        Of all variants at the last look, where the plan's monitor does not say it. By default `tune_at` of an anytime
        monitor, else 10,000.
    looks : int, optional
        How many at equal distances: 20 for an anytime monitor. For a fixed horizon, whose own number is 1, more of them
        are peeking with the bounds of one look. Group-sequential plans have their own.
    power : float
        For which the plan is taken to be sized. Between 0 and 1.

    Returns
    -------
    OperatingCharacteristics

    Raises
    ------
    PlanError
        The plan is not one, or a scenario names what it does not have.
    ValueError, TypeError
        An argument outside its domain; the message names it.

    Notes
    -----
    A run decides at every look as `decide` would, and ends with the first verdict that is not to continue. A deadline
    is taken to be at the last look; `timing.min_time` is not simulated, as looks have no times. Where looks see
    independent increments, the z-statistics of all metrics, treatments and looks are drawn from their joint
    distribution [1]_. Autocorrelated noise, late or duplicate rows, units in two variants and missing variants are
    simulated as the sums of normal values that a log would have; rare events as counts, by the plan's own test.

    Scenarios that differ in their effects or drift only are run on the same noise. Each row is right by itself; their
    differences are known better than their errors, as of separate runs, would say.

    Without a history, an effect of 1 is the one that its metric's own test shows with the power per test that the rule
    needs: beta is shared by the guardrails and one success metric [2]_. Every success metric then has the same z, and
    rates say how the rule behaves, not how well this plan is sized for these metrics.

    Errors are of the Monte Carlo kind only. Statistics are normal; for skewed metrics see `aa_replay` on real data.

    References
    ----------
    .. [1] Jennison and Turnbull 2000, Group Sequential Methods, sec. 3.1.
    .. [2] Schultzberg, Ankargren and Franberg 2024, arXiv 2402.11609, sec. 3.

    Examples
    --------
    >>> import numpy as np
    >>> import abkit as ab
    >>> plan = ab.Experiment(
    ...     unit="user", variant="variant", control="old", monitor=ab.GroupSequential(looks=5, units=20_000),
    ...     metrics={"revenue": ab.Mean("revenue"),
    ...              "errors": ab.Mean("errors", role="guardrail", direction="decrease", margin=0.1)},
    ... )
    >>> found = ab.simulate.operating_characteristics(plan, runs=2_000, rng=np.random.default_rng(1))
    >>> found["no effect"].wrong_rollback < found.risk.false_rollback_max
    True
    >>> round(found["success +1"].promote, 1)
    0.8
    """
    from abkit.adapters._progress import progress

    experiment, runs = as_experiment(plan), _check.count("runs", runs, 1)
    experiment.require_randomised("operating characteristics")
    refuse_compared(experiment)
    _refuse_release(experiment)
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"`rng` must be a numpy.random.Generator; got {_check.show(rng)}.")
    chosen = _chosen(experiment, scenarios)
    setting = make_setting(experiment, units, looks, power, history)
    seed, found = int(rng.integers(2**63)), dict[str, Characteristics]()
    for alike in _alike(chosen, max(HELD // runs, 1)):
        last = len(found) + len(alike)
        with progress(f"scenarios {len(found) + 1} to {last} of {len(chosen)}, {alike[-1].name}, {runs:,} runs"):
            found |= {row.scenario.name: row for row in _rows(setting, alike, runs, seed)}
    rows = tuple(found[scenario.name] for scenario in chosen)
    risk = risk_of(experiment, len(allocation_of(experiment)) - 1)
    drifts = {name: drift.unit for name, drift in setting.drifts.items()}
    notes = (*setting.notes, *notes_on_bounds(experiment, setting.drifts))
    return OperatingCharacteristics(experiment, rows, setting.units, risk, float(power), drifts, notes)


def _refuse_release(plan: Experiment) -> None:
    """What `decide` follows and a simulated rule does not; ignored, it would change the rates that are told."""
    if isinstance(plan.strategy, Ramped) and (len(plan.strategy.stages) > 1 or plan.strategy.stage is not None):
        raise PlanError(
            "`strategy.stages` must be at most one, without a column of stages, in a plan that is simulated on sums; "
            "simulate logs of it with `simulate.log`, and decide on each."
        )


def _chosen(plan: Experiment, scenarios: object) -> tuple[Scenario, ...]:
    if scenarios is None:
        return default_scenarios(plan)
    listed = (scenarios,) if isinstance(scenarios, Scenario) else scenarios
    if not isinstance(listed, Iterable) or isinstance(listed, (str, bytes)):
        raise TypeError(f"`scenarios` must be a Scenario or a list of them; got {_check.show(scenarios)}.")
    chosen = tuple(listed)
    for scenario in chosen:
        if not isinstance(scenario, Scenario):
            raise TypeError(f"`scenarios` must hold Scenario(...); got {_check.show(scenario)}.")
        scenario.check(plan)
    names = [scenario.name for scenario in chosen]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"`scenarios` must be at least one, each with a name of its own; got {_check.show(names)}.")
    return chosen


def _alike(chosen: tuple[Scenario, ...], most: int) -> list[list[Scenario]]:
    """Scenarios that can be run on the same noise, at most so many at once; the others one by one."""
    groups: dict[tuple[object, ...], list[list[Scenario]]] = {}
    for scenario in chosen:
        parts = groups.setdefault((scenario.name,) if scenario.on_logs else noise_of(scenario), [[]])
        parts.append([scenario]) if len(parts[-1]) == most else parts[-1].append(scenario)
    return [part for parts in groups.values() for part in parts]


def _rows(setting: Setting, alike: list[Scenario], runs: int, seed: int) -> list[Characteristics]:
    """Those of scenarios with the same noise, whose generator depends on nothing else."""
    first = alike[0]
    source = first.name if first.on_logs else repr(noise_of(first))
    rng = np.random.default_rng([seed, zlib.crc32(source.encode())])
    if first.events is not None:
        return [_summary(setting, first, COUNTS, simulate_counts(setting, first, min(runs, MOST_ON_COUNTS), rng))]
    if first.on_logs:
        return [_summary(setting, first, SUMS, simulate_sums(setting, first, min(runs, MOST_ON_SUMS), rng))]
    drifts = dict(setting.drifts)
    each = simulate_alike(setting.plan, alike, looks=setting.units, drifts=drifts, runs=runs, rng=rng)
    return [_summary(setting, scenario, JOINT, found) for scenario, found in zip(alike, each, strict=True)]


def _summary(setting: Setting, scenario: Scenario, how: str, found: Runs) -> Characteristics:
    runs, shares = len(found.verdict), np.array(setting.units) / setting.last
    promoted, rolled_back = found.verdict == PROMOTE, found.verdict == ROLLBACK
    wrong = _wrong(setting, scenario)
    by = tuple(_by_look(found.look[which], len(shares), runs) for which in (promoted, rolled_back))
    reached = _quantiles(by[0] + by[1])
    return Characteristics(
        scenario,
        how,
        runs,
        rate_of(promoted),
        rate_of(~promoted & ~rolled_back),
        rate_of(rolled_back),
        rate_of(found.blocked),
        rate_of(promoted) if wrong[0] else None,
        rate_of(rolled_back) if wrong[1] else None,
        average_of(found.look),
        average_of(shares[found.look - 1]),
        tuple(None if look is None else float(look + 1) for look in reached),
        tuple(None if look is None else float(shares[look]) for look in reached),
        average_of(found.units),
        average_of(found.treated),
        tuple(by[0].tolist()),
        tuple(by[1].tolist()),
        _note(setting, scenario),
    )


def _by_look(looks: npt.NDArray[np.intp], count: int, runs: int) -> Float64Array:
    return np.cumsum(np.bincount(looks - 1, minlength=count)) / runs


def _quantiles(ended: Float64Array) -> list[int | None]:
    """The first look by which these shares of all runs had a verdict."""
    reached = [np.flatnonzero(ended >= q - 1e-12) for q in QUANTILES]
    return [int(looks[0]) if looks.size else None for looks in reached]


def _wrong(setting: Setting, scenario: Scenario) -> tuple[bool, bool]:
    """Whether a promotion is wrong, and whether a rollback is."""
    shown, harmless = dict[str, bool](), True
    for name, metric in setting.plan.metrics.items():
        drift, effect = setting.drifts[name], scenario.effects.get(name, 0.0)
        tolerated = drift.margin / drift.unit if drift.unit else 0.0
        if metric.role == "success":
            shown[name], harmless = effect > tolerated, harmless and effect >= 0
        elif metric.role == "guardrail":
            shown[name], harmless = effect > -tolerated, harmless and effect >= -tolerated
        elif metric.role == "deterioration":
            harmless = harmless and effect >= -tolerated
    tree = promotion_of(setting.plan)
    return tree is not None and not tree.holds(shown), harmless


def _note(setting: Setting, scenario: Scenario) -> str | None:
    """What the reader of a row should know."""
    plan, shares = setting.plan, allocation_of(setting.plan)
    control = setting.last * shares[plan.control]
    if scenario.events is not None:
        return f"{min(scenario.events, control / 2):g} of the control's {control:,.0f} units have an event"
    if scenario.missing is not None and (scenario.missing == plan.control or len(shares) == 2):
        return f"the log has no units of {scenario.missing!r}, so it is refused: there is no verdict"
    if scenario.autocorrelation:
        return "units are not independent, as every test of the plan takes them to be; its statements do not cover this"
    if scenario.ramp is not None:
        return "shares that change are not those planned, which the check of the sample ratio finds and blocks"
    if scenario.duplicates:
        found = "left out by the plan's `key`" if plan.key else "counted twice, since the plan has no `key`"
        return f"{scenario.duplicates:.0%} of the rows come twice and are {found}"
    return None
