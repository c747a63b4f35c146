"""The HTTP API from the command line's side.

Built on the standard library's client: aiohttp alone would take longer to load than most commands run.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, RemoteDisconnected
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import msgspec
import typer

from gateway.cli.command_line import cover
from gateway.cli.output import Failure, open_private

TIMEOUT_S = 30.0
STREAM_TIMEOUT_S = 60.0
"""The gateway sends a comment every 15 s on a quiet stream; without one for so long the link is dead."""

_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")
_HINTS = {
    401: "give a key by HONGYAN_KEY, or --key @FILE; `hongyan keys create --name NAME --scopes send,read` makes one",
    503: "the gateway is starting, stopping, or its store fails; try again, then look into its log",
}


class ApiRefusal(Failure):
    """The gateway said no; the sentence is its own, with what to do where it does not say that itself."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(describe_problem(status, problem))
        self.status = status
        self.code = str(problem.get("code", ""))
        self.errors: list[dict[str, str]] = problem.get("errors") or []


class ServerEvent(NamedTuple):
    """One server-sent event."""

    id: str
    type: str
    data: str


class Api:
    """One gateway.

    Args:
        url: its address, with or without ``/v1``.
        key: the API key, or ``@FILE``.
    """

    def __init__(self, url: str, key: str) -> None:
        key = _read_key(key)
        if not key:
            raise typer.BadParameter(f"there is no API key; {_HINTS[401]}", param_hint="--key")
        if not _HEADER_VALUE.fullmatch(key):
            raise typer.BadParameter(f"that is no API key; {_HINTS[401]}", param_hint="--key")
        parts = _split(url)
        if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise typer.BadParameter(f'"{url}" is no address; write http://HOST:PORT', param_hint="--url")
        self._url, self._parts, self._key = url, parts, key
        self._prefix = parts.path.rstrip("/").removesuffix("/v1")

    def get(self, path: str, **query: object) -> Any:
        """The answer to a GET, decoded."""
        return self.call("GET", path + _query(query))

    def list(self, path: str, limit: int, **query: object) -> Iterator[Any]:
        """Items of a paged list, as many as there are and at most ``limit``."""
        cursor = None
        while limit > 0:
            page = self.get(path, limit=min(limit, 1000), cursor=cursor, **query)
            yield from page["items"]
            limit -= len(page["items"])
            cursor = page["next"]
            if cursor is None:
                return

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Any:
        """One request.

        Args:
            timeout_s: for each of the gateway's octets to come.

        Returns:
            The answer's JSON, decoded; None when it has no body.

        Raises:
            ApiRefusal: the gateway said no.
            Failure: there is no gateway, or something else answers.
        """
        encoded = None if body is None else msgspec.json.encode(body)
        sent = {"Content-Type": "application/json"} if encoded is not None else {}
        try:
            wire, response = self._send(method, path, encoded, {**sent, **(headers or {})}, timeout_s)
            with wire:
                octets = response.read()
        except (OSError, HTTPException) as error:
            raise Failure(self.explain(error, timeout_s)) from None
        return self._decode(response.status, octets)

    def download(
        self,
        method: str,
        path: str,
        to: Path,
        body: object = None,
        timeout_s: float = TIMEOUT_S,
        **query: object,
    ) -> int:
        """Write what one request is answered with into a file; how many octets.

        Raises:
            ApiRefusal: the gateway said no; there is no file.
            Failure: there is no gateway, or the file can't be written.
        """
        encoded = None if body is None else msgspec.json.encode(body)
        sent = {"Content-Type": "application/json"} if encoded is not None else {}
        n = 0
        try:
            wire, response = self._send(method, path + _query(query), encoded, sent, timeout_s)
            with wire:
                if response.status != 200:
                    self._decode(response.status, response.read())
                with _create(to) as file:
                    while piece := response.read(1 << 18):
                        n += file.write(piece)
        except (OSError, HTTPException) as error:
            raise Failure(self.explain(error, timeout_s)) from None
        return n

    def stream(
        self, path: str, last_event_id: str | None = None, **query: object
    ) -> Iterator[ServerEvent | str]:
        """Server-sent events until the gateway ends the stream; a comment is its text, and "" comes first of all.

        Raises:
            ApiRefusal: the gateway said no.
            OSError, HTTPException: the link died.
        """
        headers = {"Accept": "text/event-stream"} | (
            {"Last-Event-ID": last_event_id} if last_event_id else {}
        )
        wire, response = self._send("GET", path + _query(query), None, headers, STREAM_TIMEOUT_S)
        with wire:
            if response.status != 200:
                self._decode(response.status, response.read())
            yield ""
            yield from parse_events(response)

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout_s: float
    ) -> tuple[closing[HTTPConnection], HTTPResponse]:
        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        wire = kind(self._parts.hostname or "", self._parts.port, timeout=timeout_s)
        authorization = {"Authorization": f"Bearer {self._key}", "User-Agent": "hongyan-cli"}
        try:
            wire.request(method, f"{self._prefix}/v1{path}", body, {**authorization, **headers})
            return closing(wire), wire.getresponse()
        except BaseException:
            wire.close()
            raise

    def _decode(self, status: int, octets: bytes) -> Any:
        try:
            value = msgspec.json.decode(octets) if octets else None
        except msgspec.DecodeError:
            raise Failure(
                f"what answers at {self._url} is not hongyan (HTTP {status}); check --url"
            ) from None
        if status >= 400:
            raise ApiRefusal(status, value if isinstance(value, dict) else {})
        return value

    def explain(self, error: OSError | HTTPException, timeout_s: float = TIMEOUT_S) -> str:
        """Why there is no link, and what to do."""
        where = self._where()
        match error:
            case ConnectionRefusedError():
                return (
                    f"connection refused: nothing listens at {where}; "
                    "start it with `hongyan serve`, or name the right --url"
                )
            case ssl.SSLCertVerificationError():
                return (
                    f"the certificate of {where} can't be trusted: {error.verify_message}; "
                    "write the host's name as in the certificate, or name its issuer's file in SSL_CERT_FILE"
                )
            case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "RECORD_LAYER_FAILURE"):
                return f"{where} does not speak TLS; write http:// in --url"
            case ssl.SSLError():
                return f"no secure link to {where}: {(error.reason or str(error)).lower().replace('_', ' ')}"
            case socket.gaierror():
                return f"no address is known for the host {self._parts.hostname}; check --url"
            case TimeoutError() if error.errno != errno.ETIMEDOUT:
                return f"{where} did not answer in {timeout_s:g} s; is it overloaded, or a firewall between?"
            case RemoteDisconnected() | ConnectionResetError() | BrokenPipeError():
                other = "http" if self._parts.scheme == "https" else "https"
                return (
                    f"{where} closed the connection without an answer; is the gateway stopping? "
                    f"Does it speak {other}:// there?"
                )
            case HTTPException():
                return f"what answers at {where} does not speak HTTP; check host and port in --url"
            case _:
                return (
                    f"no link to {where}: {error.strerror or error}; check --url and this machine's network"
                )

    def _where(self) -> str:
        """Host and port, also where the address leaves the port out."""
        host = self._parts.hostname or ""
        port = self._parts.port or (443 if self._parts.scheme == "https" else 80)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _create(to: Path) -> IO[bytes]:
    try:
        return open_private(to, "wb")
    except OSError as error:
        raise Failure(f"cannot write {to}: {error.strerror}") from None


