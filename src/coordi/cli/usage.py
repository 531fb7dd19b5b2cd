"""How commands are read: nothing given twice goes by unnoticed, and --json holds for misuse too."""

from collections import Counter
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from coordi.cli.output import USAGE, Output

UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""The base of all errors of reading a command line, whichever click typer brings."""


def read_strictly(app: typer.Typer) -> typer.Typer:
    """Make every command of `app`, and of the groups in it, a `Command`; and itself `Commands`."""
    app.info.cls = Commands
    for command in app.registered_commands:
        command.cls = Command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            read_strictly(group.typer_instance)
    return app


class Command(TyperCommand):
    """A command that refuses an option given twice where only one of the two could count."""

    def make_parser(self, ctx: Any) -> Any:
        """The parser, which looks at what it has parsed."""
        parser = super().make_parser(ctx)
        parse = parser.parse_args

        def parse_once(args: list[str]) -> Any:
            parsed = parse(args)
            _refuse_repeated(parsed[2], ctx)
            return parsed

        parser.parse_args = parse_once  # type: ignore[method-assign]
        return parser


def _refuse_repeated(order: list[Any], ctx: Any) -> None:
    """`order` has each parameter as often as it was given."""
    options = [param for param in order if param.param_type_name == "option"]
    for option, count in Counter(options).items():
        harmless = option.multiple or (option.is_flag and not option.secondary_opts)
        if count > 1 and not harmless and not ctx.resilient_parsing:
            name = max(option.opts, key=len)
            raise typer.BadParameter("given more than once; give it once", param_hint=name)


class Commands(TyperGroup):
    """All commands; with --json, wrong use is one JSON document on stdout too."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that is asked for."""
        as_json = "--json" in [*getattr(ctx, "_protected_args", ()), *ctx.args]
        try:
            return super().invoke(ctx)
        except UsageError as error:
            if not as_json:
                raise
            message = error.format_message()  # type: ignore[attr-defined]
            Output(as_json=True).error("UsageError", message)
            raise typer.Exit(USAGE) from None
