"""Search: a picture, words, an item, or several of them together → a page of items."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.errors import EncoderError, FingerprintError, QueryError
from coordi.tasks.order import (
    FieldKeys,
    Groups,
    by_field,
    by_likeness,
    by_rows,
    sorted_by,
)
from coordi.tasks.rerank import check_origin, depth_of, reorder
from coordi.types import (
    Answer,
    Encoder,
    Hit,
    Index,
    Item,
    Query,
    Reranker,
    Snapshot,
    Vectors,
)

MOST_HITS = 1000
"""Largest `limit`."""

DEEPEST = 10_000
"""Largest `offset + limit`."""

MOST_SHOWN = 80
"""Characters of a text's cut end that a note shows."""

Vector = NDArray[np.float32]


def search(
    query: Query, *, store: Snapshot, encoder: Encoder, reranker: Reranker | None = None
) -> Answer:
    """Answer a query from the vectors that `encoder` made, all of it at one commit of the store.

    The query's vector is the weighted sum of its parts' unit vectors, scaled to length one; the
    score is the cosine similarity to it. A `reranker` puts the first hits in its own order; see
    `coordi.tasks.rerank`. Raises `QueryError` where the query asks for nothing or
    for something impossible, `EncoderError` where the encoder lacks a part's modality,
    `FilterError`, `NotFoundError` for an item that is not there, and `FingerprintError` where the
    store holds vectors of other encoders only.
    """
    check(query)
    depth = depth_of(query, reranker)
    for field in fields_of(query):
        store.keys(field)  # a field that is not there is an error, whatever is found
    if reranker is not None and depth:
        check_origin(reranker, encoder)
    started = perf_counter()
    try:
        index = store.index(encoder.fingerprint)
    except FingerprintError:
        if store.count():
            raise
        return Answer((), 0, 0, encoder.name, encoder.fingerprint, "exact", token=store.token)
    parts = _parts(query, index, encoder)
    vector, scaled = combine(parts, query.weights)
    encoded = perf_counter()
    page = find(query, index, vector, keys=store.keys, depth=depth, reranker=reranker)
    found = perf_counter()
    items = store.get(page.ids)
    shares = _shares(index.vectors(page.rows), scaled, page.scores) if query.explain else None
    hits = _hits(items, page, shares)
    seconds = {
        "encode": encoded - started,
        "search": found - encoded,
        "fetch": perf_counter() - found,
    }
    return Answer(
        hits,
        index.total,
        index.total - page.allowed,
        encoder.name,
        encoder.fingerprint,
        page.index,
        seconds,
        page.more,
        reranker.name if reranker is not None and depth else "",
        page.reranked,
        token=store.token,
        without_vector=store.count() - index.total,
        notes=_notes(query, encoder),
    )


def _notes(query: Query, encoder: Encoder) -> tuple[str, ...]:
    """What the asker should know of a query's words."""
    text = (query.text or "").strip()
    return (*_unknown_note(query, encoder, text), *_cut_note(encoder, text)) if text else ()


def _cut_note(encoder: Encoder, text: str) -> tuple[str, ...]:
    """What of a text is too long for the encoder."""
    beyond = encoder.cut_from(text)
    if not beyond:
        return ()
    shown = beyond if len(beyond) <= MOST_SHOWN else f"{beyond[:MOST_SHOWN].rstrip()} …"
    count = len(beyond.split())
    words = "last word does" if count == 1 else f"last {count:,} words do"
    return (f"The text is too long for the encoder: its {words} not count (“{shown}”).",)


def _unknown_note(query: Query, encoder: Encoder, text: str) -> tuple[str, ...]:
    """Which words the encoder does not know."""
    unknown = encoder.unknown_words(text)
    if not unknown:
        return ()
    named = ", ".join(f"“{part}”" for part in unknown)
    if any(sign.isalnum() for sign in _without(text, unknown)):
        return (f"The encoder does not know {named}; only the other words count.",)
    alone = query.image is None and query.item is None
    means = ", so the order of these hits means nothing" if alone else ""
    return (
        f"The encoder knows no word of {named}{means}. "
        "Try other words, or English ones, or search with a picture.",
    )


