"""Which encoding a text file has that is not Unicode: judged by the letters it would spell.

East Asian ones are told by their letters alone, all others by `charset-normalizer`."""

import re
from typing import NamedTuple


class _Spelling(NamedTuple):
    """An encoding, and what letters beyond ASCII look like where it is the right one."""

    codec: str
    name: str
    letters: re.Pattern[str]
    share: float
    """Least share of the letters beyond ASCII that must look so."""


# The first that fits is taken: those whose bytes other languages hardly ever spell come first. A
# short list of Japanese names is told more surely so than by the statistics of a language.
_SPELLINGS = (
    _Spelling("euc_jp", "EUC-JP", re.compile(r"[\u3040-\u30ff]"), 0.15),
    _Spelling("cp932", "Shift_JIS", re.compile(r"[\u3040-\u30ff]"), 0.15),
    _Spelling("euc_kr", "EUC-KR", re.compile(r"[\uac00-\ud7a3]"), 0.7),
    _Spelling("big5", "Big5", re.compile(r"[\u4e00-\u9fff]"), 0.8),
    _Spelling("gb18030", "GB18030", re.compile(r"[\u4e00-\u9fff]"), 0.8),
)

WESTERN = "cp1252"
_NAMES = {
    "cp1250": "Windows-1250 (Central European)",
    "cp1251": "Windows-1251 (Cyrillic)",
    WESTERN: "Windows-1252 (Latin-1)",
    "cp1253": "Windows-1253 (Greek)",
    "cp1254": "Windows-1254 (Turkish)",
    "cp1255": "Windows-1255 (Hebrew)",
    "cp1256": "Windows-1256 (Arabic)",
    "cp1257": "Windows-1257 (Baltic)",
    "cp874": "Windows-874 (Thai)",
    "koi8_r": "KOI8-R (Cyrillic)",
    "cp866": "code page 866 (Cyrillic)",
    "iso8859_2": "ISO 8859-2 (Central European)",
}
"""Encodings of one byte a letter, among which `charset-normalizer` decides → names for people."""

_LATIN = frozenset(("cp1250", "cp1254", "cp1257", "iso8859_2"))
_WESTERN_LETTERS = frozenset("àâäáãåæçéèêëíìîïñóòôöõøœúùûüßÀÂÄÁÃÅÆÇÉÈÊËÍÎÏÑÓÔÖÕØŒÚÙÛÜªº")
"""Letters that Western European languages use, and seldom others written in Latin letters."""

_MISREAD_POLISH = (
    ("iso8859_2", re.compile(r"[a-zà-ÿ][±¶¼][a-zà-ÿ]")),
    ("cp1250", re.compile(r"[a-zà-ÿ][¹³¿][a-zà-ÿ]")),
)
"""Encoding → what its Polish letters within words become in Windows-1252."""

_CENTRAL = re.compile(
    # ř before a vowel that Danish has not, ě and ů before a letter, č before a vowel or two others
    r"ø[íìáùý]|ì[a-zø\x9a\x9e]|ù[a-zø\x9a\x9e]|è[aáeéiíìoóuúùý]"
    r"|(?<![a-zà-ÿ])è[bcdfghjklmnprstvz]{2}"
    # ť, ľ or ž, the ľ of ISO 8859-2, Romanian ş
    r"|[a-zà-ÿ][\x8d\x9d]|[a-zà-ÿ][¾µ][a-zà-ÿ]|[a-zâãî]º[a-zâãî]"
)
"""What no Western text holds: letters of Windows-1250 and ISO 8859-2 as Latin-1 reads them."""
_CONTESTED = re.compile(r"[àèêëìîïñãåæòõøùû¾º]")
"""Letters that are others in Windows-1250."""
_HOOKED = re.compile(r"[\x8a\x8e\x9a\x9e]")
"""š and ž as Windows writes them."""
_BESIDE_HOOKED = re.compile(r"[øìùè]")
_HUNGARIAN = re.compile(r"õ(?!e)|û")
_HUNGARIAN_TOO = re.compile(r"[áéíóú]")
_NEITHER = re.compile(r"[ãçêàâîëïñåæ]")
"""Letters that neither Hungarian nor Czech text has."""
_WINDOWS = re.compile(r"[\x8a-\x8f\x9a-\x9f]")
_ISO = re.compile(r"[a-zà-ÿ][¹»µ]|¹[a-zà-ÿ]")

_TELLING = 64 * 1024  # bytes of lines with letters beyond ASCII, which tell enough
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
    codec = _of_single_bytes(sample)
    return codec, _NAMES[codec]


def _of_single_bytes(sample: bytes) -> str:
    """The likeliest encoding of one byte a letter, Windows-1252 where others are no likelier."""
    from charset_normalizer import from_bytes

    lines = [line for line in sample.splitlines(keepends=True) if not line.isascii()]
    whole = [line for line in lines if "\ufffd" not in line.decode(WESTERN, "replace")]
    # A line that no Western text holds is a damaged one where most others are none.
    telling = b"".join(whole if 2 * len(whole) > len(lines) else lines)[:_TELLING]
    western = telling.decode(WESTERN, "replace")
    central = _central_european(b"".join(lines)[:_TELLING])
    if central:
        return central
    for codec, misread in _MISREAD_POLISH:
        if misread.search(western):
            return codec
    found = list(from_bytes(telling, cp_isolation=list(_NAMES)))
    if not found:
        return WESTERN
    best = found[0]
    # Of the Latin alphabets Western Europe's is the usual one: "légère" is no "légčre".
    if best.encoding in _LATIN and _WESTERN_LETTERS.issuperset(_BEYOND_ASCII.findall(western)):
        return WESTERN
    as_likely = [
        m.encoding for m in found if (m.chaos, m.coherence) == (best.chaos, best.coherence)
    ]
    return WESTERN if WESTERN in as_likely or str(best) == western else best.encoding


def _central_european(data: bytes) -> str:
    """The encoding of Czech, Slovak, Slovene, Romanian, Hungarian, Lithuanian text, "" of others.

    Their letters are as likely to a statistic of languages as Western ones in a list of names; but
    some stand where no Western language writes what they would be there.
    """
    text = data.decode("latin-1").lower()
    if _dense(data):
        return ""
    if re.search(r"[ðþ]", text) and not _HOOKED.search(text):
        # Lithuanian š and ž beside č, ė or ų; Icelandic has none of those.
        return "cp1257" if re.search(r"[èëø]", text) and not re.search(r"[áíóúý]", text) else ""
    other = _NEITHER.search(text) is not None
    hooked = not other and _HOOKED.search(text) and _BESIDE_HOOKED.search(text)
    hungarian = not other and _HUNGARIAN.search(text) and _HUNGARIAN_TOO.search(text)
    # One slip of the pen in a French catalogue is no Czech.
    central = len(_CENTRAL.findall(text)) * 5 >= max(5, len(_CONTESTED.findall(text)))
    if not (hooked or hungarian or central):
        return ""
    if _WINDOWS.search(text):
        return "cp1250"
    czech_iso = "¾" in text and re.search(r"[ìøù]", text)  # ž there; Czech has no ľ
    return "iso8859_2" if czech_iso or _ISO.search(text) else "cp1250"


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
