"""Polyvore: outfits that people put together, and the two tests that are made of them.

The layouts of the published files. Maryland Polyvore (Han et al. 2017, ACM MM): SIDE_no_dup.json,
fill_in_blank_test.json, fashion_compatibility_prediction.txt, category_id.txt; also as MCN and NGNN
cut it. Polyvore Outfits (Vasileva et al. 2018, ECCV), one folder for each of its two splits:
SIDE.json, fill_in_blank_SIDE.json, compatibility_SIDE.txt, and beside them or one folder above
categories.csv, polyvore_item_metadata.json and polyvore_outfit_titles.json.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from coordi.data.benchmarks.gathering import read_json
from coordi.errors import CatalogError
from coordi.types import Origin, Outfit, Problem

MARYLAND, OUTFITS, DISJOINT = "Maryland Polyvore", "Polyvore Outfits", "Polyvore Outfits-D"
PUBLISHED: Mapping[str, Mapping[str, int]] = {
    MARYLAND: {"train outfits": 17316, "valid outfits": 1497, "test outfits": 3076},
    OUTFITS: {"train outfits": 53306, "valid outfits": 5000, "test outfits": 10000},
    DISJOINT: {"train outfits": 16995, "valid outfits": 3000, "test outfits": 15145},
}
"""What the authors state of each dataset; the papers do not count items in one way."""

_FACTS = ("category_id", "semantic_category", "title")
_SPLITS = ("disjoint", "nondisjoint")
_BLANKS, _LABELLED = "fill_in_*blank_*.json", "*compatibility*.txt"
_SIDES = ("train", "valid", "test")
_TASK = {"fashion", "compatibility", "prediction", "fill", "in", "the", "blank"}


@dataclass(frozen=True, slots=True)
class Garment:
    """What the files say of an item; "" where they say nothing."""

    category: str = ""
    """The fine one; several names joined by " / " where one category id has them."""
    kind: str = ""
    """The coarse one ("tops", "shoes")."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class BlankQuestion:
    """An outfit without one item, and the choices to fill the blank with."""

    outfit: str
    items: tuple[str, ...]
    choices: tuple[str, ...]
    right: int
    """Place of the right choice, from 0; files list it first, so shuffle before asking."""
    blank: int = 0
    """Place of the blank in the outfit as the file states it, from 1; 0 where it does not."""


@dataclass(frozen=True, slots=True)
class LabelledOutfit:
    """Items, and whether someone put them together (true) or they were drawn (false)."""

    items: tuple[str, ...]
    label: bool


@dataclass(frozen=True, slots=True)
class Polyvore:
    """Outfits, questions and labelled outfits by side ("train", "valid", "test", "mcn_test")."""

    name: str
    dataset: str
    """Key of `PUBLISHED`."""
    outfits: Mapping[str, tuple[Outfit, ...]]
    items: Mapping[str, Garment]
    """By id: the item's own, or SETID_INDEX where it has none (Maryland)."""
    questions: Mapping[str, tuple[BlankQuestion, ...]]
    labelled: Mapping[str, tuple[LabelledOutfit, ...]]
    problems: tuple[Problem, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """What `PUBLISHED` counts, as found, in all files of a side together."""
        found: dict[str, set[str]] = defaultdict(set)
        for side, outfits in self.outfits.items():
            found[f"{split(side)} outfits"] |= {outfit.id for outfit in outfits}
        return {name: len(ids) for name, ids in found.items()}


_Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))]


class _Member(BaseModel):
    index: int
    item_id: _Text = ""
    name: _Text = ""
    category: _Text = Field("", alias="categoryid")
    kind: _Text = ""


class _Set(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)
    set_id: str
    items: list[_Member] = Field(min_length=1)
    name: _Text = ""


class _Question(BaseModel):
    question: list[str] = Field(min_length=1)
    answers: list[str] = Field(min_length=2)
    blank_position: int = 0


M = TypeVar("M", bound=BaseModel)


def split(side: str) -> str:
    """Which of train, valid and test a side such as "mcn_test" or "test_hw" is part of."""
    return next((name for name in _SIDES if name in side), side)


def is_polyvore(folder: Path) -> bool:
    """Whether a folder has the layout of a Polyvore dataset, or of both splits of one."""
    sides = any((folder / f"{side}.json").is_file() for side in _SIDES)
    tests = any(folder.glob(_BLANKS)) or any(folder.glob(_LABELLED))
    named = any(folder.glob("*_no_dup*.json"))
    return named or (sides and tests) or any(is_polyvore(folder / at) for at in _splits(folder))


