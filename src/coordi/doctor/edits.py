"""Checks of composed retrieval's text: FashionIQ's layout (captions/, image_splits/).

Counts and traps are those of the published files (Wu et al. 2021, CVPR).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from coordi.doctor.findings import Exhibit, Figures, Finding, Result, share
from coordi.errors import CatalogError
from coordi.types import Origin, Problem

PUBLISHED: Mapping[str, int] = {
    "train triplets": 18000,
    "val triplets": 6016,
    "dress val triplets": 2017,
    "shirt val triplets": 2038,
    "toptee val triplets": 1961,
    "dress val gallery": 3817,
    "shirt val gallery": 6346,
    "toptee val gallery": 5373,
}
"""What the dataset's authors and the papers that use it state."""

SIDES = ("train", "val", "test")
SHORT = 2
"""Words up to which a caption is called short."""
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class CaptionedEdit:
    """A reference, what to change in words, and the target ("" where it is kept secret)."""

    reference: str
    captions: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True)
class EditSubject:
    """Triplets and galleries by (category, side)."""

    name: str
    triplets: Mapping[tuple[str, str], tuple[CaptionedEdit, ...]]
    galleries: Mapping[tuple[str, str], frozenset[str]]
    repeated: Mapping[tuple[str, str], int]
    """Ids that a gallery file lists more than once."""
    problems: tuple[Problem, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories, sorted."""
        return tuple(sorted({category for category, _ in (*self.triplets, *self.galleries)}))

    @property
    def counts(self) -> dict[str, int]:
        """What `PUBLISHED` counts, as found."""
        found: Counter[str] = Counter()
        for (category, side), triplets in self.triplets.items():
            found[f"{side} triplets"] += len(triplets)
            found[f"{category} {side} triplets"] += len(triplets)
        for (category, side), gallery in self.galleries.items():
            found[f"{category} {side} gallery"] += len(gallery)
        return dict(found)


def is_edit_folder(folder: Path) -> bool:
    """Whether a folder has FashionIQ's layout."""
    return (folder / "captions").is_dir() and (folder / "image_splits").is_dir()


def read_edits(folder: Path) -> EditSubject:
    """Read captions/cap.CATEGORY.SIDE.json and image_splits/split.CATEGORY.SIDE.json.

    A triplet without its fields is a `Problem`; `CatalogError` where a file is no JSON list.
    """
    triplets: dict[tuple[str, str], tuple[CaptionedEdit, ...]] = {}
    galleries: dict[tuple[str, str], frozenset[str]] = {}
    repeated: dict[tuple[str, str], int] = {}
    problems: list[Problem] = []
    for path in sorted((folder / "captions").glob("cap.*.json")):
        rows = [_triplet(path, n, entry) for n, entry in enumerate(_entries(path), 1)]
        triplets[_key(path)] = tuple(row for row in rows if isinstance(row, CaptionedEdit))
        problems += [row for row in rows if isinstance(row, Problem)]
    for path in sorted((folder / "image_splits").glob("split.*.json")):
        ids = [str(entry) for entry in _entries(path)]
        galleries[_key(path)] = frozenset(ids)
        repeated[_key(path)] = len(ids) - len(set(ids))
    if not triplets:
        raise CatalogError(f"{folder / 'captions'} holds no cap.CATEGORY.SIDE.json")
    return EditSubject(folder.name, triplets, galleries, repeated, tuple(problems))


def _key(path: Path) -> tuple[str, str]:
    parts = path.name.split(".")
    if len(parts) != 4:
        raise CatalogError(f"{path} is not named KIND.CATEGORY.SIDE.json")
    return parts[1], parts[2]


def _entries(path: Path) -> list[object]:
    try:
        entries = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise CatalogError(f"{path} is no JSON: {error}") from error
    if not isinstance(entries, list):
        raise CatalogError(f"{path} holds no JSON list")
    return entries


def _triplet(path: Path, number: int, entry: object) -> CaptionedEdit | Problem:
    if isinstance(entry, dict) and isinstance(entry.get("captions"), list):
        reference, target = entry.get("candidate"), entry.get("target", "")
        if isinstance(reference, str) and isinstance(target, str):
            return CaptionedEdit(reference, tuple(map(str, entry["captions"])), target)
    return Problem(Origin(str(path), number), "no candidate, target and captions; it is left out")


def published_counts(subject: EditSubject) -> Iterator[Result]:
    """Triplets and galleries against the published numbers."""
    counts = subject.counts
    yield Figures(
        "published counts",
        "Counts",
        ("what", "published", "found"),
        tuple((name, f"{n:,}", f"{counts.get(name, 0):,}") for name, n in PUBLISHED.items()),
    )
    wrong = [name for name, n in PUBLISHED.items() if counts.get(name, 0) != n]
    if wrong:
        yield Finding(
            "published counts",
            "error",
            f"{len(wrong)} of {len(PUBLISHED)} counts are not the published ones",
            "Numbers on it are those of another benchmark: say so, and do not compare them with "
            "published ones.",
            len(wrong),
            len(PUBLISHED),
            exhibits=tuple(
                Exhibit(f"{n}: {counts.get(n, 0):,} instead of {PUBLISHED[n]:,}") for n in wrong
            ),
        )


def unusable(subject: EditSubject) -> Iterator[Result]:
    """Entries that are no triplets."""
    if subject.problems:
        yield Finding(
            "unusable entries",
            "error",
            f"{len(subject.problems):,} entries are no triplets and were left out",
            "Mend or fetch the files again.",
            len(subject.problems),
            sum(map(len, subject.triplets.values())) + len(subject.problems),
            exhibits=tuple(Exhibit(f"{p.origin}: {p.reason}") for p in subject.problems[:_SHOWN]),
        )


def cross_category_leaks(subject: EditSubject) -> Iterator[Result]:
    """Images that are asked about in one category and trained on in another, or in the same."""
    for category in subject.categories:
        for side in ("val", "test"):
            gallery = subject.galleries.get((category, side), frozenset())
            targets = {t.target for t in subject.triplets.get((category, side), ())} - {""}
            for where, trained in _trained(subject, category).items():
                leaked = sorted(gallery & trained)
                asked = len(targets & trained)
                if leaked:
                    yield Finding(
                        "leaks across the split",
                        "error",
                        f"{len(leaked):,} of the {len(gallery):,} {category} {side} gallery images "
                        f"are in {where}" + (f", {asked:,} of them targets" if targets else ""),
                        "Take them out of training before categories are trained together: the "
                        "answer has been seen.",
                        len(leaked),
                        len(gallery),
                        {"images": len(leaked), "targets": asked},
                        tuple(Exhibit(name) for name in leaked[:_SHOWN]),
                    )


def _trained(subject: EditSubject, category: str) -> dict[str, set[str]]:
    """Where training images are → their ids: the own category's train split and the others'."""
    others: set[str] = set()
    for (other, side), gallery in subject.galleries.items():
        if side == "train" and other != category:
            others |= gallery
    own = set(subject.galleries.get((category, "train"), ()))
    return {"another category's train split": others, "its own train split": own}


def strangers(subject: EditSubject) -> Iterator[Result]:
    """Targets that the gallery does not hold, and references that it does not."""
    for (category, side), triplets in subject.triplets.items():
        gallery = subject.galleries.get((category, side))
        if gallery is None:
            continue
        lost = [t for t in triplets if t.target and t.target not in gallery]
        far = [t for t in triplets if t.reference not in gallery]
        for found, what, severity, advice in (
            (
                lost,
                "target",
                "error",
                "No answer to them can be right: leave them out, and say so.",
            ),
            (far, "reference", "warning", "The protocol needs the reference in the gallery."),
        ):
            if found:
                yield Finding(
                    "strangers",
                    "error" if severity == "error" else "warning",
                    f"{len(found):,} {category} {side} triplets have a {what} that is not in the "
                    "gallery",
                    advice,
                    len(found),
                    len(triplets),
                    exhibits=tuple(Exhibit(f"{t.reference} → {t.target}") for t in found[:_SHOWN]),
                )
    twice = {key: n for key, n in subject.repeated.items() if n}
    if twice:
        yield Finding(
            "strangers",
            "warning",
            f"{sum(twice.values()):,} images stand twice in a gallery file",
            "Count each once, or it takes two places of a ranking.",
            sum(twice.values()),
            sum(map(len, subject.galleries.values())),
            {f"{c} {side}": n for (c, side), n in twice.items()},
        )


def galleries(subject: EditSubject) -> Iterator[Result]:
    """The two galleries that papers rank in, which must never meet in one table."""
    rows = []
    for (category, side), triplets in sorted(subject.triplets.items()):
        if side != "val":
            continue
        union = {t.reference for t in triplets} | {t.target for t in triplets}
        whole = len(subject.galleries.get((category, side), ()))
        idle = len(subject.galleries.get((category, side), frozenset()) - union)
        rows.append((category, f"{len(triplets):,}", f"{whole:,}", f"{len(union):,}", f"{idle:,}"))
    if rows:
        yield Figures(
            "galleries",
            "Validation galleries",
            ("category", "triplets", "split gallery", "references and targets", "distractors"),
            tuple(rows),
            "A smaller gallery is an easier benchmark: name the one that was ranked in.",
        )


def short_captions(subject: EditSubject) -> Iterator[Result]:
    """Captions of at most two words, and empty ones."""
    table = []
    for (category, side), triplets in subject.triplets.items():
        short = [[_is_short(caption) for caption in t.captions] for t in triplets]
        captions = sum(map(len, short))
        cells = share(sum(map(sum, short)), captions), share(sum(map(any, short)), len(short))
        table.append((f"{category} {side}", f"{captions:,}", *cells))
    yield Figures(
        "captions",
        f"Captions of at most {SHORT} words",
        ("captions of", "captions", "short captions", "triplets with a short one"),
        tuple(table),
    )
    every = [t for group in subject.triplets.values() for t in group]
    found = [caption for t in every for caption in t.captions if _is_short(caption)]
    if found:
        total, torn = sum(len(t.captions) for t in every), _with_short(every)
        often = Counter(" ".join(c.casefold().split()) for c in found).most_common(_SHOWN)
        yield Finding(
            "captions",
            "warning" if len(found) > 0.05 * total else "note",
            f"{len(found):,} captions ({share(len(found), total)}) have at most {SHORT} words, in "
            f"{share(torn, len(every))} of the triplets",
            "Many targets fit them: give recall at 50 too, and always join both captions.",
            len(found),
            total,
            {"triplets": torn, "empty": sum(not caption.strip() for caption in found)},
            tuple(Exhibit(f"{caption!r} ({count})") for caption, count in often),
        )


def _is_short(caption: str) -> bool:
    return len(caption.split()) <= SHORT


def _with_short(triplets: list[CaptionedEdit]) -> int:
    return sum(any(map(_is_short, t.captions)) for t in triplets)


def unclear_triplets(subject: EditSubject) -> Iterator[Result]:
    """Triplets that ask for nothing, twice for the same, or for two things in the same words."""
    every = [(key, t) for key, triplets in subject.triplets.items() for t in triplets]
    for check in (_same_target, _same_captions, _asks_for_no_change, _repeated, _torn):
        yield from check(every)


Keyed = list[tuple[tuple[str, str], CaptionedEdit]]


def _same_target(every: Keyed) -> Iterator[Result]:
    found = [t for _, t in every if t.target == t.reference]
    yield from _unclear(found, every, "error", "have their reference as target", "Leave them out.")


def _same_captions(every: Keyed) -> Iterator[Result]:
    found = [t for _, t in every if len(t.captions) > 1 and len(set(map(_norm, t.captions))) == 1]
    advice = "Two captions that are one count once; they are no second witness."
    yield from _unclear(found, every, "note", "carry the same caption twice", advice)


def _asks_for_no_change(every: Keyed) -> Iterator[Result]:
    found = [t for _, t in every if any(_is_no_change(caption) for caption in t.captions)]
    advice = "No composed query can be answered from them; the image alone is the best guess."
    what = "say that nothing changes, or that nothing can be seen"
    yield from _unclear(found, every, "note", what, advice)


def _is_no_change(caption: str) -> bool:
    words = set(_norm(caption).split())
    same = {"same", "identical"} & words and not {"but", "with", "except", "only"} & words
    return bool(same and len(words) <= 5) or {"no", "image"} <= words or {"not", "loading"} <= words


def _repeated(every: Keyed) -> Iterator[Result]:
    count = Counter((key, t.reference, t.target) for key, t in every if t.target)
    found = [t for key, t in every if count[key, t.reference, t.target] > 1]
    advice = "Count one of them, or a pair weighs twice."
    yield from _unclear(found, every, "note", "repeat the reference and target of another", advice)


def _torn(every: Keyed) -> Iterator[Result]:
    """The same reference and words with two targets: one of them must count as a miss."""
    targets: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for key, t in every:
        targets[key, t.reference, frozenset(map(_norm, t.captions))].add(t.target)
    found = [
        t
        for key, t in every
        if len(targets[key, t.reference, frozenset(map(_norm, t.captions))]) > 1
    ]
    advice = "Accept every target of the same question."
    yield from _unclear(found, every, "warning", "ask the same question for another target", advice)


def _unclear(
    found: list[CaptionedEdit], every: Keyed, severity: str, what: str, advice: str
) -> Iterator[Result]:
    if found:
        yield Finding(
            "unclear triplets",
            "error" if severity == "error" else "warning" if severity == "warning" else "note",
            f"{len(found):,} triplets {what}",
            advice,
            len(found),
            len(every),
            exhibits=tuple(
                Exhibit(f"{t.reference} → {t.target or '?'}: {' / '.join(t.captions)}")
                for t in found[:_SHOWN]
            ),
        )


def _norm(caption: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in caption.casefold()).split())


