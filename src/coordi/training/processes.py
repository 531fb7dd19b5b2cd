"""Of several processes that train side by side, which one speaks and writes."""

import os


def is_first() -> bool:
    """Whether this is the process that the user started, of one for each device."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"
