"""Tables of partially pooled effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from abkit.mcmc._hierarchical_fit import HierarchicalFit


def effects_table(fit: HierarchicalFit, level: float) -> pd.DataFrame:
    """One row an effect, in the order given."""
    import pandas as pd

    results, given, rows = fit.effects, fit.estimates, []
    for name, raw, stderr, pooled in zip(fit.names, given.raw, given.stderrs, fit.pooled, strict=True):
        result = results[name]
        interval = result.interval(level)
        rows.append(
            {
                "name": name,
                "estimate": float(raw),
                "stderr": float(stderr),
                "effect": result.estimate,
                "sd": result.stderr,
                "low": getattr(interval, "low", np.nan),
                "high": getattr(interval, "high", np.nan),
                "pooled": float(pooled),
                "probability_positive": result.effect.pvalue(0.0, "less"),
                "mc_error": fit.mc_error(name),
            }
        )
    return pd.DataFrame(rows)
