"""Checks at the door: each returns its value or raises a sentence with the name, the rule and what came.

Predicates are positive (`not low < value < high` raises), so that nan never passes.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")
_LONGEST = 60
LARGEST = 1e150
Float64Array = npt.NDArray[np.float64]


def number(name: str, value: object) -> float:
    """A finite real number as float64; refuses types that would lose digits silently."""
    if type(value) is float and math.isfinite(value):
        return value
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (Real, np.number)):
        hint = " Convert it with float() if its digits allow." if type(value).__name__ == "Decimal" else ""
        raise TypeError(f"`{name}` must be a number; got {show(value)}.{hint}")
    _refuse_narrow(name, value)
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise ValueError(f"`{name}` must be finite; got {show(value)}.")
    if isinstance(value, Integral) and int(result) != int(value):
        raise TypeError(f"`{name}` must be exact in 64-bit floating point; got {show(value)}.")
    return result


def within(name: str, value: object, low: float, high: float) -> float:
    """A number strictly between two bounds."""
    result = _maybe_nan(name, value)
    if not low < result < high:
        rule = f"greater than {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
        raise ValueError(f"`{name}` must be {rule}; got {show(value)}.")
    return result


def at_least(name: str, value: object, low: float) -> float:
    """A finite number not below `low`."""
    result = _maybe_nan(name, value)
    if not low <= result < math.inf:
        raise ValueError(f"`{name}` must be at least {low:g}; got {show(value)}.")
    return result


def count(name: str, value: object, low: int = 0) -> int:
    """A whole number not below `low`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, Integral, np.integer)):
        raise TypeError(f"`{name}` must be a whole number; got {show(value)}.")
    if not int(value) >= low:
        raise ValueError(f"`{name}` must be at least {low}; got {show(value)}.")
    return int(value)


def choice(name: str, value: object, options: Collection[T]) -> T:
    """One of the named options."""
    for option in options:
        if type(value) is type(option) and value == option:
            return option
    listed = ", ".join(repr(option) for option in options)
    raise ValueError(f"`{name}` must be one of {listed}; got {show(value)}.{suggest(value, options)}")


def text(name: str, value: object) -> str:
    """A string with something in it."""
    if not isinstance(value, str):
        raise TypeError(f"`{name}` must be text; got {show(value)}.")
    if not value.strip():
        raise ValueError(f"`{name}` must not be empty; got {value!r}.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"`{name}` must be text that UTF-8 can hold; got {show(value)}.")
    return value


def names(name: str, value: object) -> tuple[str, ...]:
    """One name, or several different ones, as a tuple."""
    listed = (value,) if isinstance(value, str) else value
    if isinstance(listed, Mapping) or not isinstance(listed, Iterable):
        raise TypeError(f"`{name}` must be a name or a list of names; got {show(value)}.")
    result = tuple(text(name, item) for item in listed)
    if len(set(result)) != len(result):
        raise ValueError(f"`{name}` must not repeat a name; got {list(result)}.")
    return result


def sample(name: str, values: object, ndim: int | tuple[int, ...] = 1) -> Float64Array:
    """Finite float64 observations; integers and booleans are exact, narrower floats and Decimal are refused."""
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(
            f"`{name}` must hold every value; got a masked array. Leave the masked values out, or fill them."
        )
    try:
        array = np.asarray(values)
    except ValueError:  # NumPy's own sentence does not name the argument
        raise ValueError(f"`{name}` must have rows of one length.") from None
    if array.dtype.kind == "f" and array.dtype != np.float64:
        _refuse_narrow(name, array)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"`{name}` must hold numbers; got an array of {array.dtype}.")
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if array.ndim not in allowed:
        raise ValueError(f"`{name}` must have {' or '.join(map(str, allowed))} dimension(s); got {array.ndim}.")
    result = array.astype(np.float64)
    if array.dtype.kind in "iu" and array.size and max(abs(int(array.max())), abs(int(array.min()))) > 2**53:
        raise TypeError(f"`{name}` must be exact in 64-bit floating point; got integers beyond 2**53.")
    bad = int(np.count_nonzero(~np.isfinite(result)))
    if bad:
        raise ValueError(f"`{name}` must be finite; got {bad} of {result.size} values that are nan or infinite.")
    return result


def observations(name: str, values: object, ndim: int | tuple[int, ...] = 1) -> Float64Array:
    """Observations that can be squared and added."""
    result = sample(name, values, ndim)
    largest = float(max(result.max(initial=0.0), -result.min(initial=0.0)))
    if largest > LARGEST:
        raise ValueError(f"`{name}` must be at most {LARGEST:g} in size, so that squares add up; got {largest:g}.")
    return result


def suggest(value: object, options: Iterable[object]) -> str:
    """' Did you mean 'x'?' when one of the options is close to a text, else nothing."""
    wanted = value[:_LONGEST] if isinstance(value, str) else ""
    near = get_close_matches(wanted, [str(option) for option in options], n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def narrow(name: str, longest: int) -> str:
    """A name in a table or legend: where it is longer, its beginning and its end."""
    tail = longest // 3
    return name if len(name) <= longest else f"{name[: longest - tail - 3]}...{name[-tail:]}"


def show(value: object) -> str:
    """A value as an error message quotes it: short, with its type where that is the trouble."""
    if isinstance(value, (float, np.floating)):
        return f"{float(value):g}"
    if isinstance(value, int) and abs(value) >= 10**_LONGEST:
        return f"a whole number of more than {_LONGEST} digits"
    shown = short(" ".join(_repr(value).split()))
    return shown if isinstance(value, (str, int, type(None))) else f"{shown} ({type(value).__name__})"


def short(text: str) -> str:
    """A text cut to what a message can hold."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _repr(value: object) -> str:
    # that of a structure which repeats its parts could be as long as the memory allows
    limited = reprlib.Repr()
    limited.maxlevel, limited.maxlist, limited.maxdict = 3, 8, 8
    limited.maxstring = limited.maxlong = limited.maxother = 2 * _LONGEST
    return limited.repr(value)


def _maybe_nan(name: str, value: object) -> float:
    if isinstance(value, float) and math.isnan(value):
        return value
    if isinstance(value, float) and math.isinf(value):
        return value
    return number(name, value)


def _refuse_narrow(name: str, value: Any) -> None:
    kind = getattr(value, "dtype", None)
    if kind is not None and kind.kind == "f" and kind != np.float64:
        raise TypeError(
            f"`{name}` must be 64-bit floating point; got {kind}, which has already lost digits. "
            "Compute it in float64, or convert with astype('float64') if that loss is meant."
        )
