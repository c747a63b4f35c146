"""USSD: a short code to the network, a short text back (balance, tariffs).

Sticks disagree on the spelling: most take the code in the character set of ``AT+CSCS``, Huawei's as packed
septets in hex. Asking in UCS2 where the stick has it keeps answers on one line and in any script.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.at.unsolicited import Urc
from drivers.codec.gsm7 import encode_gsm7
from drivers.codec.septets import pack_ussd
from drivers.errors import AtError, DriverError, EncodeError, WireTimeout
from drivers.modem.asking import try_request
from drivers.modem.ussd_text import PREFIX, Said, parse_cusd, read_text

if TYPE_CHECKING:
    from drivers.at.port import AtPort

PACKING_MAKERS = frozenset({"huawei"})
"""They take any hex digits for packed septets, whatever AT+CSCS says."""
_DCS_GSM7 = 15
_CANCEL = 2
_ENDED, _NOT_SUPPORTED, _NETWORK_TIMEOUT = 2, 4, 5
ENDED_S = 1.0
"""Time for an answer behind the news that a session ended: that may have been the one before."""
MAX_ANSWERS = 8
"""Lines that may wait to be read."""
_SERVICE = re.compile(r"[*#][*#0-9]*[0-9][*#0-9]*#")
"""A code of its own, such as ``*100#``; menus are answered by less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UssdAnswer:
    """What the network said.

    Args:
        text: empty when it only ended the session.
        expects_reply: a menu: the next code goes into the same session.
    """

    text: str
    expects_reply: bool


class UssdDesk:
    """Puts questions one after the other and takes the unsolicited answers."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._answers: asyncio.Queue[str | DriverError] | None = None
        self._is_open = False

    def on_urc(self, urc: Urc) -> None:
        """Take the answer if one is awaited; other lines are ignored."""
        if urc.line.startswith(PREFIX) and self._answers is not None and not self._answers.full():
            self._answers.put_nowait(urc.line)

    async def ask(self, port: AtPort, code: str, timeout_s: float, *, maker: str = "") -> UssdAnswer:
        """Ask the network.

        Args:
            code: such as ``*100#``, or a choice from the menu that is open.
            timeout_s: for the network's answer.
            maker: the stick's manufacturer, for its spelling.

        Raises:
            AtError, CmeError, CmsError: the stick or the network does not do this.
            EncodeError: the code holds what would end its place in the command, or does not fit the alphabet.
            WireLost, WireTimeout: no answer.

        Spec: 3GPP TS 27.007 7.15.

        Cancel: the network's answer is ignored when it comes.
        """
        _check(code)
        async with self._one_at_a_time:
            if self._is_open and _SERVICE.fullmatch(code):
                # The network would take it for a choice from the menu that nobody wants any more; or it has not
                # answered yet, and its answer would pass for this one's.
                await try_request(port, f"AT+CUSD={_CANCEL}")
            packed = maker.lower() in PACKING_MAKERS
            in_ucs2 = not packed and await try_request(port, 'AT+CSCS="UCS2"') is not None
            spelling = _spell(code, packed=packed, in_ucs2=in_ucs2)
            self._answers = asyncio.Queue(maxsize=MAX_ANSWERS)
            self._is_open = True  # until the answer says otherwise
            try:
                said = await self._exchange(port, spelling, timeout_s, self._answers)
            finally:
                self._answers = None
                if in_ucs2:
                    # Operator names would come in UCS2 as well.
                    await try_request(port, 'AT+CSCS="IRA"')
            self._is_open = False
            answer = _read_answer(said, timeout_s, asked_ucs2=in_ucs2, packs=packed)
            self._is_open = answer.expects_reply
        return answer

    async def _exchange(
        self, port: AtPort, spelling: str, timeout_s: float, answers: asyncio.Queue[str | DriverError]
    ) -> Said:
        def take_late(_lines: tuple[str, ...], error: DriverError | None) -> None:
            if (
                error is not None and not answers.full()
            ):  # the stick had said OK, and then the network refused
                answers.put_nowait(error)

        lines = await port.request(
            f'AT+CUSD=1,"{spelling}",{_DCS_GSM7}', timeout_s=timeout_s, on_late=take_late
        )
        for line in [line for line in lines if line.startswith(PREFIX)][:MAX_ANSWERS]:
            self.on_urc(Urc(line))
        said = None
        try:
            async with asyncio.timeout(timeout_s) as limit:
                while True:
                    answer = await answers.get()
                    if isinstance(answer, DriverError):
                        raise answer
                    said = parse_cusd(answer)
                    if said.text or said.status != _ENDED:
                        return said
                    limit.reschedule(asyncio.get_running_loop().time() + ENDED_S)
        except TimeoutError:
            if said is not None:
                return said
            raise WireTimeout("AT+CUSD", timeout_s) from None


def _check(code: str) -> None:
    # Behind a quote a stick takes the rest for more commands: *100#";+CMGD=1,4;+CUSD=1,"*100#
    if '"' in code or not code.isprintable():
        raise EncodeError("code", "a quote or a control character would end it")


def _spell(code: str, *, packed: bool, in_ucs2: bool) -> str:
    if packed:
        return pack_ussd(encode_gsm7(code)).hex().upper()
    if in_ucs2:
        return code.encode("utf-16-be").hex().upper()
    if not code.isascii():
        raise EncodeError("code", "this stick takes ASCII only")
    return code


def _read_answer(said: Said, timeout_s: float, *, asked_ucs2: bool, packs: bool) -> UssdAnswer:
    if said.status == _NOT_SUPPORTED:
        raise AtError("the network does not know this code")
    if said.status == _NETWORK_TIMEOUT:
        raise WireTimeout("AT+CUSD", timeout_s)
    text = read_text(said.text, said.dcs, asked_ucs2=asked_ucs2, packs=packs)
    return UssdAnswer(text=text, expects_reply=said.status == 1)
