"""Pictures by address: what comes, what does not and why, and what is never asked."""

import errno
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import write_rows
from coordi.data.addresses import is_public, web_address
from coordi.data.catalog import open_catalog
from coordi.data.download import Limits
from coordi.data.fetching import Fetcher
from coordi.data.remote import shown
from coordi.errors import CatalogError, ImageError, StoreError
from coordi.types import Item, Problem
from pictureserver import jpeg, serving

QUICK = Limits(
    connect_seconds=5, seconds=10, idle_seconds=5, max_bytes=1 << 20, backoff=0.001, longest_wait=1
)


@pytest.fixture(scope="module")
def server():
    with serving() as server:
        yield server


@pytest.fixture
def fetcher(tmp_path, server):
    server.asked.clear()
    with Fetcher(tmp_path / "cache", private=True, limits=QUICK) as fetcher:
        yield fetcher


def files(cache: Path) -> list[Path]:
    """All that a cache holds, but for the lock of whoever uses it."""
    return [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_a_picture_comes_whole_and_coordi_says_who_asks(fetcher, server):
    path = fetcher.path(f"{server.url}/a.jpg")
    assert path.read_bytes() == jpeg()
    assert server.headers["User-Agent"].startswith("coordi")
    assert files(fetcher.folder) == [path]


@pytest.mark.parametrize(
    ("path", "requests", "reason"),
    [
        ("status/404/9", 1, "the server answered 404 Not Found"),
        ("status/500/9", 4, "the server answered 500 Internal Server Error, 4 times"),
        ("wait/3600", 1, "429 Too Many Requests and asks to wait 3,600 s; run again later"),
        ("wait/Fri, 01 Jan 2100 00:00:00 GMT", 1, "asks to wait"),
        ("html", 1, "the server sent a web page instead of a picture"),
        ("svg", 1, "an SVG drawing"),
        ("empty", 1, "an empty file"),
        ("again/6", 1, "redirected more than 5 times"),
        ("file", 1, "file: addresses are not fetched, only http and https"),
        ("endless", 1, "larger than 1 MiB; it was not read to its end"),
        ("bomb", 1, "larger than 1 MiB; it was not read to its end"),
        ("cut/9", 4, "the connection ended before the picture did"),
    ],
)
def test_what_does_not_come_says_why(fetcher, server, path, requests, reason):
    address = f"{server.url}/{path}"
    for _ in range(2):  # a failure is remembered
        with pytest.raises(ImageError, match="cannot be fetched") as failed:
            fetcher.path(address)
        assert reason in str(failed.value)
        assert server.url in str(failed.value)
    assert server.asked[str(web_address(address).raw_path, "ascii")] == requests
    assert not files(fetcher.folder)


@pytest.mark.parametrize(
    "path", ["status/500/2", "status/503/3", "status/429/1", "cut/1", "again/4", "packed"]
)
def test_what_fails_for_a_while_comes(fetcher, server, path):
    assert fetcher.path(f"{server.url}/{path}").read_bytes() == jpeg()


def test_a_picture_that_trickles_is_given_up(tmp_path, server):
    limits = Limits(seconds=0.2, backoff=0.001)
    with (
        Fetcher(tmp_path, private=True, limits=limits) as fetcher,
        pytest.raises(ImageError, match="took too long"),
    ):
        fetcher.path(f"{server.url}/slow")


def test_a_host_that_trickles_is_not_asked_for_ever(tmp_path, server):
    server.asked.clear()
    limits = Limits(seconds=0.2, backoff=0.001, dead_after=3, per_host=1)
    with Fetcher(tmp_path, private=True, limits=limits) as fetcher:
        reasons = []
        for number in range(5):
            with pytest.raises(ImageError) as failed:
                fetcher.path(f"{server.url}/slow/{number}")
            reasons.append(str(failed.value))
    assert "took too long" in reasons[2]
    assert "did not answer 3 times in a row, lastly: took too long; it is not asked" in reasons[3]
    assert server.asked.total() <= 3


def test_an_answer_of_any_kind_ends_a_row_of_failures(tmp_path, server):
    limits = Limits(seconds=0.5, backoff=0.001, dead_after=2, per_host=1)
    with Fetcher(tmp_path, private=True, limits=limits) as fetcher:
        for name in ("slow/a", "status/404/9", "slow/b", "html/a"):
            with pytest.raises(ImageError):
                fetcher.path(f"{server.url}/{name}")
        assert fetcher.path(f"{server.url}/a.jpg")


def test_all_that_wait_for_a_host_let_it_rest(tmp_path, server):
    """Also pictures that stood in the queue before the server asked for a pause."""
    server.asked.clear()
    server.pause = 0.02
    limits = Limits(per_host=2, longest_wait=5)
    with Fetcher(tmp_path, private=True, limits=limits) as fetcher:
        fetcher.want(f"{server.url}/rest/1")
        others = [f"{server.url}/resting-{number}.jpg" for number in range(20)]
        for address in others:
            fetcher.want(address)
        fetcher.path(f"{server.url}/rest/1")
        rested = server.asked_at["/rest/1"][0] + 0.9
        early = [
            path
            for path, at in server.asked_at.items()
            if path.startswith("/resting") and at[0] < rested
        ]
        for address in others:
            fetcher.path(address)
    server.pause = 0
    assert len(early) < 10  # those that were asked for beside it; by the clock one or two


@pytest.mark.parametrize("where", ["http://h.example:99999999/a.jpg", "http://[::1"])
def test_a_redirect_to_what_is_no_address(fetcher, server, where):
    with pytest.raises(ImageError, match=r"cannot be fetched: .*(no|not a) "):
        fetcher.path(f"{server.url}/where?{where}")


def test_a_host_that_is_not_there_is_not_asked_for_ever(tmp_path):
    tried = []

    async def nowhere(host, port):
        tried.append(host)
        raise OSError("no such name")

    limits = Limits(tries=2, backoff=0.001, dead_after=3, per_host=1)
    with Fetcher(tmp_path, limits=limits, resolver=nowhere) as fetcher:
        reasons = []
        for number in range(9):
            with pytest.raises(ImageError) as failed:
                fetcher.path(f"http://gone.example/{number}.jpg")
            reasons.append(str(failed.value))
    assert "the name gone.example is not known (no such name)" in reasons[0]
    assert (
        "gone.example did not answer 3 times in a row, lastly: no connection: the " in reasons[-1]
    )
    assert len(tried) == 3


def test_each_address_is_asked_once_and_never_again(tmp_path, server):
    server.asked.clear()
    address = f"{server.url}/once.jpg"
    with Fetcher(tmp_path, private=True, limits=QUICK) as fetcher:
        for spelling in (address, f"{address}#top", f" {address}", address):
            fetcher.want(spelling)
        first = fetcher.path(address)
        assert fetcher.path(f"{address}#top") == first
        assert list(fetcher.remarks()) == [f"1 pictures were fetched into {tmp_path}"]
    with Fetcher(tmp_path, private=True, limits=QUICK) as fetcher:
        assert fetcher.path(address) == first
        assert "1 were there already" in next(fetcher.remarks())
        assert fetcher._thread is None  # so no connection either
    assert server.asked == {"/once.jpg": 1}


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("red dress.jpg", "/red%20dress.jpg"),
        ("été/赤い.jpg?v=1 2", None),
        ("a%20b.jpg", "/a%20b.jpg"),
    ],
)
def test_blanks_and_letters_of_any_alphabet(fetcher, server, path, asked):
    assert fetcher.path(f"{server.url}/{path}").read_bytes() == jpeg()
    if asked:
        assert set(server.asked) == {asked}


def test_an_address_without_scheme_is_https():
    assert str(web_address("//cdn.example/a b.jpg#x")) == "https://cdn.example/a%20b.jpg"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("ftp://h.example/a.jpg", "ftp: addresses are not fetched"),
        ("https:///a.jpg", "names no host"),
        ("https://me:secret@h.example/a.jpg", "name or password"),
        ("https://h.example:99999/a.jpg", "not a web address"),
        ("https://h\x00.example/a.jpg", "not a web address"),
    ],
)
def test_what_is_no_address(fetcher, address, reason):
    with pytest.raises(ImageError, match=reason) as failed:
        fetcher.path(address)
    assert "secret" not in str(failed.value)


@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://h.example/", "//"]))
def test_any_text_is_an_address_or_an_image_error(text, start):
    try:
        url = web_address(start + text)
    except ImageError:
        return
    assert url.scheme in ("http", "https")
    assert url.host
    assert not url.userinfo


def test_messages_hide_passwords_and_are_short():
    assert shown("https://me:secret@h.example/a.jpg") == "https://h.example/a.jpg"
    assert len(shown("https://h.example/" + "a" * 500)) == 81


# --- what is never asked


@pytest.mark.parametrize(
    "numeric",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:c0a8:101::", "2001::1"),
        "no address",
    ],
)
def test_addresses_that_are_not_of_the_open_internet(numeric):
    assert not is_public(numeric)


@pytest.mark.parametrize(
    "numeric",
    ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_addresses_of_the_open_internet(numeric):
    assert is_public(numeric)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "shop.localhost", "LOCALHOST.", "[::1]", "[::ffff:127.0.0.1]"),
        *("2130706433", "0x7f.1", "127.1"),
    ],
)
def test_this_machine_is_never_asked(tmp_path, server, host):
    server.asked.clear()
    with (
        Fetcher(tmp_path, limits=QUICK) as fetcher,
        pytest.raises(ImageError, match=r"open internet.*--fetch-private"),
    ):
        fetcher.path(f"http://{host}:{server.server_port}/a.jpg")
    assert not server.asked


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["8.8.8.8", "10.0.0.7"], ["::ffff:127.0.0.1"]])
def test_a_name_with_any_private_address_is_refused(tmp_path, server, answers):
    server.asked.clear()

    async def lying(host, port):
        return answers

    with (
        Fetcher(tmp_path, limits=QUICK, resolver=lying) as fetcher,
        pytest.raises(ImageError, match=r"pictures\.example .* is no address of the open internet"),
    ):
        fetcher.path(f"http://pictures.example:{server.server_port}/a.jpg")
    assert not server.asked


@pytest.mark.parametrize("target", ["127.0.0.1", "169.254.169.254", "localhost", "inner.example"])
def test_redirects_into_the_own_network_are_refused(tmp_path, server, monkeypatch, target):
    server.asked.clear()

    async def answers(host, port):
        return ["127.0.0.1"] if host != "inner.example" else ["10.0.0.1"]

    # The server under test is itself in this machine: its address alone passes for a public one.
    public = is_public

    def passing(numeric):
        return (numeric == "127.0.0.1" and target != "127.0.0.1") or public(numeric)

    monkeypatch.setattr("coordi.data.addresses.is_public", passing)
    if target == "127.0.0.1":
        monkeypatch.setattr("coordi.data.addresses.is_public", _public_at_first())
    with (
        Fetcher(tmp_path, limits=QUICK, resolver=answers) as fetcher,
        pytest.raises(ImageError, match=f"redirected to http://{target}/latest: .*open internet"),
    ):
        fetcher.path(f"http://cdn.example:{server.server_port}/to/{target}/latest")
    assert list(server.asked) == [f"/to/{target}/latest"]


def _public_at_first():
    seen = []

    def passing(numeric):
        seen.append(numeric)
        return len(seen) == 1

    return passing


