"""Pictures that cost far more than they weigh."""

import io

from PIL import Image as Pillow


def scan_bomb(side: int, scans: int) -> bytes:
    """A small progressive JPEG whose one scan is repeated until there are `scans`.

    Each costs the time of a whole picture: at 4,000 pixels a side and 90 scans seconds in all.
    """
    buffer = io.BytesIO()
    Pillow.new("L", (side, side)).save(buffer, "JPEG", progressive=True, quality=1)
    jpeg = buffer.getvalue()
    starts = [at for at in range(len(jpeg) - 1) if jpeg[at : at + 2] == b"\xff\xda"]
    ends = [*starts[1:], len(jpeg) - 2]
    scan = min((jpeg[start:end] for start, end in zip(starts, ends, strict=True)), key=len)
    return jpeg[:-2] + scan * (scans - len(starts)) + b"\xff\xd9"
