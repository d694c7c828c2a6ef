// An app that checks the signatures of Standard Webhooks, and answers with a reply.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { say } from "./client.mjs";

const webhook = new Webhook(process.env.FORWARD_SECRET);

const server = createServer(async (request, response) => {
  const body = await text(request);
  let event;
  try {
    event = webhook.verify(body, request.headers);
  } catch (error) {
    response.writeHead(error instanceof WebhookVerificationError ? 401 : 500);
    return response.end();
  }
  for (const forged of [`${body} `, body.replace("entry", "entrj")]) {
    assert.throws(() => webhook.verify(forged, request.headers), WebhookVerificationError);
  }
  const messages = event.entry[0].changes[0].value.messages ?? [];
  say({ id: request.headers["webhook-id"], got: messages.map((message) => message.text.body) });
  const replies = messages.map(() => ({ type: "text", text: { body: "Grüße" } }));
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ messages: replies }));
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
say({ port: server.address().port });
