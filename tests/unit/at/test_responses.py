import pytest

from drivers.at import responses
from drivers.at.responses import NO_STATUS, StorageUse, StoredPdu

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('0,0,"China, Mobile",7', ["0", "0", "China, Mobile", "7"]),
        ('"SM",3', ["SM", "3"]),
        ("1,,24", ["1", "", "24"]),
        ("1,", ["1", ""]),
        (" 20 , 99 ", ["20", "99"]),
        ("", [""]),
        ('"","+8613800138000",145', ["", "+8613800138000", "145"]),
    ],
)
def test_fields(text, fields):
    assert responses.split_fields(text) == fields


@pytest.mark.parametrize(
    ("lines", "mr"),
    [
        (("+CMGS: 5",), 5),
        (("+CMGS:255",), 255),
        (('+CMGS: 5,"26/11/21,20:00:00+32"',), 5),
        (("^NOTE", "+CMGS: 0"), 0),
        (("+CMGS: -1",), None),
        (("+CMGS: 256",), None),
        (("+CMGS:",), None),
        ((), None),
    ],
)
def test_message_reference(lines, mr):
    assert responses.parse_cmgs(lines) == mr


def test_a_listing_of_stored_messages():
    lines = ("+CMGL: 1,1,,4", "00AB", '+CMGL: 12,0,"Mum",4', "00CD", "+CMGL: 13,0,,4", "+CMGL: 14,1,,2", "zz")
    assert responses.parse_cmgl(lines) == [
        StoredPdu(index=1, status=1, n_octets=4, pdu=b"\x00\xab"),
        StoredPdu(index=12, status=0, n_octets=4, pdu=b"\x00\xcd"),
        StoredPdu(index=13, status=0, n_octets=4, pdu=b""),
        StoredPdu(index=14, status=1, n_octets=2, pdu=None),
    ]


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("+CMGL: 3,4", NO_STATUS),
        ("+CMGL: 3,,4", NO_STATUS),
        ("+CMGL: 3", NO_STATUS),
        ("+CMGL: 3,1", 1),
        ('+CMGL: 3,"REC READ",,4', 1),
        ('+CMGL: 3,"STO SENT",,4', 3),
    ],
)
def test_a_listing_whose_headers_leave_something_out(header, status):
    pdu = "00ABCDEF00"
    entry = StoredPdu(index=3, status=status, n_octets=4, pdu=bytes.fromhex(pdu))
    assert responses.parse_cmgl((header, pdu)) == [entry]


def test_a_header_with_the_length_alone_is_that_of_a_message():
    entry = responses.parse_cmgr(("+CMGR: 4", "00ABCDEF00"))
    assert entry == StoredPdu(index=-1, status=NO_STATUS, n_octets=4, pdu=bytes.fromhex("00ABCDEF00"))


def test_a_pdu_in_the_line_of_its_header():
    pdu = "00" + "AB" * 12
    assert responses.parse_cmgl((f"+CMGL: 1,1,,12,{pdu}", "+CMGL: 2,0,,1", "00CD")) == [
        StoredPdu(index=1, status=1, n_octets=12, pdu=bytes.fromhex(pdu)),
        StoredPdu(index=2, status=0, n_octets=1, pdu=b"\x00\xcd"),
    ]


def test_one_stored_message():
    entry = responses.parse_cmgr(("+CMGR: 0,,4", "00AB"))
    assert entry == StoredPdu(index=-1, status=0, n_octets=4, pdu=b"\x00\xab")
    assert responses.parse_cmgr(()) is None
    assert responses.parse_cmgr(("+CMGR: 0,,0",)) is None


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('+CMTI: "SM",3', ("SM", 3)),
        ('+CMTI:"ME",0', ("ME", 0)),
        ('+CDSI: "SR",12', ("SR", 12)),
        ('+CMTI: "SM"', None),
        ("+CMTI:", None),
        ('+CMTI: "SM_P",3', ("SM_P", 3)),
        ('+CMTI: SM";+CMGD=1;+CPMS="SM,3', None),
    ],
)
def test_place_of_a_new_message(line, place):
    assert responses.parse_cmti(line) == place


