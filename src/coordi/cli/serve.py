"""`coordi serve`: the REST service and the page."""

from typing import Annotated

import typer

from coordi.cli.options import (
    DebugOption,
    DimOption,
    EncoderOption,
    JsonOption,
    RerankOption,
    StoreOption,
    SynonymsOption,
    open_engine,
)
from coordi.cli.output import reporting

HostOption = Annotated[
    str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")
]
PortOption = Annotated[
    int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
]
AllowHostOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A further name that the service goes by, such as shop.example behind a proxy; "
        "may be repeated. Requests for other hosts are refused.",
    ),
]
AllowOriginOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ORIGIN",
        help="A web page's origin that may ask the service, such as https://shop.example; may be "
        "repeated. Pages of all others are refused.",
    ),
]


def serve(
    store: StoreOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    encoder: EncoderOption = None,
    dim: DimOption = None,
    rerank: RerankOption = None,
    synonyms: SynonymsOption = None,
    allow_host: AllowHostOption = None,
    allow_origin: AllowOriginOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Serve the store: REST under /v1, its description at /openapi.json, the page at /.

    Exit code: 130 after Ctrl-C, 143 after SIGTERM.
    """
    with reporting(as_json, debug) as out:
        from coordi.cli.server import access_of, listen, run_server

        access = access_of(host, allow_host, allow_origin)
        with (
            listen(host, port) as socket,
            open_engine(
                store, encoder=encoder, dim=dim, reranker=rerank, synonyms=synonyms
            ) as engine,
        ):
            run_server(engine, socket, host, out, access)
