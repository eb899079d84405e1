"""Texts of test words: alone, with numbers, and with words that make nothing real of them."""

from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.recogniser import CERTAIN, LIKELY, STRONG, WEAK, Form, Recogniser, any_of, only_in
from wisqu_pipelines.detection.recognisers.vocabulary import FILLER, HARD, SOFT, nothing_but

_SOFT_LATIN = any_of(
    "samples?", "examples?", "fake", "mock", "junk", "garbage", "trial", "draft", "sandbox", "s 4 mple", "f 4 ke"
)
_THINGS = any_of(
    "users?", "accounts?", "files?", "documents?", "docs?", "data", "uploads?", "emails?", "messages?",
    "rows?", "conversations?", "customers?", "clients?", "organi[sz]ation",
)  # fmt: skip

_TEXTS = any_of(
    "fatwas?", "khutbah?s?", "sermons?", "hadiths?", "surahs?", "ayahs?", "verses?", "tafsirs?", "duas?", "questions?", "answers?", "articles?", "lessons?", "books?", "chapters?",
    "translations?", "chunks?", "collections?", "buckets?", "topics?", "lectures?", "notes?", "pdfs?", "transcripts?", "summary", "summaries", "citations?", "index", "indexes", "roles?",
    "conversations?", "chats?", "threads?", "uploads?", "titles?", "descriptions?", "articles?", "rulings?", "corpus", "library", "scans?", "audio", "videos?", "feeds?", "events?",
)  # fmt: skip
_SOFTWARE = any_of(
    "search", "upload", "uploads", "login", "chat", "bot", "chatbot", "api", "ui", "app", "website", "site", "system", "server", "ocr", "rag", "wisqu", "pipeline", "form", "widget", "notifications?",
    "alerts?", "alert system", "webhooks?", "embeddings?", "ingest", "ingestion", "import", "importer", "parser", "deploy", "deployment", "staging", "sync", "retrieval", "retriever", "backup",
    "font", "fonts", "rtl", "button", "page", "endpoint", "database", "cache", "queue", "model", "llm", "prompt", "citations?",
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
        {FieldKind.PERSON: 0.9, FieldKind.FILENAME: STRONG},
    ),
    Recogniser(
        "test_thing",
        (
            f" (?:test|testing|dummy|demo|fake|mock) {_THINGS} ",
            " (?:test|dummy) (?:name|title|text|content|description|value|string|page|item)s? ",
        ),
        0.8,
        "a thing of software that is called a test one",
        ("Please use the test account of Ali", "Dummy data for the new layout", "a test document about prayer"),
        ("test cricket", "the test of an account", "crash test dummy", "dummy variable"),
        {FieldKind.FILENAME: STRONG, FieldKind.TITLE: STRONG, FieldKind.PERSON: STRONG, FieldKind.PROSE: STRONG},
    ),
    Recogniser(
        "test_text",
        (f" (?:test|dummy|demo|placeholder) {_TEXTS} ", f"^ (?:temp|tmp) {_TEXTS} $", "^ (?:temp|tmp|temporary|example|sample) (?:title|text|description|content|role|index|bucket|collection) "),
        STRONG,
        "a text of this library that is called a test one",
        ("Test fatwa", "Dummy khutbah", "Test question from Hamid", "Example title", "Temp title, change later"),
        ("a fatwa on tests", "samples of sermons", "questions of the test"),
        {FieldKind.PROSE: 0.8},
    ),
    Recogniser(
        "marked_as_test",
        (r"^\s*[(\[{<*#]+\s*(?:test|tests|testing|demo|dummy|qa|uat|temp|tmp|sample|تست|تستی|آزمایشی|ازمایشی|تجریبی|اختبار)\s*[)\]}>*#]+", r"^\s*(?:test|testing|demo|dummy|qa|تست|ازمایشی)\s*(?:[-–—:|/]|->)\s", r"[(\[](?:test|testing|demo|dummy|qa|uat|for testing|تست|تستی|ازمایشی|تجریبی|للاختبار)[)\]]\s*$", r"\s[-–—|]\s*(?:test|testing|demo|dummy|qa|تست|تستی|ازمایشی|تجریبی)\s*[0-9]*$"),
        STRONG,
        "it is set apart as a test",
        ("(test) Marriage contract", "TEST - Tafsir upload", "[QA] Prayer times", "Prayer times (test)", "نماز - تست"),
        ("Test cricket - a history", "A (blood) test", "test-driven"),
        {FieldKind.PROSE: 0.9, FieldKind.EMAIL: 0.0},
        Form.TEXT,
    ),
    Recogniser(
        "leet",
        (" (?:t 3 st|te 5 t|t 35 t|7 est|d 3 mo|dem 0|d 3 m 0|dumm 1|f 4 ke u?s?e?r?) ", " t e s t ", " d e m o ", " ت س ت ", " ت ج ر ب ه ", " ا خ ت ب ا ر "),
        STRONG,
        "a test word in spaced letters, or with digits for letters",
        ("th1s is a t3st", "D3mo of it", "t e s t file", "ت س ت"),
        ("t 3 times", "A T & E", "est. 7"),
    ),
    Recogniser(
        "test_identifier",
        (" (?:tests?|testing|dummy|demo|tmp|mock|fixtures?|e 2 e|loadtest|smoketest|autotest|pytest|sandbox|placeholder|fake|uat|foo|testcol[a-z]*|testing|azmayeshi|testbed|تست|تستی|ازمایشی|دمو|تجریبی|وهمی|للتجربه|للاختبار|للحذف) ", " اختبار (?:ال)?(?:رفع|تحمیل|نظام|بحث) ", "^ (?:example|sample|temp|qa) [a-z]+ $", " d 3 m 0 "),
        STRONG,
        "a name for machines with a test word in it",
        ("dummy_role", "my-tmp-index", "hawza-loadtest", "mock_quran_index", "مجموعه_دمو"),
        ("contest-entries", "temple_index", "نمونه-سوالات"),
        only_in(FieldKind.IDENTIFIER),
    ),
    Recogniser(
        "test_filename",
        ("^ (?:test|tests|testing|dummy|demo|tmp|mock|تست|تستی|ازمایشی|تجریبی|اختبار) (?:[a-z]{2,}|[0-9]+|[^a-z0-9 ]+)(?: .*)?$", " (?:test|tests|testing|dummy|demo|loadtest|smoketest|تست|تستی|ازمایشی|تجریبی|للاختبار)(?: v? ?[0-9]+| final| copy| new)* $", " (?:for|upload|import|ocr|search|wisqu|rag|chunk|chunking|parser|upload) (?:test|demo) "),
        STRONG,
        "a filename that begins or ends with a test word",
        ("test_fatwa", "quran demo", "hadith-test", "تست دعا"),
        ("attest.pdf", "latest fatwas.pdf", "prayer times.pdf"),
        only_in(FieldKind.FILENAME),
    ),
    Recogniser(
        "begins_with_test",
        ("^ (?:(?:hello|hi|hey|ok|a|my|this is|just|only|quick|another|final|new|first|second|a quick|سلام|hello this is a|hi this is a) )*(?:test|testing) (?:[a-z0-9]+ ){1,11}$", "^ (?:(?:سلام|این یک|یک|فقط) )*تست (?:[^ ]+ ){1,9}$", "^ (?:[^ ]+ ){1,5}تست $"),
        0.85,
        "it begins or ends with a test word",
        ("Testing the new keyboard", "test from Ali", "سلام تست", "تست پیام از گوشی"),
        ("Tests show that he is ill", "The test of time", "latest news"),
        {FieldKind.PROSE: STRONG, FieldKind.FILENAME: 0.0, FieldKind.EMAIL: 0.0, FieldKind.PERSON: 0.0, FieldKind.IDENTIFIER: 0.0},
    ),
    Recogniser(
        "two_test_words",
        (" (?:dummy|demo|placeholder|tmp|qa|staging|e 2 e|fake|mock|smoke|lorem|asdf|foo) (?:[^ ]+ )*(?:test|testing|tests|تست) ", " (?:test|testing|تست|تستی|ازمایشی) (?:[^ ]+ )*(?:dummy|demo|placeholder|tmp|qa|staging|e 2 e|fake|mock|lorem|asdf|foo|تستی|ازمایشی|فیک|ساختگی|دمو) "),
        STRONG,
        "it has two kinds of test words",
        ("dummy row for the search test", "test on staging", "تست یک سند آزمایشی"),
        ("test cricket", "qa answers"),
        {FieldKind.PROSE: 0.9},
    ),
    Recogniser(
        "pangram",
        (" quick brown fox (?:jumps|jumped|jumping) over the lazy dog ", " the five boxing wizards jump quickly ", " نص حکیم له سر قاطع ", " گچ پژ "),
        STRONG,
        "a sentence that only shows letters",
        ("The quick brown fox jumps over the lazy dog",),
        ("the brown fox and the lazy dog",),
    ),
    Recogniser(
        "nowhere",
        (" 123 (?:main|fake|test|any) (?:street|st|road|rd|avenue|ave) ", " (?:anytown|nowheresville|springfield usa|fakecity|testville|test city|123 street) "),
        0.7,
        "an address that does not exist",
        ("123 Main Street, Anytown", "12 Testville"),
        ("321 Main Street", "any town"),
    ),
    Recogniser(
        "test_of_software",
        (
            " (?:upload|login|log in|sign ?up|signup|register|registration|import|ingest|deploy(?:ment)?|api|smoke|regression|"
            "e 2 e|end to end|unit|integration|load|search|chat|ocr|parser|chunking|embedding|promotion|migration|encoding|"
            "unicode|emoji|rtl|pagination|form|button|webhook|pipeline|cron|sync|qa|uat) tests? ",
            f" tests? of (?:the |our |my |this |new )*(?:[a-z]+ ){{0,2}}{_SOFTWARE} ", " (?:quick|first|second|another|final|simple|small|manual|live) (?:test|demo) of ", f" {_SOFTWARE} demo ", " (?:print|echo|console log|alert) hello world ", " demo for the (?:board|client|customer|team|meeting|management|investors?|committee) ", f" to test (?:the |our |my |this |new |if |whether )*(?:[a-z]+ )?{_SOFTWARE} ", " (?:used|made|created|added|uploaded) (?:for|to) (?:[a-z]+ )?test(?:ing)? ", " tests? (?:upload|login|sign ?up|signup|registration|import|ingest|deploy(?:ment)?|api|promotion|migration|"
            "pagination|encoding|unicode|emoji|webhook|pipeline|run|suite|fixture|case [0-9]+) ",
        ),
        0.9,
        "the test of a piece of software",
        ("upload test 3", "Login test", "smoke test after the deploy", "test upload from my phone", "qa-test-cases.pdf", "Test run 7"),
        ("unity test", "the load of a test", "test matches", "the test of patience", "loading tests the patience"),
        {FieldKind.FILENAME: STRONG, FieldKind.TITLE: STRONG, FieldKind.PROSE: STRONG},
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
        (" (?:test test|testing testing|demo demo|bla bla|blah blah|la la la|ha ha ha ha|تست تست|اختبار اختبار|تجربه تجربه) ", " (?:abc abc abc|text text text|word word word|dummy dummy|lorem lorem|ok ok ok|hello hello hello|متن متن متن|بلا بلا|سلام سلام سلام|الف الف الف|نص نص نص|کلمه کلمه کلمه|ha ?ha ?ha ?ha|hahaha[ha]*) "),
        STRONG,
        "a test word said twice, or a filler thrice",
        ("test test of the microphone", "bla bla bla", "تست تست"),
        ("test of the test", "latest test"),
        {},
    ),
    Recogniser(
        "placeholder_text",
        (
            " (?:placeholder|filler|dummy) (?:text|content|title|image|name|copy) ",
            " (?:insert|your|enter|add|type|write) (?:the |a |your )?(?:document |file |your )?(?:title|text|name|content|description|question)(?: here)? $", " (?:insert|your|enter|add|type) (?:title|text|name|content|description) here ", " (?:عنوان|متن|نام|سوال|توضیحات) (?:خود )?(?:را )?(?:اینجا|در اینجا) (?:بنویسید|وارد کنید) ", " (?:ادخل|اکتب) (?:ال)?(?:عنوان|نص|اسم|سوال)(?:ک)? ?(?:هنا)? ", " (?:example|dummy|sample|placeholder) (?:document )?(?:body|paragraph|text|content) ",
            " (?:some|random|bla|any) (?:dummy|random|test) (?:text|content|words|stuff) ",
            " to be (?:filled|replaced) (?:in )?later ",
            " title goes here ",
        ),
        STRONG,
        "words that hold a place for others",
        ("Placeholder text", "Insert title here", "your name here", "some random text", "Title goes here"),
        ("the place of holders", "insert the key in the door", "Random walks"),
        {FieldKind.PROSE: 0.8},
    ),
    Recogniser(
        "undefined",
        ("^ (?:undefined|null|none|nan|object object|na|n a|tbd|tba|string|lorem|abc abc|abcd?e?f?g?)(?: [0-9]+)? $",),
        0.9,
        "what a program writes where nothing was given",
        ("undefined", "[object Object]", "null", "TBD", "abcd"),
        ("Undefined terms in law", "null and void", "ABC of prayer", "string theory"),
        {FieldKind.EMAIL: 0.0},
    ),
)  # fmt: skip
