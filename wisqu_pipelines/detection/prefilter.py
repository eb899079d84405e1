"""What a text must hold for a recogniser to find something in it, derived from the recognisers' own patterns: searched
in many texts at once, as people wrote them, it tells the few that are worth reading from all the others.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from re import _constants as op
from re import _parser
from typing import Any, TypeAlias

import re2

from wisqu_pipelines.detection.atoms import BLANK, END, START, Atom, Class, Item, Items, Repeat, atoms_for
from wisqu_pipelines.detection.bytewise import ARABIC, ODD, byte_of, encoded, folded
from wisqu_pipelines.detection.normalising import CAMEL_EDGE, SEPARATOR, joined_lines
from wisqu_pipelines.detection.patterns import options
from wisqu_pipelines.detection.recogniser import Form, Recogniser

_GAP = rf"[^a-z{ARABIC}\n]"
"""What stands where a word ends, if anything does: beside a digit, or where another script follows, nothing need."""
_CAMEL = re2.compile(b"[a-z][A-Z]|[A-Z]{2}[a-z]", options())
_CAMEL_EDGE = re.compile(CAMEL_EDGE.pattern.encode())
_LATIN = Class(((op.RANGE, (ord("a"), ord("z"))),))
_END = SEPARATOR.encode()
_MEMORY = 512 * 1024 * 1024


Trigger: TypeAlias = tuple[Any, ...]
"""Two searches: for what begins anywhere, and for what begins where a word does. In one automaton, each way into a word
of the one kind would meet each way into a word of the other, and each such pair would be another state to learn.
"""


def suspicious(texts: Sequence[str], trigger: Trigger) -> list[int]:
    """The places of the texts in which the trigger is.

    Args:
        texts: As people wrote them.
        trigger: Of `trigger_for`.
    """
    written = encoded(joined_lines(texts))
    places = _lines_with_any(trigger, folded(written))
    if camels := [place for place in _lines_with(_CAMEL, written) if place not in places]:
        lines = written.split(_END)
        parted = _CAMEL_EDGE.sub(b" ", _END.join(map(lines.__getitem__, camels)))
        places.update(camels[number] for number in _lines_with_any(trigger, folded(parted)))
    return sorted(places)


def _lines_with_any(trigger: Trigger, lines: bytes) -> set[int]:
    return {number for pattern in trigger for number in _lines_with(pattern, lines)}


def _lines_with(pattern: Any, lines: bytes) -> Iterator[int]:
    """The numbers of the lines in which a pattern is."""
    place = start = 0
    while start < len(lines) and (hit := pattern.search(lines, start)) is not None:
        found = hit.start()
        place += lines.count(_END, start, found)
        yield place
        start = lines.find(_END, found) + 1
        if not start:
            return
        place += 1


def finds_whole(pattern: str) -> bool:
    """Whether what a pattern finds is always the whole text."""
    nodes = _parser.parse(pattern)
    return bool(nodes[0] == (op.AT, op.AT_BEGINNING) and nodes[len(nodes) - 1] == (op.AT, op.AT_END))


def trigger_for(recognisers: Iterable[Recogniser]) -> Trigger:
    """What a text must hold, as written and in lower case, for one of these recognisers to find something in it."""
    starting: dict[str, list[str]] = {"": [_byte(ODD)]}
    for atom in atoms_for(recognisers):
        start, source = _written(atom)
        starting.setdefault(start, []).append(source)
    inside = starting.pop("")
    # RE2 shares what neighbours begin with, and an automaton with few beginnings is quick to make.
    at_edges = [f"{start}(?:{'|'.join(sorted(sources))})" for start, sources in starting.items()]
    return tuple(re2.compile(f"(?m){'|'.join(sources)}".encode(), _options()) for sources in (sorted(inside), at_edges))


def _options() -> Any:
    chosen = options()
    chosen.max_mem = _MEMORY
    chosen.encoding = re2.Options.Encoding.LATIN1  # of each byte
    return chosen


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
    return rf"(?:{end}|[^{'a-z' if item.isascii() else ARABIC}\n])"


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
    return _byte(byte_of(item))


def _byte(code: int) -> str:
    return str(re2.escape(chr(code))) if code < ODD else rf"\x{code:02x}"


def _class(members: Sequence[Any]) -> str:
    written = ""
    for code, value in members:
        if code is op.NEGATE or (code, value) == (op.LITERAL, ord(BLANK)):
            return r"[^\n]"
        if code is op.CATEGORY:
            written += r" \t\r\f\v"  # no text has a line end inside
        elif code is op.LITERAL:
            written += _byte(byte_of(chr(value)))
        else:
            low, high = map(chr, value)
            written += f"{_byte(ord(low))}-{_byte(ord(high))}" if high.isascii() else ARABIC
    return f"[{written}]"
