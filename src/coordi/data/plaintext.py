"""HTML, as shops keep their descriptions in, to the words that a reader sees."""

import re
from html import unescape

_MARKUP = re.compile(r"<(?:!--|/?[a-zA-Z])")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,31});")
_UNSEEN = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")


def plain_text(text: str) -> str:
    """The words of a text that may be HTML; a text without tags and entities stays as it is."""
    if _MARKUP.search(text):
        text = _TAG.sub(" ", _UNSEEN.sub(" ", text))
        return " ".join(unescape(text).split())
    return unescape(text) if _ENTITY.search(text) else text
