"""The command line: thin commands over the engine."""

import sys


def main() -> None:
    """Run `coordi`; stopped at any moment it exits 130 (Ctrl-C) or 143 (SIGTERM), quietly."""
    from coordi.cli import signals

    try:
        signals.catch_sigterm()
        from coordi.cli.app import make_app

        make_app()()
    except KeyboardInterrupt:
        sys.exit(signals.stop_code())
    except SystemExit as end:
        # Commands, and typer itself, say 130 of every stop: which signal it was is known here.
        sys.exit(signals.stop_code() if end.code == signals.INTERRUPTED else end.code)
