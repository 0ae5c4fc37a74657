from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from activity.models import BoardDay

# The days of a board that are shown one by one, the last that had notes.
LIMIT = 14


@never_cache
@require_safe
def board_activity(request: HttpRequest, board_id: int) -> HttpResponse:
    """Tell how much was written on a board: ever, and on its last busy days, oldest first."""
    days = BoardDay.objects.filter(board_id=board_id)
    total = days.aggregate(notes=Sum("notes", default=0), words=Sum("words", default=0))
    last = days.order_by("-day").values("day", "notes", "words")[:LIMIT]
    return JsonResponse({**total, "days": list(last)[::-1]})
