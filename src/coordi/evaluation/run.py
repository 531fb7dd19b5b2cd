"""Measure encoders and re-rankers on a collection's trial, controls beside them."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import yaml

from coordi.data.collection import Collection, Trial, group_of, key_of
from coordi.errors import FingerprintError, InputError
from coordi.evaluation import measure as measuring
from coordi.evaluation.features import photo_vectors
from coordi.evaluation.protocols import Protocol, protocol_of
from coordi.evaluation.report import FoundPhoto, Report, ShownQuery, Terms
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


@dataclass(frozen=True, slots=True)
class Bench:
    """One trial as it is measured: queries that have an answer, and what is said of all rows."""

    collection: Collection
    trial: Trial
    terms: Terms
    protocol: Protocol
    cache: Path
    say: Say

    @property
    def groups(self) -> list[str]:
        """Group of each query."""
        return [group_of(self.collection.photos[row]) for row in self.trial.query]


def evaluate(
    collection: Collection,
    models: Sequence[str],
    *,
    cache: Path,
    trial: Literal["test", "val"] = "test",
    controls: bool = True,
    imagenet: str | None = None,
    benchmark: str = "",
    say: Say = lambda _: None,
) -> list[Report]:
    """Measure each model (a name that `open_encoder` takes, or a re-ranker's folder) → reports.

    Controls come last: random rows, colour histogram, an ImageNet network (`imagenet`, else
    $COORDI_IMAGENET, else a hub name if it is in the cache) and ranking by category alone. `say`
    is told what runs and what is missing. Raises `InputError` where there is nothing to measure.
    """
    bench = _bench(collection, trial, benchmark or collection.name, cache, say)
    reports = [_measured(bench, name, control=False) for name in models]
    if not controls:
        return reports
    reports += [_measured(bench, name, control=True) for name in CONTROLS]
    generic = _imagenet(bench, imagenet)
    reports += [] if generic is None else [generic]
    return [*reports, _category_only(bench)]


def _bench(
    collection: Collection, which: Literal["test", "val"], benchmark: str, cache: Path, say: Say
) -> Bench:
    trial = collection.test if which == "test" else collection.val
    if trial is None:
        raise InputError(f"{collection.name} has no {which} trial; use --trial test")
    answerable = truth_of(collection, trial).answers() > 0
    left_out = int((~answerable).sum())
    if not answerable.any():
        raise InputError(
            f"{collection.name}: no query of the {which} trial has an answer in the gallery "
            f"({len(trial.query)} queries, {len(trial.gallery)} gallery photos)"
        )
    asked = replace(trial, query=trial.query[answerable])
    published, counts = collection.published, collection.counts
    terms = Terms(
        benchmark, which, trial.match, trial.apart, trial.within,
        queries=len(asked.query), gallery=len(trial.gallery),
        reduced=collection.reduced, left_out=left_out,
        shortfalls={k: (n, counts.get(k, 0)) for k, n in published.items() if counts.get(k) != n},
    )  # fmt: skip
    return Bench(collection, asked, terms, protocol_of(benchmark), cache, say)


def _measured(bench: Bench, name: str, *, control: bool) -> Report:
    """Rank the trial with one model and take its numbers."""
    reranker = open_reranker(name) if is_reranker(name) else None
    encoder = open_encoder(name if reranker is None else reranker.encoder)
    if reranker is not None and encoder.fingerprint != reranker.reads:
        raise FingerprintError(
            f"{name} reads vectors of {reranker.encoder} with fingerprint {reranker.reads}, but "
            f"here that encoder has {encoder.fingerprint}; train the re-ranker again"
        )
    sides = _vectors(bench, encoder, name)
    chunks: Iterable[Rankings] = rank_chunks(
        bench.collection, bench.trial, sides.queries, sides.gallery, depth=RERANK_DEPTH
    )
    if reranker is not None:
        chunks = reranked(chunks, reranker.score, sides.queries, sides.gallery)
    report = _report(bench, measuring.measure(chunks, bench.protocol), name, control, sides)
    seed, recipe = _recipe(name)
    described = replace(report, model=_label(name, recipe), seed=seed, recipe=recipe)
    if reranker is not None:
        note = f"orders the first {RERANK_DEPTH} of {Path(reranker.encoder).name} anew"
        return replace(
            described, fingerprint=reranker.fingerprint, note="; ".join([note, *sides.notes])
        )
    return replace(
        described, fingerprint=encoder.fingerprint, dim=encoder.dim, note="; ".join(sides.notes)
    )


class _Sides(NamedTuple):
    """The photos of a trial, embedded."""

    queries: Vectors
    gallery: Vectors
    lost_queries: Mapping[str, Problem]
    """Ids of photos whose picture is missing or cannot be read, and why."""
    lost_gallery: Mapping[str, Problem]
    notes: tuple[str, ...]


def _vectors(bench: Bench, encoder: Encoder, name: str) -> _Sides:
    photos = bench.collection.photos
    made: list[tuple[Vectors, dict[str, Problem]]] = []
    blank = 0
    for what, rows in (("query", bench.trial.query), ("gallery", bench.trial.gallery)):
        bench.say(f"{name}: {len(rows):,} {what} photos")
        vectors, failed = photo_vectors([photos[row] for row in rows], encoder, bench.cache)
        if len(failed) == len(rows):
            raise InputError(
                f"{bench.terms.benchmark}: not one {what} picture of {len(rows):,} can be read "
                f"(first {failed[0].origin}: {failed[0].reason}). Is the data root right?"
            )
        told = bench.collection.missing
        lost = {problem.id or "": problem for problem in failed}
        made.append((vectors, {id_: told.get(id_, problem) for id_, problem in lost.items()}))
        blank += int((~vectors.any(axis=1)).sum()) - len(failed)
    notes = (f"{blank:,} pictures get a vector of zeros, which finds nothing",) if blank else ()
    (queries, lost_queries), (gallery, lost_gallery) = made
    return _Sides(queries, gallery, lost_queries, lost_gallery, notes)


def _report(
    bench: Bench,
    measured: measuring.Measured,
    name: str,
    control: bool,
    sides: _Sides,
) -> Report:
    photos = {bench.collection.photos[row].id: row for row in bench.trial.gallery.tolist()}
    lost = {**sides.lost_queries, **sides.lost_gallery}
    problems = [*lost.values(), *bench.collection.problems]
    best, worst = measuring.extremes(measured, np.arange(len(bench.trial.query)), EXAMPLES)
    return replace(
        _of_columns(bench, measured.columns, name, control),
        missing=len(lost),
        missing_queries=tuple(sides.lost_queries),
        missing_gallery={id_: _key(bench, photos[id_]) for id_ in sides.lost_gallery},
        problems=tuple(f"{p.origin}: {p.reason}" for p in problems[:_PROBLEMS]),
        best=tuple(_examples(bench, measured.top, best)),
        worst=tuple(_examples(bench, measured.top, worst)),
    )


def _of_columns(bench: Bench, columns: measuring.Columns, name: str, control: bool) -> Report:
    photos = [bench.collection.photos[row] for row in bench.trial.query]
    groups = bench.groups
    return Report(
        terms=bench.terms,
        model=name,
        control=control,
        values=measuring.summary(columns, groups),
        slices=measuring.slices(columns, groups, [photo.category for photo in photos]),
        photos=tuple(photo.id for photo in photos),
        groups=tuple(groups),
        per_query=measuring.per_query(columns),
        keys=tuple(_key(bench, row) for row in bench.trial.query.tolist()),
        missing_queries=(),
        missing_gallery={},
        unusable=sum(problem.rows for problem in bench.collection.problems),
    )


def _key(bench: Bench, row: int) -> str:
    return key_of(bench.collection.photos[row], bench.trial.match)


def _category_only(bench: Bench) -> Report:
    truth = truth_of(bench.collection, bench.trial)
    columns = measuring.category_only(truth, bench.protocol)
    report = _of_columns(bench, columns, measuring.CATEGORY_ONLY, control=True)
    known = "; the category is what is asked for" if bench.terms.match == "category" else ""
    note = f"own category first, random within: expected values, without a picture{known}"
    return replace(report, note=note)


def _imagenet(bench: Bench, given: str | None) -> Report | None:
    """The ImageNet control, or a line that says how to give it."""
    name = given or os.environ.get(IMAGENET_VARIABLE)
    if name:
        report = _measured(bench, name, control=True)
        return replace(report, model="ImageNet MobileNetV2" if _is_mobilenet(name) else name)
    if any(info.name == IMAGENET and info.offline for info in list_encoders()):
        return replace(_measured(bench, IMAGENET, control=True), model="ImageNet MobileNetV2")
    bench.say(
        f"the ImageNet control is missing: {IMAGENET} cannot be opened on this machine. Give "
        f"a .tflite file, a model folder or a hub name with --imagenet or ${IMAGENET_VARIABLE}"
    )
    return None


def _is_mobilenet(name: str) -> bool:
    return "mobilenet_v2" in Path(name).name.lower()


def _examples(bench: Bench, top: Rankings, queries: Sequence[int]) -> Iterator[ShownQuery]:
    photos, trial = bench.collection.photos, bench.trial
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


def _recipe(name: str) -> tuple[int | None, dict[str, Any]]:
    """Seed and recipe of a trained folder, from its recipe.yaml; (None, {}) of others."""
    folder = Path(name if Path(name).is_dir() else name.rpartition("@")[0] or name).expanduser()
    # `coordi train` wrote the recipe beside the artefact alone before it wrote it into it too
    places = [folder / "recipe.yaml", folder.parent / "recipe.yaml"]
    file = next((f for f in places[: 1 + (folder.name == "artifact")] if f.is_file()), None)
    if file is None:
        return None, {}
    try:
        recipe = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"{file} is no recipe ({error}); train again or remove it") from error
    if not isinstance(recipe, dict) or not {"system", "recipe"} & recipe.keys():
        raise InputError(
            f"{file} is no recipe (it has no field `system`); train again or remove it"
        )
    plain: dict[str, Any] = {str(key): value for key, value in recipe.items()}
    seed = plain.get("seed")
    return seed if isinstance(seed, int) else None, plain


def _label(name: str, recipe: dict[str, Any]) -> str:
    """What tables call a model: a trained one by its own name, others by the name given."""
    if "name" not in recipe:
        return Path(name).name if Path(name).exists() else name
    condition = name.rpartition("@")[2] if "@" in name else ""
    return f"{recipe['name']}@{condition}" if condition else str(recipe["name"])