def read_polyvore(folder: Path) -> Polyvore:
    """Read all files of a folder; an outfit, question or line that is of no use is a `Problem`.

    Raises `CatalogError` where a file is no JSON, there are no outfits, or the folder holds both
    splits of Polyvore Outfits, which are two benchmarks.
    """
    files = _outfit_files(folder)
    if not files:
        splits = " or ".join(str(folder / name) for name in _splits(folder))
        raise CatalogError(
            f"{folder} holds two benchmarks; name {splits}"
            if splits
            else f"{folder} holds no outfits: no SIDE.json or SIDE_no_dup.json of Polyvore"
        )
    reader = _Reader(folder)
    outfits = {side: tuple(reader.outfits(path)) for side, path in files.items()}
    blanks, labelled = _task_files(folder, _BLANKS), _task_files(folder, _LABELLED)
    maryland = any("_no_dup" in path.name for path in files.values())
    return Polyvore(
        name=folder.name,
        dataset=MARYLAND if maryland else DISJOINT if folder.name == "disjoint" else OUTFITS,
        outfits=outfits,
        items=reader.items,
        questions={side: tuple(reader.questions(path)) for side, path in blanks.items()},
        labelled={side: tuple(reader.labelled(path)) for side, path in labelled.items()},
        problems=tuple(reader.problems),
    )


def _splits(folder: Path) -> list[str]:
    return [name for name in _SPLITS if (folder / name).is_dir()]


def _outfit_files(folder: Path) -> dict[str, Path]:
    """By side: "mcn_test" of mcn_test_no_dup_with_category_3more_name.json."""
    paths = [folder / f"{side}.json" for side in _SIDES] + sorted(folder.glob("*_no_dup*.json"))
    return _by_side((path.stem.partition("_no_dup")[0], path) for path in paths if path.is_file())


def _task_files(folder: Path, pattern: str) -> dict[str, Path]:
    """By side: "test_hw" of compatibility_test_hw.txt; Maryland names none and means test."""
    words = {path: re.split("[_-]", path.stem) for path in sorted(folder.glob(pattern))}
    sides = {path: "_".join(word for word in of if word not in _TASK) for path, of in words.items()}
    return _by_side((side or "test", path) for path, side in sides.items())


