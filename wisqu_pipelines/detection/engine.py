"""Judging texts and rows: what recognisers find, what it adds up to, and what that means in an environment."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import re2

from wisqu_pipelines.detection.context import RowFacts, company
from wisqu_pipelines.detection.evidence import Decision, Evidence, FieldKind, Verdict
from wisqu_pipelines.detection.normalising import forms_many, normalise_many, words, words_many
from wisqu_pipelines.detection.patterns import compile_pattern, found_by, options
from wisqu_pipelines.detection.prefilter import Trigger, finds_whole, suspicious, trigger_for
from wisqu_pipelines.detection.recogniser import CERTAIN, STRONG, Form, Recogniser
from wisqu_pipelines.detection.registry import DETECTOR_VERSION, GROUPS
from wisqu_pipelines.detection.shapes import kind_of, stem

READ_FROM_START, READ_FROM_END = 20_000, 2_000
"""Characters of a longer text that are judged: who tests says so at the start or at the end."""
LONG_PROSE = 60
"""Words from which on a single phrase says less of a text."""
LONG_SHARE = 0.6
"""What such a phrase keeps of its weight; one that is certain keeps all of it."""
OTHER_FIELDS = 0.5
"""What the scores of a row's other fields add to its highest one."""
TEXTS_AT_ONCE = 5_000
COMBINATIONS = 20_000
"""Of patterns that are found together and remembered."""
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
        self._custom = [(text, compile_pattern(text), reason) for text, reason in taught.patterns.items()]
        self._customs = _set([text for text, _, _ in self._custom]) if self._custom else None
        self._real_texts = frozenset(words(text) for text in taught.real_texts)
        self._real_patterns = [compile_pattern(text) for text in taught.real_patterns]
        self._has_exceptions = bool(self._real_texts or self._real_patterns)
        self._learnt = learnt
        self.version = _version(self._thresholds, taught, learnt)
        """What judges: another name as soon as anything would be judged otherwise."""

    def judge(self, text: str | None, kind: FieldKind | None = None, field: str = "text") -> Verdict:
        """Judge one text.

        Args:
            text: Of any length and with any characters; None and nothing are no text.
            kind: What kind of text it is; its shape tells if it is not given.
            field: What it is called in the evidence.
        """
        if not text:
            return self._verdict([])
        evidence = self._evidence(text, kind or kind_of(text), field)
        if self._learnt is not None and evidence:
            evidence += _some(self._learnt.adjustment({field: (kind or kind_of(text), text)}))
        return self._verdict(evidence)

    def judge_many(self, texts: Sequence[str | None], kind: FieldKind, field: str) -> list[Verdict | None]:
        """Judge many texts of one kind, by themselves and without what was learnt; None for a text without evidence."""
        verdicts: list[Verdict | None] = [None] * len(texts)
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            page = [text or "" for text in texts[start : start + TEXTS_AT_ONCE]]
            if max(map(len, page)) > READ_FROM_START:
                page = list(map(_cut, page))
            places = [place for place in self._suspicious(page, kind) if page[place]]
            for place, forms in zip(places, _forms([page[place] for place in places], kind), strict=True):
                hits, customs = self._hits(forms, kind)
                if hits.counting or customs:
                    score = round(_score(hits, customs, kind, forms), 4)
                    verdicts[start + place] = _FoundInBulk(
                        self._decision(score), score, self, hits, customs, forms, kind, field
                    )
        return verdicts

    def judge_row(self, facts: RowFacts, found_in: Mapping[str, Sequence[Evidence]] | None = None) -> Verdict:
        """Judge a row by all its texts and by what surrounds them.

        Args:
            facts: The row.
            found_in: By field, what `judge_many` found in these texts; None: they are searched now.
        """
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
            found = self._evidence(text, kind, name) if found_in is None else found_in.get(name, ())
            evidence += found
            scores.append(max(0.0, _sum(found)))
        own = _together(scores)
        around = list(company(facts, own, lambda email: _sum(self._evidence(email, FieldKind.EMAIL, "account"))))
        learnt = _some(self._learnt.adjustment(texts)) if self._learnt is not None and (evidence or around) else []
        score = own + sum(each.weight for each in (*around, *learnt))
        return self._decided(score, (*evidence, *around, *learnt))

    def _evidence(self, text: str, kind: FieldKind, name: str) -> list[Evidence]:
        (forms,) = _forms([_cut(text)], kind)
        return list(self.told(*self._hits(forms, kind), forms, kind, name))

    def _hits(self, forms: "_Forms", kind: FieldKind) -> tuple["_Hits", Sequence[int]]:
        """The built-in patterns that count in a text, for and against, and the numbers of people's own; none if nothing
        speaks for test data.
        """
        if self._has_exceptions and self._is_real(forms):
            return _NO_HITS, ()
        hits = _built_in(kind).search(forms)
        customs = () if self._customs is None else self._customs.Match(forms.text) or ()
        return (hits, customs) if hits.is_evidence or customs else (_NO_HITS, ())

    def told(
        self, hits: "_Hits", customs: Sequence[int], forms: "_Forms", kind: FieldKind, name: str
    ) -> tuple[Evidence, ...]:
        """The evidence in one text, in words."""
        found = [
            Evidence(
                each.recogniser.name,
                each.group,
                name,
                _scaled(each.weight, kind, forms.length),
                each.find(forms),
                each.recogniser.explanation,
            )
            for each in hits.counting
        ]
        for number in customs:
            pattern, compiled, reason = self._custom[number]
            hit = compiled.search(forms.text)
            found.append(Evidence(pattern, CUSTOM, name, STRONG, hit.group(0) if hit else "", reason))
        return tuple(found)

    def _suspicious(self, page: Sequence[str], kind: FieldKind) -> list[int]:
        """The places of the texts in which something may be found: cheaper to tell than what it is."""
        places = suspicious(page, trigger(kind))
        if self._customs is None:
            return places
        custom = (n for n, text in enumerate(normalise_many(page)) if self._customs.Match(text))
        return sorted({*places, *custom})

    def _is_real(self, forms: "_Forms") -> bool:
        return forms.words in self._real_texts or any(
            each.search(forms.text) is not None for each in self._real_patterns
        )

    def _verdict(self, evidence: Sequence[Evidence]) -> Verdict:
        return self._decided(_sum(evidence), tuple(evidence))

    def _decided(self, score: float, evidence: tuple[Evidence, ...]) -> Verdict:
        score = round(score, 4)
        return Verdict(self._decision(score), score, evidence)

    def _decision(self, score: float) -> Decision:
        if score >= self._thresholds.test:
            return Decision.TEST
        return Decision.REVIEW if score >= self._thresholds.review else Decision.REAL


