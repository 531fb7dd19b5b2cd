"""Checks of composed retrieval's text, as FashionIQ (Wu et al. 2021, CVPR) has it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from coordi.data.fashioniq import PUBLISHED, FashionIQ
from coordi.doctor.findings import (
    Exhibit,
    Figures,
    Finding,
    Result,
    Severity,
    against_published,
    places,
    share,
)
from coordi.types import Edit

SHORT = 2
"""Words up to which a caption is called short."""
_SHOWN = 12
_LOST = "No answer to them can be right: leave them out, and say so."


def published_counts(subject: FashionIQ) -> Iterator[Result]:
    """Triplets and galleries against the published numbers."""
    return against_published(PUBLISHED, subject.counts, "another")


def unusable(subject: FashionIQ) -> Iterator[Result]:
    """Entries that are no triplets."""
    if subject.problems:
        yield Finding(
            "unusable entries",
            "error",
            f"{len(subject.problems):,} entries are no triplets and were left out",
            "Mend or fetch the files again.",
            len(subject.problems),
            sum(map(len, subject.edits.values())) + len(subject.problems),
            exhibits=places(subject.problems[:_SHOWN]),
        )


def cross_category_leaks(subject: FashionIQ) -> Iterator[Result]:
    """Images that are asked about in one category and trained on in another, or in the same."""
    for category in subject.categories:
        for side in ("val", "test"):
            gallery = subject.galleries.get((category, side), frozenset())
            targets = {t.target for t in subject.edits.get((category, side), ())} - {""}
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


def _trained(subject: FashionIQ, category: str) -> dict[str, set[str]]:
    """Where training images are → their ids: the own category's train split and the others'."""
    others: set[str] = set()
    for (other, side), gallery in subject.galleries.items():
        if side == "train" and other != category:
            others |= gallery
    own = set(subject.galleries.get((category, "train"), ()))
    return {"another category's train split": others, "its own train split": own}


def strangers(subject: FashionIQ) -> Iterator[Result]:
    """Targets that the gallery does not hold, and references that it does not."""
    for (category, side), triplets in subject.edits.items():
        gallery = subject.galleries.get((category, side))
        if gallery is None:
            continue
        lost = [t for t in triplets if t.target and t.target not in gallery]
        far = [t for t in triplets if t.reference not in gallery]
        told: tuple[tuple[list[Edit], str, Severity, str], ...] = (
            (lost, "target", "error", _LOST),
            (far, "reference", "warning", "The protocol needs the reference in the gallery."),
        )
        for found, what, severity, advice in told:
            if found:
                yield Finding(
                    "strangers",
                    severity,
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


def galleries(subject: FashionIQ) -> Iterator[Result]:
    """The two galleries that papers rank in, which must never meet in one table."""
    rows = []
    for (category, side), triplets in sorted(subject.edits.items()):
        if side != "val":
            continue
        union = {t.reference for t in triplets} | {t.target for t in triplets}
        gallery = subject.galleries.get((category, side), frozenset())
        counts = len(triplets), len(gallery), len(union), len(gallery - union)
        rows.append((category, *(f"{count:,}" for count in counts)))
    if rows:
        yield Figures(
            "galleries",
            "Validation galleries",
            ("category", "triplets", "split gallery", "references and targets", "distractors"),
            tuple(rows),
            "A smaller gallery is an easier benchmark: name the one that was ranked in.",
        )


def short_captions(subject: FashionIQ) -> Iterator[Result]:
    """Captions of at most two words, and empty ones."""
    table = []
    for (category, side), triplets in subject.edits.items():
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
    every = [t for group in subject.edits.values() for t in group]
    found = [caption for t in every for caption in t.captions if _is_short(caption)]
    if found:
        total = sum(len(t.captions) for t in every)
        torn = sum(any(map(_is_short, t.captions)) for t in every)
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


def unclear_triplets(subject: FashionIQ) -> Iterator[Result]:
    """Triplets that ask for nothing, twice for the same, or for two things in the same words."""
    triplets = [(key, t) for key, listed in subject.edits.items() for t in listed]
    pairs = Counter((key, t.reference, t.target) for key, t in triplets if t.target)
    targets: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for key, t in triplets:
        targets[_question(key, t)].add(t.target)
    checks: tuple[tuple[Callable[[tuple[str, str], Edit], bool], Severity, str, str], ...] = (
        (
            lambda _, t: t.target == t.reference,
            "error",
            "have their reference as target",
            "Leave them out.",
        ),
        (
            lambda _, t: len(t.captions) > 1 and len(set(map(_norm, t.captions))) == 1,
            "note",
            "carry the same caption twice",
            "Two captions that are one count once; they are no second witness.",
        ),
        (
            lambda _, t: any(map(_is_no_change, t.captions)),
            "note",
            "say that nothing changes, or that nothing can be seen",
            "No composed query can be answered from them; the image alone is the best guess.",
        ),
        (
            lambda key, t: pairs[key, t.reference, t.target] > 1,
            "note",
            "repeat the reference and target of another",
            "Count one of them, or a pair weighs twice.",
        ),
        (
            lambda key, t: len(targets[_question(key, t)]) > 1,  # one of them must count as a miss
            "warning",
            "ask the same question for another target",
            "Accept every target of the same question.",
        ),
    )
    for is_unclear, severity, what, advice in checks:
        found = [t for key, t in triplets if is_unclear(key, t)]
        if found:
            yield Finding(
                "unclear triplets",
                severity,
                f"{len(found):,} triplets {what}",
                advice,
                len(found),
                len(triplets),
                exhibits=_shown(found),
            )


def _question(key: tuple[str, str], asked: Edit) -> tuple[object, ...]:
    return key, asked.reference, frozenset(map(_norm, asked.captions))


def _is_no_change(caption: str) -> bool:
    words = set(_norm(caption).split())
    same = {"same", "identical"} & words and not {"but", "with", "except", "only"} & words
    return bool(same and len(words) <= 5) or {"no", "image"} <= words or {"not", "loading"} <= words


def _shown(found: list[Edit]) -> tuple[Exhibit, ...]:
    return tuple(
        Exhibit(f"{t.reference} → {t.target or '?'}: {' / '.join(t.captions)}")
        for t in found[:_SHOWN]
    )


def _norm(caption: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in caption.casefold()).split())


def one_answer(subject: FashionIQ) -> Iterator[Result]:
    """How general the captions are: words that fit many targets, of which one counts."""
    asked = [t for (_, side), ts in subject.edits.items() if side == "val" for t in ts]
    used = Counter(_norm(caption) for t in asked for caption in t.captions)
    shared = [t for t in asked if all(used[_norm(caption)] > 1 for caption in t.captions)]
    if asked and len(shared) > 0.01 * len(asked):
        often = ", ".join(f"{c!r} ({n})" for c, n in used.most_common(5))
        yield Finding(
            "one labelled answer",
            "note",
            f"{len(shared):,} val triplets have only captions that other triplets use too: {often}",
            "Many images fit, one counts: look-alikes are misses. Give recall at 50 and both "
            "baselines (image alone, text alone).",
            len(shared),
            len(asked),
            exhibits=tuple(
                Exhibit(f"{t.reference} → {t.target}: {' / '.join(t.captions)}")
                for t in shared[:_SHOWN]
            ),
        )


def popular_targets(subject: FashionIQ) -> Iterator[Result]:
    """Whether the targets' popularity alone finds them."""
    rows = []
    for (category, side), triplets in sorted(subject.edits.items()):
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
