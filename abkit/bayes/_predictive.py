"""How probable a success at the planned end is, from the statistics so far."""

from __future__ import annotations

from typing import Any

from abkit.bayes._compare import compare


def predictive_probability(control: Any, treatment: Any, n: Any, *, threshold: float = 0.975, **compared: Any) -> Any:
    """How probable it is, given the data so far, that the planned end shows the treatment to be better.

    Answers: is it worth going on to the planned n?

    Parameters
    ----------
    control, treatment : Counts, Moments, Events or CoMoments
        Statistics of the data so far, as `compare` takes them.
    n : int, or one for each variant
        Units of each variant at the planned end; of `Events`, exposure. At least what there is already.
    threshold : float
        Success at the end is a posterior probability to be better above this, between 0 and 1.
    **compared
        What else `compare` takes: `prior`, `null`, `direction`, `scale`, `sd`.

    Returns
    -------
    float or float array
        The posterior predictive probability of success, in the shape of the effects.

    Raises
    ------
    ValueError
        A planned end before now, or a threshold that is not between 0 and 1.

    Notes
    -----
    The probability of all data that may come, given those so far, in which P(T > C + null | all data) exceeds the
    threshold [1]_. Successes to come are beta-binomial and events negative binomial: a sum over both variants, exact
    up to 262,144 numbers that may come of either, and in groups of equally many above. Means move by an integral over
    what their variances may become; with variances known, or a prior of the effect, there is a closed form. Pairs of
    counts or of means with unknown variances are taken one after the other, which takes a few milliseconds each.
    It answers for one look, the planned end. It is no error rate, and with a threshold of 0.975 and flat priors it is
    what conditional power becomes when the effect is not assumed but known as far as the data say.

    References
    ----------
    .. [1] Spiegelhalter, Abrams and Myles 2004, Bayesian Approaches to Clinical Trials, sec. 6.6.3.
    .. [2] Saville, Connor, Ayers and Alvarez 2014, Clinical Trials 11(4), sec. 2.

    Examples
    --------
    >>> from abkit import Counts
    >>> from abkit.bayes import predictive_probability
    >>> round(predictive_probability(Counts(1000, 100), Counts(1000, 115), n=5000), 4)
    0.59
    """
    return compare(control, treatment, **compared).predictive_probability(n, threshold=threshold)
