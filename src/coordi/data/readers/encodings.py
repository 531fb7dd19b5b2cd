"""Which encoding a text file has that is not Unicode: judged by the letters it would spell."""

import re
from typing import NamedTuple


class _Spelling(NamedTuple):
    """An encoding, and what letters beyond ASCII look like where it is the right one."""

    codec: str
    name: str
    letters: re.Pattern[str]
    share: float
    """Least share of the letters beyond ASCII that must look so."""


# The first that fits is taken: those whose bytes other languages hardly ever spell come first.
# Windows-1252 takes nearly any bytes, so it is what remains.
_SPELLINGS = (
    _Spelling("euc_jp", "EUC-JP", re.compile(r"[\u3040-\u30ff]"), 0.15),
    _Spelling("cp932", "Shift_JIS", re.compile(r"[\u3040-\u30ff]"), 0.15),
    _Spelling("euc_kr", "EUC-KR", re.compile(r"[\uac00-\ud7a3]"), 0.7),
    _Spelling("big5", "Big5", re.compile(r"[\u4e00-\u9fff]"), 0.8),
    _Spelling("gb18030", "GB18030", re.compile(r"[\u4e00-\u9fff]"), 0.8),
    _Spelling("cp1251", "Windows-1251 (Cyrillic)", re.compile(r"[\u0430-\u044f]"), 0.5),
)

_BEYOND_ASCII = re.compile(r"[^\W\d_\x00-\x7f]")
_WORDS = re.compile(rb"[A-Za-z\x80-\xff]+")
_SAMPLE = 256 * 1024
_DAMAGE = 50  # letters for each place that does not decode: a damaged byte, not another encoding


def guess_encoding(data: bytes) -> tuple[str, str]:
    """Guess the encoding of text bytes that are not UTF-8 → (codec, its name for people)."""
    sample = data[:_SAMPLE]
    sample = sample[: sample.rfind(b"\n") + 1] or sample
    for spelling in _SPELLINGS:
        if _fits(sample, spelling):
            return spelling.codec, spelling.name
    return "cp1252", "Windows-1252 (Latin-1)"


def _fits(sample: bytes, spelling: _Spelling) -> bool:
    text = sample.decode(spelling.codec, "replace")
    beyond = _BEYOND_ASCII.findall(text)
    if not beyond or _DAMAGE * text.count("\ufffd") > len(beyond):
        return False
    alike = sum(spelling.letters.match(letter) is not None for letter in beyond)
    return alike >= spelling.share * len(beyond) and _dense(sample)


def _dense(sample: bytes) -> bool:
    """Whether words are written in bytes beyond ASCII throughout, not with an accent or two.

    In the languages of the table a word with such bytes has hardly any others.
    """
    words: list[bytes] = [word for word in _WORDS.findall(sample) if max(word) > 0x7F]
    high = sum(byte > 0x7F for word in words for byte in word)
    return 2 * high > sum(map(len, words))
