"""Benchmarks that are no retrieval of photos, on the drawn wardrobe."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from coordi.drawn.garments import Garment
from coordi.drawn.outfits import goes_together
from coordi.drawn.wardrobe import draw_wardrobe
from coordi.evaluation.benchmark import Columns, Measured, Unit
from coordi.evaluation.report import Statistic, Terms

WARDROBE = draw_wardrobe(240, seed=3)
GARMENTS = {garment.id: garment for garment in WARDROBE.garments}
CHOICES = 4


@dataclass
class Drawn:
    """A benchmark whose models are functions of its own; the last one is its control."""

    terms: Terms
    units: Sequence[Unit]
    statistics: Mapping[str, Statistic]
    models: Mapping[str, Columns] = field(default_factory=dict)

    def measure(self, model: str) -> Measured:
        return Measured(model=model, columns=self.models[model], fingerprint=f"{model:.<16}")

    def controls(self) -> Iterator[Measured]:
        yield self.measure(list(self.models)[-1])


def terms(name: str, units: Sequence[Unit], called: str, rules: Mapping[str, str | int]) -> Terms:
    asked = f"{len(units):,} {called}."
    return Terms(name, "test", len(units), rules=rules, asked=asked, unit=called)


def broken(outfit: Sequence[Garment], rng: random.Random) -> list[Garment]:
    """The same with one garment exchanged for another of its slot."""
    place = rng.randrange(len(outfit))
    others = [g for g in WARDROBE.garments if g.slot == outfit[place].slot]
    return [*outfit[:place], rng.choice(others), *outfit[place + 1 :]]


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(count)


def compatibility() -> Drawn:
    """Outfits, and the same with a garment exchanged; those two share a group."""
    rng = random.Random(0)
    units, worn = [], []
    for outfit in WARDROBE.outfits:
        whole = [GARMENTS[item] for item in outfit.items]
        for kind, garments in (("whole", whole), ("broken", broken(whole, rng))):
            units.append(Unit(f"{outfit.id}-{kind}", outfit.id, whole[0].occasion))
            worn.append(garments)
    truth = np.array([not goes_together(garments) for garments in worn], float)
    same = np.array([len({g.color for g in garments}) / -len(garments) for garments in worn])
    models = {"one color": same, "noise": noise(len(units))}
    return Drawn(
        terms("drawn-outfits", units, "outfits", {"negatives": "one garment of its slot"}),
        units,
        {"AUC": Statistic("roc_auc", ("score", "compatible"))},
        {name: {"score": score, "compatible": truth} for name, score in models.items()},
    )


def blanks() -> Drawn:
    """Outfits that lack a garment, and four that might be it; two questions an outfit."""
    rng = random.Random(1)
    units, right = [], []
    for outfit in WARDROBE.outfits:
        for place in (0, 1):
            whole = [GARMENTS[item] for item in outfit.items]
            others = [g for g in WARDROBE.garments if g.id != whole[place].id]
            choices = [whole[place], *rng.sample(others, CHOICES - 1)]
            faults = [len(goes_together([*whole[:place], c, *whole[place + 1 :]])) for c in choices]
            units.append(Unit(f"{outfit.id}-{place}", outfit.id, whole[place].slot))
            right.append(float(faults[0] < min(faults[1:])))
    chance = np.full(len(units), 1 / CHOICES)
    return Drawn(
        terms("drawn-blanks", units, "questions", {"choices": CHOICES}),
        units,
        {"accuracy": Statistic("mean", ("correct",))},
        {"rules": {"correct": np.array(right)}, "chance": {"correct": chance}},
    )


def look(garment: Garment) -> set[str]:
    return {garment.kind, garment.color, garment.pattern, garment.sleeve, garment.neckline}


def edits() -> Drawn:
    """A garment and what to change; all but the garment itself are searched."""
    asked = WARDROBE.edits
    units = [
        Unit(f"{e.reference}>{e.target}", e.reference, GARMENTS[e.reference].kind) for e in asked
    ]
    codes = np.unique([unit.slice for unit in units], return_inverse=True)[1].astype(float)
    models = {}
    for name in ("words", "reference alone"):
        ranks = []
        for edit in asked:
            wanted = look(GARMENTS[edit.reference])
            words = set(edit.text.split()) if name == "words" else set()
            order = sorted(
                (g for g in WARDROBE.garments if g.id != edit.reference),
                key=lambda g, w=wanted, t=words: -len(look(g) & w) - 2 * len(look(g) & t),
            )
            ranks.append([g.id for g in order].index(edit.target) + 1)
        hits = {f"R@{k}": (np.array(ranks) <= k).astype(float) for k in (1, 5)}
        models[name] = hits | {"category": codes}
    statistics = {f"R@{k}": Statistic("mean", (f"R@{k}",)) for k in (1, 5)} | {
        f"mean R@{k}": Statistic("macro_mean", (f"R@{k}", "category")) for k in (1, 5)
    }
    return Drawn(
        terms("drawn-edits", units, "edits", {"gallery": len(GARMENTS)}), units, statistics, models
    )


def clusters() -> Drawn:
    """Garments put into styles; the truth is the occasion."""
    garments = WARDROBE.garments
    units = [Unit(garment.id, garment.id, garment.season) for garment in garments]
    label = coded([garment.occasion for garment in garments])
    models = {
        "kind": coded([garment.kind for garment in garments]),
        "color": coded([garment.color for garment in garments]),
        "one cluster": np.zeros(len(garments)),
    }
    statistics = {
        "NMI": Statistic("nmi", ("cluster", "label")),
        "purity": Statistic("purity", ("cluster", "label")),
    }
    columns = {name: {"cluster": cluster, "label": label} for name, cluster in models.items()}
    return Drawn(
        terms("drawn-styles", units, "garments", {"labels": "occasion"}), units, statistics, columns
    )


def coded(names: Sequence[str]) -> np.ndarray:
    return np.unique(names, return_inverse=True)[1].astype(float)
