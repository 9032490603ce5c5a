"""Two proportions of highest likelihood under a null, and the variance of the contrast that it tests: for arrays.

Each variant is (weight, proportion, its complement): the units, or their share. `_score_effect` has the same for one
table of counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array

Variant = tuple[Float64Array, Float64Array, Float64Array]
_STEPS, _DIGITS = 80, 4e-16


def difference_variance(control: Variant, treatment: Variant, null: Float64Array) -> Float64Array:
    """Variance of treatment - control where the likelihood is highest with the treatment `null` above the control."""
    low, high = _either(null < 0, (treatment, control), (control, treatment))
    (w, p, q), (v, r, s) = low, high
    gap = np.abs(null)
    if not np.any(gap):
        return np.asarray((w * p + v * r) / (w + v) * (q / v + s / w))
    half = (1 - gap) / 2
    # with both nearer to 1, count failures, so that the smaller number is the one that is found
    upper = w * p + v * r * half / (half + gap) > w * q * half / (1 - half) + v * s
    (w, p, q), (v, r, s) = _either(upper, ((v, s, r), (w, q, p)), (low, high))
    x = np.where(gap == 0, (w * p + v * r) / (w + v), _lower(w * p, w * q, v * r, v * s, gap))
    return np.asarray(x * (1 - x) / w + (x + gap) * (1 - gap - x) / v)


def ratio_variance(control: Variant, treatment: Variant, share: Float64Array) -> Float64Array:
    """Variance of treatment - (1 + share) control where the likelihood is highest with that contrast zero.

    Koopman 1984, Biometrics 40(2), eq. 2, in the failures, so that rates near 1 keep their digits.
    """
    below = share < 0
    scale = np.where(below, np.square(1 + share), 1.0)
    share = np.where(below, -share / (1 + share), share)
    (w, p, q), (v, r, s) = _either(below, (treatment, control), (control, treatment))
    n, successes, failures = w + v, w * p + v * r, v * s
    b = w * q + failures - share * (successes + failures)
    root = np.sqrt(b * b + 4 * n * failures * share)
    x = np.where(b >= 0, (b + root) / (2 * n), 2 * failures * share / np.where(b >= 0, 1.0, root - b))
    success = 2 * successes * (1 + share) / (2 * n - b + root)
    return np.asarray(scale * success * (x / v + (x + share) / w))


def _either(where: npt.NDArray[np.bool_], these: tuple[Variant, Variant], those: tuple[Variant, Variant]) -> Any:
    """The one pair of variants, or the other."""
    return [
        [np.where(where, this, that) for this, that in zip(one, other, strict=True)]
        for one, other in zip(these, those, strict=True)
    ]


def _lower(
    c: Float64Array, miss_c: Float64Array, t: Float64Array, miss_t: Float64Array, gap: Float64Array
) -> Float64Array:
    """Where c / x + t / (x + gap) = miss_c / (1 - x) + miss_t / (1 - gap - x) in the lower half of (0, 1 - gap)."""
    room = 1 - gap
    low, high = np.zeros(gap.shape), room / 2
    slope = miss_c + miss_t / room
    b = c + t - slope * gap
    root = np.sqrt(b * b + 4 * slope * c * gap)
    x = np.where(b >= 0, (b + root) / (2 * slope), 2 * c * gap / np.where(b >= 0, 1.0, root - b))
    x = np.minimum(x, high)
    for _ in range(_STEPS):  # Newton on the reciprocals of both sides, which are nearly straight
        left, rise = _harmonic(c, x, t, x + gap)
        right, fall = _harmonic(miss_c, 1 - x, miss_t, room - x)
        low, high = np.where(left < right, x, low), np.where(left < right, high, x)
        following = x - (left - right) / (rise + fall)
        following = np.where((low < following) & (following < high), following, low + (high - low) / 2)
        done = np.abs(following - x) <= _DIGITS * x
        x = following
        if done.all():
            break
    return x


def _harmonic(a: Float64Array, x: Float64Array, b: Float64Array, y: Float64Array) -> tuple[Float64Array, Float64Array]:
    """1 / (a/x + b/y), and its derivative where x and y move together."""
    weight = a * y + b * x
    return x * y / weight, (a * y * y + b * x * x) / np.square(weight)
