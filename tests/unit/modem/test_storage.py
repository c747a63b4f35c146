from typing import Any

import pytest

from drivers.at.transaction import MAX_INFO_LINES
from drivers.errors import AtError
from drivers.modem.memories.storage import StorageReader, StorageSetup, set_up_storage

pytestmark = pytest.mark.unit


class ScriptedPort:
    """Answers from a table; what is not in it is refused."""

    def __init__(self, replies):
        self.replies = replies
        self.commands = []

    async def request(self, text, *, timeout_s=None):
        self.commands.append(text)
        if text not in self.replies:
            raise AtError("ERROR")
        return self.replies[text]


def scripted_port(replies) -> Any:
    return ScriptedPort(replies)


@pytest.mark.parametrize(
    ("choices", "accepted", "expected"),
    [
        ('+CPMS: ("SM","ME"),("SM","ME"),("SM","ME")', '"ME","ME","ME"', ("ME", ("ME", "SM"))),
        ('+CPMS: ("SM"),("SM"),("SM")', '"SM","SM","SM"', ("SM", ("SM",))),
        ('+CPMS: ("ME","SM","SR"),("ME","SM"),("SM")', '"ME","ME","SM"', ("ME", ("ME", "SM", "SR"))),
        ('+CPMS: ("MT"),("MT"),("MT")', '"MT","MT","MT"', ("MT", ("MT",))),
        (None, '"SM","SM","SM"', ("SM", ("SM",))),
        (None, None, (None, ())),
    ],
)
async def test_the_stick_gets_the_best_storage_it_has(choices, accepted, expected):
    replies = {}
    if choices:
        replies["AT+CPMS=?"] = (choices,)
    if accepted:
        replies[f"AT+CPMS={accepted}"] = ("+CPMS: 0,10,0,10,0,10",)
    setup = await set_up_storage(scripted_port(replies))
    assert (setup.preferred, setup.readable) == expected


async def test_a_storage_is_selected_only_when_it_changes():
    port = scripted_port({"AT+CMGD=1": (), "AT+CMGD=2": (), 'AT+CPMS="SM"': ()})
    reader = StorageReader(port, StorageSetup(preferred="ME", readable=("ME", "SM")))
    await reader.delete("ME", 1)
    await reader.delete("SM", 1)
    await reader.delete("SM", 2)
    assert port.commands == ["AT+CMGD=1", 'AT+CPMS="SM"', "AT+CMGD=1", "AT+CMGD=2"]


async def test_after_a_refused_selection_nothing_is_assumed():
    port = scripted_port({"AT+CMGD=1": (), 'AT+CPMS="ME"': ()})
    reader = StorageReader(port, StorageSetup(preferred="ME", readable=("ME",)))
    with pytest.raises(AtError):
        await reader.delete("SM", 1)
    await reader.delete("ME", 1)
    assert port.commands == ['AT+CPMS="SM"', 'AT+CPMS="ME"', "AT+CMGD=1"]


async def test_a_listing_that_was_cut_off_hides_messages():
    lines = [line for n in range(MAX_INFO_LINES // 2) for line in (f"+CMGL: {n},1,,1", "0000")]
    port = scripted_port({"AT+CMGL=4": tuple(lines)})
    reader = StorageReader(port, StorageSetup(preferred="ME", readable=("ME",)))
    assert len(await reader.list_all("ME")) == MAX_INFO_LINES // 2
    assert not reader.listed_whole, "all that was read must not be deleted: there may be more"
