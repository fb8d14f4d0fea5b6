"""Transactions whose BEGIN and COMMIT travel with statements: what Django promises of transactions still holds."""

import pytest
from django.db import DataError, IntegrityError, connection, connections, transaction

from routing.models import Pipeline

pytestmark = pytest.mark.django_db(transaction=True)


def insert_later(code: str, *, title: str = "Sales") -> None:
    connection.send_later(
        "INSERT INTO routing_pipeline (code, title, position) VALUES (%(code)s, %(title)s, 0)",
        {"code": code, "title": title},
    )


@transaction.atomic
def in_vain(code: str) -> None:
    insert_later(code)
    raise ZeroDivisionError


@transaction.atomic
def insert_all_later(*codes: str) -> None:
    for code in codes:
        insert_later(code)


@transaction.atomic
def divide_by_zero() -> None:
    Pipeline.objects.create(code="sales", title="Sales", position=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")


def codes_seen_by_others() -> list[str]:
    """Return the pipelines that another connection sees."""
    other = connections["default"].copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT code FROM routing_pipeline ORDER BY code")
            return [code for (code,) in cursor.fetchall()]
    finally:
        other.close()


def test_a_statement_sent_later_is_committed_with_the_transaction():
    with transaction.atomic():
        insert_later("sales")
        assert codes_seen_by_others() == []
    assert codes_seen_by_others() == ["sales"]


def test_a_statement_sent_later_comes_before_the_next_one():
    with transaction.atomic():
        insert_later("sales")
        assert Pipeline.objects.filter(code="sales").exists()
        assert codes_seen_by_others() == []


def test_without_a_transaction_it_is_not_kept_for_later():
    insert_later("sales")
    assert codes_seen_by_others() == ["sales"]


def test_a_transaction_that_fails_leaves_nothing_of_what_was_to_be_sent_later():
    with pytest.raises(ZeroDivisionError):
        in_vain("sales")
    Pipeline.objects.create(code="support", title="Support", position=1)
    assert codes_seen_by_others() == ["support"]


def test_an_error_of_what_was_sent_later_stops_the_commit():
    Pipeline.objects.create(code="sales", title="Sales", position=0)
    with pytest.raises(IntegrityError):
        insert_all_later("support", "sales")
    assert codes_seen_by_others() == ["sales"]
    with transaction.atomic():
        insert_later("support")
    assert codes_seen_by_others() == ["sales", "support"]


def test_a_savepoint_takes_back_what_was_to_be_sent_later_since_and_nothing_before():
    with transaction.atomic():
        insert_later("before")
        with pytest.raises(ZeroDivisionError):
            in_vain("inside")
        insert_later("after")
    assert codes_seen_by_others() == ["after", "before"]


def test_a_statement_that_fails_takes_the_whole_transaction_back():
    with pytest.raises(DataError):
        divide_by_zero()
    assert codes_seen_by_others() == []


def test_a_transaction_that_asks_nothing_sends_nothing(django_assert_num_queries):
    with django_assert_num_queries(0), transaction.atomic():
        pass
    assert connection.connection.info.transaction_status == 0  # idle


@pytest.mark.parametrize("end", [transaction.commit, transaction.rollback])
def test_what_ends_without_having_begun_sends_nothing(end, django_assert_num_queries):
    connection.ensure_connection()
    with django_assert_num_queries(0):
        end()
    connection.close()
    end()  # as Celery's beat does while the database is away
    assert connection.connection is None


def test_begin_and_the_first_statement_are_one_message_and_so_are_the_last_and_commit(django_assert_num_queries):
    with django_assert_num_queries(2) as sent, transaction.atomic():
        assert not Pipeline.objects.exists()
        insert_later("sales")
    assert sent[0]["sql"].startswith("BEGIN; SELECT")
    assert sent[1]["sql"] == "COMMIT"


def test_commit_hooks_run_after_the_commit():
    seen = []
    with transaction.atomic():
        insert_later("sales")
        transaction.on_commit(lambda: seen.extend(codes_seen_by_others()))
        assert seen == []
    assert seen == ["sales"]


def test_rows_are_read_in_pieces_inside_a_transaction_and_outside():
    Pipeline.objects.bulk_create(Pipeline(code=f"p{n}", title="", position=n) for n in range(5))
    with transaction.atomic():
        insert_later("later")
        assert len(list(Pipeline.objects.iterator(chunk_size=2))) == 6
    assert len(list(Pipeline.objects.iterator(chunk_size=2))) == 6


def test_a_parameter_may_hold_what_looks_like_a_placeholder_or_the_end_of_a_statement():
    with transaction.atomic():
        insert_later("odd", title="100 %s; COMMIT; --'")
        insert_later("even", title="%(code)s")
    titles = dict(Pipeline.objects.values_list("code", "title"))
    assert titles == {"odd": "100 %s; COMMIT; --'", "even": "%(code)s"}
