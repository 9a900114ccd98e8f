"""Judge: what is known becomes values, values levels, levels findings; the same from the live cells and from the warehouse."""

from zhongshu.judge import record
from zhongshu.judge.cost import cost, within_limit
from zhongshu.judge.declared import in_force, read_packs
from zhongshu.judge.explain import Explainer, extremes
from zhongshu.judge.indicator import Band, Indicator, read_indicator
from zhongshu.judge.pulse import Pulse
from zhongshu.judge.rule import Rule, read_rule
from zhongshu.judge.sql import heard_sql, panes_sql, parts_sql, to_parts
from zhongshu.judge.statics import Statics
from zhongshu.judge.value import Judge, Values
from zhongshu.judge.watch import Memory, Outcome, Watch, watched

__all__ = [
    "Band",
    "Explainer",
    "Indicator",
    "Judge",
    "Memory",
    "Outcome",
    "Pulse",
    "Rule",
    "Statics",
    "Values",
    "Watch",
    "cost",
    "extremes",
    "heard_sql",
    "in_force",
    "panes_sql",
    "parts_sql",
    "read_indicator",
    "read_packs",
    "read_rule",
    "record",
    "to_parts",
    "watched",
    "within_limit",
]
