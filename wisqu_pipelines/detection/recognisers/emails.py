"""Addresses that reach nobody, or a tester."""

from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.recogniser import ASIDE, LIKELY, STRONG, Form, Recogniser, only_in

_TEST = "(?:tests?|testing|teste|tst|demo|dummy|fake|foo|bar|foobar|asdf+|asdfgh|qwerty|qwer|zxcv|temp|tmp|placeholder|noone|nobody|noemail|no-email|noreply-test|abc|aaa+|xxx+|asd|qwe|zxcvb?n?m?|qwertz|qaz)"
_MAY = "(?:tests?|testing|demo|dummy|fake|foo|bar|user|usr|account|admin|customer|client|mail|email|name|me|my|new|qa|dev|stage|staging|prod|auto|bot|e2e|ci|smoke|[0-9]+)"
_GLUED = "(?:user|account|admin|customer|client|mail|email|name|me|bot|qa|dev|tests?|testing|demo)"
_LOCAL = (
    f"(?:{_MAY}[._-]?|[a-z][._-])*{_TEST}{_GLUED}?(?:@|[0-9._-]+(?:(?:{_MAY}|[a-z])[0-9._-]+)*(?:{_MAY}|[a-z]){{0,2}}@)"
)
_END = r"(?:$|[\s>,;)\"'])"
_START = r"(?:^|[\s<,;(\"':])"

