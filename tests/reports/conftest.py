import pytest
from django.test import Client

from accounts.models import User
from tests.factories import make_supervisor


@pytest.fixture
def sue(client: Client) -> User:
    """Sign Sue in, who supervises."""
    user = make_supervisor()
    client.force_login(user)
    return user