def test_length_of_a_direct_message():
    assert responses.parse_direct_length("+CMT: ,24") == 24
    assert responses.parse_direct_length('+CMT: "",24') == 24
    assert responses.parse_direct_length("+CDS: 25") == 25
    assert responses.parse_direct_length("+CDS:") is None


@pytest.mark.parametrize(
    ("line", "dbm"), [("+CSQ: 0,99", -113), ("+CSQ: 31,0", -51), ("+CSQ: 99,99", None), ("+CSQ:", None)]
)
def test_signal(line, dbm):
    assert responses.parse_csq((line,)) == dbm


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("+CREG: 0,1", 1),
        ("+CREG: 2,5,\"1A2B\",\"0C3D\",7", 5),
        ("+CREG: 1", 1),
        ('+CREG: 5,"1A2B","0C3D"', 5),
        ("+CEREG: 0,3", 3),
        ("+CREG: ", None),
        ("+CSQ: 1,2", None),
        ("+CREG: 5,0003,00A1,2", 5),
        ("+CREG: 1, 599, 3925", 1),
        ("+CREG: 1,00A1,0003", 1),
        ("+CREG: 5,DDAE,0003,7", 5),
        ("+CREG: 2,1, 599, 3925", 1),
        ("+CREG: 2,10,0003,00A1,7", 10),
    ],
)  # fmt: skip
def test_registration(line, status):
    assert responses.parse_registration((line,)) == status


@pytest.mark.parametrize("news", ["+CREG: 3", '+CREG: 3,"1A2B","0C3D"', "+CREG: 2, 599, 3925"])
def test_news_ahead_of_the_answer_do_not_count(news):
    assert responses.parse_registration((news, "+CREG: 2,1, 599, 3925")) == 1


def test_operator():
    assert responses.parse_cops(('+COPS: 0,0,"CHINA MOBILE",7',)) == "CHINA MOBILE"
    assert responses.parse_cops(("+COPS: 0",)) is None
    assert responses.parse_cops(('+COPS: 0,2,"46000000",7',)) == "46000000"
    assert responses.parse_cops(('+COPS: 0,0,"4E2D56FD79FB52A8",7',)) == "中国移动"


@pytest.mark.parametrize(
    "line",
    ['+COPS: 0,0,"CHINA MOBILE,7', '+COPS: 0,0,CHINA MOBILE",7', "+COPS: 0,0,CHINA MOBILE,7",
     '+COPS: 0,0, "CHINA MOBILE" ,7', '+COPS: 0,0,"CHINA MOBILE', '+COPS: 0,0,"CHINA "MOBILE"",7'],
)  # fmt: skip
def test_operator_in_quotes_that_do_not_match(line):
    assert responses.parse_cops((line,)) == "CHINA MOBILE"


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ('+CSCA: "+8613800138500",145', "+8613800138500"),
        ('+CSCA: "8613800138500",145', "+8613800138500"),
        ('+CSCA: "002B0038003600310033003800300030003100330038003500300030",145', "+8613800138500"),
        ('+CSCA: "0038003600310033003800300030003100330038003500300030",145', "+8613800138500"),
        ('+CSCA: "8613800138500000",129', "8613800138500000"),
        ('+CSCA: "+8613800138500,145', "+8613800138500"),
        ('+CSCA: "",129', None),
    ],
)
def test_service_centre(line, number):
    assert responses.parse_csca((line,)) == number


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        (("+CPIN: READY",), "READY"),
        (("+CPIN: SIM PIN",), "SIM PIN"),
        (("+CPIN:SIM PUK",), "SIM PUK"),
        ((), None),
    ],
)
def test_pin_state(lines, state):
    assert responses.parse_cpin(lines) == state


