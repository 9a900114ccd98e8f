"""What of a citizen's own words those who handle the matter are shown: all that the work needs, without numbers and names by which the citizen could be called.

Masked are runs of seven digits or more (telephone, identity and account numbers, however they are spaced) and the name after "我叫" and its like. What one says of
a place stays: the work is done there. Whoever answers the citizen reads the words whole.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

HANDLING = frozenset({"handler", "department"})
"""Roles of the units that are complained of, and do the work."""
MASK = "＊＊＊"
_NUMBER = re.compile(r"\+?\d(?:[\s\-–—－()（）.·]{0,2}\d){6,}[xXＸｘ]?")
_NAME_ZH = re.compile(r"((?:我叫|我的名字[是叫]|名叫|姓名[是为]?[:：]?|联系人[是为]?[:：]?)\s*)[\u3400-\u9fff·]{1,6}?(?=[，,。.;；、！!\s]|电话|手机|住|家住|$)")
_NAME_EN = re.compile(r"((?:my name is|i am called|name:)\s+)[A-Z][\w'’-]*(?:\s+[A-Z][\w'’-]*){0,3}", re.IGNORECASE)


def masked(text: str) -> str:
    """Return words without numbers and names by which whoever said them could be called."""
    return _NAME_EN.sub(rf"\1{MASK}", _NAME_ZH.sub(rf"\1{MASK}", _NUMBER.sub(MASK, text)))


def handles(roles: Iterable[str]) -> bool:
    """Tell whether someone only does the work, and is no part of the centre that answers citizens."""
    held = frozenset(roles)
    return bool(held) and held <= HANDLING


def told_to(unit: str, case: Mapping[str, Any], voices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a case's voices as a unit that does the work is told of them: masked where it holds the case or helps with it, else without words and photographs."""
    if unit and (unit == case["unit"] or unit in case["helpers"]):
        return [voice | {"text": voice["text"] and masked(voice["text"])} for voice in voices]
    return [voice | {"text": None, "photos": []} for voice in voices]
