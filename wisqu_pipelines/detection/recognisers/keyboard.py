"""What fingers type that only want to fill a field."""

from string import ascii_lowercase

from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.recogniser import CERTAIN, STRONG, WEAK, Recogniser, any_of, only_in

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "poiuytrewq", "abcdefghijkl", "lkjhgfdsa", "mnbvcxz")
_PERSIAN_ROWS = ("ضصثقفغعهخحجچ", "ظطزرذدپو", "چجحخهعغفقثصض", "ابتثج", "ابپتث")
_PERSIAN_MIDDLE = ("شسیبلاتنمکگ", "گکمنتالبیسش")
"""The row of the letters that words are made of: four of them side by side begin البیت and بلاتین."""
_WORDS = {"were", "trew", "رذد"}
"""Keys side by side that are words, or may be."""


def _runs(rows: tuple[str, ...], least: int) -> str:
    """So many keys of a row or more, side by side."""
    found = {row[at:end] for row in rows for at in range(len(row)) for end in range(at + least, len(row) + 1)}
    return any_of(*sorted(found - _WORDS, key=lambda each: (-len(each), each)))


_RUN = _runs(_ROWS, 4)
_SHORT_RUN = any_of(
    "asd", "sdf", "dfg", "fgh", "ghj", "jkl", "qwe", "zxc", "xcv", "qaz", "wsx", "edc", "ewq", "dsa", "cxz", "lkj", "rty", "tyu", "uio"
)  # fmt: skip
_WALKS = any_of(
    f"{_RUN}[a-z]{{0,2}}", f"(?:{_SHORT_RUN}){{2,}}[a-z]?", "asd[asdf]{2,}", "sdf[sdfg]{2,}", "[asdfghjkl]*[sdfghjkl]{4}[asdfghjkl]{2,}", "[asdfghjkl]{2,}[sdfghjkl]{4}[asdfghjkl]*",
    "1 q 2 w 3 e(?: 4 r)?", "1 qaz 2 wsx",
)  # fmt: skip
_PERSIAN_WALKS = any_of(
    f"{_runs(_PERSIAN_ROWS, 4)}[ا-ی]{{0,3}}",
    f"{_runs(_PERSIAN_MIDDLE, 6)}[ا-ی]{{0,3}}",
    "(?:شسیب|شسیبل|شسیبلا|یسش|بیسش|نمکگ|گکمن|گکمنت|یبلا|یبلات)[ا-ی]{0,3}",
    "(?:شسیب|شسی|ضصثق|ضصث|یسش|ثصض|بیسش){2,}[بلقفا]*",
    "(?:شسی|ضصث|یسش|ثصض)+[بلقفا]*",
    "ض{2,}ص{2,}ث*",
    "ش{2,}س{2,}ی*",
)

