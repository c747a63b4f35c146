"""Consents: who agreed to what, when, by which words; and the proof of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.api.accepted import answer_deed
from gateway.consents.desk import Rejected
from gateway.consents.proof import Wanted
from gateway.consents.signing import fingerprint, show_public
from gateway.errors import FieldError, InvalidRequest, RequestError
from gateway.http.body import (
    BATCH_MAX_OCTETS,
    answer_value,
    check_size,
    decode_body,
    read_body,
)
from gateway.http.product import Call
from gateway.http.query import PageQuery, Word, make_page, read_cursor, read_person, read_query
from gateway.model.consent import Consent, ConsentState
from gateway.store.consents import ConsentFilter, list_consents, list_history, load_wordings
from gateway.store.ports import Tx
from gateway.views.consents import (
    MOST_CONSENTS,
    ConsentFileRequest,
    ConsentHistory,
    ConsentOut,
    ConsentPage,
    ConsentRequest,
    ProofKeyOut,
    ProofRequest,
    show_consents,
)

ZIP = "application/zip"
_MOST_VALUES = 20 * MOST_CONSENTS
_MOST_PROOF_VALUES = 250_000
_PIECE = 1 << 18
_BETWEEN = "\n"
"""Between the parts of a cursor; no number or name has one."""


class ConsentQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which consents.

    Args:
        number: whose; one that may belong to several persons finds those of each of them.
    """

    number: Word | None = None
    brand: Word | None = None
    purpose: Word | None = None
    state: ConsentState | None = None


class ProofQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which messages; name one of them.

    Args:
        batch: the `batch_id`.
        tag: one of the messages' tags.
        purpose: what they need consent to; the setting of the gateway if left out.
    """

    batch: Word | None = None
    tag: Word | None = None
    purpose: Word | None = None


class _Listed(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`ConsentsRequest` with its consents still unread."""

    consents: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=MOST_CONSENTS)]
    file: ConsentFileRequest | None = None
    dry_run: bool = False


class _Form(msgspec.Struct):
    """What tells the two forms apart."""

    consents: msgspec.Raw = msgspec.Raw()


_form = msgspec.json.Decoder(_Form)
_listed = msgspec.json.Decoder(_Listed)
_consent = msgspec.json.Decoder(ConsentRequest)
_proof = msgspec.json.Decoder(ProofRequest)


async def record_consents(call: Call) -> web.Response:
    """Record what people said: one consent, or up to 1,000 as `{"consents": [...]}`.

    A bad one is listed in `rejected` and never spoils the others. A single one that is bad is refused.
    """
    body = await read_body(call.request, BATCH_MAX_OCTETS)
    await check_size(body, _MOST_VALUES)
    if len(decode_body(_form, body).consents):
        listed = decode_body(_listed, body)
        wanted: Sequence[ConsentRequest | Rejected] = list(_read_items(listed.consents))
        file, dry_run = listed.file, listed.dry_run
    else:
        wanted, file, dry_run = [decode_body(_consent, body)], None, False
    prepared = await call.context.consents.prepare(wanted, file, call.actor)
    if (
        len(wanted) == 1
        and not dry_run
        and file is None
        and prepared.rejected
        and not isinstance(wanted[0], Rejected)
    ):
        only = prepared.rejected[0]
        raise InvalidRequest(FieldError("", only.code, only.detail))
    if dry_run:
        return answer_value(await call.context.store.read(prepared.rehearse))
    return await answer_deed(call, body, prepared.record)


def _read_items(items: Sequence[msgspec.Raw]) -> Iterator[ConsentRequest | Rejected]:
    for raw in items:
        try:
            yield decode_body(_consent, raw)
        except InvalidRequest as error:
            fault = error.errors[0]
            yield Rejected(fault.code, f"{fault.pointer}: {fault.detail}" if fault.pointer else fault.detail)
        except RequestError as error:
            yield Rejected(error.code, str(error))


