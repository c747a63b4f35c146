"""Traits: what a driver's channel is like, so that nobody has to ask what kind it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a channel is like, for whoever must treat it accordingly; what does not change while it is in use.

    Args:
        kind: what people call such a channel: ``modem``, ``smpp``, ``loopback``. To be shown; nothing is decided by it.
        references_repeat: the network counts in a small circle and may begin anew at any time (TP-MR of a SIM). A
            reference names a segment only together with handset and time, and one that is not known may be an older
            segment's. Else a reference stands for one segment for good, or nearly.
        times_trusted: the times in receipts are true (TP-SCTS has its zone); else a network may write them in a zone
            of its own, and they prove nothing.
        ids_in_dialects: receipts may spell an id otherwise than the answer to the submit did, or cut it off.
        takes_options: False where options that a message brings along for its carrier would be lost (SMPP 3.3). True
            where they are sent, and where there is nothing that could miss them (a SIM).
        in_turns: one segment after the other; else as many as the window has room for.
    """

    kind: str
    references_repeat: bool = False
    times_trusted: bool = False
    ids_in_dialects: bool = False
    takes_options: bool = True
    in_turns: bool = False
