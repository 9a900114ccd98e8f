"""Foresee: what happens next, simulated by published engines before anyone is sent out."""

from zhongshu.foresee.bearing import Side, bears_on
from zhongshu.foresee.look_ahead import LookAhead, Rule, Told, replay, shown
from zhongshu.foresee.models import Card, Models, Said
from zhongshu.foresee.scenario import Scenario, canonical, check, check_objects, made, parted, read_scenario

__all__ = [
    "Card",
    "LookAhead",
    "Models",
    "Rule",
    "Said",
    "Scenario",
    "Side",
    "Told",
    "bears_on",
    "canonical",
    "check",
    "check_objects",
    "made",
    "parted",
    "read_scenario",
    "replay",
    "shown",
]
