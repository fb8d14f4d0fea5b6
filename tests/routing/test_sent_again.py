"""What people send again: a double click is one lead; what a known person sends may be an activity of their open lead."""

from datetime import timedelta

import pytest

from accounts.models import Account
from routing.models import Activity, Contact, Decision, Lead, Load, Source
from routing.roster import current
from routing.services.intake import IdempotencyKey, answer_leads, take_lead, take_leads
from routing.services.stages import move_lead
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    make_account,
    make_manager,
    make_pipeline,
    make_source,
    make_supervisor,
    make_trigger,
    stage,
)

pytestmark = pytest.mark.django_db
ANA = {"name": "Ana Ruiz", "email": "ana@client.example", "phone": "+34 600 010 101"}
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def sales():
    make_pipeline()
    make_trigger(members=[make_manager("ann"), make_manager("bob")])


def send(*, at=MONDAY, source="landing", **facts):
    form = {"name": "Demo request", "product": "crm", "comment": "Please call", "contact": ANA, **facts}
    return take_lead(
        form, source_id=Source.objects.get(code=source).pk if isinstance(source, str) else source.pk, at=at
    )


@pytest.fixture
def landing():
    return make_source()


@pytest.fixture
def mailbox():
    return make_source("mailbox", channel="mail")


@pytest.mark.parametrize("term", ["Quux", "Plugh SL", "plugh.example", "600 020 202", "zelda at home"])
@pytest.mark.parametrize("known", ["lead", "event"])
def test_the_search_finds_what_was_sent_after_a_lead(client, landing, known, term):
    Source.objects.update(known=known)
    lead = send()
    other = {"name": "Zelda Quux", "email": ANA["email"], "phone": "600 020 202", "chat": "zelda at home"}
    assert not send(at=MONDAY + SECOND, contact=other, company={"name": "Plugh SL", "domain": "plugh.example"}).created
    client.force_login(make_supervisor())
    assert [row.pk for row in client.get("/admin/routing/lead/", {"q": term}).context["cl"].result_list] == [
        lead.lead_id
    ]


# Double clicks


def test_a_double_click_is_one_lead(landing):
    first = send()
    again = send(at=MONDAY + SECOND)
    assert (again.created, again.lead_id) == (False, first.lead_id)
    assert again.document["duplicate_of"] == str(first.lead_id)
    assert {k: v for k, v in again.document.items() if k not in ("duplicate_of", "activity")} == first.document
    assert Lead.objects.count() == Decision.objects.count() == 1
    assert sum(Load.objects.values_list("leads", flat=True)) == 1


def test_all_that_came_the_second_time_is_kept(landing):
    first = send()
    send(
        at=MONDAY + MINUTE, contact={**ANA, "phone": "+34 699 020 202"}, company={"name": "Ruiz SL"}, budget=None,
        utm={"source": "google"}, fields={"employees": 240}, tags=["vip"], comment="please  call",
    )  # fmt: skip
    [kept] = Activity.objects.all()
    assert (kept.lead_id, kept.kind, kept.at, kept.created_at) == (
        first.lead_id, "repeat", MONDAY + MINUTE, MONDAY + MINUTE,
    )  # fmt: skip
    assert kept.data == {
        "name": "Demo request", "product": "crm", "comment": "please  call", "utm": {"source": "google"},
        "fields": {"employees": 240}, "tags": ["vip"],
    }  # fmt: skip
    assert kept.as_sent["contact"]["phone"] == "+34 699 020 202"
    assert kept.as_sent["company"] == {"name": "Ruiz SL"}
    assert set(Contact.objects.get().points.filter(kind="phone").values_list("text", flat=True)) == {
        "+34600010101",
        "+34699020202",
    }


@pytest.mark.parametrize(
    "other",
    [
        {"product": "mail"},
        {"comment": "Please write"},
        {"name": "Offer"},
        {"fields": {"message": "We need five chairs"}},
        {"contact": {"name": "Bea", "email": "bea@client.example"}},
        {"at": MONDAY + 10 * MINUTE + SECOND},
        {"source": "other"},
        {"external_id": "8"},
    ],
)
def test_who_says_something_else_or_later_or_elsewhere_is_another_lead(landing, other):
    make_source("other")
    send()
    assert send(**{"at": MONDAY + MINUTE, **other}).created


def test_ten_minutes_are_counted_by_when_it_reached_the_source(landing):
    first = send(at=MONDAY)
    assert not send(at=MONDAY + 10 * MINUTE).created
    assert not send(at=MONDAY + 3 * HOUR, arrived_at=MONDAY + 9 * MINUTE).created  # it was under way for long
    assert not send(at=MONDAY + 3 * HOUR, arrived_at=MONDAY - 9 * MINUTE).created  # the first came second
    assert send(at=MONDAY + MINUTE, arrived_at=MONDAY - DAY).created
    assert Activity.objects.filter(lead=first.lead_id).count() == 3


def test_a_source_may_take_double_clicks_as_leads(landing):
    Source.objects.update(double_click=False)
    assert send().created
    assert send().created


