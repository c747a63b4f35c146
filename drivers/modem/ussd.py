"""USSD: a short code to the network, a short text back (balance, tariffs).

Sticks disagree on the spelling: most take the code in the character set of ``AT+CSCS``, Huawei's as packed
septets in hex. Asking in UCS2 where the stick has it keeps answers on one line and in any script.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.at.responses import parse_hex, parse_int, split_fields
from drivers.codec.gsm7 import decode_gsm7, encode_gsm7
from drivers.codec.septets import pack_ussd, unpack_ussd
from drivers.errors import AtError, EncodeError, WireTimeout
from drivers.modem.bringup import try_request

if TYPE_CHECKING:
    from drivers.at.port import AtPort
    from drivers.at.unsolicited import Urc

PREFIX = "+CUSD:"
PACKING_MAKERS = frozenset({"huawei"})
"""They take any hex digits for packed septets, whatever AT+CSCS says."""
_DCS_GSM7 = 15
_CANCEL = 2
_NOT_SUPPORTED, _NETWORK_TIMEOUT = 4, 5
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
        self._answer: asyncio.Future[str] | None = None
        self._is_open = False

    def on_urc(self, urc: Urc) -> None:
        """Take the answer if one is awaited; other lines are ignored."""
        if urc.line.startswith(PREFIX) and self._answer is not None and not self._answer.done():
            self._answer.set_result(urc.line)

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
            self._answer = asyncio.get_running_loop().create_future()
            self._is_open = True  # until the answer says otherwise
            try:
                line = await self._exchange(port, spelling, timeout_s)
            finally:
                self._answer = None
                if in_ucs2:
                    # Operator names would come in UCS2 as well.
                    await try_request(port, 'AT+CSCS="IRA"')
            self._is_open = False
            answer = _read_answer(line, timeout_s)
            self._is_open = answer.expects_reply
        return answer

    async def _exchange(self, port: AtPort, spelling: str, timeout_s: float) -> str:
        assert self._answer is not None
        lines = await port.request(f'AT+CUSD=1,"{spelling}",{_DCS_GSM7}', timeout_s=timeout_s)
        early = [line for line in lines if line.startswith(PREFIX)]
        if early:
            return early[0]
        try:
            async with asyncio.timeout(timeout_s):
                return await self._answer
        except TimeoutError:
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


def _read_answer(line: str, timeout_s: float) -> UssdAnswer:
    fields = split_fields(line.removeprefix(PREFIX))
    status = parse_int(fields[0])
    if status == _NOT_SUPPORTED:
        raise AtError("the network does not know this code")
    if status == _NETWORK_TIMEOUT:
        raise WireTimeout("AT+CUSD", timeout_s)
    dcs = parse_int(fields[2]) if len(fields) > 2 else None
    text = read_text(fields[1] if len(fields) > 1 else "", _DCS_GSM7 if dcs is None else dcs)
    return UssdAnswer(text=text, expects_reply=status == 1)


def read_text(text: str, dcs: int) -> str:
    """An answer's text, whichever way the stick spelled it; total.

    Args:
        text: between the quotes.
        dcs: data coding scheme; 3GPP TS 23.038 5.
    """
    octets = parse_hex(text)
    if not octets:
        return text
    if dcs & 0xCC == 0x48 or dcs == 0x11 or _looks_like_ucs2(octets):
        return octets.decode("utf-16-be", "replace")
    if len(octets) < 4:
        # A short number such as a balance of "4200" is no hex.
        return text
    # Careless senders count spare bits as one more character, or pad where there is no need to.
    return decode_gsm7(unpack_ussd(octets)).rstrip("\r@")


def _looks_like_ucs2(octets: bytes) -> bool:
    # Latin text in UCS2 has a zero at every other place, packed septets hardly any.
    return len(octets) % 2 == 0 and octets[::2].count(0) * 2 > len(octets) // 2
