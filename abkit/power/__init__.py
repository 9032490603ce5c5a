"""How many units, how large an effect, how much power: any two give the third."""

from abkit.power._means import two_means as two_means
from abkit.power._question import Common as Common
from abkit.power._result import NoSolution as NoSolution
from abkit.power._result import PowerResult as PowerResult
