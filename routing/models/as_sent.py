"""What came, exactly: JSON as text."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import models


class AsSent(models.TextField):
    """A JSON object as it came; unlike jsonb, a text keeps NUL and the order of keys. None where nothing was kept."""

    def from_db_value(self, value: str, *_: object) -> Any:
        return orjson.loads(value) if value else None

    def to_python(self, value: Any) -> Any:
        return self.from_db_value(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> str:
        return value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj))
