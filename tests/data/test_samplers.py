import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordi.data.collection import Collection, Trial
from coordi.data.samplers import (
    SAMPLERS,
    CategoryBalanced,
    CrossDomainPairs,
    Hierarchical,
    MPerClass,
    make_sampler,
)
from coordi.errors import InputError, UnknownNameError
from coordi.types import ImageRef, Photo

NONE = np.array([], np.int64)
SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=25)


def labelled(sizes):
    """Shuffled rows of classes that have so many photos."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    order = np.random.default_rng(0).permutation(len(labels))
    return np.arange(1000, 1000 + len(labels)), labels[order]


def collection(photos):
    photos = tuple(photos)
    return Collection("small", photos, np.arange(len(photos)), Trial(NONE, NONE))


def photo(number, item, *, street=False, category=""):
    return Photo(str(number), ImageRef(data=b"x"), item, street=street, category=category)


def wardrobe(n=200, items=40):
    return collection(
        photo(i, f"item-{i % items}", street=i % 3 == 0, category=f"kind-{i % items % 7}")
        for i in range(n)
    )


@given(SIZES, st.integers(1, 5), st.integers(1, 6), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_m_of_each_class_and_an_epoch_covers_all(sizes, m, slots, seed):
    rows, labels = labelled(sizes)
    sampler = MPerClass(rows, labels, batch=m * slots, seed=seed, m=m)
    for epoch in range(3):
        seen = set()
        steps = range(epoch * sampler.steps_per_epoch, (epoch + 1) * sampler.steps_per_epoch)
        for step in steps:
            drawn = sampler.batch(step)
            assert len(drawn) == m * slots
            counts = Counter(labels[drawn - 1000].tolist())
            if slots <= len(sizes):
                assert set(counts.values()) == {m}
            else:  # every class, as evenly as may be
                assert len(counts) == len(sizes)
                assert max(counts.values()) - min(counts.values()) in {0, m}
            for label, count in counts.items():
                distinct = len(set(drawn[labels[drawn - 1000] == label].tolist()))
                if slots <= len(sizes):
                    assert distinct == min(count, sizes[label])
            seen |= set(counts)
        assert seen == set(range(len(sizes)))


@given(SIZES, st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_every_photo_comes_before_the_first_comes_again(sizes, m):
    rows, labels = labelled(sizes)
    sampler = MPerClass(rows, labels, batch=m, m=m)  # one class a batch
    rounds = -(-max(sizes) // m)
    drawn = [sampler.batch(s) for s in range(rounds * sampler.steps_per_epoch)]
    assert set(np.concatenate(drawn).tolist()) == set(rows.tolist())


@pytest.mark.parametrize("name", SAMPLERS.makers)
def test_a_batch_depends_on_seed_and_step_alone(name):
    source = wardrobe()
    sampler, again = (
        make_sampler(name, source, source.train, batch=24, seed=5, key="item") for _ in range(2)
    )
    forward = [sampler.batch(step) for step in range(40)]
    again = pickle.loads(pickle.dumps(again))
    for step in reversed(range(40)):  # as a training resumed at any step would ask
        np.testing.assert_array_equal(again.batch(step), forward[step])
    other = make_sampler(name, source, source.train, batch=24, seed=6, key="item")
    assert any((other.batch(step) != forward[step]).any() for step in range(5))


@pytest.mark.parametrize("name", SAMPLERS.makers)
def test_an_epoch_draws_every_class(name):
    source = wardrobe()
    sampler = make_sampler(name, source, source.train, batch=24, seed=1)
    drawn = np.concatenate([sampler.batch(step) for step in range(sampler.steps_per_epoch)])
    assert {source.photos[row].item for row in drawn} == {p.item for p in source.photos}


@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_categories_are_equally_frequent(classes, m):
    of_class = np.repeat(np.arange(len(classes)), classes)
    rows, labels = labelled([3] * len(of_class))
    categories = of_class[labels]
    slots = 2 * len(classes)
    sampler = CategoryBalanced(rows, labels, categories, batch=slots * m, m=m)
    visits = Counter()
    for step in range(sampler.steps_per_epoch):
        drawn = sampler.batch(step) - 1000
        assert set(Counter(categories[drawn].tolist()).values()) == {2 * m}
        visits.update(labels[drawn].tolist())
    assert set(visits) == set(range(len(of_class)))
    for category in range(len(classes)):  # classes of one category are equally frequent too
        counts = [visits[c] for c in np.flatnonzero(of_class == category).tolist()]
        assert max(counts) - min(counts) <= m


@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_hierarchical_batches_hold_classes_of_few_categories(classes, few, m):
    of_class = np.repeat(np.arange(len(classes)), classes)
    rows, labels = labelled([4] * len(of_class))
    each = 3
    sampler = Hierarchical(
        rows, labels, of_class[labels], batch=few * each * m, m=m, categories=few
    )
    seen = set()
    for step in range(sampler.steps_per_epoch):
        drawn = sampler.batch(step) - 1000
        assert len(drawn) == few * each * m
        assert len(set(of_class[labels[drawn]].tolist())) <= few
        for block in np.split(labels[drawn], few):
            category = of_class[block[0]]
            assert (of_class[block] == category).all()
            assert len(set(block.tolist())) == min(each, classes[category])
        seen |= set(labels[drawn].tolist())
    assert seen == set(range(len(of_class)))


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=20),
    st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_pairs_have_both_domains_of_every_item(photos, m):
    labels, street = [], []
    for item, (streets, shops) in enumerate(photos):
        labels += [item] * (streets + shops)
        street += [True] * streets + [False] * shops
    both = {item for item, sides in enumerate(photos) if all(sides)}
    labels, street = np.array(labels, np.int64), np.array(street, bool)
    numbered = np.unique(labels, return_inverse=True)[1]
    rows = np.arange(len(labels))
    if not both:
        with pytest.raises(InputError, match="both"):
            CrossDomainPairs(rows, numbered, street, batch=2 * m, m=m)
        return
    slots = min(3, len(both))
    sampler = CrossDomainPairs(rows, numbered, street, batch=2 * m * slots, m=m)
    assert sampler.left_out == len(set(labels.tolist())) - len(both)
    seen = set()
    for step in range(sampler.steps_per_epoch):
        drawn = sampler.batch(step)
        for item in set(labels[drawn].tolist()):
            of_item = drawn[labels[drawn] == item]
            assert street[of_item].sum() == m
            assert len(of_item) == 2 * m
        seen |= set(labels[drawn].tolist())
    assert seen == both


def test_photos_without_the_key_are_left_out():
    source = collection(photo(i, f"i{i}", category="ab"[i % 2] if i < 8 else "") for i in range(12))
    pairs = {"kind": "m-per-class", "m": 2}
    sampler = make_sampler(pairs, source, source.train, batch=4, seed=0, key="category")
    drawn = np.concatenate([sampler.batch(step) for step in range(20)])
    assert set(drawn.tolist()) == set(range(8))
    with pytest.raises(InputError, match="color"):
        make_sampler("m-per-class", source, source.train, batch=4, seed=0, key="color")


def test_wrong_settings_are_refused_by_name():
    source = wardrobe()

    def make(name="m-per-class", batch=24, **settings):
        return make_sampler({"kind": name, **settings}, source, source.train, batch=batch, seed=0)

    with pytest.raises(UnknownNameError, match="m-per-class"):
        make("m-per-clas")
    with pytest.raises(UnknownNameError, match="categories"):
        make("hierarchical", categorys=2)
    with pytest.raises(InputError, match="m is 0"):
        make(m=0)
    with pytest.raises(InputError, match="multiple of the 5"):
        make(m=5)
    with pytest.raises(InputError, match="categories 5"):
        make("hierarchical", categories=5)