async def get_consents(call: Call) -> web.Response:
    """What holds, by number, brand and purpose."""
    query = read_query(call.request, ConsentQuery)
    numbers = None
    if query.number is not None:
        numbers = read_person(query.number, call.context.region, "number").readings
    wanted = ConsentFilter(numbers, query.brand, query.purpose, query.state)
    after = _read_key(query.cursor)
    rows = await call.context.store.read(
        lambda tx: list_consents(tx, wanted, limit=query.limit + 1, after=after)
    )
    page, following = make_page(rows, query.limit, lambda one: _BETWEEN.join(one.key))
    return answer_value(ConsentPage(items=await _show(call, page), next=following))


async def get_consent_history(call: Call) -> web.Response:
    """All that a number said, to whomever, in the order in which it was recorded."""
    query = read_query(call.request, PageQuery)
    numbers = read_person(call.request.match_info["number"], call.context.region, "number").readings
    after = read_cursor(query.cursor) or ""
    rows = await call.context.store.read(
        lambda tx: list_history(tx, numbers, limit=query.limit + 1, after=after)
    )
    page, following = make_page(rows, query.limit, lambda one: one.id)
    return answer_value(ConsentHistory(items=await _show(call, page), next=following))


async def get_proof_key(call: Call) -> web.Response:
    """The public key of this installation's proofs; whoever checks them can hold it against theirs."""
    key = await call.context.consents.prover.load_key()
    return answer_value(
        ProofKeyOut(
            algorithm="Ed25519",
            public_key=show_public(key.public),
            fingerprint=fingerprint(key.public),
            created_at=key.created_at,
        )
    )


async def prove_messages(call: Call) -> web.StreamResponse:
    """An archive with the consents by which the messages of a batch, or with a tag, went out."""
    query = read_query(call.request, ProofQuery)
    if (query.batch is None) == (query.tag is None):
        raise InvalidRequest(FieldError("batch", "choose_one", "name a batch or a tag, one of them"))
    purpose = query.purpose or call.context.consents.terms.purpose
    return await _prove(call, Wanted(batch=query.batch, tag=query.tag, purpose=purpose))


async def prove_numbers(call: Call) -> web.StreamResponse:
    """An archive with the consents of some numbers, as they are now."""
    body = await read_body(call.request, BATCH_MAX_OCTETS)
    await check_size(body, _MOST_PROOF_VALUES)
    request = decode_body(_proof, body)
    purpose = request.purpose or call.context.consents.terms.purpose
    return await _prove(call, Wanted(numbers=request.numbers, brand=request.brand, purpose=purpose))


async def _prove(call: Call, wanted: Wanted) -> web.StreamResponse:
    async with call.context.consents.prover.prove(wanted, call.actor) as archive:
        response = web.StreamResponse(
            headers={"Content-Type": ZIP, "Content-Disposition": 'attachment; filename="proof.zip"'}
        )
        with archive.open("rb") as file:
            response.content_length = _size(archive)
            await response.prepare(call.request)
            await _write(response, file)
            await response.write_eof()
        return response


def _size(archive: Path) -> int:
    return archive.stat().st_size


async def _write(response: web.StreamResponse, file: IO[bytes]) -> None:
    while piece := file.read(_PIECE):
        await response.write(piece)


async def _show(call: Call, page: Sequence[Consent]) -> list[ConsentOut]:
    hashes = {one.wording for one in page if one.wording is not None}

    async def wordings(tx: Tx) -> dict[str, str]:
        return await load_wordings(tx, hashes)

    return show_consents(page, await call.context.store.read(wordings) if hashes else {})


def _read_key(cursor: str | None) -> tuple[str, str, str] | None:
    text = read_cursor(cursor, ids=False)
    if text is None:
        return None
    parts = text.split(_BETWEEN)
    if len(parts) != 3:
        detail = "give the `next` of the answer before, unchanged, or leave it out"
        raise InvalidRequest(FieldError("cursor", "invalid_cursor", detail))
    return parts[0], parts[1], parts[2]
