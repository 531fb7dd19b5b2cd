"""`coordi demo`: from nothing to a page in the browser with one command."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordi.cli.ingest import (
    FetchOption,
    FetchPrivateOption,
    ImagesOption,
    MapOption,
    ReportOption,
    RootOption,
)
from coordi.cli.options import DebugOption, EncoderOption, JsonOption, mapping_of
from coordi.cli.output import Output, reporting
from coordi.cli.paths import check_writable
from coordi.cli.serve import AllowHostOption, AllowOriginOption, HostOption, PortOption

if TYPE_CHECKING:
    from coordi.engine import IngestReport

GARMENTS = 400
"""Garments of the drawn wardrobe."""


def demo(
    catalog: Annotated[
        str | None,
        typer.Argument(
            metavar="[CATALOG]", help="Your own catalogue; without one, a wardrobe is drawn."
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option(metavar="DIR", help="Where wardrobe and store are kept.")
    ] = Path(".demo"),
    mapping: MapOption = None,
    images: ImagesOption = None,
    root: RootOption = None,
    fetch: FetchOption = False,
    fetch_private: FetchPrivateOption = False,
    report: ReportOption = None,
    encoder: EncoderOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    allow_host: AllowHostOption = None,
    allow_origin: AllowOriginOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Ingest a catalogue, or a drawn wardrobe, and serve it; the address is printed.

    The next start finds everything in place. A taken port makes it use the next free one.
    """
    with reporting(as_json, debug) as out:
        roles = mapping_of(mapping or [])
        if report is not None:
            check_writable(report, "--report")
        from coordi.cli.ingestion import no_store_left_behind, run_ingest, show_report
        from coordi.cli.server import access_of, listen_near, run_server
        from coordi.engine import Engine
        from coordi.errors import CatalogError

        access = access_of(host, allow_host, allow_origin)
        store = _store_folder(folder, catalog)
        with (
            listen_near(host, port) as socket,
            no_store_left_behind(store),
            Engine.open(store, encoder=encoder, create=True) as engine,
        ):
            source = catalog or str(_wardrobe(folder, out))
            with ExitStack() as stack:
                fetcher = None
                if fetch or fetch_private:
                    fetcher = stack.enter_context(engine.fetcher(private=fetch_private))
                ingest = partial(run_ingest, images=images, roots=root or (), fetch=fetcher)
                done = ingest(engine, source, out, mapping=roles)
            # With --json the address is the one document, so this part is silent.
            show_report(out, done, store, file=report)
            if not engine.stats().items:
                raise CatalogError(_nothing_to_show(source, done))
            run_server(engine, socket, host, out, access)


def _nothing_to_show(source: str, report: "IngestReport") -> str:
    """Why there is no page, and what to do: an empty one would look like a fault of coordi."""
    addresses = sum("--fetch" in problem.reason for problem in report.problems)
    if not report.problems:
        return f"{source} lists no items, so there is nothing to show"
    if 2 * addresses > len(report.problems):
        return (
            f"no item of {source} went in, so there is nothing to show: its pictures are web "
            "addresses. Run again with --fetch (make demo CATALOG=... OPTIONS=--fetch)"
        )
    return (
        f"no item of {source} went in, so there is nothing to show: the first row that could not "
        f"be used: {report.problems[0].reason}"
    )


def _store_folder(folder: Path, catalog: str | None) -> Path:
    """A store for each catalogue, so that a second one does not mix with the first."""
    if catalog is None:
        return folder / "store"
    import xxhash

    place = str(Path(catalog).expanduser().absolute())
    return folder / f"store-{xxhash.xxh3_64_hexdigest(place.encode())[:8]}"


def _wardrobe(folder: Path, out: Output) -> Path:
    """The catalogue of the drawn wardrobe, drawn unless an earlier start has done so."""
    from coordi.drawn import write_wardrobe

    out.note(f"the wardrobe: {GARMENTS} drawn garments in {folder / 'wardrobe'}")
    return write_wardrobe(folder / "wardrobe", count=GARMENTS)
