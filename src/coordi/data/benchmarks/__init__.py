"""One reader per public benchmark, for the files as their authors publish them.

A photo whose file is missing stays in the collection and is told in `Collection.missing`: counts
are those of the authors' lists, and who measures counts it as a miss.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from coordi.data.benchmarks.consumer_to_shop import read_consumer_to_shop
from coordi.data.benchmarks.deepfashion2 import read_deepfashion2
from coordi.data.benchmarks.fashion_mnist import read_fashion_mnist
from coordi.data.benchmarks.in_shop import read_in_shop
from coordi.data.benchmarks.street2shop import read_street2shop
from coordi.data.collection import Collection

READERS: Mapping[str, Callable[[Path], Collection]] = {
    "deepfashion-in-shop": read_in_shop,
    "deepfashion-consumer-to-shop": read_consumer_to_shop,
    "deepfashion2": read_deepfashion2,
    "street2shop": read_street2shop,
    "fashion-mnist": read_fashion_mnist,
}
"""Readers by the benchmark's name; each takes the folder of the benchmark's files."""