def need_channel(api: Api, name: str) -> None:
    """Raises Failure when there is no channel of that name; the sentence names those that there are.

    One that was taken out of the config is known as long as there are messages of it.
    """
    names = [channel["name"] for channel in api.get("/channels")["items"]]
    if name not in names and not any(api.list("/messages", 1, channel=name)):
        known = f"there are {', '.join(names)}" if names else "there are none"
        raise Failure(f"there is no channel {name}; {known}")


def _read_key(given: str) -> str:
    """The key; ``@FILE`` is what stands in a file. One on the command line is hidden from whoever lists processes."""
    if not given.startswith("@"):
        cover(given)
        return given.strip()
    path = Path(given[1:])
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise typer.BadParameter(f"cannot read {path}: {reason}", param_hint="--key") from None


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - it is only looked at here
    except ValueError:
        return None
    return parts


def path_of(*names: str) -> str:
    """A path of parts that may hold anything, a plus sign or a slash among it."""
    return "".join(f"/{quote(name, safe='')}" for name in names)


def describe_problem(status: int, problem: Mapping[str, Any]) -> str:
    """A problem (RFC 9457) in sentences: what is wrong, field by field, and what to do."""
    detail = str(problem.get("detail") or problem.get("title") or f"the gateway answered {status}")
    lines = [detail]
    errors = problem.get("errors") or []
    if len(errors) == 1 and errors[0]["detail"] == detail:
        lines = [f"{_field(errors[0])}: {detail}"]
    elif errors:
        lines += [f"  {_field(error)}: {error['detail']}" for error in errors]
    if hint := _HINTS.get(status):
        lines.append(hint)
    return "\n".join(lines)


def parse_events(lines: Iterable[bytes]) -> Iterator[ServerEvent | str]:
    """Server-sent events out of their lines; a comment as its text.

    Spec: WHATWG HTML 9.2.6.
    """
    event_id, kind = "", ""
    data: list[str] = []
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if data:
                yield ServerEvent(event_id, kind, "\n".join(data))
            kind, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                yield value
            case "id":
                event_id = value
            case "event":
                kind = value
            case "data":
                data.append(value)
            case _:  # "retry", and whatever comes to be
                pass


def _field(error: Mapping[str, Any]) -> str:
    return str(error["pointer"]).lstrip("/") or "the message"


def _query(values: Mapping[str, object]) -> str:
    given = {name: str(value) for name, value in values.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""
