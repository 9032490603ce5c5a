"""python jzs.py > jzs.json: Bayes factors of a t statistic with a Cauchy prior of the effect, by mpmath in 30 places.

The density of t given the effect is the noncentral t in confluent hypergeometric functions, which is integrated over
the Cauchy prior: another way than the mixture over variances of Rouder et al. (2009).
"""

import json
import sys

import mpmath as mp

mp.mp.dps = 30
CASES = [(0, 18, 5), (2, 38, 10), (-0.5, 8, 2.5), (6, 1000, 250), (12, 25, 9), (0.01, 2, 0.75), (3, 100, 1e4)]
SCALES = (mp.sqrt(0.5), mp.mpf(1), mp.mpf("0.1"))


def ratio(t, df, shift):
    """The density of the noncentral t at t, as a share of that of the central one."""
    total = df + t * t
    z = shift * shift * t * t / (2 * total)
    odd = mp.sqrt(2) * shift * t / mp.sqrt(total) * mp.hyp1f1(df / 2 + 1, mp.mpf(3) / 2, z)
    return mp.exp(-shift * shift / 2) * (
        odd * mp.gamma(df / 2 + 1) / mp.gamma((df + 1) / 2) + mp.hyp1f1((df + 1) / 2, mp.mpf(1) / 2, z)
    )


def sides(t, df, size, scale):
    """The integrals over effects below and above zero, cut where the likelihood is."""
    t, df, size = map(mp.mpf, (t, df, size))
    root = mp.sqrt(size)
    centre, spread = t / root, mp.sqrt(1 + t * t / df) / root

    def f(effect):
        return ratio(t, df, effect * root) * scale / (mp.pi * (scale**2 + effect**2))

    cuts = sorted({mp.mpf(0), *(centre + k * spread for k in (-28, -14, -9, -6, -4, -2, -1, 0, 1, 2, 4, 6, 9, 14, 28))})
    cuts = sorted({*cuts, *(sign * k * scale for sign in (-1, 1) for k in (0.25, 1) if cuts[0] < k * scale < cuts[-1])})
    below = mp.quad(f, [c for c in cuts if c <= 0]) if cuts[0] < 0 else mp.mpf(0)
    return below, mp.quad(f, [c for c in cuts if c >= 0])


def rows():
    for t, df, size in CASES:
        for scale in SCALES:
            below, above = sides(t, df, size, scale)
            yield {
                "t": t,
                "df": df,
                "size": size,
                "scale": float(scale),
                "two_sided": float(mp.log(below + above)),
                "greater": float(mp.log(2 * above)),
                "less": float(mp.log(2 * below)),
            }


if __name__ == "__main__":
    print(
        json.dumps({"program": f"mpmath {mp.__version__}", "command": "mpmath.quad", "cases": list(rows())}, indent=1)
    )
    sys.exit(0)
