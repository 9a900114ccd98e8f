"""A labelled set that we made: what citizens may say of 28 classes, from 672 phrasings of our own, by seed.

Made, not collected: its figures tell how the proposals stand to each other and when they got worse, not how they will do in a city.
Every third phrasing is kept for testing, so that no tested phrasing was learnt; places, openings and endings are drawn anew for every text.
"""

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PACKS = HERE.parents[1] / "src" / "zhongshu" / "packs"

ROADS = "望江路 解放大道 云汀大街 建设三路 文昌巷 滨河东路 人民南路 长乐街 柳林路 学府路 工业二路 青年路 凤凰大道 中山北路 新桥街 松涛路 金沙路 站前路 和平里 北环路".split()
PLACES = "云汀中心小学 东湖公园 人民医院 万家超市 汽车南站 星河广场 柳林菜市场 第三中学 望江花园小区 金色家园 老年活动中心 体育馆 新华书店 民政局 高铁站 沿江步道 天鹅湾小区 棉纺厂宿舍 建材市场 少年宫".split()
BYROADS = "青松巷 梧桐街 石桥巷 桂花街 红旗巷 染坊街 书院巷 米市街 竹林巷 油坊街 铁匠巷 水井街 槐树巷 丁香街 马蹄巷 茶亭街 砖塔巷 盐仓街 银杏巷 鼓楼街".split()
ESTATES = "望江花园 金色家园 天鹅湾 棉纺厂宿舍 松涛苑 柳岸人家 青年公寓 滨河小区 学府佳苑 云汀新村".split()
TIMES = "今天早上 昨晚 凌晨两点 下午三点多 晚上十点以后 中午 前天夜里 天刚亮 刚才 上班路上".split()

OPENINGS = {
    "train": ["", "", "", "您好，", "你好，", "喂，", "我要投诉，", "麻烦问一下，", "市民来电反映：", "急！", "我想反映个问题，"],
    "test": ["", "", "", "老师您好，", "同志，", "那个啥，", "打了好几次电话了，", "来电人称", "救命啊！", "反映一下，", "不好意思打扰了，"],
}
ENDINGS = {
    "train": ["", "", "。", "，请尽快处理", "，谢谢", "，太气人了！！！", "，没人管吗？", "，希望有关部门重视", "，麻烦了🙏", "，我都打了三次了", "，等回复"],
    "test": ["", "", "！", "，望早日解决", "，辛苦你们了", "，再不管我就找市长", "，到底归谁管啊", "，急急急", "，拜托😭😭", "，俺实在受不了咧", "，盼复，电话联系我"],
}
TYPOS = {
    "的": "得",
    "在": "再",
    "垃圾": "拉圾",
    "没": "莫",
    "路灯": "路登",
    "水": "氺",
    "已经": "以经",
    "很": "狠",
    "坏": "怀",
    "做": "作",
    "噪音": "燥音",
    "一直": "一值",
    "全": "全全",
}
SPOKEN = {"没人管": "冇人管", "怎么": "咋", "什么": "啥", "我们": "俺们", "不知道": "晓不得", "厉害": "凶得很", "孩子": "细伢子"}


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrasing with its slots open; `hard`: it speaks of several things or denies one."""

    class_: str
    text: str
    hard: bool
    half: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text, its class, and whether it is a hard one."""

    text: str
    class_: str
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """A class of a catalogue: its code, its names and its words."""

    class_: str
    zh: str
    en: str
    words: tuple[str, ...]


def catalogue() -> list[Named]:
    """Read the classes of every pack's dispatch catalogue."""
    rows = [row for path in sorted(PACKS.glob("*/dispatch.csv")) for row in csv.DictReader(path.read_text("utf-8").splitlines())]
    return [Named(row["class"], row["zh"], row["en"], tuple(word for word in row["words"].split(";") if word)) for row in rows]


def phrasings() -> Iterator[Phrase]:
    """Read our phrasings; every third of a class is kept for testing."""
    class_, count = "", 0
    for line in (HERE / "phrasings.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            class_, count = line.strip("[]"), 0
        elif line and not line.startswith("#"):
            count += 1
            yield Phrase(class_, line.lstrip("~"), line.startswith("~"), "test" if count % 3 == 0 else "train")


def home(chance: random.Random) -> str:
    """Make a home's address."""
    return f"{chance.choice(ESTATES)}{chance.randint(1, 28)}号楼{chance.randint(1, 4)}单元{chance.randint(1, 18)}0{chance.randint(1, 4)}"


def spoil(text: str, chance: random.Random) -> str:
    """Write a text as people do in a hurry: a wrong character, a lost one, a doubled one, a word of their own speech, wide digits."""
    kind = chance.random()
    if kind < 0.12:
        wrong = [word for word in TYPOS if word in text]
        return text.replace(word := chance.choice(wrong), TYPOS[word], 1) if wrong else text
    if kind < 0.2:
        spoken = [word for word in SPOKEN if word in text]
        return text.replace(word := chance.choice(spoken), SPOKEN[word]) if spoken else text
    if kind < 0.28:
        at = chance.randrange(len(text))
        return text[:at] + text[at + 1 :]
    if kind < 0.33:
        at = chance.randrange(len(text))
        return text[:at] + text[at] * 2 + text[at + 1 :]
    return text.translate({ord("0") + i: ord("０") + i for i in range(10)}) if kind < 0.38 else text


def fill(phrase: str, chance: random.Random, **known: str) -> str:
    """Fill a phrasing's slots; `known` gives the place, the road or the home where they are fixed."""
    slots = {
        "road": chance.choice(ROADS),
        "place": chance.choice(PLACES),
        "door": home(chance),
        "n": str(chance.randint(2, 30)),
        "t": chance.choice(TIMES),
    }
    return phrase.format_map(slots | known)


def say(phrase: Phrase, chance: random.Random, **known: str) -> str:
    """Make a text of a phrasing, as one person might say it."""
    half = phrase.half
    return chance.choice(OPENINGS[half]) + spoil(fill(phrase.text, chance, **known), chance) + chance.choice(ENDINGS[half])


def texts(half: str, each: int, seed: int = 7) -> list[Labelled]:
    """Return `each` texts of every phrasing of a half (train or test), in an order of no meaning."""
    chance = random.Random(f"{seed} {half}")
    made = [Labelled(say(phrase, chance), phrase.class_, phrase.hard) for phrase in phrasings() if phrase.half == half for _ in range(each)]
    chance.shuffle(made)
    return made
