"""The command line: thin commands over the engine."""

import sys


def main() -> None:
    """Run `coordi`; Ctrl-C at any moment is exit code 130, without a traceback."""
    try:
        from coordi.cli.app import make_app

        make_app()()
    except KeyboardInterrupt:
        sys.exit(130)
