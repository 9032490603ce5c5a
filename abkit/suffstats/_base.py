"""What all sufficient statistics share: equality by value and a strict JSON round trip."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._check import Float64Array

IntArray = npt.NDArray[np.int64]
LARGEST_COUNT = 2**53


class Statistics:
    """Frozen statistics of disjoint samples; subclasses are dataclasses that add their fields and `+`."""

    __slots__ = ()
    kind: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, with the kind; `from_dict` gives the same statistics back, bit for bit."""
        values = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]
        return {"kind": self.kind, **values}

    def to_json(self) -> str:
        """The strict JSON of `to_dict`: no NaN, no infinity."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Read what `to_dict` wrote; refuses another kind, and missing or unknown fields."""
        if not isinstance(data, dict):
            raise TypeError(f"`data` must be a dict; got {_check.show(data)}.")
        wanted = {"kind", *(field.name for field in fields(cls))}  # type: ignore[arg-type]
        if set(data) != wanted or data["kind"] != cls.kind:
            raise ValueError(
                f"`data` must have kind {cls.kind!r} and exactly the fields {sorted(wanted)}; "
                f"got kind {data.get('kind')!r} and {sorted(map(str, data))}."
            )
        return cls(**{key: value for key, value in data.items() if key != "kind"})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        try:
            data = json.loads(text, parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            raise ValueError(f"`text` must be JSON; got {_check.show(text)}: {error}.") from None
        return cls.from_dict(data)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)  # type: ignore[arg-type]
        )

    __hash__ = None  # type: ignore[assignment]


def whole_numbers(name: str, value: object) -> int | IntArray:
    """A count, or a frozen array of counts."""
    if not isinstance(value, (np.ndarray, list, tuple)):
        return _limited(name, _check.count(name, value))
    array = np.asarray(value)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"`{name}` must be whole numbers; got an array of {array.dtype}.")
    if array.size:
        _limited(name, int(array.max()))
        if int(array.min()) < 0:
            raise ValueError(f"`{name}` must be at least 0; got {int(array.min())}.")
    frozen: int | IntArray = _frozen(array.astype(np.int64))
    return frozen


def real_numbers(name: str, value: object, tail: tuple[int, ...] = ()) -> float | Float64Array:
    """A finite number, or a frozen array of them, that had 64 bits all along; no groups have any `tail` of axes."""
    if isinstance(value, (np.ndarray, list, tuple)):
        array = np.asarray(value)
        values = _check.sample(name, array.reshape(-1)).reshape(array.shape) if array.size else np.zeros((0, *tail))
        frozen: float | Float64Array = _frozen(values)
        return frozen
    return _check.number(name, value)


def _limited(name: str, value: int) -> int:
    if value > LARGEST_COUNT:
        raise ValueError(f"`{name}` must be at most 2**53; got {value}.")
    return value


def _frozen(array: Any) -> Any:
    """A copy that cannot be written to; without axes, the plain number."""
    if array.ndim == 0:
        return array.item()
    copy = np.array(array)
    copy.flags.writeable = False
    return copy


def same_shape(expected: tuple[int, ...], **arrays: npt.ArrayLike) -> None:
    """Every field must describe the same groups."""
    for name, value in arrays.items():
        if np.shape(value) != expected:
            raise ValueError(f"`{name}` must have shape {expected}; got {np.shape(value)}.")


def scalar(value: Any) -> Any:
    """NumPy scalars and 0-d arrays as plain Python numbers; arrays as they are."""
    return value.item() if np.ndim(value) == 0 and isinstance(value, (np.ndarray, np.generic)) else value


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"strict JSON has no {name}.")
