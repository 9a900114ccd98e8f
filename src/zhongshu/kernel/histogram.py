"""Percentiles that every engine agrees on: an integer log-linear histogram whose bins are at most 1 % wide.

Below 128 a value is its own bin; above, a bin keeps the leading 7 bits. Negative values mirror the positive ones.
"""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
FINE = 128
"""Values below this (in ticks) are kept exactly."""
ROOM = 1 << 21
"""So many counts are laid out at once."""


def bins(ticks: Ints) -> Ints:
    """Return each value's bin; bins keep the order of values."""
    size = np.abs(ticks)
    shift = np.maximum((size.astype(np.float64).view(np.int64) >> 52) - 1029, 0)  # a double's exponent is the length in bits and 1022
    return np.asarray(np.sign(ticks) * (shift * 64 + (size >> shift)), np.int64)


def value_of(bin_: Ints) -> Ints:
    """Return the value a bin stands for: its middle, in ticks."""
    size = np.abs(bin_)
    shift = np.where(size < FINE, 0, size // 64 - 1)
    lower = np.where(size < FINE, size, (size - shift * 64) << shift)
    return np.asarray(np.sign(bin_) * (lower + ((1 << shift) >> 1)), np.int64)


def tally(group: Ints, bin_: Ints, n: Ints, groups: int) -> tuple[Ints, Ints, Ints]:
    """Return (group, bin, count) of every pair that counts something, by group and bin, from rows whose groups ascend."""
    if not len(n):
        return group, bin_, n
    lowest, out = bin_.min(), []
    held = np.flatnonzero(np.bincount(bin_ - lowest))
    place = np.zeros(held[-1] + 1, np.int64)
    place[held] = np.arange(len(held))
    column, most = place[bin_ - lowest], max(1, ROOM // len(held))
    for first in range(0, groups, most):
        rows = slice(*np.searchsorted(group, [first, first + most]))
        counts = np.bincount((group[rows] - first) * len(held) + column[rows], n[rows]).astype(np.int64)
        some = np.flatnonzero(counts)
        out.append((first + some // len(held), held[some % len(held)] + lowest, counts[some]))
    of, at, count = zip(*out, strict=True)
    return np.concatenate(of), np.concatenate(at), np.concatenate(count)


def percentile(bin_: Ints, n: Ints, starts: Ints, percent: int) -> Ints:
    """Return for each group (starting at `starts`, its bins ascending) the value below which `percent` of its counts lie; 0 for a group that counts nothing."""
    if not len(n):
        return np.zeros(len(starts), np.int64)
    reached = np.cumsum(n)
    before = np.append(0, reached)[starts]
    total = np.append(before[1:], reached[-1:]) - before
    found = np.searchsorted(reached, before - (-total * percent // 100))
    return np.where(total > 0, value_of(bin_[np.minimum(found, len(bin_) - 1)]), 0)
