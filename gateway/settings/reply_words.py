"""Files of words that people write back, one a language: shipped ones, and those of the config."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.policy.folding import bare, fold_word
from gateway.policy.optout import Frame, Keywords, find_fault, fold_all
from gateway.settings.forms import BadValue, parse_file, show
from gateway.settings.reader import read_data_file

_LISTS: Final = ("opt_out", "opt_in", "help", "leads", "polite_leads", "tails", "polite_tails", "near")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")
_MOST_WORDS: Final = 1_000
_MOST_NEAR_CHARS: Final = 60


class WordFile(msgspec.Struct, frozen=True, kw_only=True):
    """What one file tells, as it stands there.

    Args:
        language: its code, such as ``zh``.
        opt_out, opt_in, help: whole texts.
        leads, polite_leads, tails, polite_tails: see `gateway.policy.optout.Frame`.
        near: see `gateway.policy.optout.Keywords`.
    """

    language: str
    opt_out: tuple[str, ...] = ()
    opt_in: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    polite_leads: tuple[str, ...] = ()
    tails: tuple[str, ...] = ()
    polite_tails: tuple[str, ...] = ()
    near: tuple[str, ...] = ()


def read_word_file(path: Path) -> WordFile:
    """Read a file such as ``config/words/replies/zh.toml``.

    Raises:
        BadValue: it is none; the first fault.
    """
    document = read_data_file(path)
    if unknown := sorted(document.keys() - {"language", *_LISTS}):
        raise BadValue(f"{path}: {unknown[0]} is unknown; write language and lists of {', '.join(_LISTS)}")
    language = document.get("language")
    if not (isinstance(language, str) and _LANGUAGE.fullmatch(language)):
        raise BadValue(f'{path}: language is none; write its code, such as "zh"')
    return WordFile(language=language, **{key: _words(path, key, document.get(key, [])) for key in _LISTS})


def _words(path: Path, key: str, value: Any) -> tuple[str, ...]:
    if not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        raise BadValue(f'{path}: {key} is no list of texts; write {key} = ["…"]')
    if len(value) > _MOST_WORDS:
        raise BadValue(f"{path}: {key} has more than {_MOST_WORDS} words; write fewer")
    for word in value:
        if key == "near":
            fault = (
                None if 1 < len(fold_word(word)) <= _MOST_NEAR_CHARS else "has too few or too many letters"
            )
        else:
            fault = find_fault(word)
        if fault:
            raise BadValue(f"{path}: {key}: {show(word)} {fault}")
    return tuple(value)


@cache
def shipped_words() -> tuple[WordFile, ...]:
    """The files that come with the gateway, by language: beside the package, or where pip has put them."""
    beside = Path(__file__).parents[2] / "config" / "words" / "replies"
    installed = Path(sysconfig.get_path("data")) / "share" / "hongyan" / "words" / "replies"
    files = next((found for place in (beside, installed) if (found := sorted(place.glob("*.toml")))), [])
    return tuple(read_word_file(path) for path in files)


def parse_languages(value: object) -> tuple[str, ...] | None:
    """``"all"`` as None, or a list of languages that there are words of."""
    if value == "all":
        return None
    known = [file.language for file in shipped_words()]
    choices = f'write "all" or a list of these: {", ".join(known)}'
    if not isinstance(value, list):
        raise BadValue(f"{show(value)} is no list; {choices}")
    for one in value:
        if one not in known:
            raise BadValue(f"{show(one)} is no language with words; {choices}")
    return tuple(value)


def parse_word_files(value: object) -> tuple[WordFile, ...]:
    """Files of the config."""
    if not isinstance(value, list):
        raise BadValue(f"{show(value)} is not a list; write it in brackets: [{show(value)}]")
    return tuple(read_word_file(parse_file(element)) for element in value)


def make_keywords(
    files: Iterable[WordFile], opt_out: Iterable[str], opt_in: Iterable[str], help_: Iterable[str]
) -> Keywords:
    """The words in force.

    Args:
        opt_out, opt_in, help_: of the config: in addition to those of the files. What a word means here goes before
            what it means there.
    """
    files = list(files)
    own = {"opt_out": fold_all(opt_out), "opt_in": fold_all(opt_in), "help": fold_all(help_)}
    meant = {key: words | fold_all(_all(files, key)) - _others(own, key) for key, words in own.items()}
    plain = Keywords.of((), ())
    return Keywords(
        opt_out=meant["opt_out"],
        opt_in=meant["opt_in"],
        help=meant["help"],
        frame=Frame(
            leads=plain.frame.leads | fold_all(_all(files, "leads")),
            tails=plain.frame.tails | fold_all(_all(files, "tails")),
            polite_leads=fold_all(_all(files, "polite_leads")),
            polite_tails=fold_all(_all(files, "polite_tails")),
        ),
        near=Keywords.of((), (), near=_all(files, "near")).near,
    )


def _all(files: Iterable[WordFile], key: str) -> list[str]:
    return [word for file in files for word in getattr(file, key)]


def _others(own: dict[str, frozenset[str]], key: str) -> frozenset[str]:
    """Words that the config gives another meaning."""
    return frozenset(bare(word) for other, words in own.items() if other != key for word in words)
