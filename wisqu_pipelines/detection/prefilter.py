"""What a text must hold for a recogniser to find something in it, derived from the recognisers' own patterns: searched in
many texts at once, as people wrote them, it tells the few that are worth reading from all the others.
"""

_LETTERS = r"\x{620}-\x{63f}\x{641}-\x{64a}\x{66e}-\x{66f}\x{671}-\x{6d3}\x{6d5}\x{6ee}\x{6ef}\x{6fa}-\x{6ff}"
_MARKS = r"[\x{610}-\x{61a}\x{640}\x{64b}-\x{65f}\x{670}\x{6d6}-\x{6ed}]*"
_GAP = rf"[^a-z{_LETTERS}\n]*"
"""What may stand where a word ends: nothing, where a digit or another script follows."""
_DIGITS = "0-9٠-٩۰-۹०-९"
_ODD = (
    r"[\x{aa}\x{ba}\x{ad}\x{130}\x{17f}\x{34f}\x{61c}\x{180e}\x{1d2c}-\x{1d6a}\x{200b}\x{200d}-\x{200f}\x{202a}-\x{202e}"
    r"\x{2060}-\x{206f}\x{2070}-\x{209c}\x{2100}-\x{218b}\x{2460}-\x{24ff}\x{3200}-\x{33ff}\x{fb00}-\x{fdff}"
    r"\x{fe00}-\x{fe0f}\x{fe70}-\x{feff}\x{ff00}-\x{ffef}\x{1d400}-\x{1d7ff}\x{1f100}-\x{1f2ff}]"
)
"""Characters that normalising takes for others, or takes away: a text with one of them is always read."""
_CAMEL = r"([a-z])([A-Z])|([A-Z])([A-Z][a-z])"
_LIMIT = 512 * 1024 * 1024