@pytest.mark.parametrize("contact", [{"name": "Ana"}, {"phone": "600 000, after six"}])
def test_unknown_callers_never_merge(landing, contact):
    for _ in range(2):
        assert send(contact=contact, company={"name": "Ruiz SL"}).created


def test_one_person_by_another_key_is_the_same_person(landing):
    send()
    assert not send(contact={"phone": "0034 600010101"}).created
    assert not send(contact={"email": "ANA@client.example"}).created


@pytest.mark.parametrize("ids", [("1", "2"), ("1", None), (None, "1")])
def test_numbers_of_the_source_say_which_lead_it_is(landing, ids):
    assert [send(external_id=number).created for number in ids] == [True, True]


def test_requests_with_keys_of_their_own_are_requests_of_their_own(landing):
    form = {"name": "Demo request", "contact": ANA}

    def ask(key, forms):
        once = IdempotencyKey(owner="o", route="r", key=key, fingerprint="")
        results, _ = answer_leads(forms, source_id=landing.pk, at=MONDAY, render=lambda _: (200, ""), once=once)
        return [each.created for each in results]

    assert ask("a", [form]) == [True]
    assert ask("b", [form, form]) == [True, False]  # within one, its key tells nothing


def test_the_same_lead_twice_in_one_request_is_one(landing):
    forms = [
        {"name": "Demo", "contact": ANA},
        {"name": "Demo", "contact": {"email": "bea@client.example"}},
        {"name": "demo ", "contact": ANA, "utm": {"source": "x"}},
        {"name": "Offer", "contact": ANA},
        {"name": "Demo", "contact": ANA, "arrived_at": MONDAY + HOUR},
    ]
    taken = take_leads(forms, source_id=landing.pk, at=MONDAY)
    assert [each.created for each in taken] == [True, True, False, True, True]
    assert taken[2].document["duplicate_of"] == str(taken[0].lead_id)
    assert taken[2].document["id"] == str(taken[0].lead_id)
    assert Activity.objects.get().data["utm"] == {"source": "x"}
    assert Decision.objects.count() == 4


def test_a_lead_edited_meanwhile_is_still_known_by_what_came(landing):
    first = send()
    Lead.objects.update(comment="Called", product="other", fields={"note": "by hand now"})
    assert send().lead_id == first.lead_id


def test_a_trigger_that_sets_fields_hides_no_double_click(landing):
    trigger = make_trigger("sets", on_stage="sales/accepted", set_fields={"note": "to be called today"})
    assert current().triggers[trigger.pk].set_fields
    first = send(stage="sales/accepted")
    assert send(stage="sales/accepted").lead_id == first.lead_id


# Activities


def test_a_letter_of_a_known_person_is_an_activity_of_the_open_lead(landing, mailbox):
    lead = send()
    letter = send(source="mailbox", at=MONDAY + HOUR, comment="When?", name="Re: Demo", external_id="<1@x>")
    assert (letter.created, letter.lead_id) == (False, lead.lead_id)
    assert "duplicate_of" not in letter.document
    [kept] = Activity.objects.all()
    assert letter.document["activity"] == {"id": str(kept.pk), "kind": "mail", "at": "2026-03-02T11:00:00Z"}
    assert (kept.source, kept.external_id, kept.data["comment"]) == (mailbox, "<1@x>", "When?")
    assert Lead.objects.count() == Decision.objects.count() == 1
    assert sum(Load.objects.values_list("leads", flat=True)) == 1


@pytest.mark.parametrize(
    ("channel", "known", "created"),
    [
        ("mail", "", False),
        ("mail", "lead", True),
        ("mail", "event", False),
        ("site", "", True),
        ("site", "event", False),
        ("chat", "", True),
        ("phone", "event", False),
    ],
)
def test_the_source_says_what_becomes_of_it_and_mail_is_an_activity_otherwise(landing, channel, known, created):
    make_source("second", channel=channel, known=known)
    send()
    assert send(source="second", comment="When?").created is created
    kinds = {"mail": "mail", "site": "form", "phone": "call"}
    assert list(Activity.objects.values_list("kind", flat=True)) == ([] if created else [kinds[channel]])


def test_the_hours_slide_from_the_last(landing, mailbox):
    lead = send()
    for hours in (24, 48, 71):
        assert send(source="mailbox", at=MONDAY + hours * HOUR, comment=f"{hours}").lead_id == lead.lead_id
    assert send(source="mailbox", at=MONDAY + 71 * HOUR + DAY + SECOND, comment="later").created


def test_the_account_says_how_many_hours(landing, mailbox):
    make_account(repeat_hours=2)
    send()
    assert send(source="mailbox", at=MONDAY + 2 * HOUR + SECOND, comment="x").created
    make_account(repeat_hours=0)
    assert send(source="mailbox", at=MONDAY + MINUTE, comment="y").created