def one_answer(subject: EditSubject) -> Iterator[Result]:
    """How general the captions are: words that fit many targets, of which one counts."""
    for side in ("val",):
        asked = [t for (_, s), ts in subject.triplets.items() if s == side for t in ts]
        used = Counter(_norm(caption) for t in asked for caption in t.captions)
        shared = [t for t in asked if all(used[_norm(caption)] > 1 for caption in t.captions)]
        if asked and len(shared) > 0.01 * len(asked):
            often = ", ".join(f"{c!r} ({n})" for c, n in used.most_common(5))
            yield Finding(
                "one labelled answer",
                "note",
                f"{len(shared):,} {side} triplets have only captions that other triplets use too: "
                f"{often}",
                "Many images fit, one counts: look-alikes are misses. Give recall at 50 and both "
                "baselines (image alone, text alone).",
                len(shared),
                len(asked),
                exhibits=tuple(
                    Exhibit(f"{t.reference} → {t.target}: {' / '.join(t.captions)}")
                    for t in shared[:_SHOWN]
                ),
            )


def popular_targets(subject: EditSubject) -> Iterator[Result]:
    """Whether the targets' popularity alone finds them."""
    rows = []
    for (category, side), triplets in sorted(subject.triplets.items()):
        gallery = subject.galleries.get((category, side), frozenset())
        used = Counter(t.target for t in triplets if t.target)
        if side == "val" and used and gallery:
            top = {name for name, _ in used.most_common(10)}
            hit = sum(t.target in top for t in triplets) / len(triplets)
            rows.append(
                (category, f"{hit:.4f}", f"{10 / len(gallery):.4f}", f"{max(used.values())}")
            )
    if rows:
        yield Figures(
            "shortcuts",
            "Recall at 10 from the ten most frequent targets alone",
            ("category", "recall at 10", "chance", "most queries of one target"),
            tuple(rows),
        )
