"""A bot written with pywa, on Flask."""

import logging
import os

import httpx
from flask import Flask
from pywa import WhatsApp, filters
from pywa.types import Button, CallbackButton, Message, MessageStatus
from werkzeug.serving import make_server

from client import KEY, NUMBER, say



class Complaints(logging.Handler):
    """pywa answers 200 to what it cannot read, and logs that it could not."""

    def emit(self, record):
        say(complaint=self.format(record))


logging.getLogger("pywa").addHandler(Complaints(logging.WARNING))

app = Flask(__name__)
server = make_server("127.0.0.1", 0, app, threaded=True)
say(port=server.server_port)
api = input()

session = httpx.Client()
wa = WhatsApp(
    phone_id=NUMBER,
    token=KEY,
    session=session,
    server=app,
    webhook_endpoint="/hook",
    verify_token=os.environ["VERIFY_TOKEN"],
    app_secret=os.environ["APP_SECRET"],
)
session.base_url = api + "/v23.0"


@wa.on_message(filters.text)
def on_text(_: WhatsApp, message: Message):
    message.indicate_typing()
    sent = message.reply_text(
        f"{message.from_user.name}, tea or coffee?",
        buttons=[Button("Tea", "tea"), Button("Coffee", "coffee")],
        quote=True,
        tracker="question",
    )
    say(got=message.text, sender=message.from_user.wa_id, sent=sent.id)


@wa.on_callback_button
def on_tap(_: WhatsApp, tap: CallbackButton):
    sent = tap.reply_text(f"One {tap.title}.", tracker="order")
    say(got=tap.data, sender=tap.from_user.wa_id, sent=sent.id)


@wa.on_message_status
def on_status(_: WhatsApp, status: MessageStatus):
    say(status=status.status.value, of=status.id, tracker=status.tracker)


server.serve_forever()
