"""Release strategies, one a file: presets of a plan, with the words for what each can conclude."""

from abkit.strategies._ab_test import ABTest as ABTest
from abkit.strategies._bandit import Bandit as Bandit
from abkit.strategies._blue_green import BlueGreen as BlueGreen
from abkit.strategies._canary import Canary as Canary
from abkit.strategies._feature_flag import FeatureFlag as FeatureFlag
from abkit.strategies._recreate import Recreate as Recreate
from abkit.strategies._rolling import Rolling as Rolling
from abkit.strategies._shadow import Shadow as Shadow
from abkit.strategies._strategy import OBSERVATIONAL as OBSERVATIONAL
from abkit.strategies._strategy import Design as Design
from abkit.strategies._strategy import Ramped as Ramped
from abkit.strategies._strategy import Stage as Stage
from abkit.strategies._strategy import Strategy as Strategy
from abkit.strategies._strategy import Words as Words

#: Every strategy that a plan can name, in the order in which they are compared.
KINDS: dict[str, type[Strategy]] = {
    kind.kind: kind for kind in (Shadow, ABTest, Canary, BlueGreen, Bandit, FeatureFlag, Rolling, Recreate)
}
