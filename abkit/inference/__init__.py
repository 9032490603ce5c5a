"""Hypothesis tests, one family a file."""

from abkit.inference._holm import Adjusted as Adjusted
from abkit.inference._holm import holm as holm
from abkit.inference._linear import Arm as Arm
from abkit.inference._linear import linear_effect as linear_effect
from abkit.inference._linear import mean_arm as mean_arm
from abkit.inference._linear import ratio_arm as ratio_arm
from abkit.inference._linear import variance_kept as variance_kept
from abkit.inference._proportion import proportion_test as proportion_test
from abkit.inference._ratio import ratio_test as ratio_test
from abkit.inference._srm import SrmResult as SrmResult
from abkit.inference._srm import srm_test as srm_test
from abkit.inference._welch import student_test as student_test
from abkit.inference._welch import welch_test as welch_test
from abkit.inference._welch import z_test as z_test
