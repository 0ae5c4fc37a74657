"""Answers that take their time, and a count of what was written; for tests alone."""

import hashlib
import time
from collections.abc import Iterator

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from notes.models import Note

LONGEST = 30.0
STEP = 0.1
CHUNK = 16 * 1024


def _seconds(request: HttpRequest) -> float:
    """Return how long an answer is to take: `?seconds=`, no longer than LONGEST."""
    try:
        return min(max(float(request.GET.get("seconds", "5")), 0.0), LONGEST)
    except ValueError:
        return 0.0


@never_cache
@require_safe
def slow(request: HttpRequest) -> HttpResponse:
    """Answer late, all at once."""
    seconds = _seconds(request)
    time.sleep(seconds)
    return JsonResponse({"release": settings.RELEASE, "seconds": seconds})


@never_cache
@require_safe
def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Answer a line every STEP seconds; the last one is `end`."""
    steps = round(_seconds(request) / STEP)

    def lines() -> Iterator[str]:
        for number in range(steps):
            yield f"{number} {settings.RELEASE}\n"
            time.sleep(STEP)
        yield "end\n"

    return StreamingHttpResponse(lines(), content_type="text/plain")


@csrf_exempt
@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    """Read the body over `?seconds=`, and answer its length and SHA-256."""
    steps = max(1, int(request.headers.get("Content-Length") or 0) // CHUNK)
    pause = _seconds(request) / steps
    digest, count = hashlib.sha256(), 0
    while part := request.read(CHUNK):
        digest.update(part)
        count += len(part)
        time.sleep(pause)
    return JsonResponse(
        {"release": settings.RELEASE, "bytes": count, "sha256": digest.hexdigest()}
    )


@never_cache
@csrf_exempt
@require_http_methods(["GET", "DELETE"])
def written(request: HttpRequest) -> HttpResponse:
    """Count an author's notes, and how many texts among them differ: a text twice is a retry.

    DELETE drops them afterwards.
    """
    notes = Note.objects.filter(author=request.GET.get("author", ""))
    counts = notes.aggregate(notes=Count("id"), texts=Count("text", distinct=True))
    if request.method == "DELETE":
        notes.delete()
    return JsonResponse(counts)


@never_cache
@require_safe
def seen(request: HttpRequest) -> HttpResponse:
    """Answer what the application knows of who asks."""
    return JsonResponse(
        {
            "release": settings.RELEASE,
            "address": request.META["REMOTE_ADDR"],
            "scheme": request.scheme,
            "host": request.get_host(),
            "headers": dict(request.headers),
        }
    )
