"""What a text must hold for a recogniser to find something in it, derived from the recognisers' own patterns: searched
in many texts at once, as people wrote them, it tells the few that are worth reading from all the others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from re import _constants as op
from re import _parser
from typing import Any

import re2

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
_MEMORY = 512 * 1024 * 1024
_BLANK = (op.LITERAL, ord(" "))


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


def trigger_for(recognisers: Iterable[Recogniser], *, is_filename: bool) -> Any:
    """What a text must hold, as written and in lower case, for one of these recognisers to find something in it.

    Args:
        recognisers: Those that may speak for test data.
        is_filename: Whether words are read without folders and extension.
    """
    needed = dict.fromkeys(
        _Writer(each.form, is_filename).needed(_parser.parse(pattern))
        for each in recognisers
        for pattern in each.patterns
    )
    chosen = options()
    chosen.max_mem = _MEMORY
    return re2.compile(f"(?m){'|'.join((_ODD, _JOINER, *needed))}".encode(), chosen)


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a pattern as it stands in texts as written."""

    source: str
    letters: float
    """How many characters it holds at least: the more, the less often it is found in vain."""


class _Writer:
    """Writes the part of a pattern that is found least often in vain."""

    def __init__(self, form: Form, is_filename: bool) -> None:
        self._of_words = form is Form.WORDS
        self._start = r"(?:^|[/\\])" if self._of_words and is_filename else "^"
        self._end = r"(?:$|[./\\])" if self._of_words and is_filename else "$"

    def needed(self, nodes: Sequence[Any]) -> str:
        """The source of that part."""
        return max(self._runs(nodes), key=lambda part: part.letters).source

    def _runs(self, nodes: Sequence[Any]) -> Iterator[_Part]:
        """The parts between what may be of any length."""
        run: list[Any] = []
        for node in nodes:
            if _is_whole(node):
                run.append(node)
                continue
            code, value = node
            if run and run != [_BLANK]:
                # Words that may follow begin with the blank that ends the word before them.
                follows = code in (op.MAX_REPEAT, op.MIN_REPEAT) and value[2][0] == _BLANK
                yield self._run([*run, _BLANK] if follows else run)
            # Words that may come before end with the blank that begins the word after them.
            run = [_BLANK] if code in (op.MAX_REPEAT, op.MIN_REPEAT) and value[2][-1] == _BLANK else []
            if code is op.BRANCH:
                parts = [max(self._runs(each), key=lambda part: part.letters) for each in value[1]]
                yield _either(parts)
            elif code in (op.MAX_REPEAT, op.MIN_REPEAT) and value[0]:
                yield max(self._runs(value[2]), key=lambda part: part.letters)
        if run and run != [_BLANK]:
            yield self._run(run)
        yield _Part("", -1)

    def _run(self, nodes: Sequence[Any]) -> _Part:
        nodes = list(nodes)
        before = after = False
        if self._of_words and len(nodes) > 1 and nodes[0] == _BLANK:
            nodes, before = nodes[1:], True
        if self._of_words and len(nodes) > 1 and nodes[-1] == _BLANK:
            nodes, after = nodes[:-1], True
        return self._sequence(nodes, before, after)

    def _sequence(self, nodes: Sequence[Any], before: bool = False, after: bool = False) -> _Part:
        last = len(nodes) - 1
        parts = [
            self._gap(nodes, n) if node == _BLANK else self._part(node, before and not n, after and n == last)
            for n, node in enumerate(nodes)
        ]
        return _Part("".join(part.source for part in parts), sum(part.letters for part in parts))

    def _gap(self, nodes: Sequence[Any], place: int) -> _Part:
        """A blank; between letters of one script it cannot be nothing."""
        if not self._of_words:
            return _Part(rf"[^a-z{_LETTERS}\n]", 0.0)
        beside = [chr(value) for code, value in nodes[max(place - 1, 0) : place + 2 : 2] if code is op.LITERAL]
        is_between = 0 < place < len(nodes) - 1 and len(beside) == 2
        is_one_script = is_between and all(map(str.isalpha, beside)) and beside[0].isascii() == beside[1].isascii()
        return _Part(f"{_GAP}{'+' if is_one_script else '*'}", 0.0)

    def _part(self, node: Any, before: bool, after: bool) -> _Part:
        code, value = node
        if code is op.LITERAL:
            return self._literal(chr(value), before, after)
        if code is op.AT:
            return _Part(self._start if value is op.AT_BEGINNING else self._end, 0.5)
        if code is op.BRANCH:
            return _either([self._sequence(each, before, after) for each in value[1]])
        if code in (op.MAX_REPEAT, op.MIN_REPEAT):
            least, most, body = value
            edge = ""
            part = self._sequence(body)
            if after and len(body) == 1 and body[0][0] is op.LITERAL:
                edge = self._literal(chr(body[0][1]), before=False, after=True).source.removeprefix(part.source)
            times = f"{{{least},{'' if most is op.MAXREPEAT else most}}}"
            return _Part(f"(?:{part.source}){times}{edge}", part.letters * least)
        return _Part(_class(value) if code is op.IN else r"[^\n]", 0.3)

    def _literal(self, letter: str, before: bool, after: bool) -> _Part:
        if letter.isascii():
            if letter.isdigit():
                return _Part(f"[{''.join(spellings(letter))}]", 1.0)
            edges = (r"(?:^|[^a-z\n])", "(?:$|[^a-z])") if letter.isalpha() else ("", "")
            written = re2.escape(letter)
        else:
            edges = (rf"(?:^|[^{_LETTERS}\n])", rf"(?:$|[^{_LETTERS}])")
            written = f"[{''.join(spellings(letter))}]"
        return _Part(f"{edges[0] if before else ''}{written}{edges[1] if after else ''}", 1.0)


def _either(parts: Sequence[_Part]) -> _Part:
    return _Part(f"(?:{'|'.join(dict.fromkeys(part.source for part in parts))})", min(part.letters for part in parts))


def _is_whole(node: Any) -> bool:
    """Whether it can be written as it is: in no place may there be words of any number, or nothing instead."""
    code, value = node
    if code is op.BRANCH:
        return all(_is_whole(each) for branch in value[1] for each in branch)
    if code in (op.MAX_REPEAT, op.MIN_REPEAT):
        least, most, body = value
        return all(map(_is_whole, body)) and (most is not op.MAXREPEAT or least > 0 or not _has_blank(body))
    return code is not op.ANY


def _has_blank(nodes: Sequence[Any]) -> bool:
    for code, value in nodes:
        if code is op.BRANCH:
            inner = value[1]
        elif code in (op.MAX_REPEAT, op.MIN_REPEAT):
            inner = [value[2]]
        else:
            inner = []
        if (code, value) == _BLANK or any(map(_has_blank, inner)):
            return True
    return False


def _class(members: Sequence[Any]) -> str:
    written = ""
    for code, value in members:
        if code is op.NEGATE:
            return r"[^\n]"
        if code is op.CATEGORY:
            written += r"\s\x{a0}\x{200c}"
        elif (code, value) == _BLANK:
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
