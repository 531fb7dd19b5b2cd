"""An engine without a model: vectors are the mean colours of a few drawn pictures."""

import hashlib
import io
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from coordi.errors import FilterError, ImageError, NotFoundError, QueryError
from coordi.types import Answer, Facet, Garment, Hit, ImageRef, Item, PictureInfo, Query

COLORS = {
    "red": (190, 40, 50),
    "blue": (40, 70, 170),
    "green": (50, 130, 80),
    "black": (30, 30, 34),
    "white": (236, 234, 228),
}
SHAPES = {
    "dress": [(90, 20), (150, 20), (160, 120), (200, 320), (40, 320), (80, 120)],
    "shirt": [(70, 60), (170, 60), (230, 130), (180, 150), (180, 300), (60, 300), (10, 130)],
    "trousers": [(70, 20), (170, 20), (185, 330), (130, 330), (120, 120), (110, 330), (55, 330)],
}
WORDS = re.compile(r"\w+")


def draw(kind: str, color: str, size: tuple[int, int] = (240, 350)) -> bytes:
    """A JPEG of a garment on light grey."""
    picture = Pillow.new("RGB", (240, 350), (244, 243, 240))
    ImageDraw.Draw(picture).polygon(SHAPES[kind], fill=COLORS[color])
    out = io.BytesIO()
    picture.resize(size).save(out, "JPEG", quality=88)
    return out.getvalue()


def drawn_items() -> list[Item]:
    """Some items; sizes, prices and ids vary, and one has neither picture nor price."""
    items = []
    for number, (kind, color) in enumerate((k, c) for k in SHAPES for c in COLORS):
        data = draw(kind, color, (240, 350) if number % 4 else (350, 300))
        fields = {
            "category": kind,
            "color": color,
            "price": 19.0 + 7 * number,
            "sale": not number % 3,
        }
        ident = f"{kind}/{color} {number}" if number % 5 else f"コーデ-{number}"
        items.append(Item(ident, ImageRef(data=data), f"{color.title()} {kind}", "Soft.", fields))
    bare = {"category": "hat", "color": None, "price": None, "sale": None}
    return [*items, Item("plain", None, "Hat of words only", "", bare)]


@cache
def drawn_fields() -> frozenset[str]:
    """Their fields; drawing them anew for each term and item took seconds a request."""
    return frozenset(name for one in drawn_items() for name in one.fields)


@dataclass(frozen=True)
class FakeColumn:
    name: str = "/secret/models/fake"
    fingerprint: str = "0" * 16


@dataclass(frozen=True)
class FakeStats:
    items: int
    vectors: dict[str, int]
    token: str
    encoders: tuple[FakeColumn, ...] = (FakeColumn(),)


@dataclass
class FakeEngine:
    """Answers as the real one does, by colour and by shared words."""

    items: list[Item] = field(default_factory=drawn_items)
    word: str = "ready"
    """The state of the store."""
    failure: Exception | None = None
    match: float | None = None
    """What a re-ranker would say of every hit."""
    notes: tuple[str, ...] = ()
    without_vector: int = 0
    queries: list[Query] = field(default_factory=list)
    rails: list[tuple] = field(default_factory=list)
    """Filter, order and fold of each page without a query."""
    facets_asked: list[dict] = field(default_factory=list)
    garments: tuple[Garment, ...] = ()
    """What is found in every picture."""
    looked_at: list[tuple] = field(default_factory=list)
    views: int = 0
    """How many were taken."""

    def __post_init__(self) -> None:
        self.vectors = {item.id: self._color(item) for item in self.items}

    def _color(self, item: Item) -> np.ndarray:
        if item.image is None:
            return np.zeros(3)
        return _mean(self.decode(bytes_of(item)))

    def view(self) -> "FakeView":
        self.views += 1
        return FakeView(self, f"commit-{self.views}")

    def state(self) -> tuple[str, str]:
        return self.word, "What /secret/store is."

    def stats(self) -> FakeStats:
        self.views += 1
        vectors = {"0" * 16: len(self.items) - self.without_vector}
        return FakeStats(len(self.items), vectors, f"commit-{self.views}")

    def shrink(self, data, side, *, max_pixels=50_000_000):
        picture = Pillow.fromarray(self.decode(data, max_pixels=max_pixels))
        picture.thumbnail((side, side))
        out = io.BytesIO()
        picture.save(out, "JPEG")
        return out.getvalue()

    def find(self, image):
        self.looked_at.append(image.shape)
        return self.garments

    def best(self, garments):
        return garments[0] if garments else None

    def decode(self, data, *, box=None, max_pixels=50_000_000, garments=False):
        try:
            picture = Pillow.open(io.BytesIO(data))
            if picture.width * picture.height > max_pixels:
                raise ImageError(f"the picture has more than {max_pixels} pixels")
            pixels = np.asarray(picture.convert("RGB"))
        except (OSError, SyntaxError):
            raise ImageError("these bytes are not a picture") from None
        if box is None:
            return pixels
        height, width = pixels.shape[:2]
        left, top, right, bottom = box
        return pixels[
            int(top * height) : max(int(bottom * height), 1),
            int(left * width) : max(int(right * width), 1),
        ]


