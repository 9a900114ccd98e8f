"""What a citizen's words are compared by: runs of one to four Chinese characters, and whole words of other scripts.

Every text is made safe first: cut, folded (NFKC, small letters, traditional to simplified by a table), and everything that is no letter parts two runs.
Must never know a class, a case or a place.
"""

import re
import unicodedata
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LONGEST = 4000
"""Characters of a text that are read; a voice keeps no more."""
LONGEST_WORD = 32
ORDERS = 4
_WORD_ORDER = 2
BITS = 16
BUCKETS = 1 << BITS
"""Grams are numbered by hashing, so memory does not grow with what is learnt."""

Numbers = npt.NDArray[np.int64]

_PRIME = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)
_DOWN = np.uint64(64 - BITS)
_WORD = re.compile(r"[^\W\d_]+")
_HAN = ((0x3400, 0xA000), (0xF900, 0xFB00), (0x20000, 0x40000))

_PAIRS = (
    "電电 燈灯 車车 門门 開开 關关 話话 間间 問问 題题 樹树 機机 場场 處处 氣气 煙烟 塵尘 擾扰 聲声 樓楼 層层 蓋盖 補补 壞坏 貓猫 髒脏 亂乱 掃扫 淨净 運运 環环 衛卫 護护 線线 纜缆 墜坠 掛挂 斷断 燒烧 煩烦 請请 幫帮 趕赶 緊紧 報报 難难 過过 橋桥 汙污 溝沟 區区 號号 單单 達达 "
    "棟栋 鄉乡 鎮镇 縣县 園园 廣广 學学 醫医 藥药 買买 賣卖 攤摊 販贩 鋪铺 紅红 綠绿 誌志 訊讯 熱热 凍冻 溫温 戶户 裡里 裏里 邊边 後后 這这 個个 們们 說说 讓让 從从 來来 沒没 無无 還还 對对 時时 點点 鐘钟 現现 發发 響响 嚴严 險险 陽阳 臺台 頂顶 違违 規规 構构 築筑 遷迁 濺溅 "
    "積积 澇涝 滿满 糞粪 壓压 錶表 閥阀 縫缝 彎弯 觸触 風风 傾倾 業业 費费 職职 責责 務务 態态 詢询 證证 辦办 領领 繳缴 貼贴 勞劳 動动 資资 訴诉 騙骗 禮礼 週周 歲岁 兒儿 孫孙 爺爷 媽妈 嗎吗 麼么 樣样 幾几 萬万 錢钱 價价 圍围 擋挡 頭头 臉脸 腳脚 濕湿 餓饿 飯饭 館馆 圖图 書书 "
    "製制 遠远 寬宽 擁拥 擠挤 勢势 轉转 輛辆 貨货 駕驾 駛驶 寫写 誰谁 該该 應应 當当 給给 與与 覺觉 夢梦 鑰钥 鎖锁 鐵铁 鋼钢 鋁铝 銅铜 導导 閃闪 爍烁 滅灭 歸归 屬属 雜杂 腦脑 癢痒 蟲虫 繞绕"
)
_SIMPLER = {ord(pair[0]): pair[1] for pair in _PAIRS.split()}
"""Traditional characters that callers write, and their simplified ones; others stay as they are."""


@dataclass(frozen=True, slots=True)
class Grams:
    """A text's grams: the folded text, and for each gram its number, where it starts, how long it is, and its order: 1 to 4, a whole word as 2."""

    text: str
    numbers: Numbers
    starts: Numbers
    lengths: Numbers
    orders: Numbers

    def shown(self, at: int) -> str:
        """Return the letters of a gram."""
        start = int(self.starts[at])
        return self.text[start : start + int(self.lengths[at])]


def fold(text: str) -> str:
    """Return a text as it is compared: cut, NFKC, small letters, simplified characters. Never raises."""
    return unicodedata.normalize("NFKC", text[:LONGEST])[:LONGEST].lower().translate(_SIMPLER)


def cut(text: str) -> Grams:
    """Cut a text into its grams. Never raises; a text without letters has none."""
    folded = fold(text)
    points = np.frombuffer(folded.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    han = np.zeros(len(points), dtype=bool)
    for low, high in _HAN:
        han |= (points >= low) & (points < high)
    numbers, starts, lengths = _runs(points, han)
    words = [(match.start(), match.group()[:LONGEST_WORD]) for match in _WORD.finditer(_blank(folded, han))]
    numbers.append(np.fromiter((zlib.crc32(word.encode("utf-8", "surrogatepass")) >> (32 - BITS) for _, word in words), dtype=np.int64, count=len(words)))
    starts.append(np.fromiter((start for start, _ in words), dtype=np.int64, count=len(words)))
    lengths.append(np.fromiter((len(word) for _, word in words), dtype=np.int64, count=len(words)))
    orders = np.concatenate([*lengths[:-1], np.full(len(words), _WORD_ORDER, dtype=np.int64)])
    return Grams(folded, np.concatenate(numbers), np.concatenate(starts), np.concatenate(lengths), orders)


def _runs(points: npt.NDArray[np.uint64], han: npt.NDArray[np.bool_]) -> tuple[list[Numbers], list[Numbers], list[Numbers]]:
    numbers, starts, lengths = [], [], []
    rolling, whole = points * _PRIME, han
    for order in range(1, ORDERS + 1):
        if order > 1:
            rolling = (rolling[:-1] ^ (rolling[:-1] >> _HALF)) * _MIX + points[order - 1 :] * _PRIME
            whole = whole[:-1] & han[order - 1 :]
        at = np.flatnonzero(whole)
        mixed = rolling[at]
        mixed = (mixed ^ (mixed >> _HALF)) * _MIX
        numbers.append((mixed >> _DOWN).astype(np.int64))
        starts.append(at)
        lengths.append(np.full(len(at), order, dtype=np.int64))
    return numbers, starts, lengths


def _blank(folded: str, han: npt.NDArray[np.bool_]) -> str:
    """Return the text with its Chinese characters blanked, so that what is left are words of other scripts."""
    if not len(han) or not han.any():
        return folded
    points = np.frombuffer(folded.encode("utf-32-le", "surrogatepass"), dtype="<u4").copy()
    points[han] = ord(" ")
    return points.tobytes().decode("utf-32-le", "surrogatepass")
