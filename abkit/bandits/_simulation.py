"""What a policy cost in an environment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._environment import Environment
from abkit.bandits._policy import IntArray, Policy
from abkit.bandits._records import Records

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCHEMA = "abkit.bandit-simulation/1"
#: Decades before the horizon over which the slope is taken.
LAST = 10


@dataclass(frozen=True, eq=False)
class Regret:
    """Regret after each checkpoint, over the runs.

    Parameters
    ----------
    times : int array, shape (checkpoints,)
        Decisions made.
    mean, stderr : float array, shape (checkpoints,)
        Average of the runs and its standard error, nan where there is one run.
    low, median, high : float array, shape (checkpoints,)
        Quantiles of the runs; between `low` and `high` lies the share `level` of them.
    level : float
    """

    times: IntArray
    mean: Float64Array
    stderr: Float64Array
    low: Float64Array
    median: Float64Array
    high: Float64Array
    level: float


@dataclass(frozen=True, eq=False, repr=False)
class Simulation:
    """What a policy cost in an environment whose truth is known, in many runs.

    Printed, it is a sentence and two tables.

    Parameters
    ----------
    policy : Policy
    environment : Environment
    horizon, runs : int
        Decisions in a run, and how many runs.
    times : int array, shape (checkpoints,)
        After how many decisions regret was kept.
    regrets : float array, shape (checkpoints, runs)
        Pseudo-regret of each run until then.
    shares : float array, shape (checkpoints, arms)
        The share of decisions until then that chose each arm, over all runs.
    pulls : float array, shape (arms, runs)
        How often each arm was chosen in all.
    records : Records or None
        Every decision, where `simulate` was asked to record them.
    """

    policy: Policy[Any]
    environment: Environment
    horizon: int
    runs: int
    times: IntArray
    regrets: Float64Array
    shares: Float64Array
    pulls: Float64Array
    records: Records | None = None

    @property
    def arms(self) -> tuple[str | int, ...]:
        """Names of the arms."""
        return tuple(self.environment.arms)

    @property
    def final_regret(self) -> Float64Array:
        """Pseudo-regret of each run at the horizon."""
        return np.asarray(self.regrets[-1])

    @cached_property
    def regret(self) -> Regret:
        """Regret at the checkpoints, with the band in which 90% of runs lie."""
        return self.bands(0.9)

    def bands(self, level: float = 0.9) -> Regret:
        """Regret at the checkpoints, with the band in which this share of runs lies."""
        level = _check.within("level", level, 0, 1)
        tail = (1 - level) / 2
        low, median, high = np.quantile(self.regrets, [tail, 0.5, 1 - tail], axis=1)
        stderr = self._stderr(self.regrets)
        return Regret(self.times, self.regrets.mean(axis=1), stderr, low, median, high, level)

    @property
    def lower_bound(self) -> Float64Array | None:
        """Lai and Robbins' C ln t at the checkpoints, which no good policy stays below for ever; None without one."""
        constant = self.environment.lai_robbins
        return None if constant is None else constant * np.log(self.times)

    @property
    def slope(self) -> float | None:
        """By how much mean regret grows with ln t: least squares from a tenth of the horizon on.

        To be compared with `environment.lai_robbins`; None with fewer than two checkpoints there.
        """
        found = self._slopes
        return None if found is None else float(found.mean())

    @property
    def slope_stderr(self) -> float | None:
        """Standard error of the slope over the runs; None where there is no slope, or one run."""
        found = self._slopes
        return None if found is None or self.runs == 1 else float(self._stderr(found[None])[0])

    @cached_property
    def _slopes(self) -> Float64Array | None:
        last = self.times * LAST >= self.horizon
        x = np.log(self.times[last])
        if x.size < 2:
            return None
        x -= x.mean()
        return np.asarray(x @ self.regrets[last] / (x @ x))

    def _stderr(self, rows: Float64Array) -> Float64Array:
        if self.runs == 1:
            return np.full(len(rows), np.nan)
        return np.asarray(rows.std(axis=1, ddof=1) / np.sqrt(self.runs))

    def log(self, run: int = 0) -> pd.DataFrame:
        """The log of one run, one row a decision, as a policy in use would write it.

        Parameters
        ----------
        run : int
            Which, from 0.

        Returns
        -------
        pandas.DataFrame
            t (from 0), arm, reward, propensity of that arm, propensity of each arm (`propensity_<arm>`), the
            context (`context_<number>`) where there is one, and `randomised`: whether the policy chooses at
            random. Where it does not, propensities are 0 and 1 but for ties, and inverse-propensity estimates of
            another policy must not be made from the log.

        Raises
        ------
        ValueError
            Decisions were not recorded, or there is no such run.
        """
        from abkit.adapters._tables import to_pandas_columns

        kept = self.kept
        if _check.count("run", run) >= self.runs:
            raise ValueError(f"`run` must be below the number of runs, {self.runs}; got {run}.")
        place, every = kept.places[:, run], kept.propensities[:, :, run]
        columns: dict[str, Any] = {"t": np.arange(self.horizon), "arm": [self.arms[at] for at in place.tolist()]}
        columns |= {"reward": kept.rewards[:, run], "propensity": every[np.arange(self.horizon), place]}
        columns |= {f"propensity_{arm}": every[:, at] for at, arm in enumerate(self.arms)}
        if kept.contexts is not None:
            columns |= {f"context_{at}": column for at, column in enumerate(kept.contexts[:, run].T)}
        return to_pandas_columns(columns | {"randomised": np.full(self.horizon, self.policy.randomised)})

    @property
    def kept(self) -> Records:
        """The recorded decisions of all runs."""
        if self.records is None:
            raise ValueError("`record` must be True in `simulate`, so that decisions are kept.")
        return self.records

    def plot(self, ax: Axes | None = None) -> Axes:
        """Mean regret with its band over decisions, and the lower bound beside it."""
        from abkit.adapters._bandit_plots import plot_regret

        return plot_regret(self, ax)

    def plot_allocation(self, ax: Axes | None = None) -> Axes:
        """The share of each arm over decisions."""
        from abkit.adapters._bandit_plots import plot_allocation

        return plot_allocation(self, ax)

    def figure(self) -> Figure:
        """Both plots side by side."""
        from abkit.adapters._bandit_plots import simulation_figure

        return simulation_figure(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the runs and records, as plain values for JSON; what is not known is None."""
        regret = self.regret
        columns = {name: _plain(getattr(regret, name)) for name in ("mean", "stderr", "low", "median", "high")}
        return {
            "schema": SCHEMA,
            "policy": self.policy.to_dict(),
            "environment": self.environment.to_dict(),
            "horizon": self.horizon,
            "runs": self.runs,
            "arms": list(self.arms),
            "times": self.times.tolist(),
            "regret": {**columns, "level": regret.level},
            "shares": self.shares.tolist(),
            "lai_robbins": self.environment.lai_robbins,
            "slope": self.slope,
            "slope_stderr": self.slope_stderr,
        }

    def __str__(self) -> str:
        from abkit.bandits._simulation_text import text

        return text(self)

    def __repr__(self) -> str:
        return str(self)


def _plain(values: Float64Array) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
