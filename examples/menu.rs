//! A menu with buttons, and a list behind one of them.
//!
//! Try it without an account; you write as its customer, and a number taps:
//!
//! ```sh
//! cargo run -- demo -- cargo run --example menu
//! ```

use wabridge::events::Message as Incoming;
use wabridge::{Context, Message, Service};

/// Id, name, and price in cents.
const TEAS: &[(&str, &str, u32)] = &[
    ("assam", "Assam", 320),
    ("sencha", "Sencha", 350),
    ("rooibos", "Rooibos", 290),
];

fn main() -> Result<(), wabridge::Error> {
    Service::from_env()?.on_message(answer).run()
}

/// Nobody remembers where a conversation stands: each button and row says by its
/// id what it is, however late it is tapped.
fn answer(message: &Incoming, context: &Context) -> Option<Message> {
    match message.reply_id() {
        Some("hours") => Some(Message::text("Every day from 9 to 18.").any()),
        Some("teas") => Some(teas()),
        Some(id) => Some(match TEAS.iter().find(|(tea, ..)| *tea == id) {
            Some((_, name, cents)) => message.reply(Message::text(price(name, *cents))).any(),
            None => greeting(context),
        }),
        // Not to reactions, nor into groups, where people write to each other.
        None if message.text().is_none() || message.group_id.is_some() => None,
        None => Some(greeting(context)),
    }
}

fn greeting(context: &Context) -> Message {
    let name = context.event().sender_name().unwrap_or("there");
    let buttons = [("teas", "Our teas"), ("hours", "Opening hours")];
    Message::buttons(
        format!("Hello {name}! What would you like to know?"),
        buttons,
    )
    .footer("The Tea House")
    .any()
}

fn teas() -> Message {
    let rows = TEAS
        .iter()
        .map(|(id, name, cents)| (*id, *name, price(name, *cents)));
    Message::list("Which one?", "Choose a tea").rows(rows).any()
}

fn price(name: &str, cents: u32) -> String {
    format!("A pot of {name} is {}.{:02}.", cents / 100, cents % 100)
}
