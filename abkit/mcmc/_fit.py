"""Sampling a model, and what may be read from the draws: nothing, where the chains cannot be believed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit import _check
from abkit.adapters._progress import progress as shown
from abkit.errors import DataError, MissingDependencyError
from abkit.evidence import TestResult, tested
from abkit.inference._resample import generator
from abkit.mcmc._diagnostics import Diagnostics, diagnose
from abkit.mcmc._draws import DrawsEffect

if TYPE_CHECKING:
    from abkit._check import Float64Array


@dataclass(frozen=True, repr=False, eq=False)
class Fit:
    """A sampled model: its draws, and whether they can be believed.

    Parameters
    ----------
    data : ArviZ data
        An `arviz.InferenceData`, or from ArviZ 1 on an `xarray.DataTree`: both are read alike, as in
        `fit.data["posterior"]["effect"]`. It stays there for looking also where the fit failed.
    diagnostics : Diagnostics
        The worst of each diagnostic.
    """

    data: Any
    diagnostics: Diagnostics

    @property
    def ok(self) -> bool:
        """Whether every diagnostic is good, so that effects may be read."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, a sentence each."""
        return self.diagnostics.problems

    def draws(self, name: str, **at: object) -> Float64Array:
        """Draws of a parameter, shape (chains, draws) and then its own; `at` chooses by coordinate.

        Raises
        ------
        DataError
            The fit failed; the message names the diagnostics. There is no such parameter.
        """
        self.need_ok()
        posterior = self.data["posterior"]
        if name not in posterior.data_vars:
            raise DataError(f"the model has no {name!r}; it has {', '.join(map(str, posterior.data_vars))}.")
        return np.asarray(posterior[name].sel(at).values if at else posterior[name].values, dtype=np.float64)

    def effect(
        self,
        name: str,
        *,
        control: str | None = None,
        treatment: str | None = None,
        scale: str = "difference",
        **at: object,
    ) -> TestResult:
        """One parameter as the result that rules read.

        Parameters
        ----------
        name : str
            The parameter that is the effect.
        control, treatment : str, optional
            The parameters that are the variants' own means; with them a difference has a relative form.
        scale : str
            What the effect is.
        **at
            Coordinates, where the parameter has several values.

        Raises
        ------
        DataError
            The fit failed.
        """
        draws = self.draws(name, **at)
        if draws.ndim != 2:
            raise DataError(f"`{name}` has several values; choose one by {', '.join(self._dims(name))}.")
        means = {key: self.draws(own, **at) for key, own in (("control", control), ("treatment", treatment)) if own}
        c = means.get("control")
        share = draws / np.abs(c) if c is not None and scale == "difference" and np.all(c != 0) else None
        levels = {key: float(values.mean()) for key, values in means.items()}
        effect = DrawsEffect(draws, share, **levels, scale=scale)
        return tested("mcmc", effect, "two-sided", 0.0, None)

    def need_ok(self) -> None:
        """Raise DataError, naming the diagnostics, where the fit failed."""
        if not self.ok:
            raise DataError(f"the model was not sampled well enough for an answer: {' '.join(self.problems)}")

    def summary(self, **options: Any) -> Any:
        """`arviz.summary(fit.data, **options)`: a table of all parameters, whether the fit is good or not."""
        import arviz as az

        with quiet():
            return az.summary(self.data, **options)

    def _dims(self, name: str) -> list[str]:
        return [str(dim) for dim in self.data["posterior"][name].dims if dim not in ("chain", "draw")]

    def __str__(self) -> str:
        d = self.diagnostics
        found = (
            f"{d.chains} chains of {d.draws:,} draws: R-hat {d.rhat:.3f} at most, {min(d.ess_bulk, d.ess_tail):,.0f} "
            f"effective draws at least, {d.divergences} divergences, E-BFMI {d.bfmi:.2f}"
        )
        return "\n".join([found, *(f"PROBLEM: {problem}" for problem in self.problems)])

    __repr__ = __str__


def compiled(model: Any) -> Compiled:
    """A PyMC model, or a function that makes one, compiled for the sampler; new data go in by its `with_data`.

    Raises
    ------
    MissingDependencyError
        PyMC, ArviZ or nutpie is not installed.
    """
    need_pymc()
    import nutpie

    with quiet():
        made = model() if callable(model) and not hasattr(model, "free_RVs") else model
        free = [variable.name for variable in made.free_RVs]
        names = [*free, *(variable.name for variable in made.deterministics)]
        result = nutpie.compile_pymc_model(made, var_names=names)
    return Compiled(result, tuple(free))


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A model ready to be sampled, and the names of its parameters that are not made of others."""

    model: Any
    free: tuple[str, ...]

    def with_data(self, **values: object) -> Compiled:
        """The same model with other values of its `pymc.Data`."""
        return Compiled(self.model.with_data(**values), self.free)


def sample_model(  # noqa: PLR0913 - what sampling depends on
    model: Any,
    *,
    rng: np.random.Generator,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    target_accept: float = 0.9,
    progress: bool = True,
) -> Fit:
    """Draws of a model's posterior by the no-U-turn sampler, with their diagnostics.

    Parameters
    ----------
    model : pymc.Model, what `compiled` made of one, or a function without arguments that makes either
    rng : numpy.random.Generator
        The source of all randomness: the same generator gives the same draws, on any number of cores.
    draws, tune : int
        Draws kept and draws for tuning, a chain.
    chains : int
        At least two, so that they can disagree.
    cores : int, optional
        Chains that run at once; by default as many as there are processors.
    target_accept : float
        Nearer 1 means smaller steps: slower, with fewer divergences.
    progress : bool
        Whether a terminal or a notebook shows how far each chain is, with its divergences.

    Returns
    -------
    Fit

    Raises
    ------
    MissingDependencyError
        PyMC, ArviZ or nutpie is not installed.
    DataError
        No starting point has a finite density: the data contradict the model.

    Notes
    -----
    The sampler is that of nutpie, compiled by Numba: it needs no C compiler, and its chains are threads. A fit is
    good when rank-normalised split R-hat is below 1.01, bulk and tail effective sample sizes are at least 400 [1]_,
    no step diverged and E-BFMI is at least 0.3 [2]_, each for the worst parameter or chain.

    References
    ----------
    .. [1] Vehtari, Gelman, Simpson, Carpenter and Bürkner 2021, Bayesian Analysis 16(2), sec. 4.
    .. [2] Betancourt 2016, arXiv:1604.00695, sec. 4.
    """
    seed = int(generator(rng).integers(2**63))
    settings = {
        "draws": _check.count("draws", draws, 4),
        "tune": _check.count("tune", tune, 1),
        "chains": _check.count("chains", chains, 2),
        "cores": min(chains, os.cpu_count() or 1) if cores is None else _check.count("cores", cores, 1),
        "target_accept": _check.within("target_accept", target_accept, 0, 1),
    }
    need_pymc()
    import nutpie

    with _shown(progress, "compiling the model"), quiet():
        ready = _ready(model)
    with quiet():
        try:
            data = nutpie.sample(ready.model, seed=seed, save_warmup=False, progress_bar=progress, **settings)
        except RuntimeError as error:
            raise DataError(f"the model could not be sampled: {_check.short(str(error))}.") from error
        data = _constrained(data)
        return Fit(data, diagnose(data, ready.free))


def _ready(model: Any) -> Compiled:
    made = model() if callable(model) and not hasattr(model, "free_RVs") else model
    return made if isinstance(made, Compiled) else compiled(made)


def _constrained(data: Any) -> Any:
    """Without the parameters on the sampler's own scale, which some versions add."""
    posterior = data["posterior"]
    kept = {name: posterior[name] for name in posterior.data_vars if not str(name).endswith("__")}
    return data if len(kept) == len(posterior.data_vars) else replaced(data, "posterior", kept)


def add_groups(data: Any, groups: Mapping[str, Mapping[str, Any]]) -> Any:
    """ArviZ data with more groups, each a mapping from names to `xarray.DataArray`, of either major."""
    import xarray as xr

    with quiet():
        for name, values in groups.items():
            found = xr.Dataset(dict(values))
            if hasattr(data, "add_groups"):
                data.add_groups({name: found})
            else:
                data[name] = xr.DataTree(found)
    return data


def replaced(data: Any, name: str, values: Mapping[str, Any]) -> Any:
    """ArviZ data with other values in one of its groups."""
    import xarray as xr

    found = xr.Dataset(dict(values), attrs=dict(data[name].attrs))
    if hasattr(data, "add_groups"):
        setattr(data, name, found)
    else:
        data[name] = xr.DataTree(found)
    return data


def need_pymc() -> None:
    """Refuse in one sentence where the libraries are not installed."""
    try:
        with quiet():
            import arviz
            import nutpie
            import pymc

            del arviz, nutpie, pymc
    except ImportError as error:
        raise MissingDependencyError(
            "this model needs PyMC, ArviZ and nutpie: install abkit-experiments[bayes], or all three of them."
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """What these libraries warn about themselves and each other is not for their user's user."""
    with warnings.catch_warnings():
        for library in ("arviz", "numba", "nutpie", "pymc", "pytensor", "xarray"):
            warnings.filterwarnings("ignore", module=rf"{library}(\.|_|$)")
        yield


def _shown(progress: bool, what: str) -> AbstractContextManager[Callable[[float], None]]:
    return shown(what) if progress else nullcontext(lambda share: None)  # noqa: ARG005
