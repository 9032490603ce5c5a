"""How many units, how large an effect, how much power: any two give the third."""

from abkit.power._clusters import clusters as clusters
from abkit.power._many_variants import many_variants as many_variants
from abkit.power._means import two_means as two_means
from abkit.power._paired import paired as paired
from abkit.power._proportions import two_proportions as two_proportions
from abkit.power._quantile import quantile as quantile
from abkit.power._question import Common as Common
from abkit.power._ranks import ranks as ranks
from abkit.power._ranks import superiority as superiority
from abkit.power._rates import two_rates as two_rates
from abkit.power._ratios import two_ratios as two_ratios
from abkit.power._regression import regression as regression
from abkit.power._result import NoSolution as NoSolution
from abkit.power._result import PowerResult as PowerResult
