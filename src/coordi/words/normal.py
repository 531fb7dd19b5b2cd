"""Text brought to one form, with the place of each letter in what was written.

Full width becomes half, capitals small, accents of Latin letters go, hiragana becomes katakana,
small kana large, and the common traditional Chinese characters (and their Japanese forms) become
simplified. Tables and queries go through the same steps, so that only equality has to be asked.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

_RUN = re.compile(r"[^\W_]+|\S")
_JOINERS = frozenset("-'/._*+’`´")
_MARKS = frozenset("\ufe0e\ufe0f\u200d\u200b\u3099\u309a\uff9e\uff9f")

_HAN = (
    "紅红綠绿緑绿藍蓝黃黄黑黑黒黑銀银銅铜連连裙裙褲裤襯衬長长無无鞋鞋襪袜圍围巾巾領领裝装"
    "洋洋條条紋纹點点圖图純纯絲丝綢绸緞缎麻麻棉棉絨绒線线織织針针蕾蕾蓋盖寬宽鬆松緊紧"
    "運运動动風风衣衣鏡镜錶表帶带釦扣鈕钮鍊链鏈链釘钉鑽钻珠珠寶宝環环戒戒項项錢钱財财"
    "雙双單单肩肩揹背書书購购物物雨雨傘伞內内褻亵塑塑腰腰過过膝膝開开叉叉邊边繡绣結结"
    "飾饰釣钓禮礼服服婚婚紗纱晚晚約约會会聚聚學学校校辦办公公職职場场試试遊游灘滩滑滑"
    "夏夏鼻鼻氣气質质時时尚尚髦髦復复古古經经簡简約约街街頭头甜甜性性感感優优雅雅華华"
    "貴贵羽羽絨绒襖袄厚厚薄薄輕轻透透氣气彈弹力力歐欧韓韩國国風风兒儿童童嬰婴歲岁與与"
    "沒没這这種种個个無无貓猫豹豹紅红紫紫橘橘橙橙顏颜色色淺浅裸裸膚肤駝驼褐褐圓圆蓮莲"
    "葉叶喇喇燈灯籠笼馬马甲甲帽帽漁渔貝贝雷雷雪雪靴靴涼凉拖拖樂乐樂乐編编藤藤細细跟跟"
    "體体絹绢綿绵龍龙灣湾撞撞拚拼補补釦扣鉚铆鬚须蘇苏荷荷蝴蝴園园員员辦办習习車车"
)
_FOLD: dict[int, str] = {ord(a): b for a, b in zip(_HAN[::2], _HAN[1::2], strict=True) if a != b}
_SMALL = "ァアィイゥウェエォオッツャヤュユョヨヮワヵカヶケ"
_FOLD |= {code: chr(code + 0x60) for code in range(0x3041, 0x3097)}
_FOLD |= {ord(a): b for a, b in zip(_SMALL[::2], _SMALL[1::2], strict=True) if a != "ッ"}
_FOLD |= {
    ord(a): b for a, b in zip("ぁぃぅぇぉゃゅょゎゕゖ", "アイウエオヤユヨワカケ", strict=True)
}
_FOLD |= {ord("ヴ"): "ブ", ord("ゔ"): "ブ", ord("œ"): "oe", ord("æ"): "ae", ord("ø"): "o"}
_FOLD |= {ord("ł"): "l", ord("ı"): "i", ord("đ"): "d"}


def _accents() -> dict[int, str]:
    bases = {}
    for code in (*range(0xDF, 0x250), *range(0x1E00, 0x1F00)):
        bare = "".join(c for c in unicodedata.normalize("NFD", chr(code)) if c.isascii())
        if bare and not chr(code).isascii():
            bases[code] = bare.lower()
    return bases


_FOLD |= _accents()
_LATIN_MARKS = re.compile("[\u0300-\u036f\ufe0e\ufe0f\u200b\u200d]")


def normal(text: str) -> str:
    """`text` in the one form; lines, commas and bars stay as they are."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _LATIN_MARKS.sub("", folded.translate(_FOLD))