def _without(text: str, parts: tuple[str, ...]) -> str:
    """What is left of a text without some parts of it, in whatever case they stand."""
    rest = text.casefold()
    for part in parts:
        rest = rest.replace(part.casefold(), " ")
    return rest


def fields_of(query: Query) -> list[str]:
    """The fields that a query folds and sorts by."""
    sort = sorted_by(query.sort)[0] if query.sort else None
    return [field for field in (query.fold, sort) if field]


def matching(query: Query, *, store: Snapshot, encoder: Encoder) -> NDArray[np.int64] | None:
    """The store's positions of all items that a query could answer with; None where it is all.

    Those are the items with a vector that score `min_score` and are not the query's own.
    """
    check(query)
    if query.min_score is None and query.item is None:
        return None
    index = store.index(encoder.fingerprint)
    rows = index.passing(query.where)
    if query.item is not None:
        rows = rows[rows != index.row(query.item)]
    if query.min_score is not None:
        vector, _ = combine(_parts(query, index, encoder), query.weights)
        rows = rows[index.best(vector, rows)[1] >= query.min_score]
    return index.positions(rows)


def check(query: Query) -> None:
    """Raise `QueryError` where a query cannot be answered whatever the store holds."""
    given = _given(query)
    if not given:
        raise QueryError("the query is empty; give an image, words or an item's id")
    if query.weights:
        _check_weights(query.weights, given)
    if not 1 <= query.limit <= MOST_HITS:
        raise QueryError(f"limit is {query.limit}; it must be from 1 to {MOST_HITS}")
    if query.offset < 0 or query.offset + query.limit > DEEPEST:
        raise QueryError(f"offset + limit must lie between 1 and {DEEPEST}; narrow the search")
    if query.min_score is not None and not -1 <= query.min_score <= 1:
        raise QueryError(f"min_score is {query.min_score}; cosine similarities lie in [-1, 1]")
    if query.fold is not None and not query.fold:
        raise QueryError("fold names no field; give one, such as model, or leave it out")
    if query.sort is not None:
        sorted_by(query.sort)
    if query.collapse is not None and not 0 < query.collapse <= 1:
        raise QueryError(f"collapse is {query.collapse}; it must lie in (0, 1], for example 0.97")


def _given(query: Query) -> list[str]:
    given = ["image"] if query.image is not None else []
    if query.text is not None and query.text.strip():
        given.append("text")
    return [*given, "item"] if query.item is not None else given


def _check_weights(weights: Mapping[str, float], given: Iterable[str]) -> None:
    extra = sorted(set(weights) - set(given))
    if extra:
        raise QueryError(f"there is a weight for {extra[0]!r}, which the query does not have")
    if not all(math.isfinite(weight) for weight in weights.values()):
        raise QueryError("a weight is not a finite number")
    if all(weights.get(name, 1.0) == 0 for name in given):
        raise QueryError("all weights are 0: nothing is left to search for")


def _parts(query: Query, index: Index, encoder: Encoder) -> dict[str, Vector]:
    """Each given part's unit vector."""
    parts: dict[str, Vector] = {}
    if query.image is not None:
        _needs(encoder, "image", "pictures")
        parts["image"] = encoder.encode_images([query.image])[0]
    if query.text is not None and query.text.strip():
        _needs(encoder, "text", "words")
        parts["text"] = encoder.encode_texts([query.text.strip()])[0]
    if query.item is not None:
        row = index.row(query.item)
        parts["item"] = index.vectors(np.array([row], dtype=np.int64))[0]
    return parts


def _needs(encoder: Encoder, modality: str, what: str) -> None:
    if modality not in encoder.modalities:
        takes = " and ".join(sorted(encoder.modalities))
        raise EncoderError(
            f"the encoder {encoder.name} does not take {what}, only {takes}. "
            "Ingest the catalogue with one that takes both, for example coordi-mini."
        )