def _by_side(named: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for side, path in named:
        if found.setdefault(side, path) != path:
            raise CatalogError(f"{path} and {found[side].name} are both of side {side}; keep one")
    return found


class _Reader:
    """What the files of one folder need of each other."""

    def __init__(self, folder: Path) -> None:
        self.places = (folder, folder.parent) if folder.name in _SPLITS else (folder,)
        self.problems: list[Problem] = []
        self.items: dict[str, Garment] = {}
        self.ids: dict[str, str] = {}  # SETID_INDEX → item
        self.categories: dict[tuple[str, int], set[str]] = defaultdict(set)
        for key, name in self._categories():
            self.categories[key].add(name)
        self.facts = dict(self._facts("*_category.json")) | dict(self._facts("*_metadata.json"))
        self.titles = dict(self._facts("*_outfit_titles.json"))

    def outfits(self, path: Path) -> Iterator[Outfit]:
        """Outfits of a file; one of which a part cannot be read would be another outfit."""
        for number, entry in enumerate(_sets(path), 1):
            if one := self._parsed(_Set, path, number, entry):
                items = tuple(self._item(path, number, one.set_id, member) for member in one.items)
                text = one.name or self.titles.get(one.set_id, Garment()).name
                yield Outfit(one.set_id, items, text)

    def _item(self, path: Path, number: int, outfit: str, member: _Member) -> str:
        key = f"{outfit}_{member.index}"
        id_ = member.item_id or key
        if self.ids.setdefault(key, id_) != id_:
            self._trouble(path, number, "two items under one SETID_INDEX", key)
        fact, known = (of.get(id_, Garment()) for of in (self.facts, self.items))
        category = member.category or fact.category
        self.items[id_] = Garment(
            known.category or self._named(category, 0) or category,
            known.kind or member.kind or fact.kind or self._named(category, 1),
            known.name or member.name or fact.name,
        )
        return id_

    def questions(self, path: Path) -> Iterator[BlankQuestion]:
        """Questions of a file; the right choice is the one with the outfit's own SETID."""
        for number, entry in enumerate(_entries(path, list), 1):
            asked = self._parsed(_Question, path, number, entry)
            if asked and self._known(path, number, (*asked.question, *asked.answers)):
                outfit = asked.question[0].rpartition("_")[0]
                own = [n for n, key in enumerate(asked.answers) if key.startswith(f"{outfit}_")]
                if len(own) != 1:
                    self._trouble(path, number, "no single choice with the outfit's own SETID")
                    continue
                items, choices = map(self._items, (asked.question, asked.answers))
                yield BlankQuestion(outfit, items, choices, own[0], asked.blank_position)

    def labelled(self, path: Path) -> Iterator[LabelledOutfit]:
        """Stream the lines of a file: 1 or 0, then the items."""
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                label, *keys = line.split() or [""]
                if label not in ("0", "1"):
                    self._trouble(path, number, "no 1 or 0 at the start of the line")
                elif not keys:
                    self._trouble(path, number, "no items after the label")
                elif self._known(path, number, keys):
                    yield LabelledOutfit(self._items(keys), label == "1")

    def _items(self, keys: Iterable[str]) -> tuple[str, ...]:
        return tuple(self.ids[key] for key in keys)

    def _known(self, path: Path, number: int, keys: Iterable[str]) -> bool:
        unknown = next((key for key in keys if key not in self.ids), None)
        if unknown is not None:
            self._trouble(path, number, "an item that no outfit lists", unknown)
        return unknown is None

    def _parsed(self, model: type[M], path: Path, number: int, entry: object) -> M | None:
        try:
            return model.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
            self._trouble(path, number, f"{where or 'entry'}: {first['msg']}")
            return None

    def _trouble(self, path: Path, number: int, reason: str, id: str | None = None) -> None:
        self.problems.append(Problem(Origin(str(path), number), reason, id=id))

    def _facts(self, pattern: str) -> Iterator[tuple[str, Garment]]:
        """What a file says by id: an object's texts, or the category's id alone."""
        for path in self._files(pattern):
            for number, (id_, entry) in enumerate(_entries(path, dict).items(), 1):
                if isinstance(entry, dict):
                    named = (entry.get(key) or "" for key in _FACTS)
                    yield id_, Garment(*map(str, named))
                elif isinstance(entry, str):
                    yield id_, Garment(entry)
                else:
                    self._trouble(path, number, "neither an object nor a category", id_)

    def _categories(self) -> Iterator[tuple[tuple[str, int], str]]:
        """(category id, 0 for the fine and 1 for the coarse name) → name; an id has several."""
        for pattern, comma in (("categories.csv", ","), ("*category_id.txt", None)):
            for path in self._files(pattern):
                lines = path.read_text("utf-8", errors="replace").splitlines()
                for number, line in enumerate(lines, 1):
                    id_, *names = map(str.strip, line.split(comma, 2 if comma else 1) or [""])
                    if id_ and not names:
                        self._trouble(path, number, "no names of a category after its id")
                    yield from (((id_, level), name) for level, name in enumerate(names) if name)

    def _named(self, category: str, level: int) -> str:
        return " / ".join(sorted(self.categories[category, level]))

    def _files(self, pattern: str) -> list[Path]:
        return [path for place in self.places for path in sorted(place.glob(pattern))]


def _entries(path: Path, *kinds: type) -> Any:
    entries = read_json(path)
    if not isinstance(entries, kinds):
        raise CatalogError(f"{path} holds no JSON {' or '.join(kind.__name__ for kind in kinds)}")
    return entries


def _sets(path: Path) -> Iterator[object]:
    """Outfits as Maryland lists them; MCN has members by slot, NGNN categories by place."""
    entries = _entries(path, list, dict)
    listed: Iterable[Any] = entries.items() if isinstance(entries, dict) else entries
    for entry in listed:
        match entry:
            case (str(id_), dict(slots)) if all(isinstance(m, dict) for m in slots.values()):
                yield {"set_id": id_, "items": [m | {"kind": slot} for slot, m in slots.items()]}
            case {"items_index": [*at], "items_category": [*ids]} if len(at) == len(ids):
                pairs = zip(at, ids, strict=True)
                yield entry | {"items": [{"index": n, "categoryid": id_} for n, id_ in pairs]}
            case _:
                yield entry
