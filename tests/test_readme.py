"""The README's own commands and code, run in order in an empty folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(python|console)\n(.*?)```", README, re.DOTALL)


def test_readme_runs_as_written(tmp_path: Path) -> None:
    ran = 0
    for kind, block in BLOCKS:
        if kind == "python":
            _run([sys.executable, "-W", "error", "-c", block], tmp_path)
            ran += 1
            continue
        for line in block.splitlines():
            assert line.startswith("$ coordi "), line
            command = shlex.split(line.removeprefix("$ "))
            command[0] = str(Path(sys.executable).with_name("coordi"))
            _run(command, tmp_path)
            ran += 1
    assert ran >= 8


def _run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120"}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")], key=str))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"`[^`\n]*`", "", page.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_makefile_has_the_commands_that_the_readme_names() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE)) <= targets
