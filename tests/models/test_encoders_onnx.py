"""ONNX towers: the export, the two layouts, and that nothing of torch is needed to run them."""

import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.numpy import load_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch import nn
from transformers import MobileNetV2Config, MobileNetV2Model

from coordi.errors import EncoderError
from coordi.models.encoders import names
from coordi.models.encoders.onnx_export import export_towers, half_precision, weight_offsets
from coordi.models.opening import open_encoder

WORDS = ["<pad>", "<unk>", "red", "blue", "dress", "shirt"]


class TinyImage(nn.Module):
    """A MobileNetV2 with its batch norms in place, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.backbone = MobileNetV2Model(MobileNetV2Config(depth_multiplier=0.1))
        self.head = nn.Linear(1280, 8)

    def forward(self, pixels):
        return self.head(self.backbone(pixels).pooler_output)


class TinyText(nn.Module):
    """One attention layer over tokens and positions, then the mean under the mask."""

    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(6, 12), nn.Embedding(9, 12)
        self.norm, self.qkv = nn.LayerNorm(12), nn.Linear(12, 36)
        self.head = nn.Linear(12, 8)

    def forward(self, input_ids, attention_mask):
        hidden = self.tokens(input_ids) + self.positions(torch.arange(input_ids.shape[1]))
        query, key, value = self.qkv(self.norm(hidden)).chunk(3, dim=-1)
        hidden_from = (attention_mask.float() - 1)[:, None, :] * 1e4
        hidden = hidden + (query @ key.transpose(1, 2) + hidden_from).softmax(-1) @ value
        keep = attention_mask.float().unsqueeze(-1)
        return self.head((hidden * keep).sum(1) / keep.sum(1).clamp(min=1.0))


def tokenizer():
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    raw.pre_tokenizer, raw.normalizer = pre_tokenizers.Whitespace(), normalizers.Lowercase()
    raw.enable_truncation(9)
    raw.enable_padding(pad_id=0, pad_token="<pad>")
    return raw


PREPROCESSING = {"size": {"height": 32, "width": 32}, "image_mean": 0.5, "image_std": 0.5}


def write(folder, **config):
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSING))
    tokenizer().save(str(folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """(folder, image tower, text tower): the towers hold the weights as float16 keeps them."""
    torch.manual_seed(0)
    image, text = TinyImage(), TinyText()
    for norm in (m for m in image.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.normal_(norm.running_mean, std=0.1)
        nn.init.uniform_(norm.running_var, 0.5, 2.0)
        nn.init.normal_(norm.bias, std=0.3)
    folder = tmp_path_factory.mktemp("mini")
    export_towers(image, text, folder, image_size=32)
    write(
        folder,
        format="coordi-dual-onnx",
        name="tiny",
        dim=8,
        matryoshka_dims=[2, 4, 8],
        version="1",
    )
    halves = half_precision({"image": image, "text": text})
    for prefix, tower in (("image.", image), ("text.", text)):
        tower.load_state_dict(
            {k.removeprefix(prefix): v.float() for k, v in halves.items() if k.startswith(prefix)}
        )
    return folder, image.eval(), text.eval()


def images(count=5):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (20 + i, 50 - i, 3), dtype=np.uint8) for i in range(count)]


def cosine(rows, tensor):
    other = tensor.detach().numpy()
    return (rows * other).sum(1) / np.linalg.norm(other, axis=1)


def test_exported_image_tower_equals_torch(exported):
    folder, image, _ = exported
    encoder = open_encoder(str(folder))
    prepared = np.stack([encoder.prepare(picture) for picture in images()])

    expected = image(torch.from_numpy(prepared / np.float32(127.5) - 1))

    assert cosine(encoder.encode_prepared(prepared), expected).min() > 0.9999
    assert cosine(encoder.encode_images(images()), expected).min() > 0.9999
    assert encoder.name == "tiny"


@pytest.mark.parametrize(
    ("texts", "rows"),
    [
        (["red dress"], [[2, 4]]),
        (["Red", "blue shirt dress", ""], [[2, 0, 0], [3, 5, 4], [0, 0, 0]]),
        (["", ""], [[0], [0]]),
        (["red " * 50], [[2] * 9]),
        (["zebra"], [[1]]),
    ],
)
def test_exported_text_tower_equals_torch(exported, texts, rows):
    folder, _, text = exported
    ids = torch.tensor(rows)

    expected = text(ids, (ids != 0).long())

    assert cosine(open_encoder(str(folder)).encode_texts(texts), expected).min() > 0.9999


def test_weights_are_stored_once_in_float16(exported):
    folder, image, text = exported
    weights = load_file(folder / "model.safetensors")

    assert set(weights) == {f"image.{n}" for n in image.state_dict()} | {
        f"text.{n}" for n in text.state_dict()
    }
    assert weights["image.head.weight"].dtype == np.float16
    for file in ("vision_model.onnx", "text_model.onnx"):
        graph = onnx.load(folder / file, load_external_data=False).graph
        stored = [w for w in graph.initializer if w.data_location != TensorProto.EXTERNAL]
        assert sum(np.prod(w.dims) for w in stored) < 10
        assert any(w.data_location == TensorProto.EXTERNAL for w in graph.initializer)


def test_a_changed_weight_reaches_the_graphs_and_the_fingerprint(exported, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(exported[0], folder)
    before = open_encoder(str(folder))
    data = bytearray((folder / "model.safetensors").read_bytes())
    first, length = weight_offsets(folder / "model.safetensors")["text.head.bias"]
    data[first : first + length] = np.arange(8, dtype=np.float16).tobytes()
    (folder / "model.safetensors").write_bytes(data)

    after = open_encoder(str(folder))

    assert before.fingerprint == open_encoder(str(exported[0])).fingerprint != after.fingerprint
    assert not np.allclose(before.encode_texts(["red"]), after.encode_texts(["red"]))


def test_dim_keeps_the_first_columns(exported):
    folder = str(exported[0])
    full, cut = open_encoder(folder), open_encoder(folder, dim=4)
    rows = full.encode_images(images())[:, :4]

    np.testing.assert_allclose(
        cut.encode_images(images()), rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=1e-6
    )
    assert cut.dim == 4
    assert cut.fingerprint != full.fingerprint == open_encoder(folder, dim=8).fingerprint
    with pytest.raises(EncoderError, match="cannot be cut to 3 columns; it allows 2, 4, 8"):
        open_encoder(folder, dim=3)


def test_infinite_weights_are_refused(tmp_path):
    text = TinyText()
    with torch.no_grad():
        text.head.bias[0] = 1e6

    with pytest.raises(EncoderError, match=r"text\.head\.bias is not finite in float16"):
        export_towers(TinyImage(), text, tmp_path, image_size=32)


def test_opening_needs_neither_torch_nor_transformers(exported):
    code = (
        "import sys, numpy as np\n"
        "from coordi.models.encoders import names; from coordi.models.opening import open_encoder\n"
        "from pathlib import Path\n"
        f"names.mini_folder = lambda: Path({str(exported[0])!r})\n"
        "import coordi.models.opening as opening\n"
        "opening.mini_folder = names.mini_folder\n"
        "encoder = open_encoder('coordi-mini')\n"
        "encoder.encode_texts(['red dress'])\n"
        "encoder.encode_images([np.zeros((50, 40, 3), np.uint8)])\n"
        "print(sorted({'torch', 'transformers', 'onnx', 'lance', 'faiss'} & set(sys.modules)))\n"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (run.stdout.strip(), run.returncode) == ("[]", 0), run.stderr


@pytest.fixture
def hub_layout(tmp_path):
    """Towers under onnx/, text without a mask, outputs under several names: as Marqo has it."""
    tower = tmp_path / "onnx"
    tower.mkdir()
    write(tmp_path, model_type="siglip")
    rng = np.random.default_rng(0)
    table = rng.normal(size=(6, 7)).astype(np.float32)
    mix = rng.normal(size=(3, 7)).astype(np.float32)
    image = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["pixel_values"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("MatMul", ["flat", "mix"], ["image_embeds"]),
            helper.make_node("Identity", ["flat"], ["pooler_output"]),
        ],
        "image",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["b", 3, "h", "w"])],
        [
            helper.make_tensor_value_info("pooler_output", TensorProto.FLOAT, ["b", 3]),
            helper.make_tensor_value_info("image_embeds", TensorProto.FLOAT, ["b", 7]),
        ],
        [onnx.numpy_helper.from_array(mix, "mix")],
    )
    text = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
            helper.make_node("ReduceMean", ["rows"], ["text_embeds"], axes=[1], keepdims=0),
        ],
        "text",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["b", "l"])],
        [helper.make_tensor_value_info("text_embeds", TensorProto.FLOAT, ["b", 7])],
        [onnx.numpy_helper.from_array(table, "table")],
    )
    for name, graph in (("vision", image), ("text", text)):
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, tower / f"{name}_model.onnx")
    return tmp_path, mix, table


def test_the_layout_of_hub_repositories(hub_layout):
    folder, mix, table = hub_layout
    encoder = open_encoder(str(folder))
    picture = images(1)[0]
    flat = (encoder.prepare(picture) / 127.5 - 1).mean((1, 2)) @ mix
    # Full length 9, cleaned of the comma, "Red" known as "red": the tower sees no mask.
    words = table[[2, 4] + [0] * 7].mean(0)

    np.testing.assert_allclose(
        encoder.encode_images([picture])[0], flat / np.linalg.norm(flat), atol=1e-5
    )
    np.testing.assert_allclose(
        encoder.encode_texts(["Red, dress!"])[0], words / np.linalg.norm(words), atol=1e-5
    )
    assert encoder.dim == 7


def test_an_image_tower_alone(hub_layout):
    folder = hub_layout[0]
    (folder / "onnx" / "text_model.onnx").unlink()

    assert open_encoder(str(folder)).modalities == {"image"}


def test_broken_folders_are_explained(hub_layout):
    folder = hub_layout[0]
    vision = folder / "onnx" / "vision_model.onnx"
    model = onnx.load(vision)
    for node in model.graph.node:
        node.output[:] = [
            {"image_embeds": "a", "pooler_output": "b"}.get(o, o) for o in node.output
        ]
    for value, name in zip(model.graph.output, ("b", "a"), strict=True):
        value.name = name
    onnx.save(model, vision)
    with pytest.raises(EncoderError, match=r"outputs \['b', 'a'\]; one must be of"):
        open_encoder(str(folder))
    vision.write_bytes(b"no model")
    with pytest.raises(EncoderError, match=r"vision_model\.onnx cannot be opened by ONNX Runtime"):
        open_encoder(str(folder))
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(EncoderError, match=r"no preprocessor_config\.json"):
        open_encoder(str(folder))
    vision.unlink()
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(EncoderError, match=r"tokenizer\.json cannot be read"):
        open_encoder(str(folder))
    (folder / "tokenizer.json").unlink()
    with pytest.raises(EncoderError, match=r"no tokenizer\.json"):
        open_encoder(str(folder))


def test_the_folder_of_coordi_mini_is_in_the_package():
    assert names.mini_folder().parts[-3:] == ("coordi", "weights", "coordi-mini")


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("red dress", ()),
        ("Red zebra dress", ("zebra",)),
        ("zebra, yak red", ("zebra", "yak")),
        ("zebra yak!", ("zebra", "yak")),
        ("赤いワンピース", ("赤いワンピース",)),
        ("red 👗", ("👗",)),
        ("zebra red Zebra red zebra", ("zebra", "Zebra")),
        ("red !!!", ()),
        (" ", ()),
        ("red " * 20 + "zebra", ("zebra",)),
    ],
)
def test_words_that_the_vocabulary_lacks(exported, text, unknown):
    assert open_encoder(str(exported[0])).unknown_words(text) == unknown


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("赤いワンピース", ("赤いワンピース",)),
        ("빨간 원피스", ("빨간", "원피스")),
        ("❤️ 👗", ("❤", "👗")),
        ("a red summer dress", ()),
        ("red ワンピース", ("ワンピース",)),
    ],
)
def test_coordi_mini_says_what_it_does_not_know(text, unknown):
    assert open_encoder("coordi-mini").unknown_words(text) == unknown
