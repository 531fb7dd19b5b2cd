"""Catalogues and pictures in cloud stores."""

import gzip
import uuid

import fsspec
import pytest

from coordi.data.catalog import open_catalog
from coordi.data.download import Limits
from coordi.data.fetching import Fetcher
from coordi.data.remote import beside, is_remote
from coordi.errors import ImageError, MissingExtraError, NotFoundError
from coordi.types import Item, Problem
from pictureserver import jpeg


def put(**files: bytes):
    """Write files into a bucket of its own in memory; its address."""
    bucket = f"memory://{uuid.uuid4().hex}"
    for name, data in files.items():
        with fsspec.open(f"{bucket}/{name.replace('__', '/').replace('_', '.')}", "wb") as file:
            file.write(data)
    return bucket


@pytest.fixture
def fetcher(tmp_path):
    with Fetcher(tmp_path / "cache", limits=Limits(max_bytes=1 << 20)) as fetcher:
        yield fetcher


def test_pictures_beside_a_catalogue_and_elsewhere(fetcher):
    other = put(c_jpg=jpeg("blue"))
    feed = f"id,title,image\n1,Tee,pics/a.jpg\n2,Cap,{other}/c.jpg\n3,Sock,pics/none.jpg\n"
    bucket = put(shop__feed_csv=feed.encode(), shop__pics__a_jpg=jpeg())
    catalog = open_catalog(f"{bucket}/shop/feed.csv", fetch=fetcher)
    one, two, gone = catalog.rows()
    assert isinstance(one, Item)
    assert [item.image.path.read_bytes() for item in (one, two)] == [jpeg(), jpeg("blue")]
    assert isinstance(gone, Problem)
    assert f"{bucket}/shop/pics/none.jpg cannot be fetched: it is not there" in gone.reason
    assert catalog.source == f"{bucket}/shop/feed.csv"


def test_what_is_there_is_not_copied_again_but_the_catalogue_is(tmp_path):
    bucket = put(feed_csv=b"id,title,image\n1,Tee,a.jpg\n", a_jpg=jpeg())
    with Fetcher(tmp_path) as fetcher:
        list(open_catalog(f"{bucket}/feed.csv", fetch=fetcher).rows())
    memory = fsspec.filesystem("memory")
    memory.rm(f"{bucket}/a.jpg")
    memory.pipe(f"{bucket}/feed.csv", b"id,title,image\n1,Cap,a.jpg\n")
    with Fetcher(tmp_path) as fetcher:
        (item,) = open_catalog(f"{bucket}/feed.csv", fetch=fetcher).rows()
    assert (item.title, item.image.path.read_bytes()) == ("Cap", jpeg())


def test_several_files_of_a_catalogue(fetcher):
    bucket = put(p1_csv=b"id,title\n1,Tee\n", p2_csv=b"id,title\n2,Cap\n", x_txt=b"no")
    rows = open_catalog(f"{bucket}/p*.csv", fetch=fetcher).rows()
    assert [row.title for row in rows] == ["Tee", "Cap"]


def test_several_files_of_a_catalogue_are_those_that_are_there_now(tmp_path):
    """Of two folders' files of one name both, of all suffixes, and none that was removed."""
    bucket = put(a__p_csv=b"id,title\n1,Tee\n", b__p_csv=b"id,title\n2,Cap\n")
    memory = fsspec.filesystem("memory")
    memory.pipe(f"{bucket}/c/p.csv.gz", gzip.compress(b"id,title\n3,Sock\n"))
    with Fetcher(tmp_path / "of [all] shops") as fetcher:
        rows = list(open_catalog(f"{bucket}/*/p.csv*", fetch=fetcher).rows())
        assert [row.title for row in rows] == ["Tee", "Cap", "Sock"]
        memory.rm(f"{bucket}/b/p.csv")
        rows = list(open_catalog(f"{bucket}/*/p.csv*", fetch=fetcher).rows())
        assert [row.title for row in rows] == ["Tee", "Sock"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"<html>", "web page"), (b"", "it is empty"), (jpeg() + bytes(1 << 20), "larger than 1 MiB")],
    ids=["page", "empty", "large"],
)
def test_what_is_no_picture_is_not_kept(fetcher, data, reason):
    bucket = put(a_jpg=data)
    with pytest.raises(ImageError, match=reason):
        fetcher.path(f"{bucket}/a.jpg")
    assert not [path for path in fetcher.folder.glob("??/*") if path.is_file()]


def test_catalogues_that_are_not_there(fetcher):
    bucket = put()
    for name in ("none.csv", "none*.csv"):
        with pytest.raises(NotFoundError):
            open_catalog(f"{bucket}/{name}", fetch=fetcher)


def test_a_missing_package_is_named(fetcher, monkeypatch):
    def without(address):
        raise ImportError("Please install gcsfs")

    monkeypatch.setattr("fsspec.core.url_to_fs", without)
    with pytest.raises(MissingExtraError, match=r"coordi\[gcs\]"):
        fetcher.path("gs://bucket/a.jpg")
    with pytest.raises(MissingExtraError, match=r"coordi\[s3\]"):
        open_catalog("s3://bucket/feed.csv", fetch=fetcher)


@pytest.mark.parametrize(
    ("address", "remote"),
    [
        ("s3://b/a.jpg", True),
        ("GS://b/a.jpg", True),
        ("file:///etc/passwd", False),
        ("ssh://host/a.jpg", False),
        ("zip://a.jpg::s3://b/all.zip", False),
        ("s3://b/x::file:///etc/passwd", False),
        ("pics/a.jpg", False),
    ],
)
def test_a_catalogue_names_cloud_stores_only(address, remote):
    assert is_remote(address) is remote


def test_beside_a_catalogue_is_never_above_its_folder():
    assert beside("s3://b/x/feed.csv", "a.jpg") == "s3://b/x/a.jpg"
    assert beside("s3://b/x/feed.csv", "pics\\a.jpg") == "s3://b/x/pics/a.jpg"
    assert beside("s3://b/x/feed.csv", "../../other/a.jpg") == "s3://b/x/other/a.jpg"


@pytest.fixture
def s3(monkeypatch):
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0)
    pytest.importorskip("s3fs")
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    yield fsspec.filesystem("s3")
    fsspec.filesystem("s3").clear_instance_cache()
    server.stop()


@pytest.mark.filterwarnings("ignore")  # moto's and botocore's own
def test_a_catalogue_in_s3_with_its_pictures(s3, fetcher):
    s3.mkdir("shop")
    s3.pipe(
        "shop/2026/feed.csv", b"id,title,image\n1,Tee,a.jpg\n2,Cap,s3://shop/b.jpg\n3,No,c.jpg\n"
    )
    s3.pipe("shop/2026/a.jpg", jpeg())
    s3.pipe("shop/b.jpg", jpeg("blue"))
    one, two, gone = open_catalog("s3://shop/2026/feed.csv", fetch=fetcher).rows()
    assert [row.image.path.read_bytes() for row in (one, two)] == [jpeg(), jpeg("blue")]
    assert "s3://shop/2026/c.jpg cannot be fetched: it is not there" in gone.reason
