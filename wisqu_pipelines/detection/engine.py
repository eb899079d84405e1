"""Judging texts and rows: what recognisers find, what it adds up to, and what that means in an environment."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import Any, Protocol

import re2

from wisqu_pipelines.detection.context import RowFacts, company
from wisqu_pipelines.detection.evidence import Decision, Evidence, FieldKind, Verdict
from wisqu_pipelines.detection.normalising import SEPARATOR, normalise, normalise_many, words
from wisqu_pipelines.detection.patterns import compile_pattern, options
from wisqu_pipelines.detection.recogniser import CERTAIN, STRONG, Form, Recogniser
from wisqu_pipelines.detection.registry import DETECTOR_VERSION, GROUPS
from wisqu_pipelines.detection.shapes import kind_of, stem
from wisqu_pipelines.detection.triggers import TRIGGER

READ_FROM_START, READ_FROM_END = 20_000, 2_000
"""Characters of a longer text that are judged: who tests says so at the start or at the end."""
LONG_PROSE = 60
"""Words from which on a single phrase says less of a text."""
LONG_SHARE = 0.6
"""What such a phrase keeps of its weight; one that is certain keeps all of it."""
OTHER_FIELDS = 0.5
"""What the scores of a row's other fields add to its highest one."""
TEXTS_AT_ONCE = 5_000
CUSTOM = "custom"


class Learnt(Protocol):
    """What was learnt from people's marks."""

    @property
    def version(self) -> str:
        """Which training it comes from."""
        ...

    def adjustment(self, texts: Mapping[str, tuple[FieldKind, str]]) -> Evidence | None:
        """What it adds to a row's score or takes from it, within bounds; None if it has nothing to say."""
        ...


@dataclass(frozen=True, slots=True)
class Taught:
    """What people have taught."""

    patterns: Mapping[str, str] = field(default_factory=dict)
    """Patterns of their own (RE2), with the reasons."""
    real_texts: frozenset[str] = frozenset()
    """Texts that are real, as people wrote them."""
    real_patterns: tuple[str, ...] = ()
    """Patterns (RE2) of texts that are real."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which scores on a person is asked, and test data is marked."""

    review: float = 0.6
    test: float = STRONG


