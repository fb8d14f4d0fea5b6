"""The one clock: the database's. Doors read it once, and pass the instant down."""

from datetime import datetime

from django.db import connection


def now() -> datetime:
    """Return the database's instant, aware, in UTC."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]
