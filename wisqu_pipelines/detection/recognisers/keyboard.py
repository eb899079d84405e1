"""What fingers type that only want to fill a field."""

from string import ascii_lowercase

from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.recogniser import CERTAIN, LIKELY, STRONG, WEAK, Recogniser, any_of, only_in

_WALKS = any_of(
    "asdf+", "asdfg+h?j?k?l?", "asdfghjkl", "asdasd(?:asd)*", "asdsa", "sdfsd?f?", "sdfg", "dfgh?", "fghj", "ghjk", "hjkl", "jkl", "fdsa", "lkjh(?:gfdsa)?",
    "qwert", "qwertyu?i?o?p?", "qwe(?:qwe)+", "qweasd(?:zxc)?", "qazwsx(?:edc)?", "wasd", "zxcv", "zxcvb?n?m?", "zxczxc", "poiuy?t?", "mnbvc?x?z?", "uiop", "ertyu?",
    "1 q 2 w 3 e(?: 4 r)?", "1 qaz 2 wsx",
)  # fmt: skip
_PERSIAN_WALKS = any_of(
    "شسی", "شسیب", "شسیبل", "ضصث", "ضصثق", "ظطز", "سیبل", "منتالبیسش", "یبل", "کمنت", "ضصثقف", "ثقف"
)

GROUP = "keyboard"
RECOGNISERS = (
    Recogniser(
        "keyboard_walk",
        (f" {_WALKS} ",),
        0.9,
        "keys that lie side by side",
        ("asdf", "asdfgh.pdf", "Qwer zxcv", "my asdasd file"),
        ("quest", "wasted", "as df", "Ertugrul"),
        {FieldKind.PROSE: 0.5, FieldKind.TITLE: WEAK, FieldKind.PERSON: STRONG, FieldKind.EMAIL: 0.6},
    ),
    Recogniser(
        "only_a_walk",
        (f"^ (?:{_WALKS} )+(?:[0-9]+ )?(?:[a-z]{{1,4}} )?$", f"^ (?:{_PERSIAN_WALKS} )+(?:[0-9]+ )?(?:[a-z]{{1,4}} )?$"),
        CERTAIN,
        "nothing but keys that lie side by side",
        ("asdf", "qwerty123", "asdfgh.pdf", "شسیب", "ضصثق ۱"),
        ("QWERTY keyboard history", "as", "شیب"),
    ),
    Recogniser(
        "persian_walk",
        (f" {_PERSIAN_WALKS} ",),
        0.7,
        "keys that lie side by side on a Persian keyboard",
        ("متن شسیب", "ضصثق"),
        ("شیب زمین", "منتظر"),
        {FieldKind.PERSON: STRONG, FieldKind.PROSE: 0.4},
    ),
    Recogniser(
        "one_key",
        ("^ (?:" + "|".join(f"{letter}{{3,}}" for letter in ascii_lowercase if letter not in "ivxm") + "|x{3,}|i{4,}|v{4,}|m{4,})"
         "(?: (?:" + "|".join(f"{letter}+" for letter in "abcdefghjklnopqrstuwyzx") + "|[0-9]+))*(?: (?:pdf|docx?|txt|md|jpg|png))? $",
         "^ (?:ا{3,}|س{3,}|ش{3,}|ب{3,}|ی{3,}|ه{3,}|ت{3,}|م{3,}|ن{3,})(?: [0-9]+)? $"),
        STRONG,
        "one key, again and again",
        ("aaaa", "xxxx xxxx", "zzz", "aaa.pdf", "سسسس"),
        ("AAA battery", "XXX. gathering", "Aaaah yes, the moon", "Surah iii", "ZZ Top"),
        {FieldKind.TITLE: 0.9},
    ),
    Recogniser(
        "long_run",
        (" (?:" + "|".join(f"{letter}{{5,}}" for letter in ascii_lowercase) + ") ",),
        0.5,
        "one key, again and again, among other words",
        ("my aaaaaa file", "xxxxxxx here"),
        ("aaaah", "committee"),
    ),
    Recogniser(
        "no_vowels",
        ("^ [bcdfghjklmnpqrstvwxz]{6,} $", "^ [bcdfghjklmnpqrstvwxz]{5,} [bcdfghjklmnpqrstvwxz]{4,} $"),
        LIKELY,
        "letters that nobody can speak",
        ("sdfkjhsdf", "hgfjkd dfgkj"),
        ("Krzysztof", "rhythm", "Strč prst"),
        only_in(FieldKind.PERSON, FieldKind.TITLE),
    ),
)  # fmt: skip
