"""Foresee: what happens next, simulated by published engines before anyone is sent out."""

from zhongshu.foresee.models import Card, Models, Said

__all__ = ["Card", "Models", "Said"]
