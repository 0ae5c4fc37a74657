"""A new signing key logs nobody out while the old one stands below it."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client, override_settings

OLD, NEW = "the old key " * 5, "the new key " * 5


@pytest.mark.django_db
@pytest.mark.parametrize(("fallbacks", "status"), [([OLD], 200), ([], 302)])
def test_who_is_logged_in_stays_so_while_the_old_key_is_believed(
    client: Client, fallbacks: list[str], status: int
) -> None:
    with override_settings(SECRET_KEY=OLD):
        client.force_login(get_user_model().objects.create_superuser("ada", password="x"))
        assert client.get("/admin/").status_code == 200
    with override_settings(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=fallbacks):
        assert client.get("/admin/").status_code == status
