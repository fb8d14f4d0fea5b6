"""The garbage collector pauses for bulk requests, and only for them."""

import gc
from threading import Barrier, Thread

import pytest

from routing.api import views
from routing.api.collector import collector_paused


def test_it_runs_again_after_the_last_of_several_threads():
    both, first_gone = Barrier(2), Barrier(2)

    def first():
        with collector_paused():
            both.wait()
        first_gone.wait()

    thread = Thread(target=first)
    thread.start()
    with collector_paused():
        both.wait()
        first_gone.wait()
        assert not gc.isenabled()
    thread.join()
    assert gc.isenabled()


def test_it_runs_again_after_an_error():
    with pytest.raises(ValueError, match="broken"), collector_paused():
        raise ValueError("broken")
    assert gc.isenabled()


def test_a_bulk_request_pauses_it_and_one_lead_does_not(world, monkeypatch):
    ran, take = [], views.answer_leads

    def answer_leads(*args, **options):
        ran.append(gc.isenabled())
        return take(*args, **options)

    monkeypatch.setattr(views, "answer_leads", answer_leads)
    assert world.api().post("leads/bulk", [{"contact": {"email": "ana@client.example"}}]).status_code == 200
    assert world.api().post("leads", {"contact": {"email": "bea@client.example"}}).status_code == 201
    assert ran == [False, True]
    assert gc.isenabled()
