"""What columns are called in English, Russian, Spanish and Portuguese."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# Phrases by which a column is known. A title is also known when each of its words is a word here ("Mob. Tel"), and with
# a word of WHOSE beside it, but after "=" a phrase is the whole title: "Last", and not "Last contact".
TITLES = {
    "name": "lead, lead name, title, lead title, deal, deal name, deal title, opportunity name, subject, headline;"
    "сделка, название сделки, имя сделки, заявка, название заявки, название лида, заголовок, заголовок лида, тема, лид, название;"
    "asunto, tema, titulo, nombre del lead, titulo del lead, oportunidad, nombre de la oportunidad, nombre del negocio;"
    "assunto, titulo do lead, nome do lead, nome da oportunidade, nome do negocio",
    "contact.name": "name, full name, contact, contact name, contact person, person, client, client name, customer,"
    "customer name, primary contact, main contact;"
    "имя, фио, ф и о, полное имя, контакт, имя контакта, контактное лицо, основной контакт, клиент, имя клиента, фио клиента;"
    "nombre, nombre completo, nombre y apellidos, nombre y apellido, contacto, contacto principal, persona de contacto, cliente;"
    "nome, nome completo, nome e sobrenome, contato, contato principal, pessoa de contato",
    "contact.salutation": "salutation, honorific, =title, =prefix, name prefix, courtesy title, form of address;"
    "обращение; tratamiento, saludo, =titulo; tratamento, saudacao, pronome de tratamento",
    "contact.first_name": "first name, =first, given name, forename, christian name; имя;"
    "nombre, primer nombre, nombre de pila; nome, primeiro nome, prenome",
    "contact.middle_name": "middle name, =middle, middle initial, second name, additional name, patronymic;"
    "отчество, второе имя; segundo nombre; segundo nome, nome do meio",
    "contact.last_name": "last name, =last, surname, family name, second surname; фамилия;"
    "apellido, apellidos, primer apellido, segundo apellido, apellido paterno, apellido materno;"
    "sobrenome, ultimo nome, nome de familia",
    "contact.email": "email, e mail, mail, email address, mail address, email id, electronic mail;"
    "почта, электронная почта, эл почта, емейл, имейл, мейл, емайл, адрес электронной почты, электронный адрес;"
    "correo, correo electronico, direccion de correo, direccion de correo electronico;"
    "correio, correio eletronico, endereco de email",
    "contact.phone": "phone, telephone, mobile, cell, cellphone, cellular, tel, ph, mob, phone number,"
    "telephone number, mobile number, cell number, tel no, phone no, mobile no, contact number, contact no,"
    "whatsapp, whatsapp number, landline;"
    "телефон, мобильный, моб, тел, сотовый, номер телефона, номер мобильного, мобильный телефон, ватсап;"
    "telefono, tlf, tfno, movil, celular, cel, fijo, numero de telefono, numero de movil, numero de celular,"
    "telefono movil, n de telefono, no de telefono;"
    "telefone, telemovel, fone, fixo, numero de telefone, numero de celular, telefone celular, telefone fixo,"
    "n de telefone, no de telefone",
    "contact.chat": "chat, telegram, messenger, chat handle; чат, телеграм, телеграмм, мессенджер; mensajero; mensageiro",
    "company.name": "company, account, organisation, organization, firm, employer, business, company name, account name,"
    "organisation name, organization name, business name, name of company;"
    "компания, организация, фирма, название компании, наименование компании, название организации,"
    "наименование организации, место работы;"
    "empresa, compania, organizacion, razon social, nombre de la empresa, nombre de empresa, nombre de la compania;"
    "organizacao, companhia, razao social, nome fantasia, nome da empresa",
    "company.domain": "domain, website, web, web site, site, url, homepage, webpage, web page, company domain;"
    "сайт, веб сайт, домен, сайт компании; dominio, sitio, sitio web, pagina web, web de la empresa; pagina, site da empresa",
    "external_id": "external id, id, lead id, lead no, lead number, deal id, opportunity id, mql id, prospect id;"
    "ид, номер, идентификатор, внешний ид, внешний id, ид лида, id лида, ид сделки, id сделки, номер заявки, номер лида;"
    "identificador, id externo, id del lead, numero de lead; id do lead, numero do lead",
    "budget": "budget, amount, value, price, close value, revenue, deal value, deal amount, deal size, lead value,"
    "expected revenue, estimated value;"
    "бюджет, сумма, стоимость, сумма сделки, бюджет сделки, цена;"
    "presupuesto, importe, monto, precio, importe del negocio; orcamento, valor, preco, valor do negocio",
    "currency": "currency, currency code; валюта, код валюты; moneda, divisa, codigo de moneda; moeda, codigo da moeda",
    "language": "language, lang, preferred language; язык, предпочитаемый язык; idioma, lengua, idioma preferido; lingua",
    "country": "country, country code; страна, код страны; pais, codigo de pais, codigo do pais",
    "region": "region, =state, province, county, state province, state region; регион, область, край;"
    "provincia, =estado, comunidad autonoma; regiao, =uf",
    "postal_code": "postal code, post code, postcode, zip, zip code, zip postal code;"
    "индекс, почтовый индекс; codigo postal, cod postal, cp; cep",
    "product": "product, product name, service, product of interest; товар, продукт, услуга, название товара;"
    "producto, servicio, nombre del producto; produto, servico, nome do produto",
    "tags": "tags, tag, labels; теги, тег, метки, метка; etiquetas, etiqueta; marcadores",
    "comment": "comment, comments, message, note, notes, remark, remarks, enquiry, inquiry;"
    "комментарий, комментарии, сообщение, примечание, примечания, заметка, заметки;"
    "comentario, comentarios, mensaje, nota, notas, observacion, observaciones, consulta;"
    "mensagem, observacao, observacoes",
    "arrived_at": "arrived at, date, created at, created, created on, created date, created time, creation date, date created,"
    "date added, lead date, submitted at, submission date, date submitted, received at, timestamp, first contact date,"
    "engage date;"
    "дата, дата и время, создан, создано, дата создания, дата заявки, дата обращения, дата поступления, отметка времени;"
    "fecha, fecha de creacion, fecha de alta, fecha de registro, creado, creado el, marca temporal;"
    "data, data de criacao, data de cadastro, data de registro, criado em, carimbo de data hora",
    "utm.source": "utm source",
    "utm.medium": "utm medium",
    "utm.campaign": "utm campaign",
    "utm.term": "utm term",
    "utm.content": "utm content",
}
# Words that say whose, and no more: "Client's e-mail", "Primary phone". An id of a client is no id of a lead.
WHOSE = {
    "contact": "contact contacts client clients customer customers person lead leads prospect primary main work business"
    " personal private home your my the of s no number"
    " клиента контакта контактный контактная лида основной основная рабочий рабочая личный личная домашний ваш ваша ваше"
    " cliente contacto contato lead principal trabajo trabalho personal pessoal particular de del da do la el tu su seu",
    "company": "company s the of account lead client customer компании клиента организации de del da do la el cliente",
    "lead": "lead leads deal opportunity s the of лида сделки заявки del do de da la el negocio oportunidad oportunidade",
}
# Titles that name a person whole, unless there is a column of the last name beside them.
FULL_OR_FIRST = {("name",), ("имя",), ("nombre",), ("nome",)}


def is_title_of(title: str, key: str) -> bool:
    """Tell whether a column of this title is probably this field."""
    words = words_of(title)
    if not words:
        return False
    phrases, whole, vocabulary, whose = _vocabulary(key)
    if "".join(words) in phrases | whole:
        return True
    bare = [word for word in words if not word.isdecimal()]  # "Phone 2"
    own = [word for word in bare if word not in whose]
    return bool(own) and (
        "".join(bare) in phrases or "".join(own) in phrases or all(word in vocabulary for word in own)
    )


@cache
def words_of(title: str) -> tuple[str, ...]:
    """Return the words of a title as they are compared: without case and accents, apart also where one is "leadTitle"."""
    apart = re.sub(r"(?<=[a-zа-яё])(?=[A-ZА-ЯЁ])", " ", title)
    latin = re.sub(r"(?<=[A-Za-z])[\u0300-\u036f]", "", unicodedata.normalize("NFKD", apart))
    return tuple(re.findall(r"\d+|[^\W\d_]+", unicodedata.normalize("NFC", latin).casefold().replace("ё", "е")))


@cache
def _vocabulary(key: str) -> tuple[frozenset[str], frozenset[str], frozenset[str], frozenset[str]]:
    """Return the phrases of a field without their blanks, whole titles, phrases of one word, and words that say whose."""
    written = [phrase.strip() for phrase in re.split("[,;]", TITLES.get(key, ""))]
    phrases = [words_of(phrase) for phrase in written if not phrase.startswith("=")]
    return (
        frozenset(map("".join, phrases)),
        frozenset("".join(words_of(phrase)) for phrase in written if phrase.startswith("=")),
        frozenset(phrase[0] for phrase in phrases if len(phrase) == 1),
        frozenset(WHOSE.get(key.partition(".")[0], WHOSE["lead"]).split()),
    )
