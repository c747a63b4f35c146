"""``[opt_out]``, ``[opt_in]``, ``[help]``: what people may write to us, and what is said back."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from gateway.policy.optout import MAX_REPLIES_PER_HOUR, Keywords, find_fault
from gateway.settings.forms import BadValue, Form, Text, list_of, one_of, parse_filled, show, whole_number
from gateway.settings.reply_words import (
    WordFile,
    make_keywords,
    parse_languages,
    parse_word_files,
    shipped_words,
)


def _parse_keyword(value: object) -> str:
    word = parse_filled(value)
    if fault := find_fault(word):
        raise BadValue(f"{show(word)} {fault}")
    return word


Words = Annotated[tuple[str, ...], Form(list_of(_parse_keyword))]


class OptOutSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[opt_out]``: how a person says no to marketing.

    Args:
        keywords: texts that mean it; case, width and surrounding punctuation don't matter.
        reply: the confirmation that is sent back; empty for none.
        replies_per_hour: replies that one channel may send in an hour, to words of ``[opt_out]``, ``[opt_in]`` and
            ``[help]`` together.
        languages: whose shipped words count, too, here and for ``[opt_in]`` and ``[help]``; None for all.
        files: further files of words, in the form of ``config/words/replies/zh.toml``.
        near_misses: what becomes of a text that is none of the words and sounds like one.
        scope: what a word stops.
    """

    keywords: Words = ("TD", "T", "退订", "STOP", "UNSUBSCRIBE")
    reply: Text = "您已退订,不再接收此类短信。"
    replies_per_hour: Annotated[int, Form(whole_number(0, 100_000))] = MAX_REPLIES_PER_HOUR
    languages: Annotated[tuple[str, ...] | None, Form(parse_languages)] = None
    files: Annotated[tuple[WordFile, ...], Form(parse_word_files)] = ()
    near_misses: Annotated[
        Literal["flag", "opt_out", "ignore"], Form(one_of("flag", "opt_out", "ignore"))
    ] = "flag"
    scope: Annotated[
        Literal["everything", "brand", "sender"], Form(one_of("everything", "brand", "sender"))
    ] = "everything"

    def word_files(self) -> tuple[WordFile, ...]:
        """The files in force, shipped ones first."""
        chosen = self.languages
        shipped = (file for file in shipped_words() if chosen is None or file.language in chosen)
        return (*shipped, *self.files)


class OptInSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[opt_in]``: how a person takes that back.

    Args:
        keywords: texts that mean it.
        reply: the confirmation that is sent back; empty for none.
    """

    keywords: Words = ("START", "YES", "UNSTOP", "订阅", "恢复")
    reply: Text = "您已恢复订阅。"


class HelpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[help]``: how a person asks who we are.

    Args:
        keywords: texts that mean it.
        reply: what is sent back; empty for nothing.
    """

    keywords: Words = ("HELP", "INFO", "帮助")
    reply: Text = ""


def gather_keywords(opt_out: OptOutSettings, opt_in: OptInSettings, help_: HelpSettings) -> Keywords:
    """The words in force: those of files, and those of the config's tables."""
    return make_keywords(opt_out.word_files(), opt_out.keywords, opt_in.keywords, help_.keywords)
