"""The words that all rooms share: small frozen dataclasses, and the Protocols between rooms."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

FieldValue = str | int | float | bool | None
"""The value of a catalogue field; None where a row leaves it empty."""

AUTOMATIC = "auto_"
"""How the names of fields begin that coordi tells of an item, and not its catalogue."""

Image = NDArray[np.uint8]
"""A decoded picture: (height, width, 3), RGB, upright, alpha laid on white."""

Vectors = NDArray[np.float32]
"""Embeddings: (rows, dim), every row of length one."""

Say = Callable[[str], None]
"""Tells whoever waits how far the work is, one line at a time."""

Box = tuple[float, float, float, float]
"""A crop as (left, top, right, bottom), each a share of the picture's width or height in [0, 1]."""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Where a picture's bytes are: a file, or bytes that the catalogue itself holds."""

    path: Path | None = None
    data: bytes | None = None

    def __post_init__(self) -> None:
        if (self.path is None) == (self.data is None):
            raise ValueError("an ImageRef has either a path or data")


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """About one picture of an item."""

    version: str
    """Changes when the picture does; "" where there is none."""
    size: tuple[int, int] | None
    """Width and height in pixels, upright; None where it cannot be read."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The place a row came from, as reports name it: file, and line or row number from 1."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Item:
    """One garment of a catalogue."""

    id: str
    image: ImageRef | None = None
    title: str = ""
    description: str = ""
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    """Everything else the catalogue says (category, color, price, brand, url …), typed."""
    origin: Origin | None = None
    more: tuple[ImageRef, ...] = ()
    """Further pictures of the same garment, in the catalogue's order; `image` is the main one."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One row or image that could not be used, for the report; the rest goes on."""

    origin: Origin
    reason: str
    """What is wrong and what to do about it, one line."""
    id: str | None = None
    column: str | None = None
    item: "Item | None" = None
    """The row itself where only its picture is not there; `image` says where it should be. Who
    measures keeps such rows: a benchmark does not get easier by losing files."""
    rows: int = 1
    """Rows that are lost by it: many where a block of a file is damaged, none where an item went
    in without something that its row states."""


@dataclass(frozen=True, slots=True)
class Outfit:
    """Items worn together."""

    id: str
    items: tuple[str, ...]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """A reference garment, what to change in words, and the garment that results."""

    reference: str
    captions: tuple[str, ...]
    """The change in words, once for everyone who described it."""
    target: str
    """"" where a benchmark keeps it secret."""

    @property
    def text(self) -> str:
        """All captions as one sentence."""
        return " and ".join(self.captions)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A street photo in which an item is worn."""

    image: ImageRef
    item: str
    box: Box | None = None
    mask: ImageRef | None = None
    """A picture of numbers, 0 where the photo shows background."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One photograph as training and measuring see it: which garment, where, what is known."""

    id: str
    image: ImageRef
    item: str
    """The garment; two photos with the same `item` show the same one."""
    street: bool = False
    """Whether it was taken on a person out of the studio (the query side of street-to-shop)."""
    category: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Name → value of what else is known (color, season, sleeve …); unknown ones are absent."""
    box: Box | None = None
    """Where the garment is, if not everywhere."""
    group: str = ""
    """Split key: photos of one group never stand on two sides. "" means `item`."""
    mask: ImageRef | None = None
    """A picture of numbers, 0 where the photo shows background, which is taken for white."""


@dataclass(frozen=True, slots=True, eq=False)
class Garment:
    """One garment that was found in a picture."""

    kind: str
    """What it is, "blouse"; a name of `coordi.models.finder.classes`."""
    family: str
    """What that is a kind of, "top"."""
    box: Box
    score: float
    """Mean probability of the family over its pixels, in [0, 1]."""
    mask: NDArray[np.bool_]
    """(h, w), over the whole picture at the size at which it was looked at, in its aspect."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a price shall be; a bound of None is open, a currency of None was not said."""

    low: float | None
    high: float | None
    currency: str | None
    """ISO 4217."""

    @property
    def value(self) -> str:
        """As a chip writes it: "<50", ">20", "20-40"."""
        if self.low is None:
            return f"<{_short(self.high)}"
        if self.high is None:
            return f">{_short(self.low)}"
        return f"{_short(self.low)}-{_short(self.high)}"


