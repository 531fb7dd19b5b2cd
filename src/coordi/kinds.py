"""Choices by name that are checked as they are read: a table of makers → a pydantic union.

The maker's arguments that have a default are the settings, so that what can be set stands in one
place. `{kind: triplet, margin: 0.3}` reads as the settings of `triplet`; a bare
name takes its defaults. A wrong name lists the right ones; a setting of another kind is an error.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    create_model,
)

from coordi.errors import InputError, UnknownNameError


class Chosen(BaseModel):
    """A choice with its settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    kind: str
    """A name of the table."""


class Choice:
    """The makers of one table, and their settings as types."""

    def __init__(
        self,
        what: str,
        makers: Mapping[str, Callable[..., Any]],
        bounds: Callable[[str], Mapping[str, Any]],
        given: Collection[str] = (),
    ) -> None:
        """`what` names the table in messages: "loss", "sampler".

        `bounds` gives a setting's limits as keyword arguments of `pydantic.Field`; `given` names
        arguments that are no settings, since they come from whoever makes the thing.
        """
        self.what, self.makers = what, makers
        self.models = {name: _model(name, make, bounds, given) for name, make in makers.items()}

    def read(self, value: Any) -> Any:
        """A name, or a mapping with `kind`, → the settings; those that are read already pass.

        `UnknownNameError` for a name or a setting that is not there, `InputError` for a value
        that cannot be.
        """
        if isinstance(value, Chosen):
            return value
        fields = {"kind": value} if isinstance(value, str) else value
        if not isinstance(fields, Mapping) or not isinstance(kind := fields.get("kind"), str):
            raise InputError(f"{self.what} is {value!r}; give a name, or {{kind: a name, …}}")
        if kind not in self.models:
            raise UnknownNameError(self.what, kind, self.models)
        known = self.models[kind].model_fields.keys() - {"kind"}
        for name in fields.keys() - known - {"kind"}:
            raise UnknownNameError(f"setting of {self.what} {kind}", str(name), known)
        try:
            return self.models[kind].model_validate(fields)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise InputError(
                f"{self.what} {kind}: {where} is {first['input']!r}: {first['msg']}"
            ) from error

    def make(self, chosen: Chosen, *given: Any, **named: Any) -> Any:
        """What the maker makes of the settings and of what is given beside them."""
        return self.makers[chosen.kind](*given, **named, **chosen.model_dump(exclude={"kind"}))


def _model(
    name: str,
    make: Callable[..., Any],
    bounds: Callable[[str], Mapping[str, Any]],
    given: Collection[str],
) -> type[Chosen]:
    hints = get_type_hints(make.__init__ if inspect.isclass(make) else make)
    fields: dict[str, Any] = {
        setting: (hints[setting], Field(parameter.default, **bounds(setting)))
        for setting, parameter in inspect.signature(make).parameters.items()
        if parameter.default is not parameter.empty and setting not in given
    }
    return create_model(name, __base__=Chosen, kind=(Literal[name], name), **fields)


def chosen_from(choice: Choice) -> Any:
    """The type of a pydantic field that holds settings out of `choice`."""
    return Annotated[SerializeAsAny[Chosen], BeforeValidator(choice.read)]


def joined(values: Any, field: str, default: Any) -> Any:
    """Fields with `FIELD_settings`, as they stood beside a name before 0.3, put into FIELD."""
    if not isinstance(values, dict) or f"{field}_settings" not in values:
        return values
    rest = {key: value for key, value in values.items() if key != f"{field}_settings"}
    chosen, settings = values.get(field, default), values[f"{field}_settings"]
    kind = chosen.get("kind") if isinstance(chosen, dict) else chosen
    return {**rest, field: {"kind": kind, **settings}} if settings else rest
