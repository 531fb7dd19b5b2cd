"""Sentences → token ids by a `tokenizer.json`, without `transformers`."""

import re
import string
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coordi.artifacts import read_json
from coordi.errors import EncoderError
from coordi.models.encoders.tower import Unknown

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_SIGLIP_LENGTH = 64
_CLIP_LENGTH = 77
_MARKS_OF_TEXT = 8
"""More than the tokens that any tokenizer puts around a sentence."""
_UNSTATED = 1_000_000
"""`transformers` writes a length above this where a tokenizer states none."""

Tokens = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Token ids and attention mask, both (B, length)."""


def canonicalise(text: str) -> str:
    """Lower case, no punctuation, single blanks: what SigLIP was trained on (Zhai 2023)."""
    kept = text.lower().translate(str.maketrans("", "", string.punctuation))
    return re.sub(r"\s+", " ", kept).strip()


def text_cleaner(model_type: str, tokenizer_class: str) -> Callable[[str], str]:
    """Choose what happens to a text before the tokenizer, by family.

    SigLIP drops case and punctuation, SigLIP 2 (Gemma's tokenizer) drops case, others nothing.
    """
    if not model_type.startswith("siglip"):
        return str
    second = model_type == "siglip2" or tokenizer_class.startswith(("Gemma", "Siglip2"))
    return str.lower if second else canonicalise


def _cleaner(folder: Path) -> Callable[[str], str]:
    config = read_json(folder / "config.json")
    settings = read_json(folder / "tokenizer_config.json")
    return text_cleaner(str(config.get("model_type", "")), str(settings.get("tokenizer_class", "")))


def open_tokenizer(folder: Path, *, fixed_length: bool) -> Callable[[Sequence[str]], Tokens]:
    """Open a folder's tokenizer.json as a function of sentences.

    `fixed_length` pads every row to the longest length the tower takes, for towers that see no
    mask and were trained so (SigLIP); otherwise rows are padded to the longest among them.
    """
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise EncoderError(f"{folder} has a text tower but no tokenizer.json")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust side raises bare exceptions
        raise EncoderError(f"{path} cannot be read: {error}") from error
    config, settings = (
        read_json(folder / "config.json"),
        read_json(folder / "tokenizer_config.json"),
    )
    length = _length(tokenizer, config, settings)
    pad, token = _padding(tokenizer, folder, settings)
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length if fixed_length else None, pad_id=pad, pad_token=token)
    clean = _cleaner(folder)

    def tokenize(texts: Sequence[str]) -> Tokens:
        cleaned = [clean(text) for text in texts]
        # A batch goes to threads, which takes a single sentence longer than its encoding.
        alone = len(cleaned) == 1
        rows = [tokenizer.encode(cleaned[0])] if alone else tokenizer.encode_batch(cleaned)
        ids = np.array([row.ids for row in rows], np.int64).reshape(len(rows), -1)
        mask = np.array([row.attention_mask for row in rows], np.int64).reshape(len(rows), -1)
        # A tokenizer without start and end marks makes nothing of "": one masked pad stands there.
        return (ids, mask) if ids.shape[1] else (np.full((len(rows), 1), pad), mask_of(len(rows)))

    return tokenize


def open_vocabulary(folder: Path) -> Unknown | None:
    """A folder's tokenizer.json as a function that finds what it does not know in a sentence.

    None where the tokenizer has no mark for the unknown: those that work on bytes make tokens of
    anything, whether the model has learned them or not.
    """
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    model = read_json(path).get("model", {})
    mark = model.get("unk_token") if model.get("type") != "BPE" else None
    if model.get("unk_id") is not None and not model.get("byte_fallback"):
        mark = model["vocab"][model["unk_id"]][0]
    if mark is None:
        return None
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    unknown, clean = tokenizer.token_to_id(mark), _cleaner(folder)

    def find(text: str) -> tuple[str, ...]:
        cleaned = clean(text)
        row = tokenizer.encode(cleaned, add_special_tokens=False)
        return unknown_parts(cleaned, row.ids, row.offsets, unknown)

    return find


def open_limit(folder: Path) -> Callable[[str], str]:
    """A folder's tokenizer.json as a function that finds what of a sentence would be cut off."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    settings = read_json(folder / "tokenizer_config.json")
    length = _length(tokenizer, read_json(folder / "config.json"), settings)
    tokenizer.enable_truncation(length)
    tokenizer.no_padding()
    clean = _cleaner(folder)

    def beyond(text: str) -> str:
        cleaned = clean(text)
        # Most searches: no token is shorter than a letter of ASCII, whatever the vocabulary.
        if cleaned.isascii() and len(cleaned) + _MARKS_OF_TEXT <= length:
            return ""
        row = tokenizer.encode(cleaned)
        end = max((end for _, end in row.offsets), default=0)
        return cleaned[end:].strip() if row.overflowing else ""

    return beyond


def unknown_parts(
    text: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]], unknown: int | None
) -> tuple[str, ...]:
    """The stretches of `text` whose tokens are all `unknown`, once each; punctuation is none."""
    if not ids:
        return (text.strip(),) if text.strip() else ()
    spans: list[list[int]] = []
    for id, (start, end) in zip(ids, offsets, strict=True):
        if id != unknown:
            continue
        if spans and spans[-1][1] == start:
            spans[-1][1] = end
        else:
            spans.append([start, end])
    parts = (_without_punctuation(text[start:end]) for start, end in spans)
    return tuple(dict.fromkeys(part for part in parts if part))


def _without_punctuation(part: str) -> str:
    """From the first letter, number or symbol to the last."""
    says = [place for place, sign in enumerate(part) if unicodedata.category(sign)[0] in "LNS"]
    return part[says[0] : says[-1] + 1] if says else ""


def mask_of(rows: int) -> NDArray[np.int64]:
    """Mask of `rows` sentences that have no token: (rows, 1) zeros."""
    return np.zeros((rows, 1), np.int64)


def _length(tokenizer: "Tokenizer", config: dict[str, Any], settings: dict[str, Any]) -> int:
    """Most tokens of a sentence: tokenizer.json, else its configuration, else the model's."""
    if tokenizer.truncation:
        return int(tokenizer.truncation["max_length"])
    stated = settings.get("model_max_length", _UNSTATED)
    if stated < _UNSTATED:
        return int(stated)
    siglip = str(config.get("model_type", "")).startswith("siglip")
    default = _SIGLIP_LENGTH if siglip else _CLIP_LENGTH
    return int((config.get("text_config") or {}).get("max_position_embeddings", default))


def _padding(tokenizer: "Tokenizer", folder: Path, settings: dict[str, Any]) -> tuple[int, str]:
    """Id and text of the padding token."""
    if tokenizer.padding:
        return int(tokenizer.padding["pad_id"]), str(tokenizer.padding["pad_token"])
    named = settings.get("pad_token") or read_json(folder / "special_tokens_map.json").get(
        "pad_token"
    )
    token = named["content"] if isinstance(named, dict) else named
    for candidate in (token, "<pad>", "[PAD]", "<|endoftext|>"):
        if candidate and (known := tokenizer.token_to_id(candidate)) is not None:
            return int(known), str(candidate)
    raise EncoderError(f"{folder / 'tokenizer.json'} has no padding token; name it in its padding")
