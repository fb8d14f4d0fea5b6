"""The catalogues of translations: in step with the texts, complete, compiled."""

import json
import re
from importlib.metadata import version

import pytest
from django.apps import apps
from django.utils.translation import override

from leadrouter.development import catalogues
from routing.models import Lead
from tests.factories import make_manager, make_supervisor, make_trigger

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")


@pytest.fixture(scope="module")
def texts():
    return catalogues.template()


def begun(language: str):
    """Return the catalogue of the language; a language that nobody has begun is left out, and its pages are English."""
    catalogue = catalogues.read_catalogue(language)
    if not any(catalogues.is_translated(message) for message in catalogue if message.id):
        pytest.skip(f"nobody has begun to translate into {language}")
    return catalogue


def keys(catalogue):
    return {(message.context, message.id) for message in catalogue if message.id}


def test_texts_are_found_in_code_templates_and_the_theme(texts):
    found = keys(texts)
    assert (None, "Needs attention") in found  # a template of ours
    assert ("how leads are shared", "by coefficient") in found  # code, with a context
    assert (None, ("%(count)d manager", "%(count)d managers")) in found  # a plural
    assert (None, "Type to search") in found  # the theme's
    assert ("field", "accept by") in found  # the name of a model's field
    assert len(found) > 500


def test_the_texts_of_every_version_of_the_theme_are_known():
    noted = json.loads(catalogues.THEME.read_text())
    assert catalogues.versions_of_the_theme() == noted.keys(), "run make messages by a Python that has the missing one"
    here = version("django-unfold")
    assert here in noted, "this environment has another version than requirements.txt gives it"
    assert json.loads(json.dumps(catalogues.texts_of_the_theme()[here])) == noted[here], "run make messages"


def test_texts_of_another_version_of_the_theme_are_kept(tmp_path, monkeypatch):
    other = min(catalogues.versions_of_the_theme() - {version("django-unfold")})
    noted = tmp_path / "theme.json"
    noted.write_text(
        json.dumps({other: [["verb", "whirl"], [None, ["%(n)s whirl", "%(n)s whirls"]]], "0.1": [[None, "old"]]})
    )
    monkeypatch.setattr(catalogues, "THEME", noted)
    catalogues.note_the_theme(catalogues.texts_of_the_theme())
    found = keys(catalogues.template())
    assert {("verb", "whirl"), (None, ("%(n)s whirl", "%(n)s whirls")), (None, "Type to search")} <= found
    assert (None, "old") not in found, "no Python has that version"


@pytest.mark.parametrize("language", catalogues.languages())
def test_a_catalogue_has_the_texts_there_are(texts, language):
    kept = keys(begun(language))
    assert not keys(texts) - kept, "run make messages, and translate what is new"
    assert not kept - keys(texts), "run make messages: these texts are gone"


@pytest.mark.parametrize("language", catalogues.languages())
def test_a_catalogue_is_complete_and_keeps_the_placeholders(language):
    for message in begun(language):
        if not message.id:
            continue
        translations = message.string if isinstance(message.string, tuple | list) else [message.string]
        assert all(translations), f"{message.id} has no translation"
        assert not message.fuzzy, f"{message.id} is fuzzy"
        wanted = set(PLACEHOLDER.findall(message.id if isinstance(message.id, str) else message.id[-1]))
        for translation in translations:
            assert set(PLACEHOLDER.findall(translation)) <= wanted, f"{message.id}: other placeholders"


@pytest.mark.parametrize("language", catalogues.languages())
def test_what_is_compiled_is_what_is_written(language):
    catalogue = begun(language)
    assert catalogues.path_of(language).with_suffix(".mo").read_bytes() == catalogues.compile_catalogue(catalogue)


@pytest.mark.django_db
def test_a_form_of_the_admin_names_its_fields_in_the_reader_s_language(client):
    sue, trigger = make_supervisor(), make_trigger(members=[make_manager()])
    client.force_login(sue)
    address = f"/admin/routing/trigger/{trigger.pk}/change/"
    assert "Acceptance minutes" in client.get(address).content.decode()
    sue.language = "ru"
    sue.save()
    page = client.get(address).content.decode()
    assert "Минуты на принятие" in page
    for name in ("Acceptance minutes", "Max attempts", "If nobody", "Coefficient", "Online only"):
        assert name not in page


def test_a_model_with_a_name_names_several_too():
    """Else Django puts an English s behind the word of any language."""
    ours = [model._meta for app in ("accounts", "routing") for model in apps.get_app_config(app).get_models()]
    assert [
        m.label for m in ours if "verbose_name" in m.original_attrs and "verbose_name_plural" not in m.original_attrs
    ] == []
    with override("ru"):
        assert str(Lead._meta.verbose_name_plural) == "лиды"
