"""The bot that wabridge is measured beside: pywa on Flask, answering each message with its text."""

import os

import httpx
from flask import Flask
from pywa import WhatsApp, filters
from pywa.types import Message

app = Flask(__name__)
session = httpx.Client(limits=httpx.Limits(max_connections=None))
wa = WhatsApp(
    phone_id="106540300000001",
    token="token",
    session=session,
    server=app,
    webhook_endpoint="/webhook",
    verify_token="verify-token",
    app_secret=os.environ["APP_SECRET"],
)
session.base_url = os.environ["GRAPH"] + "/v23.0"


@wa.on_message(filters.text)
def on_text(_: WhatsApp, message: Message):
    message.reply_text(message.text)
