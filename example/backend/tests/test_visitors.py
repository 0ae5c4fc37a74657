import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from config.visitors import VisitorAddressMiddleware


@pytest.mark.parametrize(
    ("proxies", "told", "address"),
    [
        (0, "192.0.2.1", "127.0.0.1"),
        (1, "", "127.0.0.1"),
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "10.0.0.1, 192.0.2.1", "192.0.2.1"),
        (2, "192.0.2.1, 198.51.100.1", "192.0.2.1"),
        (2, "10.0.0.1, 192.0.2.1, 198.51.100.1", "192.0.2.1"),
        # Somebody who came round the CDN: the proxy dropped what he claimed.
        (2, "192.0.2.1", "192.0.2.1"),
    ],
)
def test_the_visitor_is_whom_the_outermost_proxy_was_asked_by(
    settings: Settings, rf: RequestFactory, proxies: int, told: str, address: str
) -> None:
    settings.PROXIES = proxies
    seen = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request.META["REMOTE_ADDR"])
        return HttpResponse()

    headers = {"X-Forwarded-For": told} if told else {}
    VisitorAddressMiddleware(view)(rf.get("/", headers=headers))
    assert seen == [address]
