"""REST and the web page: routes, wire shapes, one error shape, limits, and the page's files."""

from coordi.serve.access import Access
from coordi.serve.app import create_app
from coordi.serve.connections import listen, make_server
from coordi.serve.limits import Limits

__all__ = ["Access", "Limits", "create_app", "listen", "make_server"]
