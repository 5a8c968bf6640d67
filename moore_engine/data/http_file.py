"""One HTTP request for a file or the rest of one: redirects that are safe, what the answer's headers promise, and what
a failure means."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from moore_engine.data.errors import DataError


class Offline(DataError):
    """No connection to the server could be made."""


class Missing(DataError):
    """The server is there and the file is not."""


class Passing(Exception):
    """A failure that another try may mend, and for how long the server asks to wait."""

    def __init__(self, what: str, wait_s: float = 0.0) -> None:
        super().__init__(what)
        self.wait_s = wait_s


class RangeGone(Exception):
    """There is nothing from the byte asked for on; `total` is the file's length, where the server says it."""

    def __init__(self, total: int | None) -> None:
        super().__init__()
        self.total = total


@dataclass(frozen=True)
class Answer:
    """A response whose body begins at byte `start` of a file of `total` bytes; `validator` names the file's version."""

    body: http.client.HTTPResponse
    start: int
    total: int | None
    validator: str


def request(url: str, timeout_s: float, *, start: int = 0, validator: str = "") -> Answer:
    """Ask for the file at `url` from byte `start` on, if it is still the version `validator`, else from its beginning.

    `timeout_s` bounds connecting and every read. Raises Offline, Missing, RangeGone, Passing, or DataError for a
    refusal that is final.
    """
    headers = {"User-Agent": "moore-console", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    opener = urllib.request.build_opener(_Redirects)
    try:
        body = opener.open(urllib.request.Request(checked(url), headers=headers), timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and start:
            raise RangeGone(_number(error.headers.get("Content-Range", "").rpartition("/")[2])) from None
        raise _refusal(url, error) from None
    except urllib.error.URLError as error:
        raise Offline(f"{urlsplit(url).netloc} cannot be reached ({reason(error)})") from error
    except (OSError, http.client.HTTPException) as error:  # connected, and then no proper answer
        raise Passing(reason(error)) from error
    try:
        return _answer(url, body, start)
    except (DataError, Passing):
        body.close()
        raise


def _answer(url: str, body: http.client.HTTPResponse, start: int) -> Answer:
    """What the headers of a response promise of its body; DataError or Passing where that is not what was asked for."""
    encoding = body.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise DataError(f"{url} comes {encoding}-encoded, so its length means nothing: use another server.")
    length, validator = _number(body.headers.get("Content-Length", "")), _validator(body.headers)
    if body.status != 206:
        return Answer(body, 0, length, validator)
    first, total = _content_range(body.headers)
    if first != start:
        raise Passing("the server sent another part of the file than was asked for")
    return Answer(body, start, total if total is not None or length is None else start + length, validator)


def checked(url: str) -> str:
    """`url` if it is an http or https address; DataError if not."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is no number
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii() or not url.isprintable():
        raise DataError(f"{url!r} is no http or https address: correct it.")
    return url


def reason(error: BaseException) -> str:
    """What went wrong on the way, in a few words without the library's wrapping."""
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, TimeoutError):
        return "no answer in time"
    if isinstance(inner, socket.gaierror):
        return "its name cannot be looked up"
    if isinstance(inner, ssl.SSLError):
        return f"its certificate or encryption is not accepted, {inner.reason or inner}"
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror.lower()
    text = (str(inner).splitlines() or [type(inner).__name__])[0]
    return text.strip().rstrip(".")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https only, and never from https back to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in ("http", "https") or (before == "https" and after != "https"):
            if fp is not None:
                fp.close()
            raise DataError(f"{req.full_url} leads on to {newurl}, which is not safe to follow: use another server.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _refusal(url: str, error: urllib.error.HTTPError) -> Exception:
    """A busy server may be asked again; every other refusal is final."""
    said = f"{error.code} {error.reason}".strip()
    if error.code in (408, 425, 429) or error.code >= 500:
        return Passing(f"the server answers {said}", float(_number(error.headers.get("Retry-After", "")) or 0))
    if error.code in (404, 410):
        return Missing(f"{url} answers {said}: it has moved or never was there; use another server.")
    return DataError(f"{url} answers {said}: it does not give the file away; use another server.")


def _validator(headers: Message) -> str:
    """What If-Range takes: a strong ETag, else the date of the last change."""
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")


def _content_range(headers: Message) -> tuple[int | None, int | None]:
    """(first byte, whole length) of `bytes 5-9/10`."""
    unit, _, rest = headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    return (_number(span.partition("-")[0]), _number(total)) if unit == "bytes" else (None, None)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
