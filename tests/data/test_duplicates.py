import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from coordi.data.duplicates import BITS, CUTOUT, alike, cutout, hamming_pairs, near_pairs
from coordi.data.phash import FLAT, perceptual_hashes


def loop(hashes, distance):
    bits = [int(h) for h in hashes]
    return [
        [i, j]
        for i in range(len(bits))
        for j in range(i + 1, len(bits))
        if (bits[i] ^ bits[j]).bit_count() <= distance
    ]


@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 63), max_size=9)), max_size=40),
    st.integers(0, 15),
)
@settings(max_examples=150, deadline=None)
def test_pairs_of_hashes_are_those_of_the_slow_loop(bases, flips, distance):
    values = [bases[at % len(bases)] ^ sum(1 << b for b in set(bits)) for at, bits in flips]
    hashes = np.array(values, np.uint64)
    assert hamming_pairs(hashes, distance).tolist() == loop(hashes, distance)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(0, 320))
def test_near_pairs_are_those_of_the_slow_loop(seed, count):
    rng = np.random.default_rng(seed)
    cuts = np.zeros(count, CUTOUT)
    few = rng.integers(0, 256, (5, 12, 12, 3)) // 8 * 8
    cuts["tiny"] = np.clip(few[rng.integers(5, size=count)] + rng.integers(0, 6), 0, 255)
    cuts["tiny"][:, 6, 6] += rng.integers(0, 40, (count, 3)).astype(np.uint8) // 2
    cuts["aspect"] = rng.choice([0.5, 0.51, 0.6], count)
    cuts["hash"] = rng.choice([0, 1, 0x1FF, 0x3FF, 2**63], count)
    hashes = cuts["hash"].tolist()
    expected = [
        [a, b]
        for a in range(count)
        for b in range(a + 1, count)
        if hashes[a]
        and hashes[b]
        and (hashes[a] ^ hashes[b]).bit_count() <= BITS
        and alike(cuts[[a]], cuts[[b]])[0]
    ]
    assert near_pairs(cuts).tolist() == expected


def test_blocks_of_hashes_meet(monkeypatch):
    monkeypatch.setattr("coordi.data.duplicates._BLOCK", 7)
    hashes = np.random.default_rng(0).integers(0, 40, 60).astype(np.uint64)
    assert hamming_pairs(hashes, 1).tolist() == loop(hashes, 1)


def on_paper(art, left, top):
    paper = np.full((120, 90, 3), 240, np.uint8)
    paper[top : top + art.shape[0], left : left + art.shape[1]] = art
    return paper


def near(*images):
    return near_pairs(np.array([cutout(image) for image in images])).tolist()


def test_a_garment_that_was_moved_and_larger_is_the_same_and_a_recoloured_one_is_not():
    art = picture(3, 48)
    larger = np.asarray(Image.fromarray(art).resize((64, 64)))
    assert near(on_paper(art, 5, 10), on_paper(art, 30, 60), on_paper(larger, 10, 20)) == [
        [0, 1], [0, 2], [1, 2],
    ]  # fmt: skip
    assert near(on_paper(art, 5, 10), on_paper(art[:, :, ::-1], 5, 10)) == []


def test_white_garments_of_one_outline_are_told_apart():
    """Their thumbnails hardly differ, which was once enough."""
    shirt = np.full((80, 60, 3), 210, np.uint8)
    collar, buttons = shirt.copy(), shirt.copy()
    collar[12:20, 18:42] += 10
    buttons[24:76, 28:34] += 10
    cuts = [cutout(on_paper(garment, 10, 20))[None] for garment in (collar, buttons)]
    assert alike(*cuts)[0]
    assert near_pairs(np.concatenate(cuts)).tolist() == []


def picture(seed, size=96):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((size // 8, size // 8, 1), np.uint8))


def distance(a, b):
    return int(np.bitwise_count(a ^ b))


def test_hashes_against_the_cosine_sum_written_out():
    grey = np.random.default_rng(3).integers(0, 256, (32, 32)).astype(np.uint8)
    n = np.arange(32)
    low = np.array(
        [
            [
                (
                    grey
                    * np.outer(
                        np.cos(np.pi * u * (2 * n + 1) / 64), np.cos(np.pi * v * (2 * n + 1) / 64)
                    )
                ).sum()
                * (np.sqrt(0.5) if u == 0 else 1)
                * (np.sqrt(0.5) if v == 0 else 1)
                for v in range(8)
            ]
            for u in range(8)
        ]
    ).ravel()
    bits = low > np.median(low[1:])
    bits[0] = True
    expected = int("".join(str(int(bit)) for bit in bits), 2)
    image = np.repeat(grey[:, :, None], 3, axis=2)
    assert int(perceptual_hashes([image])[0]) == expected


def test_hashes_survive_scaling_and_light_and_tell_pictures_apart():
    base, larger = picture(0), picture(0, 192)
    darker = (base * 0.8).astype(np.uint8)
    first, *same = perceptual_hashes([base, larger, darker])
    assert all(distance(first, other) <= 4 for other in same)
    others = perceptual_hashes([picture(seed) for seed in range(1, 20)])
    assert min(distance(first, other) for other in others) > 10


def test_flat_pictures_say_nothing():
    flat = [np.full((40, 30, 3), level, np.uint8) for level in (0, 128, 255)]
    assert set(perceptual_hashes([*flat, picture(1)]).tolist()) & {int(FLAT)} == {int(FLAT)}
    assert perceptual_hashes([picture(1)])[0] != FLAT
    assert (perceptual_hashes(flat) == FLAT).all()
    assert perceptual_hashes([]).shape == (0,)
