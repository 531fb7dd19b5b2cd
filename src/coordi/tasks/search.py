"""Search: a picture, words, an item, or several of them together → a page of items."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.errors import EncoderError, FingerprintError, QueryError
from coordi.tasks.floor import Floors, floor_of
from coordi.tasks.fusion import NOTHING, WORDS, Fusion, fuse
from coordi.tasks.order import (
    Aim,
    FieldKeys,
    Groups,
    by_field,
    by_likeness,
    by_rows,
    sorted_by,
)
from coordi.tasks.prices import priced
from coordi.tasks.reading import Reading, read
from coordi.tasks.rerank import check_origin, depth_of, reorder
from coordi.tasks.synonyms import Synonyms
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
    WordIndex,
)

MOST_HITS = 1000
"""Largest `limit`."""

DEEPEST = 10_000
"""Largest `offset + limit`."""

MOST_SHOWN = 80
"""Characters of a text's cut end that a note shows."""

Vector = NDArray[np.float32]


UNLIKE = "unlike"
"""The part of a query that its words refuse ("without buttons")."""

AWAY = -0.5
"""Weight of that beside the words."""

BY = ("hybrid", "words", "vectors")
"""What `Query.by` may be."""


def search(
    query: Query,
    *,
    store: Snapshot,
    encoder: Encoder,
    reranker: Reranker | None = None,
    synonyms: Synonyms | None = None,
    floors: Floors | None = None,
    weight: float = WORDS,
) -> Answer:
    """Answer a query from the vectors that `encoder` made and from the items' own words, all of
    it at one commit of the store.

    The query's vector is the weighted sum of its parts' unit vectors, scaled to length one; the
    score is the cosine similarity to it. Where there are words, items rank by that and by the
    words that they have (`coordi.tasks.fusion`); `weight` is what words count there, `synonyms`
    are the shop's own, `floors` say what is far. A `reranker` puts the first hits in its own
    order; see `coordi.tasks.rerank`. Raises `QueryError` where the query asks for nothing or for
    something impossible, `EncoderError` where the encoder lacks a part's modality,
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
    words = _words(query, store)
    reading = _reading(query, words, synonyms)
    query, unpriced = priced(query, reading.chips, store, index)
    parts = _parts(query, index, encoder, reading)
    vector, scaled = combine(parts, _weights(query)) if parts else (None, {})
    encoded = perf_counter()
    aim = Aim(query, index, vector, _fusion(query, words, index, encoder, reading, vector, weight))
    page = find(aim, keys=store.keys, depth=depth, reranker=reranker)
    found = perf_counter()
    items = store.get(page.ids)
    hits = _hits(items, page, _explained(aim, page, items, scaled, words, reading))
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
        notes=(*unpriced, *_notes(query, encoder, words, reading, aim.fusion)),
        suggestion=reading.suggestion,
        chips=reading.chips,
        language=reading.language,
        floor=floor_of(floors, aim, parts),
    )


def _text(query: Query) -> str:
    """A query's words; "" where it has none."""
    return (query.text or "").strip()


def _words(query: Query, store: Snapshot) -> WordIndex | None:
    """The items' words; None where none are looked for."""
    return store.words() if _text(query) and query.by != "vectors" else None


def _reading(query: Query, words: WordIndex | None, synonyms: Synonyms | None) -> Reading:
    """A query's words as they are searched."""
    text = _text(query)
    if not text:
        return Reading("")
    return read(text, words, spelling=query.spelling, drop=query.drop, synonyms=synonyms)


def _fusion(
    query: Query, words: WordIndex | None, index: Index, encoder: Encoder, reading: Reading,
    vector: Vector | None, weight: float,
) -> Fusion | None:  # fmt: skip
    """What the query's words give to items that have them; None where they give nothing."""
    share = _share_of_words(query)
    if words is None or share <= 0:
        return NOTHING if vector is None else None
    lone = query.image is None and query.item is None
    # A vector of words that the encoder never read is noise where the items' own words are not.
    alone = lone and (vector is None or query.by == "words" or _reads_nothing(encoder, reading))
    seen = None if alone else vector
    found = fuse(query, reading, words, index, seen, share, weight)
    if found is None and lone and (vector is None or query.by == "words"):
        return NOTHING
    return found


