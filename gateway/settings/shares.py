"""``[[shares]]``, and ``weight`` of accounts: who gets how much of a queue when several have too much for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

import msgspec

from gateway.settings.forms import Filled, Form, whole_number

Weight = Annotated[int, Form(whole_number(1, 100))]


class ShareSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[shares]]``: the weight of an API key; those that are not named have 1.

    Args:
        key: the key's name.
        weight: how many messages of it go for one of a key of weight 1.
    """

    key: Filled
    weight: Weight = 1


def twice_named(shares: Iterable[ShareSettings]) -> Iterator[tuple[str, str]]:
    """A key has one weight."""
    known: set[str] = set()
    for i, share in enumerate(shares):
        if share.key in known:
            yield f"shares[{i}].key", "has a weight already; write each key once"
        known.add(share.key)


def weights_of(
    shares: Iterable[ShareSettings], smpp: Mapping[str, int], kannel: Mapping[str, int]
) -> dict[str, int]:
    """Weights by the names under which owners join their lines.

    Args:
        smpp, kannel: weights by the names of accounts.
    """
    return (
        {f"key:{share.key}": share.weight for share in shares}
        | {f"smpp:{name}": weight for name, weight in smpp.items()}
        | {f"kannel:{name}": weight for name, weight in kannel.items()}
    )
