"""The base install: what it brings, what works in it, what is said where an extra is missing."""

import ast
import inspect
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import coordi
from coordi.errors import MissingExtraError, require

ROOT = Path(__file__).parent.parent
HEAVY = {
    "lightning", "onnx", "pytorch-metric-learning", "scikit-learn", "tensorboard", "torch",
    "transformers",
}  # fmt: skip
MODULES = HEAVY - {"scikit-learn", "pytorch-metric-learning"} | {
    "pytorch_metric_learning", "safetensors", "sklearn", "tflite",
}  # fmt: skip
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

Run = Callable[[str], str]

ABSENT = f"""
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        absent = name.partition(".")[0] in {sorted(MODULES)!r}
        return None if absent else PathFinder.find_spec(name, path, target)

sys.meta_path = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
"""
"""As if the packages of the extras were not installed, whatever is."""


@pytest.fixture
def bare(tmp_path: Path) -> Run:
    """Run a piece of Python in a base install and an empty folder; what it prints comes back."""
    (tmp_path / "absent.py").write_text(ABSENT, "utf-8")
    (tmp_path / "empty").mkdir()
    start = """
        import absent, json, sys
        from pathlib import Path
        from typer.testing import CliRunner
        from coordi.cli.app import make_app

        def run(*arguments, fine=(0,)):
            done = CliRunner().invoke(make_app(), [*map(str, arguments)])
            assert done.exit_code in fine, (arguments, done.exit_code, done.output)
            return done.output
        """

    def run(code: str) -> str:
        whole = textwrap.dedent(start) + textwrap.dedent(code)
        path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", whole], cwd=tmp_path / "empty",
            env=os.environ | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_what_a_demo_does_works_in_a_base_install(bare: Run) -> None:
    out = bare("""
        from fastapi.testclient import TestClient
        from coordi import Engine, create_app, write_wardrobe

        write_wardrobe(Path("wardrobe"), count=12)
        first = Path("wardrobe/images/d0-0003.webp")
        report = run("ingest", "wardrobe/catalog.csv", "--store", "shop", "--json")
        print(json.loads(report)["added"])
        for asked in (["blue tee"], ["--image", first], ["--item", "d0-0003"]):
            answer = json.loads(run("search", *asked, "--store", "shop", "--json"))
            print(len(answer["hits"]))
        with Engine.open("shop") as engine, TestClient(create_app(engine)) as client:
            for route in ("/v1/search?text=tee", "/v1/health", "/"):
                print(client.get(route, headers={"host": "localhost"}).status_code)
        """)
    assert out.split() == ["12", "10", "10", "10", "200", "200", "200"]


def test_doctor_and_evaluate_work_in_a_base_install(bare: Run) -> None:
    out = bare("""
        Path("small.yaml").write_text(
            "kind: drawn\\ncount: 24\\nsize: 64\\nval: 0.2\\ntest: 0.3\\n"
            "pseudo_street: {views: 1, asked: 1, size: 64}\\n"
        )
        print(*json.loads(run("doctor", "small.yaml", "--json", fine=(0, 3))))
        print(run("evaluate", "small.yaml"), run("encoders"), run("recipes"))
        """)
    for said in ("findings", "coordi-mini", "control: random", "category", "wtbi"):
        assert said in out


@pytest.mark.parametrize(
    ("code", "extra"),
    [
        ('run("train", "head", fine=(1,))', "train"),
        ('run("train", "dual", fine=(1,))', "train"),
        ("opened(TRAINED)", "train"),
        ('opened(f"{TRAINED}@color")', "train"),
        ("opened(TRAINED, option='--rerank')", "train"),
        ("opened(folder(model_type='vit'))", "transformers"),
        ("opened('net.tflite')", "tflite"),
    ],
)
def test_a_missing_extra_is_one_line_with_its_command(bare: Run, code: str, extra: str) -> None:
    out = bare(f"""
        def folder(**config):
            place = Path(config["model_type"])
            place.mkdir()
            (place / "config.json").write_text(json.dumps(config))
            return place

        def opened(name, option="--encoder"):
            Path("c.csv").write_text("id,title\\n1,tee\\n")
            run("ingest", "c.csv", "--store", "shop")
            Path("q.png").write_bytes(PNG)
            return run("search", "--image", "q.png", "--store", "shop", option, name, fine=(1,))

        import io
        from PIL import Image
        Image.new("RGB", (32, 32)).save(png := io.BytesIO(), "png")
        PNG, TRAINED = png.getvalue(), folder(model_type="head", format="coordi-retrieval")
        Path("net.tflite").write_bytes(b"----TFL3")
        print({code})
        """)
    said = re.escape(f"is not installed. Run: pip install 'coordi[{extra}]'")
    assert re.fullmatch(rf"error: \w+ {said}\s*", out)


