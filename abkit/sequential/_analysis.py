"""What a group-sequential design answers once there are data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from abkit.sequential import _conditional, _delayed, _repeated, _stagewise
from abkit.sequential._boundaries import Bounds
from abkit.sequential._delayed import DelayedDesign
from abkit.sequential._repeated import RepeatedResult
from abkit.sequential._stagewise import StoppedResult

if TYPE_CHECKING:
    from abkit.sequential._plan import Plan


class Analysed:
    """The questions to a design with data; its bounds are the fields of `Design`."""

    alpha: float
    sides: int
    information: Bounds
    critical_values: Bounds
    lower_critical_values: Bounds | None
    futility: tuple[float | None, ...] | None
    binding: bool
    harm: tuple[float | None, ...] | None
    plan: Plan | None

    def stopped(self, statistics: Sequence[float], information: Sequence[float] | None = None) -> StoppedResult:
        """After stopping: stage-wise p-value, interval and median-unbiased estimate.

        Answers: what is the effect, and is there one, when the experiment could have stopped at every look?

        Parameters
        ----------
        statistics : sequence of float, shape (looks so far,)
            z at each look; the experiment stopped at the last of them, or that is as far as it came.
        information : sequence of float, shape (looks so far,), optional
            1/stderr^2 at these looks, as it came out; by default as in the design. It sets the scale of the effect.

        Raises
        ------
        ValueError
            A statistic before the last that had crossed a bound, or information that does not rise.

        Notes
        -----
        Outcomes are ordered by the look, then by z [1]_ [2]_: p(effect) is the probability of crossing the upper bound
        at an earlier look, or of coming to this one with z at least as large. p is p(0), two-sided twice the smaller
        side; the interval's ends have p = (1 - level) / 2 and (1 + level) / 2, the estimate 1/2. Futility that is not
        binding is left out. Stopped for another reason than a bound, this look is taken to have been the last.

        References
        ----------
        .. [1] Tsiatis, Rosner and Mehta 1984, Biometrics 40(3).
        .. [2] Jennison and Turnbull 2000, Group Sequential Methods, sec. 8.4 and 8.5.
        """
        return _stagewise.stopped(self, statistics, information)

    def repeated(self, statistics: Sequence[float], information: Sequence[float] | None = None) -> RepeatedResult:
        """Repeated p-values and confidence intervals: valid at every look, stopped or not.

        Parameters
        ----------
        statistics : sequence of float, shape (looks so far,)
            z at each look.
        information : sequence of float, shape (looks so far,), optional
            1/stderr^2 at these looks, by default as in the design. It sets the scale of the estimate and the intervals;
            where looks were not as planned, ask the `updated` design.

        Raises
        ------
        ValueError
            Information that does not rise, or a design of given bounds, which has no other alpha.

        Notes
        -----
        The interval is estimate -+ critical value / sqrt(information) [1]_; p is the smallest alpha whose bound at the
        look is crossed, with the spending function or the form of the boundary solved again at that alpha. The
        sequential p-value is the smallest of them so far [2]_. Alphas from 1e-300 to 1/2 a side are searched; above, p
        is 1. Binding futility bounds stay where they are at every alpha, and the intervals then count on their
        having been obeyed.

        References
        ----------
        .. [1] Jennison and Turnbull 1989, JRSS B 51(3), eq. 2.
        .. [2] Liu and Anderson 2008, JASA 103(484).
        """
        return _repeated.repeated(self, statistics, information)

    def conditional_power(self, look: int, z: float, effect: float | None = None) -> float:
        """The chance of rejecting at a look to come, given the statistic at this one.

        Parameters
        ----------
        look : int
            At which z was seen, from 1; not the last.
        z : float
            There.
        effect : float, optional
            Under which the chance is meant, in units of 1 / sqrt(information); by default the current estimate,
            z / sqrt(information at the look), which is noisy early on.

        Raises
        ------
        ValueError
            No look is left.

        Notes
        -----
        Exact for any number of looks to come, by the recursion over what is added from here [1]_; with two sides
        rejecting either way counts. Binding futility bounds and bounds for harm are obeyed, others not.

        References
        ----------
        .. [1] Jennison and Turnbull 2000, Group Sequential Methods, sec. 10.2.

        Examples
        --------
        >>> import abkit as ab
        >>> design = ab.group_sequential_design(alpha=0.025, sides=1, information=[30, 60, 90])
        >>> round(design.conditional_power(1, 1.0954, effect=0.25), 4)
        0.611
        """
        return _conditional.conditional_power(self, look, z, effect)

    def predictive_power(self, look: int, z: float, prior: tuple[float, float] | None = None) -> float:
        """Conditional power averaged over what is now believed of the effect.

        Parameters
        ----------
        look : int
            At which z was seen, from 1; not the last.
        z : float
            There.
        prior : (mean, standard deviation), optional
            Of a normal prior of the effect, in units of 1 / sqrt(information); by default a flat one.

        Raises
        ------
        ValueError
            No look is left, or a standard deviation that is not above 0.

        Notes
        -----
        Over a normal effect the statistics to come have again the joint distribution of a group-sequential test, with
        less information: no quadrature over the effect is needed. With one look left and a flat prior it is
        Phi((z - c sqrt(t)) / sqrt(1 - t)) [1]_, t the share of information and c the critical value.

        References
        ----------
        .. [1] Jennison and Turnbull 2000, Group Sequential Methods, sec. 10.3.

        Examples
        --------
        >>> import abkit as ab
        >>> design = ab.group_sequential_design(alpha=0.025, sides=1, information=[30, 60, 90])
        >>> round(design.predictive_power(1, 1.0954), 4), round(design.predictive_power(1, 1.0954, prior=(0, 0.1)), 4)
        (0.4762, 0.1428)
        """
        return _conditional.predictive_power(self, look, z, prior)

    def delayed(self, final_information: Sequence[float]) -> DelayedDesign:
        """Decision values for interim stops whose pipeline of units with outcomes to come is waited for.

        Parameters
        ----------
        final_information : sequence of float, shape (looks - 1,)
            At the decision after a stop at each interim look, the pipeline included.

        Raises
        ------
        ValueError
            Two sides, a look without futility, or information that is not above that of the look.

        Notes
        -----
        Recruitment stops when the interim statistic crosses the upper bound or the futility bound; the decision is made
        once the pipeline has come in, against a critical value of its own, whichever bound it was. It is chosen such
        that without an effect both reversals are equally probable, which keeps the alpha of each look [1]_.

        References
        ----------
        .. [1] Hampson and Jennison 2013, JRSS B 75(1), sec. 4.
        """
        return _delayed.delayed(self, final_information)

    def overrun(self, statistics: Sequence[float], final: float, information: Sequence[float]) -> StoppedResult:
        """A stop that was followed by outcomes nobody had planned to wait for, with those outcomes.

        Report it beside `stopped`, which is the analysis that the design decided by.

        Parameters
        ----------
        statistics : sequence of float, shape (looks so far,)
            z at each look up to the stop.
        final : float
            z with the overrun.
        information : sequence of float, shape (looks so far + 1,)
            At these looks, and with the overrun.

        Raises
        ------
        ValueError
            As in `stopped`, or information that does not rise.

        Notes
        -----
        The deletion method [1]_: the look that stopped is left out, and the analysis with the overrun stands in its
        place in the stage-wise ordering.

        References
        ----------
        .. [1] Whitehead 1992, Controlled Clinical Trials 13(2).

        Examples
        --------
        >>> import abkit as ab
        >>> design = ab.group_sequential_design(alpha=0.05, sides=2, looks=3, boundary="ld-obrien-fleming")
        >>> result = design.overrun([1.2, 2.8], 2.6, information=[400, 800, 900])
        >>> round(result.pvalue, 4), round(result.estimate, 4)
        (0.0094, 0.0866)
        """
        return _delayed.overrun(self, statistics, final, information)
