// Sends with whatsapp-api-js.

import { readFile } from "node:fs/promises";
import { WhatsAppAPI } from "whatsapp-api-js";
import {
  ActionButtons,
  ActionList,
  Body,
  BodyComponent,
  BodyParameter,
  Button,
  Contacts,
  Image,
  Interactive,
  ListSection,
  Location,
  Name,
  Phone,
  Reaction,
  Row,
  Template,
  Text,
} from "whatsapp-api-js/messages";
import { CUSTOMER, EARLIER, KEY, NUMBER, play } from "./client.mjs";

const api = process.env.API;
const whatsapp = new WhatsAppAPI({
  token: KEY,
  appSecret: "not for sending",
  v: "v23.0",
  ponyfill: { fetch: (url, init) => fetch(String(url).replace("https://graph.facebook.com", api), init) },
});

class Refused extends Error {}

// The library gives Graph's answer as it is, also when it is an error.
function accepted(answer) {
  if (answer.error) throw new Refused("", { cause: answer.error });
  return answer;
}

async function send(message, context) {
  const answer = await whatsapp.sendMessage(NUMBER, { phone: CUSTOMER }, message, context);
  return accepted(answer).messages[0].id;
}

const question = (action) => send(new Interactive(action, new Body("Tea or coffee?")));

async function file() {
  const content = await readFile(process.env.FILE);
  const form = new FormData();
  form.set("file", new Blob([content], { type: "image/jpeg" }), "cup.jpg");
  const { id } = accepted(await whatsapp.uploadMedia(NUMBER, form));
  const sent = await send(new Image(id, true));
  const { url } = accepted(await whatsapp.retrieveMedia(id, NUMBER));
  const fetched = await (await whatsapp.fetchMedia(url)).arrayBuffer();
  const { success: deleted } = accepted(await whatsapp.deleteMedia(id));
  return { id, sent, same: content.equals(Buffer.from(fetched)), deleted };
}

await play(
  {
    text: () => send(new Text("Grüße ☕", true)),
    reply: () => send(new Text("Yes"), EARLIER),
    "image by id": () => send(new Image("1234567", true, "A cup")),
    "image by link": () => send(new Image("https://shop.example/cup.jpg")),
    buttons: () => question(new ActionButtons(new Button("tea", "Tea"), new Button("coffee", "Coffee"))),
    list: () =>
      question(
        new ActionList("Choose", new ListSection("Hot", new Row("tea", "Tea"), new Row("coffee", "Coffee", "Black"))),
      ),
    template: () => send(new Template("order_ready", "en_US", new BodyComponent(new BodyParameter("17")))),
    reaction: () => send(new Reaction(EARLIER, "👍")),
    location: () => send(new Location(-0.125, 51.5, "Shop", "1 High Street")),
    contacts: () => send(new Contacts([new Name("Robin Sample", "Robin"), new Phone("+15550107009", "WORK")])),
    read: async () => accepted(await whatsapp.markAsRead(NUMBER, EARLIER)).success,
    typing: async () => accepted(await whatsapp.markAsRead(NUMBER, EARLIER, "text")).success,
    file,
    "no file": async () => accepted(await whatsapp.retrieveMedia("1234567")).url,
    block: async () => accepted(await whatsapp.blockUser(NUMBER, { phone: CUSTOMER })).block_users.added_users.length,
    nowhere: () => send(new Location(0, 91)),
  },
  (error) => (error instanceof Refused ? error.cause.code : undefined),
);
