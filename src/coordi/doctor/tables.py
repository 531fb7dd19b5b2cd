"""Checks of the columns alone: what is empty, constant, no label, repeated, or out of balance."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from coordi.doctor.findings import Exhibit, Figures, Finding, Result, against_published, share
from coordi.doctor.subject import MEMBERS, ONE_SIDED, Subject, label_columns, rows_alike

NO_LABELS = frozenset(
    (
        *("na", "n a", "none", "null", "nan", "unknown", "undefined", "unspecified", "no label"),
        *("not sure", "skip", "other", "others", "misc", "miscellaneous", "various", "tbd"),
        *("not available", "not applicable", "uncategorized", "unlabeled", "unlabelled"),
        *("default", "dummy", "test", "varios", "otros", "sin definir", "", "0"),
    )
)
"""Values that say nothing of a garment; case and punctuation do not count."""

_SHOWN = 12


def empty_columns(subject: Subject) -> Iterator[Result]:
    """Columns without any value, and those that are mostly empty."""
    filled = {name: sum(map(bool, cells)) for name, cells in subject.columns.items()}
    empty = sorted(name for name, count in filled.items() if count == 0 and subject.count)
    sparse = {name: n for name, n in filled.items() if 0 < n < subject.count / 2}
    if empty:
        yield Finding(
            "empty columns",
            "warning",
            f"{len(empty)} columns hold no value: {', '.join(empty)}",
            "Leave them out, or find out where their values were lost.",
            len(empty),
            len(filled),
        )
    if sparse:
        yield Finding(
            "empty columns",
            "note",
            f"{len(sparse)} columns are mostly empty",
            "A share over such a column is over the rows that have a value: say so.",
            len(sparse),
            len(filled),
            {f"{name}: filled": n / subject.count for name, n in sparse.items()},
        )


def constant_columns(subject: Subject) -> Iterator[Result]:
    """Columns with the same value in every row."""
    values = {name: {c for c in cells if c} for name, cells in subject.columns.items()}
    same = {name: next(iter(v)) for name, v in values.items() if len(v) == 1}
    if same and subject.count > 1:
        yield Finding(
            "one-value columns",
            "note",
            f"{len(same)} columns hold one value only",
            "They tell nothing apart: no filter, label or negative can be drawn by them.",
            len(same),
            len(values),
            exhibits=tuple(Exhibit(f"{name}: {value}") for name, value in same.items()),
        )


def no_labels(subject: Subject) -> Iterator[Result]:
    """Values of label columns that are no labels ("Not sure", "NA")."""
    for name, cells in label_columns(subject).items():
        found = Counter(cell for cell in cells if cell and is_no_label(cell))
        if not found:
            continue
        count = found.total()
        named = ", ".join(f"{value!r} ({n:,})" for value, n in found.most_common())
        yield Finding(
            "labels that are none",
            "warning",
            f"{name}: {named} say nothing of the garment",
            "Treat them as unknown (ignore_labels), or a model is trained and scored on guessing "
            "them.",
            count,
            sum(map(bool, cells)),
            {value: float(n) for value, n in found.items()},
            tuple(
                Exhibit(value, tuple(r for r, cell in enumerate(cells) if cell == value)[:_SHOWN])
                for value in found
            ),
        )


def is_no_label(value: str) -> bool:
    """Whether a value stands for "we do not know"."""
    return re.sub(r"[\W_]+", " ", value.casefold()).strip() in NO_LABELS


def spellings(subject: Subject) -> Iterator[Result]:
    """Values of one column that differ by case, spaces, punctuation or a plural s alone."""
    for name, cells in label_columns(subject).items():
        alike: dict[str, set[str]] = defaultdict(set)
        for cell in set(cells) - {""}:
            alike[_bare(cell)].add(cell)
        doubles = [sorted(group) for group in alike.values() if len(group) > 1]
        if doubles:
            rows = sum(cell in group for group in doubles for cell in cells)
            yield Finding(
                "spellings",
                "warning",
                f"{name}: {len(doubles)} labels are spelt in several ways",
                "Make them one label: as they stand, a right answer counts as wrong.",
                rows,
                subject.count,
                exhibits=tuple(Exhibit(" = ".join(group)) for group in doubles[:_SHOWN]),
            )


def _bare(value: str) -> str:
    words = re.findall(r"\w+", value.casefold().replace("_", " "))
    return "".join(word.removesuffix("s") for word in words)


def repeated_ids(subject: Subject) -> Iterator[Result]:
    """Rows that carry the id of an earlier row."""
    if subject.repeated:
        yield Finding(
            "repeated ids",
            "error",
            f"{len(subject.repeated):,} rows have the id of an earlier row and were left out",
            "Give every row an id of its own; otherwise one of the two is never found.",
            len(subject.repeated),
            subject.count + len(subject.repeated),
            exhibits=tuple(Exhibit(f"{p.origin}: {p.id}") for p in subject.repeated[:_SHOWN]),
        )


def repeated_titles(subject: Subject) -> Iterator[Result]:
    """Titles that several items share: variants or doubles, which a split must keep together."""
    alike = rows_alike(title.casefold() for title in subject.titles)
    groups = sorted(alike.values(), key=len, reverse=True)
    if groups:
        count = sum(map(len, groups))
        yield Finding(
            "repeated titles",
            "warning" if count > 0.05 * subject.count else "note",
            f"{count:,} items share their title with another ({len(groups):,} titles)",
            "Split by title, and count an answer with the query's own title as right or leave it "
            "out.",
            count,
            subject.count,
            {"titles": len(groups), "most of one title": len(groups[0])},
            tuple(
                Exhibit(f"{subject.titles[group[0]]} ({len(group)})", tuple(group[:_SHOWN]))
                for group in groups[:_SHOWN]
            ),
        )


def imbalance(subject: Subject) -> Iterator[Result]:
    """How evenly the rows are spread over the labels of every column."""
    measured = {name: balance(cells) for name, cells in label_columns(subject).items()}
    measured |= {
        name: balance(cells)
        for name, cells in subject.columns.items()
        if name == "category" and name not in measured and any(cells)
    }
    if measured:
        yield Figures(
            "class imbalance",
            "Balance of the labels",
            ("column", "labels", "largest", "entropy", "Gini", f"under {MEMBERS} rows"),
            tuple(
                (
                    name,
                    f"{b['labels']:.0f}",
                    f"{100 * b['largest']:.1f}% {b_name}",
                    f"{b['entropy']:.2f}",
                    f"{b['gini']:.2f}",
                    f"{b['tail']:.0f}",
                )
                for name, (b, b_name) in measured.items()
            ),
            "Entropy is divided by that of an even spread (1 = even); Gini 0 = even, 1 = all in "
            "one.",
        )
    for name, (b, largest) in measured.items():
        if (b["largest"] >= 0.5 and b["labels"] > 2) or b["largest"] >= ONE_SIDED:
            yield Finding(
                "class imbalance",
                "warning",
                f"{name}: {100 * b['largest']:.0f}% of the rows are {largest!r}",
                f"Always answering {largest!r} scores {b['largest']:.2f}: give the mean over "
                "labels, and sample by label.",
                round(b["largest"] * b["rows"]),
                round(b["rows"]),
                b,
            )
        if b["tail"]:
            yield Finding(
                "class imbalance",
                "note",
                f"{name}: {b['tail']:.0f} of {b['labels']:.0f} labels have fewer than {MEMBERS} "
                "rows",
                "Too few to learn or to measure: leave them out of per-label means, or merge them.",
                round(b["tail"]),
                round(b["labels"]),
            )


def balance(cells: Sequence[str]) -> tuple[dict[str, float], str]:
    """How evenly a column is spread → (its figures, the most frequent value).

    "entropy" is Shannon's over the logarithm of the number of labels; "gini" the Gini
    coefficient of the labels' counts; "tail" the labels with fewer than `MEMBERS` rows.
    """
    counted = Counter(cell for cell in cells if cell)
    counts = np.sort(np.array(list(counted.values()), float))
    shares, n = counts / counts.sum(), len(counts)
    entropy = -(shares * np.log(shares)).sum() / np.log(n) if n > 1 else 0.0
    gini = (2 * np.arange(1, n + 1) - n - 1) @ counts / (n * counts.sum())
    figures = {
        "rows": counts.sum(),
        "labels": n,
        "largest": shares[-1],
        "entropy": entropy,
        "gini": gini,
        "tail": (counts < MEMBERS).sum(),
    }
    return {key: float(value) for key, value in figures.items()}, counted.most_common(1)[0][0]


def pictures(subject: Subject) -> Iterator[Result]:
    """Pictures that are missing or damaged, and rows that cannot be used at all."""
    for name, problems, advice in (
        ("missing", subject.missing, "Fetch them, or say with every number how many are missing."),
        ("damaged", subject.unreadable, "Fetch or export them again."),
        ("unusable row", subject.unusable, "Mend the rows; until then they are left out."),
    ):
        total = subject.stated
        if problems:
            yield Finding(
                "missing and damaged pictures",
                "error" if subject.published or len(problems) > 0.01 * total else "warning",
                f"{len(problems):,} {name}{' pictures' if name != 'unusable row' else 's'} "
                f"({share(len(problems), total)})",
                advice,
                len(problems),
                total,
                exhibits=tuple(
                    Exhibit(f"{p.id or ''} {p.origin}: {p.reason}") for p in problems[:_SHOWN]
                ),
            )


def missing_in_trials(subject: Subject) -> Iterator[Result]:
    """How many queries and gallery photos of each trial have no picture that can be read."""
    if not (subject.missing or subject.unreadable):
        return
    for name, trial in subject.trials.items():
        queries, gallery = (
            int((~subject.looks["ok"][rows]).sum()) for rows in (trial.query, trial.gallery)
        )
        if queries or gallery:
            yield Finding(
                "missing and damaged pictures",
                "error",
                f"{name}: {queries:,} of {len(trial.query):,} queries and {gallery:,} of "
                f"{len(trial.gallery):,} gallery photos have no picture that can be read",
                "They stay in the count and are misses in every number on this trial: fetch them.",
                queries + gallery,
                len(trial.query) + len(trial.gallery),
                {"queries": queries, "gallery photos": gallery},
            )


def reading_notes(subject: Subject) -> Iterator[Result]:
    """What the reader guessed or passed over, such as files that are no pictures it knows."""
    if subject.notes:
        yield Finding(
            "reading",
            "note",
            f"{len(subject.notes):,} things to know of how the files were read",
            "See that they were meant so: what was passed over is in no number.",
            len(subject.notes),
            subject.stated,
            exhibits=tuple(Exhibit(note) for note in subject.notes[:_SHOWN]),
        )


def published_counts(subject: Subject) -> Iterator[Result]:
    """The counts that the dataset's authors state, against those found."""
    if subject.published:
        yield from against_published(subject.published, subject.counts, "a reduced")
