"""What holds for every system under its own recipe, and the example of docs/adding-a-system.md."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from coordi.models.opening import open_encoder
from coordi.models.systems import SYSTEMS
from coordi.training.material import KINDS, Material
from coordi.training.module import Batches
from coordi.training.net import Net
from coordi.training.recipe import Recipe
from coordi.training.recipes import load_recipe
from coordi.training.run import run

SMALL = (
    "collection={kind: drawn, count: 60, size: 64, val: 0.2, test: 0.1,"
    " attributes: [color, sleeve], pseudo_street: {views: 3, asked: 1, size: 64}}"
)
PAGE = Path(__file__).parents[2] / "docs/adding-a-system.md"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Views and features that all systems share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Layers as small as these are slower on several threads, much so on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def material_of(name: str, cache: Path) -> tuple[Material, Recipe, Net]:
    small = [SMALL, "batch=64"]  # else items come twice in a batch
    own = {
        "dual": ["batch=16", "stages.0.steps=4"],
        "parts": ["batch=16", "stages.0.steps=4", "sources.0.count=60"],
        "finder": ["batch=2", "stages.0.steps=2", "stages.0.canvas=[64, 64]"],
    }
    recipe = load_recipe(name, own.get(name, [*small, "steps=4"]))
    found = KINDS[recipe.system_type.eats].gather(recipe, cache, lambda _: None)
    torch.manual_seed(0)
    backbone = found.backbone()
    net = Net(recipe.system_type(found.feature_dim, found.sizes, recipe.model), backbone)
    net.system.fit_input(found.first_look(net))
    found.require(net.system)
    found.acquaint(net)
    return found, recipe, net


@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_every_part_of_a_loss_counts_under_its_own_recipe(name: str, cache: Path) -> None:
    found, recipe, net = material_of(name, cache)
    batches = Batches(found, recipe)
    seen: dict[str, float] = {}
    for progress in (0.0, 0.99):
        for (batch,) in batches:
            features = net.features(batch.inputs)
            for part, value in net.system.losses(features, batch, progress).items():
                assert value.isfinite(), part
                seen[part] = seen.get(part, 0.0) + abs(value.item())
    assert {part for part, value in seen.items() if value == 0} == set()


@pytest.fixture
def center(monkeypatch: pytest.MonkeyPatch) -> str:
    """The recipe of the page's example, whose system is in the table."""
    text = PAGE.read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (recipe,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    module = ModuleType("center")
    monkeypatch.setitem(sys.modules, "center", module)
    exec(compile(code, str(PAGE), "exec"), module.__dict__)
    monkeypatch.setitem(SYSTEMS, "center", module.Center)
    return recipe


def test_the_pages_example_trains_and_serves(center: str, cache: Path, tmp_path: Path) -> None:
    own = tmp_path / "center.yaml"
    own.write_text(center, "utf-8")
    said: list[str] = []
    options = [SMALL, "steps=60", "batch=64", "warmup=5", "validate_every=10", f"cache={cache}"]
    artifact = run(str(own), options, output=tmp_path / "run", say=said.append, quiet=True)
    before, best = map(float, re.findall(r"R@1 on val: ([\d.]+) untrained, ([\d.]+)", said[-1])[0])
    assert best > before
    assert open_encoder(str(artifact)).dim == 256
