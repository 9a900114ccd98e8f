"""Zhongshu 城市中枢: a city is surveyed once; then sense, judge, act, foresee: governed, served."""

__version__ = "0.1.0"
