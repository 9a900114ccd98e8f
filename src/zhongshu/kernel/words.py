"""What people write: whether it says anything at all, and what of it is kept. Knows characters; never what is said, or of what."""

import unicodedata

from zhongshu.kernel.problem import declare

NO_WORDS = declare(
    "request.no_words",
    "invalid",
    zh=("诉求没有写内容：至少要有一个字、一个字母或一个数字。", "请用几个字写明情况，或附上照片。"),
    en=("The report says nothing: it needs at least one letter, digit or ideograph.", "Write what it is in a few words, or add a photograph."),
)
BLANK, TURNS = frozenset("\u115f\u1160\u3164\uffa0"), frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Hangul's fillers, letters by their class with nothing to be seen; and what turns the direction of the text after it, so that it reads otherwise than it was written."""


def plain(text: str) -> str:
    """Return a text without characters that control a device or turn what follows; line ends and tabs stay."""
    return "".join(one for one in text if one in "\n\t" or (unicodedata.category(one) != "Cc" and one not in TURNS))


def worded(text: str) -> bool:
    """Tell whether a text has a letter, a digit or an ideograph that can be seen."""
    return any(unicodedata.category(one)[0] in "LN" and one not in BLANK for one in text)
