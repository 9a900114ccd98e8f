"""What people write: a text that says nothing is known as such, and what would steer a screen is not kept."""

import pytest

from zhongshu.kernel.words import plain, worded


@pytest.mark.parametrize("text", ["", "   ", "\u3000\t\n", "\u200b\u200d\ufeff\u2060", "……！！", "\x00", "\x00\x07", "？？——", "\u3164\uffa0", "\u202e\u2066", "🙂"])
def test_what_has_no_letter_digit_or_ideograph_says_nothing(text: str) -> None:
    assert not worded(text)


@pytest.mark.parametrize("text", ["水", "a", "7", "……水！", "\u200b路灯\u200b", "ﾃ", "é", "𠮷", "٣"])
def test_one_of_them_is_enough(text: str) -> None:
    assert worded(text)


def test_control_characters_are_left_out_and_line_ends_stay() -> None:
    assert plain("路\x00灯\x1b[31m\u202e不\u2069亮\x7f\r\n第二行\t完\x85") == "路灯[31m不亮\n第二行\t完"
    assert plain("👩\u200d🔧 क\u094d\u200dष") == "👩\u200d🔧 क\u094d\u200dष", "what joins letters and pictures is theirs"