def test_own_number():
    assert responses.parse_cnum(('+CNUM: "","+8613800138000",145',)) == "+8613800138000"
    assert responses.parse_cnum(('+CNUM: "","",129', '+CNUM: ,"13800138000",129')) == "13800138000"
    assert responses.parse_cnum(()) is None
    for line in (
        '+CNUM: "Own,"+8613800138000",145',
        '+CNUM: "Own","+8613800138000,145',
        '+CNUM: ,"+8613800138000,145',
        '+CNUM: "Bob "the" man","+8613800138000",145',
        '+CNUM: "Own","002B0038003600310033003800300030003100330038003000300030",145',
    ):
        assert responses.parse_cnum((line,)) == "+8613800138000"


def test_storage_choices():
    lines = ('+CPMS: ("ME","MT","SM","SR"),("ME","SM"),("SM")',)
    assert responses.parse_storage_choices(lines) == [{"ME", "MT", "SM", "SR"}, {"ME", "SM"}, {"SM"}]
    assert responses.parse_storage_choices(('+CPMS: "SM","SM","SM"',)) == [{"SM"}] * 3
    assert responses.parse_storage_choices(()) == []


@pytest.mark.parametrize(
    ("told", "choices"),
    [
        ('("SM","ME"),"SM","SM"', [{"SM", "ME"}, {"SM"}, {"SM"}]),
        ('"SM",("SM","ME"),("SM")', [{"SM"}, {"SM", "ME"}, {"SM"}]),
        ('(("SM","BM","SR"),("SM"))', [{"SM", "BM", "SR"}, {"SM"}]),
        ("(SM,ME),(SM),SM", [{"SM", "ME"}, {"SM"}, {"SM"}]),
        ("(),(),()", [set(), set(), set()]),
    ],
)
def test_storage_choices_in_other_spellings(told, choices):
    assert responses.parse_storage_choices((f"+CPMS: {told}",)) == choices


def test_storage_use():
    named = responses.parse_cpms(('+CPMS: "SM",3,30,"SM",3,30,"SM",3,30',))
    assert named == StorageUse(name="SM", n_used=3, n_total=30)
    assert responses.parse_cpms(("+CPMS: 3,30,3,30,3,30",)) == StorageUse(name="", n_used=3, n_total=30)
    assert responses.parse_cpms(("+CPMS: x",)) is None
    mixed = ('+CPMS: "SM",3,30,"ME",1,100,"MT",4,130',)
    assert responses.parse_cpms(mixed, 2) == StorageUse(name="MT", n_used=4, n_total=130)
    assert responses.parse_cpms(("+CPMS: 3,30,1,100,4,130",), 2) == StorageUse(name="", n_used=4, n_total=130)
    assert responses.parse_cpms(('+CPMS: "SM",3,30',), 2) == StorageUse(name="SM", n_used=3, n_total=30)


@pytest.mark.parametrize(
    ("lines", "digits"),
    [
        (("861696001234567",), "861696001234567"),
        (("+CCID: 89860012345678901234",), "89860012345678901234"),
        (("^ICCID: 8986001234567890123F",), "8986001234567890123"),
        (('+ICCID: "89860012345678901234"',), "89860012345678901234"),
        (("+CGSN: 861696001234567",), "861696001234567"),
        (("none",), None),
    ],
)
def test_serial_numbers(lines, digits):
    assert responses.parse_digits(lines) == digits


def test_free_text():
    assert responses.parse_text(("huawei",)) == "huawei"
    assert responses.parse_text(('+CGMM: "E173"',)) == "E173"
    assert responses.parse_text(("Revision:1418B05",)) == "Revision:1418B05"
    assert responses.parse_text(()) is None


def test_error_mode_and_functionality():
    assert responses.parse_cmee(("+CMEE: 0",)) == 0
    assert responses.parse_cmee(()) is None
    assert responses.parse_cfun(("+CFUN: 4",)) == 4
    assert responses.parse_cfun(("+CFUN: full",)) is None
