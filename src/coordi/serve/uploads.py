"""Pictures that are sent: how large one may be, and what is said of one that cannot be read."""

from collections.abc import Iterator
from contextlib import contextmanager

from coordi.errors import ImageError
from coordi.serve.asking import FindForm
from coordi.serve.errors import Refused
from coordi.serve.limits import Limits


def check_size(form: FindForm, limits: Limits) -> None:
    """Refuse a picture of too many bytes."""
    if form.image is not None and len(form.image) > limits.upload_bytes:
        raise Refused(413, "too_large", limits.too_large(), "image")


@contextmanager
def reading() -> Iterator[None]:
    """Around the decoding of an upload: what is no picture is refused with the reason."""
    try:
        yield
    except ImageError as error:
        # The one error of a picture that is about what was sent, and not about a file here.
        message = str(error)
        if "/" in message or "\\" in message:
            raise
        raise Refused(422, "bad_image", message, "image") from None
