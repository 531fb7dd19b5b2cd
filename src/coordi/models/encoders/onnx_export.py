"""Two torch towers → one float16 safetensors file and two small ONNX graphs that read it.

The graphs hold no weights: their initialisers are ONNX external data whose offsets point into
`model.safetensors`, so that the weights exist once and torch and ONNX Runtime share them. Each is
cast to float32 by a node that ONNX Runtime folds away when it opens the file.
"""

import io
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from coordi.errors import EncoderError

WEIGHTS = "model.safetensors"
_OPSET = 17


def export_towers(
    image_tower: nn.Module,
    text_tower: nn.Module,
    folder: Path,
    *,
    image_size: int | tuple[int, int],
) -> None:
    """Write model.safetensors, vision_model.onnx and text_model.onnx into `folder`.

    `image_tower` maps pixels (B, 3, height, width) → (B, dim), `image_size` being the side of a
    square or height and width; `text_tower` maps ids and
    mask, both (B, L) → (B, dim); B and L stay free. Weights are named as in the state
    dictionaries, behind "image." and "text.". Both towers are left in evaluation mode.
    """
    from safetensors.torch import save_file

    towers = {"image": image_tower.eval(), "text": text_tower.eval()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(half_precision(towers), folder / WEIGHTS, metadata={"format": "pt"})
    offsets = weight_offsets(folder / WEIGHTS)
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    pixels = torch.zeros(2, 3, height, width)
    image = _trace(towers["image"], {"pixel_values": pixels}, "image_embeds", {0: "batch"})
    (folder / "vision_model.onnx").write_bytes(_without_weights(image, "image.", offsets))
    ids = torch.zeros(2, 5, dtype=torch.long)
    tokens = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    text = _trace(towers["text"], tokens, "text_embeds", {0: "batch", 1: "length"})
    (folder / "text_model.onnx").write_bytes(_without_weights(text, "text.", offsets))


def export_net(
    net: nn.Module,
    folder: Path,
    file: str,
    inputs: Mapping[str, Tensor],
    output: str,
    *,
    free: Mapping[int, str],
) -> None:
    """Write model.safetensors and the graph `file` of one network into `folder`.

    `free` are the axes that stay free, of the inputs and of the output alike. Weights are named
    as in the state dictionary, behind "net.". The network is left in evaluation mode.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(half_precision({"net": net.eval()}), folder / WEIGHTS, metadata={"format": "pt"})
    graph = _trace(net, inputs, output, free, output_free=free)
    (folder / file).write_bytes(_without_weights(graph, "net.", weight_offsets(folder / WEIGHTS)))


def half_precision(towers: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """All weights and buffers of the towers, floats as float16, named "tower.name"."""
    weights = {
        f"{tower}.{name}": value.detach().cpu()
        for tower, module in towers.items()
        for name, value in module.state_dict().items()
    }
    halves = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    for name, value in halves.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise EncoderError(f"weight {name} is not finite in float16; it cannot be exported")
    return {name: value.contiguous().clone() for name, value in halves.items()}


def weight_offsets(path: Path) -> dict[str, tuple[int, int]]:
    """Where each tensor of a safetensors file lies: name → (first byte, bytes)."""
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(size))
    return {
        name: (
            8 + size + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


def _trace(
    tower: nn.Module,
    inputs: Mapping[str, Tensor],
    output: str,
    free: Mapping[int, str],
    output_free: Mapping[int, str] | None = None,
) -> Any:
    """ONNX model of a tower, with every weight under its own name."""
    import onnx

    stream: Any = io.BytesIO()  # its signature names paths only
    with warnings.catch_warnings():
        # The exporter warns of its own age, and of padding whose size is fixed while tracing.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            tower,
            tuple(inputs.values()),
            stream,
            dynamo=False,
            opset_version=_OPSET,
            # Folding would rename weights: it is ONNX Runtime's part, at load.
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes={name: dict(free) for name in inputs}
            | {output: dict(output_free or {0: free[0]})},
        )
    return onnx.load_from_string(stream.getvalue())


def _without_weights(model: Any, prefix: str, offsets: Mapping[str, tuple[int, int]]) -> bytes:
    """Serialise a model after turning its weights into references to the safetensors file."""
    import onnx

    kept: list[Any] = []
    casts: list[Any] = []
    for weight in model.graph.initializer:
        stored = prefix + weight.name
        if stored not in offsets or weight.data_type != onnx.TensorProto.FLOAT:
            kept.append(weight)
            continue
        kept.append(_reference(stored, list(weight.dims), *offsets[stored]))
        casts.append(
            onnx.helper.make_node("Cast", [stored], [weight.name], to=onnx.TensorProto.FLOAT)
        )
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    data: bytes = model.SerializeToString()
    return data


def _reference(name: str, shape: Sequence[int], offset: int, length: int) -> Any:
    """Initialiser whose values are `length` bytes of the weights file from `offset`."""
    import onnx

    tensor = onnx.TensorProto(name=name, data_type=onnx.TensorProto.FLOAT16, dims=shape)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", WEIGHTS), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor
