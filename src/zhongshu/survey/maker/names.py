"""Invented names, Chinese with their reading in Latin letters. No place, person or company is meant.

It must never know what is named.
"""

from dataclasses import dataclass

import numpy as np

_FIRST = {
    "云": "Yun",
    "汀": "Ting",
    "兰": "Lan",
    "松": "Song",
    "竹": "Zhu",
    "梅": "Mei",
    "荷": "He",
    "桂": "Gui",
    "枫": "Feng",
    "柳": "Liu",
    "桐": "Tong",
    "槐": "Huai",
    "榆": "Yu",
    "锦": "Jin",
    "望": "Wang",
    "听": "Ting",
    "观": "Guan",
    "枕": "Zhen",
    "映": "Ying",
    "晴": "Qing",
    "清": "Qing",
    "澄": "Cheng",
    "碧": "Bi",
    "翠": "Cui",
    "银": "Yin",
    "玉": "Yu",
    "石": "Shi",
    "沙": "Sha",
    "芦": "Lu",
    "菱": "Ling",
    "杏": "Xing",
    "栖": "Qi",
    "鹭": "Lu",
    "鹤": "He",
    "雁": "Yan",
    "鲤": "Li",
    "星": "Xing",
    "月": "Yue",
    "朝": "Zhao",
    "暮": "Mu",
    "春": "Chun",
    "秋": "Qiu",
    "雨": "Yu",
    "霁": "Ji",
    "棠": "Tang",
    "樟": "Zhang",
}
_SECOND = {
    "溪": "xi",
    "湖": "hu",
    "桥": "qiao",
    "湾": "wan",
    "渡": "du",
    "塘": "tang",
    "岭": "ling",
    "坪": "ping",
    "亭": "ting",
    "园": "yuan",
    "林": "lin",
    "泉": "quan",
    "洲": "zhou",
    "港": "gang",
    "屿": "yu",
    "浦": "pu",
    "堤": "di",
    "澜": "lan",
    "台": "tai",
    "坞": "wu",
    "泽": "ze",
    "滩": "tan",
}
_THIRD = {"东": "Dong", "西": "Xi", "南": "Nan", "北": "Bei", "新": "Xin", "上": "Shang", "中": "Zhong", "下": "Xia"}
_TAKEN = {
    "云林",
    "玉林",
    "桂林",
    "兰溪",
    "玉溪",
    "清溪",
    "松溪",
    "清泉",
    "石泉",
    "桐林",
    "柳林",
    "榆林",
    "梅林",
    "沙洲",
    "银台",
    "芦溪",
    "荷塘",
    "月湖",
    "石台",
    "竹溪",
    "玉泉",
    "朝台",
    "清浦",
    "云溪",
    "石林",
    "东台",
    "月亭",
    "雨湖",
    "鹤岭",
    "玉环",
    "松岭",
    "石湾",
    "沙湾",
    "碧湖",
    "云台",
    "锦屿",
    "玉台",
    "观澜",
    "月浦",
    "星桥",
    "枫桥",
    "兰亭",
    "桂园",
    "梅园",
    "竹园",
    "石桥",
    "石塘",
    "石浦",
    "石湖",
    "石岭",
    "沙坪",
    "沙溪",
    "沙塘",
    "沙湖",
    "清湖",
    "清港",
    "清林",
    "鹤洲",
    "鹤湖",
    "鹤塘",
    "梅溪",
    "梅岭",
    "梅湖",
    "梅洲",
    "银湖",
    "银湾",
    "银滩",
    "玉桥",
    "望亭",
    "望湖",
    "枫林",
    "枫溪",
    "枫岭",
    "柳塘",
    "柳湖",
    "桐溪",
    "松林",
    "松浦",
    "荷湖",
    "雁滩",
    "雁湖",
    "云港",
    "云岭",
    "兰洲",
    "石亭",
    "秋林",
    "春湖",
    "菱湖",
    "芦林",
    "芦洲",
    "星湖",
    "杏林",
    "杏园",
    "翠园",
    "翠湖",
    "碧溪",
    "碧泉",
    "锦湖",
    "锦溪",
    "锦林",
    "观湖",
    "樟溪",
    "樟林",
    "松园",
    "柳泉",
    "柳园",
    "梅泉",
    "玉湖",
    "玉园",
    "榆园",
    "槐园",
}
"""Names that well-known real places bear."""


@dataclass(frozen=True, slots=True)
class Word:
    """One invented name and its reading."""

    zh: str
    en: str


CITY = Word("云汀市", "Yunting")
RIVER = Word("云汀江", "Yunting River")
CANAL = Word("听雨河", "Tingyu Canal")
LAKE = Word("镜澜湖", "Jinglan Lake")
RAIL = Word("云汀铁路", "Yunting Railway")
RIVERSIDE = Word("滨河路", "Binhe Road")
DISTRICTS = tuple(
    Word(f"{zh}区", f"{en} District")
    for zh, en in (
        ("望澜", "Wanglan"),
        ("听松", "Tingsong"),
        ("锦屏湖", "Jinpinghu"),
        ("枕河", "Zhenhe"),
        ("松屿", "Songyu"),
        ("澄湾", "Chengwan"),
        ("鹭洲", "Luzhou"),
        ("汀南", "Tingnan"),
        ("碧浦", "Bipu"),
        ("霁月", "Jiyue"),
        ("霁桥", "Jiqiao"),
        ("翠坞", "Cuiwu"),
        ("栖霞坪", "Qixiaping"),
        ("晴川港", "Qingchuangang"),
        ("雁堤", "Yandi"),
        ("棠林", "Tanglin"),
        ("枫泽", "Fengze"),
        ("澄滩", "Chengtan"),
        ("秋渡", "Qiudu"),
        ("汀北", "Tingbei"),
    )
)


class Names:
    """A well of names in an order that chance fixed; no name comes twice for one use."""

    def __init__(self, chance: np.random.Generator) -> None:
        """Shuffle the words once."""
        words = [Word(a + b, _FIRST[a] + _SECOND[b]) for a in _FIRST for b in _SECOND if a + b not in _TAKEN]
        self._words: list[Word] = [words[k] for k in chance.permutation(len(words))]
        self._used: dict[str, int] = {}

    def take(self, use: str) -> Word:
        """Return the next unused word for a use; when all are used, they come again with a side of the compass, then with a number."""
        count = self._used.get(use, 0)
        self._used[use] = count + 1
        turn, at = divmod(count, len(self._words))
        word = self._words[(at + 131 * len(use)) % len(self._words)]
        if turn == 0:
            return word
        sides = list(_THIRD.items())
        if turn <= len(sides):
            zh, en = sides[turn - 1]
            return Word(zh + word.zh, f"{en} {word.en}")
        return Word(f"{word.zh}第{turn - len(sides)}", f"{word.en} No. {turn - len(sides)}")
