"""Mutated pictures and catalogues: only errors that coordi knows, and counts that add up.

    python benchmarks/mutate.py --pictures 1000 --catalogs 400

Pictures of seven formats and catalogues of five have bits flipped, ends cut off, and pieces
doubled, dropped, moved or spliced in from elsewhere. Each picture is decoded by `decode_image`,
which may raise nothing but an ImageError; all of them together are then a folder for `coordi
ingest`, where stored and reported must add up to what was read. Each catalogue is opened, read
and ingested: nothing but CoordiErrors may be raised, and read = added + updated + unchanged +
failed, as many as the catalogue says it has. A process that dies, or is silent for `--limit`
seconds, is a fault; so is more than 2 GB of memory.
"""

import argparse
import csv
import io
import json
import random
import resource
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torture
from coordi.cli.ingestion import SHOWN_PROBLEMS

FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "avif": "AVIF", "gif": "GIF",
           "tif": "TIFF", "bmp": "BMP"}  # fmt: skip
CATALOGS = ("csv", "tsv", "jsonl", "json", "parquet")
ROWS = 30
MOST_BYTES = 2_000_000_000
ABSURD = (b"\0", b'"', b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\\", b"\x1a", b"9" * 400, b"[[[[",
          b"NaN", b"-1e999", "é🧥ﬀ".encode(), b"../../..", b"x" * 140_000)  # fmt: skip


def main() -> None:
    arguments = _arguments()
    report: dict[str, Any] = {"seed": arguments.seed}
    with torture.scratch("mutate") as folder:
        report["pictures"] = mutate_pictures(folder / "pictures", arguments)
        report["ingest_of_pictures"] = ingest_folder(folder, arguments)
        report["catalogs"] = mutate_catalogs(folder / "catalogs", arguments)
    faults = sum(part["faults"] for part in report.values() if isinstance(part, dict))
    torture.finish(report, faults, arguments.out)


# Mutation


def mutate(data: bytes, other: bytes, chance: random.Random, absurd: bool = False) -> bytes:
    """One to three changes; `other` is what pieces are spliced in from."""
    changes: list[Callable[[bytes], bytes]] = [
        *(lambda d: flipped(d, chance),) * 3,
        lambda d: d[: chance.randrange(len(d))],
        lambda d: cut_out(d, chance),
        lambda d: put_in(d, piece(d, chance), chance),
        lambda d: put_in(d, piece(other, chance), chance),
    ]
    if absurd:
        changes += [lambda d: put_in(d, chance.choice(ABSURD), chance)] * 3
    for _ in range(chance.randint(1, 3)):
        data = chance.choice(changes)(data) or data
    return data


def flipped(data: bytes, chance: random.Random) -> bytes:
    """Up to twenty bytes changed, in half of the cases all within the first hundred."""
    changed = bytearray(data)
    end = len(data) if chance.random() < 0.5 else min(100, len(data))
    for _ in range(chance.randint(1, 20)):
        changed[chance.randrange(end)] = chance.choice((0, 255, chance.randrange(256)))
    return bytes(changed)


def cut_out(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.randint(1, 200) :]


def put_in(data: bytes, more: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + more + data[start:]


def piece(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    return data[start : start + chance.randint(1, 2000)]


# Children


def tally(function: Callable[..., None], tasks: list[Any], limit: float) -> Counter[str]:
    """What came of each task in child processes; those that die or hang are replaced."""
    outcomes: Counter[str] = Counter()
    child = torture.Child(function)
    for number, task in enumerate(tasks):
        child.say(task)
        outcome = child.hear(limit)
        if outcome is None:
            code = child.kill()
            outcome = f"fault: {'hung' if code == -9 else f'crashed ({code})'}: {Path(task).suffix}"
            child = torture.Child(function)
        outcomes[outcome] += 1
        if number % 200 == 199:
            torture.told(f"{number + 1} of {len(tasks)}")
    child.say(None)
    peak = child.hear(limit) or 0
    child.kill()
    outcomes[f"fault: {peak / 1e9:.1f} GB of memory"] += peak > MOST_BYTES
    outcomes["MB of memory at most"] = round(peak / 1e6)
    return +outcomes


def told_faults(outcomes: Counter[str]) -> dict[str, Any]:
    faults = sum(count for what, count in outcomes.items() if what.startswith("fault"))
    return {"faults": faults, **dict(sorted(outcomes.items()))}


# Pictures


def mutate_pictures(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    folder.mkdir()
    originals = {suffix: make_picture(name) for suffix, name in FORMATS.items()}
    suffixes = list(originals)
    for number in range(arguments.pictures):
        chance = torture.chance(arguments.seed, "picture", number)
        suffix = suffixes[number % len(suffixes)]
        other = originals[chance.choice(suffixes)]
        data = mutate(originals[suffix], other, chance)
        (folder / f"{number}.{suffix}").write_bytes(data)
    tasks = sorted(str(path) for path in folder.iterdir())
    return told_faults(tally(decode_one, tasks, arguments.limit))


def make_picture(name: str) -> bytes:
    """A small picture with edges, gradients and noise, with EXIF where the format has it."""
    import numpy as np
    from PIL import Image

    random_numbers = np.random.default_rng(3)
    pixels = np.linspace(0, 200, 120 * 80 * 3).reshape(120, 80, 3)
    pixels[30:90, 20:60] = (200, 30, 60)
    pixels += random_numbers.integers(0, 40, pixels.shape)
    picture = Image.fromarray(pixels.astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    more = {"exif": exif} if name in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF") else {}
    picture.save(buffer, name, **more)
    return buffer.getvalue()


def decode_one(pipe: Any) -> None:
    """Decode what is named; `None` asks for the peak of memory."""
    from coordi.data.images import decode_image
    from coordi.errors import ImageError

    while (path := pipe.recv()) is not None:
        try:
            image = decode_image(Path(path).read_bytes(), target=224)
            outcome = "decoded" if image.ndim == 3 and image.shape[2] == 3 else "fault: odd shape"
        except ImageError:
            outcome = "refused with an ImageError"
        except BaseException as error:
            outcome = f"fault: {torture.fault_at(error)}"
        pipe.send(outcome)
    pipe.send(peak_bytes())


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def ingest_folder(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """`coordi ingest` of the mutated pictures."""
    done = torture.coordi("ingest", folder / "pictures", "--store", folder / "store", "--json")
    outcomes: Counter[str] = Counter({f"exit code {done.returncode}": 1})
    try:
        report = json.loads(done.stdout)
        outcomes.update(check_report(report, arguments.pictures))
        outcomes |= Counter({name: report[name] for name in ("read", "added", "failed")})
        outcomes["fault: exit code"] += done.returncode not in (0, 3)
    except (ValueError, KeyError) as error:
        outcomes[f"fault: {error!r}: {done.stderr[-200:]}"] += 1
    return told_faults(+outcomes)


def check_report(report: dict[str, Any], rows: int | None) -> list[str]:
    """Which sums of an ingest's report are wrong."""
    wrong = []
    parts = ("added", "updated", "unchanged", "failed")
    if report["read"] != sum(report[part] for part in parts):
        wrong.append("fault: added + updated + unchanged + failed is not what was read")
    if rows is not None and report["read"] != rows:
        wrong.append("fault: not all rows were read")
    listed = sum(problem["rows"] for problem in report["problems"])  # the first 20 of them
    if listed != report["failed"] and len(report["problems"]) < SHOWN_PROBLEMS:
        wrong.append("fault: what failed is not listed")
    return wrong


# Catalogues


def mutate_catalogs(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    (folder / "pics").mkdir(parents=True)
    picture = make_picture("JPEG")
    for number in range(8):
        (folder / f"pics/{number}.jpg").write_bytes(picture)
    originals = make_catalogs(folder)
    tasks = []
    for number in range(arguments.catalogs):
        chance = torture.chance(arguments.seed, "catalog", number)
        suffix = CATALOGS[number % len(CATALOGS)]
        other = originals[chance.choice(CATALOGS)]
        data = mutate(originals[suffix], other, chance, absurd=suffix != "parquet")
        tasks.append(folder / f"{number}.{suffix}")
        tasks[-1].write_bytes(data)
    return told_faults(tally(ingest_one, [str(task) for task in tasks], arguments.limit))


def make_catalogs(folder: Path) -> dict[str, bytes]:
    """The same rows in every format."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {"id": f"g{number}", "title": f'a "{number}" dress, size {number}', "price": number + 0.5,
         "image": f"pics/{number % 8}.jpg", "sale": number % 2 == 0, "notes": "é\nß" * (number % 3)}
        for number in range(ROWS)
    ]  # fmt: skip
    made = {"json": json.dumps(rows, indent=1).encode()}
    made["jsonl"] = "\n".join(map(json.dumps, rows)).encode()
    for suffix, delimiter in (("csv", ","), ("tsv", "\t")):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        made[suffix] = text.getvalue().encode()
    pq.write_table(pa.Table.from_pylist(rows), folder / "whole", row_group_size=10)
    made["parquet"] = (folder / "whole").read_bytes()
    (folder / "whole").unlink()
    return made


def ingest_one(pipe: Any) -> None:
    """Open, read and ingest what is named; `None` asks for the peak of memory."""
    while (path := pipe.recv()) is not None:
        with torture.scratch("ingest") as folder:
            pipe.send(outcome_of(Path(path), folder))
    pipe.send(peak_bytes())


def outcome_of(path: Path, scratch: Path) -> str:
    from coordi.data.catalog import open_catalog
    from coordi.errors import CoordiError

    try:
        catalog = open_catalog(path)
        for _ in catalog.rows():
            pass
        report = ingest_with_fake(path, scratch / "store")
    except CoordiError:
        return "refused with a CoordiError"
    except BaseException as error:
        return f"fault: {torture.fault_at(error)}"
    wrong = check_report(report, catalog.count)
    return f"{wrong[0]} ({path.suffix})" if wrong else "ingested"


def ingest_with_fake(path: Path, store: Path) -> dict[str, Any]:
    """Ingest with an encoder that costs nothing; the report's numbers."""
    from dataclasses import asdict

    from coordi.engine.engine import Engine

    with Engine.open(store, encoder=Blank(), create=True) as engine:
        report = asdict(engine.ingest(path))
        stored = engine.store.count()
    assert stored == report["added"], f"{stored} items in the store, {report['added']} added"
    return report


class Blank:
    """An encoder to which all pictures and words are alike."""

    name = "blank"
    fingerprint = "b1a2b1a2b1a2b1a2"
    dim = 4
    image_size = 32
    modalities = frozenset({"image", "text"})

    def prepare(self, image: Any) -> Any:
        return image[:1, :1].reshape(3)

    def encode_prepared(self, batch: Any) -> Any:
        return self.encode_texts(batch)

    def unknown_words(self, text: str) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def cut_from(self, text: str) -> str:  # noqa: ARG002
        return ""

    def encode_texts(self, texts: Any) -> Any:
        import numpy as np

        return np.full((len(texts), self.dim), 0.5, dtype=np.float32)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--catalogs", type=int, default=400)
    parser.add_argument("--limit", type=float, default=30, help="seconds for one of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
