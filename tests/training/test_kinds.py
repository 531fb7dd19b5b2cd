"""Other kinds of batch fit the frame as one file each: outfits, edits, views, choices."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml

from coordi.errors import EncoderError, RecipeError
from coordi.models.opening import open_encoder, open_system
from coordi.models.systems import SYSTEMS
from coordi.training.material import KINDS
from coordi.training.recipes import load_recipe
from coordi.training.run import run
from coordi.training.trainer import steps_done

from .kinds import choices, edits, outfits, views

WINGS: dict[str, tuple[ModuleType, type]] = {
    "outfit-pairs": (outfits, outfits.OutfitPairs),
    "addition": (edits, edits.Addition),
    "prototypes": (views, views.Prototypes),
    "taste": (choices, choices.Taste),
}
each_wing = pytest.mark.parametrize("name", WINGS)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The four systems and materials stand in the tables, and one thread computes."""
    for name, (module, system) in WINGS.items():
        monkeypatch.setitem(SYSTEMS, name, system)
        monkeypatch.setitem(KINDS, system.eats, module)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawings and features that all four share."""
    return tmp_path_factory.mktemp("cache")


def recipe_of(name: str, folder: Path, cache: Path) -> str:
    path = folder / f"{name}.yaml"
    fields = {
        "system": name, "name": name, "cache": str(cache), "steps": 150, "batch": 32, "lr": 3e-3,
        "warmup": 5, "validate_every": 25, "patience": 0, "checkpoint_every": 10,
    }  # fmt: skip
    path.write_text(yaml.safe_dump(fields))
    return str(path)


@each_wing
def test_training_lifts_what_chooses_the_weights(name: str, cache: Path, tmp_path: Path) -> None:
    said: list[str] = []
    folder = run(
        recipe_of(name, tmp_path, cache), output=tmp_path / "run", say=said.append, quiet=True
    )
    assert "untrained" in said[-1]
    numbers = [float(word) for word in said[-1].replace(",", " ").split() if word.count(".") == 1]
    before, best = numbers[:2]
    assert best > before + 0.1
    system, config = open_system(folder)
    assert type(system) is WINGS[name][1]
    assert (config.family, config.answers) == (system.family, system.answers)
    assert "trained on" in (folder / "README.md").read_text("utf-8")
    if "embed" not in config.answers or config.dim is None:
        with pytest.raises(EncoderError, match="no vectors"):
            open_encoder(str(folder))


@each_wing
def test_a_run_that_breaks_goes_on_to_the_very_same_weights(
    name: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, few = recipe_of(name, tmp_path, cache), ["steps=30", "validate_every=10"]
    whole = run(recipe, few, output=tmp_path / "whole", quiet=True)
    material = type(KINDS[WINGS[name][1].eats].gather(load_recipe(recipe), cache, lambda _: None))
    plain = material.batch

    def breaks(self, number, step):
        if number == 27:  # of the third stretch, which is made while the second is learned from
            raise OSError("power cut")
        return plain(self, number, step)

    with monkeypatch.context() as broken:
        broken.setattr(material, "batch", breaks)
        with pytest.raises(OSError, match="power cut"):
            run(recipe, few, output=tmp_path / "cut", quiet=True)
    assert steps_done(tmp_path / "cut") == 10
    resumed = run(recipe, few, output=tmp_path / "cut", quiet=True)
    left, right = (f / "model.safetensors" for f in (whole, resumed))
    assert left.read_bytes() == right.read_bytes()


@each_wing
def test_fields_of_another_kind_are_errors(name: str, cache: Path, tmp_path: Path) -> None:
    recipe = recipe_of(name, tmp_path, cache)
    for field in ("sampler=m-per-class", "stages=[]", "collection=drawn-street"):
        with pytest.raises(RecipeError, match="unknown field"):
            load_recipe(recipe, [field])


def test_an_outfit_has_no_order_and_padding_no_part() -> None:
    torch.manual_seed(0)
    kind = outfits.OutfitPairs
    system = kind(8, kind.Sizes(5), kind.Settings(dim=4)).eval()
    features, types = torch.randn(6, 8), torch.tensor([0, 1, 2, 3, 4, 0])
    one = system.score_outfits(features, types, torch.tensor([[0, 2, 4, -1]]))
    for other in ([4, 0, 2, -1], [2, 4, 0, -1], [0, 2, 4]):
        torch.testing.assert_close(
            system.score_outfits(features, types, torch.tensor([other])), one
        )