class TextJudge:
    """Judges texts and rows. Safe to use from several threads."""

    def __init__(
        self, thresholds: Thresholds | None = None, taught: Taught | None = None, learnt: Learnt | None = None
    ) -> None:
        """Judge with the built-in recognisers and with what people have taught.

        Raises:
            BadInput: a taught pattern cannot be used.
        """
        self._thresholds = thresholds or Thresholds()
        taught = taught or Taught()
        self._built_in = _built_in()
        self._custom = [(text, compile_pattern(text), reason) for text, reason in taught.patterns.items()]
        self._customs = _set([text for text, _, _ in self._custom]) if self._custom else None
        self._real_texts = frozenset(words(text) for text in taught.real_texts)
        self._real_patterns = [compile_pattern(text) for text in taught.real_patterns]
        self._learnt = learnt
        self.version = _version(self._thresholds, taught, learnt)
        """What judges: another name as soon as anything would be judged otherwise."""

    def judge(self, text: str | None, kind: FieldKind | None = None, field: str = "text") -> Verdict:
        """Judge one text.

        Args:
            text: Of any length and with any characters; None is no text.
            kind: What kind of text it is; its shape tells if it is not given.
            field: What it is called in the evidence.
        """
        if text is None:
            return self._verdict([])
        evidence = self._evidence(text, kind or kind_of(text), field)
        if self._learnt is not None and evidence:
            evidence += _some(self._learnt.adjustment({field: (kind or kind_of(text), text)}))
        return self._verdict(evidence)

    def judge_many(self, texts: Sequence[str | None], kind: FieldKind, field: str) -> list[Verdict | None]:
        """Judge many texts of one kind, by themselves and without what was learnt; None for a text without evidence."""
        verdicts: list[Verdict | None] = [None] * len(texts)
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            page = [_cut(text) if text else "" for text in texts[start : start + TEXTS_AT_ONCE]]
            for place in self._suspicious(page):
                if evidence := self._evidence(page[place], kind, field):
                    verdicts[start + place] = self._verdict(evidence)
        return verdicts

    def judge_row(self, facts: RowFacts) -> Verdict:
        """Judge a row by all its texts and by what surrounds them."""
        evidence: list[Evidence] = []
        scores: list[float] = []
        seen: set[str] = set()
        texts: dict[str, tuple[FieldKind, str]] = {}
        for name, text in facts.texts.items():
            if not text or text in seen:  # the same words in two columns are said once
                continue
            seen.add(text)
            kind = facts.kinds.get(name) or kind_of(text)
            texts[name] = (kind, text)
            found = self._evidence(text, kind, name)
            evidence += found
            scores.append(max(0.0, _sum(found)))
        own = _together(scores)
        around = list(company(facts, own, lambda email: _sum(self._evidence(email, FieldKind.EMAIL, "account"))))
        learnt = _some(self._learnt.adjustment(texts)) if self._learnt is not None and (evidence or around) else []
        score = own + sum(each.weight for each in (*around, *learnt))
        return self._decided(score, (*evidence, *around, *learnt))

    def _evidence(self, text: str, kind: FieldKind, name: str) -> list[Evidence]:
        """What is found in a text, for and against; nothing if only something against it is."""
        text = _cut(text)
        forms = {Form.WORDS: words(stem(text) if kind is FieldKind.FILENAME else text), Form.TEXT: normalise(text)}
        if self._is_real(forms):
            return []
        length = forms[Form.WORDS].count(" ") - 1
        found = [
            Evidence(
                each.recogniser.name, each.group, name, weight, each.find(forms[form]), each.recogniser.explanation
            )
            for form, text_set in self._built_in.sets.items()
            for each in _distinct(text_set.members[number] for number in text_set.compiled.Match(forms[form]) or ())
            if (weight := _scaled(each.recogniser.weight_in(kind), kind, length))
        ]
        if self._customs is not None:
            for number in self._customs.Match(forms[Form.TEXT]) or ():
                pattern, compiled, reason = self._custom[number]
                hit = compiled.search(forms[Form.TEXT])
                found.append(Evidence(pattern, CUSTOM, name, STRONG, hit.group(0) if hit else "", reason))
        return found if any(each.weight > 0 for each in found) else []

    def _suspicious(self, page: Sequence[str]) -> Iterator[int]:
        """The places of the texts in which something may be found: cheaper to tell than what it is."""
        folded = SEPARATOR.join(normalise_many(page)).encode("utf-8", "replace")
        lines = folded.split(SEPARATOR.encode())
        starts = [0, *accumulate(len(line) + 1 for line in lines)]
        last = -1
        suspicious: list[int] = []
        for hit in _trigger().finditer(folded):
            place = bisect_right(starts, hit.start()) - 1
            if place != last:
                suspicious.append(place)
                last = place
        if self._customs is not None:
            known = set(suspicious)
            customs = self._customs
            suspicious += [
                n for n, line in enumerate(lines) if n not in known and line and customs.Match(line.decode())
            ]
        return iter(suspicious)

    def _is_real(self, forms: Mapping[Form, str]) -> bool:
        return forms[Form.WORDS] in self._real_texts or any(
            each.search(forms[Form.TEXT]) is not None for each in self._real_patterns
        )

    def _verdict(self, evidence: Sequence[Evidence]) -> Verdict:
        return self._decided(_sum(evidence), tuple(evidence))

    def _decided(self, score: float, evidence: tuple[Evidence, ...]) -> Verdict:
        score = round(score, 4)
        if score >= self._thresholds.test:
            decision = Decision.TEST
        elif score >= self._thresholds.review:
            decision = Decision.REVIEW
        else:
            decision = Decision.REAL
        return Verdict(decision, score, evidence)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One pattern of a built-in recogniser."""

    group: str
    recogniser: Recogniser
    compiled: Any

    def find(self, text: str) -> str:
        hit = self.compiled.search(text)
        return "" if hit is None else hit.group(0).strip()


@dataclass(frozen=True, slots=True)
class _Set:
    """Patterns that are matched together, each by its number."""

    compiled: Any
    members: list[_Pattern]


@dataclass(frozen=True, slots=True)
class _BuiltIn:
    sets: Mapping[Form, _Set]


@lru_cache(maxsize=1)
def _built_in() -> _BuiltIn:
    """The built-in patterns, compiled once in a process."""
    members: dict[Form, list[_Pattern]] = {form: [] for form in Form}
    sources: dict[Form, list[str]] = {form: [] for form in Form}
    for group, recognisers in GROUPS.items():
        for recogniser in recognisers:
            for source in recogniser.patterns:
                members[recogniser.form].append(_Pattern(group, recogniser, re2.compile(source, options())))
                sources[recogniser.form].append(source)
    return _BuiltIn({form: _Set(_set(sources[form]), members[form]) for form in Form})


@lru_cache(maxsize=1)
def _trigger() -> Any:
    return re2.compile(TRIGGER.encode(), options())


def _set(sources: Sequence[str]) -> Any:
    chosen = options()
    chosen.max_mem = 256 * 1024 * 1024
    made = re2.Set.SearchSet(chosen)
    for source in sources:
        made.Add(source)
    made.Compile()
    return made


def _distinct(found: Iterator[_Pattern]) -> Iterator[_Pattern]:
    """The first pattern of each recogniser."""
    seen: set[str] = set()
    for each in found:
        if each.recogniser.name not in seen:
            seen.add(each.recogniser.name)
            yield each


def _scaled(weight: float, kind: FieldKind, length: int) -> float:
    if kind is FieldKind.PROSE and length > LONG_PROSE and 0 < weight < CERTAIN:
        return round(weight * LONG_SHARE, 4)
    return weight


def _sum(evidence: Sequence[Evidence]) -> float:
    """What evidence in one text comes to: of each group the strongest, for and against."""
    strongest: dict[tuple[str, bool], float] = {}
    for each in evidence:
        place = each.group, each.weight > 0
        if abs(each.weight) > abs(strongest.get(place, 0.0)):
            strongest[place] = each.weight
    return sum(strongest.values())


def _together(scores: Sequence[float]) -> float:
    """The highest score of a row's texts, and a share of the others'."""
    if not scores:
        return 0.0
    highest = max(scores)
    return highest + OTHER_FIELDS * (sum(scores) - highest)


def _some(evidence: Evidence | None) -> list[Evidence]:
    return [] if evidence is None else [evidence]


def _cut(text: str) -> str:
    if len(text) <= READ_FROM_START + READ_FROM_END:
        return text
    return f"{text[:READ_FROM_START]} {text[-READ_FROM_END:]}"


def _version(thresholds: Thresholds, taught: Taught, learnt: Learnt | None) -> str:
    told = repr((thresholds, sorted(taught.patterns), sorted(taught.real_texts), sorted(taught.real_patterns))) + (
        learnt.version if learnt else ""
    )
    return f"{DETECTOR_VERSION}-{hashlib.sha256(told.encode('utf-8', 'replace')).hexdigest()[:8]}"
