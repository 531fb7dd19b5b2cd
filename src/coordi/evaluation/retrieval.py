"""The retrieval benchmark: who finds whom among the photos of a collection's trial."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from coordi.data.collection import Collection, group_of, key_of
from coordi.errors import FingerprintError, InputError
from coordi.evaluation import measure as measuring
from coordi.evaluation.benchmark import Measured, Unit
from coordi.evaluation.features import photo_vectors
from coordi.evaluation.protocols import RetrievalRules, protocol_of
from coordi.evaluation.provenance import label_of, recipe_of
from coordi.evaluation.report import FoundPhoto, ShownQuery, Statistic, Terms
from coordi.models.encoders import list_encoders
from coordi.models.encoders.controls import CONTROLS
from coordi.models.opening import is_reranker, open_encoder
from coordi.models.reranking import open_reranker
from coordi.ranking.rankings import Rankings, rank_chunks
from coordi.ranking.rerank import reranked
from coordi.ranking.truth import truth_of
from coordi.types import RERANK_DEPTH, Encoder, Problem, Say, Vectors

IMAGENET = "google/mobilenet_v2_1.0_224"
"""The generic pretrained network that is opened as a control if no other is named."""
IMAGENET_VARIABLE = "COORDI_IMAGENET"
EXAMPLES = 12
"""Best and worst queries that a report shows, each."""
_PROBLEMS = 100
"""Problems that a report lists; it counts all."""
_CATEGORY_ONLY = "own category first, random within: expected values, without a picture"


class Retrieval:
    """One trial of a collection. A unit is a query that has an answer; its slice, the category.

    Controls: random rows, colour histogram, an ImageNet network and ranking by category alone.
    """

    def __init__(
        self,
        collection: Collection,
        *,
        cache: Path,
        trial: Literal["test", "val"] = "test",
        imagenet: str | None = None,
        benchmark: str = "",
        say: Say = lambda _: None,
    ) -> None:
        """`imagenet` names the network (else $COORDI_IMAGENET, else a hub name that is at hand).

        `benchmark` names the protocol where the collection has another name. `say` is told what
        runs and what is missing. Raises `InputError` where there is nothing to measure.
        """
        self.collection, self.cache, self.imagenet, self.say = collection, cache, imagenet, say
        name = benchmark or collection.name
        self.protocol = protocol_of(name)
        side = collection.test if trial == "test" else collection.val
        if side is None:
            raise InputError(f"{collection.name} has no {trial} trial; use --trial test")
        answerable = truth_of(collection, side).answers() > 0
        if not answerable.any():
            raise InputError(
                f"{collection.name}: no query of the {trial} trial has an answer in the gallery "
                f"({len(side.query)} queries, {len(side.gallery)} gallery photos)"
            )
        self.trial = replace(side, query=side.query[answerable])
        self.truth = truth_of(collection, self.trial)
        queries, found = len(self.trial.query), collection.counts
        rules = RetrievalRules(side.match, side.apart, side.within, len(side.gallery))
        self.terms = Terms(
            name, trial, queries, collection.reduced, asdict(rules), rules.asked(trial, queries),
            left_out=int((~answerable).sum()),
            shortfalls={
                count: (published, found.get(count, 0))
                for count, published in collection.published.items()
                if found.get(count) != published
            },
        )  # fmt: skip

    @cached_property
    def units(self) -> list[Unit]:
        """The queries."""
        photos = [self.collection.photos[row] for row in self.trial.query]
        match = self.trial.match
        return [Unit(p.id, group_of(p), p.category, key_of(p, match)) for p in photos]

    @property
    def statistics(self) -> Mapping[str, Statistic]:
        """Means of every metric, and the median of the ranks."""
        names = (*measuring.names_of(self.protocol), measuring.MEDIAN)
        function = {measuring.MEDIAN: "median"}
        return {name: Statistic(function.get(name, "mean"), (name,)) for name in names}

    def measure(self, model: str) -> Measured:
        """Rank the trial with an encoder, or a re-ranker's folder, and take its metrics."""
        reranker = open_reranker(model) if is_reranker(model) else None
        encoder = open_encoder(model if reranker is None else reranker.encoder)
        if reranker is not None and encoder.fingerprint != reranker.reads:
            raise FingerprintError(
                f"{model} reads vectors of {reranker.encoder} with fingerprint {reranker.reads}, "
                f"but here that encoder has {encoder.fingerprint}; train the re-ranker again"
            )
        sides = self._vectors(encoder, model)
        chunks: Iterable[Rankings] = rank_chunks(
            self.truth, sides.queries, sides.gallery, depth=RERANK_DEPTH
        )
        notes, seen = sides.notes, reranker or encoder
        if reranker is not None:
            chunks = reranked(chunks, reranker.score, sides.queries, sides.gallery)
            anew = f"orders the first {RERANK_DEPTH} of {Path(reranker.encoder).name} anew"
            notes = (anew, *notes)
        ranked = measuring.measure(chunks, self.protocol)
        seed, recipe = recipe_of(model)
        measured = Measured(
            model=label_of(model, recipe), columns=ranked.columns, seed=seed, recipe=recipe,
            fingerprint=seen.fingerprint, dim=encoder.dim if reranker is None else None,
            note="; ".join(notes),
        )  # fmt: skip
        return self._shown(self._missing(measured, sides), ranked)

    def controls(self) -> Iterator[Measured]:
        """What has learnt nothing, colours, another task, or the category alone."""
        yield from map(self.measure, CONTROLS)
        if (generic := self._imagenet()) is not None:
            yield generic
        known = "; the category is what is asked for" if self.trial.match == "category" else ""
        columns = measuring.category_only(self.truth, self.protocol)
        yield Measured(
            model=measuring.CATEGORY_ONLY, columns=columns, note=_CATEGORY_ONLY + known,
            missing_queries=(), missing_gallery={}, unusable=self._unusable,
        )  # fmt: skip

    @property
    def _unusable(self) -> int:
        return sum(problem.rows for problem in self.collection.problems)

    def _imagenet(self) -> Measured | None:
        """The ImageNet control, or a line that says how to give it."""
        name = self.imagenet or os.environ.get(IMAGENET_VARIABLE)
        if not name and any(i.name == IMAGENET and i.offline for i in list_encoders()):
            name = IMAGENET
        if not name:
            self.say(
                f"the ImageNet control is missing: {IMAGENET} cannot be opened on this machine. "
                "Give a .tflite file, a model folder or a hub name with --imagenet or "
                f"${IMAGENET_VARIABLE}"
            )
            return None
        known = "mobilenet_v2" in Path(name).name.lower()
        return replace(self.measure(name), model="ImageNet MobileNetV2" if known else name)

    def _vectors(self, encoder: Encoder, name: str) -> "_Sides":
        photos, told = self.collection.photos, self.collection.missing
        made: list[tuple[Vectors, dict[str, Problem]]] = []
        blank = 0
        for what, rows in (("query", self.trial.query), ("gallery", self.trial.gallery)):
            self.say(f"{name}: {len(rows):,} {what} photos")
            vectors, failed = photo_vectors([photos[row] for row in rows], encoder, self.cache)
            if len(failed) == len(rows):
                raise InputError(
                    f"{self.terms.benchmark}: not one {what} picture of {len(rows):,} can be read "
                    f"(first {failed[0].origin}: {failed[0].reason}). Is the data root right?"
                )
            lost = {problem.id or "": problem for problem in failed}
            made.append((vectors, {id_: told.get(id_, problem) for id_, problem in lost.items()}))
            blank += int((~vectors.any(axis=1)).sum()) - len(failed)
        notes = (f"{blank:,} pictures get a vector of zeros, which finds nothing",) if blank else ()
        (queries, lost_queries), (gallery, lost_gallery) = made
        return _Sides(queries, gallery, lost_queries, lost_gallery, notes)

    def _missing(self, measured: Measured, sides: "_Sides") -> Measured:
        """The same with what is missing, and why."""
        photos, match = self.collection.photos, self.trial.match
        keys = {photos[row].id: key_of(photos[row], match) for row in self.trial.gallery.tolist()}
        lost = {**sides.lost_queries, **sides.lost_gallery}
        problems = [*lost.values(), *self.collection.problems]
        return replace(
            measured,
            missing=len(lost),
            missing_queries=tuple(sides.lost_queries),
            missing_gallery={id_: keys[id_] for id_ in sides.lost_gallery},
            unusable=self._unusable,
            problems=tuple(f"{p.origin}: {p.reason}" for p in problems[:_PROBLEMS]),
        )

    def _shown(self, measured: Measured, ranked: measuring.Ranked) -> Measured:
        """The same with its best and worst queries."""
        best, worst = measuring.extremes(ranked, EXAMPLES)
        top = ranked.top
        return replace(
            measured, best=tuple(self._examples(top, best)), worst=tuple(self._examples(top, worst))
        )

    def _examples(self, top: Rankings, queries: Sequence[int]) -> Iterator[ShownQuery]:
        photos, trial = self.collection.photos, self.trial
        for at in queries:
            places = zip(
                top.ranked[at].tolist(), top.scores[at].tolist(), top.relevant[at], strict=True
            )
            found = tuple(
                FoundPhoto(photos[trial.gallery[place]].id, round(score, 4), bool(right))
                for place, score, right in places
                if place >= 0
            )
            photo = photos[trial.query[at]].id
            yield ShownQuery(photo, int(top.first[at]), int(top.answers[at]), found)


class _Sides(NamedTuple):
    """The photos of a trial, embedded."""

    queries: Vectors
    gallery: Vectors
    lost_queries: Mapping[str, Problem]
    """Ids of photos whose picture is missing or cannot be read, and why."""
    lost_gallery: Mapping[str, Problem]
    notes: tuple[str, ...]
