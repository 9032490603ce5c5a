"""Monitors: when evidence is looked at, and what that costs; and what stays right however often one looks."""

from abkit.sequential._anytime_valid import AnytimeValid as AnytimeValid
from abkit.sequential._bayesian import Bayesian as Bayesian
from abkit.sequential._cdf_band import CdfBand as CdfBand
from abkit.sequential._combination import CombinationResult as CombinationResult
from abkit.sequential._combination import Reestimate as Reestimate
from abkit.sequential._combination import combination_test as combination_test
from abkit.sequential._combination import reestimate as reestimate
from abkit.sequential._confidence_sequence import confidence_sequence as confidence_sequence
from abkit.sequential._counts_sequence import CountSequence as CountSequence
from abkit.sequential._counts_sequence import count_sequence as count_sequence
from abkit.sequential._delayed import DelayedDesign as DelayedDesign
from abkit.sequential._design import Design as Design
from abkit.sequential._evalues import e_bh as e_bh
from abkit.sequential._evalues import e_lond as e_lond
from abkit.sequential._evalues import e_to_p as e_to_p
from abkit.sequential._evalues import merge_evalues as merge_evalues
from abkit.sequential._evalues import p_to_e as p_to_e
from abkit.sequential._fixed_horizon import FixedHorizon as FixedHorizon
from abkit.sequential._group_sequential import GroupSequential as GroupSequential
from abkit.sequential._group_sequential_design import group_sequential_design as group_sequential_design
from abkit.sequential._linear_sequence import anytime_f_test as anytime_f_test
from abkit.sequential._linear_sequence import linear_sequence as linear_sequence
from abkit.sequential._look import Look as Look
from abkit.sequential._normal_sequences import asymptotic_sequence as asymptotic_sequence
from abkit.sequential._normal_sequences import msprt_test as msprt_test
from abkit.sequential._operating import Stopping as Stopping
from abkit.sequential._repeated import RepeatedResult as RepeatedResult
from abkit.sequential._sequence import ConfidenceSequence as ConfidenceSequence
from abkit.sequential._srm_sequence import SrmSequence as SrmSequence
from abkit.sequential._srm_sequence import srm_sequence as srm_sequence
from abkit.sequential._stagewise import StoppedResult as StoppedResult

Monitor = FixedHorizon | GroupSequential | AnytimeValid | Bayesian

#: Every kind of monitor that a plan can name.
KINDS: dict[str, type[Monitor]] = {kind.kind: kind for kind in (FixedHorizon, GroupSequential, AnytimeValid, Bayesian)}