def combine(
    parts: Mapping[str, Vector], weights: Mapping[str, float]
) -> tuple[Vector, dict[str, NDArray[np.float64]]]:
    """Weighted sum of the parts, length one, and the summands at that same scale.

    The summands' inner products with an item are the parts' shares of its score.
    """
    if len(parts) == 1:
        # A part alone is the query; a negative weight turns it around.
        name, vector = next(iter(parts.items()))
        alone = -vector if weights and weights.get(name, 1.0) < 0 else vector
        return alone, {name: alone.astype(np.float64)}
    summands = {
        name: weights.get(name, 1.0) * vector.astype(np.float64) for name, vector in parts.items()
    }
    total = np.sum(list(summands.values()), axis=0)
    length = float(np.linalg.norm(total))
    if length < 1e-6:
        raise QueryError("the parts of the query cancel each other out; change their weights")
    scaled = {name: vector / length for name, vector in summands.items()}
    return (total / length).astype(np.float32), scaled


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page, and what came of the others."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    ids: list[str]
    duplicates: list[tuple[str, ...]]
    variants: list[tuple[str, ...]]
    allowed: int
    index: str
    more: bool
    matches: list[float | None]
    """Probability of a match of each row that was re-ranked."""
    reranked: int = 0
    """Rows that were re-ranked, over all pages."""

    def taken(self, places: NDArray[np.intp], **changed: Any) -> "Page":
        """The page with the rows at some places, and what else differs in it."""
        each = ("ids", "duplicates", "variants", "matches")
        lists = {name: [getattr(self, name)[place] for place in places] for name in each}
        kept = {"rows": self.rows[places], "scores": self.scores[places], **lists}
        return replace(self, **{**kept, **changed})


def find(
    query: Query,
    index: Index,
    vector: Vector,
    *,
    keys: FieldKeys,
    depth: int = 0,
    reranker: Reranker | None = None,
) -> Page:
    """The rows of the page that `query` asks for, nearest to a unit vector first.

    The first `depth` of all pages stand in the order of `reranker` instead.
    """
    if reranker is None or depth == 0:
        return _page(query, index, vector, keys)
    end = query.offset + query.limit
    wide = replace(query, offset=0, limit=max(end, depth))
    first = _page(wide, index, vector, keys)
    return _cut(_reranked(first, index, vector, depth, reranker), query)


def _reranked(page: Page, index: Index, vector: Vector, depth: int, reranker: Reranker) -> Page:
    """A page that begins with the first hit, its first `depth` rows in the re-ranker's order."""
    head = page.rows[:depth]
    order, matches = reorder(vector, index.vectors(head), reranker)
    whole = np.concatenate([order, np.arange(len(head), len(page.rows))])
    every = [*matches.tolist(), *page.matches[len(head) :]]
    return page.taken(whole, matches=every, reranked=len(head))


def _cut(page: Page, query: Query) -> Page:
    """The part of a page from the first hit on that a query asks for."""
    end = query.offset + query.limit
    places = np.arange(len(page.rows))[query.offset : end]
    return page.taken(places, more=page.more or len(page.rows) > end)


def _page(query: Query, index: Index, vector: Vector, keys: FieldKeys) -> Page:
    """A page of hits, looking as deep as filling it takes."""
    allowed = index.allowed(query.where)
    own = index.row(query.item) if query.item is not None else -1
    order = (
        by_field(query, index, vector, own, keys)
        if query.sort
        else by_likeness(query, index, vector, own)
    )
    end = query.offset + query.limit
    folding = query.fold is not None or query.collapse is not None
    depth = 2 * end + 16 if folding else end + 1
    groups = Groups(index, keys(query.fold).codes) if query.fold else None
    if not folding:  # each stands for itself: most searches, and a third of their time
        rows, scores, _, how = order(depth)
        part = slice(query.offset, end)
        alone: list[tuple[str, ...]] = [()] * len(rows[part])
        none: list[float | None] = [None] * len(alone)
        ids = index.ids(rows[part])
        return Page(
            rows[part], scores[part], ids, alone, alone, allowed, how, len(rows) > end, none
        )
    while True:
        rows, scores, exhausted, how = order(depth)
        heads = np.arange(len(rows)) if groups is None else groups.heads(rows)
        leaders, folded = _collapsed(query.collapse, index, rows[heads], end + 1)
        if len(leaders) > end or exhausted:
            break
        depth *= 4
    shown = leaders[query.offset : end]
    chosen = heads[shown]
    every = _members(groups, query, index, vector, rows[heads], own, keys, shown, folded)
    return Page(
        rows[chosen],
        scores[chosen],
        index.ids(rows[chosen]),
        [tuple(index.ids(np.concatenate([every[head] for head in folded[leader]])))
         if folded[leader] else () for leader in shown],
        [tuple(index.ids(every[leader][1:])) for leader in shown],
        allowed,
        how,
        len(leaders) > end,
        [None] * len(shown),
    )  # fmt: skip


