"""Models of transformers: our vectors against the library's own forward pass, spelt out."""

import numpy as np
import pytest
import torch
import transformers as hf
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from coordi.errors import EncoderError, NotFoundError, UnknownNameError
from coordi.models.encoders import list_encoders
from coordi.models.opening import open_encoder
from coordi.types import Encoder

WORDS = ["<pad>", "<unk>", "<bos>", "<eos>", "red", "blue", "dress", "shirt", "long", "sleeves"]
TEXTS = ["Red dress", "", "blue shirt, long sleeves", "red " * 200]
TINY = {"hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 2}
VISION = {**TINY, **HEADS, "image_size": 32, "patch_size": 8}
WORDED = {**TINY, **HEADS, "vocab_size": len(WORDS), "max_position_embeddings": 12}


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Compare in float32; one test below measures bfloat16."""
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)


def images(count=5):
    rng = np.random.default_rng(0)
    sizes = [(40, 40), (10, 70), (70, 10), (9, 9), (64, 33)]
    return [rng.integers(0, 256, (*sizes[i % 5], 3), dtype=np.uint8) for i in range(count)]


def save_tokenizer(folder):
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 2), ("<eos>", 3)]
    )
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def save(model, folder, processor=None, tokenizer=True):
    torch.manual_seed(0)
    for name, value in model.named_parameters():
        torch.nn.init.normal_(value, std=0.2 if "norm" not in name else 0.5)
    model = model.eval()
    model.save_pretrained(folder)
    if processor is not None:
        processor.save_pretrained(folder)
    if tokenizer:
        save_tokenizer(folder)
    return model


def clip(folder):
    marks = {"eos_token_id": 3, "bos_token_id": 2, "pad_token_id": 0}
    config = hf.CLIPConfig(
        text_config={**WORDED, **marks, "projection_dim": 8},
        vision_config={**VISION},
        projection_dim=8,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32)
    return save(hf.CLIPModel(config), folder, processor), processor


def siglip(folder):
    config = hf.SiglipConfig(
        text_config={**WORDED, "projection_size": 16}, vision_config={**VISION}
    )
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    processor = SiglipImageProcessorPil(size={"height": 32, "width": 32})
    return save(hf.SiglipModel(config), folder, processor), processor


def unit(rows):
    rows = rows.detach().numpy()
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def pixels(processor, pictures):
    return torch.cat([processor(p, return_tensors="pt")["pixel_values"] for p in pictures])


@pytest.mark.parametrize("make", [clip, siglip])
def test_dual_images_equal_the_reference(make, tmp_path):
    model, processor = make(tmp_path)
    encoder = open_encoder(str(tmp_path))

    with torch.no_grad():
        expected = unit(model.get_image_features(pixels(processor, images())).pooler_output)

    assert isinstance(encoder, Encoder)
    assert encoder.modalities == {"image", "text"}
    assert encoder.image_size == 32
    assert encoder.dim == expected.shape[1]
    np.testing.assert_allclose(encoder.encode_images(images()), expected, atol=2e-5)


def test_clip_texts_equal_the_reference_one_by_one(tmp_path):
    model, _ = clip(tmp_path)
    tokenizer = hf.AutoTokenizer.from_pretrained(tmp_path)
    rows = []
    for text in TEXTS:  # unpadded: padding must not change the answer
        tokens = tokenizer(text, truncation=True, max_length=12, return_tensors="pt")
        rows.append(model.get_text_features(tokens["input_ids"]).pooler_output)

    found = open_encoder(str(tmp_path)).encode_texts(TEXTS)

    np.testing.assert_allclose(found, unit(torch.cat(rows)), atol=2e-5)


def test_siglip_texts_are_cleaned_and_padded_to_full_length(tmp_path):
    model, _ = siglip(tmp_path)
    long = [2] + [4] * 10 + [3]
    ids = [[2, 4, 6, 3], [2, 3], [2, 5, 7, 8, 9, 3], long]  # by hand; "Red" is "red", no comma
    padded = torch.tensor([row + [0] * (12 - len(row)) for row in ids])

    found = open_encoder(str(tmp_path)).encode_texts(TEXTS)

    np.testing.assert_allclose(
        found, unit(model.get_text_features(padded).pooler_output), atol=2e-5
    )


def mobilenet():
    return hf.MobileNetV2Model(hf.MobileNetV2Config(depth_multiplier=0.1, image_size=32))


POOLED = [
    lambda: hf.ResNetModel(
        hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic")
    ),
    lambda: hf.ConvNextV2Model(hf.ConvNextV2Config(hidden_sizes=[8, 12, 12, 16], depths=[1] * 4)),
    mobilenet,
]
CLASS_TOKEN = [
    lambda: hf.ViTModel(hf.ViTConfig(**VISION), add_pooling_layer=False),
    lambda: hf.ViTForImageClassification(hf.ViTConfig(**VISION)),
    lambda: hf.Dinov2Model(hf.Dinov2Config(**{**VISION, "mlp_ratio": 2})),
    lambda: hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**VISION, num_register_tokens=2)),
]


def square():
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    return ViTImageProcessorPil(size={"height": 32, "width": 32})


@pytest.mark.parametrize("make", POOLED)
def test_convolutional_nets_give_their_pooled_map(make, tmp_path):
    processor = square()
    model = save(make(), tmp_path, processor, tokenizer=False)
    with torch.no_grad():
        expected = model(pixels(processor, images())).last_hidden_state.mean((2, 3))
        if hasattr(model, "layernorm"):  # ConvNeXt normalises after pooling
            expected = model.layernorm(expected)

    encoder = open_encoder(str(tmp_path))

    assert encoder.modalities == {"image"}
    np.testing.assert_allclose(encoder.encode_images(images()), unit(expected), atol=5e-5)
    with pytest.raises(EncoderError, match="pictures only"):
        encoder.encode_texts(["red"])


@pytest.mark.parametrize("make", CLASS_TOKEN)
def test_vision_transformers_give_the_class_token(make, tmp_path):
    processor = square()
    model = save(make(), tmp_path, processor, tokenizer=False)
    backbone = getattr(model, "vit", model)
    with torch.no_grad():
        expected = backbone(pixels(processor, images())).last_hidden_state[:, 0]

    found = open_encoder(str(tmp_path)).encode_images(images())

    np.testing.assert_allclose(found, unit(expected), atol=2e-5)


def test_bert_says_what_it_does_not_know(tmp_path):
    save(hf.BertModel(hf.BertConfig(**WORDED)), tmp_path)
    encoder = open_encoder(str(tmp_path))
    known = next(word for word in WORDS if word.isalpha())
    assert encoder.unknown_words(f"{known} zebra") == ("zebra",)
    assert encoder.unknown_words(known) == ()


def test_bert_gives_the_mean_of_its_tokens(tmp_path):
    model = save(hf.BertModel(hf.BertConfig(**WORDED)), tmp_path)
    tokenizer = hf.AutoTokenizer.from_pretrained(tmp_path)
    rows = []
    for text in TEXTS:
        tokens = tokenizer(text, truncation=True, max_length=12, return_tensors="pt")
        rows.append(model(tokens["input_ids"]).last_hidden_state.mean(1))

    encoder = open_encoder(str(tmp_path))

    assert encoder.modalities == {"text"}
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), unit(torch.cat(rows)), atol=2e-5)
    with pytest.raises(EncoderError, match="text only"):
        encoder.encode_images(images())


def test_batches_of_any_length_and_order_agree(tmp_path):
    clip(tmp_path)
    encoder = open_encoder(str(tmp_path))
    pictures, texts = images(70), [f"{WORDS[4 + i % 6]} dress" * (i % 3) for i in range(150)]

    np.testing.assert_allclose(
        encoder.encode_images(pictures)[[3, 69]],
        encoder.encode_images([pictures[3], pictures[69]]),
        atol=1e-5,
    )
    np.testing.assert_allclose(
        encoder.encode_texts(texts)[::-1], encoder.encode_texts(texts[::-1]), atol=1e-5
    )
    prepared = np.stack([encoder.prepare(p) for p in pictures[:3]])
    np.testing.assert_allclose(
        encoder.encode_prepared(prepared), encoder.encode_images(pictures[:3]), atol=1e-5
    )
    assert encoder.encode_texts([]).shape == (0, encoder.dim)
    assert encoder.encode_images([]).shape == (0, encoder.dim)


def test_bfloat16_stays_close(tmp_path, monkeypatch):
    clip(tmp_path)
    encoder = open_encoder(str(tmp_path))
    exact_rows = [encoder.encode_images(images()), encoder.encode_texts(TEXTS)]
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)

    reduced = [encoder.encode_images(images()), encoder.encode_texts(TEXTS)]

    for one, other in zip(exact_rows, reduced, strict=True):
        assert other.dtype == np.float32
        assert not np.array_equal(one, other)
        assert (one * other).sum(1).min() > 0.995


def test_fine_tuning_changes_the_fingerprint_and_copying_does_not(tmp_path):
    import shutil

    model, _ = clip(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    before = open_encoder(str(tmp_path / "a")).fingerprint
    assert open_encoder(str(tmp_path / "b")).fingerprint == before

    with torch.no_grad():
        model.visual_projection.weight[0, 0] += 1e-3
    model.save_pretrained(tmp_path / "b")

    assert open_encoder(str(tmp_path / "b")).fingerprint != before


def test_a_cut_needs_matryoshka_training(tmp_path):
    clip(tmp_path)

    with pytest.raises(EncoderError, match="not trained to be cut"):
        open_encoder(str(tmp_path), dim=4)


def test_unknown_names_and_models_say_what_is_known(tmp_path):
    with pytest.raises(UnknownNameError, match="coordi-mini"):
        open_encoder("cordi-mini")
    with pytest.raises(NotFoundError, match="no folder"):
        open_encoder(str(tmp_path / "missing"))
    with pytest.raises(NotFoundError, match="no file"):
        open_encoder(str(tmp_path / "missing.tflite"))
    with pytest.raises(EncoderError, match="holds no encoder"):
        open_encoder(str(tmp_path))
    for kind, words in (("gpt2", "Known: .*clip"), ("siglip2", "NaFlex")):
        (tmp_path / "config.json").write_text(f'{{"model_type": "{kind}"}}')
        with pytest.raises(EncoderError, match=words):
            open_encoder(str(tmp_path))


def test_missing_and_broken_files_are_named(tmp_path):
    save(hf.ViTModel(hf.ViTConfig(**VISION)), tmp_path, tokenizer=False)
    with pytest.raises(EncoderError, match=r"no preprocessor_config\.json"):
        open_encoder(str(tmp_path))
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(EncoderError, match=r"preprocessor_config\.json is not valid JSON"):
        open_encoder(str(tmp_path))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="cannot load the model"):
        open_encoder(str(tmp_path))


def test_the_list_of_names():
    infos = {info.name: info for info in list_encoders()}

    assert infos["coordi-mini"].modalities == {"image", "text"}
    assert infos["facebook/dinov2-small"].modalities == {"image"}
    assert all(info.dim > 0 and info.note and info.license for info in infos.values())
