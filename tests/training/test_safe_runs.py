"""What a run does with a folder, a signal or a number that is not as it should be."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from filelock import FileLock
from safetensors.numpy import load_file

from coordi.drawn import write_wardrobe
from coordi.errors import CoordiError, InputError, RecipeError
from coordi.training.run import run
from coordi.training.trainer import LOG_EVERY, last_checkpoint, steps_done

RECIPE: dict[str, Any] = {
    "system": "head",
    "name": "tiny",
    "collection": {
        "kind": "drawn", "count": 40, "size": 64, "val": 0.3, "test": 0.1, "attributes": ["color"],
        "pseudo_street": {"views": 1, "asked": 1, "size": 64},
    },
    "batch": 16,
    "sampler_settings": {"m": 2},
    "steps": 6,
    "warmup": 0,
    "validate_every": 0,
    "checkpoint_every": 2,
    "model": {"dim": 256, "hidden": 8},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recipe, whose cache of views and features all runs share."""
    made = tmp_path_factory.mktemp("runs")
    (made / "tiny.yaml").write_text(yaml.safe_dump(RECIPE))
    return made


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def start(folder: Path, name: str, *overrides: str, say: Any = lambda _: None) -> Path:
    return run(str(folder / "tiny.yaml"), overrides, output=folder / name, say=say, quiet=True)


class Payload:
    """What an attacker pickles."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.proof),))


def test_a_planted_checkpoint_runs_nothing(folder: Path, tmp_path: Path) -> None:
    proof, checkpoint = tmp_path / "proof", folder / "planted" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    torch.save({"global_step": 3, "state_dict": {}, "x": Payload(proof)}, checkpoint)
    with pytest.raises(RecipeError, match=r"cannot go on from .*last\.ckpt.*delete the file"):
        start(folder, "planted")
    checkpoint.write_bytes(pickle.dumps(Payload(proof)))  # torch's format before 1.6
    with pytest.raises(RecipeError, match="cannot go on from"):
        start(folder, "planted")
    assert not proof.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda kept: kept.pop("global_step"), "global_step"),
        (lambda kept: kept["state_dict"].popitem(), "of another shape than the recipe's"),
        (lambda kept: kept["state_dict"].update(x=torch.ones(3)), "of another shape"),
        (lambda kept: next(iter(kept["state_dict"].values())).fill_(np.nan), "not finite"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_told(
    folder: Path, change: Callable[[Any], None], said: str
) -> None:
    start(folder, "odd", "steps=2")
    checkpoint = last_checkpoint(folder / "odd")
    assert checkpoint is not None
    whole = checkpoint.read_bytes()
    kept = torch.load(checkpoint, weights_only=True)
    change(kept)
    torch.save(kept, checkpoint)
    with pytest.raises(RecipeError, match=f"cannot go on from .*{said}"):
        start(folder, "odd", "steps=2")
    checkpoint.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecipeError, match="cannot go on from"):
        start(folder, "odd", "steps=2")
    checkpoint.unlink()
    assert start(folder, "odd", "steps=2").is_dir()  # as the message says


def test_the_first_value_that_is_not_finite_stops_and_the_folder_recovers(folder: Path) -> None:
    high = ["lr=10000", "steps=100", "checkpoint_every=100", "clip=0"]
    with pytest.raises(
        RecipeError, match=r"step \d+: (loss part 'items'|weight .*) is not finite.* lower lr"
    ) as told:
        start(folder, "high", *high)
    assert "nothing was kept" in str(told.value)
    assert last_checkpoint(folder / "high") is None
    assert start(folder, "high", "lr=0.001").is_dir()


def test_the_last_good_checkpoint_stays(folder: Path) -> None:
    high = ["lr=10000", "steps=100", "checkpoint_every=2", "clip=0"]
    for _ in range(2):  # and is what the same command goes on from
        with pytest.raises(RecipeError, match=r"not finite.*The checkpoint of step \d+ was good"):
            start(folder, "stays", *high)
        checkpoint = last_checkpoint(folder / "stays")
        assert checkpoint is not None
        kept = torch.load(checkpoint, weights_only=True)["state_dict"]
        assert all(bool(weight.isfinite().all()) for weight in kept.values())
        assert not (folder / "stays" / "artifact").exists()
    with pytest.raises(RecipeError, match=r"lr: 10000\.0 there, 0\.001 here.*or delete"):
        start(folder, "stays", *high, "lr=0.001")


def test_a_look_at_weights_that_are_not_finite_stops(folder: Path) -> None:
    with pytest.raises(RecipeError, match=r"step 1: weight 'system\.linear\.weight' is not finite"):
        start(folder, "look", "lr=1.0e+38", "validate_every=1", "model.hidden=0", "weight_decay=99")


def test_a_gradient_that_is_not_finite_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finite loss whose slope is not: the square root at zero."""
    from coordi.models.retrieval.head import Head

    def losses(model: Any, features: Any, batch: Any, progress: float) -> dict[str, Any]:
        rows = model.embed(features, batch.street)
        return {"root": (rows - rows.detach()).abs().sum().sqrt()}

    monkeypatch.setattr(Head, "losses", losses)
    with pytest.raises(RecipeError, match=r"step 1: the gradient of 'net\.system\..*' is not fin"):
        start(folder, "slope")


