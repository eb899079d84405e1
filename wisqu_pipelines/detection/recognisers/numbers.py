"""Numbers that documentation and payment providers publish for tests."""

from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.recogniser import ASIDE, LIKELY, STRONG, Form, Recogniser

_START, _END = r"(?:^|[^0-9])", r"(?:$|[^0-9])"
_GAP = r"[ -]?"


def _number(*groups: str) -> str:
    """A number in groups that blanks or hyphens may part."""
    return f"{_START}{_GAP.join(groups)}{_END}"


GROUP = "fixture_numbers"
RECOGNISERS = (
    Recogniser(
        "test_ssn",
        (rf"{_START}(?:123-45-6789|000-00-0000|111-11-1111|078-05-1120|219-09-9999|987-65-432[0-9]|999-99-9999){_END}",),
        STRONG,
        "a social security number that was never given to anybody",
        ("123-45-6789", "ssn 078-05-1120"),
        ("123-45-67890", "2123-45-6789", "978-05-1120"),
        {},
        Form.TEXT,
    ),
    Recogniser(
        "fictional_phone",
        (rf"{_START}555[ .-]01[0-9]{{2}}{_END}", rf"\([0-9]{{3}}\) ?555[ .-]?01[0-9]{{2}}{_END}", rf"{_START}[0-9]{{3}}[ .-]?555[ .-]?01[0-9]{{2}}{_END}"),
        0.9,
        "a telephone number that is kept for fiction (NANPA, 555-0100 to 555-0199)",
        ("555-0123", "(212) 555-0187", "+1 212 555 0100"),
        ("555-1234-5", "5550199887", "0555-0199887"),
        {FieldKind.PROSE: STRONG, FieldKind.TITLE: STRONG, FieldKind.IDENTIFIER: STRONG},
        Form.TEXT,
    ),
    Recogniser(
        "test_card",
        (
            _number("4111", "1111", "1111", "1111"), _number("4242", "4242", "4242", "4242"), _number("4000", "0[05]00", "0000", "0[0-9]{3}"),
            _number("5555", "5555", "5555", "4444"), _number("5105", "1051", "0510", "5100"), _number("4012", "8888", "8888", "1881"),
            _number("6011", "1111", "1111", "1117"), _number("6011", "0009", "9013", "9424"), _number("3782", "822463", "10005"),
            _number("3714", "496353", "98431"), _number("3056", "9309", "0259", "04"), _number("3530", "1113", "3330", "0000"),
            _number("2223", "0031", "2200", "3222"), _number("6037", "9[0-9]11", "1111", "1111"), _number("4444", "3333", "2222", "1111"),
            _number("1234", "5678", "9012", "3456"), _number("0000", "0000", "0000", "0000"), _number("1111", "1111", "1111", "1111"), _number("1234", "1234", "1234", "1234"),
        ),
        STRONG,
        "a card number that payment providers publish for tests",
        ("4111 1111 1111 1111", "card 4242424242424242", "3782-822463-10005"),
        ("4111 1111 1111 1112 3", "5212 3321 9023 1123"),
        {},
        Form.TEXT,
    ),
    Recogniser(
        "counting_number",
        (rf"^{ASIDE}(?:0?123456789[01]?2?|01234567(?:89)?|9876543210?|987654321|1234567|12345678|0?9123456789|\+?98 ?912 ?345 ?6789|0?9(?:12|00|11|10)0000000|\+?9812[ -]?3456789|123-?456-?7890|\(123\) ?456-7890|0[0-9]{{0,3}}(?:0{{6,}}|1{{6,}}|2{{6,}}|3{{6,}}|4{{6,}}|5{{6,}}|6{{6,}}|7{{6,}}|8{{6,}}|9{{6,}})|0{{7,}}|1{{7,}}|9{{7,}}){ASIDE}$",),
        STRONG,
        "digits in a row instead of a number",
        ("1234567890", "09123456789", "۰۹۱۲۳۴۵۶۷۸۹", "123-456-7890", "0000000000", "0500000000", "۰۹۱۲۱۱۱۱۱۱۱"),
        ("9780123456786", "09127654321", "1357924680"),
        {FieldKind.PROSE: LIKELY},
        Form.TEXT,
    ),
    Recogniser(
        "counting_number_in_text",
        (rf"{_START}(?:1234567890|0123456789|09123456789|09120000000|09000000000|123-456-7890){_END}",),
        LIKELY,
        "digits in a row among other words",
        ("call 09123456789 please", "tel. 123-456-7890"),
        ("9781234567890", "09123456788"),
        {FieldKind.PROSE: 0.9},
        Form.TEXT,
    ),
    Recogniser(
        "example_phone",
        (
            rf"{_START}(?:\+?98[ -]?|0)9[0-9]{{2}}[ -]?(?:000[ -]?00[ -]?00|000[ -]?0000|111[ -]?1111|123[ -]?45[ -]?67|123[ -]?4567){_END}",
            rf"{_START}(?:\+?966[ -]?|0)5[0-9][ -]?(?:000[ -]?0000|111[ -]?1111|123[ -]?4567|555[ -]?5555){_END}",
            rf"{_START}(?:0{{7,}}|1{{8,}}|2{{8,}}|3{{8,}}|4{{8,}}|5{{8,}}|6{{8,}}|7{{8,}}|8{{8,}}|9{{8,}}){_END}",
            rf"{_START}(?:\+?1[ .-]?)?\(?555\)?[ .-]555[ .-]5555{_END}", rf"{_START}(?:\+?1[ .-]?)?\(?123\)?[ .-]?456[ .-]?7890{_END}",
        ),
        LIKELY,
        "a telephone number as people make one up",
        ("call 0912 000 0000", "+966 50 123 4567", "tel 0000000000", "+1-555-555-5555"),
        ("1000000 rials", "0912 735 4821", "+966 50 731 4567", "the year 1111"),
        {FieldKind.PROSE: STRONG, FieldKind.IDENTIFIER: STRONG, FieldKind.PERSON: STRONG, FieldKind.TITLE: STRONG},
        Form.TEXT,
    ),
    Recogniser(
        "published_example",
        (
            r"(?:^|[^a-z0-9])(?:de89 ?3704 ?0044 ?0532 ?0130 ?00|gb82 ?west ?1234 ?5698 ?7654 ?32|gb29 ?nwbk ?6016 ?1331 ?9268 ?19|fr14 ?2004 ?1010 ?0505 ?0001 ?3m02 ?606)(?:$|[^a-z0-9])",
            rf"{_START}(?:192\.0\.2|198\.51\.100|203\.0\.113)\.[0-9]{{1,3}}{_END}", r"(?:^|[^0-9a-f:])2001:db8:",
            r"(?:^|[^0-9a-f:])(?:00:00:00:00:00:00|de:ad:be:ef:[0-9a-f:]{5}|aa:bb:cc:dd:ee:ff|11:22:33:44:55:66)", rf"{_START}978-?3-?16-?148410-?0{_END}",
        ),
        STRONG,
        "an account, address or number that documentation gives as its example (RFC 5737, RFC 3849, the IBAN registry)",
        ("DE89 3704 0044 0532 0130 00", "from 192.0.2.15", "2001:db8::1", "aa:bb:cc:dd:ee:ff"),
        ("DE12 5001 0517 0648 4898 90", "192.168.2.1", "2001:4860::8888", "978-3-16-148411-7"),
        {FieldKind.PROSE: LIKELY},
        Form.TEXT,
    ),
    Recogniser(
        "nil_uuid",
        (r"00000000-0000-0000-0000-00000000000[0-9a-f]", r"11111111-1111-1111-1111-111111111111", r"12345678-1234-[0-9]234-[0-9]?[0-9]234-123456789[0-9a-f]{3}", r"deadbeef"),
        0.9,
        "an identifier that was written by hand",
        ("00000000-0000-0000-0000-000000000001", "deadbeef"),
        ("3f2b1c00-0000-4000-8000-00000000002a", "dead beef"),
        {FieldKind.PROSE: 0.9, FieldKind.FILENAME: 0.9, FieldKind.IDENTIFIER: STRONG},
        Form.TEXT,
    ),
)  # fmt: skip
