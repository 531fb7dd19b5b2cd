"""Where a measured model comes from: its seed, its recipe and its name in tables."""

from pathlib import Path
from typing import Any

import yaml

from coordi.errors import InputError


def recipe_of(name: str) -> tuple[int | None, dict[str, Any]]:
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


def label_of(name: str, recipe: dict[str, Any]) -> str:
    """What tables call a model: a trained one by its own name, others by the name given."""
    if "name" not in recipe:
        return Path(name).name if Path(name).exists() else name
    condition = name.rpartition("@")[2] if "@" in name else ""
    return f"{recipe['name']}@{condition}" if condition else str(recipe["name"])
