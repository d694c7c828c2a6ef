// Sends with @kapso/whatsapp-cloud-api.

import { readFile } from "node:fs/promises";
import { GraphApiError, WhatsAppClient } from "@kapso/whatsapp-cloud-api";
import { CUSTOMER, EARLIER, KEY, NUMBER, play } from "./client.mjs";

const client = new WhatsAppClient({ baseUrl: process.env.API, accessToken: KEY });

const { media, messages } = client;
const common = { phoneNumberId: NUMBER, to: CUSTOMER };

async function sent(answer) {
  return (await answer).messages[0].id;
}

async function file() {
  const content = await readFile(process.env.FILE);
  const type = "image/jpeg";
  const upload = { phoneNumberId: NUMBER, type, file: new Blob([content], { type }), fileName: "cup.jpg" };
  const { id } = await media.upload(upload);
  const sentId = await sent(messages.sendImage({ ...common, image: { id } }));
  const fetched = await media.download({ mediaId: id, auth: "always" });
  const { success: deleted } = await media.delete({ mediaId: id });
  return { id, sent: sentId, same: content.equals(Buffer.from(fetched)), deleted };
}

await play(
  {
    text: () => sent(messages.sendText({ ...common, body: "Grüße ☕", previewUrl: true })),
    reply: () => sent(messages.sendText({ ...common, body: "Yes", contextMessageId: EARLIER })),
    "image by id": () => sent(messages.sendImage({ ...common, image: { id: "1234567", caption: "A cup" } })),
    "image by link": () => sent(messages.sendImage({ ...common, image: { link: "https://shop.example/cup.jpg" } })),
    buttons: () =>
      sent(
        messages.sendInteractiveButtons({
          ...common,
          bodyText: "Tea or coffee?",
          buttons: [
            { id: "tea", title: "Tea" },
            { id: "coffee", title: "Coffee" },
          ],
        }),
      ),
    list: () =>
      sent(
        messages.sendInteractiveList({
          ...common,
          bodyText: "Tea or coffee?",
          buttonText: "Choose",
          sections: [
            {
              title: "Hot",
              rows: [
                { id: "tea", title: "Tea" },
                { id: "coffee", title: "Coffee", description: "Black" },
              ],
            },
          ],
        }),
      ),
    template: () =>
      sent(
        messages.sendTemplate({
          ...common,
          template: {
            name: "order_ready",
            language: { code: "en_US" },
            components: [{ type: "body", parameters: [{ type: "text", text: "17" }] }],
          },
        }),
      ),
    reaction: () => sent(messages.sendReaction({ ...common, reaction: { messageId: EARLIER, emoji: "👍" } })),
    location: () =>
      sent(
        messages.sendLocation({
          ...common,
          location: { latitude: 51.5, longitude: -0.125, name: "Shop", address: "1 High Street" },
        }),
      ),
    contacts: () =>
      sent(
        messages.sendContacts({
          ...common,
          contacts: [
            {
              name: { formattedName: "Robin Sample", firstName: "Robin" },
              phones: [{ phone: "+15550107009", type: "WORK" }],
            },
          ],
        }),
      ),
    read: async () => (await messages.markRead({ phoneNumberId: NUMBER, messageId: EARLIER })).success,
    typing: async () =>
      (await messages.markRead({ phoneNumberId: NUMBER, messageId: EARLIER, typingIndicator: { type: "text" } })).success,
    file,
    "no file": async () => (await media.get({ mediaId: "1234567" })).url,
    nowhere: () => sent(messages.sendLocation({ ...common, location: { latitude: 91, longitude: 0 } })),
  },
  (error) => (error instanceof GraphApiError ? error.code : undefined),
);
