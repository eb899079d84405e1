"""Numbered accounts and things."""

from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.recogniser import LIKELY, STRONG, WEAK, Recogniser, only_in

GROUP = "sequences"
RECOGNISERS = (
    Recogniser(
        "numbered_test",
        ("^ (?:test|tests|tst|demo|dummy|tmp|temp|qa|foo|fake|mock|تست|ازمایشی|تجریبی|اختبار) ?[0-9]+(?: [0-9]+)*(?: [a-z]{1,4})? $",),
        STRONG,
        "a test word with a number",
        ("test1", "Test 12", "demo_3", "تست ۳", "test001.pdf", "qa-7"),
        ("latest 1", "contest2", "Testament 2"),
    ),
    Recogniser(
        "numbered_user",
        ("^ (?:user|usr|username|account|customer|member|guest|client|person|کاربر|مستخدم) ?[0-9]+ $",),
        STRONG,
        "an account that is called by a number",
        ("user123", "User 1", "customer_42", "کاربر ۱۲"),
        ("user guide 3", "power user", "User manual 2"),
        {FieldKind.PROSE: WEAK, FieldKind.FILENAME: LIKELY},
    ),
    Recogniser(
        "numbered_thing",
        ("^ (?:file|document|doc|item|record|entry|data|message|title|name|text|post|upload|conversation|chat) [0-9]+(?: (?:pdf|docx?|txt|md))? $",),
        0.4,
        "a thing that is called by a number",
        ("Document 1", "file3.txt", "Item 12"),
        ("scan0001.pdf", "IMG_1234.jpg", "Surah 112", "Chapter 3"),
        {FieldKind.PERSON: STRONG, FieldKind.PROSE: 0.2},
    ),
    Recogniser(
        "one_two_three",
        (" (?:test|demo|user|admin|abc|aaa|asd|qwe|foo|pass|password|name|hello) ?123(?:4|45|456)? ", "^ (?:123|1234|12345|123456|1234567|12345678|123456789|123 456|1 2 3|111|1111|11111|111111|000|0000|00000|000000|999|9999|99999) $"),
        0.9,
        "the first numbers that come to the fingers",
        ("test123", "admin 1234", "123", "111111", "abc123"),
        ("1234 questions", "Psalm 123", "password rules"),
        {FieldKind.PROSE: 0.5, FieldKind.TITLE: STRONG, FieldKind.EMAIL: 0.0, FieldKind.FILENAME: STRONG},
    ),
    Recogniser(
        "lettered_test",
        ("^ (?:test|demo|dummy) (?:[a-z]|one|two|three|alpha|beta|gamma|i|ii|iii) $",),
        STRONG,
        "a test word with a letter or a name for a number",
        ("Test A", "demo two", "test-beta"),
        ("Vitamin A test", "Demo tape"),
    ),
    Recogniser(
        "numbered_name",
        ("^ (?:[a-z]+ )?(?:one|two|three|four|five|first|second) (?:test|user|account|demo) $",),
        STRONG,
        "a test thing that is counted in words",
        ("second test", "User two test", "first user"),
        ("second testament", "first account of the battle"),
        only_in(FieldKind.PERSON, FieldKind.TITLE, FieldKind.FILENAME, FieldKind.IDENTIFIER),
    ),
)  # fmt: skip
