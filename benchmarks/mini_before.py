"""An earlier coordi-mini beside today's, on photos that neither was trained on.

    git archive 9c4ca07 src/coordi/weights/coordi-mini | tar x -C build
    python benchmarks/mini_before.py --before build/src/coordi/weights/coordi-mini

Version 0.1.0 split its sources by keys that began with the source's name, later versions as the
packaged collections do. What counts here is held out (`val` or `test`) by both: few photos, but
fair to both. Nothing is chosen by these numbers.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from coordi.data.splits import split_of
from coordi.models.opening import open_encoder
from coordi.training.examples import ExampleSet
from mini import encode, held_out, image_rows, markdown, title_row


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--before", required=True, help="folder of the earlier version")
    parser.add_argument("--weights", help="TFLite MobileNetV2, the control")
    arguments = parser.parse_args()
    sides = [held_out(arguments.data, side) for side in ("val", "test")]
    sets = {name: by_both([side[name] for side in sides]) for name in sides[0]}
    rows = []
    for name in (arguments.before, "coordi-mini", arguments.weights):
        if name is None:
            continue
        encoder = open_encoder(name)
        found = {source: encode(encoder, examples) for source, examples in sets.items()}
        rows += image_rows(sets, found, name)
        if "text" in encoder.modalities:
            kaggle = found["kaggle"]
            titles = [title_row(sets["kaggle"], kaggle, encoder, encoder.dim, k) for k in (1, 10)]
            rows += [replace(row, model=name) for row in titles]
    print(markdown(rows))


def by_both(sides: list[ExampleSet]) -> ExampleSet:
    """Of today's held-out examples those that the earlier split held out too."""
    examples = [example for side in sides for example in side.examples]
    kept = [row for row, example in enumerate(examples) if split_of(example.group) != "train"]
    pictures = np.concatenate([side.pictures for side in sides])
    return ExampleSet(sides[0].name, tuple(examples[row] for row in kept), pictures[kept])


if __name__ == "__main__":
    main()
