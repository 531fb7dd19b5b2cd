"""Exit codes of commands that are stopped, whatever they are doing."""

import signal
import subprocess
import sys

import pytest

SLOW = """
import sys, time
import coordi.cli.app as app
from coordi.cli import main
from coordi.cli.output import reporting


def slow(as_json: bool = False) -> None:
    with reporting(as_json, False) as out:
        print("ready", flush=True)
        time.sleep(60)


def bare() -> None:
    print("ready", flush=True)
    time.sleep(60)


def forks() -> None:
    import os

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(reading, 1)  # what comes while it is being forked is lost
    os.kill(child, 15)
    print(os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)


app.COMMANDS = (slow, bare, forks)
main()
"""


def start(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", SLOW, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("words", [["slow"], ["slow", "--as-json"], ["bare"]])
@pytest.mark.parametrize(
    ("number", "code", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")]
)
def test_a_stopped_command_says_by_what(
    words: list[str], number: signal.Signals, code: int, name: str
) -> None:
    process = start(*words)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in err
    if words != ["bare"]:
        assert f"stopped by {name}." in out + err


def test_a_forked_worker_that_is_ended_just_ends() -> None:
    """A pool ends its workers by SIGTERM: that is no interruption of the command."""
    process = start("forks")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "15\n", "")
