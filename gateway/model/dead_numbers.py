"""Dead numbers: which answers of networks say that nobody has a number. Pure.

Only what a standard defines so is in the table: many networks give the same number another meaning in the ``err`` of a
receipt (001 is "unknown subscriber" with some, "absent" with others), so those are for ``[numbers] dead_codes``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

NO_SUCH_NUMBER: Final = frozenset(
    {
        "cms_1",  # 3GPP TS 24.011 E-2: unassigned number
        "cms_195",  # 3GPP TS 23.040 9.2.3.22: TP-FCS 0xC3, invalid SME address
        "smpp_0x0b",  # SMPP 3.4 5.1.3: ESME_RINVDSTADR
        "tp_st_0x43",  # 3GPP TS 23.040 9.2.3.15: not obtainable
        "network:3:1",  # SMPP 3.4 5.3.2.31, network type GSM; 3GPP TS 29.002 17.6.6: unknownSubscriber
        "MK:0001",  # the same cause, as the networks of China write it
    }
)


def says_no_such_number(code: str, word: str = "", *, more: Collection[str] = ()) -> bool:
    """Whether an answer means that nobody has the number.

    Args:
        code: of a fault or a receipt.
        word: the network's own word for the state, of a receipt.
        more: further codes and words that mean it here.

    >>> says_no_such_number("cms_1"), says_no_such_number("cms_38"), says_no_such_number("", "mk:0001")
    (True, False, True)
    """
    return any(
        one in NO_SUCH_NUMBER or one in more for one in (code, code.lower(), word, word.upper()) if one
    )