def test_a_wrong_recipe_is_named_without_torch(bare: Run) -> None:
    said = bare("print(run('train', 'heat', fine=(1,)))")
    assert "Did you mean 'head'?" in said
    assert "studio2shop" in said


def test_require_lets_other_errors_through(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "half_there.py").write_text("raise OSError('a library of it is missing')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OSError, match="library"):
        require("train", "half_there")
    with pytest.raises(MissingExtraError, match=r"^nowhere is not .*pip install 'coordi\[train\]'"):
        require("train", "json", "nowhere")


# what is installed


def test_the_base_install_brings_nothing_heavy() -> None:
    assert not HEAVY & set(closure(PROJECT["dependencies"]))


def test_train_brings_all_that_training_imports() -> None:
    extras = PROJECT["optional-dependencies"]
    assert set(closure([*extras["train"], *PROJECT["dependencies"]])) >= HEAVY
    assert {"torch", "transformers"} <= set(closure(extras["tflite"]))


def test_all_names_every_extra_but_the_two_that_clash_with_datasets() -> None:
    extras = PROJECT["optional-dependencies"]
    (everything,) = (Requirement(line) for line in extras["all"])
    assert everything.extras == set(extras) - {"all", "s3", "gcs"}


def test_every_extra_that_is_named_in_an_error_exists() -> None:
    sources = "\n".join(p.read_text("utf-8") for p in (ROOT / "src").rglob("*.py"))
    named = set(re.findall(r"(?:require|install_command|MissingExtraError)\(['\"](\w+)", sources))
    assert {"train", "transformers", "tflite", "excel", "heif", "datasets"} <= named
    assert named <= set(PROJECT["optional-dependencies"])


def closure(lines: list[str]) -> Iterator[str]:
    """Names of the packages that requirements bring, as far as they are installed here."""
    open_, seen = [Requirement(line) for line in lines], set()
    while open_:
        wanted = open_.pop()
        if (key := (wanted.name.lower(), *sorted(wanted.extras))) in seen:
            continue
        seen.add(key)
        if wanted.name != "coordi":
            yield wanted.name.lower()
        for extra in sorted(wanted.extras) or [""]:
            open_ += [r for r in needs(wanted.name, extra) if applies(r, extra)]


def needs(name: str, extra: str) -> list[Requirement]:
    if name == "coordi":
        return [Requirement(line) for line in PROJECT["optional-dependencies"][extra]]
    try:
        return [Requirement(line) for line in requires(name) or ()]
    except PackageNotFoundError:  # an extra that the tests do without
        return []


def applies(wanted: Requirement, extra: str) -> bool:
    return wanted.marker is None or wanted.marker.evaluate({"extra": extra})


# what is public


def test_every_public_name_is_there() -> None:
    for name in coordi.__all__:
        assert getattr(coordi, name) is not None
    assert set(coordi.__all__) <= set(dir(coordi))
    with pytest.raises(AttributeError, match="'coordi' has no attribute 'engin'"):
        _ = coordi.engin


def test_readers_of_types_see_the_same_names() -> None:
    seen = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(inspect.getsource(coordi)))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("coordi")
        if node.module != "coordi.version"
        for alias in node.names
    }
    assert sorted(seen) == coordi.__all__
    for name, home in coordi._HOMES.items():
        assert seen[name] == f"{home}.{name}"


def test_importing_coordi_imports_nothing_else() -> None:
    loaded = "import coordi, sys; print(*(m.partition('.')[0] for m in sys.modules))"
    before = "import sys, difflib, importlib, typing; print(*sys.modules)"
    new = set(fresh(loaded).split()) - {m.partition(".")[0] for m in fresh(before).split()}
    assert new <= {"coordi", "collections"}


def test_the_command_line_imports_no_room_before_a_command_runs() -> None:
    said = fresh("import coordi.cli.app, sys; print(*sys.modules)").split()
    rooms = {name.split(".")[1] for name in said if name.startswith("coordi.")}
    assert rooms == {"cli", "errors", "version"}
    assert not {"numpy", "PIL", "pydantic", "yaml", "rich", "torch"} & set(said)


def fresh(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout
