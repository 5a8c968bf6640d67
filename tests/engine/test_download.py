"""Downloads from servers that stall, cut, lie, move and change: the file is whole or not there, and parts are kept."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from moore_engine.data import catalogue, download, http_file
from moore_engine.data.download import Patience, fetch
from moore_engine.data.errors import DataError
from tests.engine.file_server import Exchange, FileServer, cut, serving, status, well

CONTENT = b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 1024
SHA = hashlib.sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)
HALF = SIZE // 2


class Told:
    """What was said and how far it came."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.seen: list[tuple[int, int | None]] = []

    def update(self, done: int, total: int | None = None) -> None:
        self.seen.append((done, total))

    def say(self, text: str) -> None:
        self.said.append(text)


def patient(**changes: Any) -> Patience:
    return Patience(**{"stall_s": 5.0, "tries": 3, "sleep": lambda seconds: None, **changes})


def bring(server: FileServer, target: Path, told: Told | None = None, **options: Any) -> bool:
    options = {"size": SIZE, "sha256": SHA, "patience": patient(), **options}
    return fetch(f"{server.url}/file.hdf5", target, told or Told(), **options)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "file.hdf5"


def test_a_file_comes_whole_and_nothing_else_is_left(target: Path) -> None:
    told = Told()
    with serving(well(CONTENT)) as server:
        assert bring(server, target, told)
    assert target.read_bytes() == CONTENT and left(target.parent) == ["file.hdf5"]
    assert told.said == [] and told.seen[-1] == (SIZE, SIZE)


def test_a_file_that_is_there_is_not_fetched_again(target: Path) -> None:
    with serving(well(CONTENT)) as server:
        bring(server, target)
        assert not bring(server, target)
        assert len(server.asked) == 1
        target.write_bytes(CONTENT[:-1] + b"x")
        with pytest.raises(DataError, match=r"is there but has the sha256 .* instead of .*: delete it"):
            bring(server, target)
    assert len(target.read_bytes()) == SIZE, "it is somebody's, so it stays"


def test_a_connection_that_is_cut_is_gone_on_with_from_there(target: Path) -> None:
    told = Told()
    with serving(well(CONTENT)) as server:
        server.script = [cut(CONTENT, HALF), cut(CONTENT, HALF + 1000)]
        assert bring(server, target, told)
        assert [asked for _, asked in server.asked] == [
            {},
            {"Range": f"bytes={HALF}-", "If-Range": '"one"'},
            {"Range": f"bytes={HALF + 1000}-", "If-Range": '"one"'},
        ]
    assert target.read_bytes() == CONTENT and len(told.said) == 2 and "trying again in" in told.said[0]


def test_a_part_of_an_earlier_call_is_gone_on_with(target: Path) -> None:
    with serving(well(CONTENT)) as server:
        server.script = [cut(CONTENT, HALF)]
        with pytest.raises(DataError, match=rf"in 1 tries .*; the {HALF:,} bytes that came are kept"):
            bring(server, target, patience=patient(tries=1))
        assert left(target.parent) == ["file.hdf5.part", "file.hdf5.part.json"]
        assert bring(server, target)
        assert server.asked[-1][1] == {"Range": f"bytes={HALF}-", "If-Range": '"one"'}
    assert target.read_bytes() == CONTENT and left(target.parent) == ["file.hdf5"]


def test_a_part_that_is_whole_needs_no_more_of_the_server(target: Path) -> None:
    with serving(well(CONTENT)) as server:
        server.script = [cut(CONTENT, HALF)]
        with pytest.raises(DataError):
            bring(server, target, patience=patient(tries=1))
        target.with_name("file.hdf5.part").write_bytes(CONTENT)
        assert bring(server, target) and len(server.asked) == 1
        target.with_name("other.hdf5.part").write_bytes(CONTENT)
        note = {"url": f"{server.url}/other.hdf5", "validator": '"one"', "total": None}
        target.with_name("other.hdf5.part.json").write_text(json.dumps(note))
        other = target.with_name("other.hdf5")
        assert fetch(note["url"], other, Told(), patience=patient()), "of unknown length: the server answers 416"
    assert other.read_bytes() == CONTENT


def test_a_server_without_ranges_begins_anew(target: Path) -> None:
    def whole(exchange: Exchange) -> None:
        exchange.reply(200, Content_Length=SIZE)
        exchange.send(CONTENT)

    with serving(whole) as server:
        server.script = [cut(CONTENT, HALF)]
        assert bring(server, target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_changes_between_its_parts_is_fetched_anew(target: Path, known: bool) -> None:
    new = CONTENT[:8] + CONTENT[8:][::-1]
    facts = {"sha256": hashlib.sha256(new).hexdigest(), "size": SIZE} if known else {"sha256": None, "size": None}
    with serving(well(new, etag='"two"')) as server:
        server.script = [cut(CONTENT, HALF)]
        assert bring(server, target, **facts)
        assert server.asked[-1][1]["If-Range"] == '"one"'
    assert target.read_bytes() == new


@pytest.mark.parametrize("changed", ["etag", "length"])
def test_a_server_that_minds_no_if_range_cannot_mix_two_versions(target: Path, changed: str) -> None:
    new = CONTENT[:8] + CONTENT[8:][::-1] + (b"longer" if changed == "length" else b"")
    etag = '"two"' if changed == "etag" else '"one"'

    def careless(exchange: Exchange) -> None:
        start = exchange.start
        span = {"Content_Range": f"bytes {start}-{len(new) - 1}/{len(new)}"} if start else {}
        exchange.reply(206 if start else 200, Content_Length=len(new) - start, ETag=etag, **span)
        exchange.send(new[start:])

    told = Told()
    with serving(careless) as server:
        server.script = [cut(CONTENT, HALF)]
        assert bring(server, target, told, sha256=None, size=None)
    assert target.read_bytes() == new and any("has changed" in text for text in told.said)


def test_a_file_that_has_become_shorter_is_fetched_anew(target: Path) -> None:
    new = CONTENT[: HALF - 100]
    told = Told()
    with serving(well(new, etag='"one"')) as server:
        server.script = [cut(CONTENT, HALF)]
        assert bring(server, target, told, sha256=None, size=None)
    assert target.read_bytes() == new and any("has changed" in text for text in told.said)


def test_a_part_of_no_known_version_is_not_gone_on_with(target: Path) -> None:
    def nameless(exchange: Exchange) -> None:
        exchange.reply(200, Content_Length=SIZE)
        exchange.send(CONTENT[:HALF] if len(exchange.server.asked) == 1 else CONTENT)

    with serving(nameless) as server:
        assert bring(server, target, sha256=None)
        assert [asked for _, asked in server.asked] == [{}, {}]
    with serving(nameless) as server:
        assert bring(server, target.with_name("b.hdf5")), "a checksum shows whether the parts fit together"
        assert [asked for _, asked in server.asked] == [{}, {"Range": f"bytes={HALF}-"}]


def test_another_part_than_was_asked_for_is_not_taken(target: Path) -> None:
    def shifted(exchange: Exchange) -> None:
        start = exchange.start + 10
        span = f"bytes {start}-{SIZE - 1}/{SIZE}"
        exchange.reply(206, Content_Length=SIZE - start, Content_Range=span, ETag='"one"')
        exchange.send(CONTENT[start:])

    told = Told()
    with serving(well(CONTENT)) as server:
        server.script = [cut(CONTENT, HALF), shifted]
        assert bring(server, target, told, sha256=None)
    assert target.read_bytes() == CONTENT and any("another part" in text for text in told.said)


def test_parts_of_two_versions_that_only_the_checksum_tells_apart_are_fetched_anew(target: Path) -> None:
    told = Told()
    with serving(well(CONTENT)) as server:
        target.parent.mkdir()
        target.with_name("file.hdf5.part").write_bytes(CONTENT[:8] + bytes(HALF))
        note = {"url": f"{server.url}/file.hdf5", "validator": "", "total": SIZE}
        target.with_name("file.hdf5.part.json").write_text(json.dumps(note))
        assert bring(server, target, told)
    assert target.read_bytes() == CONTENT and "file.hdf5: its parts do not fit together; fetching it anew" in told.said


@pytest.mark.parametrize("note", ["{}", "[1]", "no json", '{"url": "http://elsewhere/", "validator": "", "total": 3}'])
def test_a_part_without_a_good_note_is_dropped(target: Path, note: str) -> None:
    target.parent.mkdir()
    target.with_name("file.hdf5.part").write_bytes(b"something else")
    target.with_name("file.hdf5.part.json").write_text(note)
    with serving(well(CONTENT)) as server:
        assert bring(server, target)
        assert server.asked == [("/file.hdf5", {})]


def test_a_part_from_one_mirror_is_gone_on_with_from_another(target: Path) -> None:
    with serving(cut(CONTENT, HALF)) as first, serving(well(CONTENT, etag='"theirs"')) as second:
        with pytest.raises(DataError):
            bring(first, target, patience=patient(tries=1))
        assert bring(second, target)
        assert second.asked == [("/file.hdf5", {"Range": f"bytes={HALF}-"})]
    assert target.read_bytes() == CONTENT


def test_a_stalled_connection_is_given_up_and_gone_on_with(target: Path) -> None:
    told = Told()

    def stall(exchange: Exchange) -> None:
        exchange.reply(200, Content_Length=SIZE, ETag='"one"')
        exchange.send(CONTENT[:HALF])
        exchange.server.hold.wait(30)

    with serving(well(CONTENT)) as server:
        server.script = [stall]
        assert bring(server, target, told, patience=patient(stall_s=0.2))
        assert server.asked[-1][1]["Range"] == f"bytes={HALF}-"
    assert "no answer in time" in told.said[0]


def test_a_server_that_takes_the_request_and_says_nothing_is_asked_again(target: Path) -> None:
    with serving(well(CONTENT)) as server:
        server.script = [lambda exchange: exchange.server.hold.wait(30) and None, lambda exchange: None]
        assert bring(server, target, patience=patient(stall_s=0.2))
        assert len(server.asked) == 3


def test_a_trickle_is_a_stall(target: Path) -> None:
    told = Told()

    def trickle(exchange: Exchange) -> None:
        exchange.reply(200, Content_Length=SIZE, ETag='"one"')
        exchange.send(CONTENT[:HALF])
        for at in range(HALF, HALF + 100):
            exchange.send(CONTENT[at : at + 1])
            if exchange.server.hold.wait(0.02):
                return

    with serving(well(CONTENT)) as server:
        server.script = [trickle]
        assert bring(server, target, told, patience=patient(stall_s=0.15))
    assert target.read_bytes() == CONTENT and "bytes came in" in told.said[0]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (404, "answers 404 Not Found: it has moved or never was there; use another server"),
        (403, "answers 403 Forbidden: it does not give the file away"),
        (401, "answers 401 Unauthorized"),
    ],
)
def test_a_refusal_is_final(target: Path, code: int, said: str) -> None:
    with serving(status(code)) as server:
        with pytest.raises(DataError, match=said):
            bring(server, target)
        assert len(server.asked) == 1
    assert left(target.parent) == []


def test_a_busy_server_is_asked_again_later_and_as_late_as_it_wants(target: Path) -> None:
    waits: list[float] = []
    with serving(well(CONTENT)) as server:
        server.script = [status(503, Retry_After=7), status(500), status(429)]
        assert bring(server, target, patience=patient(tries=4, sleep=waits.append))
    assert waits == [7.0, 2.0, 4.0]


def test_after_a_few_failures_in_a_row_it_gives_up(target: Path) -> None:
    waits: list[float] = []
    said = r"could not be fetched in 5 tries \(the server answers 500 .*\)\.$"
    with serving(status(500)) as server, pytest.raises(DataError, match=said):
        bring(server, target, patience=patient(tries=5, sleep=waits.append))
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_a_file_that_advances_never_runs_out_of_tries(target: Path) -> None:
    step = SIZE // 10

    def piecewise(exchange: Exchange) -> None:
        cut(CONTENT, exchange.start + step)(exchange)

    with serving(piecewise) as server:
        assert bring(server, target, patience=patient(tries=2, advance=step))
        with pytest.raises(DataError, match="in 2 tries"):
            bring(server, target.with_name("other.hdf5"), patience=patient(tries=2))


@pytest.mark.parametrize("size", [SIZE, None])
def test_a_server_that_promises_more_than_it_has_is_found_out(target: Path, size: int | None) -> None:
    def liar(exchange: Exchange) -> None:
        if exchange.start >= SIZE:
            exchange.reply(416, Content_Length=0)
            return
        exchange.reply(200, Content_Length=SIZE + 500)
        exchange.send(CONTENT)

    said = rf"has {SIZE + 500:,} bytes and the file that is wanted {SIZE:,}" if size else "in 3 tries"
    with serving(liar) as server, pytest.raises(DataError, match=said):
        bring(server, target, size=size, sha256=None)
    assert not target.exists()


def test_a_server_that_promises_less_than_it_has_is_refused(target: Path) -> None:
    def liar(exchange: Exchange) -> None:
        exchange.reply(200, Content_Length=HALF)
        exchange.send(CONTENT)

    with serving(liar) as server:
        with pytest.raises(DataError, match=f"has {HALF:,} bytes and the file that is wanted {SIZE:,}"):
            bring(server, target)
        assert left(target.parent) == []
        with pytest.raises(DataError, match=r"what came from .* has the sha256 .*: the server has another file"):
            bring(server, target, size=None)
        assert left(target.parent) == []


def chunked(exchange: Exchange, content: bytes, end: bool = True) -> None:
    exchange.reply(200, Transfer_Encoding="chunked")
    for at in range(0, len(content), 10_000):
        piece = content[at : at + 10_000]
        exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    if end:
        exchange.send(b"0\r\n\r\n")


def test_a_length_that_nobody_tells_is_found_out_at_the_end(target: Path) -> None:
    with serving(functools.partial(chunked, content=CONTENT)) as server:
        assert bring(server, target, size=None, sha256=None)
        assert target.read_bytes() == CONTENT
        with pytest.raises(DataError, match=f"sends more than the {SIZE - 1:,} bytes it should"):
            bring(server, target.with_name("b.hdf5"), size=SIZE - 1)
    with (
        serving(functools.partial(chunked, content=CONTENT, end=False)) as server,
        pytest.raises(DataError, match="in 3 tries"),
    ):
        bring(server, target.with_name("c.hdf5"), size=None, sha256=None)
    assert not target.with_name("c.hdf5").exists()


def test_a_web_page_in_the_files_place_is_named(target: Path) -> None:
    page = b"<!doctype html><html>Please log in</html>"
    with serving(well(page)) as server:
        with pytest.raises(DataError, match="use another server"):
            bring(server, target)
        with pytest.raises(DataError, match=r"is not an HDF5 file, it begins with b'<!doctype html>"):
            bring(server, target, size=None, sha256=None)
    assert not target.exists()


def test_a_wrong_checksum_leaves_nothing(target: Path) -> None:
    with serving(well(CONTENT[:-1] + b"?")) as server, pytest.raises(DataError, match="has the sha256"):
        bring(server, target)
    assert left(target.parent) == []


def test_a_compressed_answer_is_refused(target: Path) -> None:
    def zipped(exchange: Exchange) -> None:
        exchange.reply(200, Content_Length=3, Content_Encoding="gzip")
        exchange.send(b"abc")

    with serving(zipped) as server, pytest.raises(DataError, match="comes gzip-encoded"):
        bring(server, target)


def test_redirects_are_followed_and_keep_the_range(target: Path) -> None:
    def elsewhere(exchange: Exchange) -> None:
        if exchange.path == "/file.hdf5":
            exchange.reply(302, Location="/moved.hdf5", Content_Length=0)
        else:
            well(CONTENT)(exchange)

    with serving(elsewhere) as server:
        server.script = [cut(CONTENT, HALF)]
        assert bring(server, target)
        assert server.asked[-1] == ("/moved.hdf5", {"Range": f"bytes={HALF}-", "If-Range": '"one"'})
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("file:///etc/passwd", "it does not give the file away"),
        ("ftp://127.0.0.1/file", "leads on to ftp://127.0.0.1/file, which is not safe to follow"),
        ("/file.hdf5", "it does not give the file away"),
    ],
)
def test_redirects_to_other_kinds_of_places_or_in_a_circle_are_not_followed(
    target: Path, place: str, said: str
) -> None:
    with serving(status(302, Location=place)) as server, pytest.raises(DataError, match=said):
        bring(server, target)
    assert not target.exists()


def test_an_encrypted_connection_is_not_given_up_by_a_redirect() -> None:
    asked = urllib.request.Request("https://one.example/file")
    with pytest.raises(DataError, match="not safe to follow"):
        http_file._Redirects().redirect_request(asked, None, 302, "", {}, "http://one.example/file")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/x", "host/x", "http:///x", "http://h:x/", "http://h/\n"]
)
def test_only_http_addresses_are_taken(target: Path, url: str) -> None:
    with pytest.raises(DataError, match="is no http or https address"):
        fetch(url, target, Told(), patience=patient())


def closed_port() -> str:
    with serving(status(500)) as server:
        return server.url


def test_without_a_network_the_file_to_bring_by_hand_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    monkeypatch.setenv("MOORE_D4RL_URL", closed_port())
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    waits: list[float] = []
    with pytest.raises(DataError) as caught:
        download.d4rl("hopper-medium-replay-v0", Told(), patient(sleep=waits.append))
    place = tmp_path / "moore-console" / "datasets" / "hopper_medium_replay-v0.hdf5"
    assert "cannot be reached (connection refused): fetch" in str(caught.value)
    assert f"gym_mujoco/hopper_mixed.hdf5 (11.0 MB) where there is a network, and put it at {place}." in str(
        caught.value
    )
    with pytest.raises(DataError, match=r"fetch the folder hopper/medium-v0 of https.*/mujoco where .*, and put it at"):
        download.minari("mujoco/hopper/medium-v0", Told(), patient(sleep=waits.append))
    assert waits == [], "it says so at once"


def test_a_network_that_goes_away_half_way_is_tried_again(target: Path) -> None:
    told = Told()
    with serving(cut(CONTENT, HALF)) as server:
        url = f"{server.url}/file.hdf5"

        def gone(seconds: float) -> None:
            server.shutdown()
            server.server_close()

        with pytest.raises(DataError, match=r"in 3 tries .*kept"):
            fetch(url, target, told, SIZE, SHA, patient(sleep=gone))
    assert "cannot be reached" in told.said[-1]


def test_two_downloads_of_one_file_fetch_it_once(target: Path) -> None:
    began, told = threading.Event(), Told()

    def slow(exchange: Exchange) -> None:
        began.set()
        exchange.server.hold.wait(30)
        well(CONTENT)(exchange)

    with serving(slow) as server:
        came: list[bool] = []
        first = threading.Thread(target=lambda: came.append(bring(server, target)))
        second = threading.Thread(target=lambda: came.append(bring(server, target, told)))
        first.start()
        assert began.wait(10)
        second.start()
        while not told.said:
            second.join(0.01)
        server.hold.set()
        first.join()
        second.join()
        assert sorted(came) == [False, True] and len(server.asked) == 1
    assert told.said == ["file.hdf5 is being downloaded already; waiting for it"]
    assert left(target.parent) == ["file.hdf5"]


def test_a_full_disk_is_said_before_or_when_it_fills_and_what_came_is_kept(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(well(CONTENT)) as server:
        usage = shutil.disk_usage(target.parents[1])
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
            with pytest.raises(DataError, match=r"has room for 0 MB and 0 MB are still to come: free some"):
                bring(server, target)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (HALF, hard))
        try:
            with pytest.raises(
                DataError, match=r"cannot be written to \(file too large\): make room.* bytes .* are kept"
            ):
                bring(server, target)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
        assert left(target.parent) == ["file.hdf5.part", "file.hdf5.part.json"]
        assert bring(server, target)
        assert server.asked[-1][1]["Range"] == f"bytes={HALF}-"
    assert target.read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with serving(well(CONTENT)) as server, pytest.raises(DataError, match="cannot be written to"):
        bring(server, tmp_path / "file" / "file.hdf5")


def official(monkeypatch: pytest.MonkeyPatch, name: str = "hopper-medium-v2") -> None:
    entry = catalogue.d4rl()[name]
    known = {name: catalogue.D4RL(name, entry.task, entry.source, entry.file, SIZE, SHA, entry.rows)}
    monkeypatch.setattr(catalogue, "d4rl", lambda: known)


@pytest.mark.parametrize("path", ["/gym_mujoco_v2/hopper_medium-v2.hdf5", "/hopper_medium-v2.hdf5"])
def test_a_mirror_may_have_folders_or_be_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    official(monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def mirror(exchange: Exchange) -> None:
        (well(CONTENT) if exchange.path == path else status(404))(exchange)

    with serving(mirror) as server:
        server.script = [lambda exchange: (cut(CONTENT, HALF) if exchange.path == path else status(404))(exchange)] * 2
        monkeypatch.setenv("MOORE_D4RL_URL", server.url + "/")
        found, came = download.d4rl("hopper-medium-v2", Told(), patient())
    assert came and found == tmp_path / "moore-console" / "datasets" / "hopper_medium-v2.hdf5"
    assert catalogue.cached("hopper-medium-v2") == found


METADATA = b'{"total_steps": 10}'


def minari_server(listing: list[dict[str, Any]] | None = None) -> Any:
    blob = hashlib.sha1(b"blob %d\0" % len(METADATA) + METADATA).hexdigest()
    listing = listing or [
        {"type": "directory", "path": "hopper/medium-v0/data", "oid": "x"},
        {"type": "file", "path": "hopper/medium-v0/data/main_data.hdf5", "size": SIZE, "oid": "y",
         "lfs": {"oid": SHA, "size": SIZE}},
        {"type": "file", "path": "hopper/medium-v0/data/metadata.json", "size": len(METADATA), "oid": blob},
        {"type": "file", "path": "hopper/medium-v0/README.md", "size": 3, "oid": "z"},
    ]  # fmt: skip

    def answer(exchange: Exchange) -> None:
        if exchange.path == "/api/datasets/farama-minari/mujoco/tree/main/hopper/medium-v0?recursive=true":
            well(json.dumps(listing).encode())(exchange)
        elif exchange.path.endswith("/resolve/main/hopper/medium-v0/data/metadata.json"):
            well(METADATA)(exchange)
        elif exchange.path.endswith("/datasets/farama-minari/mujoco/resolve/main/hopper/medium-v0/data/main_data.hdf5"):
            well(CONTENT)(exchange)
        else:
            status(401)(exchange)

    return answer


@pytest.fixture
def minari_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    return tmp_path / "minari"


def test_a_minari_set_appears_with_all_its_files(minari_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(minari_server()) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        folder, came = download.minari("mujoco/hopper/medium-v0", Told(), patient())
        assert came and folder == minari_root / "mujoco/hopper/medium-v0"
        assert not download.minari("mujoco/hopper/medium-v0", Told(), patient())[1]
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert files == {"data/main_data.hdf5": CONTENT, "data/metadata.json": METADATA}
    assert left(folder.parent) == ["medium-v0"]
    assert [each.name for each in catalogue.minari_sets()] == ["mujoco/hopper/medium-v0"]


def test_a_minari_set_that_stops_half_way_is_not_seen_and_gone_on_with(
    minari_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = minari_server()
    with serving(whole) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.script = [whole, whole, cut(CONTENT, HALF)]
        with pytest.raises(DataError, match="kept"):
            download.minari("mujoco/hopper/medium-v0", Told(), patient(tries=1))
        assert list(catalogue.minari_sets()) == []
        assert download.minari("mujoco/hopper/medium-v0", Told(), patient())[1]
        assert server.asked[-1][1]["Range"] == f"bytes={HALF}-"
        assert len(server.asked) == 5, "the small file was there already"


@pytest.mark.parametrize("path", ["hopper/medium-v0/../../x", "/etc/passwd", "hopper/medium-v0/.hidden/x", "other/x"])
def test_a_server_cannot_write_outside_the_sets_folder(
    minari_root: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    with serving(minari_server([{"type": "file", "path": path, "size": 1, "oid": "x"}])) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        with pytest.raises(DataError, match="does not answer with a list of files"):
            download.minari("mujoco/hopper/medium-v0", Told(), patient())
    assert [path for path in minari_root.rglob("*") if path.is_file()] == []


def test_a_minari_set_that_does_not_exist_and_a_damaged_small_file_are_named(
    minari_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(minari_server()) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        with pytest.raises(DataError, match="there is no Minari set mujoco/hopper/best-v0 on http"):
            download.minari("mujoco/hopper/best-v0", Told(), patient())
    wrong = [{"type": "file", "path": "hopper/medium-v0/data/metadata.json", "size": len(METADATA), "oid": "0" * 40}]
    with serving(minari_server(wrong)) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        with pytest.raises(DataError, match="is not the file that the server lists"):
            download.minari("mujoco/hopper/medium-v0", Told(), patient())
    assert list(catalogue.minari_sets()) == []


def tool(server: FileServer, folder: Path, *names: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "MOORE_D4RL_URL": server.url, "XDG_CACHE_HOME": str(folder)}
    command = [sys.executable, "-m", "moore_engine.tools.data_download", *names]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_or_killed_download_is_gone_on_with(tmp_path: Path, number: int, code: int) -> None:
    entry, stopped = catalogue.d4rl()["hopper-medium-v2"], threading.Event()
    first = CONTENT[:HALF]

    def endless(exchange: Exchange) -> None:
        exchange.reply(200, Content_Length=entry.bytes, ETag='"one"')
        exchange.send(first)
        stopped.set()
        exchange.server.hold.wait(30)

    part = tmp_path / "moore-console" / "datasets" / "hopper_medium-v2.hdf5.part"
    with serving(endless) as server:
        process = tool(server, tmp_path, "hopper-medium-v2")
        assert stopped.wait(30)
        while not part.exists() or part.stat().st_size < HALF:
            assert process.poll() is None
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert process.returncode == code and out == "" and "Traceback" not in err
        if number == signal.SIGINT:
            assert err.endswith("interrupted: what has come is kept, and the same command goes on from there\n")
        server.otherwise, server.asked = status(404), []
        again = tool(server, tmp_path, "hopper-medium-v2")
        assert again.wait(30) == 2
        again.communicate()
        assert server.asked[0][1] == {"Range": f"bytes={HALF}-", "If-Range": '"one"'}
    assert part.read_bytes() == first


def test_the_tool_answers_with_the_path_or_one_sentence(tmp_path: Path) -> None:
    with serving(status(404)) as server:
        process = tool(server, tmp_path, "hopper-medium-v2", "hoper-medium-v2")
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (2, "")
        assert err == "there is no data set 'hoper-medium-v2' to download; did you mean hopper-medium-v2?\n"
        assert server.asked == []