def test_what_comes_out_of_order_is_counted_by_when_it_reached_the_source(landing, mailbox):
    lead = send(at=MONDAY + 3 * DAY, arrived_at=MONDAY)
    now = MONDAY + 3 * DAY
    assert send(source="mailbox", at=now, arrived_at=MONDAY - DAY, comment="before").lead_id == lead.lead_id
    assert send(source="mailbox", at=now, arrived_at=MONDAY + DAY, comment="after").lead_id == lead.lead_id
    assert (
        send(source="mailbox", at=now, arrived_at=MONDAY - 2 * DAY, comment="first").lead_id == lead.lead_id
    )  # slides
    assert send(source="mailbox", at=now, comment="two days later").created
    assert send(source="mailbox", at=now, arrived_at=MONDAY - 9 * DAY, comment="long ago").created


def test_it_is_the_newest_open_lead(landing, mailbox):
    send(at=MONDAY - 2 * HOUR, name="older")
    newer, closed = send(at=MONDAY - HOUR, name="newer"), send(name="closed")
    move_lead(closed.lead_id, stage("sales/lost").pk, at=MONDAY)
    assert send(source="mailbox", comment="x").lead_id == newer.lead_id
    unqualified = send(at=MONDAY + SECOND, name="unqualified", unqualified=True)
    assert send(source="mailbox", at=MONDAY + MINUTE, comment="y").lead_id == unqualified.lead_id


@pytest.mark.parametrize("to", ["sales/won", "sales/lost"])
def test_after_the_lead_is_closed_it_is_a_new_one(landing, mailbox, to):
    lead = send()
    move_lead(lead.lead_id, stage(to).pk, at=MONDAY)
    assert send(source="mailbox", at=MONDAY + MINUTE, comment="x").created


@pytest.mark.parametrize("contact", [{"name": "Ana Ruiz"}, {"name": "Ana Ruiz", "email": "other@client.example"}])
def test_a_stranger_has_no_open_lead(landing, mailbox, contact):
    send()
    assert send(source="mailbox", contact=contact, company={"name": "Ruiz SL"}).created


def test_the_same_letter_twice_is_one_activity(landing, mailbox):
    send()
    first = send(source="mailbox", comment="x", external_id="<1@x>")
    again = send(source="mailbox", at=MONDAY + 9 * DAY, comment="x", external_id="<1@x>")
    assert again.document == first.document
    assert Activity.objects.count() == 1
    Source.objects.filter(code="mailbox").update(known="lead")
    assert not send(source="mailbox", comment="x", external_id="<1@x>").created


def test_the_first_letter_is_a_lead_and_the_others_of_the_request_are_its_activities(mailbox):
    letters = [
        {"contact": ANA, "comment": "first", "external_id": "<1@x>"},
        {"contact": ANA, "comment": "second", "external_id": "<2@x>", "arrived_at": MONDAY + 23 * HOUR},
        {"contact": ANA, "comment": "third", "external_id": "<3@x>", "arrived_at": MONDAY + 46 * HOUR},
        {"contact": ANA, "comment": "second", "external_id": "<2@x>"},
        {"contact": ANA, "comment": "much later", "external_id": "<4@x>", "arrived_at": MONDAY + 9 * DAY},
        {"contact": {"email": "bea@client.example"}, "comment": "hello", "external_id": "<5@x>"},
    ]
    taken = take_leads(letters, source_id=mailbox.pk, at=MONDAY)
    assert [each.created for each in taken] == [True, False, False, False, True, True]
    assert {taken[n].lead_id for n in (1, 2, 3)} == {taken[0].lead_id}
    assert taken[3].document["activity"] == taken[1].document["activity"]
    assert list(Activity.objects.order_by("at").values_list("external_id", flat=True)) == ["<2@x>", "<3@x>"]


def test_a_double_click_is_one_before_it_is_an_activity():
    make_source("landing", known="event")
    first = send()
    assert send().document["duplicate_of"] == str(first.lead_id)
    assert "duplicate_of" not in send(comment="And another thing").document
    assert sorted(Activity.objects.values_list("kind", flat=True)) == ["form", "repeat"]


def test_a_lead_of_a_stranger_takes_as_many_statements_as_before(landing, django_assert_num_queries):
    """Of a known person, too: what they sent before is found by the statement that finds them."""
    send(contact={"email": "warm@client.example"})  # prepares the statements
    send(contact={"email": "warm@client.example"}, comment="again")
    counts = []
    for contact in ({"email": "new@client.example"}, {"email": "new@client.example"}):
        with CountStatements() as statements:
            send(contact=contact, comment=str(len(counts)))
        counts.append(len(statements))
    assert counts[0] == counts[1]


class CountStatements(list):
    def __enter__(self):
        from django.db import connection

        self.wrapper = connection.execute_wrapper(self._count)
        self.wrapper.__enter__()
        return self

    def __exit__(self, *error):
        self.wrapper.__exit__(*error)

    def _count(self, execute, sql, params, many, context):
        self.append(sql)
        return execute(sql, params, many, context)


def test_the_defaults_are_those_of_the_reference(landing, mailbox):
    assert Account.get().repeat_hours == 24
    assert (landing.double_click, landing.takes_activities, mailbox.takes_activities) == (True, False, True)
