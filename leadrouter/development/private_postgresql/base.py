"""Django's PostgreSQL, started when it is first connected to. In use where DATABASE_URL is not set."""

from typing import Any

from leadrouter.postgresql import base

from .. import private_services


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        private_services.use("postgresql", "redis")
        return super().get_new_connection(conn_params)
