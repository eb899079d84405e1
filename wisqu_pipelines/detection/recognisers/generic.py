"""Texts of test words: alone, with numbers, and with words that make nothing real of them."""

from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.recogniser import CERTAIN, LIKELY, SHORT, STRONG, WEAK, Recogniser, any_of, only_in
from wisqu_pipelines.detection.recognisers.vocabulary import FILLER, HARD, SOFT, nothing_but

_SOFT_LATIN = any_of(
    "samples?", "examples?", "fake", "mock", "junk", "garbage", "trial", "draft", "sandbox", "s 4 mple", "f 4 ke"
)
_THINGS = any_of(
    "users?", "accounts?", "files?", "documents?", "docs?", "data", "uploads?", "emails?", "messages?", "records?",
    "entry", "entries", "posts?", "rows?", "images?", "conversations?", "customers?", "clients?", "organi[sz]ation",
)  # fmt: skip

GROUP = "generic"
RECOGNISERS = (
    Recogniser(
        "nothing_but_test_words",
        (nothing_but(HARD, any_of(SOFT, FILLER)),),
        CERTAIN,
        "it consists of words that only testers write",
        ("test", "Test User 12", "my-test-document_v2.pdf", "userTest1", "demo account", "testing testing 123", "T E S T",
         "t3st", "D3mo", "این یک پیام آزمایشی است", "هذه رسالة تجريبية", "تست", "foo bar", "dummy data", "temp.txt",
         "نمونه ۲ تست", "ملف تجريبي", "just testing", "Test test TEST", "Untitled(3).docx", "تست‌ها"),
        ("Test cricket", "Blood test", "latest", "contest", "protest", "fatwas", "Democracy", "temporary", "testament",
         "تفسیر نمونه", "آزمایش خون", "Tempo", "My tests of faith", "Demokritos", "تستر"),
    ),
    Recogniser(
        "soft_word_and_thing",
        (
            f"^(?: (?:my|the|a|an|this|is|new|just))*? {_SOFT_LATIN}(?: {_SOFT_LATIN})* {_THINGS}(?: {FILLER})* $",
            f"^(?: {any_of('my', 'new')})* {_THINGS} {_SOFT_LATIN}(?: [0-9]+| [a-z])* $",
        ),
        STRONG,
        "a thing of software that is called a sample, fake or mock one",
        ("sample doc 3", "Fake user", "mock data", "example file.pdf", "new sample document", "document sample 2"),
        ("Sample Size Determination", "Examples of the Prophet", "Fake news", "sample of Persian prose", "The file of samples"),
        {FieldKind.PROSE: LIKELY},
    ),
    Recogniser(
        "soft_word_and_number",
        (f"^ {SOFT}(?: {SOFT})*(?: [0-9]+)+(?: {any_of('pdf', 'docx?', 'txt', 'md', 'jpe?g', 'png', 'csv', 'html?')})? $",),
        STRONG,
        "a word like sample with a number behind it, and nothing else",
        ("sample 1", "Example 12.txt", "fake3", "abc123", "نمونه ۳", "تجربة ٢", "trial-7.pdf"),
        ("sample", "Example 1: the traveller's prayer", "Chapter 3", "Surah 112", "نمونه سوالات ۳"),
        {FieldKind.PROSE: LIKELY, FieldKind.TITLE: 0.9},
    ),
    Recogniser(
        "soft_word_alone",
        (f"^ {SOFT}(?: {any_of('pdf', 'docx?', 'txt', 'md', 'jpe?g', 'png', 'csv', 'html?')})? $",),
        LIKELY,
        "a word like sample, and nothing else",
        ("sample", "Example.pdf", "نمونه", "مثال", "تجربة", "mock"),
        ("free samples of cloth", "نمونه کار", "تجربة شخصية"),
        {FieldKind.PERSON: LIKELY, FieldKind.FILENAME: 0.8},
    ),
    Recogniser(
        "test_thing",
        (
            f" (?:test|testing|dummy|demo|fake|mock) {_THINGS} ",
            f" (?:test|dummy) (?:name|title|text|content|description|value|string|page|item)s? ",
        ),
        0.8,
        "a thing of software that is called a test one",
        ("Please use the test account of Ali", "Dummy data for the new layout", "a test document about prayer"),
        ("test cricket", "the test of an account", "crash test dummy", "dummy variable"),
        {FieldKind.FILENAME: STRONG, FieldKind.TITLE: STRONG, FieldKind.PERSON: STRONG, FieldKind.PROSE: 0.6},
    ),
    Recogniser(
        "test_of_software",
        (
            " (?:upload|login|log in|sign ?up|signup|register|registration|import|ingest|deploy(?:ment)?|api|smoke|regression|"
            "e 2 e|end to end|unit|integration|load|search|chat|ocr|parser|chunking|embedding|promotion|migration|encoding|"
            "unicode|emoji|rtl|pagination|form|button|webhook|pipeline|cron|sync|qa|uat) tests? ",
            " tests? (?:upload|login|sign ?up|signup|registration|import|ingest|deploy(?:ment)?|api|promotion|migration|"
            "pagination|encoding|unicode|emoji|webhook|pipeline|run|suite|fixture|case [0-9]+) ",
        ),
        0.9,
        "the test of a piece of software",
        ("upload test 3", "Login test", "smoke test after the deploy", "test upload from my phone", "qa-test-cases.pdf", "Test run 7"),
        ("unity test", "the load of a test", "test matches", "form of the test", "loading tests the patience"),
        {FieldKind.FILENAME: STRONG, FieldKind.TITLE: STRONG, FieldKind.PROSE: 0.8},
    ),
    Recogniser(
        "test_beside_number",
        (" tests? ?(?:no |nr |number |v )?[0-9]+ ", " (?:demo|dummy|tmp|temp) ?[0-9]+ "),
        WEAK,
        "a test word with a number behind it",
        ("prayer test 2", "My notes, demo 3"),
        ("2 tests of faith", "contest 2", "latest 3"),
        {FieldKind.FILENAME: 0.5},
    ),
    Recogniser(
        "test_word",
        (" (?:test|testing|demo|dummy|placeholder|temp|tmp|todo) ",),
        WEAK,
        "a word of testers, which others use as well",
        ("my prayer test", "Demo of the adhan"),
        ("contest", "latest", "demonstration", "temporary", "template"),
        {FieldKind.PROSE: 0.2, FieldKind.PERSON: STRONG, FieldKind.FILENAME: 0.4, FieldKind.EMAIL: 0.0, FieldKind.IDENTIFIER: 0.5},
    ),
    Recogniser(
        "soft_word",
        (" (?:sample|example|fake|mock|junk|tester|sandbox) ",),
        0.2,
        "a word that testers use, and others more often",
        ("a sample of cloth", "for example"),
        ("exemplary", "resample"),
        {FieldKind.PERSON: WEAK, FieldKind.PROSE: 0.1, FieldKind.EMAIL: 0.0},
    ),
    Recogniser(
        "foo_and_bar",
        (" foo ?bar ", " foo ?(?:bar )?baz ", " (?:foo|bar|baz|qux) (?:foo|bar|baz|qux) ", " foobar "),
        0.9,
        "the programmers' names for nothing in particular",
        ("foo bar chapter", "Foobar's notes", "baz qux"),
        ("Foo Fighters", "Bar exam", "food bar", "Dave Grohl of Foo Fighters at the bar"),
        {FieldKind.PROSE: 0.5},
    ),
    Recogniser(
        "same_word_again",
        (" (?:test test|testing testing|demo demo|bla bla|blah blah|la la la|ha ha ha ha|تست تست|اختبار اختبار|تجربه تجربه) ",),
        0.9,
        "a test word said twice",
        ("test test of the microphone", "bla bla bla", "تست تست"),
        ("test of the test", "latest test"),
        {FieldKind.PROSE: LIKELY},
    ),
    Recogniser(
        "placeholder_text",
        (
            " (?:placeholder|filler|dummy) (?:text|content|title|image|name|copy) ",
            " (?:insert|your|enter|add) (?:title|text|name|content|description) here ",
            " (?:some|random|bla|any) (?:dummy|random|test) (?:text|content|words|stuff) ",
            " to be (?:filled|replaced) (?:in )?later ",
            " title goes here ",
        ),
        STRONG,
        "words that hold a place for others",
        ("Placeholder text", "Insert title here", "your name here", "some random text", "Title goes here"),
        ("the place of holders", "insert the key", "Random walks"),
        {FieldKind.PROSE: 0.8},
    ),
    Recogniser(
        "undefined",
        ("^ (?:undefined|null|none|nan|object object|na|n a|tbd|tba|string|lorem|abc abc|abcd?e?f?g?)(?: [0-9]+)? $",),
        LIKELY,
        "what a program writes where nothing was given",
        ("undefined", "[object Object]", "null", "TBD", "abcd"),
        ("Undefined terms in law", "null and void", "ABC of prayer", "string theory"),
        {FieldKind.EMAIL: 0.0},
    ),
)  # fmt: skip
