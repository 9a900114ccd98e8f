"""Who handles a matter learns what the work needs of a citizen's words, and nothing by which the citizen could be called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.act import masking
from zhongshu.act.masking import MASK, masked, told_to

SAID = [
    ("文汇路垃圾堆了三天，我叫王小明，电话13812345678", f"文汇路垃圾堆了三天，我叫{MASK}，电话{MASK}"),
    ("请打 138-1234-5678 或 021 6234 5678 找我", f"请打 {MASK} 或 {MASK} 找我"),
    ("身份证１１０１０１１９９００３０７７３７８", f"身份证{MASK}"),
    ("证号11010119900307737X。", f"证号{MASK}。"),
    ("我叫阿依古丽电话+86 13812345678", f"我叫{MASK}电话{MASK}"),
    ("My name is John Smith, call +44 20 7946 0958", f"My name is {MASK}, call {MASK}"),
    ("住3栋501室，3天了，井盖 120 厘米宽", "住3栋501室，3天了，井盖 120 厘米宽"),
    ("人民路 1234 号，6 月 30 日 12:30 起", "人民路 1234 号，6 月 30 日 12:30 起"),
    ("没有人来", "没有人来"),
]


@pytest.mark.parametrize(("said", "shown"), SAID)
def test_numbers_and_names_are_masked_and_places_stay(said: str, shown: str) -> None:
    assert masked(said) == shown


@given(st.text(max_size=60), st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True), st.text(max_size=60))
def test_no_telephone_number_survives_whatever_stands_around_it(before: str, number: str, after: str) -> None:
    assert number not in masked(before + number + after)
    assert masked(masked(before + number + after)) == masked(before + number + after)


def test_only_who_holds_a_case_or_helps_with_it_reads_its_voices() -> None:
    voices = [{"text": "我叫王小明，电话13812345678，垃圾没人清", "photos": [{"sha256": "a"}]}]
    case = {"unit": "dept-sanitation", "helpers": ["dept-road"]}
    for unit in ("dept-sanitation", "dept-road"):
        assert told_to(unit, case, voices) == [{"text": f"我叫{MASK}，电话{MASK}，垃圾没人清", "photos": [{"sha256": "a"}]}]
    for unit in ("dept-drainage", ""):
        assert told_to(unit, case, voices) == [{"text": None, "photos": []}]
    assert [masking.handles(roles) for roles in ({"handler"}, {"department", "handler"}, {"handler", "duty_officer"}, {"checker"}, set())] == [True, True, False, False, False]
