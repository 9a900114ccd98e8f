"""Foresee: what happens next, simulated by published engines before anyone is sent out."""

from zhongshu.foresee import docket
from zhongshu.foresee.bearing import APART, GEOGRAPHIC, NOTHING_NEAR, Side, bears_on, drawn, side_of, touched
from zhongshu.foresee.forecast import SOURCE, Forecast, Seen, sighted
from zhongshu.foresee.levers import Wish, meant, wished
from zhongshu.foresee.look_ahead import LookAhead, Rule, Told, replay, shown
from zhongshu.foresee.models import Card, Models, Said
from zhongshu.foresee.outcome import Outcomes
from zhongshu.foresee.rows import Drive, Foreseen, Lever, Outcome, Sight
from zhongshu.foresee.scenario import Change, Coupling, Near, Scenario, Source, canonical, check, check_objects, made, parted, read_scenario
from zhongshu.foresee.skill import HORIZONS, pairs, skill
from zhongshu.foresee.today import Driven, driven

__all__ = [
    "APART",
    "GEOGRAPHIC",
    "HORIZONS",
    "NOTHING_NEAR",
    "SOURCE",
    "Card",
    "Change",
    "Coupling",
    "Drive",
    "Driven",
    "Forecast",
    "Foreseen",
    "Lever",
    "LookAhead",
    "Models",
    "Near",
    "Outcome",
    "Outcomes",
    "Rule",
    "Said",
    "Scenario",
    "Seen",
    "Side",
    "Sight",
    "Source",
    "Told",
    "Wish",
    "bears_on",
    "canonical",
    "check",
    "check_objects",
    "docket",
    "drawn",
    "driven",
    "made",
    "meant",
    "pairs",
    "parted",
    "read_scenario",
    "replay",
    "shown",
    "side_of",
    "sighted",
    "skill",
    "touched",
    "wished",
]