class _Forms(NamedTuple):
    """A text as recognisers read it."""

    words: str
    text: str

    @property
    def length(self) -> int:
        """In words."""
        return self.words.count(" ") - 1

    def of(self, form: Form) -> str:
        return self.words if form is Form.WORDS else self.text


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One pattern of a built-in recogniser, in one kind of field."""

    group: str
    recogniser: Recogniser
    source: str
    weight: float
    place: tuple[str, bool]
    """The group, and whether it speaks for test data: of each place the strongest counts."""
    finds_whole: bool

    def find(self, forms: _Forms) -> str:
        """What it finds in a text in which it is."""
        text = forms.of(self.recogniser.form)
        if self.finds_whole:
            return text.strip()
        return found_by(self.source, text)


@dataclass(frozen=True, slots=True)
class _Hits:
    """The patterns that count of those that were found together."""

    counting: tuple[_Pattern, ...]
    is_evidence: bool
    """Whether one of them speaks for test data."""
    score: float
    """What they come to, where length does not count."""


_NO_HITS = _Hits((), is_evidence=False, score=0.0)


class _FoundInBulk(Verdict):
    """The verdict over one text of many. Its evidence is put into words when somebody asks; until then it is a single
    object: of so many, each lets the garbage collector look through all that there is more often.
    """

    __slots__ = ("_customs", "_field", "_hits", "_judge", "_kind", "_text", "_words")

    def __init__(
        self,
        decision: Decision,
        score: float,
        judge: TextJudge,
        hits: _Hits,
        customs: Sequence[int],
        forms: _Forms,
        kind: FieldKind,
        field: str,
    ) -> None:
        super().__init__(decision, score, ())
        self._judge = judge
        self._hits, self._customs = hits, customs
        self._words, self._text = forms
        self._kind, self._field = kind, field

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        if not self._evidence:
            forms = _Forms(self._words, self._text)
            self._evidence = self._judge.told(self._hits, self._customs, forms, self._kind, self._field)
        return self._evidence


class _BuiltIn:
    """The built-in patterns that count in one kind of field."""

    def __init__(self, members: Mapping[Form, Sequence[_Pattern]]) -> None:
        self._members = members
        self._in_words, self._in_text = (_set([each.source for each in members[form]]) for form in Form)
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...]], _Hits] = {}
        """What is left of patterns that were found together before: most texts hold what others do."""

    def search(self, forms: _Forms) -> _Hits:
        """Of the patterns that a text holds, those that count."""
        found = tuple(self._in_words.Match(forms.words) or ()), tuple(self._in_text.Match(forms.text) or ())
        known = self._known.get(found)
        if known is None:
            if len(self._known) >= COMBINATIONS:
                self._known.clear()
            known = self._known[found] = self._counting(*found)
        return known

    def _counting(self, in_words: Sequence[int], in_text: Sequence[int]) -> _Hits:
        found = [
            *map(self._members[Form.WORDS].__getitem__, in_words),
            *map(self._members[Form.TEXT].__getitem__, in_text),
        ]
        strongest = tuple(_strongest(found))
        weights = [each.weight for each in strongest]
        return _Hits(strongest, any(weight > 0 for weight in weights), sum(weights))


@lru_cache(maxsize=len(FieldKind))
def _built_in(kind: FieldKind) -> _BuiltIn:
    """Compiled when a text of that kind is read for the first time in a process."""
    counting = [(group, each) for group, members in GROUPS.items() for each in members if each.weight_in(kind)]
    members = {
        form: [
            _Pattern(group, each, source, each.weight_in(kind), (group, each.weight_in(kind) > 0), finds_whole(source))
            for group, each in counting
            if each.form is form
            for source in each.patterns
        ]
        for form in Form
    }
    return _BuiltIn(members)


@lru_cache(maxsize=len(FieldKind))
def trigger(kind: FieldKind) -> Trigger:
    """Is in every text of a kind in which a built-in recogniser finds something that speaks for test data there."""
    return trigger_for(each for members in GROUPS.values() for each in members if each.weight_in(kind) > 0)


def _forms(texts: Sequence[str], kind: FieldKind) -> Iterator[_Forms]:
    """The forms of texts; of a filename, the words are those that somebody called the file by."""
    if kind is FieldKind.FILENAME:
        return map(_Forms, words_many([stem(text) for text in texts]), normalise_many(texts))
    return map(_Forms, *forms_many(texts))


def _set(sources: Sequence[str]) -> Any:
    chosen = options()
    chosen.max_mem = 256 * 1024 * 1024
    made = re2.Set.SearchSet(chosen)
    for source in sources:
        made.Add(source)
    made.Compile()
    return made


def _strongest(found: Iterable[_Pattern]) -> list[_Pattern]:
    """Of each group the strongest for test data and the strongest against it: the others say the same again."""
    strongest: dict[tuple[str, bool], _Pattern] = {}
    for each in found:
        known = strongest.get(each.place)
        if known is None or abs(each.weight) > abs(known.weight):
            strongest[each.place] = each
    return list(strongest.values())


def _scaled(weight: float, kind: FieldKind, length: int) -> float:
    if kind is FieldKind.PROSE and length > LONG_PROSE and 0 < weight < CERTAIN:
        return round(weight * LONG_SHARE, 4)
    return weight


def _score(hits: _Hits, customs: Sequence[int], kind: FieldKind, forms: _Forms) -> float:
    """What the strongest hits of each group come to, and people's own patterns together as one."""
    own = hits.score
    if kind is FieldKind.PROSE:
        length = forms.length
        own = sum(_scaled(each.weight, kind, length) for each in hits.counting)
    return own + STRONG if customs else own


def _sum(evidence: Sequence[Evidence]) -> float:
    """What evidence in one text comes to: of each group the strongest, for and against."""
    if len(evidence) == 1:
        return evidence[0].weight
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
