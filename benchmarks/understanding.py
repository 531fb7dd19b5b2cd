"""What `coordi.words` reads in English titles of a catalogue, against its labels.

    python benchmarks/understanding.py FILE --title productDisplayName --category articleType

Counts titles that stay as written (control: all of them, but for negations and prices), the
languages guessed, and where the category in the title agrees with the label (one is the other, or
a kind of it); labels that `data/vocabulary.py` does not know are left out.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from coordi.data.vocabulary import CATEGORIES, canonical
from coordi.words import by_id, understand


def lineage(name: str) -> Iterator[str]:
    """A category and all that it is a kind of."""
    parent: str | None = name
    while parent is not None:
        yield parent
        parent = by_id()[f"category:{parent}"].parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalogue", type=Path, nargs="+")
    parser.add_argument("--title", required=True)
    parser.add_argument("--category", required=True)
    args = parser.parse_args()
    languages: Counter[str | None] = Counter()
    titles = same = labelled = agree = named = 0
    for path in args.catalogue:
        for row in pq.read_table(path, columns=[args.title, args.category]).to_pylist():
            title = row[args.title]
            if not title:
                continue
            found = understand(title)
            titles += 1
            languages[found.language] += 1
            same += found.english == " ".join(title.split())
            want = canonical(row[args.category] or "", CATEGORIES)
            if want is None:
                continue
            got = [c.value for c in found.chips if c.aspect == "category" and not c.negative]
            labelled += 1
            named += bool(got)
            agree += any(want in lineage(name) or name in lineage(want) for name in got)
    print(f"{titles} titles, {same} as written; languages {dict(languages.most_common())}")
    print(f"{labelled} with a known label: {named} name a category, {agree} the label's")


if __name__ == "__main__":
    main()
