"""Turn a trained dual model into the artefact folder that serves it."""

from pathlib import Path

from tokenizers import Tokenizer

from coordi.models.encoders.mini import Mini
from coordi.models.encoders.onnx_export import export_towers
from coordi.training.examples import ExampleSet
from coordi.training.recipes import DualRecipe


def export_dual(
    model: Mini, tokenizer: Tokenizer, recipe: DualRecipe, sets: list[ExampleSet], folder: Path
) -> Path:
    """Write weights, graphs, tokenizer, preprocessing, configuration and card into `folder`."""
    raise NotImplementedError
