"""The JSON of the commands. Keys are only ever added; those of the REST answers, where both are."""

from typing import Any

from coordi.types import Answer, Chip, Garment, Hit, Item, Problem


def item_json(item: Item) -> dict[str, Any]:
    """An item; `image` is its file, null where the store holds the picture or there is none.

    `more` are the files of its further pictures.
    """
    path = item.image.path if item.image else None
    return {
        "id": item.id,
        "title": item.title,
        "description": item.description,
        "fields": dict(item.fields),
        "image": str(path) if path else None,
        "more": [str(ref.path) if ref.path else None for ref in item.more],
        "origin": str(item.origin) if item.origin else None,
    }


def answer_json(answer: Answer) -> dict[str, Any]:
    """A page of hits and how it was found."""
    return {
        "hits": [_hit_json(hit) for hit in answer.hits],
        "total": answer.total,
        "filtered_out": answer.filtered_out,
        "encoder": answer.encoder,
        "fingerprint": answer.fingerprint,
        "index": answer.index,
        "seconds": dict(answer.seconds),
        "more": answer.more,
        "reranker": answer.reranker,
        "reranked": answer.reranked,
        "token": answer.token,
        "without_vector": answer.without_vector,
        "notes": list(answer.notes),
        "suggestion": answer.suggestion,
        "floor": answer.floor,
        "chips": [chip_json(chip) for chip in answer.chips],
        "language": answer.language,
        "garment": None if answer.garment is None else garment_json(answer.garment),
        "garments": [garment_json(garment) for garment in answer.garments],
    }


def chip_json(chip: Chip) -> dict[str, Any]:
    """What one part of a query's words means."""
    names = ("id", "aspect", "value", "text", "start", "stop", "negative", "where")
    return {name: getattr(chip, name) for name in names}


def garment_json(garment: Garment) -> dict[str, Any]:
    """A garment found in a picture, without its mask."""
    return {
        "kind": garment.kind,
        "family": garment.family,
        "box": list(garment.box),
        "score": garment.score,
    }


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {
        "item": item_json(hit.item),
        "score": hit.score,
        "parts": None if hit.parts is None else dict(hit.parts),
        "duplicates": list(hit.duplicates),
        "variants": list(hit.variants),
        "match": hit.match,
        "fused": hit.fused,
        "fusion": None if hit.fusion is None else dict(hit.fusion),
        "words": [
            {"word": one.word, "found": one.found, "fields": list(one.fields)} for one in hit.words
        ],
    }


def problem_json(problem: Problem) -> dict[str, Any]:
    """What could not be used, and how many rows are lost by it."""
    return {
        "file": problem.origin.file,
        "line": problem.origin.line,
        "id": problem.id,
        "column": problem.column,
        "reason": problem.reason,
        "rows": problem.rows,
    }