def _reads_nothing(encoder: Encoder, reading: Reading) -> bool:
    unknown = encoder.unknown_words(reading.text)
    return bool(unknown) and not any(map(str.isalnum, _without(reading.text, unknown)))


def _share_of_words(query: Query) -> float:
    """What words are of all that is asked for; 0 where the query says to find less like them."""
    weights = {name: query.weights.get(name, 1.0) for name in _given(query)}
    whole = sum(map(abs, weights.values()))
    return weights.get("text", 0.0) / whole if whole else 0.0


def _explained(
    aim: Aim, page: "Page", items: Sequence[Item], scaled: Mapping[str, NDArray[np.float64]],
    words: WordIndex | None, reading: Reading,
) -> list[dict[str, Any]]:  # fmt: skip
    """Of each hit of a page what it ranks by and, where asked, why."""
    why: list[dict[str, Any]] = [{} for _ in items]
    if aim.fusion is not None:
        main = aim.index.main(page.rows)
        for one, score in zip(why, aim.fusion.scores(main, page.scores).tolist(), strict=True):
            one["fused"] = score
    if not aim.query.explain:
        return why
    for one, parts in zip(why, _shares_of(aim, page, scaled), strict=True):
        one["parts"] = parts
    if aim.fusion is not None and words is not None:
        table = aim.fusion.parts(aim.index.main(page.rows), page.scores)
        for place, (one, item) in enumerate(zip(why, items, strict=True)):
            one["fusion"] = {name: float(column[place]) for name, column in table.items()}
            one["words"] = words.matches(item, reading.groups)
    return why


def _shares_of(
    aim: Aim, page: "Page", scaled: Mapping[str, NDArray[np.float64]]
) -> list[dict[str, float]]:
    """Each part's share of each score; none where words alone decide."""
    if not scaled:
        return [{} for _ in page.ids]
    return _shares(aim.index.vectors(page.rows), scaled, page.scores)


def _notes(
    query: Query, encoder: Encoder, words: WordIndex | None, reading: Reading, fusion: Fusion | None
) -> tuple[str, ...]:
    """What the asker should know of a query's words."""
    text = reading.text
    if not text:
        return ()
    meant = reading.suggestion
    notes = [f"Searched for “{meant}” instead of “{_text(query)}”."] if meant else []
    if "text" not in encoder.modalities or query.by == "words":
        if fusion is NOTHING:
            notes.append("No item has any of these words.")
        return tuple(notes)
    found: frozenset[str] = frozenset()
    if words is not None and fusion is not None and encoder.unknown_words(text):
        typed = (way for way, *_ in reading.groups)
        found = frozenset(way[0] for way in typed if all(map(words.knows, way)))
    return (*notes, *_unknown_note(query, encoder, text, found), *_cut_note(encoder, text))


def _cut_note(encoder: Encoder, text: str) -> tuple[str, ...]:
    """What of a text is too long for the encoder."""
    beyond = encoder.cut_from(text)
    if not beyond:
        return ()
    shown = beyond if len(beyond) <= MOST_SHOWN else f"{beyond[:MOST_SHOWN].rstrip()} …"
    count = len(beyond.split())
    words = "last word does" if count == 1 else f"last {count:,} words do"
    return (f"The text is too long for the encoder: its {words} not count (“{shown}”).",)


def _unknown_note(
    query: Query, encoder: Encoder, text: str, found: frozenset[str]
) -> tuple[str, ...]:
    """Which words the encoder does not know, and no item has."""
    unknown = tuple(
        part for part in encoder.unknown_words(text) if not _plain(part) & found
    )  # fmt: skip
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


def _plain(text: str) -> frozenset[str]:
    return frozenset(text.casefold().split())


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