def test_the_connection_goes_to_the_address_that_was_looked_at(tmp_path, server, monkeypatch):
    """A name that means another address a moment later (DNS rebinding) is not asked for again."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def rebinding(host, port):
        return next(answers)

    monkeypatch.setattr("coordi.data.addresses.is_public", lambda numeric: numeric == "127.0.0.1")
    with Fetcher(tmp_path, limits=QUICK, resolver=rebinding) as fetcher:
        for name in "ab":
            address = f"http://cdn.example:{server.server_port}/{name}.jpg"
            assert fetcher.path(address).read_bytes() == jpeg()
    assert server.headers["Host"] == f"cdn.example:{server.server_port}"
    assert next(answers) == ["10.0.0.1"]


def test_proxies_of_the_environment_are_not_used(tmp_path, server, monkeypatch):
    """They would resolve names themselves, behind the guard."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with Fetcher(tmp_path, private=True, limits=QUICK) as fetcher:
        assert fetcher.path(f"{server.url}/a.jpg")
        assert "HTTP_PROXY" not in "".join(fetcher.remarks())
        with pytest.raises(ImageError):
            fetcher.path(f"{server.url}/status/404/9")
        assert "the proxy of HTTP_PROXY was not used" in list(fetcher.remarks())[1]


# --- catalogues


def catalog_of(folder: Path, addresses: list[str]) -> Path:
    rows = [{"id": n, "title": "Tee", "image": cell} for n, cell in enumerate(addresses)]
    write_rows(folder / "feed.csv", rows)
    return folder / "feed.csv"


def test_rows_keep_their_order_and_few_are_asked_at_once(tmp_path, server):
    server.pause, server.most_at_once = 0.005, 0
    path = catalog_of(tmp_path, [f"{server.url}/{n}.jpg" for n in range(40)])
    with Fetcher(tmp_path / "cache", private=True, limits=QUICK) as fetcher:
        rows = list(open_catalog(path, fetch=fetcher).rows())
    server.pause = 0
    assert [row.id for row in rows] == [str(n) for n in range(40)]
    assert 1 < server.most_at_once <= QUICK.per_host
    assert all(row.image.path.is_relative_to(tmp_path / "cache") for row in rows)


def test_each_failure_is_a_row_and_a_further_pictures_leaves_the_item_in(fetcher, server, tmp_path):
    cells = [
        f"{server.url}/status/404/1,{server.url}/b.jpg",
        f"{server.url}/a.jpg,{server.url}/html/2",
        f"{server.url}/html/1",
    ]
    catalog = open_catalog(catalog_of(tmp_path, cells), fetch=fetcher)
    rows = list(catalog.rows())
    assert [row.id for row in rows if isinstance(row, Item)] == ["0", "1"]
    first, second, third = (row for row in rows if isinstance(row, Problem))
    assert "1 of 2 pictures not used" in first.reason
    assert "404" in first.reason
    assert (first.rows, second.rows, third.rows) == (0, 0, 1)
    assert re.fullmatch(
        rf"image {server.url}/html/1 cannot be fetched: the server sent a web page instead of a "
        "picture",
        third.reason,
    )
    assert (third.origin.line, third.column) == (4, "image")
    assert "3 could not be fetched" in catalog.remarks()[-1]


def test_files_given_for_addresses_are_not_fetched(fetcher, server, tmp_path):
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "a.jpg").write_bytes(jpeg("blue"))
    path = catalog_of(tmp_path, [f"{server.url}/a.jpg", f"{server.url}/b.jpg"])
    rows = list(open_catalog(path, images=tmp_path / "pics", fetch=fetcher).rows())
    assert rows[0].image.path == tmp_path / "pics" / "a.jpg"
    assert set(server.asked) == {"/b.jpg"}


def test_without_fetching_the_message_says_how(tmp_path):
    (row,) = open_catalog(catalog_of(tmp_path, ["https://cdn.example/a.jpg"])).rows()
    assert "the image is a URL (https://cdn.example/a.jpg): give --fetch" in row.reason


