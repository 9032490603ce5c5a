"""abkit: from a logged experiment to a decision.

Every public name is here, and is loaded on first touch, so that importing abkit costs nothing.
"""

from typing import TYPE_CHECKING

from abkit._lazy import attach

if TYPE_CHECKING:
    from abkit import audit as audit
    from abkit import bandits as bandits
    from abkit import bayes as bayes
    from abkit import hooks as hooks
    from abkit import power as power
    from abkit import simulate as simulate
    from abkit._sets import HalfLines as HalfLines
    from abkit._sets import Interval as Interval
    from abkit._sets import NoInterval as NoInterval
    from abkit._sets import WholeLine as WholeLine
    from abkit.adapters._checkpoints import Checkpoints as Checkpoints
    from abkit.adapters._events import FlagEvents as FlagEvents
    from abkit.decision import Decision as Decision
    from abkit.decision import Reason as Reason
    from abkit.decision import State as State
    from abkit.decision import decide as decide
    from abkit.errors import AbkitError as AbkitError
    from abkit.errors import AccuracyWarning as AccuracyWarning
    from abkit.errors import DataError as DataError
    from abkit.errors import MissingDependencyError as MissingDependencyError
    from abkit.errors import PlanError as PlanError
    from abkit.evidence import TestResult as TestResult
    from abkit.experiment import Experiment as Experiment
    from abkit.experiment import Quality as Quality
    from abkit.exposure import ExposureDays as ExposureDays
    from abkit.inference import PoissonBootstrap as PoissonBootstrap
    from abkit.inference import adjust as adjust
    from abkit.inference import balance_test as balance_test
    from abkit.inference import bootstrap_test as bootstrap_test
    from abkit.inference import brunner_munzel_test as brunner_munzel_test
    from abkit.inference import equivalence_test as equivalence_test
    from abkit.inference import exact_test as exact_test
    from abkit.inference import heterogeneity_test as heterogeneity_test
    from abkit.inference import interrupted_series as interrupted_series
    from abkit.inference import mann_whitney_test as mann_whitney_test
    from abkit.inference import mcnemar_test as mcnemar_test
    from abkit.inference import novelty_test as novelty_test
    from abkit.inference import one_sample_test as one_sample_test
    from abkit.inference import paired_test as paired_test
    from abkit.inference import permutation_test as permutation_test
    from abkit.inference import poststratified_test as poststratified_test
    from abkit.inference import proportion_test as proportion_test
    from abkit.inference import quantile_test as quantile_test
    from abkit.inference import rate_test as rate_test
    from abkit.inference import ratio_test as ratio_test
    from abkit.inference import regression_test as regression_test
    from abkit.inference import series_test as series_test
    from abkit.inference import shrink as shrink
    from abkit.inference import signed_rank_test as signed_rank_test
    from abkit.inference import simpson_reversals as simpson_reversals
    from abkit.inference import srm_test as srm_test
    from abkit.inference import student_test as student_test
    from abkit.inference import welch_test as welch_test
    from abkit.inference import z_test as z_test
    from abkit.metrics import Count as Count
    from abkit.metrics import Disagreement as Disagreement
    from abkit.metrics import Mean as Mean
    from abkit.metrics import Metric as Metric
    from abkit.metrics import Paired as Paired
    from abkit.metrics import PairedProportion as PairedProportion
    from abkit.metrics import Proportion as Proportion
    from abkit.metrics import Quantile as Quantile
    from abkit.metrics import Rate as Rate
    from abkit.metrics import Ratio as Ratio
    from abkit.metrics import Trend as Trend
    from abkit.replay import Replay as Replay
    from abkit.replay import aa_replay as aa_replay
    from abkit.report import Report as Report
    from abkit.rule import AllOf as AllOf
    from abkit.rule import AnyOf as AnyOf
    from abkit.rule import Costs as Costs
    from abkit.rule import Rule as Rule
    from abkit.rule import Timing as Timing
    from abkit.sequential import AnytimeValid as AnytimeValid
    from abkit.sequential import Bayesian as Bayesian
    from abkit.sequential import CdfBand as CdfBand
    from abkit.sequential import CombinationResult as CombinationResult
    from abkit.sequential import ConfidenceSequence as ConfidenceSequence
    from abkit.sequential import DelayedDesign as DelayedDesign
    from abkit.sequential import Design as Design
    from abkit.sequential import FixedHorizon as FixedHorizon
    from abkit.sequential import GroupSequential as GroupSequential
    from abkit.sequential import Look as Look
    from abkit.sequential import Reestimate as Reestimate
    from abkit.sequential import RepeatedResult as RepeatedResult
    from abkit.sequential import StoppedResult as StoppedResult
    from abkit.sequential import anytime_f_test as anytime_f_test
    from abkit.sequential import asymptotic_sequence as asymptotic_sequence
    from abkit.sequential import combination_test as combination_test
    from abkit.sequential import confidence_sequence as confidence_sequence
    from abkit.sequential import count_sequence as count_sequence
    from abkit.sequential import e_bh as e_bh
    from abkit.sequential import e_lond as e_lond
    from abkit.sequential import e_to_p as e_to_p
    from abkit.sequential import group_sequential_design as group_sequential_design
    from abkit.sequential import linear_sequence as linear_sequence
    from abkit.sequential import merge_evalues as merge_evalues
    from abkit.sequential import msprt_test as msprt_test
    from abkit.sequential import p_to_e as p_to_e
    from abkit.sequential import reestimate as reestimate
    from abkit.sequential import srm_sequence as srm_sequence
    from abkit.source import Source as Source
    from abkit.strategies import ABTest as ABTest
    from abkit.strategies import Bandit as Bandit
    from abkit.strategies import BlueGreen as BlueGreen
    from abkit.strategies import Canary as Canary
    from abkit.strategies import FeatureFlag as FeatureFlag
    from abkit.strategies import Recreate as Recreate
    from abkit.strategies import Rolling as Rolling
    from abkit.strategies import Shadow as Shadow
    from abkit.strategies import Stage as Stage
    from abkit.strategies import Strategy as Strategy
    from abkit.suffstats import CoMoments as CoMoments
    from abkit.suffstats import Counts as Counts
    from abkit.suffstats import Events as Events
    from abkit.suffstats import Histogram as Histogram
    from abkit.suffstats import Moments as Moments
    from abkit.suffstats import PairedCounts as PairedCounts
    from abkit.trajectory import Trajectory as Trajectory
    from abkit.types import ROWS as ROWS
    from abkit.types import Cap as Cap
    from abkit.types import Sum as Sum
    from abkit.types import relative as relative

