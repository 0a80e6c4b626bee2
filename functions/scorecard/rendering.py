"""How templates are read: what is not given to a template is an error, never blank.

jinja2 is imported when the first is read: a function that starts does without.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

_TEMPLATES = Path(__file__).with_name("templates")


def environment(*, autoescape: bool, finalize: Callable[[Any], Any] | None = None) -> "jinja2.Environment":
    """Return an environment for the templates of this function. autoescape is off for plain text only."""
    import jinja2  # noqa: PLC0415 - see above

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=autoescape,  # noqa: S701 - each caller says what it writes
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        finalize=finalize,
    )
