//! Says back what it was told, with blue ticks.
//!
//! Try it without an account; you write as its customer:
//!
//! ```sh
//! cargo run -- demo -- cargo run --example echo
//! ```
//!
//! With an account it is a whole service: give it the settings of `wabridge
//! serve` (README.md, "Ten minutes to a bot that answers") and run it instead.

use wabridge::{Answer, Message, Service};

fn main() -> Result<(), wabridge::Error> {
    Service::from_env()?
        .on_message(|message, _| match message.text() {
            Some(text) => (message.mark_read(), Message::text(text)).into(),
            // Pictures, places, reactions: nothing that could be said back.
            None => Answer::from(message.mark_read()),
        })
        .run()
}