__version__ = "0.1.0"

_HOMES = {
    "abkit.adapters._checkpoints": ("Checkpoints",),
    "abkit.adapters._events": ("FlagEvents",),
    "abkit.decision": ("Decision", "Reason", "State", "decide"),
    "abkit.errors": ("AbkitError", "AccuracyWarning", "DataError", "MissingDependencyError", "PlanError"),
    "abkit._sets": ("HalfLines", "Interval", "NoInterval", "WholeLine"),
    "abkit.evidence": ("TestResult",),
    "abkit.experiment": ("Experiment", "Quality"),
    "abkit.exposure": ("ExposureDays",),
    "abkit.inference": (
        "PoissonBootstrap",
        "adjust",
        "balance_test",
        "bootstrap_test",
        "brunner_munzel_test",
        "equivalence_test",
        "exact_test",
        "heterogeneity_test",
        "interrupted_series",
        "mann_whitney_test",
        "mcnemar_test",
        "novelty_test",
        "one_sample_test",
        "paired_test",
        "permutation_test",
        "poststratified_test",
        "proportion_test",
        "quantile_test",
        "rate_test",
        "ratio_test",
        "regression_test",
        "series_test",
        "shrink",
        "signed_rank_test",
        "simpson_reversals",
        "srm_test",
        "student_test",
        "welch_test",
        "z_test",
    ),
    "abkit.metrics": (
        "Count",
        "Disagreement",
        "Mean",
        "Metric",
        "Paired",
        "PairedProportion",
        "Proportion",
        "Quantile",
        "Rate",
        "Ratio",
        "Trend",
    ),
    "abkit.replay": ("Replay", "aa_replay"),
    "abkit.report": ("Report",),
    "abkit.rule": ("AllOf", "AnyOf", "Costs", "Rule", "Timing"),
    "abkit.sequential": (
        "AnytimeValid",
        "Bayesian",
        "CdfBand",
        "CombinationResult",
        "ConfidenceSequence",
        "DelayedDesign",
        "Design",
        "FixedHorizon",
        "GroupSequential",
        "Look",
        "Reestimate",
        "RepeatedResult",
        "StoppedResult",
        "anytime_f_test",
        "asymptotic_sequence",
        "combination_test",
        "confidence_sequence",
        "count_sequence",
        "e_bh",
        "e_lond",
        "e_to_p",
        "group_sequential_design",
        "linear_sequence",
        "merge_evalues",
        "msprt_test",
        "p_to_e",
        "reestimate",
        "srm_sequence",
    ),
    "abkit.source": ("Source",),
    "abkit.strategies": (
        "ABTest",
        "Bandit",
        "BlueGreen",
        "Canary",
        "FeatureFlag",
        "Recreate",
        "Rolling",
        "Shadow",
        "Stage",
        "Strategy",
    ),
    "abkit.suffstats": ("CoMoments", "Counts", "Events", "Histogram", "Moments", "PairedCounts"),
    "abkit.trajectory": ("Trajectory",),
    "abkit.types": ("ROWS", "Cap", "Sum", "relative"),
}
_MODULES = ("audit", "bandits", "bayes", "hooks", "power", "simulate")
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [*sorted(_HOME_OF), *_MODULES, "__version__"]  # noqa: PLE0604 - the names are text
__getattr__ = attach(__name__, _HOME_OF, _MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
