"""python power_statsmodels.py > power_statsmodels.json"""

import json

import statsmodels
from scipy.optimize import brentq
from statsmodels.stats.power import NormalIndPower, TTestIndPower

ALTERNATIVES = {"two-sided": "two-sided", "larger": "greater", "smaller": "less"}


def lack(n, of, given):
    """What the power has above 0.9."""
    sides = {name: theirs for theirs, name in ALTERNATIVES.items()}
    return of.power(given["mde"], n, given["alpha"], given["ratio"], alternative=sides[given["alternative"]]) - 0.9


cases = []
for test, of in (("student", TTestIndPower()), ("z", NormalIndPower())):
    for alternative, name in ALTERNATIVES.items():
        for d, units, ratio, alpha in (
            (0.5, 50, 1, 0.05),
            (-0.2, 400, 0.25, 0.01),
            (0.03, 9000, 9, 0.1),
            (1.5, 6, 3, 0.2),
        ):
            power = of.power(d, units, alpha, ratio=ratio, alternative=alternative)
            given = {"test": test, "alternative": name, "mde": d, "ratio": ratio, "alpha": alpha}
            cases.append(given | {"n": units, "power": float(power), "solved": "power"})
            wanted = {"two-sided": True, "larger": d > 0, "smaller": d < 0}[alternative]
            if wanted:
                near = of.solve_power(effect_size=d, alpha=alpha, power=0.9, ratio=ratio, alternative=alternative)

                # solve_power has seven digits
                n = brentq(lack, near * (1 - 1e-5), near * (1 + 1e-5), xtol=1e-300, rtol=1e-15, args=(of, given))
                if n * min(ratio, 1) > 2:
                    cases.append(given | {"n": float(n), "power": 0.9, "solved": "n"})

command = "NormalIndPower and TTestIndPower: power, and its root near solve_power"
print(json.dumps({"program": f"statsmodels {statsmodels.__version__}", "command": command, "cases": cases}, indent=1))