GROUP = "keyboard"
RECOGNISERS = (
    Recogniser(
        "keyboard_walk",
        (f" {_WALKS} ",),
        0.9,
        "keys that lie side by side",
        ("asdf", "asdfgh.pdf", "Qwer zxcv", "my asdasd file"),
        ("quest", "wasted", "Ertugrul"),
        {FieldKind.PROSE: 0.5, FieldKind.TITLE: WEAK, FieldKind.PERSON: STRONG, FieldKind.EMAIL: 0.6},
    ),
    Recogniser(
        "only_a_walk",
        (f"^ (?:{_WALKS} |{_SHORT_RUN} )+(?:[0-9]+ )?(?:[a-z]{{1,4}} )?$", f"^ (?:{_PERSIAN_WALKS} )+(?:[0-9]+ )?(?:[a-z]{{1,4}} )?$"),
        CERTAIN,
        "nothing but keys that lie side by side",
        ("asdf", "qwerty123", "asdfgh.pdf", "شسیب", "ضصثق ۱"),
        ("QWERTY keyboard history", "as", "شیب", "were"),
    ),
    Recogniser(
        "persian_walk",
        (f" {_PERSIAN_WALKS} ",),
        0.7,
        "keys that lie side by side on a Persian keyboard",
        ("متن شسیب", "ضصثق"),
        ("شیب زمین", "منتظر", "اهل البیت", "سورة البينات", "بلاتین", "لا تنسى", "لاتنسى"),
        {FieldKind.PERSON: STRONG, FieldKind.TITLE: STRONG, FieldKind.PROSE: 0.4},
    ),
    Recogniser(
        "two_persian_walks",
        (f" {_PERSIAN_WALKS} (?:[^ ]+ ){{0,2}}{_PERSIAN_WALKS} ",),
        STRONG,
        "keys that lie side by side on a Persian keyboard, and again",
        ("شسیب شسیب", "شسیب یبلا ضصثق"),
        ("شیب زمین", "متن شسیب"),
    ),
    Recogniser(
        "one_key",
        ("^ (?:" + "|".join(f"{letter}{{3,}}" for letter in ascii_lowercase if letter not in "ivxm") + "|x{3,}|i{4,}|v{4,}|m{4,})"
         "(?: (?:" + "|".join(f"{letter}+" for letter in "abcdefghjklnopqrstuwyzx") + "|[0-9]+))*(?: (?:pdf|docx?|txt|md|jpg|png))? $",
         "^ (?:" + "|".join(f"{letter}{{3,}}" for letter in "ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهی") + ")(?: (?:" + "|".join(f"{letter}{{2,}}" for letter in "ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهی") + "|[0-9]+))*(?: [a-z]{1,4})? $"),
        STRONG,
        "one key, again and again",
        ("aaaa", "xxxx xxxx", "zzz", "aaa.pdf", "سسسس"),
        ("AAA battery", "XXX. gathering", "Aaaah yes, the moon", "Surah iii", "ZZ Top"),
        {},
    ),
    Recogniser(
        "same_keys",
        ("^ (?:" + "|".join(f"(?:{pair}){{3,}}{pair[0]}?" for pair in ("ab", "xy", "la", "ha", "he", "na", "ba", "da", "ta", "jk", "as", "qw", "zx", "ad", "sd", "fd", "lo", "yo", "ho", "bla", "blah", "abc", "xyz", "asd", "qwe", "foo", "test", "هاها", "لالا", "zxcv", "asdf", "شسیب", "ضصث", "ضصثق", "یسش", "بلا", "ها", "لا", "ده")) + ")(?: [0-9]+)? $",
         "^ (?:(?:12){2,}|(?:123){2,}|(?:1234){2,}|(?:10){3,}|(?:00){3,}|(?:01){3,}|(?:21){2,}|(?:321){2,}) $", "^ (?:aa+ bb+(?: cc+)?(?: dd+)?|aa aa(?: aa)*|xx xx(?: xx)*|a b c(?: d)?(?: e)?|zz zz|qq qq) $", "^ (?:ه{4,}|خ{4,}|ح{3,}) $"),
        STRONG,
        "the same keys, again and again",
        ("abababab", "hahaha", "123123", "aaa bbb ccc", "هههههه"),
        ("Baba Taher", "haha", "1212 AH"),
        {FieldKind.PROSE: 0.9},
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
        "very_long_run",
        (" (?:" + "|".join(f"{letter}{{9,}}" for letter in ascii_lowercase) + ") ",),
        STRONG,
        "one key, held down",
        ("max_length_aaaaaaaaaaaaaaaaaaaa.pdf",),
        ("aaaaah", "www"),
        {FieldKind.EMAIL: 0.0},
    ),
    Recogniser(
        "no_vowels",
        ("^ [bcdfghjklmnpqrstvwxz]{6,} $", "^ [bcdfghjklmnpqrstvwxz]{5,} [bcdfghjklmnpqrstvwxz]{4,} $"),
        0.9,
        "letters that nobody can speak",
        ("sdfkjhsdf", "hgfjkd dfgkj"),
        ("Krzysztof", "rhythm", "Strč prst"),
        only_in(FieldKind.PERSON, FieldKind.TITLE),
    ),
)  # fmt: skip
