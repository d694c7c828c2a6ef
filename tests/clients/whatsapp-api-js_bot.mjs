// A bot written with whatsapp-api-js, on Node's own server.

import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { WhatsAppAPI } from "whatsapp-api-js";
import { WhatsAppAPIError } from "whatsapp-api-js/errors";
import { ActionButtons, Body, Button, Interactive, Text } from "whatsapp-api-js/messages";
import { hear, KEY, say } from "./client.mjs";

const server = createServer(async (request, response) => {
  const body = await text(request);
  try {
    await whatsapp.post(JSON.parse(body), body, request.headers["x-hub-signature-256"]);
    response.writeHead(200);
  } catch (error) {
    if (!(error instanceof WhatsAppAPIError)) console.error(error);
    response.writeHead(error.httpStatus ?? 500);
  }
  response.end();
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
say({ port: server.address().port });
const api = await hear();

const whatsapp = new WhatsAppAPI({
  token: KEY,
  appSecret: process.env.APP_SECRET,
  v: "v23.0",
  ponyfill: { fetch: (url, init) => fetch(String(url).replace("https://graph.facebook.com", api), init) },
});

whatsapp.on.message = async ({ from, name, message, received, reply }) => {
  if (message.type === "text") {
    await received("text");
    const buttons = new ActionButtons(new Button("tea", "Tea"), new Button("coffee", "Coffee"));
    const question = new Interactive(buttons, new Body(`${name}, tea or coffee?`));
    const answer = await reply(question, true, "question");
    say({ got: message.text.body, sender: from, sent: answer.messages[0].id });
  }
  if (message.type === "interactive") {
    const tapped = message.interactive.button_reply;
    const answer = await reply(new Text(`One ${tapped.title}.`), false, "order");
    say({ got: tapped.id, sender: from, sent: answer.messages[0].id });
  }
};

whatsapp.on.status = ({ status, id, biz_opaque_callback_data: tracker }) => {
  say({ status, of: id, tracker });
};
