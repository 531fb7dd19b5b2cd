"""MobileNetV2 weights out of a quantised TFLite file, as a `transformers` model.

The ImageNet MobileNetV2 that TensorFlow publishes for phones holds int8 convolution weights with
one scale per output channel, and batch norms already folded into them (Jacob et al. 2018,
https://arxiv.org/abs/1712.05877). Real value = scale * (stored value - zero point).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coordi.errors import EncoderError, NotFoundError, require

if TYPE_CHECKING:
    from transformers import MobileNetV2Model

Convolution = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Weights (out, kernel height, kernel width, in; depthwise: 1, h, w, out) and bias (out,)."""


def load_mobilenet_v2(path: Path) -> "MobileNetV2Model":
    """Build MobileNetV2 1.0 (1280-d pooled output) with the weights of the TFLite file `path`.

    Its input is RGB scaled to [-1, 1] (`x / 127.5 - 1`). Batch norms are the identity plus the
    folded bias, so the model is only right in `eval()` mode, in which it is returned.
    Raises `NotFoundError`, or `EncoderError` for a file that is not such a network.
    """
    convolutions = read_convolutions(path)
    require("tflite", "torch", "transformers")
    from transformers import MobileNetV2Config, MobileNetV2Model
    from transformers.models.mobilenet_v2.modeling_mobilenet_v2 import MobileNetV2ConvLayer

    model = MobileNetV2Model(MobileNetV2Config())
    layers = [m for m in model.modules() if isinstance(m, MobileNetV2ConvLayer)]
    if len(convolutions) < len(layers):
        raise EncoderError(
            f"{path} has {len(convolutions)} convolutions and MobileNetV2 has {len(layers)}; "
            "give the TFLite file of a MobileNetV2 1.0"
        )
    for layer, (weight, bias) in zip(layers, convolutions, strict=False):
        _fill(layer, weight, bias, path)
    return model.eval()


def read_convolutions(path: Path) -> list[Convolution]:
    """Dequantise the weights and biases of all convolutions of a TFLite file, in graph order."""
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}")
    require("tflite", "tflite")
    import tflite

    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise EncoderError(f"{path} is not a TFLite file")
    model = tflite.Model.GetRootAsModel(data, 0)
    graph = model.Subgraphs(0)
    kinds = (tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.DEPTHWISE_CONV_2D)
    operators = (graph.Operators(i) for i in range(graph.OperatorsLength()))
    return [
        (_real_values(model, graph, op.Inputs(1)), _real_values(model, graph, op.Inputs(2)))
        for op in operators
        if _builtin_code(model.OperatorCodes(op.OpcodeIndex())) in kinds
    ]


def _builtin_code(code: Any) -> int:
    """Operator number, which old files keep in a field of one byte."""
    return max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))


def _real_values(model: Any, graph: Any, index: int) -> NDArray[np.float32]:
    """Values of a constant tensor, dequantised along the channel dimension it declares."""
    import tflite

    tensor = graph.Tensors(index)
    types = {
        tflite.TensorType.FLOAT32: np.float32,
        tflite.TensorType.INT8: np.int8,
        tflite.TensorType.UINT8: np.uint8,
        tflite.TensorType.INT32: np.int32,
    }
    shape = tuple(tensor.ShapeAsNumpy())
    stored = model.Buffers(tensor.Buffer()).DataAsNumpy().view(types[tensor.Type()]).reshape(shape)
    quantization = tensor.Quantization()
    if quantization is None or quantization.ScaleLength() == 0:
        return np.asarray(stored, np.float32)
    along = [1] * len(shape)
    along[quantization.QuantizedDimension()] = -1
    scale = quantization.ScaleAsNumpy().astype(np.float64).reshape(along)
    zero = quantization.ZeroPointAsNumpy().reshape(along)
    values: NDArray[np.float32] = (scale * (stored.astype(np.int64) - zero)).astype(np.float32)
    return values


def _fill(layer: Any, weight: NDArray[np.float32], bias: NDArray[np.float32], path: Path) -> None:
    """Set one convolution, and its batch norm to `x + bias`."""
    import torch

    depthwise = layer.convolution.groups > 1
    ordered = torch.from_numpy(weight.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2)).copy())
    if ordered.shape != layer.convolution.weight.shape:
        raise EncoderError(
            f"{path} has a convolution of shape {tuple(ordered.shape)} where MobileNetV2 1.0 has "
            f"{tuple(layer.convolution.weight.shape)}; give the TFLite file of a MobileNetV2 1.0"
        )
    norm = layer.normalization
    with torch.no_grad():
        layer.convolution.weight.copy_(ordered)
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0)
        norm.weight.fill_((1.0 + norm.eps) ** 0.5)  # undoes the eps inside the norm's root
        norm.bias.copy_(torch.from_numpy(bias))
