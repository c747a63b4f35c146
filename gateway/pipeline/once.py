"""Once: what a request with an Idempotency-Key asks is done one time, and its answer is repeated.

The key is a row of the store, written in the deed's own transaction: of two requests at once, in whatever process, the
second finds the first one's answer. A deed whose effect is not in the store (a USSD code, a new session) is noted as
begun before it is done. Whoever repeats it while it is under way in this process waits for the answer. If that does
not come, or another process has begun it, perhaps one that was killed, nobody knows what came of it: that is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar

from gateway.clock import Clock
from gateway.errors import AlreadyBegun, IdempotencyMismatch, RequestError
from gateway.ids import make_id
from gateway.store.keys import drop_answer, find_answer, put_answer, save_answer
from gateway.store.ports import Place, Store, Tx

A = TypeVar("A")

_BEGUN: Final = b"\1"
"""How what is kept in place of an answer begins while a deed is under way; an answer is JSON."""
_BEGUN_HERE: Final = _BEGUN + make_id().encode()
"""The same with a name for this process."""
PATIENCE_S: Final = 60.0
"""How long who repeats what is under way in this process waits for its answer."""
LOOK_S: Final = 0.1


class Once(NamedTuple):
    """An Idempotency-Key with what it stands for.

    Args:
        owner: id of the API key whose it is; empty for the gateway's own.
        body_hash: of the request: its address and every octet of its body.
    """

    owner: str
    key: str
    body_hash: bytes


class Done(NamedTuple):
    """The answer to a request.

    Args:
        replayed: it was given before, and nothing was done now.
    """

    body: bytes
    replayed: bool = False


async def find_kept(tx: Tx, once: Once) -> bytes | None:
    """What is kept for an Idempotency-Key; None when it is new.

    Raises:
        IdempotencyMismatch: it came before with another request.
        AlreadyBegun: it was begun, and has no answer.
    """
    kept = await find_answer(tx, once.owner, once.key)
    if kept is None:
        return None
    body_hash, answer = kept
    if body_hash != once.body_hash:
        raise IdempotencyMismatch(
            "this Idempotency-Key was used with another body; use a new key for a new request"
        )
    if answer.startswith(_BEGUN):
        raise AlreadyBegun(
            "a request with this Idempotency-Key was begun, and what came of it is not known: it is still under way,"
            " or the gateway stopped meanwhile; look at what it was to change, and use a new key to do it again",
            here=answer == _BEGUN_HERE,
        )
    return answer


async def do_once(
    store: Store, clock: Clock, once: Once | None, deed: Callable[[Tx], Awaitable[bytes]]
) -> Done:
    """Do what is a matter of the store alone; it and its answer are one transaction.

    Args:
        once: None for a request that may not be repeated.
        deed: an operation that returns the answer.

    Raises:
        IdempotencyMismatch, AlreadyBegun: see `find_kept`; nothing was done.
        Exception: what ``deed`` raised; nothing was done, and the key is as new.
    """
    at = clock.now()

    async def op(tx: Tx) -> Done:
        if once is None:
            return Done(await deed(tx))
        if (kept := await find_kept(tx, once)) is not None:
            return Done(kept, replayed=True)
        body = await deed(tx)
        await save_answer(tx, *once, body, at)
        return Done(body)

    return await store.write(op, place=Place.DOOR)


async def act_once(
    store: Store,
    clock: Clock,
    once: Once | None,
    act: Callable[[], Awaitable[A]],
    record: Callable[[Tx, A], Awaitable[bytes | RequestError]],
) -> Done:
    """Do what has its effect outside the store.

    Args:
        once: None for a request that may not be repeated.
        act: does it. Where it raises, it has ended, and the key is as new.
        record: an operation that writes what came of it; returns the answer, or why there is none.

    Raises:
        IdempotencyMismatch, AlreadyBegun: see `find_kept`; nothing was done.
        Exception: what ``act`` raised.
        RequestError: what ``record`` returned.

    Cancel: the deed stays begun.
    """
    at = clock.now()

    async def begin(tx: Tx) -> bytes | None:
        assert once is not None
        if (kept := await find_kept(tx, once)) is not None:
            return kept
        await save_answer(tx, *once, _BEGUN_HERE, at)
        return None

    async def forget(tx: Tx) -> None:
        assert once is not None
        await drop_answer(tx, once.owner, once.key)

    async def end(tx: Tx, outcome: A) -> bytes | RequestError:
        answer = await record(tx, outcome)
        if once is None:
            return answer
        if isinstance(answer, RequestError):
            await forget(tx)
        else:
            await put_answer(tx, *once, answer, at)
        return answer

    if once is not None and (kept := await _wait_for_others(lambda: store.write(begin))) is not None:
        return Done(kept, replayed=True)
    try:
        outcome = await act()
    except Exception:
        if once is not None:
            await store.write(forget)
        raise
    answer = await store.write(lambda tx: end(tx, outcome))
    if isinstance(answer, RequestError):
        raise answer
    return Done(answer)


async def _wait_for_others(begin: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
    """Begin, once nobody here is at the same deed; what is kept then."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + PATIENCE_S
    while True:
        try:
            return await begin()
        except AlreadyBegun as begun:
            if not begun.here or loop.time() > give_up_at:
                raise
        await asyncio.sleep(LOOK_S)
