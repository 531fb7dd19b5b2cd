"""What each public benchmark prints, and the published numbers of its protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import yaml


@dataclass(frozen=True, slots=True)
class Protocol:
    """Which ranks a benchmark reports."""

    ks: tuple[int, ...] = (1, 10)
    """R@k is reported for these; a hit is at least one answer within the first k."""
    ndcg: int = 10
    """NDCG is cut here."""


@dataclass(frozen=True, slots=True)
class RetrievalRules:
    """Who is looked for among whom; see `coordi.data.collection.Trial`."""

    match: str
    apart: str
    within: str
    gallery: int
    """Photos that are searched."""

    def asked(self, trial: str, queries: int) -> str:
        """The same in words."""
        garment = "garment" if self.match == "item" else self.match
        itself = "itself" if self.apart == "photo" else "its own group"
        where = "its own category" if self.within == "category" else "the whole gallery"
        return (
            f"{queries:,} queries, {self.gallery:,} gallery photos ({trial} side). A hit shows the "
            f"same {garment}; a query searches {where} and never meets {itself}."
        )


@dataclass(frozen=True, slots=True)
class Published:
    """A number that somebody published under a protocol."""

    protocol: str
    system: str
    metric: str
    value: float
    """A share, not percent."""
    source: str


_STANDARD = Protocol()

PROTOCOLS: Mapping[str, Protocol] = {
    "deepfashion-in-shop": Protocol((1, 10, 20, 30, 40, 50)),
    "deepfashion-consumer-to-shop": Protocol((1, 10, 20, 30, 40, 50)),
    "deepfashion2": Protocol((1, 5, 10, 15, 20)),
    "street2shop": Protocol((1, 5, 10, 20), ndcg=20),
}
"""Benchmark → what it prints; every other collection prints the standard."""


def protocol_of(benchmark: str) -> Protocol:
    """The protocol of a benchmark, or the standard one: R@1, R@10, NDCG@10."""
    return PROTOCOLS.get(benchmark, _STANDARD)


def published_numbers(benchmark: str) -> list[Published]:
    """What others reported on a benchmark."""
    text = resources.files("coordi.evaluation").joinpath("published.yaml").read_text("utf-8")
    return [
        p for p in (Published(**entry) for entry in yaml.safe_load(text)) if p.protocol == benchmark
    ]
