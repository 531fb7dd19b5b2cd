"""FAISS on one thread: on a busy machine its threads wait for each other longer than they work."""

import faiss
import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(before)
