"""Pictures in terminals: which protocol, and what is sent."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image as Pillow

from coordi.cli.terminal import KITTY_CHUNK, picture, protocol_of


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"KITTY_WINDOW_ID": "1", "TERM": "xterm-256color"}, "kitty"),
        ({"TERM_PROGRAM": "WezTerm"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"LC_TERMINAL": "iTerm2", "TERM": "xterm-256color"}, "iterm2"),
        ({"TERM": "xterm-256color"}, None),
        ({}, None),
        ({"TERM_PROGRAM": "iTerm.app", "TMUX": "/tmp/1"}, None),
        ({"TERM": "screen.xterm-kitty", "KITTY_WINDOW_ID": "1"}, None),
    ],
)
def test_protocol(environment, expected):
    assert protocol_of(environment) == expected


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def decoded(payload):
    return np.asarray(Pillow.open(io.BytesIO(base64.b64decode(payload))))


def test_kitty_sends_the_picture_in_pieces_that_fit():
    image = noise(100, 90)
    text = picture(image, "kitty", 8)
    sequences = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert len(sequences) > 2
    assert "f=100" in sequences[0][0]
    assert "r=8" in sequences[0][0]
    assert [keys[-3:] for keys, _ in sequences] == ["m=1"] * (len(sequences) - 1) + ["m=0"]
    assert max(len(piece) for _, piece in sequences) <= KITTY_CHUNK
    np.testing.assert_array_equal(decoded("".join(piece for _, piece in sequences)), image)


def test_iterm2_sends_the_picture_with_its_size():
    image = noise(20, 10)
    match = re.fullmatch(r"\x1b\]1337;File=([^:]*):([^\x07]*)\x07\n", picture(image, "iterm2", 8))
    keys = dict(pair.split("=") for pair in match[1].split(";"))
    assert keys["inline"] == "1"
    assert keys["height"] == "8"
    assert int(keys["size"]) == len(base64.b64decode(match[2]))
    np.testing.assert_array_equal(decoded(match[2]), image)


def test_blocks_show_two_pixels_per_cell():
    image = np.zeros((4, 2, 3), np.uint8)
    image[0, 0], image[1, 0], image[3, 1] = (1, 2, 3), (4, 5, 6), (7, 8, 9)
    lines = picture(image, "blocks", 2).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("\x1b[38;2;1;2;3;48;2;4;5;6m▀")
    assert "48;2;7;8;9m▀" in lines[1]
    assert all(line.count("▀") == 2 and line.endswith("\x1b[0m") for line in lines)


@pytest.mark.parametrize("shape", [(1, 1000), (1000, 1), (1, 1)])
def test_odd_shapes_still_draw(shape):
    for protocol in ("kitty", "iterm2", "blocks"):
        assert picture(noise(*shape), protocol, 4)
