"""Training: recipes, the module that binds model, objective and batch, and the run itself."""

from coordi.training.recipes import RECIPES, load_recipe
from coordi.training.fit import run

__all__ = ["RECIPES", "load_recipe", "run"]
