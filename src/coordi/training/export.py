"""Turn a trained net into the artefact folder that serves it, with its card."""

import shutil
from pathlib import Path

from coordi.artifacts import atomic_folder
from coordi.models.artifact import ArtifactConfig, BaseEncoder, describe, save_system
from coordi.models.encoders import list_encoders
from coordi.models.system import EmbeddingSystem, System
from coordi.training.material import Material
from coordi.training.net import Net
from coordi.training.recipe import Recipe
from coordi.training.validation import Validation
from coordi.types import Encoder


def export(
    net: Net, recipe: Recipe, material: Material, validation: Validation | None, folder: Path
) -> Path:
    """Write weights, configuration, recipe, card, and what else serving needs, into `folder`."""
    with atomic_folder(folder) as draft:
        frozen = material.frozen()
        config = describe(
            recipe.system,
            net.system,
            material.sizes,
            material.feature_dim,
            title=recipe.name,
            version=recipe.version,
            encoder=None if frozen is None else _base(*frozen, draft),
            backbone=None if net.backbone is None else net.backbone.config,
        )
        save_system(draft, net.system, config, net.backbone)
        material.keep(draft)
        (draft / "recipe.yaml").write_text(recipe.to_yaml(), "utf-8")
        card = _card(recipe, material, net.system, config, validation)
        (draft / "README.md").write_text(card, "utf-8")
    return folder


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


def _card(
    recipe: Recipe,
    material: Material,
    system: System,
    config: ArtifactConfig,
    validation: Validation | None,
) -> str:
    source = f" ({recipe.paper})" if recipe.paper else ""
    differs = f"\n\nDiffers from the paper: {recipe.differs}." if recipe.differs else ""
    facts = {**material.facts(), "pictures that could not be used": str(len(material.problems))}
    table = "| | |\n|---|---|\n" + "\n".join(f"| {name} | {fact} |" for name, fact in facts.items())
    return (
        f"# {recipe.name} {recipe.version}\n\n"
        f"{recipe.system}{source}, {_shape(config)}. {_origin(config)}{differs}\n\n"
        f"{table}\n\n{_numbers(validation)}\n\n{_texts(material, system)}"
        f"Made by `coordi train` with this recipe:\n\n```yaml\n{recipe.to_yaml()}```\n"
    )


def _shape(config: ArtifactConfig) -> str:
    if config.dim is None:
        return "which has no vectors of its own: it answers " + ", ".join(config.answers)
    conditions = f", and {', '.join(config.conditions)}" if config.conditions else ""
    prefixes = config.settings.get("matryoshka_dims", [])[:-1]
    cut = f", of which the first {', '.join(map(str, prefixes))} also serve" if prefixes else ""
    return f"{config.dim} dimensions{cut}{conditions}"


def _origin(config: ArtifactConfig) -> str:
    if config.backbone is not None:
        return f"Trained end to end; the image tower started from {config.backbone.origin}."
    if config.encoder is None:
        return ""
    return f"Takes the features of `{config.encoder.name}` ({config.encoder.fingerprint})."


def _numbers(validation: Validation | None) -> str:
    if validation is None:
        return "The last weights were kept; no val trial chose among them."
    step, best = validation.best
    return (
        f"{validation.measure}, by which the weights were chosen: {best:.4f} at step {step} "
        f"(untrained: {validation.history[0][1]:.4f}). It is not the number to report: "
        "`coordi evaluate` measures the test trial."
    )


def _texts(material: Material, system: System) -> str:
    """What the card says of words, for encoders that take them."""
    frozen = material.frozen()
    if frozen is None or "text" not in frozen[1].modalities:
        return ""
    if isinstance(system, EmbeddingSystem) and system.takes_text:
        return (
            "Words pass the same layers as pictures. They were trained on pictures only; nothing "
            "but the start from the encoder itself keeps words and pictures together.\n\n"
        )
    return "Takes pictures only, although its base encoder takes words too.\n\n"
