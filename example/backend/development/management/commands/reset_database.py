from typing import Any

import psycopg
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from psycopg import sql


class Command(BaseCommand):
    help = "Throw the database away with all that is in it; make, migrate and seed a new one."

    def handle(self, *args: Any, **options: Any) -> None:
        connection.close()
        name = sql.Identifier(connection.settings_dict["NAME"])
        parameters = connection.get_connection_params() | {"dbname": "postgres"}
        with psycopg.connect(**parameters, autocommit=True) as server:
            # The worker and whoever else is connected are cut off, and come back by themselves.
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            server.execute(sql.SQL("CREATE DATABASE {}").format(name))
        call_command("migrate", verbosity=0)
        call_command("seed")
