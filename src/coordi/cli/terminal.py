"""Pictures in terminals: the kitty and iTerm2 protocols, and half blocks in 24-bit colour.

Sources: https://sw.kovidgoyal.net/kitty/graphics-protocol/ and
https://iterm2.com/documentation-images.html.
"""

import base64
import io
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from PIL import Image as Pillow

from coordi.types import Image

Protocol = Literal["kitty", "iterm2", "blocks"]

KITTY_CHUNK = 4096
"""Most characters of base64 that one kitty escape sequence may carry."""

UPPER_HALF = "\u2580"
RESET = "\x1b[0m"


def protocol_of(environment: Mapping[str, str]) -> Protocol | None:
    """The picture protocol that the terminal behind these variables is known to speak."""
    program, term = environment.get("TERM_PROGRAM", ""), environment.get("TERM", "")
    if "TMUX" in environment or term.startswith(("screen", "tmux")):
        return None  # a multiplexer swallows the sequences
    if "KITTY_WINDOW_ID" in environment or term in ("xterm-kitty", "xterm-ghostty"):
        return "kitty"
    if program in ("WezTerm", "ghostty"):
        return "kitty"
    if program in ("iTerm.app", "mintty") or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    return None


def picture(image: Image, protocol: Protocol, rows: int = 8) -> str:
    """The text that shows `image` at most `rows` lines high and that leaves the cursor below."""
    return PAINTERS[protocol](image, rows)


def _kitty(image: Image, rows: int) -> str:
    data = base64.b64encode(_png(image)).decode()
    pieces = [data[at : at + KITTY_CHUNK] for at in range(0, len(data), KITTY_CHUNK)]
    # Only the first piece carries the keys; m=1 announces a further piece, m=0 ends.
    heads = [f"a=T,f=100,q=2,r={rows},"] + [""] * (len(pieces) - 1)
    more = ["m=1"] * (len(pieces) - 1) + ["m=0"]
    sequences = zip(heads, more, pieces, strict=True)
    return "".join(f"\x1b_G{head}{flag};{piece}\x1b\\" for head, flag, piece in sequences) + "\n"


def _iterm2(image: Image, rows: int) -> str:
    png = _png(image)
    arguments = f"inline=1;size={len(png)};height={rows};preserveAspectRatio=1"
    return f"\x1b]1337;File={arguments}:{base64.b64encode(png).decode()}\x07\n"


def _blocks(image: Image, rows: int) -> str:
    """Two pixels per character cell: the upper in the foreground, the lower behind it."""
    height, width = image.shape[:2]
    size = (max(1, round(width / height * rows * 2)), rows * 2)
    pixels = np.asarray(Pillow.fromarray(image).resize(size, Pillow.Resampling.BOX))
    lines = zip(pixels[0::2], pixels[1::2], strict=True)
    return "".join(_block_line(upper, lower) for upper, lower in lines)


def _block_line(upper: Image, lower: Image) -> str:
    cells = (
        f"\x1b[38;2;{a[0]};{a[1]};{a[2]};48;2;{b[0]};{b[1]};{b[2]}m{UPPER_HALF}"
        for a, b in zip(upper.tolist(), lower.tolist(), strict=True)
    )
    return "".join(cells) + RESET + "\n"


def _png(image: Image) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


PAINTERS: Mapping[Protocol, Callable[[Image, int], str]] = {
    "kitty": _kitty,
    "iterm2": _iterm2,
    "blocks": _blocks,
}
