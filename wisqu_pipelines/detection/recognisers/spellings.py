"""Test words as hurried people spell them: letters swapped, stretched, or in another script."""

from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.recogniser import LIKELY, STRONG, Form, Recogniser, any_of, only_in

_SWAPPED = any_of("tset", "tets", "tste", "etst", "tesst", "testt", "teest", "ttest", "tesr", "testign", "tesing", "tseting", "tetsing", "dmeo", "dmoe", "demmo", "dumy", "dummmy", "smaple", "exmaple", "palceholder", "placehoder", "تسست", "تتست", "تشت فایل", "ازمایشیی")  # fmt: skip
_STRETCHED = any_of("t+e{2,}s+t+", "t+e+s{3,}t+", "t+e+s+t{2,}", "t{2,}e+s+t+", "testttt+", "d+e+m+o{3,}", "تس+ت{2,}", "ت+س{2,}ت+", "اخ ت ب ا ر", "ا خ تبار", "تجر به مل?ف", "ازمای+ش{2,}ی*", "تجر+ب{2,}ه*", "تجر+به{2,}", "اختبا+ر{2,}", "نمونه{2,}")  # fmt: skip
_LATIN = any_of("tajrib(?:a|ah|i|iya|iyah|at)", "tajruba", "ikhtibar(?:i)?", "wahm(?:i|iya)", "azmayesh(?:i)?", "azmoyeshi", "sakhteg(?:i|y)", "testi", "fel[aā]ni?", "fol[aā]ni?", "felan(?:i)? felani", "mustakhdim", "karbar(?:e)? (?:test|azmayeshi)", "elaki")  # fmt: skip
_LATIN_MAILBOX = "(?:tajribi(?:ya)?|azmayeshi|sakhtegi|felani?|folani|shsib|shsyb|tset)"

