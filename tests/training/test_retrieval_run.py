import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file

from coordi.data.images import encode_jpeg
from coordi.data.splits import split_of
from coordi.drawn import draw_garment, draw_wardrobe
from coordi.engine import Engine
from coordi.errors import RecipeError
from coordi.models.artifact import load_system
from coordi.models.opening import open_encoder
from coordi.training.run import run
from coordi.types import Query

RECIPE: dict[str, Any] = {
    "system": "head",
    "name": "tiny",
    "collection": {
        "kind": "drawn", "count": 60, "size": 64, "val": 0.3, "test": 0.1, "attributes": ["color"],
        "pseudo_street": {"views": 2, "asked": 2, "size": 64},
    },
    "batch": 32,
    "sampler_settings": {"m": 2},
    "steps": 20,
    "warmup": 5,
    "validate_every": 5,
    "patience": 0,
    "checkpoint_every": 4,
    "model": {"dim": 256, "hidden": 32, "dropout": 0.2},
}  # fmt: skip
END_TO_END = ["features=end-to-end", "image_size=32", "steps=4", "batch=12", "checkpoint_every=2"]
CODE = """
import sys
from pathlib import Path
from coordi.training.run import run
run(sys.argv[1], output=Path(sys.argv[2]), quiet=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recipe, whose cache of views and features all runs share."""
    made = tmp_path_factory.mktemp("runs")
    (made / "tiny.yaml").write_text(yaml.safe_dump(RECIPE))
    return made


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Several threads add in an order of their own, so that the last bit is left to chance."""
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # for child processes
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def start(folder: Path, name: str, *overrides: str) -> tuple[Path, list[str]]:
    """Run the recipe into `folder`/`name`: its artefact, and what was said."""
    said: list[str] = []
    recipe = str(folder / "tiny.yaml")
    artifact = run(recipe, overrides, output=folder / name, say=said.append, quiet=True)
    return artifact, said


def logged(output: Path) -> list[dict[str, str]]:
    with (output / "logs" / "metrics.csv").open(newline="") as file:
        rows = [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]
    return sorted(rows, key=lambda row: (int(row["step"]), sorted(row)))


def test_a_killed_run_resumes_to_the_same_weights_and_losses(folder: Path) -> None:
    whole, _ = start(folder, "whole")
    killed = folder / "killed"
    command = [sys.executable, "-c", CODE, str(folder / "tiny.yaml"), str(killed)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    checkpoint = killed / "checkpoints" / "last.ckpt"
    while not _steps(checkpoint) >= 8 and process.poll() is None:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "artifact").exists()
    assert 8 <= _steps(checkpoint) < 20
    resumed, said = start(folder, "killed")
    assert any("going on after step" in line for line in said)
    left, right = (load_file(f / "model.safetensors") for f in (whole, resumed))
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)
    assert logged(folder / "whole") == logged(killed)
    assert open_encoder(str(whole)).fingerprint == open_encoder(str(resumed)).fingerprint


def _steps(checkpoint: Path) -> int:
    try:
        return int(torch.load(checkpoint, weights_only=True)["global_step"])
    except (OSError, RuntimeError, EOFError):  # not there yet, or being written
        return 0


def test_training_lifts_recall_above_the_untrained_encoder(folder: Path) -> None:
    """R@1 on val, whose garments and photos the training never sees."""
    _, said = start(folder, "lift", "steps=120", "validate_every=20", "model.dropout=0")
    untrained, best = _recall(said)
    assert best > untrained + 0.05


def test_a_tower_from_random_weights_learns_as_well(folder: Path) -> None:
    _, said = start(
        folder, "tower", "system=single-tower", "model={dim: 32, hidden: [64]}", "steps=120",
        "validate_every=20",
    )  # fmt: skip
    untrained, best = _recall(said)
    assert best > untrained + 0.05


def _recall(said: list[str]) -> tuple[float, float]:
    words = next(line for line in said if line.startswith("R@1 on val")).split()
    return float(words[3]), float(words[5])


def test_early_stopping_keeps_the_best_weights(folder: Path) -> None:
    """At such a rate the first steps ruin everything, so the untrained weights are the best."""
    artifact, said = start(
        folder, "early", "lr=10", "patience=2", "warmup=0", "clip=0", "model.hidden=0", "steps=200"
    )
    assert any("stopped at step 10: no better R@1 on val in 2 looks" in line for line in said)
    untrained, best = _recall(said)
    assert untrained == best
    weights = load_file(artifact / "model.safetensors")["system.linear.weight"]
    np.testing.assert_array_equal(weights, np.eye(256, dtype=np.float32))
    before = (artifact / "model.safetensors").read_bytes()
    _, said = start(
        folder, "early", "lr=10", "patience=2", "warmup=0", "clip=0", "model.hidden=0", "steps=200"
    )
    assert any("stopped at step 10" in line for line in said)  # and went no further
    assert (artifact / "model.safetensors").read_bytes() == before


def test_a_collapse_is_told(folder: Path) -> None:
    """Without negatives, pulling together is all there is to learn."""
    _, said = start(
        folder, "collapse", "system=single-tower", "steps=60", "validate_every=20", "lr=0.01",
        "model={dim: 8, hidden: [32], loss: contrastive, loss_settings: {margin: 0.0}}",
    )  # fmt: skip
    assert any("the embedding has collapsed" in line for line in said)
    assert any("effective_rank" in row for row in logged(folder / "collapse"))


def test_the_artefact_ingests_and_searches(folder: Path, tmp_path: Path) -> None:
    artifact, _ = start(folder, "whole")
    garments = draw_wardrobe(count=8, seed=5).garments
    lines = ["id,image,title"]
    for garment in garments:
        (tmp_path / f"{garment.id}.jpg").write_bytes(encode_jpeg(draw_garment(garment, size=96)))
        lines.append(f"{garment.id},{garment.id}.jpg,{garment.title}")
    (tmp_path / "shop.csv").write_text("\n".join(lines))
    with Engine.open(tmp_path / "store", encoder=str(artifact), create=True) as engine:
        assert engine.ingest(tmp_path / "shop.csv").added == 8
        answer = engine.search(Query(image=draw_garment(garments[3], size=96), limit=1))
        assert answer.hits[0].item.id == garments[3].id
        assert engine.search(Query(text=garments[0].title)).total == 8


def test_the_card_says_what_was_done(folder: Path) -> None:
    artifact, _ = start(folder, "whole")
    card = (artifact / "README.md").read_text()
    _, config = load_system(artifact)
    for part in ("hash of the training data", "(untrained:", "system: head", "Words pass the same",
                 f"{config.sizes['items']} |", "coordi-mini"):  # fmt: skip
        assert part in card
    assert config.encoder is not None
    assert config.encoder.fingerprint == open_encoder("coordi-mini").fingerprint


@pytest.mark.parametrize("extra", [[], ["grad_cache_chunk=4", "accumulate=2"]])
def test_the_same_recipe_trains_end_to_end(folder: Path, extra: list[str]) -> None:
    artifact, _ = start(folder, f"whole-{len(extra)}", *END_TO_END, *extra)
    encoder = open_encoder(str(artifact))
    assert encoder.image_size == 32
    assert encoder.modalities == {"image"}
    _, config = load_system(artifact)
    assert config.encoder is None


def test_chunks_of_the_backbone_change_nothing(folder: Path) -> None:
    plain = ["augment=false", "model.dropout=0", "validate_every=0"]
    whole, _ = start(folder, "whole-batch", *END_TO_END, *plain)
    chunks, _ = start(folder, "in-chunks", *END_TO_END, *plain, "grad_cache_chunk=5")
    left, right = (load_file(f / "model.safetensors") for f in (whole, chunks))
    for name, value in left.items():
        np.testing.assert_allclose(value, right[name], atol=2e-4, err_msg=name)


def test_photos_that_cannot_be_read_are_told(folder: Path, tmp_path: Path) -> None:
    garments = draw_wardrobe(count=30, seed=1).garments
    rows = ["id,image,category"]
    for number, garment in enumerate(garments):
        picture = encode_jpeg(draw_garment(garment, size=48))
        (tmp_path / f"{number}.jpg").write_bytes(b"broken" if number < 10 else picture)
        rows.append(f"{number},{number}.jpg,{garment.kind}")
    (tmp_path / "shop.csv").write_text("\n".join(rows))
    spec = {"kind": "catalog", "path": "shop.csv", "match": "category", "val": 0.0, "test": 0.2}
    _, said = start(
        folder, "broken", f"data={tmp_path}", f"collection={json.dumps(spec)}",
        "steps=2", "batch=8",
    )  # fmt: skip
    with (folder / "broken" / "problems.csv").open(newline="") as file:
        problems = list(csv.DictReader(file))
    learned = {str(n) for n in range(10) if split_of(str(n), val=0, test=0.2) == "train"}
    assert {row["id"] for row in problems} == learned
    assert all("not an image" in row["reason"] for row in problems)
    assert any("cannot be used in all; see problems.csv" in line for line in said)
    assert any("has no val trial" in line for line in said)


def test_another_recipe_in_the_same_folder_is_refused(folder: Path) -> None:
    start(folder, "taken", "steps=1", "validate_every=0")
    with pytest.raises(RecipeError, match="holds a run of another recipe"):
        start(folder, "taken", "steps=2", "validate_every=0")
