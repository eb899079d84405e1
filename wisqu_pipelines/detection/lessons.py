"""Learning from what people said of items: when they are asked to, from all environments, for this organisation."""

from wisqu_pipelines.detection.engine import Learnt


class Lessons:
    """What was learnt."""

    def __init__(self, *_: object) -> None:
        """Nothing yet."""

    def used(self) -> Learnt | None:
        """Nothing yet."""
        return None