def bytes_of(item: Item, number: int = 0) -> bytes:
    pictures = [item.image, *item.more]
    if number >= len(pictures) or pictures[number] is None:
        raise NotFoundError(f"item {item.id!r} has no picture at /secret/place.jpg")
    picture = pictures[number]
    return picture.data if picture.data is not None else picture.path.read_bytes()


class FakeView:
    """The fake engine's items at one commit."""

    def __init__(self, engine: FakeEngine, token: str) -> None:
        self.engine, self.token, self.items = engine, token, engine.items

    def get(self, ids):
        known = {item.id: item for item in self.items}
        missing = [one for one in ids if one not in known]
        if missing:
            raise NotFoundError(f"no item {missing[0]!r} in the store at /secret/store")
        return [known[one] for one in ids]

    def rail(self, where=None, *, limit=40, offset=0, sort=None, fold=None):
        self._fail()
        self.engine.rails.append((where, sort, fold))
        found = [item for item in self.items if passes(item, where)]
        groups = folded(ordered(found, sort), fold)
        page = groups[offset : offset + limit]
        return [(one.id, tuple(other.id for other in rest)) for one, *rest in page], len(groups)

    def search(self, query: Query) -> Answer:
        self._fail()
        self.engine.queries.append(query)
        allowed = [i for i in self.items if passes(i, query.where) and i.id != query.item]
        hits = sorted((self._hit(item, query) for item in allowed), key=lambda hit: -hit.score)
        if query.min_score is not None:
            hits = [hit for hit in hits if hit.score >= query.min_score]
        if query.collapse is not None and len(hits) > 2:
            hits = [Hit(hits[0].item, hits[0].score, hits[0].parts, (hits[1].item.id,)), *hits[2:]]
        hits = ordered(hits, query.sort, lambda hit: hit.item)
        hits = [
            replace(first, variants=tuple(hit.item.id for hit in rest))
            for first, *rest in folded(hits, query.fold, lambda hit: hit.item)
        ]
        page = hits[query.offset : query.offset + query.limit]
        return Answer(
            hits=tuple(page),
            total=len(self.items),
            filtered_out=len(self.items) - len(allowed),
            encoder="/secret/models/fake",
            fingerprint="0" * 16,
            index="exact",
            seconds={"search": 0.001},
            more=len(hits) > query.offset + query.limit,
            token=self.token,
            without_vector=self.engine.without_vector,
            notes=self.engine.notes,
        )

    def _hit(self, item: Item, query: Query) -> Hit:
        vectors = self.engine.vectors
        parts = {}
        if query.image is not None:
            parts["image"] = _near(_mean(query.image), vectors[item.id])
        if query.item is not None:
            self.get([query.item])
            parts["item"] = _near(vectors[query.item], vectors[item.id])
        if query.text is not None:
            wanted = set(WORDS.findall(query.text.lower()))
            found = wanted & set(WORDS.findall(item.title.lower()))
            parts["text"] = len(found) / max(len(wanted), 1)
        weights = {part: query.weights.get(part, 1.0) for part in parts}
        total = sum(weights.values()) or 1.0
        shares = {part: weights[part] / total * score for part, score in parts.items()}
        parts_asked = shares if query.explain else None
        return Hit(item, sum(shares.values()), parts_asked, match=self.engine.match)

    def facets(self, where=None, *, query=None, field=None, contains=None, limit=50, offset=0):
        self._fail()
        self.engine.facets_asked.append(
            {"where": where, "query": query, "field": field, "contains": contains}
        )
        names = sorted({name for item in self.items for name in item.fields})
        if field is not None and field not in names:
            raise QueryError(f"no item has a field named {field!r}")
        names = names if field is None else [field]
        sought = (contains or "").lower()
        found = [self._facet(name, where) for name in names]
        return [
            replace(
                facet,
                values=tuple(pair for pair in facet.values if sought in pair[0].lower())[
                    offset : offset + limit
                ],
                more=len(facet.values) > offset + limit,
            )
            for facet in found
        ]

    def _facet(self, name: str, where: str | None) -> Facet:
        """Counted without the conditions on the field itself, as the engine does."""
        others = [term for term in terms_of(where) if field_of(term) != name]
        counted = [item for item in self.items if all(_term(item, term) for term in others)]
        every = [item.fields[name] for item in self.items if item.fields.get(name) is not None]
        values = [item.fields[name] for item in counted if item.fields.get(name) is not None]
        if isinstance(every[0], bool):
            kind = "boolean"
        elif isinstance(every[0], str):
            kind = "text"
        else:
            low, high = (min(values), max(values)) if values else (None, None)
            return Facet(name, "number", (), len(set(values)), low, high)
        many = name == "sizes"
        parts = [part for value in values for part in (value.split(";") if many else [value])]
        counts = Counter(str(part).lower() if kind == "boolean" else part for part in parts)
        return Facet(name, kind, tuple(counts.most_common()), len(counts), many=many)

    def image(self, item_id, number=0):
        self._fail()
        data = bytes_of(self.get([item_id])[0], number)
        return data, "image/webp" if data[8:12] == b"WEBP" else "image/jpeg"

    def picture_info(self, item):
        if item.image is None:
            return PictureInfo("", None)
        size = Pillow.open(io.BytesIO(bytes_of(item))).size
        return PictureInfo(self.picture_version(item, 0), size)

    def picture_version(self, item, number):
        return hashlib.md5(bytes_of(item, number)).hexdigest()

    def thumbnail(self, item_id, side=320, number=0):
        self._fail()
        data = bytes_of(self.get([item_id])[0], number)
        picture = Pillow.fromarray(self.engine.decode(data))
        picture.thumbnail((side, side))
        out = io.BytesIO()
        picture.save(out, "JPEG")
        return out.getvalue()

    def _fail(self) -> None:
        if self.engine.failure is not None:
            raise self.engine.failure


