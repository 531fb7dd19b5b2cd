"""`coordi recipes`: what can be trained."""

import dataclasses

from coordi.cli.options import DebugOption, JsonOption
from coordi.cli.output import reporting


def recipes(as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """List the recipes that `coordi train` knows by name."""
    with reporting(as_json, debug) as out:
        from coordi.training.packaged import list_recipes

        known = list_recipes()
        out.json({"recipes": [dataclasses.asdict(recipe) for recipe in known]})
        out.table(
            ("name", "task", "paper", "differs from it"),
            ((recipe.name, recipe.task, recipe.paper, recipe.differs) for recipe in known),
        )
        out.text("coordi train also takes a YAML file of your own; see docs/training.md.")
