"""Judging alone: 500,000 short texts in three languages, three of a hundred of them test data and a third of the words
met nowhere else, against a loop over as many compiled patterns as detection commonly has.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

from benchmarks.ratios import Act, Prepare, Ratio, compare
from benchmarks.rivals import detecting as rivals
from wisqu_pipelines.detection.engine import TextJudge
from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.settings import Settings

TEXTS = 500_000
TEST_SHARE = 0.03
RARE_SHARE = 1 / 3
"""Words that are like no other: names and terms are what an automaton of patterns has not seen before."""
_WORDS = {
    "given": "Maryam Yusuf Zahra Hassan Fatima Omar Layla Idris Amina Bilal Khadija Tariq Sara Demetrius Esther",
    "family": "Hosseini Khan al-Tusi Rahman Testa Siddiqui Karimi Nasr Attar Mirza Qureshi Samplonius Haddad",
    "en": "Introduction to the law of prayer fasting and fatwas on charity marriage trade history method latest in "
    "Islam answers questions about inheritance journey purity rights women family bank interest vows oaths food travel "
    "commentary Quran traditions biography Prophet companions imams schools theology logic ethics mysticism",
    "fa": "تفسیر نماز روزه احکام حج زکات خمس تاریخ اسلام فقه اصول کلام نمونه دعا زیارت مسافر قرآن حدیث ازدواج معاملات "
    "ارث وقف نذر قسم طهارت وضو غسل تیمم جنازه جهاد امر معروف نهی شرح نهج البلاغه صحیفه مفاتیح سیره پیامبر امامان",
    "ar": "صحيح البخاري شرح كتاب الصلاة الزكاة أحكام الحج تفسير القرآن الكريم رسالة في السيرة النبوية مختصر "
    "بيان أصول الفقه الإسلامي على المذاهب الأربعة نور فتح الباري سنن الترمذي جامع الأحاديث مسند أحمد بداية المجتهد",
}
_GIVEN, _FAMILY, *_LANGUAGES = (words.split() for words in _WORDS.values())
_LATIN = [
    consonant + vowel for consonant in "bdfghjklmnqrstwyz" for vowel in ("a", "e", "i", "o", "u", "an", "ar", "is")
]
_ARABIC = [first + second for first in "بتجحدرسشعفقکلمنه" for second in "اویرمنل"]
_HOSTS = ("gmail.com", "ut.ac.ir", "democracy.org", "mail.sa")
_TEST_TEXTS: Mapping[FieldKind, tuple[str, ...]] = {
    FieldKind.PERSON: ("Test User {n}", "John Doe", "کاربر آزمایشی {n}", "مستخدم تجريبي", "asdf asdf"),
    FieldKind.EMAIL: ("test{n}@gmail.com", "user{n}@example.com", "qa+test{n}@wisqu.org", "a@b.com"),
    FieldKind.FILENAME: ("test_{n}.pdf", "untitled ({n}).docx", "سند آزمایشی {n}.pdf", "asdf.txt", "demoFile{n}.md"),
    FieldKind.TITLE: ("Test document {n}", "Lorem ipsum dolor sit amet", "این یک تست است", "ملف تجريبي {n}"),
}


def measure(_settings: Settings, rounds: int) -> Iterator[Ratio]:
    """The ratio, on one core; texts of each kind are judged as one column's."""
    columns = texts()
    judge = TextJudge()
    for kind in columns:
        judge.judge_many(["compiles what this kind needs"], kind, kind.value)

    def ours() -> Act:
        def act() -> None:
            for kind, column in columns.items():
                judge.judge_many(column, kind, kind.value)

        return act

    def loop(search: Callable[[Sequence[str]], object]) -> Prepare:
        def act() -> None:
            for column in columns.values():
                search(column)

        return lambda: act

    yield from compare(
        ours,
        {
            f"{TEXTS} texts judged, against {len(rivals.RULES)} of the same rules in a loop": (
                loop(rivals.search_words),
                15.0,
            ),
            f"{TEXTS} texts judged, against {len(rivals.KEYWORDS)} words and numbers in a loop": (
                loop(lambda column: rivals.search_all(column, rivals.KEYWORDS)),
                4.0,
            ),
        },
        rounds,
    )


def texts(count: int = TEXTS) -> dict[FieldKind, list[str]]:
    """As many texts of each kind, always the same ones."""
    random = Random(4)  # noqa: S311
    real = {
        FieldKind.PERSON: _person,
        FieldKind.EMAIL: _email,
        FieldKind.FILENAME: _filename,
        FieldKind.TITLE: _title,
    }
    return {kind: [_text(kind, make, random) for _ in range(count // len(real))] for kind, make in real.items()}


def _text(kind: FieldKind, make: Callable[[Random], str], random: Random) -> str:
    if random.random() < TEST_SHARE:
        return random.choice(_TEST_TEXTS[kind]).format(n=random.randint(1, 999))
    return make(random)


def _person(random: Random) -> str:
    return " ".join(_words(random, names) for names in (_GIVEN, _GIVEN, _FAMILY))


def _email(random: Random) -> str:
    name = f"{_words(random, _GIVEN)}.{_words(random, _FAMILY)}".lower()
    number = random.choice(("", str(random.randint(2, 99))))
    return f"{name}{number}@{random.choice(_HOSTS)}"


def _filename(random: Random) -> str:
    return f"{_title(random).replace(' ', random.choice(' _-'))}.{random.choice(('pdf', 'docx', 'epub'))}"


def _title(random: Random) -> str:
    return _words(random, random.choice(_LANGUAGES), random.randint(3, 12))


def _words(random: Random, known: Sequence[str], count: int = 1) -> str:
    """Some of the words, and some that nobody has heard."""
    syllables = _LATIN if known[0].isascii() else _ARABIC
    return " ".join(
        "".join(random.choices(syllables, k=random.randint(2, 4)))
        if random.random() < RARE_SHARE
        else random.choice(known)
        for _ in range(count)
    )
