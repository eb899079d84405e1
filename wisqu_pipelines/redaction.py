"""Secrets in texts that leave this process: what is known to be one, and what looks like one."""

import re
from collections.abc import Callable, Collection

REDACTED = "[redacted]"
_LOOKS = re.compile(
    r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"  # a JWT
    r"|wts_[A-Za-z0-9_.-]{10,}"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user and password in an address
    r"|(?<=Bearer )[A-Za-z0-9._~+/-]+=*"
)


def redactor(secrets: Collection[str]) -> Callable[[str], str]:
    """What takes secrets out of a text.

    Args:
        secrets: Those that are known: the settings' own.
    """
    known = re.compile("|".join(re.escape(each) for each in sorted(secrets, key=len, reverse=True) if each) or "(?!)")
    return lambda text: known.sub(REDACTED, _LOOKS.sub(REDACTED, text))
