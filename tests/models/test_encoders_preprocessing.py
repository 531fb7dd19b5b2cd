"""Pictures → pixel values: against the Pillow processors of transformers, and odd shapes."""

import importlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordi.errors import EncoderError
from coordi.models.encoders.preprocessing import Preprocessing, center_crop, read_preprocessing

PROCESSORS = [
    ("clip", "CLIPImageProcessorPil", {}),
    ("clip", "CLIPImageProcessorPil", {"size": {"shortest_edge": 40}, "crop_size": 32}),
    ("siglip", "SiglipImageProcessorPil", {"size": {"height": 48, "width": 32}}),
    ("vit", "ViTImageProcessorPil", {}),
    ("bit", "BitImageProcessorPil", {"size": {"shortest_edge": 50}, "crop_size": 45}),
    ("convnext", "ConvNextImageProcessorPil", {"size": {"shortest_edge": 64}}),
    ("convnext", "ConvNextImageProcessorPil", {"size": {"shortest_edge": 384}}),
    ("mobilenet_v2", "MobileNetV2ImageProcessorPil", {}),
    ("vit", "ViTImageProcessorPil", {"do_normalize": False, "resample": 3}),
    ("clip", "CLIPImageProcessorPil", {"do_resize": False, "crop_size": 61}),
]


@pytest.mark.parametrize(("module", "name", "options"), PROCESSORS)
@pytest.mark.parametrize("shape", [(90, 60), (60, 90), (33, 47), (64, 64)])
def test_pixel_values_equal_the_processors_of_transformers(module, name, options, shape, tmp_path):
    kind = importlib.import_module(f"transformers.models.{module}.image_processing_pil_{module}")
    processor = getattr(kind, name)(**options)
    processor.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "preprocessor_config.json").read_text())
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    expected = processor(image, return_tensors="np")["pixel_values"]

    ours = read_preprocessing(config, "here")

    np.testing.assert_allclose(
        ours.normalise(ours.prepare(image)[None]), expected, atol=2e-5, rtol=1e-5
    )


OLD_SPELLINGS = [
    (
        {"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224},
        224,
        (224, 224),
    ),
    ({"feature_extractor_type": "ViTFeatureExtractor", "size": 224}, (224, 224), None),
    (
        {"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224, "crop_pct": 0.875},
        256,
        (224, 224),
    ),
    ({"image_processor_type": "SiglipImageProcessor", "size": [32, 48]}, (32, 48), None),
    ({"image_processor": {"size": {"shortest_edge": 30}, "do_center_crop": False}}, 30, (30, 30)),
]


@pytest.mark.parametrize(("config", "resize", "crop"), OLD_SPELLINGS)
def test_old_spellings_of_sizes(config, resize, crop):
    found = read_preprocessing(config, "here")

    assert (found.resize, found.crop) == (resize, crop)


def test_a_size_that_is_not_understood_is_named():
    with pytest.raises(EncoderError, match=r"here: size \{'longest_edge': 9\} is not understood"):
        read_preprocessing({"size": {"longest_edge": 9}}, "here")


@given(st.integers(1, 70), st.integers(1, 70))
@settings(max_examples=60, deadline=None)
def test_every_shape_becomes_the_same_shape(height, width):
    steps = Preprocessing(24, (20, 16))
    image = np.full((height, width, 3), 200, np.uint8)

    out = steps.prepare(image)

    assert out.shape == (3, 20, 16)
    assert (out == 200).all()  # no margin gets in: the resize comes before the crop


def test_extreme_aspect_ratio_does_not_blow_up():
    image = np.zeros((2, 60_000, 3), np.uint8)
    image[:, 29_000:31_000] = 255

    out = Preprocessing(224, (224, 224)).prepare(image)

    assert out.shape == (3, 224, 224)
    assert (out == 255).all()  # the middle


def test_the_crop_before_an_extreme_resize_changes_nothing_but_its_cost():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (10, 200, 3), dtype=np.uint8)
    steps = Preprocessing(20, (20, 20))
    from PIL import Image

    whole = np.asarray(Image.fromarray(image).resize((400, 20), Image.Resampling.BICUBIC))

    np.testing.assert_array_equal(
        steps.prepare(image).transpose(1, 2, 0), center_crop(whole, (20, 20))
    )


def test_grayscale_is_three_equal_channels():
    gray = np.random.default_rng(2).integers(0, 256, (30, 20), dtype=np.uint8)

    out = Preprocessing((8, 8), None).prepare(gray)

    assert out.shape == (3, 8, 8)
    np.testing.assert_array_equal(out[0], out[2])


@pytest.mark.parametrize(("height", "width"), [(3, 4), (5, 20), (20, 5), (7, 7), (1, 1)])
def test_center_crop_pads_with_black_as_transformers_does(height, width):
    from transformers.image_transforms import center_crop as reference

    image = np.random.default_rng(3).integers(1, 256, (height, width, 3), dtype=np.uint8)

    np.testing.assert_array_equal(
        center_crop(image, (8, 10)), reference(image, (8, 10), input_data_format="channels_last")
    )