GROUP = "spellings"
RECOGNISERS = (
    Recogniser(
        "misspelt",
        (f" {_SWAPPED} ",),
        0.9,
        "a test word with letters in the wrong order",
        ("this is a tset", "dmeo file", "tesst"),
        ("set", "tests", "testa", "dome"),
        {FieldKind.PROSE: STRONG, FieldKind.FILENAME: STRONG, FieldKind.IDENTIFIER: STRONG, FieldKind.TITLE: STRONG},
    ),
    Recogniser(
        "stretched",
        (f" {_STRETCHED} ",),
        STRONG,
        "a test word with a key held down",
        ("TESTTTTT!!", "آزمایشششش", "تجرببببة", "teeest 2"),
        ("test", "tests", "تست", "demo", "attest"),
    ),
    Recogniser(
        "in_latin_letters",
        (f"^ {_LATIN} (?:(?:[0-9]+|user|file|doc|data|karbar|sanad|malaf)(?: [^ ]+)* )?$", f"^ (?:[a-z]+ )?{_LATIN} (?:[0-9]+ )?$", " (?:lil|li|raf|rafa|hisab|milaf|malaf|majmua) (?:tajriba|ikhtibar) ", " (?:tajriba|ikhtibar) (?:raf|rafa|hisab|milaf|malaf|majmua|jadid) ", "^ tasti ", "^ farzi ", f"^ {_LATIN} (?:farsi|arabi) ", f" (?:file|doc|user|malaf|nass|matn|sanad|karbar|hesab|kitab|fatwa|kod) {_LATIN} "),
        STRONG,
        "a Persian or Arabic test word in Latin letters",
        ("malaf_tajribi.pdf", "tajribi_07", "ikhtibar-user-2", "file_azmayeshi_01"),
        ("Ikhtiyar", "tajriba sufiyya", "wahm", "tajrid", "Felanitx"),
        only_in(FieldKind.FILENAME, FieldKind.IDENTIFIER),
    ),
    Recogniser(
        "mailbox_in_latin_letters",
        (
            rf"(?:^|[<\s])(?:[a-z0-9]+[._-])*{_LATIN_MAILBOX}[0-9]*@",
            r"\+(?:tajrib[ai]|ikhtibar|azmayeshi?|testi)[0-9]*@", r"^(?:wahmi|tajriba|esm(?:[._-]famil)?)[0-9]*@(?:wahmi|tajriba|e?mail)\.",
            rf"@{_LATIN_MAILBOX}\.[a-z]+$",
            r"\+(?:regression|smoke|loadtest|sandbox|signup|onboarding|trial)[a-z0-9._-]*@",
            r"@(?:fake|dummy|test|notreal|invalid|nowhere)-?(?:address|mail|email|domain|site|company|user|corp|inc)s?\.[a-z]+$",
            r"^(?:not-?real|no-?one|nobody|fake-?(?:user|name|person|mail)?)[0-9]*@",
            r"[<\s@-]?(?:تست|وهمی|تجریبی|اختبار|ازمایشی)[0-9]*(?:@|\.[^@]*$)",
        ),
        STRONG,
        "a mailbox with a test word of Persian or Arabic, or a tag that testers give",
        ("tajriba@tajriba.com", "ahmad+tajriba3@gmail.com", "jane+regression_0412@outlook.com", "notreal@fakeaddress.xyz", "test-تست@gmail.com"),
        ("tajrid@x.org", "ahmad+news@gmail.com", "contact@testimony.org", "karbarian@x.ir"),
        only_in(FieldKind.EMAIL),
        Form.TEXT,
    ),
    Recogniser(
        "in_two_scripts",
        ("^ (?:[^a-z0-9 ]+ ){1,5}(?:test|testing|demo|qa)(?: [0-9]+)? $", "^ (?:test|testing|demo|qa) (?:[^a-z0-9 ]+ ){1,5}(?:[0-9]+ )?$", " (?:qa|dev|stage|staging|org|e 2 e|fake) (?:[^ ]+ ){0,2}(?:تجربه|اختبار|تست|ازمایش|دیتای|دمو) ", " (?:تجربه|اختبار|تست|ازمایش|دمو|دیتای) (?:[^ ]+ ){0,3}(?:qa|dev|staging|e 2 e|fake|client) ", "^ [^a-z0-9 ]+ tester $"),
        STRONG,
        "a Latin test word beside words of another script",
        ("فتوا test", "demo خطبة", "qa تجربة 3"),
        ("تست", "test", "پزشکی blood test results today", "آزمون IELTS"),
        {FieldKind.PROSE: LIKELY, FieldKind.EMAIL: 0.0},
    ),
    Recogniser(
        "made_up_thing",
        ("^ (?:[^ ]+ ){1,2}(?:ساختگی|فرضی|تجریبی|تجریبیه|وهمی|وهمیه) (?:[0-9]+ )?$",),
        STRONG,
        "one thing is called made up, and nothing else is said of it",
        ("سخنرانی ساختگی ۱", "کد_ساختگی_۰۰۱"),
        ("داستان ساختگی بودن حدیث غدیر", "سند", "علم تجريبي حديث مفيد"),
        {FieldKind.PROSE: 0.0, FieldKind.EMAIL: 0.0, FieldKind.PERSON: 0.0, FieldKind.TITLE: LIKELY},
    ),
    Recogniser(
        "made_up_and_numbered",
        ("^ (?:[^ ]+ ){1,2}(?:ساختگی|فرضی|تجریبی|تجریبیه|وهمی|وهمیه|الکی|فیک|ازمایشی|تستی|نمونه) (?:شماره |رقم |نمره )?[0-9]+ (?:[a-z]{1,4} )?$", " (?:دیمو|تیست) "),
        STRONG,
        "one thing is called made up, and has a number",
        ("کتاب ساختگی شماره ۲", "فتوى وهمية رقم ٣", "ديمو للمستثمرين"),
        ("داستان ساختگی بودن حدیث", "تفسیر نمونه"),
        {FieldKind.PROSE: LIKELY, FieldKind.EMAIL: 0.0},
    ),
    Recogniser(
        "nobody_in_particular",
        ("^ (?:شخص|فرد|کاربر|نام|شخصیت|عالم|نویسنده) (?:فرضی|خیالی|ساختگی|نمونه ای) ", "^ (?:نسخه من|نسخه از|کپی) (?:تجربه|اختبار|تست|ازمایش|تجریبی) $", " للعرض (?:ال)?تجریبی "),
        STRONG,
        "a made up person, the copy of a test, or what is there to be shown",
        ("شخص فرضی", "نسخة من اختبار", "حساب-للعرض-التجريبي"),
        ("نسخه از اصل", "شخص", "عالم خيال"),
        {FieldKind.PROSE: 0.0, FieldKind.EMAIL: 0.0},
    ),
)  # fmt: skip