def _short(number: float | None) -> str:
    return f"{number or 0:.10g}"


@dataclass(frozen=True, slots=True)
class Chip:
    """One thing that a query asks for, or asks not to have."""

    aspect: str
    """One of `coordi.words.ASPECTS`, "price", "size", or "word" (an unknown one, negated)."""
    value: str
    """The concept's English name; for a price "<50", ">20" or "20-40"."""
    text: str
    """As written."""
    start: int
    stop: int
    """Place of `text` in the query, in code points."""
    negative: bool = False
    where: str | None = None
    """The part that this is said of ("buttons" in "red buttons"); None: the whole garment."""
    price: Price | None = None

    @property
    def id(self) -> str:
        """How a chip is named when it is dropped: "color:navy", "-detail:buttons", "price:<50"."""
        part = f"@{self.where}" if self.where else ""
        return f"{'-' if self.negative else ''}{self.aspect}:{self.value}{part}"


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for: a picture, words, an item of the store, or several of them together."""

    image: Image | None = None
    text: str | None = None
    item: str | None = None
    """Id of a stored item; its vector is the query and the item itself is left out."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Weight of each given part ("image", "text", "item"); 1.0 where not stated."""
    where: str | None = None
    """Filter, for example "category = 'dress' and price < 50"."""
    limit: int = 20
    offset: int = 0
    min_score: float | None = None
    """Lowest cosine similarity that is still an answer."""
    collapse: float | None = None
    """Fold items whose cosine similarity to a better hit is at least this into that hit."""
    fold: str | None = None
    """Field whose equal values are folded into their best hit, such as "model": one hit a garment
    with all its colours. Items without a value stand alone."""
    sort: str | None = None
    """Field to order the answer by instead of similarity, with "-" before it downwards, such as
    "price" or "-added"; items without a value come last."""
    explain: bool = False
    by: str = "hybrid"
    """What words are searched with: "hybrid" (the items' own words and the encoder's vectors),
    "words" (only items that have them) or "vectors" (only the encoder)."""
    spelling: bool = True
    """Whether words that nobody knows are searched as the nearest that the catalogue has."""
    drop: tuple[str, ...] = ()
    """Ids of chips (`Answer.chips`) that the words shall not mean."""
    garment: str | None = None
    """Which garment of the picture is meant: "best", a family ("top"), or a kind ("blouse"); None
    and "whole" take the picture as it is."""
    rerank: int | None = None
    """How many of the nearest hits a re-ranker puts in its own order, 0 for none; None leaves it
    to the search: `RERANK_DEPTH` for a picture alone where there is a re-ranker, else none."""


