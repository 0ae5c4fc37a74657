from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from boards.models import Board


@never_cache
@require_safe
@ensure_csrf_cookie
def board_list(request: HttpRequest) -> HttpResponse:
    """List the boards; also hands out the CSRF cookie that every write sends back."""
    boards = (
        Board.objects.annotate(notes=Count("note"))
        .order_by("position", "id")
        .values("id", "name", "description", "notes")
    )
    return JsonResponse({"boards": list(boards)})
