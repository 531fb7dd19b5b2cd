"""Quantised convolutions of a TFLite file, against values worked out by hand."""

import flatbuffers
import numpy as np
import pytest
import tflite

from coordi.errors import EncoderError, NotFoundError
from coordi.models.encoders import mobilenet_tflite
from coordi.models.encoders.mobilenet_tflite import load_mobilenet_v2, read_convolutions
from coordi.models.opening import open_encoder

TYPES = {"int8": 9, "uint8": 3, "int32": 2, "float32": 0}


def tensor(builder, buffer, values, scale, zero, axis):
    """A constant tensor; a scale per entry of `axis`, or none for real numbers."""
    scales = zeros = None
    if scale is not None:
        scales = builder.CreateNumpyVector(np.asarray(scale, np.float32))
        zeros = builder.CreateNumpyVector(np.asarray(zero, np.int64))
    shape = builder.CreateNumpyVector(np.asarray(values.shape, np.int32))
    tflite.QuantizationParametersStart(builder)
    if scales is not None:
        tflite.QuantizationParametersAddScale(builder, scales)
        tflite.QuantizationParametersAddZeroPoint(builder, zeros)
    tflite.QuantizationParametersAddQuantizedDimension(builder, axis)
    quantization = tflite.QuantizationParametersEnd(builder)
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, TYPES[str(values.dtype)])
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddQuantization(builder, quantization)
    return tflite.TensorEnd(builder)