@dataclass(frozen=True, slots=True)
class WordMatch:
    """A word of the query, or several that are one name, that an item has."""

    word: str
    """As it was searched, in lower case."""
    found: str
    """What the item has: the same, or words that mean the same."""
    fields: tuple[str, ...]
    """Where: "id", "title", "description" or fields' names."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One found item and, where asked, why it ranks where it does."""

    item: Item
    score: float
    """Cosine similarity to the query, in [-1, 1]."""
    parts: Mapping[str, float] | None = None
    """Each query part's share of the score; the shares add up to the score."""
    duplicates: tuple[str, ...] = ()
    """Ids of near-duplicates folded into this hit."""
    match: float | None = None
    """Probability, in the re-ranker's view, that this is what the query shows; None where it was
    not re-ranked. Re-ranked hits stand in this order, all others in that of `score`."""
    variants: tuple[str, ...] = ()
    """Ids of items folded into this hit by `Query.fold`, best first."""
    fused: float | None = None
    """What it ranks by where the query's words were looked for in the items' own, too; None where
    it ranks by `score`."""
    fusion: Mapping[str, float] | None = None
    """Where asked, what `fused` is the sum of: "words" (matched ones), "likeness" (the encoder's)
    and "code" (1 for an item that the query names)."""
    words: tuple[WordMatch, ...] = ()
    """Where asked, the query's words that the item has."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A page of hits and how it was found."""

    hits: tuple[Hit, ...]
    total: int
    """Items in the store that have a vector of this encoder."""
    filtered_out: int
    """How many of them the filter excluded."""
    encoder: str
    fingerprint: str
    index: str
    """How the search ran, for example "exact" or "ivf1024,sq8 nprobe=16"."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Time by stage ("encode", "search", "fetch")."""
    more: bool = False
    """Whether a further page exists."""
    reranker: str = ""
    """The re-ranker that ordered the first hits; "" where none did."""
    reranked: int = 0
    """How many of the first hits, over all pages, it ordered."""
    token: str = ""
    """The commit of the store that everything in the answer was read from."""
    without_vector: int = 0
    """Items in the store that have no vector of this encoder, and so could not be found."""
    notes: tuple[str, ...] = ()
    """What the asker should know: words that the encoder does not know, an incomplete column."""
    suggestion: str = ""
    """The text that was searched instead of the one typed, its spelling corrected; "" where it was
    searched as typed."""
    chips: tuple[Chip, ...] = ()
    """What the query's words were taken to mean, one by one."""
    language: str | None = None
    """Of the query's words, two letters; None where no word told."""
    garment: Garment | None = None
    """The garment that was cut out of the query's picture; None where that was taken whole."""
    garments: tuple[Garment, ...] = ()
    """All that were found there, where `Query.garment` had them looked for."""
    floor: float | None = None
    """The score that the best of hits has at least where there is anything like the query; None
    where nothing tells (see `coordi.tasks.floor`)."""

    @property
    def far(self) -> bool:
        """Whether even the best hit has nothing to do with the query."""
        if self.floor is None or not self.hits:
            return False
        return max(hit.score for hit in self.hits) < self.floor


@dataclass(frozen=True, slots=True)
class Facet:
    """A field of the catalogue as a page offers it for filtering."""

    name: str
    kind: str
    """"text", "integer", "number" or "boolean"."""
    values: tuple[tuple[str, int], ...] = ()
    """Text and boolean fields: value and count, most frequent first, a page of them."""
    distinct: int = 0
    """Different values among the items counted."""
    minimum: float | None = None
    maximum: float | None = None
    more: bool = False
    """Whether there are values beyond `values`."""
    many: bool = False
    """Whether a cell holds several values ("S;M;L"), to be asked for with `has`."""


@runtime_checkable
class Encoder(Protocol):
    """Pictures and words → unit rows of one space.

    `prepare` is thread-safe and cheap to call from the threads that decode; `encode_prepared`
    is the tower itself. An encoder that lacks a modality raises `EncoderError` for it.
    """

    @property
    def name(self) -> str:
        """The name people know it by ("coordi-mini", "google/siglip2-base-patch16-224")."""

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change when weights, preprocessing or `dim` change."""

    @property
    def dim(self) -> int:
        """Columns of the rows it makes."""

    @property
    def modalities(self) -> frozenset[str]:
        """Which of "image" and "text" it takes."""

    @property
    def image_size(self) -> int:
        """Shortest side, in pixels, below which it gains nothing from a larger picture."""

    def prepare(self, image: Image) -> NDArray[Any]:
        """Make one picture (H, W, 3) into the tower's input, (3, h, w)."""

    def encode_prepared(self, batch: NDArray[Any]) -> Vectors:
        """Encode prepared pictures (B, 3, h, w) → (B, dim)."""

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """Encode pictures of any sizes → (len(images), dim)."""

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode sentences → (len(texts), dim)."""

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Parts of a sentence that its vocabulary lacks, and which so change nothing; () where
        all are known, or where it cannot tell."""

    def cut_from(self, text: str) -> str:
        """What of a sentence lies beyond its length, and so changes nothing; "" where nothing
        does, or where it cannot tell."""


RERANK_DEPTH = 50
"""First hits that a re-ranker orders, when it is trained, measured and served: one depth for all,
because how far down it may reach changes what it does (50 and 100 were compared on val)."""


