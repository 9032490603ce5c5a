"""Effects whose distribution has a closed form: of two normals, and the ratio of two gammas."""

from __future__ import annotations

from typing import Any

import numpy as np

from abkit._check import Float64Array
from abkit.posterior._beta import Beta
from abkit.posterior._gamma import Gamma
from abkit.posterior._normal import Normal

Looks = tuple[Float64Array, Float64Array, Float64Array]


def closed(control: Any, treatment: Any, scale: str, x: Any) -> Looks | None:
    """Lower tail, upper tail and density of the effect at x; None where there is no closed form."""
    if isinstance(control, Normal) and scale == "difference":
        law = Normal(treatment.location - control.location, np.hypot(control.sd, treatment.sd))
        with np.errstate(under="ignore"):
            return law.cdf(x), law.sf(x), np.exp(law.logpdf(x))
    if isinstance(control, Gamma) and scale == "log ratio":
        # the control's share of both, each on the scale on which its rate is 1, is a beta
        share = Beta(np.asarray(control.k, dtype=np.float64), np.asarray(treatment.k, dtype=np.float64))
        at = np.log(control.rate) - np.log(treatment.rate) - x
        with np.errstate(under="ignore"):
            return share.above(at), share.below(at), np.exp(share.log_peak() - share.deviance(at))
    return None
