"""One command that somebody waits for, and how its end is told: the lines, or the error that the answer means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drivers.at.result_codes import FinalResult, ResultKind
from drivers.at.trace import mask_words
from drivers.errors import AtError, CmeError, CmsError, DriverError, RemoteProtocolError

if TYPE_CHECKING:
    import asyncio

    from drivers.at.events import Command

OnLate = Callable[[tuple[str, ...], "DriverError | None"], None]
"""Takes the information lines, and the error that the answer means; None for a good one."""


class EchoReturned(RemoteProtocolError):
    """The stick echoes again, so it may have restarted; the payload was held back and nothing has happened."""

    def __init__(self) -> None:
        super().__init__("the stick echoes again: it may have restarted", recoverable=True)


@dataclass(eq=False, slots=True)
class Request:
    """A command and who waits for it.

    Args:
        answer: gets the information lines or the error; done before the command's end when nobody waits any more.
        on_payload: called just before the first octet of the payload is written.
        on_late: called with what the stick answered after all, when the request has ended without that.
        payload_left: it was called, or would have been.
    """

    command: Command
    answer: asyncio.Future[tuple[str, ...]]
    on_payload: Callable[[], None] | None = None
    on_late: OnLate | None = None
    payload_left: bool = False

    def __post_init__(self) -> None:
        self.command = replace(self.command, owner=self)

    @property
    def is_over(self) -> bool:
        """It has its end, or nobody waits for that."""
        return self.answer.done()

    def leave_payload(self) -> None:
        """The prompt came, and the payload is written next."""
        self.payload_left = True
        if self.on_payload is not None:
            self.on_payload()

    def end(self, lines: tuple[str, ...], final: FinalResult) -> None:
        """The stick gave a final result code; nothing happens when the request is over."""
        error: DriverError | None = _error_of(final)
        if error is None and self.command.payload is not None and not self.payload_left:
            error = RemoteProtocolError(f"{self.command.label} ended without a prompt", recoverable=True)
        if error is not None:
            self.fail(error)
        elif not self.is_over:
            self.answer.set_result(lines)

    def end_late(self, lines: tuple[str, ...], final: FinalResult) -> None:
        """The stick gave a final result code for this request after its end."""
        if self.on_late is not None and (self.command.payload is None or self.payload_left):
            self.on_late(lines, _error_of(final))

    def fail(self, error: DriverError) -> None:
        """No good end comes; nothing happens when the request is over."""
        if not self.is_over:
            self.answer.set_exception(error)


def _error_of(final: FinalResult) -> AtError | CmeError | CmsError | None:
    match final.kind:
        case ResultKind.OK:
            return None
        case ResultKind.ERROR:
            return AtError(final.detail)
        case ResultKind.CME:
            return CmeError(final.code, mask_words(final.detail))
        case ResultKind.CMS:
            return CmsError(final.code, mask_words(final.detail))
