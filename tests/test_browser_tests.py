"""How tests and scripts wait for the page."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
FORBIDDEN = "wait_for_" + "function"


def test_nothing_waits_by_evaluating_text_in_the_page():
    # Playwright polls inside the page there, by eval, which the page's Content-Security-Policy
    # forbids; it fails only where the first look comes too early. `expect` asks from outside.
    files = [file for room in ("tests", "benchmarks", "docs") for file in (ROOT / room).rglob("*")]
    scripts = [file for file in files if file.suffix in (".py", ".md", ".js", ".sh")]
    assert Path(__file__) in scripts
    assert [file for file in scripts if FORBIDDEN in file.read_text(encoding="utf-8")] == []
