"""What a text must hold for a pattern to find something in it. Each pattern is spelled out into all that it may find;
of the words in these, few and rare ones are chosen that leave out none of them (a greedy hitting set). Words by
themselves, because an automaton that waits for a second word remembers the first through all that may stand between:
with hundreds of patterns it would remember something else after almost every letter.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby, product
from re import _constants as op
from re import _parser
from threading import Lock
from typing import Any, NamedTuple, TypeAlias, TypeGuard

from wisqu_pipelines.detection.recogniser import Form, Recogniser

START, END, BLANK = "start", "end", " "
_MOST = 3_000
"""Spellings of one pattern; what would make more is taken for anything."""
_COPIES = 8
"""Of a part that stands there more often, as many are looked for."""
_PAIRS = 1_000
"""Spellings of a part and its copies."""
_SHORT = 2
"""Characters up to which a word says something only beside its neighbours: `t e s t`, `d 3 mo`."""
_LONGEST = 14
"""Characters of an atom outside words."""
_ENOUGH = 2.5
"""Characters (a class of them counts less, and what may stand inside of words) from which on an atom is rare enough."""
_COMMON = frozenset(
    "stored saved shown displayed truncated fits breaks looks happens title name answer message button page "  # noqa: SIM905
    "line text a about account accounts admin an and answers app article articles book books by chapter co com "
    "content csv data description doc docs document documents docx email entry family fatwa fatwas file files "
    "first for from hadith history http https imam imams image in info io ir is item last law lesson mail "
    "messages my names net new no of on org pages pdf png question questions row rows sa sermon surah tafsir "
    "texts the this titles to txt upload user users verse version with your ali reza mohammad mohammed "
    "muhammad mohamed ahmad ahmed hasan hassan hussein hossein mahdi mehdi amir saeed said omar khalid yusuf "
    "ibrahim abdullah maryam mariam zahra sara sarah fatima fatemeh layla leila aisha noor karim john jane "
    "david mary anna maria قسم جدید کامل بزرگ اول دوم یک دو made site here huge none fire gmail yahoo hotmail "
    "outlook chmail ymail live icloud search check public time design project real next even area full team "
    "teacher customer client added seven zero quality object این از با به در را سند سوال پاسخ کتاب متن فایل "
    "نام عنوان هو هی هذا هذه ملف نص رساله فی من علی".split()
)
"""Words that real texts hold as well: looked for beside others only. A matter of speed, not of what is found."""


class Class(NamedTuple):
    """One of several characters, as `re` parses a class."""

    members: tuple[Any, ...]


class Repeat(NamedTuple):
    """Something again and again, or not at all."""

    of: "Items"
    is_after_blank: bool = False
    """Whether a blank comes before, if it is anything at all."""
    is_before_blank: bool = False


Item: TypeAlias = str | Class | Repeat
"""A character, `START` or `END` of the text, a class, or a repetition. In words, `BLANK` is where one ends."""
Items: TypeAlias = tuple[Item, ...]
_ANY = Class(((op.NEGATE, None),))
_ANYTHING = Repeat((_ANY,))
_Plain: TypeAlias = tuple[str, str, Items, str]
"""An atom."""
_NUMBER = Repeat((Class(((op.RANGE, (ord("0"), ord("9"))),)),))


class Atom(NamedTuple):
    """What is looked for, in texts of a form."""

    form: Form
    before: str
    """`BLANK` if a word begins there, `START` if the text does, else nothing."""
    items: Items
    after: str
    """`BLANK`, `END` or nothing."""


def atoms_for(recognisers: Iterable[Recogniser]) -> list[Atom]:
    """Atoms of which one is in each text in which one of the recognisers finds something."""
    with _ONE_AT_A_TIME:
        wanted = {choice for each in recognisers for pattern in each.patterns for choice in _wanted(pattern, each.form)}
        _parts.cache_clear()
        return [_ATOMS[number] for number in _hitting(sorted(wanted))]


class _Numbered:
    """Atoms by number: quick to compare. They are kept as plain tuples of texts, and not as what they are: those the
    garbage collector does not look through again and again.
    """

    def __init__(self) -> None:
        self._known: list[_Plain] = []
        self.letters: list[float] = []
        self._numbers: dict[_Plain, int] = {}
        self._rare: set[int] = set()

    def __getitem__(self, number: int) -> Atom:
        form, before, items, after = self._known[number]
        return Atom(Form(form), before, items, after)

    def number(self, atom: Atom) -> int:
        plain = (atom.form.value, atom.before, atom.items, atom.after)
        number = self._numbers.setdefault(plain, len(self._known))
        if number == len(self._known):
            self._known.append(plain)
            self.letters.append(_letters(atom))
            if _is_rare(atom, self.letters[number]):
                self._rare.add(number)
        return number

    def is_rare(self, number: int) -> bool:
        return number in self._rare


_ATOMS = _Numbered()
_ONE_AT_A_TIME = Lock()


@cache
def _wanted(pattern: str, form: Form) -> frozenset[tuple[int, ...]]:
    """For each spelling of a pattern, the atoms that are in it and rare; some spellings have the same."""
    choices: set[tuple[int, ...]] = set()
    for items in _spelled_out(_parser.parse(pattern)):
        rare = tuple(filter(_ATOMS.is_rare, map(_ATOMS.number, _atoms(items, form))))
        choices.add(rare or (_ATOMS.number(_whole(items, form)),))
    return frozenset(choices)


def _hitting(wanted: Sequence[Iterable[int]]) -> list[int]:
    """Atoms of which each choice has one: again and again the one that costs least for what it adds."""
    places: dict[int, set[int]] = {}
    for place, choice in enumerate(wanted):
        for number in choice:
            places.setdefault(number, set()).add(place)
    heap = [(4.0 ** -_ATOMS.letters[number] / len(hit), number) for number, hit in places.items()]
    heapq.heapify(heap)
    chosen: list[int] = []
    left = set(range(len(wanted)))
    while left:
        price, number = heapq.heappop(heap)
        hit = places[number]
        new = hit & left
        if len(new) == len(hit):
            chosen.append(number)
            left -= new
        elif new:  # others have taken some of it since it was priced
            places[number] = new
            heapq.heappush(heap, (price * len(hit) / len(new), number))
    return chosen


def _spelled_out(nodes: Iterable[Any]) -> list[Items]:
    """All that a part of a pattern may find."""
    found: list[Items] = [()]
    for node in nodes:
        choices = _choices(node)
        if len(found) * len(choices) > _MOST:
            if _worth(found) >= _worth(choices):
                choices = [_anything_after(choices)]
            else:
                found = [(_ANYTHING, BLANK) if all(each[-1:] == (BLANK,) for each in found) else (_ANYTHING,)]
        found = [(*items, *choice) for items in found for choice in choices]
    return list(dict.fromkeys(found))


def _anything_after(choices: Iterable[Items]) -> Items:
    """Anything, instead of so many choices; with the blank that all of them begin with, if they are anything."""
    begins = [_begins_with_blank(each) for each in choices if each]
    if not begins or not all(begins):
        return (_ANYTHING,)
    return (BLANK, _ANYTHING) if all(choices) else (Repeat((_ANY,), is_after_blank=True),)


def _begins_with_blank(items: Items) -> bool:
    first = items[0]
    return first.is_after_blank and items[1:2] == (BLANK,) if isinstance(first, Repeat) else first == BLANK


def _worth(choices: Iterable[Items]) -> int:
    """How long a rare word each of these has at least."""
    runs = (("".join(map(str, run)) for is_one, run in groupby(items, _is_letter) if is_one) for items in choices)
    return min(max((len(word) for word in words if word not in _COMMON), default=0) for words in runs)


def _choices(node: Any) -> list[Items]:
    code, value = node
    if code is op.LITERAL:
        return [(chr(value),)]
    if code is op.AT:
        return [(START if value is op.AT_BEGINNING else END,)]
    if code is op.BRANCH:
        return [items for each in value[1] for items in _spelled_out(each)]
    if code in (op.MAX_REPEAT, op.MIN_REPEAT):
        least, most, body = value
        inner = tuple(_spelled_out(body))
        is_class = len(inner) == len(inner[0]) == 1 and isinstance(inner[0][0], Class)
        if most == 1 or (len(inner) == 1 and most <= _COPIES and not is_class):
            return [sum(each, ()) for times in range(least, most + 1) for each in product(inner, repeat=times)]
        begins, ends = (all(each[at : at + 1 or None] == (BLANK,) for each in inner) for at in (0, -1))
        more = [] if least == most <= _COPIES else [Repeat(inner[0] if len(inner) == 1 else (_ANY,), begins, ends)]
        times = max(n for n in range(min(least, _COPIES) + 1) if len(inner) ** n <= _PAIRS)
        return [(*sum(each, ()), *more) for each in product(inner, repeat=times)]
    return [(Class(tuple(value)) if code is op.IN else _ANY,)]


def _atoms(items: Items, form: Form) -> Iterator[Atom]:
    """The parts of a spelling that can be looked for by themselves."""
    if form is Form.TEXT:
        for part in _parts(items):
            yield Atom(form, "", part[:_LONGEST], "")
        return
    words = _words(items)
    for place, word in enumerate(words):
        before, after = _edges(words, place, place)
        for part in _parts(word):
            begins, ends = word[: len(part)] == part, word[-len(part) :] == part
            yield Atom(form, before if begins else "", part, after if ends else "")
    for is_short, numbers in groupby(range(len(words)), lambda place: _is_short(words[place])):
        places = list(numbers)
        if is_short and len(places) > 1:
            yield _joined(words, places[0], places[-1])


def _whole(items: Items, form: Form) -> Atom:
    """A spelling with all that may stand in it."""
    if form is Form.TEXT:
        return Atom(form, "", items, "")
    words = _words(items)
    inner = [place for place, word in enumerate(words) if word not in ((), (START,), (END,))]
    return _joined(words, inner[0], inner[-1]) if inner else _joined(words, 0, len(words) - 1)


def _words(items: Items) -> list[Items]:
    """What stands between blanks, the first and the last possibly empty."""
    words: list[list[Item]] = [[]]
    for place, item in enumerate(items):
        if item == BLANK:
            words.append([])
            continue
        if item == _NUMBER and words[-1] and _is_letter(words[-1][-1]):
            continue  # a number is a word of its own
        # Words of any number bring their blanks with them.
        if isinstance(item, Repeat) and item.is_after_blank and _blank_follows(items, place + 1):
            words.append([])
        words[-1].append(item)
        if isinstance(item, Repeat) and item.is_before_blank and items[place - 1 : place] == (BLANK,):
            words.append([])
    return list(map(tuple, words))


def _blank_follows(items: Items, place: int) -> bool:
    """Whether a word cannot go on there, whatever of the repetitions that come there is anything."""
    while place < len(items) and isinstance(item := items[place], Repeat) and item.is_after_blank:
        place += 1
    return items[place : place + 1] == (BLANK,)


def _edges(words: Sequence[Items], first: int, last: int) -> tuple[str, str]:
    """What is beside words: an end of the text if nothing else is between."""
    before = (START if first == 1 and words[0] == (START,) else BLANK) if first else ""
    is_last = last == len(words) - 1
    after = "" if is_last else (END if last == len(words) - 2 and words[-1] == (END,) else BLANK)
    return before, after


def _joined(words: Sequence[Items], first: int, last: int) -> Atom:
    before, after = _edges(words, first, last)
    items = [item for word in words[first : last + 1] for item in (BLANK, *word)]
    return Atom(Form.WORDS, before, tuple(items[1:]), after)


@cache
def _parts(items: Items) -> tuple[Items, ...]:
    """What is between repetitions of more than punctuation."""
    parts: list[Items] = []
    for is_part, part in groupby(items, lambda item: not isinstance(item, Repeat) or _is_punctuation(item)):
        found = list(part) if is_part else []
        while found and isinstance(found[0], Repeat):
            del found[0]
        while found and isinstance(found[-1], Repeat):
            del found[-1]
        if found:
            parts.append(tuple(found))
    return tuple(parts)


def _is_punctuation(repeat: Repeat) -> bool:
    """Whether letters and digits end a repetition."""
    first, *others = repeat.of
    if others or not isinstance(first, Class) or (op.NEGATE, None) in first.members:
        return False
    # `\s` is the only category that patterns use.
    ends = [value if code is op.RANGE else (value,) for code, value in first.members if code is not op.CATEGORY]
    return not any(chr(code).isalnum() for codes in ends for code in codes)


def _is_short(word: Items) -> bool:
    return 0 < len(word) <= _SHORT and all(isinstance(item, Class) or len(item) == 1 for item in word)


def _is_rare(atom: Atom, letters: float) -> bool:
    return letters >= _ENOUGH and "".join(map(str, filter(_is_letter, atom.items))) not in _COMMON


def _letters(atom: Atom) -> float:
    ends = (atom.before, atom.after)
    inside = (not atom.before and _is_letter(atom.items[0])) + (not atom.after and _is_letter(atom.items[-1]))
    return (
        sum((0.7 if item.isdigit() else 1.0) for item in atom.items if _is_one(item) and item != BLANK)
        + 0.3 * sum(isinstance(item, Class) for item in atom.items)
        + 0.5 * sum(each in (START, END) for each in (*ends, *atom.items))
        + 0.25 * ends.count(BLANK)
        - 0.8 * inside
    )


def _is_one(item: Item) -> TypeGuard[str]:
    return isinstance(item, str) and len(item) == 1


def _is_letter(item: Item) -> bool:
    return _is_one(item) and item.isalpha()
