"""Metrics, one kind a file: columns into statistics, statistics into an effect."""

from abkit.metrics._adaptive import checked_propensity as checked_propensity
from abkit.metrics._disagreement import Disagreement as Disagreement
from abkit.metrics._mean import Mean as Mean
from abkit.metrics._metric import Metric as Metric
from abkit.metrics._metric import checked_metrics as checked_metrics
from abkit.metrics._paired import Paired as Paired
from abkit.metrics._paired import shares_of_pairs as shares_of_pairs
from abkit.metrics._paired_proportion import PairedProportion as PairedProportion
from abkit.metrics._proportion import Proportion as Proportion
from abkit.metrics._quantile import Quantile as Quantile
from abkit.metrics._rate import Count as Count
from abkit.metrics._rate import Rate as Rate
from abkit.metrics._ratio import Ratio as Ratio
from abkit.metrics._trend import Trend as Trend

#: Every kind of metric that a plan can name.
KINDS: dict[str, type[Metric]] = {
    kind.kind: kind
    for kind in (Mean, Proportion, Ratio, Quantile, Paired, PairedProportion, Disagreement, Count, Rate, Trend)
}
