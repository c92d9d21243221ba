"""--since and --until of the command line."""

from __future__ import annotations

from hyperbox.errors import HyperBoxError


def moment(flag: str, text: str) -> float:
    """Return what `text` means in seconds of the epoch, 0 for "". Raises HyperBoxError with docker's words."""
    if not text:
        return 0.0
    import time

    from hyperbox.image.moments import to_moment

    try:
        return to_moment(text, time.time())
    except ValueError as error:
        raise HyperBoxError(f'invalid value for "{flag}": {error}') from None