def test_a_catalogue_by_address_is_copied_and_guarded(tmp_path, server, monkeypatch):
    address = f"{server.url}/feed.csv"
    with (
        Fetcher(tmp_path, limits=QUICK) as fetcher,
        pytest.raises(CatalogError, match="open internet"),
    ):
        open_catalog(address, fetch=fetcher)
    feed = f"id,title,image\n1,Tee,{server.url}/a.jpg\n".encode()
    monkeypatch.setattr("pictureserver.jpeg", lambda: feed)
    with Fetcher(tmp_path, private=True, limits=QUICK) as fetcher:
        catalog = open_catalog(address, fetch=fetcher)
        monkeypatch.undo()
        (item,) = catalog.rows()
    assert (catalog.source, item.title) == (address, "Tee")


RUN = """
    import sys
    from coordi.data.catalog import open_catalog
    from coordi.data.fetching import Fetcher
    with Fetcher(sys.argv[2], private=True) as fetcher:
        rows = list(open_catalog(sys.argv[1], fetch=fetcher).rows())
    print([row.id for row in rows])
""".replace("sys.argv[2]", "__import__('pathlib').Path(sys.argv[2])")


def test_kill_9_leaves_whole_pictures_and_none_is_asked_again(tmp_path, server):
    server.asked.clear()
    server.pause = 0.005
    path = catalog_of(tmp_path, [f"{server.url}/{n}.jpg" for n in range(120)])
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", textwrap.dedent(RUN), str(path), str(cache)]

    def there() -> list[Path]:
        return [file for file in cache.glob("??/*") if file.is_file()]

    def unfinished() -> list[Path]:
        return [file for file in cache.glob("parts/**/*") if file.is_file()]

    server.halt = 0.005
    for wanted in (20, 60):
        process = subprocess.Popen(command, process_group=0)
        while len(there()) < wanted:
            assert process.poll() is None
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert all(file.read_bytes() == jpeg() for file in there())
        assert unfinished()
    server.pause = server.halt = 0
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str([str(n) for n in range(120)])
    assert len(there()) == 120
    assert not unfinished()
    # Only what was under way when the process was killed is asked again.
    again = {path: count for path, count in server.asked.items() if count > 1}
    assert len(again) <= 2 * QUICK.per_host
    assert len(server.asked) == 120


def test_what_a_living_process_writes_is_not_tidied_away(tmp_path, server):
    with Fetcher(tmp_path, private=True, limits=QUICK) as one:
        one.want(f"{server.url}/slow/living")
        while not files(tmp_path):
            time.sleep(0.001)
        with Fetcher(tmp_path, private=True, limits=QUICK) as other:
            other.path(f"{server.url}/other.jpg")
        assert [path for path in files(tmp_path) if "parts" in path.parts]
    assert not [path for path in tmp_path.glob("parts/**/*") if path.is_file()]


@pytest.mark.parametrize("store", ["web", "memory"])
def test_a_cache_that_cannot_be_written_to_stops_the_run(tmp_path, server, monkeypatch, store):
    """Each further picture would be asked for and lost."""
    addresses = [f"{server.url}/full-{number}.jpg" for number in range(60)]
    if store == "memory":
        fsspec.filesystem("memory").pipe("memory://full/a.jpg", jpeg())
        addresses = ["memory://full/a.jpg"]
    server.asked.clear()
    opened = Path.open

    def full(self, *arguments, **options):
        if "parts" in self.parts:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", full)
    with Fetcher(tmp_path / "cache", private=True, limits=QUICK) as fetcher:
        for one in addresses:
            fetcher.want(one)
        with pytest.raises(StoreError, match=r"cannot write to .*cache: No space left on device"):
            fetcher.path(addresses[-1])
    assert server.asked.total() <= 2 * QUICK.per_host


def test_ctrl_c_stops_at_once(tmp_path, server):
    path = catalog_of(tmp_path, [f"{server.url}/slow/{n}" for n in range(20)])
    command = [sys.executable, "-c", textwrap.dedent(RUN), str(path), str(tmp_path / "cache")]
    server.asked.clear()
    process = subprocess.Popen(command, process_group=0, stderr=subprocess.DEVNULL)
    while not server.asked:
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == -signal.SIGINT  # long before the minute that each would take
