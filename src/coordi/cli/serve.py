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
    open_engine,
)
from coordi.cli.output import reporting

HostOption = Annotated[
    str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")
]
PortOption = Annotated[
    int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
]


def serve(
    store: StoreOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    encoder: EncoderOption = None,
    dim: DimOption = None,
    rerank: RerankOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Serve the store: REST under /v1, its description at /openapi.json, the page at /."""
    with reporting(as_json, debug) as out:
        from coordi.cli.server import listen, run_server

        with (
            listen(host, port) as socket,
            open_engine(store, encoder=encoder, dim=dim, reranker=rerank) as engine,
        ):
            run_server(engine, socket, host, out)