GROUP = "emails"
RECOGNISERS = (
    Recogniser(
        "reserved_domain",
        (rf"@(?:[a-z0-9-]+\.)*(?:example\.(?:com|net|org|edu|ir|co)|example){_END}",
         rf"@(?:[a-z0-9.-]*\.)?(?:test|invalid|localhost|localdomain|local){_END}"),
        STRONG,
        "a domain that is reserved and reaches nobody (RFC 2606, RFC 6761)",
        ("ali@example.com", "a@mail.example.org", "x@foo.test", "root@localhost", "a@b.invalid"),
        ("ali@examples.com", "ali@testlab.de", "a@example.com.br", "info@invalid-care.org"),
        {FieldKind.PROSE: LIKELY, FieldKind.TITLE: LIKELY, FieldKind.FILENAME: LIKELY},
        Form.TEXT,
    ),
    Recogniser(
        "reserved_host",
        (r"https?://(?:[a-z0-9.-]*\.)?(?:example\.(?:com|net|org)|example|test|invalid|localhost)(?:$|[/:?\s])", r"(?:^|[\s/])localhost(?::[0-9]+)?(?:$|[/\s])"),
        0.5,
        "a host that is reserved (RFC 2606, RFC 6761)",
        ("http://example.com/a", "see localhost:8000/x"),
        ("https://examples.org", "https://test.de/"),
        {FieldKind.PROSE: 0.2, FieldKind.EMAIL: 0.0},
        Form.TEXT,
    ),
    Recogniser(
        "test_domain",
        (rf"@(?:[a-z0-9-]+\.)*(?:tests?|testing|testmail|test-?domain|demo|dummy|fake|fakemail|foo|bar|foobar|asdf+|qwerty|abc|xxx+|nowhere|domain|yourdomain|mydomain|sample|placeholder|no-?email|none)\.(?:com|net|org|io|ir|co|dev|info|sa|iq|ae|eg|qa|tr){_END}",),
        0.9,
        "a domain that testers make up",
        ("ali@test.com", "a@foo.com", "x@fakemail.net"),
        ("info@testlab.de", "contact@democracy.org", "samples@fabric.co", "x@contest.com"),
        {FieldKind.FILENAME: 0.0, FieldKind.PROSE: 0.3, FieldKind.EMAIL: STRONG},
        Form.TEXT,
    ),
    Recogniser(
        "test_mailbox",
        (rf"{_START}{_LOCAL}[a-z0-9.-]+", rf"{_START}(?:{_MAY}[._-]?)*(?:sample|example)(?:[._-]?{_MAY})*@[a-z0-9.-]+"),
        STRONG,
        "a mailbox with nothing but test words in its name",
        ("test@gmail.com", "test.user12@mail.ir", "qa_test1@wisqu.com", "asdf@x.com", "testuser@yahoo.com", "demo.account@x.org"),
        ("attest@law.org", "john.tester@real.com", "contest@tv.ir", "testa@uni.it", "demotte@art.fr", "a.samples@cloth.co"),
        {FieldKind.FILENAME: 0.0, FieldKind.PROSE: 0.4},
        Form.TEXT,
    ),
    Recogniser(
        "test_name_of_address",
        (rf"^{ASIDE}(?:test|tests|testing|demo|dummy|qa|تست|تستی|ازمایشی|تجربه|تجریبی|اختبار|بوت (?:ال)?اختبار|ربات تست)(?: [^<@]*)?<[^>]+@", r"^(?:تست|تستی|ازمایشی|تجربه|تجریبی|اختبار)[0-9]*@"),
        STRONG,
        "an address whose owner is called a test",
        ("Test user <karbar@wisqu.org>", "تجربة <ahmad@hotmail.com>", "اختبار@wisqu.org"),
        ("Testa <maria@x.org>", "Ali <test-lab@x.org>"),
        {FieldKind.FILENAME: 0.0, FieldKind.PROSE: 0.4},
        Form.TEXT,
    ),
    Recogniser(
        "test_tag",
        (r"\+(?:[a-z0-9]+[._-])*(?:tests?|testing|qa|demo|dev|staging|e2e|ci|autotest)(?:[._-][a-z0-9]+|[0-9]*)@",),
        STRONG,
        "an address with a tag that testers give",
        ("ali+test@gmail.com", "dana+qa3@wisqu.com", "x+e2e-7@y.org"),
        ("ali+testimony@x.org", "ali+news@x.org", "a+quality@x.org"),
        {FieldKind.FILENAME: 0.0, FieldKind.PROSE: 0.4},
        Form.TEXT,
    ),
    Recogniser(
        "test_in_mailbox",
        (rf"{_START}(?:[a-z0-9]+[._+-])+(?:tests?|testing|dummy|fake|demo|e2e|autotest|azmayeshi)(?:@|[0-9._-]+(?:[a-z]{{1,2}}[0-9._-]+)*[a-z]{{0,2}}@)", rf"{_START}(?:tests?|testing|dummy|fake|demo|e2e|autotest|automation|throwaway|placeholder|azmayeshi|karbar)[._+-](?:[a-z0-9]+[._+-]?)*@",
         rf"{_START}(?:qa|e2e|automation|auto|staging|uat)[._-]?(?:tester|bot|user|robot)[0-9]*@", rf"{_START}(?:qa|uat|e2e)\+[a-z0-9._-]+@", rf"{_START}(?:e?mail|username|your-?email)@(?:e?mail|mymail|address|domain|username)\.[a-z]+{_END}"),
        STRONG,
        "a mailbox with a test word in its name",
        ("ali.test@gmail.com", "test-hosseini@mail.ir", "fake.name@x.com", "qa.bot@x.org", "imam_demo2@x.org", "bot-test-ar@x.org", "qa+signup3@x.org", "email@email.com"),
        ("ali.latest@x.org", "tester.smith@x.org", "protest-song@x.org", "qa@answers.org", "democracy@x.org.uk", "mail@mailbox.org"),
        {FieldKind.FILENAME: 0.0, FieldKind.PROSE: 0.2},
        Form.TEXT,
    ),
    Recogniser(
        "numbered_mailbox",
        (rf"{_START}(?:user|usr|account|customer|admin|mail|email|name|someone|person)[._-]?[0-9]{{1,4}}@",),
        STRONG,
        "a mailbox that is a number",
        ("user123@gmail.com", "account-7@x.org"),
        ("superuser@x.org", "user@x.org", "maryam1990@x.org"),
        {FieldKind.FILENAME: 0.0, FieldKind.PROSE: 0.2},
        Form.TEXT,
    ),
    Recogniser(
        "throw_away",
        (rf"@(?:[a-z0-9-]+\.)*(?:mailinator\.com|yopmail\.(?:com|fr|net)|guerrillamail\.(?:com|org|net|info)|sharklasers\.com|10minutemail\.[a-z]+|temp-?mail\.(?:org|com|io)|trashmail\.(?:com|de|net)|maildrop\.cc|getnada\.com|dispostable\.com|throwawaymail\.com|mailtrap\.io|ethereal\.email|mailhog\.[a-z]+|fakeinbox\.com){_END}",),
        STRONG,
        "a mailbox that anybody can open and nobody keeps",
        ("x@mailinator.com", "ali@yopmail.com", "abc@mailtrap.io"),
        ("ali@mail.com", "x@trashcollectors.org"),
        {FieldKind.FILENAME: 0.0, FieldKind.PROSE: 0.1},
        Form.TEXT,
    ),
    Recogniser(
        "nobodys_mailbox",
        (rf"{_START}(?:john|jane|j)[._-]?(?:doe|roe)[0-9]*@", rf"{_START}(?:joe|jane|fred)[._-]?bloggs[0-9]*@", rf"{_START}(?:max|erika)[._-]?mustermann[0-9]*@",
         rf"{_START}foll?ani?(?:[._-]foll?ani?)?[0-9]*@", rf"{_START}fulan(?:[._-]?(?:al)?fulani)?[0-9]*@", rf"{_START}(?:first|your|my|user)[._-]?name(?:[._-](?:last|sur)[._-]?name)?@"),
        STRONG,
        "the mailbox of a name that forms use for nobody",
        ("janedoe@yahoo.com", "joe.bloggs@mail.com", "firstname.lastname@x.org", "folani@folan.com", "john.doe7@x.org"),
        ("john.doerr@x.org", "jane.dole@x.org", "fulanito@x.es"),
        {FieldKind.FILENAME: 0.0, FieldKind.PROSE: 0.2},
        Form.TEXT,
    ),
    Recogniser(
        "short_mailbox",
        (r"^(?:[a-z]|[a-z]{2}|[0-9]{1,4}|[a-z][0-9]{1,2})@(?:[a-z]|[a-z]{2}|[0-9]{1,4}|aaa|abc)\.(?:com|net|org|ir|co|[a-z])$", r"^(?:a+|b+|c+|d+|e+|f+|g+|h+|j+|k+|l+|n+|o+|p+|q+|r+|s+|t+|u+|w+|y+|z+)@(?:a{2,}|b{2,}|c{2,}|d{2,}|f{2,}|g{2,}|h{2,}|j{2,}|k{2,}|l{2,}|n{2,}|o{2,}|p{2,}|q{2,}|r{2,}|s{2,}|t{2,}|y{2,}|z{2,})\.[a-z]+$", r"^lorem[a-z0-9._-]*@", r"^[a-z]{1,3}@(?:a|b|c|aa|bb|x|y|xx|asd|qwe)\.[a-z]{1,3}$"),
        STRONG,
        "an address as short as the form allows",
        ("a@b.com", "x@y.org", "1@1.com", "aa@aa.com"),
        ("li@qq.com.cn", "jo@hp-labs.com"),
        only_in(FieldKind.EMAIL),
        Form.TEXT,
    ),
)  # fmt: skip
