"""`coordi ingest`: a catalogue into a store."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from coordi.cli.options import (
    DebugOption,
    DimOption,
    EncoderOption,
    JsonOption,
    StoreOption,
    SynonymsOption,
    mapping_of,
    store_folder,
)
from coordi.cli.output import reporting
from coordi.cli.paths import check_writable

CatalogArgument = Annotated[
    str,
    typer.Argument(
        metavar="CATALOG",
        help="A CSV, JSON Lines or Parquet file, a folder or glob of them, a folder of pictures, "
        "or a dataset of the Hugging Face hub (owner/name).",
    ),
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="ROLE=COLUMN",
        help="Where the guess is wrong, such as title=productDisplayName. Roles: id, image, "
        "title, description, category, color, brand, price, url. Repeatable.",
    ),
]
ImagesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder that picture paths are relative to. Default: the catalogue's own.",
    ),
]
RootOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR",
        help="A further folder that pictures may be read from, for paths and links that lead out "
        "of the catalogue's folder and of --images. The store remembers it. Repeatable.",
    ),
]
FetchOption = Annotated[
    bool,
    typer.Option(
        "--fetch",
        help="Fetch pictures, and the catalogue, that are named by address (https, s3, gs). What "
        "was fetched is kept.",
    ),
]
FetchPrivateOption = Annotated[
    bool,
    typer.Option(
        "--fetch-private",
        help="The same, also from addresses within your own network and this machine.",
    ),
]
FetchCacheOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Where fetched pictures are kept. Default: fetched/ in the store's folder.",
    ),
]
PruneOption = Annotated[
    bool,
    typer.Option("--prune", help="Remove items of this catalogue that it no longer lists."),
]
ViewsOption = Annotated[
    str | None,
    typer.Option(
        metavar="main|all",
        help="all: embed every picture of an item, which then scores by its best one. main: the "
        "first alone. Default: as it is for this encoder in this store, main at first.",
    ),
]
YesOption = Annotated[
    bool,
    typer.Option(
        "--yes", help="Let --prune remove more than a tenth of the catalogue's items unasked."
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write all that the ingest did to this file, as JSON: mapping, field types, counts, "
        "notes and every problem.",
    ),
]

EncodingOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Encoding of the text files where the guess is wrong, such as cp1252 or shift_jis.",
    ),
]


def ingest(
    catalog: CatalogArgument,
    store: StoreOption = None,
    mapping: MapOption = None,
    images: ImagesOption = None,
    root: RootOption = None,
    fetch: FetchOption = False,
    fetch_private: FetchPrivateOption = False,
    fetch_cache: FetchCacheOption = None,
    encoder: EncoderOption = None,
    dim: DimOption = None,
    encoding: EncodingOption = None,
    prune: PruneOption = False,
    yes: YesOption = False,
    views: ViewsOption = None,
    synonyms: SynonymsOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Read a catalogue, embed its pictures and put them into a store.

    Rows that are stored already cost nothing, so the same command brings a store up to date and
    goes on where it was stopped. Exit code 3: done, but some rows could not be used.
    """
    with reporting(as_json, debug) as out:
        roles, folder = mapping_of(mapping or []), store_folder(store)
        if views not in (None, "main", "all"):
            raise typer.BadParameter(f"{views!r} is neither main nor all", param_hint="--views")
        if report is not None:
            check_writable(report, "--report")
        from coordi.cli.ingestion import finish, no_store_left_behind, run_ingest
        from coordi.engine import Engine, IngestInterrupted

        with ExitStack() as stack:
            stack.enter_context(no_store_left_behind(folder))
            engine = stack.enter_context(Engine.open(folder, encoder=encoder, dim=dim, create=True))
            if synonyms is not None:  # before the long work, which a slip in them would spoil
                count = engine.keep_synonyms(synonyms)
                out.note(f"synonyms: {count:,} names of {synonyms}")
            fetcher = None
            if fetch or fetch_private or fetch_cache is not None:
                fetching = engine.fetcher(private=fetch_private, cache=fetch_cache)
                fetcher = stack.enter_context(fetching)
            try:
                result = run_ingest(
                    engine,
                    catalog,
                    out,
                    mapping=roles,
                    images=images,
                    roots=root or (),
                    fetch=fetcher,
                    encoding=encoding,
                    prune=prune,
                    yes=yes,
                    views=views,
                )
            except IngestInterrupted as stop:
                finish(out, stop.report, folder, interrupted=True, file=report)
            else:
                finish(out, result, folder, file=report)
