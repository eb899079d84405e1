"""All that detection knows at a moment, put together as a judge."""

from wisqu_pipelines.detection.engine import Taught, TextJudge, Thresholds
from wisqu_pipelines.detection.lessons import Lessons
from wisqu_pipelines.detection.teaching import Teaching
from wisqu_pipelines.settings import Settings, TestDataSettings


class Knowledge:
    """What is built in, what people taught, and what was learnt from their marks."""

    def __init__(self, teaching: Teaching, lessons: Lessons, settings: Settings) -> None:
        """Read from `teaching` and `lessons` when a judge is asked for."""
        self._teaching = teaching
        self._lessons = lessons
        self._settings = settings

    def judge(self, limits: TestDataSettings) -> TextJudge:
        """A judge of what is known now, with an environment's thresholds."""
        exceptions = self._teaching.exceptions()
        taught = Taught(
            patterns={rule.phrase: rule.reason for rule in self._teaching.patterns()},
            real_texts=frozenset(rule.phrase for rule in exceptions if not rule.is_pattern),
            real_patterns=tuple(sorted(rule.phrase for rule in exceptions if rule.is_pattern)),
        )
        learnt = self._lessons.used() if self._settings.detection.learns else None
        return TextJudge(Thresholds(limits.review, limits.mark), taught, learnt)