class Atom(NamedTuple):
    """A word of a script with spaces, one letter of one without, or a sign."""

    text: str
    """As normalised."""
    start: int
    stop: int
    """In the normalised text."""
    spaced: bool
    """A word between blanks, not a letter of Chinese, Japanese or Korean."""
    breaks: bool
    """Punctuation that no name reaches across."""
    after_space: bool


class Normal(NamedTuple):
    """A text, its one form, and where each letter of the form was written."""

    written: str
    text: str
    starts: tuple[int, ...]
    stops: tuple[int, ...]
    atoms: tuple[Atom, ...]

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """The place in `written` of normalised letters `start` to `stop`."""
        return self.starts[start], self.stops[stop - 1]


def read(written: str) -> Normal:
    """Normalise `written`, keep where everything stood, cut it into atoms."""
    if written.isascii():
        text = written.lower()
        places = range(len(text))
        starts, stops = tuple(places), tuple(place + 1 for place in places)
    else:
        text, starts, stops = _mapped(written)
    return Normal(written, text, starts, stops, _atoms(text))


def _mapped(written: str) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    out: list[str] = []
    starts: list[int] = []
    stops: list[int] = []
    for start, stop in _clusters(written):
        piece = normal(written[start:stop])
        out.append(piece)
        starts += [start] * len(piece)
        stops += [stop] * len(piece)
    return "".join(out), tuple(starts), tuple(stops)


def _clusters(written: str) -> list[tuple[int, int]]:
    """Letters with the marks that follow them: normalising must see them together."""
    cuts = [0]
    for place in range(1, len(written)):
        letter = written[place]
        joined = (
            letter in _MARKS
            or unicodedata.combining(letter)
            or "\u1160" <= letter <= "\u11ff"
            or "\U0001f3fb" <= letter <= "\U0001f3ff"
        )
        if not joined:
            cuts.append(place)
    return list(zip(cuts, [*cuts[1:], len(written)], strict=True)) if written else []


def is_letter(sign: str) -> bool:
    """Whether one sign is a letter of Chinese, Japanese or Korean, which are matched one by one."""
    return (
        "\u3041" <= sign <= "\u30ff" or "\u3400" <= sign <= "\u9fff" or "\uac00" <= sign <= "\ud7a3"
    ) or sign == "々"


def _atoms(text: str) -> tuple[Atom, ...]:
    atoms = []
    last = 0
    for piece, start in _runs(text):
        if piece in _JOINERS:
            continue
        stop = start + len(piece)
        sign = not piece.isalnum()
        spaced = not sign and not is_letter(piece[0])
        emoji = sign and unicodedata.category(piece[0]) in ("So", "Sk")
        gap = start > last or start == 0
        atoms.append(Atom(piece, start, stop, spaced, sign and not emoji, gap))
        last = stop
    return tuple(atoms)


def _runs(text: str) -> Iterator[tuple[str, int]]:
    """Words, single letters of Chinese, Japanese, Korean, and signs, each with its place."""
    for found in _RUN.finditer(text):
        run, start = found.group(), found.start()
        if len(run) == 1 or run.isascii():
            yield run, start
            continue
        last = 0
        for place, sign in enumerate(run):
            if is_letter(sign):
                if place > last:
                    yield run[last:place], start + last
                yield sign, start + place
                last = place + 1
        if last < len(run):
            yield run[last:], start + last


def joined(atoms: tuple[Atom, ...] | list[Atom]) -> str:
    """The key of some atoms: words apart by one blank, letters without."""
    out = ""
    before = False
    for atom in atoms:
        out += " " + atom.text if before and atom.spaced else atom.text
        before = atom.spaced
    return out


@lru_cache(maxsize=4096)
def key(word: str) -> str:
    """The key under which a written word is kept, as `joined` makes it from a query."""
    return joined(_atoms(normal(word)))


_BARE = re.compile(r"[a-z0-9 ]+|[^\x00-\x7f]+")


def quick_key(normalised: str) -> str:
    """`key` of a word that is normalised already; most are one run of letters."""
    if _BARE.fullmatch(normalised) and (" " not in normalised or normalised.isascii()):
        return normalised
    return joined(_atoms(normalised))
