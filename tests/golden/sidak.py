"""python sidak.py > sidak.json"""

import json

from mpmath import mp, mpf

mp.dps = 40
FAMILIES = [[0.01, 0.04, 0.03, 0.005], [0.05], [1e-300, 0.5, 1e-12, 1.0], [0.0, 1e-17] + [0.25] * 100]


def cases():
    for pvalues in FAMILIES:
        m = len(pvalues)
        yield {
            "pvalues": pvalues,
            "adjusted": [float(1 - (1 - mpf(p)) ** m) if p > 1e-30 else float(m * mpf(p)) for p in pvalues],
            "level": float(1 - (1 - mpf(0.05)) ** (mpf(1) / m)),
        }


print(
    json.dumps(
        {
            "program": f"mpmath {__import__('mpmath').__version__}",
            "command": "1 - (1 - p)^m and 1 - (1 - 0.05)^(1/m) with 40 digits",
            "cases": list(cases()),
        },
        indent=1,
    )
)
