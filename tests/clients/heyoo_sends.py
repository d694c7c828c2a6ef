"""Sends with heyoo."""

import os
from pathlib import Path

from heyoo import WhatsApp

from client import CUSTOMER, EARLIER, KEY, NUMBER, play

messenger = WhatsApp(token=KEY, phone_number_id=NUMBER)
messenger.base_url = messenger.v15_base_url = os.environ["API"] + "/v23.0"
messenger.url = f"{messenger.base_url}/{NUMBER}/messages"


class Refused(Exception):
    pass


def id_of(answer):
    """heyoo gives Graph's answer as it is, also when it is an error."""
    if "error" in answer:
        raise Refused(answer["error"]["code"])
    return answer["messages"][0]["id"]


def reply(key):
    return {"type": "reply", "reply": {"id": key, "title": key.capitalize()}}


def file():
    path = os.environ["FILE"]
    media = messenger.upload_media(path)["id"]
    sent = id_of(messenger.send_image(media, CUSTOMER, link=False))
    fetched = messenger.download_media(messenger.query_media_url(media), "image/jpeg", path + "-fetched")
    same = Path(fetched).read_bytes() == Path(path).read_bytes()
    deleted = messenger.delete_media(media)["success"]
    return {"id": media, "sent": sent, "same": same, "deleted": deleted}


play(
    {
        "text": lambda: id_of(messenger.send_message("Grüße ☕", CUSTOMER)),
        "reply": lambda: id_of(messenger.reply_to_message(EARLIER, CUSTOMER, "Yes")),
        "image by id": lambda: id_of(messenger.send_image("1234567", CUSTOMER, caption="A cup", link=False)),
        "image by link": lambda: id_of(messenger.send_image("https://shop.example/cup.jpg", CUSTOMER)),
        "buttons": lambda: id_of(
            messenger.send_reply_button(
                {
                    "type": "button",
                    "body": {"text": "Tea or coffee?"},
                    "action": {"buttons": [reply("tea"), reply("coffee")]},
                },
                CUSTOMER,
            )
        ),
        "list": lambda: id_of(
            messenger.send_button(
                {
                    "body": "Tea or coffee?",
                    "action": {
                        "button": "Choose",
                        "sections": [
                            {"title": "Hot", "rows": [{"id": "tea", "title": "Tea"}, {"id": "coffee", "title": "Coffee"}]}
                        ],
                    },
                },
                CUSTOMER,
            )
        ),
        "template": lambda: id_of(
            messenger.send_template(
                "order_ready", CUSTOMER, [{"type": "body", "parameters": [{"type": "text", "text": "17"}]}], "en_US"
            )
        ),
        "reaction": lambda: id_of(messenger.send_reaction("👍", EARLIER, CUSTOMER)),
        "location": lambda: id_of(messenger.send_location("51.5", "-0.125", "Shop", "1 High Street", CUSTOMER)),
        "contacts": lambda: id_of(
            messenger.send_contacts([{"name": {"formatted_name": "Robin Sample", "first_name": "Robin"}}], CUSTOMER)
        ),
        "read": lambda: messenger.mark_as_read(EARLIER)["success"],
        "file": file,
        "nowhere": lambda: id_of(messenger.send_location("91", "0", None, None, CUSTOMER)),
    },
    lambda error: error.args[0] if isinstance(error, Refused) else None,
)
