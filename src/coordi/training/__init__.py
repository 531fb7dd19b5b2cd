"""Training: recipes, the module that binds model, objective and batch, and the run itself.

`coordi.training.recipes` reads recipes, `coordi.training.run.run` runs one.
"""
