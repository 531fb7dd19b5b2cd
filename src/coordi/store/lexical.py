"""Which items have a query's words: BM25 over their texts, by Tantivy, at one commit of the store.

BM25 is that of Robertson and Zaragoza 2009 (The Probabilistic Relevance Framework, section 3.2)
with Tantivy's k1 = 1.2 and b = .75. A word counts by the best field that has it, a group of words
that mean the same by the best of them (disjunction by maximum), and groups add up.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.store.analysis import code_of, codes_of, is_code, stems_of, words_of
from coordi.store.rows import Rows
from coordi.types import Item, WordMatch

WEIGHTS: Mapping[str, float] = {"title": 1.0, "fields": 0.9, "description": 0.4}
"""How much a word counts by where it stands."""

TIE = 0.1
"""What the weaker places of a word add, as a share of their own score."""

SYNONYM = 0.8
"""What a word counts that only means the same as the one typed."""

SHORT_TEXT = 80
"""Characters of a field's value up to which it is a label; a longer one is a description."""

MOST_OF_A_CODE = 20
"""Items that may share a code; a number that more have is a year or a size."""

PUSHED_DOWN = 4096
"""Items that pass a filter up to which the filter is part of the search; of more, those that
pass are taken from what was found."""

Group = Sequence[Sequence[str]]
"""Ways to say one thing, the typed one first, each a word or several that stand together."""

Found = tuple[NDArray[np.int64], NDArray[np.float32]]
"""The store's positions (n,), best first, and their scores (n,)."""


@lru_cache(maxsize=1)
def schema() -> Any:
    """What is kept of an item: its number within the index, and its words."""
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", fast=True, indexed=True)
    builder.add_text_field("codes", tokenizer_name="whitespace", index_option="basic")
    builder.add_text_field("words", tokenizer_name="whitespace", index_option="basic")
    for name in WEIGHTS:
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def document(row: int, id: str, title: str, description: str, values: Iterable[str]) -> Any:
    """One item as the index keeps it."""
    import tantivy

    short: list[str] = []
    long = [description]
    for value in values:
        (short if len(value) <= SHORT_TEXT else long).append(value)
    texts = {"title": title, "fields": " ".join(short), "description": " ".join(long)}
    words = {name: words_of(text) for name, text in texts.items()}
    codes = {*codes_of(f"{id} {title} {texts['fields']}"), code_of(id)}
    made = tantivy.Document()
    made.add_unsigned("row", row)
    made.add_text("codes", " ".join(codes))
    made.add_text("words", " ".join({word for some in words.values() for word in some}))
    for name, some in words.items():
        made.add_text(name, " ".join(stems_of(some)))
    return made


@dataclass(frozen=True, slots=True)
class Part:
    """An index of some rows as it stood at one time."""

    searcher: Any
    positions: NDArray[np.int64]
    """(rows,) the store's position of each of its rows, -1 where that is dead or newer."""
    alive: NDArray[np.bool_]
    """(rows,) whether there is one."""
    count: int
    """How many there are."""

    @classmethod
    def of(cls, searcher: Any, positions: NDArray[np.int64]) -> "Part":
        """The part of a searcher whose rows stand at these positions."""
        alive = positions >= 0
        return cls(searcher, positions, alive, int(np.count_nonzero(alive)))


class WordIndex:
    """Implements `coordi.types.WordIndex`; immutable, so any thread may search it."""

    def __init__(
        self, parts: Sequence[Part], rows: Rows, mask: Callable[[str], NDArray[np.bool_]]
    ) -> None:
        """`mask` says which of the store's positions are alive and pass a filter."""
        self._parts = [part for part in parts if part.searcher.num_docs]
        self._rows, self._mask = rows, mask
        self._vocabulary: dict[str, int] | None = None
        self._lock = threading.Lock()

    def words(self, text: str) -> list[str]:
        """The words of a text as the index cuts them."""
        return words_of(text)

    def stems(self, words: Sequence[str]) -> list[str]:
        """Words without their endings: equal where one finds the other."""
        return stems_of(words)

    def knows(self, word: str) -> bool:
        """Whether an item has the word, in whatever form."""
        stem = stems_of([word])
        return any(
            part.searcher.doc_freq(name, one) for part in self._parts
            for one in stem for name in WEIGHTS
        )  # fmt: skip

    def vocabulary(self) -> Mapping[str, int]:
        """Word → how many items have it."""
        with self._lock:
            if self._vocabulary is None:
                counts: dict[str, int] = {}
                for part in self._parts:
                    for word, count in part.searcher.terms_with_prefix("words", ""):
                        counts[word] = counts.get(word, 0) + count
                self._vocabulary = counts
            return self._vocabulary

    def coded(self, text: str) -> NDArray[np.int64]:
        """Positions of the items that a code in a text names: an id, or what stands in a title.

        A whole text goes before a word, and that before the parts of one. What many items have is
        no code of one garment: a year, a size.
        """
        chunks = [code_of(chunk) for chunk in text.split()]
        for codes in ([code_of(text)], [c for c in chunks if is_code(c)], codes_of(text)):
            found = [self._with_code(code) for code in dict.fromkeys(codes) if code]
            kept = [positions for positions in found if 0 < len(positions) <= MOST_OF_A_CODE]
            if kept:
                return np.unique(np.concatenate(kept))
        return np.empty(0, np.int64)

    def _with_code(self, code: str) -> NDArray[np.int64]:
        import tantivy

        query = tantivy.Query.term_query(schema(), "codes", code, "basic")
        return self._gathered(query, MOST_OF_A_CODE + 1, None)[0]

    def find(
        self, groups: Sequence[Group], k: int, where: str | None = None, *, every: bool = False
    ) -> Found:
        """The `k` items whose words match best among those that pass a filter.

        With `every`, only those that have something of each group. Raises `FilterError`.
        """
        mask = None if where is None else self._mask(where)
        if not groups or not self._parts or (mask is not None and not mask.any()):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        return self._gathered(lambda part: self._query(groups, part, every), k, mask)

    def _gathered(self, query: Any, k: int, mask: NDArray[np.bool_] | None) -> Found:
        """The best of all parts; equal ones in the store's order."""
        found = [
            _best(part, query(part) if callable(query) else query, k, mask) for part in self._parts
        ]
        if not found:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        positions = np.concatenate([one[0] for one in found])
        scores = np.concatenate([one[1] for one in found])
        order = np.lexsort((positions, -scores))[:k]
        return positions[order], scores[order]

    def _query(self, groups: Sequence[Group], part: Part, every: bool) -> Any:
        import tantivy

        occur = tantivy.Occur.Must if every else tantivy.Occur.Should
        return tantivy.Query.boolean_query([(occur, self._group(group, part)) for group in groups])

    def _group(self, group: Group, part: Part) -> Any:
        """Anything of a group, all of it as rare as its commonest word in its commonest field: a
        rare synonym, or a common word in an odd place, says no more than the usual one.
        """
        import tantivy

        stems = [stems_of(list(way)) for way in group]
        alone = [way[0] for way in stems if len(way) == 1] or stems[0]
        having = max(self._having(name, stem) for stem in alone for name in WEIGHTS)
        rarity = _idf(sum(one.searcher.num_docs for one in self._parts), having)
        ways = []
        for place, way in enumerate(stems):
            terms = [self._term(stem, part, rarity) for stem in way]
            both = [(tantivy.Occur.Must, term) for term in terms]
            query = terms[0] if len(terms) == 1 else tantivy.Query.boolean_query(both)
            share = (SYNONYM if place else 1.0) / len(terms)
            ways.append(query if share == 1 else tantivy.Query.boost_query(query, share))
        return ways[0] if len(ways) == 1 else tantivy.Query.disjunction_max_query(ways, 0.0)

    def _term(self, stem: str, part: Part, rarity: float) -> Any:
        """One word in any field, with an inverse document frequency that is given."""
        import tantivy

        fields = []
        for name, weight in WEIGHTS.items():
            own = _idf(part.searcher.num_docs, part.searcher.doc_freq(name, stem))
            term = tantivy.Query.term_query(schema(), name, stem, "freq")
            fields.append(tantivy.Query.boost_query(term, weight * rarity / own))
        return tantivy.Query.disjunction_max_query(fields, TIE)

    def _having(self, name: str, stem: str) -> int:
        """Items that have a word in a field, dead ones with them."""
        return sum(part.searcher.doc_freq(name, stem) for part in self._parts)

    def matches(self, item: Item, groups: Sequence[Group]) -> tuple[WordMatch, ...]:
        """Which of the words an item has, and in which fields."""
        texts = {"id": item.id, "title": item.title, "description": item.description}
        texts |= {k: v for k, v in item.fields.items() if isinstance(v, str)}
        stems = {name: set(stems_of(words_of(text))) for name, text in texts.items() if text}
        found = (_matched(group, stems) for group in groups)
        return tuple(match for match in found if match is not None)


def _matched(group: Group, stems: Mapping[str, set[str]]) -> WordMatch | None:
    """How a group matches the first time, the typed way first."""
    for way in group:
        wanted = set(stems_of(list(way)))
        fields = tuple(name for name, some in stems.items() if wanted <= some)
        # The words of one way may stand in several fields.
        if not fields and wanted <= set().union(*stems.values()):
            fields = tuple(name for name, some in stems.items() if wanted & some)
        if fields:
            return WordMatch(" ".join(group[0]), " ".join(way), fields)
    return None


def _idf(documents: int, having: int) -> float:
    """Tantivy's inverse document frequency."""
    return log(1 + (documents - having + 0.5) / (having + 0.5))


def _best(part: Part, query: Any, k: int, mask: NDArray[np.bool_] | None) -> Found:
    """The best `k` of a part that are alive and pass."""
    passing, count = part.alive, part.count
    if mask is not None:
        passing = passing & mask[part.positions]
        count = int(np.count_nonzero(passing))
    total = len(part.positions)
    if mask is not None and 0 < count <= PUSHED_DOWN < total:
        query = _within(query, np.flatnonzero(passing))
    limit = min(total, k if count == total else int(k * total / max(count, 1)) + k)
    while True:
        hits = part.searcher.search(query, max(limit, 1), count=False).hits
        rows = np.array(
            part.searcher.fast_field_values("row", [address for _, address in hits]), np.int64
        )
        kept = passing[rows] if len(rows) else np.empty(0, np.bool_)
        if len(hits) < limit or limit >= total or np.count_nonzero(kept) >= k:
            break
        limit = min(total, 4 * limit)
    scores = np.array([score for score, _ in hits], np.float32)
    return part.positions[rows[kept]][:k], scores[kept][:k]


def _within(query: Any, rows: NDArray[np.int64]) -> Any:
    """A query among some rows of a part, which adds nothing to scores."""
    import tantivy

    some = tantivy.Query.term_set_query(schema(), "row", rows.tolist())
    must = tantivy.Occur.Must
    none = tantivy.Query.const_score_query(some, 0.0)
    return tantivy.Query.boolean_query([(must, query), (must, none)])
