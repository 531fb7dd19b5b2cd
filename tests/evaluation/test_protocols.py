from coordi.data.benchmarks import READERS
from coordi.evaluation.protocols import PROTOCOLS, protocol_of, published_numbers


def test_protocols_are_of_benchmarks_that_can_be_read():
    assert set(PROTOCOLS) <= set(READERS)
    assert protocol_of("street2shop").ks[-1] == 20
    assert protocol_of("my-own").ks == (1, 10)


def test_published_numbers_name_a_metric_that_is_printed():
    found = [entry for name in READERS for entry in published_numbers(name)]
    assert found
    for entry in found:
        assert entry.metric in {f"R@{k}" for k in protocol_of(entry.protocol).ks}
        assert 0 < entry.value < 1
        assert entry.source
    assert published_numbers("my-own") == []
