"""Turn a trained retrieval system into the artefact folder that serves it, with its card."""

import shutil
from pathlib import Path

import xxhash

from coordi.artifacts import atomic_folder
from coordi.data.collection import Trial
from coordi.data.images import image_hash, read_bytes
from coordi.errors import ImageError
from coordi.models.encoders import list_encoders
from coordi.models.retrieval.artifact import BaseEncoder, RetrievalConfig, save_system
from coordi.training.material import Material
from coordi.training.retrieval import Net
from coordi.training.retrieval_recipe import RetrievalRecipe
from coordi.training.validation import Validation
from coordi.types import Encoder, Photo


def export_retrieval(
    net: Net,
    recipe: RetrievalRecipe,
    material: Material,
    validation: Validation | None,
    folder: Path,
) -> Path:
    """Write weights, configuration, card, and an encoder that has no public name, into `folder`."""
    with atomic_folder(folder) as draft:
        base = None if material.encoder is None else _base(recipe.encoder, material.encoder, draft)
        config = _config(net, recipe, material, base)
        save_system(draft, net.system, config, net.backbone)
        (draft / "recipe.yaml").write_text(recipe.to_yaml(), "utf-8")
        (draft / "README.md").write_text(_card(recipe, material, config, validation), "utf-8")
    return folder


def _config(
    net: Net, recipe: RetrievalRecipe, material: Material, base: BaseEncoder | None
) -> RetrievalConfig:
    sizes = material.labels.sizes
    return RetrievalConfig(
        name=recipe.name,
        version=recipe.version,
        system=recipe.system,
        settings=recipe.model.model_dump(mode="json"),
        feature_dim=material.feature_dim,
        dim=getattr(net.system, "dim", None),
        conditions=tuple(getattr(net.system, "conditions", ())),
        items=sizes.items,
        categories=sizes.categories,
        attributes=dict(sizes.attributes),
        encoder=base,
        backbone=None if net.backbone is None else net.backbone.config,
    )


def _base(name: str, encoder: Encoder, draft: Path) -> BaseEncoder:
    """What the artefact says of its encoder; one that only a path leads to is copied along."""
    path = Path(name).expanduser()
    if name in {info.name for info in list_encoders()} or not path.exists():
        return BaseEncoder(name=name, fingerprint=encoder.fingerprint)
    inside = draft / "encoder" / path.resolve().name
    inside.parent.mkdir()
    if path.is_dir():
        shutil.copytree(path, inside)
    else:
        shutil.copyfile(path, inside)
    return BaseEncoder(
        name=encoder.name,
        fingerprint=encoder.fingerprint,
        inside=inside.relative_to(draft).as_posix(),
    )


def data_hash(photos: list[Photo]) -> str:
    """32 hex digits over the photos' ids, items and picture files, in whatever order they stand."""
    total = xxhash.xxh3_128()
    for photo in sorted(photos, key=lambda photo: photo.id):
        total.update(f"{photo.id}\0{photo.item}\0{_content(photo)}\n".encode())
    return total.hexdigest()


def _content(photo: Photo) -> str:
    try:
        return image_hash(read_bytes(photo.image))
    except ImageError:
        return "unreadable"


def _card(
    recipe: RetrievalRecipe,
    material: Material,
    config: RetrievalConfig,
    validation: Validation | None,
) -> str:
    settings = recipe.to_yaml()
    source = f" ({recipe.paper})" if recipe.paper else ""
    differs = f"\n\nDiffers from the paper: {recipe.differs}." if recipe.differs else ""
    return (
        f"# {recipe.name} {recipe.version}\n\n"
        f"{recipe.system}{source}, {_shape(config)}. {_origin(config)}{differs}\n\n"
        f"{_counts(material)}\n\n{_numbers(material, validation)}\n\n{_texts(material, config)}"
        f"Made by `coordi train` with this recipe:\n\n```yaml\n{settings}```\n"
    )


def _shape(config: RetrievalConfig) -> str:
    if config.dim is None:
        return "a re-ranker: it scores pairs and has no vectors of its own"
    conditions = f", and {', '.join(config.conditions)}" if config.conditions else ""
    return f"{config.dim} dimensions{conditions}"


def _origin(config: RetrievalConfig) -> str:
    if config.backbone is not None:
        return f"Trained end to end; the image tower started as that of `{config.backbone.origin}`."
    assert config.encoder is not None
    return f"Takes the features of `{config.encoder.name}` ({config.encoder.fingerprint})."


def _counts(material: Material) -> str:
    collection, sizes = material.collection, material.labels.sizes
    photos = [collection.photos[row] for row in collection.train]
    street = sum(photo.street for photo in photos)
    rows = (
        ("collection", collection.name),
        ("photos trained on", f"{len(photos)} ({street} from the street)"),
        (f"different labels of {material.match!r}", str(sizes.items)),
        ("photos that could not be used", str(len(material.problems))),
        ("val queries, gallery", _trial(collection.val)),
        ("hash of the training data", f"`{data_hash(photos)}`"),
    )
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)


def _trial(trial: Trial | None) -> str:
    return "none" if trial is None else f"{len(trial.query)}, {len(trial.gallery)}"


def _numbers(material: Material, validation: Validation | None) -> str:
    if validation is None or material.collection.val is None:
        return "The last weights were kept; no val trial chose among them."
    step, best = validation.best
    return (
        f"R@1 on the val trial, by which the weights were chosen: {best:.4f} at step {step} "
        f"(untrained: {validation.history[0][1]:.4f}). It is not the number to report: "
        "`coordi evaluate` measures the test trial."
    )


def _texts(material: Material, config: RetrievalConfig) -> str:
    """What the card says of words, for encoders that take them."""
    if material.encoder is None or "text" not in material.encoder.modalities:
        return ""
    if config.system == "head":
        return (
            "Words pass the same layers as pictures. They were trained on pictures only; nothing "
            "but the start from the encoder itself keeps words and pictures together.\n\n"
        )
    return "Takes pictures only, although its base encoder takes words too.\n\n"