def matching(
    query: Query, *, store: Snapshot, encoder: Encoder, synonyms: Synonyms | None = None
) -> NDArray[np.int64] | None:
    """The store's positions of all items that a query could answer with; None where it is all.

    Those are the items with a vector that score `min_score`, or have all words of the query, and
    are not the query's own; where words alone decide, those that have some.
    """
    check(query)
    index = store.index(encoder.fingerprint)
    words = _words(query, store)
    reading = _reading(query, words, synonyms)
    query, _ = priced(query, reading.chips, store, index)
    if (
        query.min_score is None
        and not any(chip.aspect == "price" for chip in reading.chips)
        and query.item is None
        and query.by != "words"
        and not (_text(query) and "text" not in encoder.modalities)
    ):
        return None
    parts = _parts(query, index, encoder, reading)
    vector = combine(parts, _weights(query))[0] if parts else None
    fusion = _fusion(query, words, index, encoder, reading, vector, WORDS)
    aim = Aim(query, index, vector, fusion)
    return index.positions(by_rows(aim, aim.candidates())(index.total)[0])


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
    if query.by not in BY:
        raise QueryError(f"by is {query.by!r}; it must be one of {', '.join(BY)}")
    if query.by == "words" and not _text(query):
        raise QueryError("by is 'words', and the query has none; give some, or leave by out")
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


def _parts(query: Query, index: Index, encoder: Encoder, reading: Reading) -> dict[str, Vector]:
    """Each given part's unit vector; none of words that the encoder does not take, which are then
    looked for in the items' own.
    """
    parts: dict[str, Vector] = {}
    if query.image is not None:
        _needs(encoder, "image", "pictures")
        parts["image"] = encoder.encode_images([query.image])[0]
    if reading.text and query.by != "words":
        if query.by == "vectors":
            _needs(encoder, "text", "words")
        if "text" in encoder.modalities:
            parts["text"] = encoder.encode_texts([reading.text])[0]
    if reading.unlike and query.by != "words" and "text" in encoder.modalities:
        parts[UNLIKE] = encoder.encode_texts([reading.unlike])[0]
    if query.item is not None:
        row = index.row(query.item)
        parts["item"] = index.vectors(np.array([row], dtype=np.int64))[0]
    return parts


def _weights(query: Query) -> dict[str, float]:
    """The weight of each part, that of what words refuse too."""
    return {**query.weights, UNLIKE: AWAY * query.weights.get("text", 1.0)}


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
    aim: Aim,
    *,
    keys: FieldKeys,
    depth: int = 0,
    reranker: Reranker | None = None,
) -> Page:
    """The rows of the page that a query asks for, the best first.

    The first `depth` of all pages stand in the order of `reranker` instead.
    """
    query = aim.query
    if reranker is None or depth == 0:
        return _page(aim, keys)
    assert aim.vector is not None
    end = query.offset + query.limit
    wide = replace(query, offset=0, limit=max(end, depth))
    first = _page(replace(aim, query=wide), keys)
    return _cut(_reranked(first, aim.index, aim.vector, depth, reranker), query)


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


def _page(aim: Aim, keys: FieldKeys) -> Page:
    """A page of hits, looking as deep as filling it takes."""
    query, index = aim.query, aim.index
    allowed = index.allowed(query.where)
    order = by_field(aim, keys) if query.sort else by_likeness(aim)
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
    every = _members(groups, aim, rows[heads], keys, shown, folded)
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
    groups: Groups | None, aim: Aim, heads: NDArray[np.int64], keys: FieldKeys, shown: list[int],
    folded: dict[int, list[int]],
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
        rows = groups.rows_of(aim.candidates(), list(place_of))
        order = by_field(aim, keys, rows) if aim.query.sort else by_rows(aim, rows)
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


def _hits(items: list[Item], page: Page, why: Sequence[Mapping[str, Any]]) -> tuple[Hit, ...]:
    scores = page.scores.tolist()
    rows = zip(items, scores, page.duplicates, page.matches, page.variants, why, strict=True)
    return tuple(
        Hit(item, score, duplicates=duplicates, match=match, variants=variants, **more)
        for item, score, duplicates, match, variants, more in rows
    )
