//! Looks an order up over HTTP and answers with where it is and a photo.
//!
//! Try it without an account; you write as its customer ("Where is 4711?"; there
//! is no 4712, and the shop fails once when it is asked for 4713, so that this
//! answer takes a second longer):
//!
//! ```sh
//! cargo run -- demo -- cargo run --example order_status
//! ```
//!
//! With `ORDERS_URL` it asks your own shop: `GET $ORDERS_URL/4711` answers
//! `{"state": "…", "photo": "https://…"}`, or 404.

use serde::Deserialize;
use std::time::Duration;
use wabridge::compose::Media;
use wabridge::events::{Event, Message as Incoming};
use wabridge::{Answer, Context, Failure, Handler, Message, Result, Service};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let url = match std::env::var("ORDERS_URL") {
        Ok(url) => url,
        Err(_) => shop::open()?,
    };
    Service::from_env()?.handler(OrderDesk::new(url)).run()?;
    Ok(())
}

/// Answers questions about orders.
struct OrderDesk {
    http: ureq::Agent,
    url: String,
}

/// What the shop says of an order.
#[derive(Deserialize)]
struct Order {
    state: String,
    photo: Option<String>,
}

impl Handler for OrderDesk {
    fn handle(&self, event: &Event, _: &Context) -> Answer {
        match event.message() {
            Some(message) if !event.is_own() => self.answer(message).into(),
            _ => Answer::Pass,
        }
    }

    fn wants_all(&self) -> bool {
        false
    }
}

impl OrderDesk {
    fn new(url: String) -> OrderDesk {
        // The customer waits, and so does everything else this customer writes.
        let patience = Some(Duration::from_secs(10));
        let http = ureq::Agent::config_builder().timeout_global(patience);
        OrderDesk {
            http: http.build().into(),
            url,
        }
    }

    fn answer(&self, message: &Incoming) -> Result<Answer> {
        let Some(text) = message.text() else {
            return Ok(Answer::Pass);
        };
        let Some(number) = number_in(text) else {
            return Ok("Which order? Write its number, please.".into());
        };
        let Some(order) = self.look_up(number)? else {
            let text = format!("There is no order {number}.");
            return Ok(message.reply(Message::text(text)).into());
        };
        let text = format!("Order {number}: {}.", order.state);
        Ok(match order.photo {
            Some(photo) => Message::image(Media::link(photo)).caption(text).into(),
            None => Message::text(text).into(),
        })
    }

    /// Where an order is; none if there is no such order. Anything else that goes
    /// wrong is an error, and the customer's message comes again in a second, then
    /// in two, four, …, until the shop is well.
    fn look_up(&self, number: &str) -> Result<Option<Order>> {
        let found = match self.http.get(format!("{}/{number}", self.url)).call() {
            Ok(mut found) => found.body_mut().read_to_string()?,
            Err(ureq::Error::StatusCode(404)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // It would say the same again: for the operator to see.
        let order = serde_json::from_str(&found);
        order.map_err(|error| Failure::dead(format!("the shop's answer: {error}")).into())
    }
}

/// The first number in a text.
fn number_in(text: &str) -> Option<&str> {
    let digits = |c: char| !c.is_ascii_digit();
    text.split(digits).find(|number| !number.is_empty())
}

/// A shop to try it with, on this machine.
mod shop {
    use std::io::{BufRead, BufReader, Result, Write};
    use std::net::{TcpListener, TcpStream};

    /// Its address.
    pub fn open() -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/orders", listener.local_addr()?);
        std::thread::spawn(move || {
            let mut failed = false;
            for client in listener.incoming().flatten() {
                // A client that went away needs no answer.
                let _ = serve(client, &mut failed);
            }
        });
        Ok(url)
    }

    fn serve(mut client: TcpStream, failed: &mut bool) -> Result<()> {
        let mut lines = BufReader::new(client.try_clone()?).lines();
        let asked = lines.next().transpose()?.unwrap_or_default();
        for line in lines {
            if line?.is_empty() {
                break;
            }
        }
        let path = asked.split(' ').nth(1).unwrap_or_default();
        let (status, body) = match path {
            "/orders/4711" => (
                "200 OK",
                r#"{"state": "on its way", "photo": "https://example.com/parcel.jpg"}"#,
            ),
            "/orders/4713" if !std::mem::replace(failed, true) => ("500 Internal Server Error", ""),
            "/orders/4713" => ("200 OK", r#"{"state": "being packed"}"#),
            _ => ("404 Not Found", ""),
        };
        let length = body.len();
        write!(
            client,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    }
}
