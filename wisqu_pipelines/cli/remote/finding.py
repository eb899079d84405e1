"""In which environment something is that is known by its id alone."""

from collections.abc import Callable, Iterable

from wisqu_pipelines.errors import ServerFailed, ServerRefused, StoreUnavailable, WisquError


def where(names: Iterable[str], look: Callable[[str], object], missing: WisquError) -> str:
    """The first environment in which it is. One that does not answer, or that one may not look into, hides nothing of
    the others.

    Args:
        names: The environments.
        look: Looks for it in one of them.
        missing: What `look` raises where it is not, by its class, and what is raised if it is nowhere.

    Raises:
        ServerFailed, ServerRefused, StoreUnavailable: it is in none of the environments that answer.
    """
    away: WisquError | None = None
    for name in names:
        try:
            look(name)
        except (ServerFailed, ServerRefused, StoreUnavailable) as error:
            if error.details.get("error") != missing.code:
                away = error
        except WisquError as error:
            if error.code != missing.code:
                raise
        else:
            return name
    raise away or missing
