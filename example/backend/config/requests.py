"""JSON in, JSON out."""

import json
from typing import Any

from django.http import HttpRequest, JsonResponse


class InvalidRequestError(Exception):
    """The request's body is not what the view wants; the message says why."""


def body(request: HttpRequest) -> dict[str, Any]:
    """Return the request's JSON object; raises InvalidRequestError when it is none."""
    try:
        value = json.loads(request.body)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidRequestError("The body is not JSON.") from error
    if not isinstance(value, dict):
        raise InvalidRequestError("The body is not a JSON object.")
    return value


def error(message: str, status: int) -> JsonResponse:
    """Answer `{"error": message}`."""
    return JsonResponse({"error": message}, status=status)
