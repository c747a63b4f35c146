"""A simulated phone."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.base import Concat, Encoding
from drivers.codec.segment import plan_segments
from drivers.codec.udh import encode_concat_udh
from simulators.traffic import NetworkMessage, NetworkReceipt, NetworkRefusal, keep_newest, read_parts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from simulators.traffic import Endpoint

    Submit = Callable[[NetworkMessage, Endpoint], Awaitable[str]]

MAX_PARTIAL = 100
"""Incomplete concatenated messages one handset keeps; the oldest gives way."""


@dataclass(frozen=True, slots=True)
class HandsetText:
    """One whole text on a handset's screen."""

    sender: str
    text: str


class Handset:
    """A phone: joins parts in any order, shows whole texts, may answer.

    Args:
        number: its own.
        submit: puts a segment into the network, as `Network.submit`.
        notice: called when something on the phone changed.
        keep: newest texts and receipts it keeps; None for all.

    Attributes:
        texts: what it received, oldest first.
        receipts: for what it sent.
        on_text: called with each whole text; what it returns is sent back to the sender.
    """

    def __init__(
        self, number: str, *, submit: Submit, notice: Callable[[], None], keep: int | None = None
    ) -> None:
        self.number = number
        self.texts: list[HandsetText] = []
        self.receipts: list[NetworkReceipt] = []
        self.on_text: Callable[[str], str | None] | None = None
        self._submit = submit
        self._notice = notice
        self._keep = keep
        self._partial: dict[tuple[str, int, int, int], dict[int, NetworkMessage]] = {}
        self._concat_refs = itertools.count()

    @property
    def inbox(self) -> list[str]:
        """The texts alone, oldest first."""
        return [text.text for text in self.texts]

    async def send(self, to: str, text: str, *, encoding: Encoding | None = None) -> None:
        """Send a text, in as many parts as it needs.

        Raises:
            NetworkRefusal: the network does not take it.
            EncodeError: the text does not fit the encoding asked for.
        """
        plan = plan_segments(text, encoding)
        total, reference = len(plan.segments), next(self._concat_refs) % 256
        for part, segment in enumerate(plan.segments, start=1):
            udh = encode_concat_udh(Concat(reference=reference, total=total, part=part)) if total > 1 else b""
            message = NetworkMessage(
                sender=self.number, recipient=to, encoding=plan.encoding, payload=segment.payload, udh=udh,
                report=True, via="handset",
            )  # fmt: skip
            await self._submit(message, self)

    async def deliver(self, message: NetworkMessage) -> None:
        """Take one segment; show the text when its last part is here."""
        text = self._join(message)
        if text is None:
            return
        self.texts.append(HandsetText(message.sender, text))
        keep_newest(self.texts, self._keep)
        self._notice()
        reply = self.on_text(text) if self.on_text else None
        if reply is not None:
            with contextlib.suppress(NetworkRefusal):  # as on a phone: "not sent", and nobody looks
                await self.send(message.sender, reply)

    async def report(self, receipt: NetworkReceipt) -> None:
        """Keep a receipt."""
        self.receipts.append(receipt)
        keep_newest(self.receipts, self._keep)
        self._notice()

    def _join(self, message: NetworkMessage) -> str | None:
        concat = message.concat
        if concat is None:
            return message.text
        key = (message.sender, concat.reference, concat.width, concat.total)
        parts = self._partial.setdefault(key, {})
        parts[concat.part] = message
        if len(parts) < concat.total:
            if len(self._partial) > MAX_PARTIAL:
                del self._partial[next(iter(self._partial))]
            return None
        del self._partial[key]
        return read_parts(tuple(parts[part] for part in sorted(parts)))