def _mean(pixels: np.ndarray) -> np.ndarray:
    middle = pixels[pixels.shape[0] // 3 : -pixels.shape[0] // 3 or None]
    return middle.reshape(-1, 3).mean(axis=0) - 128


def _near(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-9))


TERM = re.compile(
    r"`?(?P<field>\w+)`? *(?P<op>=|>=|<=|in|IN|has) *(?P<value>\(.*?\)|'(?:[^']|'')*'|[\w.]+)"
)


def passes(item: Item, where: str | None) -> bool:
    """The part of the filter grammar that the page writes: terms joined by `and`."""
    return all(_term(item, term) for term in terms_of(where))


def terms_of(where: str | None) -> list[str]:
    return re.split(r" and (?=(?:[^']*'[^']*')*[^']*$)", where) if where else []


def field_of(term: str) -> str:
    match = TERM.search(term)
    return match["field"] if match else ""


def ordered(found: list, sort: str | None, item_of=lambda item: item) -> list:
    """In the order of a field; what has no value comes last."""
    if not sort:
        return found
    name = sort.removeprefix("-")
    has = [one for one in found if item_of(one).fields.get(name) is not None]
    has.sort(key=lambda one: item_of(one).fields[name], reverse=sort.startswith("-"))
    return has + [one for one in found if item_of(one).fields.get(name) is None]


def folded(found: list, fold: str | None, item_of=lambda item: item) -> list[list]:
    """Groups of one value of a field."""
    groups: dict = {}
    for one in found:
        value = item_of(one).fields.get(fold) if fold else None
        groups.setdefault(value if value is not None else item_of(one).id + "?", []).append(one)
    return list(groups.values())


def _term(item: Item, term: str) -> bool:
    if term.startswith("not "):
        return not _term(item, term.removeprefix("not "))
    if " has " in term:
        wanted = re.findall(r"`?(\w+)`? has '((?:[^']|'')*)'", term)
        return any(text in (item.fields.get(name) or "").split(";") for name, text in wanted)
    match = TERM.fullmatch(term.strip().removeprefix("(").strip())
    if match is None:
        raise FilterError(f"cannot read the filter at {term!r}")
    if match["field"] not in drawn_fields() | set(item.fields):
        raise FilterError(f"no item has a field {match['field']!r}")
    have, value = item.fields.get(match["field"]), match["value"]
    if have is None:
        return False
    if match["op"].lower() == "in":
        wanted = [text.replace("''", "'") for text in re.findall(r"'((?:[^']|'')*)'", value)]
        return have in wanted
    if value in ("true", "false"):
        return have is (value == "true")
    bound = value[1:-1].replace("''", "'") if value.startswith("'") else float(value)
    return {"=": have == bound, ">=": have >= bound, "<=": have <= bound}[match["op"]]
