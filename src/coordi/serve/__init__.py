"""REST and the web page: routes, wire shapes, one error shape, limits, and the page's files."""

from coordi.serve.app import create_app
from coordi.serve.limits import Limits

__all__ = ["Limits", "create_app"]