def vector(builder, start, offsets):
    start(builder, len(offsets))
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def write(path, layers):
    """Write a file of convolutions: (operator code, weight parts, bias parts) each."""
    builder = flatbuffers.Builder(1 << 16)
    parts = [part for _, *pair in layers for part in pair]
    data = [np.empty(0, np.uint8)] + [np.frombuffer(p[0].tobytes(), np.uint8) for p in parts]
    buffers = []
    for content in data:
        values = builder.CreateNumpyVector(content)
        tflite.BufferStart(builder)
        tflite.BufferAddData(builder, values)
        buffers.append(tflite.BufferEnd(builder))
    tensors = [tensor(builder, number, *part) for number, part in enumerate(parts, 1)]
    operators = []
    for number in range(len(layers)):
        inputs = builder.CreateNumpyVector(
            np.array([2 * number, 2 * number, 2 * number + 1], np.int32)
        )
        tflite.OperatorStart(builder)
        tflite.OperatorAddOpcodeIndex(builder, number)
        tflite.OperatorAddInputs(builder, inputs)
        operators.append(tflite.OperatorEnd(builder))
    codes = []
    for code, *_ in layers:
        tflite.OperatorCodeStart(builder)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, code)
        codes.append(tflite.OperatorCodeEnd(builder))
    tensors = vector(builder, tflite.SubGraphStartTensorsVector, tensors)
    operators = vector(builder, tflite.SubGraphStartOperatorsVector, operators)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors)
    tflite.SubGraphAddOperators(builder, operators)
    graph = tflite.SubGraphEnd(builder)
    graphs = vector(builder, tflite.ModelStartSubgraphsVector, [graph])
    buffers = vector(builder, tflite.ModelStartBuffersVector, buffers)
    codes = vector(builder, tflite.ModelStartOperatorCodesVector, codes)
    tflite.ModelStart(builder)
    tflite.ModelAddSubgraphs(builder, graphs)
    tflite.ModelAddBuffers(builder, buffers)
    tflite.ModelAddOperatorCodes(builder, codes)
    builder.Finish(tflite.ModelEnd(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def test_values_are_dequantised_per_channel(tmp_path):
    rng = np.random.default_rng(0)
    weight = rng.integers(-127, 128, (2, 1, 1, 3), dtype=np.int8)
    depth = rng.integers(0, 256, (1, 3, 3, 2), dtype=np.uint8)
    bias = np.array([1000, -2000], np.int32)
    real = np.array([0.5, -0.25], np.float32)
    path = write(
        tmp_path / "a.tflite",
        [
            (3, (weight, [0.5, 0.25], [0, 0], 0), (bias, [0.01, 0.02], [0, 0], 0)),
            (0, (bias, [1.0], [0], 0), (bias, [1.0], [0], 0)),  # an addition: not a convolution
            (4, (depth, [0.5, 2.0], [128, 100], 3), (real, None, None, 0)),
        ],
    )

    (first, first_bias), (second, second_bias) = read_convolutions(path)

    np.testing.assert_allclose(first, np.stack([weight[0] * 0.5, weight[1] * 0.25]), rtol=1e-6)
    np.testing.assert_allclose(first_bias, [10.0, -40.0], rtol=1e-6)
    expected = (depth.astype(float) - [128, 100]) * [0.5, 2.0]
    np.testing.assert_allclose(second, expected, rtol=1e-6)
    np.testing.assert_array_equal(second_bias, real)


@pytest.fixture
def convolutions(monkeypatch):
    """Random convolutions of MobileNetV2's shapes in TensorFlow's order of axes, and a head."""
    from transformers import MobileNetV2Config, MobileNetV2Model

    torch_shapes = [
        (tuple(p.shape), p.shape[1] == 1 and p.shape[2] == 3)
        for name, p in MobileNetV2Model(MobileNetV2Config()).named_parameters()
        if name.endswith("convolution.weight")
    ]
    rng = np.random.default_rng(0)
    made = []
    for (out, inner, height, width), depthwise in torch_shapes:
        shape = (1, height, width, out) if depthwise else (out, height, width, inner)
        spread = (2 / (height * width * inner)) ** 0.5
        made.append(
            (rng.normal(0, spread, shape).astype(np.float32), np.full(out, 0.1, np.float32))
        )
    made.append((np.zeros((1001, 1, 1, 1280), np.float32), np.zeros(1001, np.float32)))
    monkeypatch.setattr(mobilenet_tflite, "read_convolutions", lambda path: made)
    return made


def test_the_model_computes_what_the_convolutions_say(convolutions, tmp_path):
    import torch
    from torch.nn import functional

    model = load_mobilenet_v2(tmp_path)
    pixels = torch.randn(2, 3, 33, 33)  # an odd side: padding differs left and right
    (stem, stem_bias), (depth, depth_bias), (point, point_bias) = convolutions[:3]

    def layer(x, weight, bias, order, **options):
        kernel = torch.from_numpy(weight.transpose(order).copy())
        return functional.conv2d(x, kernel, torch.from_numpy(bias), **options)

    x = layer(functional.pad(pixels, (1, 1, 1, 1)), stem, stem_bias, (0, 3, 1, 2), stride=2).clip(
        0, 6
    )
    x = layer(functional.pad(x, (1, 1, 1, 1)), depth, depth_bias, (3, 0, 1, 2), groups=32).clip(
        0, 6
    )
    x = layer(x, point, point_bias, (0, 3, 1, 2))

    with torch.no_grad():
        torch.testing.assert_close(model.conv_stem(pixels), x, atol=1e-5, rtol=1e-5)


def test_the_encoder_of_a_file(convolutions, tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(b"weights")
    encoder = open_encoder(str(path))
    rows = encoder.encode_images(
        [np.zeros((300, 100, 3), np.uint8), np.full((9, 9, 3), 255, np.uint8)]
    )

    assert (encoder.name, encoder.dim, encoder.image_size) == ("net", 1280, 224)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    path.write_bytes(b"others")
    assert open_encoder(str(path)).fingerprint != encoder.fingerprint


def test_other_files_are_refused(tmp_path, convolutions, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(NotFoundError, match="no file"):
        load_mobilenet_v2(tmp_path / "missing.tflite")
    (tmp_path / "text.tflite").write_text("not a network")
    with pytest.raises(EncoderError, match="is not a TFLite file"):
        load_mobilenet_v2(tmp_path / "text.tflite")
    one = np.zeros((2, 1, 1, 3), np.float32)
    path = write(
        tmp_path / "one.tflite", [(3, (one, None, None, 0), (one[:, 0, 0, 0], None, None, 0))]
    )
    with pytest.raises(EncoderError, match="has 1 convolutions and MobileNetV2 has 52"):
        load_mobilenet_v2(path)
    wrong = [(one, one[:, 0, 0, 0]), *convolutions]
    monkeypatch.setattr(mobilenet_tflite, "read_convolutions", lambda path: wrong)
    with pytest.raises(EncoderError, match="shape"):
        load_mobilenet_v2(path)
