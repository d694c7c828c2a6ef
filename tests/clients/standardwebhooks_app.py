"""An app that checks the signatures of Standard Webhooks, and answers with a reply."""

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from client import say

webhook = Webhook(os.environ["FORWARD_SECRET"])


class App(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = webhook.verify(body, dict(self.headers))
        except WebhookVerificationError as error:
            return self.answer(401, str(error))
        for tampered in (body + b" ", body.replace(b"entry", b"entrj")):
            try:
                webhook.verify(tampered, dict(self.headers))
                raise AssertionError("a forged body was taken")
            except WebhookVerificationError:
                pass
        messages = event["entry"][0]["changes"][0]["value"].get("messages", [])
        say(id=self.headers["webhook-id"], got=[message["text"]["body"] for message in messages])
        replies = [{"type": "text", "text": {"body": "Grüße"}} for _ in messages]
        self.answer(200, json.dumps({"messages": replies}))

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = HTTPServer(("127.0.0.1", 0), App)
say(port=server.server_port)
server.serve_forever()
