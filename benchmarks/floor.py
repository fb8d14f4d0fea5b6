"""The floor: what the smallest web service of the same kind costs, measured in the same run.

Two views read the same body by an ordinary serializer of the same fields, give the lead to the next of the members
under a lock, and write it down; one by a single SQL call, the other by the ORM. No keys, no contacts, no explanations.
"""

from typing import Any

from django.db import connection, models, transaction
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

TABLES = """
DROP TABLE IF EXISTS floor_lead, floor_member, floor_registry;
CREATE TABLE floor_registry (id bigint PRIMARY KEY, turn bigint NOT NULL);
CREATE TABLE floor_member (id bigint PRIMARY KEY, registry_id bigint NOT NULL, received bigint NOT NULL);
CREATE INDEX ON floor_member (registry_id, received);
CREATE TABLE floor_lead (
    id bigserial PRIMARY KEY, name text NOT NULL, email text NOT NULL, phone text NOT NULL, member_id bigint NOT NULL,
    at timestamptz NOT NULL);
INSERT INTO floor_registry VALUES (1, 0);
INSERT INTO floor_member SELECT n, 1, 0 FROM generate_series(1, 10) n;
CREATE OR REPLACE FUNCTION floor_take(name text, email text, phone text, OUT lead bigint, OUT member bigint)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM floor_registry WHERE id = 1 FOR UPDATE;
    SELECT m.id INTO member FROM floor_member m WHERE m.registry_id = 1 ORDER BY m.received, m.id LIMIT 1;
    UPDATE floor_member m SET received = m.received + 1 WHERE m.id = member;
    UPDATE floor_registry r SET turn = r.turn + 1 WHERE r.id = 1;
    INSERT INTO floor_lead (name, email, phone, member_id, at) VALUES (name, email, phone, member, now()) RETURNING id INTO lead;
END $$;
"""


class ContactIn(serializers.Serializer[Any]):
    name = serializers.CharField(required=False, allow_null=True, max_length=500)
    email = serializers.CharField(required=False, allow_null=True, max_length=500)
    phone = serializers.CharField(required=False, allow_null=True, max_length=200)
    chat = serializers.CharField(required=False, allow_null=True, max_length=500)


class CompanyIn(serializers.Serializer[Any]):
    name = serializers.CharField(required=False, allow_null=True, max_length=500)
    domain = serializers.CharField(required=False, allow_null=True, max_length=255)


class LeadIn(serializers.Serializer[Any]):
    external_id = serializers.CharField(required=False, allow_null=True, max_length=255)
    source = serializers.CharField(required=False, allow_null=True, max_length=63)  # type: ignore[assignment]
    unqualified = serializers.BooleanField(required=False)
    pipeline = serializers.CharField(required=False, allow_null=True, max_length=63)
    stage = serializers.CharField(required=False, allow_null=True, max_length=127)
    name = serializers.CharField(required=False, allow_null=True, max_length=500)
    contact = ContactIn(required=False, allow_null=True)
    company = CompanyIn(required=False, allow_null=True)
    budget = serializers.DecimalField(required=False, allow_null=True, max_digits=14, decimal_places=2)
    currency = serializers.CharField(required=False, allow_null=True, max_length=3)
    language = serializers.CharField(required=False, allow_null=True, max_length=35)
    country = serializers.CharField(required=False, allow_null=True, max_length=2)
    region = serializers.CharField(required=False, allow_null=True, max_length=200)
    postal_code = serializers.CharField(required=False, allow_null=True, max_length=32)
    product = serializers.CharField(required=False, allow_null=True, max_length=200)
    tags = serializers.ListField(child=serializers.CharField(max_length=200), required=False, allow_null=True)
    utm = serializers.DictField(required=False, allow_null=True)
    fields = serializers.DictField(required=False, allow_null=True)  # type: ignore[assignment]
    comment = serializers.CharField(required=False, allow_null=True)
    arrived_at = serializers.DateTimeField(required=False, allow_null=True)


class Registry(models.Model):
    turn = models.BigIntegerField()

    class Meta:
        app_label = "floor"
        managed = False
        db_table = "floor_registry"


class FloorMember(models.Model):
    registry = models.ForeignKey(Registry, on_delete=models.CASCADE)
    received = models.BigIntegerField()

    class Meta:
        app_label = "floor"
        managed = False
        db_table = "floor_member"


class FloorLead(models.Model):
    name = models.TextField()
    email = models.TextField()
    phone = models.TextField()
    member = models.ForeignKey(FloorMember, on_delete=models.CASCADE)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "floor"
        managed = False
        db_table = "floor_lead"


class FloorView(APIView):
    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> Response:
        form = LeadIn(data=request.data)
        form.is_valid(raise_exception=True)
        contact = form.validated_data["contact"]
        lead, member = self.take(form.validated_data["name"], contact["email"], contact["phone"])
        return Response({"id": lead, "responsible": member}, status=201)

    def take(self, name: str, email: str, phone: str) -> tuple[int, int]:
        raise NotImplementedError


class SqlView(FloorView):
    """The minimal transaction in one SQL call."""

    def take(self, name: str, email: str, phone: str) -> tuple[int, int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT lead, member FROM floor_take(%s, %s, %s)", [name, email, phone])
            row: tuple[int, int] = cursor.fetchone()
            return row


class OrmView(FloorView):
    """The same transaction by the ORM."""

    @transaction.atomic
    def take(self, name: str, email: str, phone: str) -> tuple[int, int]:
        registry = Registry.objects.select_for_update().get(pk=1)
        member = FloorMember.objects.filter(registry=registry).order_by("received", "pk")[0]
        FloorMember.objects.filter(pk=member.pk).update(received=models.F("received") + 1)
        Registry.objects.filter(pk=1).update(turn=models.F("turn") + 1)
        return FloorLead.objects.create(name=name, email=email, phone=phone, member=member).pk, member.pk


urlpatterns = [path("sql", SqlView.as_view()), path("orm", OrmView.as_view())]
