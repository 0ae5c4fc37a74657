"""Who asks: what the proxies in front have written down."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Next = Callable[[HttpRequest], HttpResponse]


class VisitorAddressMiddleware:
    """Makes REMOTE_ADDR the visitor's address.

    Each proxy adds at the end of X-Forwarded-For whom it was asked by, so the visitor stands as far
    from the end as there are proxies of ours. Whatever lies before that is the visitor's own word.
    """

    def __init__(self, get_response: Next) -> None:
        """Remember who comes next."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Correct the address, if a proxy asks."""
        told = request.META.get("HTTP_X_FORWARDED_FOR", "")
        if told and settings.PROXIES:
            addresses = [address.strip() for address in told.split(",")]
            request.META["REMOTE_ADDR"] = addresses[-min(settings.PROXIES, len(addresses))]
        return self.get_response(request)
