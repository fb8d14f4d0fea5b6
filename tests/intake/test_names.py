"""Names that can be one person's, and names that cannot."""

import csv
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.intake.names import may_be_one
from tests.data import data_path

ONE = [
    ("Rosa Gómez", "rosa gomez"),
    ("Rosa Gómez", "Gómez Rosa"),
    ("Rosa Gómez", "Rosa"),
    ("Rosa Gómez", "Rosa María Gómez López"),
    ("Rosa Gómez", "R. Gómez"),
    ("Rosa Gómez", "RG"),
    ("Maria de los Santos", "Maria Santos"),
    ("Dr. Ana Ruiz", "ANA RUIZ"),
    ("Г-жа Анна Петрова", "Анна Петрова"),
    ("Mr. Tom Smith", "Thomas Smith"),
    ("Bob Smith", "Robert Smith"),
    ("Pepe", "José Núñez"),
    ("Zé", "José"),
    ("Paco", "Francisco"),
    ("Саша", "Александр Иванов"),
    ("Julia", "Юля"),
    ("Юлия Щербакова", "Yulia Shcherbakova"),
    ("Юлия Щербакова", "Iuliia Scherbakova"),
    ("Ю. Петрова", "Yulia Petrova"),
    ("Yu. Petrova", "Юлия Петрова"),
    ("Alexander", "Александр"),
    ("Χρήστος", "Christos"),
    ("محمد علي", "Mohammed Ali"),
    ("王小明", "Wang Xiaoming"),
    ("王小明", "Xiaoming Wang"),
    ("Jürgen Müller", "Juergen Mueller"),
    ("O’Hara", "Ohara"),
    ("Jean-Pierre Blanc", "Jean Pierre Blanc"),
    ("Ana María", "Anamaría"),
    ("Katherine", "Catherine"),
    *((nothing, "Rosa") for nothing in ("", " ", "-", "n/a", "???", "ana@client.example", "+34 600 000 000", "Mr.")),
]
TWO = [
    ("Tom", "Rosa"),
    ("Tom Gómez", "Rosa Gómez"),
    ("T. Gómez", "Rosa Gómez"),
    ("Rosa Gómez", "Rosa Ruiz"),
    ("Tom", "RG"),
    ("Maria", "Mario"),
    ("Juan", "Juana"),
    ("Daniel", "Daniela"),
    ("Paula", "Paulo"),
    ("Ana", "Jana"),
    ("Александр Иванов", "Александра Иванова"),
    ("Алексей", "Александр"),
    ("王小明", "李小明"),
    ("محمد", "علي"),
]


@pytest.mark.parametrize(("one", "other"), ONE)
def test_names_that_can_be_one_persons(one, other):
    assert may_be_one(one, other)
    assert may_be_one(other, one)


@pytest.mark.parametrize(("one", "other"), TWO)
def test_names_that_cannot_be_one_persons(one, other):
    assert not may_be_one(one, other)
    assert not may_be_one(other, one)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_are_compared_alike_in_both_orders(one, other):
    assert may_be_one(one, one)
    assert may_be_one(one, other) == may_be_one(other, one)


def test_frequent_forenames_are_found_in_their_native_script():
    """Not found are readings of Chinese and Japanese signs that depend on the country."""
    with data_path("names/forenames.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["Localized Name"], row["Romanized Name"]) for row in csv.DictReader(file)]
    found = sum(may_be_one(native, latin) for native, latin in rows)
    assert found >= 0.96 * len(rows)


def test_frequent_forenames_of_one_country_are_told_apart():
    with data_path("names/forenames.csv").open(encoding="utf-8", newline="") as file:
        names = [
            row["Romanized Name"] for row in csv.DictReader(file) if row["Country"] in ("ES", "BR", "RU", "DE", "US")
        ]
    names = sorted({name for name in names if name})
    pairs = [(one, other) for n, one in enumerate(names) for other in names[n + 1 :]]
    taken_for_one = [pair for pair in pairs if may_be_one(*pair)]
    assert len(names) > 50
    assert len(taken_for_one) <= 0.01 * len(pairs), taken_for_one


def test_long_names_are_compared_at_once():
    assert may_be_one("a " * 400, "b " * 400) is False


def test_who_compares_no_names_loads_no_tables():
    code = "import sys; from routing.intake import names; assert not {'anyascii', 'nicknames'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
