// Sends with whatsapp-api-js.

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
    nowhere: () => send(new Location(0, 91)),
  },
  (error) => (error instanceof Refused ? error.cause.code : undefined),
);
