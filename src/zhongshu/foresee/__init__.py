"""Foresee: what happens next, simulated by published engines before anyone is sent out."""

from zhongshu.foresee.bearing import Side, bears_on
from zhongshu.foresee.look_ahead import LookAhead, Rule, Told, replay, shown
from zhongshu.foresee.models import Card, Models, Said
from zhongshu.foresee.scenario import Coupling, Near, Scenario, Source, canonical, check, check_objects, parted, read_scenario

__all__ = [
    "Card",
    "Coupling",
    "LookAhead",
    "Models",
    "Near",
    "Rule",
    "Said",
    "Scenario",
    "Side",
    "Source",
    "Told",
    "bears_on",
    "canonical",
    "check",
    "check_objects",
    "parted",
    "read_scenario",
    "replay",
    "shown",
]
