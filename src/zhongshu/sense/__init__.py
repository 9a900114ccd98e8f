"""Sense: what the city's devices, departments and citizens know comes in here, is decoded, checked, placed, and made durable."""

from zhongshu.sense.source import Column, Matrix, RequestTable, Source, Wide

__all__ = ["Column", "Matrix", "RequestTable", "Source", "Wide"]
