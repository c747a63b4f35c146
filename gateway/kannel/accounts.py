"""Who may call `sendsms`, from where, and by which channels. Pure but for the comparison of passwords."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from gateway.kannel.parameters import pick
from gateway.model.message import Category

NETWORK = IPv4Network | IPv6Network
_SOURCE = re.compile(r"\+?[0-9]{1,20}|[A-Za-z0-9][ -~]{0,19}")
"""A number or a name that fits into the source address of SMPP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KannelAccount:
    """One ``[[kannel_accounts]]``, Kannel's ``sendsms-user``.

    Args:
        password: None never fits.
        group: of messages that name no ``smsc``, or one that is not ours.
        groups: which groups and channels ``smsc`` may name; empty for all.
        smsc: Kannel's smsc-id -> our group or channel.
        default_sender: of messages without ``from``: what ``%P`` of their reports says.
        senders: patterns of senders that go out as they are where the channel can choose; of others, and where
            there are no patterns, the channel's own goes out.
        dlr_url: of messages that bring none; empty for none.
        allowed_ips: where calls may come from; empty for everywhere.
        charset: of texts that name none and are no UTF-8.
        international: its receivers begin with a country code, with or without a plus.
    """

    username: str
    password: str
    group: str | None = None
    groups: tuple[str, ...] = ()
    smsc: Mapping[str, str]
    category: Category = Category.TRANSACTIONAL
    default_sender: str = ""
    senders: tuple[str, ...] = ()
    dlr_url: str = ""
    allowed_ips: tuple[NETWORK, ...] = ()
    charset: str = "windows-1252"
    international: bool = False

    def admits(self, address: str | None) -> bool:
        """Whether a call may come from there."""
        return not self.allowed_ips or (
            (found := _parse_address(address)) is not None and any(found in net for net in self.allowed_ips)
        )

    def source_for(self, wanted: str | None) -> str | None:
        """What handsets see as sender of a message with this ``from``; None for the channel's own."""
        source = wanted or self.default_sender
        return source if self._may_send_as(source) and _SOURCE.fullmatch(source) else None

    def can_send_as(self, wanted: str | None) -> bool:
        """Whether a ``from`` that this account may use is one that can be sent at all."""
        return not wanted or not self._may_send_as(wanted) or _SOURCE.fullmatch(wanted) is not None

    def _may_send_as(self, source: str) -> bool:
        return any(fnmatchcase(source, one) for one in self.senders)


class KannelAccounts:
    """All accounts, and which channels there are for them.

    Args:
        channels: name -> groups of the channels that send.
    """

    def __init__(
        self, accounts: Iterable[KannelAccount] = (), channels: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._accounts = {account.username: account for account in accounts}
        self._channels = channels or {}

    def adopt(self, accounts: Iterable[KannelAccount], channels: Mapping[str, Sequence[str]]) -> None:
        """Go by other accounts and channels, from the next call on."""
        self._accounts = {account.username: account for account in accounts}
        self._channels = channels

    def __contains__(self, username: str) -> bool:
        return username in self._accounts

    def find(self, given: Mapping[str, bytes], address: str | None) -> KannelAccount | None:
        """The account that the parameters name, if the password and the address are right."""
        username, password = pick(given, "username"), pick(given, "password")
        account = self._accounts.get((username or b"").decode("utf-8", "replace"))
        # The same work for accounts that do not exist: time tells nobody which ones do.
        expected = account.password if account else ""
        right = hmac.compare_digest(expected.encode(), password or b"")
        return account if account and right and account.admits(address) else None

    def choose(self, account: KannelAccount, smsc: str | None) -> tuple[str | None, str | None]:
        """``(channel, group)`` for an ``smsc``; like Kannel's it is a wish: one that means nothing here is none."""
        wanted = account.smsc.get(smsc, smsc) if smsc else None
        if wanted and (not account.groups or wanted in account.groups):
            if any(wanted in groups for groups in self._channels.values()):
                return None, wanted
            if wanted in self._channels:
                return wanted, None
        return None, account.group


def _parse_address(address: str | None) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address or "")
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
