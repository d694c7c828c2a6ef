"""Sends with pywa."""

import os
from pathlib import Path

import httpx
from pywa import WhatsApp
from pywa.errors import WhatsAppError
from pywa.types import Button, Contact, Section, SectionList, SectionRow
from pywa.types.templates import BodyText, TemplateLanguage

from client import CUSTOMER, EARLIER, KEY, NUMBER, play

session = httpx.Client()
wa = WhatsApp(phone_id=NUMBER, token=KEY, session=session)
session.base_url = os.environ["API"] + "/v23.0"


def question(buttons):
    return wa.send_message(CUSTOMER, "Tea or coffee?", buttons=buttons).id


def file():
    path = Path(os.environ["FILE"])
    media = wa.upload_media(path, mime_type="image/jpeg")
    sent = wa.send_image(CUSTOMER, media.id).id
    same = wa.get_media_bytes(wa.get_media_url(media.id).url) == path.read_bytes()
    deleted = wa.delete_media(media.id).success
    return {"id": media.id, "sent": sent, "same": same, "deleted": deleted}


play(
    {
        "text": lambda: wa.send_message(CUSTOMER, "Grüße ☕", preview_url=True).id,
        "reply": lambda: wa.send_message(CUSTOMER, "Yes", reply_to_message_id=EARLIER).id,
        "image by id": lambda: wa.send_image(CUSTOMER, "1234567", caption="A cup").id,
        "image by link": lambda: wa.send_image(CUSTOMER, "https://shop.example/cup.jpg").id,
        "buttons": lambda: question([Button("Tea", "tea"), Button("Coffee", "coffee")]),
        "list": lambda: question(
            SectionList("Choose", [Section("Hot", [SectionRow("Tea", "tea"), SectionRow("Coffee", "coffee", "Black")])])
        ),
        "template": lambda: wa.send_template(
            CUSTOMER, "order_ready", TemplateLanguage.ENGLISH_US, [BodyText.params("17")]
        ).id,
        "reaction": lambda: wa.send_reaction(CUSTOMER, "👍", EARLIER).id,
        "location": lambda: wa.send_location(CUSTOMER, 51.5, -0.125, name="Shop", address="1 High Street").id,
        "contacts": lambda: wa.send_contact(
            CUSTOMER,
            Contact(
                name=Contact.Name(formatted_name="Robin Sample", first_name="Robin"),
                phones=[Contact.Phone(phone="+15550107009", type="WORK")],
            ),
        ).id,
        "read": lambda: wa.mark_message_as_read(EARLIER).success,
        "typing": lambda: wa.indicate_typing(EARLIER).success,
        "file": file,
        "no file": lambda: wa.get_media_url("1234567").url,
        "block": lambda: len(wa.block_users([CUSTOMER]).added_users),
        "nowhere": lambda: wa.send_location(CUSTOMER, 91, 0).id,
    },
    lambda error: error.code if isinstance(error, WhatsAppError) else None,
)
