"""The checks that every kind of dataset goes through, and the audit that they make."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from coordi.data.catalog import open_catalog
from coordi.data.collection import Collection
from coordi.data.fashioniq import FashionIQ, is_fashioniq, read_fashioniq
from coordi.data.outfits import is_outfit_file
from coordi.data.polyvore import is_polyvore, read_polyvore
from coordi.doctor import (
    blanks,
    colorlabels,
    duplicates,
    edits,
    neighbors,
    outfits,
    polyvore,
    shortcuts,
    tables,
    variants,
)
from coordi.doctor.findings import Audit, Figures, Finding, Result, ordered
from coordi.doctor.outfits import OutfitSubject
from coordi.doctor.polyvore import PolyvoreSubject, polyvore_subject
from coordi.doctor.reading import catalog_subject, collection_subject, outfit_subject
from coordi.doctor.subject import Subject
from coordi.types import Encoder, ImageRef

S = TypeVar("S")
Check = Callable[[S], Iterable[Result]]
Progress = Callable[[str, int, int | None], None]
"""Called with (what is being done, how many, of how many or None)."""

COMPARED = 100_000
"""Pictures up to which all are compared with all: minutes on two cores."""

ITEM_CHECKS: Mapping[str, Check[Subject]] = {
    "published counts": tables.published_counts,
    "reading": tables.reading_notes,
    "missing and damaged pictures": lambda subject: (
        *tables.pictures(subject),
        *tables.missing_in_trials(subject),
    ),
    "repeated ids": tables.repeated_ids,
    "leaks across the split": duplicates.leaking_groups,
    "titles across the split": duplicates.repeated_titles_across,
    "duplicate pictures": duplicates.exact_duplicates,
    "near duplicates": duplicates.near_duplicates,
    "copies in the gallery": duplicates.copies_in_gallery,
    "label noise": neighbors.label_noise,
    "labels that are none": tables.no_labels,
    "spellings": tables.spellings,
    "colour labels": colorlabels.color_labels,
    "shortcuts": shortcuts.label_shortcuts,
    "shortcuts of the trials": shortcuts.trial_shortcuts,
    "class imbalance": tables.imbalance,
    "split keys": variants.split_keys,
    "colour variants": variants.color_variants,
    "repeated titles": tables.repeated_titles,
    "empty columns": tables.empty_columns,
    "one-value columns": tables.constant_columns,
}
"""Name → check of items and photos, in the order of the report."""

OUTFIT_CHECKS: Mapping[str, Check[OutfitSubject]] = {
    "missing and damaged pictures": lambda subject: tables.pictures(subject.items),
    "duplicate pictures": lambda subject: duplicates.exact_duplicates(subject.items),
    "unknown items": outfits.unknown_items,
    "odd outfits": outfits.odd_outfits,
    "duplicate outfits": outfits.duplicate_outfits,
    "shared items": outfits.shared_items,
    "popularity": outfits.popularity,
    "order": blanks.telling_order,
    "fill in the blank": blanks.blank_shortcuts,
}
"""Name → check of outfits."""

EDIT_CHECKS: Mapping[str, Check[FashionIQ]] = {
    "published counts": edits.published_counts,
    "unusable entries": edits.unusable,
    "leaks across the split": edits.cross_category_leaks,
    "strangers": edits.strangers,
    "galleries": edits.galleries,
    "captions": edits.short_captions,
    "unclear triplets": edits.unclear_triplets,
    "one labelled answer": edits.one_answer,
    "shortcuts": edits.popular_targets,
}
"""Name → check of composed retrieval's text."""

POLYVORE_CHECKS: Mapping[str, Check[PolyvoreSubject]] = {
    "published counts": polyvore.published_counts,
    "unusable entries": polyvore.unusable,
    "shared items": polyvore.shared_across,
    "odd outfits": lambda subject: outfits.odd_outfits(subject.outfits),
    "duplicate outfits": lambda subject: outfits.duplicate_outfits(subject.outfits),
    "popularity": lambda subject: outfits.popularity(subject.outfits),
    "order": polyvore.order,
    "questions": polyvore.questions,
    "labelled outfits": polyvore.labelled,
}
"""Name → check of Polyvore's outfits and tests."""