SINGLETONS = {"kind": "catalog", "path": "catalog.csv", "item": "{id}", "val": 0.3, "test": 0.2}


@pytest.fixture(scope="module")
def wardrobe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of one photo an item."""
    made = tmp_path_factory.mktemp("wardrobe")
    write_wardrobe(made, count=16)
    return made


@pytest.mark.parametrize(
    ("changes", "overrides", "said"),
    [
        ({}, ["validate_every=1"], "no query of the val trial has an answer in the gallery"),
        ({}, [], r"no two of \d+ training photos share their item"),
        ({}, ["match=brand"], "holds no photos to learn 'brand' from"),
        ({"item": "all", "group": "{id}"}, [], r"all \d+ training photos share one item"),
        ({}, ["sampler=cross-domain-pairs"], "both a street photo and a shop photo"),
        ({}, ["system=csn", "model={conditions: [item]}"], "no two of .* share their item"),
        ({}, ["system=csn", "model={}", "match=category"], "no two of .* share their category"),
        ({"val": 0.5, "test": 0.5}, [], "holds no photos to learn"),
    ],
)  # fmt: skip
def test_nothing_to_learn_from_is_told_before_the_start(
    folder: Path, wardrobe: Path, changes: dict[str, Any], overrides: list[str], said: str
) -> None:
    columns = {} if "match=category" not in overrides else {"map": {"category": "id"}}
    spec = json.dumps({**SINGLETONS, **columns, **changes})
    name = "nothing"
    with pytest.raises(InputError, match=said):
        start(folder, name, f"data={wardrobe}", f"collection={spec}", *overrides)
    assert not (folder / name).exists()


def test_one_process_at_a_time(folder: Path) -> None:
    with (
        FileLock(folder / ".busy.lock"),
        pytest.raises(RecipeError, match="another process is training in"),
    ):
        _in_thread(lambda: start(folder, "busy"))
    assert not (folder / "busy").exists()
    assert start(folder, "busy").is_dir()


def _in_thread(action: Callable[[], object]) -> None:
    """Another thread stands for another process: a lock lets its own thread in again."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            action()
        except CoordiError as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def test_what_failed_before_the_start_holds_no_folder(folder: Path) -> None:
    start(folder, "kept", "steps=2")
    before = (folder / "kept" / "recipe.yaml").read_bytes()
    with pytest.raises(RecipeError, match="steps: 2 there, 3 here"):
        start(folder, "kept", "steps=3")
    assert (folder / "kept" / "recipe.yaml").read_bytes() == before
    (folder / "kept" / "recipe.yaml").write_text("recipe: nope\n")
    with pytest.raises(RecipeError, match="whose recipe cannot be read"):
        start(folder, "kept", "steps=2")


def command(folder: Path, name: str, *more: str) -> "subprocess.Popen[str]":
    """`coordi train` as a process of its own."""
    words = ["train", str(folder / "tiny.yaml"), "-o", str(folder / name), *more]
    script = folder / "coordi.py.txt"  # a file, as further devices run it again
    script.write_text("from coordi.cli import main\nmain()\n")
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(script), *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def wait_for_steps(folder: Path, process: "subprocess.Popen[str]") -> None:
    while last_checkpoint(folder) is None and process.poll() is None:
        time.sleep(0.05)


def stop_at(folder: Path, name: str, step: int, number: signal.Signals) -> None:
    """Train here until a signal comes in the middle of step `step`."""
    from coordi.models.retrieval.head import Head

    own, seen = Head.losses, []

    def losses(*arguments: Any) -> Any:
        seen.append(1)
        if len(seen) == step:
            signal.raise_signal(number)
        return own(*arguments)

    Head.losses = losses  # type: ignore[method-assign]
    try:
        with pytest.raises(KeyboardInterrupt):
            start(folder, name)
    finally:
        Head.losses = own  # type: ignore[method-assign]
    assert step <= steps_done(folder / name) < step + LOG_EVERY  # the stretch ends
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_step_changes_nothing(
    folder: Path, number: signal.Signals
) -> None:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as the command line does
    try:
        stop_at(folder, f"cut-{number}", 3, number)
    finally:
        signal.signal(signal.SIGTERM, before)
    again, whole = start(folder, f"cut-{number}"), start(folder, "uncut")
    left, right = (load_file(f / "model.safetensors") for f in (again, whole))
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


def test_sigterm_ends_all_processes_of_a_run_on_two_devices(folder: Path) -> None:
    process = command(folder, "two", "steps=100000", "--devices", "2")
    wait_for_steps(folder / "two", process)
    process.send_signal(signal.SIGTERM)  # to the first alone
    _, err = process.communicate(timeout=60)  # pipes that a child keeps open would not end
    assert process.returncode == 143, err
    done = steps_done(folder / "two")
    said = f"stopped by SIGTERM. Run the same command again to go on from step {done}."
    assert err.count(said) == 1
    assert 0 < done < 100000
    assert not (folder / "two" / "artifact").exists()
