"""Delayed outcomes: units in the pipeline when recruitment stops, and the decision that waits for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from abkit import _check
from abkit._roots import secant
from abkit.sequential._canonical import Looks, walk
from abkit.sequential._stagewise import StoppedResult, after_stopping, path_of, stopped

if TYPE_CHECKING:
    from abkit.sequential._analysis import Analysed


@dataclass(frozen=True, slots=True)
class DelayedDesign:
    """What decides once the pipeline of an interim stop has come in.

    Parameters
    ----------
    information : tuple of float
        At each interim look.
    final_information : tuple of float
        At the decision that follows a stop at each of them, the pipeline included.
    critical_values : tuple of float
        z at that decision above which there is an effect, whichever bound the stop was at.
    reversal : tuple of float
        Probability, without an effect, of a stop for efficacy whose decision turns out against it; a stop for
        futility whose decision turns out for an effect is as probable, which keeps alpha.

    Examples
    --------
    >>> import abkit as ab
    >>> design = ab.group_sequential_design(alpha=0.025, sides=1, information=[0.5, 1], futility=[0.2, None])
    >>> delayed = design.delayed([0.7])
    >>> [round(c, 3) for c in delayed.critical_values]
    [1.806]
    """

    information: tuple[float, ...]
    final_information: tuple[float, ...]
    critical_values: tuple[float, ...]
    reversal: tuple[float, ...]


def delayed(design: Analysed, final_information: Sequence[float]) -> DelayedDesign:
    """Decision values that make both reversals equally probable (Hampson and Jennison 2013, JRSS B 75(1), sec. 4)."""
    information, interim = design.information, len(design.information) - 1
    at = tuple(_check.sample("final_information", final_information).tolist())
    if len(at) != interim:
        raise ValueError(f"`final_information` must have one value per interim look ({interim}); got {len(at)}.")
    if not all(last > here for last, here in zip(at, information, strict=False)):
        raise ValueError("`final_information` must exceed that of the look; without a pipeline nothing is delayed.")
    if design.sides == 2 or design.futility is None or None in design.futility[:interim]:
        raise ValueError(
            "a decision after a pipeline needs a design of one side with `futility` at every interim look: "
            "it weighs the reversals of one stop against those of the other."
        )
    futility = tuple(-math.inf if bound is None else bound for bound in design.futility)
    looks = walk(information, futility, design.critical_values, (0.0, 0.0))
    found = []
    for k, last in enumerate(at):
        # the look that follows is the decision, not the next interim look
        here = replace(looks[k], information=(*information[: k + 1], last))
        above, below = here.advance(design.critical_values[k], math.inf), here.advance(-math.inf, futility[k])
        found.append(_decision(above, below))
    return DelayedDesign(information[:interim], at, tuple(c for c, _ in found), tuple(math.exp(p) for _, p in found))


def overrun(design: Analysed, statistics: Sequence[float], final: float, information: Sequence[float]) -> StoppedResult:
    """See `Design.overrun`."""
    at = _check.sample("information", information)
    stop = stopped(design, statistics, at[:-1].tolist())
    if not at[-1] > at[-2]:
        raise ValueError("`information` must end with that of the overrun, which is more than at the last look.")
    kept = (*at[: stop.look - 1].tolist(), float(at[-1]))
    return after_stopping(path_of(design, kept, _check.number("final", final)), design.sides, stop.level, stop.crossed)


def _decision(stopped_above: Looks, stopped_below: Looks) -> tuple[float, float]:
    def lack(z: float) -> float:
        return float(stopped_above.log_below(z)) - float(stopped_below.log_above(z))

    value = secant(lack, 1.5, 4.0)
    return value, float(stopped_above.log_below(value))
