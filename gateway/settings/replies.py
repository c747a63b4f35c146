"""``[opt_out]``, ``[opt_in]``, ``[help]``: what people may write to us, and what is said back."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.policy.optout import MAX_REPLIES_PER_HOUR, find_fault
from gateway.settings.forms import BadValue, Form, Text, list_of, parse_filled, show, whole_number


def _parse_keyword(value: object) -> str:
    word = parse_filled(value)
    if fault := find_fault(word):
        raise BadValue(f"{show(word)} {fault}")
    return word


Keywords = Annotated[tuple[str, ...], Form(list_of(_parse_keyword))]


class OptOutSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[opt_out]``: how a person says no to marketing.

    Args:
        keywords: texts that mean it; case, width and surrounding punctuation don't matter.
        reply: the confirmation that is sent back; empty for none.
        replies_per_hour: replies that one channel may send in an hour, to words of ``[opt_out]``, ``[opt_in]`` and
            ``[help]`` together.
    """

    keywords: Keywords = ("TD", "T", "退订", "STOP", "UNSUBSCRIBE")
    reply: Text = "您已退订,不再接收此类短信。"
    replies_per_hour: Annotated[int, Form(whole_number(0, 100_000))] = MAX_REPLIES_PER_HOUR


class OptInSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[opt_in]``: how a person takes that back.

    Args:
        keywords: texts that mean it.
        reply: the confirmation that is sent back; empty for none.
    """

    keywords: Keywords = ("START", "YES", "UNSTOP", "订阅", "恢复")
    reply: Text = "您已恢复订阅。"


class HelpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[help]``: how a person asks who we are.

    Args:
        keywords: texts that mean it.
        reply: what is sent back; empty for nothing.
    """

    keywords: Keywords = ("HELP", "INFO", "帮助")
    reply: Text = ""
