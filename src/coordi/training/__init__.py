"""Training: recipes, the module that binds model, objective and batch, and the run itself.

`coordi.training.fit.run` runs a recipe; it is not imported here, for it brings in Lightning.
"""

from coordi.training.recipes import RECIPES, load_recipe

__all__ = ["RECIPES", "load_recipe"]