class Reranker(Protocol):
    """Judges a query and an item together; it reorders the nearest of one encoder's hits."""

    @property
    def name(self) -> str:
        """The name people know it by."""

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change when its weights change."""

    @property
    def encoder(self) -> str:
        """Name of the encoder whose vectors it compares."""

    @property
    def reads(self) -> str:
        """Fingerprint of that encoder; vectors of another mean nothing to it."""

    def score(self, query: NDArray[np.float32], items: Vectors) -> NDArray[np.float32]:
        """A query (dim,) and items (K, dim) → log-odds (K,) that each is what the query shows.

        An item's score does not depend on the other items.
        """


@dataclass(frozen=True, slots=True)
class Neighbors:
    """The nearest rows of an index, best first; ties stand in store order."""

    rows: NDArray[np.int64]  # (m,)
    scores: NDArray[np.float32]  # (m,) cosine similarities
    index: str
    """How they were found, for example "exact"."""


class Index(Protocol):
    """One encoder's vectors as they stood at one version of the store; it never changes."""

    @property
    def total(self) -> int:
        """Items that have a vector."""

    def allowed(self, where: str | None) -> int:
        """How many of them pass a filter; `FilterError` where it does not fit the fields."""

    def row(self, id: str) -> int:
        """Row of an item; `NotFoundError` where it is missing or has no vector."""

    def ids(self, rows: NDArray[np.int64]) -> list[str]:
        """Items' ids of rows."""

    def vectors(self, rows: NDArray[np.int64]) -> Vectors:
        """Vectors of rows → (len(rows), dim)."""

    def positions(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The store's positions of rows, at which `Snapshot.keys` has their values."""

    def rows_at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Main rows of the items at some of the store's positions; -1 without a vector."""

    def sample(self) -> Vectors:
        """Vectors (n, dim) of some items, evenly over the store: what is usual here."""

    def passing(self, where: str | None) -> NDArray[np.int64]:
        """Rows of main pictures of the items that pass a filter, in store order."""

    def best(
        self, query: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """For each of some main rows the row of its item's best view, and the cosine similarity
        of that to a unit vector (dim,).
        """

    def main(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each row that of the same item's main picture: an item may have several rows."""

    def nearest(self, query: NDArray[np.float32], k: int, where: str | None = None) -> Neighbors:
        """The `k` nearest items to a unit vector (dim,) among those that pass a filter, each by
        its best row.
        """


class Keys(Protocol):
    """A field's values as numbers, one a row."""

    @property
    def codes(self) -> NDArray[np.int64]:
        """Equal values have equal numbers; -1 where a row has none."""

    @property
    def ranks(self) -> NDArray[np.int64]:
        """Numbers that rise with the value, texts in any case; -1 where a row has none."""


class WordIndex(Protocol):
    """The words of a store's items as they stood at one commit; it never changes.

    A group is a list of ways to say one thing, the typed one first; each is a word, or several
    that must all be there.
    """

    def words(self, text: str) -> list[str]:
        """The words of a text as the index cuts them: lower case, no accents."""

    def stems(self, words: Sequence[str]) -> list[str]:
        """Words without their endings: equal where one finds the other."""

    def knows(self, word: str) -> bool:
        """Whether an item has the word, in whatever form."""

    def vocabulary(self) -> Mapping[str, int]:
        """Word → how many items have it."""

    def coded(self, text: str) -> NDArray[np.int64]:
        """The store's positions of the items that a code in a text names."""

    def find(
        self,
        groups: Sequence[Sequence[Sequence[str]]],
        k: int,
        where: str | None = None,
        *,
        every: bool = False,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Positions and scores (BM25) of the `k` items that match best among those that pass a
        filter; with `every`, of those only that have something of each group.
        """

    def matches(
        self, item: Item, groups: Sequence[Sequence[Sequence[str]]]
    ) -> tuple[WordMatch, ...]:
        """Which of the words an item has, and where."""


class Snapshot(Protocol):
    """A store as it stood at one commit; whatever is written later, it answers as then."""

    @property
    def token(self) -> str:
        """Names the commit, and no other of any store."""

    def count(self) -> int:
        """Items in the store."""

    def get(self, ids: Sequence[str]) -> list[Item]:
        """Items in the order of `ids`; `NotFoundError` names the first that is missing."""

    def keys(self, field: str) -> Keys:
        """A field's values at the store's positions; `QueryError` where no item has the field."""

    def words(self) -> WordIndex:
        """The items' words."""

    def index(self, fingerprint: str) -> Index:
        """The index of one encoder; `FingerprintError` where the store has none of its vectors."""