def _collapsed(
    threshold: float | None, index: Index, rows: NDArray[np.int64], most: int
) -> tuple[list[int], dict[int, list[int]]]:
    """Places in `rows`, best first, that stand for themselves, and those folded into each."""
    if threshold is not None:
        return _fold(index.vectors(rows), threshold, most)
    leaders = list(range(min(len(rows), most)))
    return leaders, {leader: [] for leader in leaders}


def _members(
    groups: Groups | None, query: Query, index: Index, vector: Vector, heads: NDArray[np.int64],
    own: int, keys: FieldKeys, shown: list[int], folded: dict[int, list[int]],
) -> dict[int, NDArray[np.int64]]:  # fmt: skip
    """The rows that each head which is shown, or folded into one that is, stands for; itself
    first, then the others of its group in the order of the answer.

    They are all that pass, however far down: what folds never depends on how deep was looked.
    """
    wanted = [place for leader in shown for place in (leader, *folded[leader])]
    members = {place: [int(heads[place])] for place in wanted}
    if groups is not None:
        place_of = {int(groups.codes_of(heads[[place]])[0]): place for place in wanted}
        place_of.pop(-1, None)
        rows = groups.rows_of(index.passing(query.where), list(place_of))
        order = (
            by_field(query, index, vector, own, keys, rows)
            if query.sort
            else by_rows(query, index, vector, own, rows)
        )
        for row in order(len(rows))[0].tolist():
            place = place_of[int(groups.codes_of(np.array([row]))[0])]
            if row != members[place][0]:
                members[place].append(row)
    return {place: np.array(rows, dtype=np.int64) for place, rows in members.items()}


def _fold(vectors: Vectors, threshold: float, most: int) -> tuple[list[int], dict[int, list[int]]]:
    """Fold rows (n, dim), best first, into the best earlier row that they resemble.

    Stops at the row that begins group number `most`: what is folded never depends on how many
    rows were looked at behind it.
    """
    leaders: list[int] = []
    folded: dict[int, list[int]] = {}
    kept = np.empty((min(most, len(vectors)), vectors.shape[1]), dtype=np.float32)
    for row, vector in enumerate(vectors):
        near = np.flatnonzero(kept[: len(leaders)] @ vector >= np.float32(threshold - 1e-6))
        if len(near):
            folded[leaders[near[0]]].append(row)
            continue
        kept[len(leaders)] = vector
        leaders.append(row)
        folded[row] = []
        if len(leaders) == most:
            break
    return leaders, folded


def _shares(
    vectors: Vectors, scaled: Mapping[str, NDArray[np.float64]], scores: Vector
) -> list[dict[str, float]]:
    """Each part's share of each score; the rounding of the score goes to the largest share."""
    names = list(scaled)
    table = vectors.astype(np.float64) @ np.stack([scaled[name] for name in names], axis=1)
    shares = [dict(zip(names, row, strict=True)) for row in table.tolist()]
    for share, score in zip(shares, scores.tolist(), strict=True):
        largest = max(names, key=lambda name: abs(share[name]))
        share[largest] = score - math.fsum(share[name] for name in names if name != largest)
    return shares


def _hits(items: list[Item], page: Page, shares: list[dict[str, float]] | None) -> tuple[Hit, ...]:
    scores = page.scores.tolist()
    parts = [None] * len(items) if shares is None else shares
    rows = zip(items, scores, parts, page.duplicates, page.matches, page.variants, strict=True)
    return tuple(Hit(*row) for row in rows)
