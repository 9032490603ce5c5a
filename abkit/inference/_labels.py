"""Labels of groups, such as clusters and strata, as the numbers 0, 1, ..., without a sort where none is needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._check import Float64Array

Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Groups:
    """The group of every row, and how many rows each group has."""

    codes: Codes
    sizes: Codes

    @property
    def count(self) -> int:
        """Number of groups."""
        return len(self.sizes)

    def sums(self, values: Float64Array) -> Float64Array:
        """Sum of the values in each group."""
        if self.count == 1:
            return np.array([values.sum()])
        return np.asarray(np.bincount(self.codes, values, self.count), dtype=np.float64)

    def spread(self, of_groups: Float64Array) -> Float64Array:
        """Each row's value of its group."""
        return of_groups if self.count == 1 else of_groups[self.codes]


def one_group(n: int) -> Groups:
    """All rows in one group; without codes, as every one would be 0."""
    return Groups(np.zeros(0, dtype=np.intp), np.array([n]))


def grouped(name: str, labels: object, sizes: tuple[int, int]) -> Groups:
    """The groups of the control's rows followed by the treatment's, from (control labels, treatment labels)."""
    arrays = [_labels(name, part, size) for part, size in zip(pair(name, labels), sizes, strict=True)]
    if len({_family(array) for array in arrays} - {"O"}) > 1:
        kinds = " and ".join(str(array.dtype) for array in arrays)
        raise TypeError(f"`{name}` must be labels of one type in both variants; got {kinds}.")
    if arrays[0].dtype.kind != arrays[1].dtype.kind:  # NumPy would round large integers to put the two together
        arrays = [array.astype(object) for array in arrays]
    return encoded(np.concatenate(arrays))


def groups_of(name: str, labels: object, size: int) -> Groups:
    """The groups of one variant's rows."""
    return encoded(_labels(name, labels, size))


def pair(name: str, labels: object) -> tuple[object, object]:
    """The labels of the control's rows and of the treatment's."""
    if not isinstance(labels, (tuple, list)) or len(labels) != 2:
        raise TypeError(
            f"`{name}` must be a pair, the control's labels and the treatment's; got {_check.show(labels)}."
        )
    return labels[0], labels[1]


def encoded(labels: npt.NDArray[np.generic]) -> Groups:
    """Groups in no particular order."""
    if labels.dtype.kind in "biu" and labels.size:
        return _of_integers(labels)
    if labels.dtype.kind in "OUS":  # hashed, as a sort of text takes longer and that of mixed objects fails
        numbers: dict[object, int] = {}
        codes = np.fromiter(
            (numbers.setdefault(label, len(numbers)) for label in labels.tolist()), np.intp, len(labels)
        )
    else:
        codes = np.unique(labels, return_inverse=True)[1]
    return Groups(codes, np.bincount(codes))


def _of_integers(labels: npt.NDArray[np.generic]) -> Groups:
    low, high = int(labels.min()), int(labels.max())
    if high - low > 4 * len(labels) + 1000:
        codes = np.unique(labels, return_inverse=True)[1]
        return Groups(codes, np.bincount(codes))
    shifted = (labels.astype(np.int64) if labels.dtype.kind != "u" else labels) - np.asarray(low, labels.dtype)
    shifted = shifted.astype(np.intp)
    sizes = np.bincount(shifted, minlength=high - low + 1)
    used = sizes > 0
    return Groups((np.cumsum(used) - 1)[shifted], sizes[used])


def _labels(name: str, values: object, size: int) -> npt.NDArray[np.generic]:
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"`{name}` must hold every label; got a masked array.")
    array = np.asarray(values)
    if array.shape != (size,):
        raise ValueError(f"`{name}` must hold one label a row, {size}; got shape {array.shape}.")
    if array.dtype.kind not in "biufOUSmM":
        raise TypeError(f"`{name}` must hold numbers or text; got an array of {array.dtype}.")
    missing = int(np.count_nonzero(_missing(array)))
    if missing:
        raise ValueError(f"`{name}` must have a label for every row; got {missing} that are missing.")
    return array


def _missing(array: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    if array.dtype.kind == "O":
        return np.array([label is None or type(label).__name__ == "NAType" or label != label for label in array])  # noqa: PLR0124
    return np.asarray(array != array) if array.dtype.kind in "fmM" else np.zeros(0, dtype=bool)  # noqa: PLR0124


def _family(array: npt.NDArray[np.generic]) -> str:
    return {"u": "i", "f": "i", "b": "i"}.get(array.dtype.kind, array.dtype.kind)