def examine(
    source: Path | str | Collection,
    *,
    encoder: Encoder | None = None,
    mapping: Mapping[str, str] | None = None,
    images: Path | None = None,
    catalog: Path | None = None,
    on_progress: Progress | None = None,
) -> Audit:
    """Audit a dataset: a `Collection`, a folder of FashionIQ or Polyvore, an outfits file, or any
    catalogue.

    `encoder` gives the vectors for the check of label noise, which is skipped without one;
    `mapping` and `images` are those of `open_catalog`; `catalog` is the catalogue of an outfits
    file, by default the one other catalogue file beside it that holds its items.
    """
    progress: Progress = on_progress or (lambda *_: None)
    if isinstance(source, Collection):
        return examine_items(collection_subject(source, encoder, progress), "collection", progress)
    path = Path(source).expanduser()
    if path.is_dir() and is_fashioniq(path):
        return _audit_edits(read_fashioniq(path), progress)
    if path.is_dir() and is_polyvore(path):
        return _audit_polyvore(polyvore_subject(read_polyvore(path)), progress)
    if path.is_file() and is_outfit_file(path):
        return _audit_outfits(outfit_subject(path, catalog, images, mapping, progress), progress)
    opened = open_catalog(source, mapping=mapping, images=images)
    return examine_items(catalog_subject(opened, encoder, progress), "catalogue", progress)


def examine_items(subject: Subject, kind: str, progress: Progress) -> Audit:
    """Audit items or photos."""
    facts = {
        "items" if kind == "catalogue" else "photos": subject.count,
        "pictures": len(subject.readable),
        "columns": len(subject.columns),
    }
    return _audit(subject, kind, ITEM_CHECKS, subject, facts, _not_run(subject), progress)


def _audit_outfits(subject: OutfitSubject, progress: Progress) -> Audit:
    facts = {
        "outfits": len(subject.outfits),
        "items": subject.items.count,
        "pictures": len(subject.items.readable),
    }
    return _audit(subject.items, "outfits", OUTFIT_CHECKS, subject, facts, {}, progress)


def _audit_edits(subject: FashionIQ, progress: Progress) -> Audit:
    facts = {
        "categories": len(subject.categories),
        "triplets": sum(map(len, subject.edits.values())),
        "images": len(frozenset().union(*subject.galleries.values())),
    }
    return _audit(subject, "edits", EDIT_CHECKS, subject, facts, {}, progress)


def _audit_polyvore(subject: PolyvoreSubject, progress: Progress) -> Audit:
    data, items = subject.data, subject.outfits.items
    facts = {
        "outfits": len(subject.outfits.outfits),
        "items": items.count,
        "questions": sum(map(len, data.questions.values())),
        "labelled outfits": sum(map(len, data.labelled.values())),
    }
    return _audit(items, "outfits", POLYVORE_CHECKS, subject, facts, {}, progress)


def _not_run(subject: Subject) -> dict[str, str]:
    """Checks that have nothing to look at, and why."""
    out: dict[str, str] = {}
    if subject.vectors is None:
        out["label noise"] = "needs an encoder"
    if subject.count > COMPARED:
        reason = f"compares every picture with every other, which it does up to {COMPARED:,}"
        out["label noise"] = reason
    if not subject.groups:
        out["leaks across the split"] = "the dataset states no split of groups"
    if not subject.sides:
        out["titles across the split"] = "the dataset states no split"
    if not subject.trials:
        reason = "the dataset states no queries and gallery"
        out |= {"copies in the gallery": reason, "shortcuts of the trials": reason}
    if not subject.published:
        out["published counts"] = "nobody has published counts of it"
    return out


def _audit(
    shown: Subject | FashionIQ,
    kind: str,
    checks: Mapping[str, Check[S]],
    subject: S,
    facts: Mapping[str, int],
    skipped: Mapping[str, str],
    progress: Progress,
) -> Audit:
    findings: list[Finding] = []
    figures: list[Figures] = []
    clean: list[str] = []
    run = {name: check for name, check in checks.items() if name not in skipped}
    for done, (name, check) in enumerate(run.items()):
        progress(name, done, len(run))
        results = list(check(subject))
        found = [result for result in results if isinstance(result, Finding)]
        findings += found
        figures += [result for result in results if isinstance(result, Figures)]
        if not found:
            clean.append(name)
    progress("done", len(run), len(run))
    pictures, captions = _pictures(shown, findings)
    return Audit(
        shown.name,
        kind,
        facts,
        ordered(findings),
        tuple(figures),
        tuple(clean),
        skipped,
        pictures,
        captions,
    )


def _pictures(
    subject: Subject | FashionIQ, findings: Iterable[Finding]
) -> tuple[dict[int, ImageRef], dict[int, str]]:
    """Pictures and ids of the rows that exhibits show."""
    if not isinstance(subject, Subject):
        return {}, {}
    rows = {row for finding in findings for exhibit in finding.exhibits for row in exhibit.rows}
    captions = {row: subject.ids[row] for row in sorted(rows)}
    return (subject.images(rows) if rows else {}), captions
