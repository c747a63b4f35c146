"""Carrier options: parameters that a message brings along for its carrier, as one text that only drivers read.

The gateway keeps the text with the message and hands it on. SMPP sends the options as optional parameters; SIMs
ignore them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from drivers.errors import DecodeError


def write_options(given: Mapping[str, str]) -> str | None:
    """The text for options as clients write them.

    Args:
        given: tag (``0x`` and hex digits) and octets in hex, by tag.

    Returns:
        None for no options.

    >>> write_options({"0x1400": "3132"})
    '[[5120, "3132"]]'
    """
    return json.dumps([[int(tag, 16), octets.lower()] for tag, octets in given.items()]) if given else None


def read_options(text: str | None) -> tuple[tuple[int, bytes], ...]:
    """Tag and octets of each option, in the order in which they were given.

    Raises:
        DecodeError: the text is not one of `write_options`.

    >>> read_options('[[5120, "3132"]]')
    ((5120, b'12'),)
    """
    if text is None:
        return ()
    try:
        return tuple((int(tag), bytes.fromhex(octets)) for tag, octets in json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        raise DecodeError("carrier_options", 0, str(error)) from error
