"""What a text must hold for a recogniser to find something in it, derived from the recognisers' own patterns: searched
in many texts at once, as people wrote them, it tells the few that are worth reading from all the others.
"""

from collections.abc import Iterable, Iterator, Sequence
from re import _constants as op
from re import _parser
from typing import Any

import re2

from wisqu_pipelines.detection.atoms import BLANK, END, START, Atom, Class, Item, Items, Repeat, atoms_for
from wisqu_pipelines.detection.normalising import CAMEL_EDGE, SEPARATOR, joined_lines, spellings
from wisqu_pipelines.detection.patterns import options
from wisqu_pipelines.detection.recogniser import Form, Recogniser

_LETTERS = r"\x{620}-\x{63f}\x{641}-\x{64a}\x{66e}\x{66f}\x{671}-\x{6d3}\x{6d5}\x{6ee}\x{6ef}\x{6fa}-\x{6ff}"
_GAP = rf"[^a-z{_LETTERS}\n]"
"""What stands where a word ends, if anything does: beside a digit, or where another script follows, nothing need."""
_DIGITS = "0-9٠-٩۰-۹०-९"
_ODD = (
    r"[\x{aa}\x{ad}\x{ba}\x{130}\x{17f}\x{34f}\x{610}-\x{61c}\x{640}\x{64b}-\x{65f}\x{670}\x{6d6}-\x{6ed}\x{180e}"
    r"\x{1d2c}-\x{1d6a}\x{200b}\x{200d}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{209c}\x{2100}-\x{218b}\x{2460}-\x{24ff}"
    r"\x{3200}-\x{33ff}\x{fb00}-\x{fdff}\x{fe00}-\x{fe0f}\x{fe70}-\x{feff}\x{ff00}-\x{ffef}\x{1d400}-\x{1d7ff}"
    r"\x{1f100}-\x{1f2ff}]"
)
"""Characters that normalising takes for others, or takes away: a text with one of them is always read."""
_JOINER = rf"(?:^|[^{_LETTERS}\n])\x{{200c}}|\x{{200c}}(?:$|[^{_LETTERS}\n])"
"""A ZWNJ that parts no letters of Arabic script: normalising takes it away as well."""
_CAMEL = re2.compile(b"[a-z][A-Z]|[A-Z]{2}[a-z]", options())
_LATIN = Class(((op.RANGE, (ord("a"), ord("z"))),))
_MEMORY = 512 * 1024 * 1024


def suspicious(texts: Sequence[str], trigger: Any) -> list[int]:
    """The places of the texts in which the trigger is.

    Args:
        texts: As people wrote them.
        trigger: Of `trigger_for`.
    """
    joined = joined_lines(texts).encode("utf-8", "replace")
    places = set(_lines_with(trigger, joined.lower()))
    if camels := [place for place in _lines_with(_CAMEL, joined) if place not in places]:
        parted = joined_lines([CAMEL_EDGE.sub(" ", texts[place]) for place in camels]).encode("utf-8", "replace")
        places.update(camels[number] for number in _lines_with(trigger, parted.lower()))
    return sorted(places)


def _lines_with(pattern: Any, lines: bytes) -> Iterator[int]:
    """The numbers of the lines in which a pattern is."""
    end = SEPARATOR.encode()
    place = start = 0
    while start < len(lines) and (hit := pattern.search(lines, start)) is not None:
        place += lines.count(end, start, hit.start())
        yield place
        start = lines.find(end, hit.start()) + 1
        if not start:
            return
        place += 1


def finds_whole(pattern: str) -> bool:
    """Whether what a pattern finds is always the whole text."""
    nodes = _parser.parse(pattern)
    return bool(nodes[0] == (op.AT, op.AT_BEGINNING) and nodes[len(nodes) - 1] == (op.AT, op.AT_END))


def trigger_for(recognisers: Iterable[Recogniser]) -> Any:
    """What a text must hold, as written and in lower case, for one of these recognisers to find something in it."""
    starting: dict[str, list[str]] = {}
    for atom in atoms_for(recognisers):
        start, source = _written(atom)
        starting.setdefault(start, []).append(source)
    chosen = options()
    chosen.max_mem = _MEMORY
    # RE2 shares what neighbours begin with, and an automaton with few beginnings is quick to make.
    needed = [f"{start}(?:{'|'.join(sorted(sources))})" for start, sources in starting.items()]
    return re2.compile(f"(?m){'|'.join((_ODD, _JOINER, *needed))}".encode(), chosen)


def _written(atom: Atom) -> tuple[str, str]:
    """How an atom begins, and what follows, as it stands in texts as written."""
    start = end = ""
    if atom.before:
        start = f"{_end(START, atom.form)}{_GAP}*" if atom.before == START else _beside("^", atom.items[0])
    if atom.after:
        end = f"{_GAP}*{_end(END, atom.form)}" if atom.after == END else _beside("$", atom.items[-1])
    return start, _sequence(atom.items, atom.form) + end


def _end(which: Item, form: Form) -> str:
    """An end of the text; of a filename, words are read without folders and extension."""
    if form is Form.TEXT:
        return "^" if which == START else "$"
    return r"(?:^|[/\\])" if which == START else r"(?:$|[./\\])"


def _beside(end: str, item: Item) -> str:
    """What is beside a letter with which a word begins or ends; beside all else there may be anything."""
    if not isinstance(item, str) or not item.isalpha():
        return ""
    return rf"(?:{end}|[^a-z\n])" if item.isascii() else rf"(?:{end}|[^{_LETTERS}\n])"


def _sequence(items: Items, form: Form) -> str:
    return "".join(_gap(items, place, form) if item == BLANK else _item(item, form) for place, item in enumerate(items))


def _gap(items: Items, place: int, form: Form) -> str:
    """A blank; between letters of one script it cannot be nothing."""
    if form is Form.TEXT:
        return _GAP
    scripts = [_is_latin(item) for item in items[max(place - 1, 0) : place + 2 : 2]] if place else []
    is_one_script = len(scripts) == 2 and None not in scripts and scripts[0] == scripts[1]
    return f"{_GAP}{'+' if is_one_script else '*'}"


def _is_latin(item: Item) -> bool | None:
    """Whether a letter is Latin; None if it may be no letter."""
    if isinstance(item, str) and item.isalpha():
        return item.isascii()
    return True if item == _LATIN else None


def _item(item: Item, form: Form) -> str:
    if isinstance(item, Class):
        return _class(item.members)
    if isinstance(item, Repeat):
        return f"(?:{_sequence(item.of, form)})*"
    if item in (START, END):
        return _end(item, form)
    if item.isascii() and not item.isdigit():
        return str(re2.escape(item))
    return f"[{''.join(spellings(item))}]"


def _class(members: Sequence[Any]) -> str:
    written = ""
    for code, value in members:
        if code is op.NEGATE:
            return r"[^\n]"
        if code is op.CATEGORY:
            written += r" \t\r\f\v\x{a0}\x{200c}"  # no text has a line end inside
        elif (code, value) == (op.LITERAL, ord(BLANK)):
            return r"[^\n]"
        elif code is op.LITERAL:
            written += "".join(re2.escape(each) for each in spellings(chr(value)))
        else:
            low, high = map(chr, value)
            if (low, high) == ("0", "9") or low.isdigit():
                written += _DIGITS
            elif low.isascii():
                written += f"{re2.escape(low)}-{re2.escape(high)}"
            else:
                written += _LETTERS
    return f"[{written}]"
