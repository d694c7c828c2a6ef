//! People beside the customers: callers of the API, who post a message again when they did not
//! hear what became of it, and an operator, who takes messages back, holds them and has them sent again.

use super::book::{Check, read};
use super::luck::Luck;
use super::meta::{Meta, NUMBERS};
use super::process::Stepped;
use super::rest::newest_messages;
use super::windows::Ways;
use super::world::{Act, World};
use serde_json::json;
use wabridge::gateway::outbox::{self, Steered};
use wabridge::gateway::{Post, Posted, handover};
use wabridge::policy::ladder::SendState;
use wabridge::store::Tx;
use wabridge::store::rows::QueueKind;

/// A request to the API. The same request has the same number, and so the same key.
#[derive(Clone)]
pub struct Request {
    pub name: String,
    pub number: &'static str,
    pub to: String,
    /// Another text under a key that was used: to be refused, and only then.
    pub foreign: bool,
    /// A template, to somebody who does not wait.
    pub bulk: bool,
    /// A picture with these words below it.
    pub is_file: bool,
}

impl Request {
    pub fn new(meta: &Meta, ways: &Ways, luck: &mut Luck, n: u64) -> Option<Request> {
        let (number, to) = meta.somebody(luck)?;
        Some(Request {
            name: format!("post {n}"),
            number,
            to,
            foreign: false,
            bulk: false,
            is_file: ways.is_file(n),
        })
    }

    /// One of many to people who never wrote.
    fn of_campaign(n: usize) -> Request {
        Request {
            name: format!("campaign {n}"),
            number: NUMBERS[0],
            to: format!("1555090{n:04}"),
            foreign: false,
            bulk: true,
            is_file: false,
        }
    }

    fn post(&self) -> Post {
        let to = match self.to.starts_with("US.") {
            true => "recipient",
            false => "to",
        };
        let text = match self.foreign {
            true => format!("{} altered", self.name),
            false => self.name.clone(),
        };
        let mut body = match (self.bulk, self.is_file) {
            (true, _) => json!({"type": "template", "template": {"name": text}}),
            (_, true) => json!({"type": "image", "image": {"id": "1", "caption": text}}),
            _ => json!({"type": "text", "text": {"body": text}}),
        };
        body["messaging_product"] = json!("whatsapp");
        body[to] = json!(self.to);
        Post {
            number: self.number.to_owned(),
            body: body.to_string(),
            idempotency_key: Some(format!("key of {}", self.name)),
        }
    }
}

/// A caller who heard nothing asks again after this long.
const ASKS_AGAIN_MS: i64 = 15_000;

impl World {
    pub fn somebody_posts(&mut self) {
        self.posts += 1;
        if let Some(request) = Request::new(&self.meta, &self.ways, &mut self.luck, self.posts) {
            self.at(0, Act::Ask(request));
        }
    }

    /// Somebody writes to many at once.
    pub fn campaign(&mut self) {
        for n in 0..self.plan.campaign {
            let soon = self.luck.between(0, 3_000);
            self.at(soon, Act::Ask(Request::of_campaign(n)));
        }
    }

    /// A request reaches the API, unless nobody is there.
    pub fn ask(&mut self, request: Request) -> Check {
        let mut heard = false;
        if request.foreign && self.book.is_gone(&request.name) {
            return Ok(());
        }
        if self.gateway.is_some() {
            let (now, post) = (self.clock(), request.post());
            let stepped = self.step(|gateway, tx| {
                let gateway = gateway.expect("looked at above");
                gateway.post(tx, now, &post)
            })?;
            let Stepped { value, dies } = stepped;
            if let Some(posted) = value {
                self.note(|| format!("`{}` is posted: {posted:?}", request.name));
                let (book, now) = (&mut self.book, self.now);
                let entry = |tx: &Tx<'_>| Ok(book.posted(tx, &request, posted, now));
                read(self.database.read(entry))??;
                if let Posted::New(_) = posted {
                    self.wake_soon(QueueKind::Send, self.now);
                }
                heard = !dies && !self.luck.chance(self.plan.faults.answer_lost);
                if heard && !request.foreign && self.luck.chance(0.1) {
                    let foreign = true;
                    let wait = self.luck.between(0, 60_000);
                    let another = Request {
                        foreign,
                        ..request.clone()
                    };
                    self.at(wait, Act::Ask(another));
                }
            }
            self.die_if(dies);
        }
        if !heard {
            self.at(ASKS_AGAIN_MS, Act::Ask(request));
        }
        Ok(())
    }

    /// An operator takes one of the newest messages back, holds it or has it
    /// sent again, whether or not the service runs.
    pub fn somebody_steers(&mut self, to: SendState) -> Check {
        let now = self.clock();
        let newest = read(self.database.read(|tx| newest_messages(tx, 10)))?;
        if newest.is_empty() {
            return Ok(());
        }
        let message = self.luck.pick(&newest).id;
        let steered = self.step_beside(|tx| match to {
            SendState::Held => outbox::hold(tx, now, message),
            SendState::Queued => outbox::retry(tx, now, message),
            _ => outbox::cancel(tx, now, message),
        })?;
        if steered.value == Some(Steered::Done) {
            self.note(|| format!("message {message} is made {to:?} by the operator"));
            self.book.steered(message, to);
            self.wake_soon(QueueKind::Send, self.now);
        }
        Ok(())
    }

    /// Somebody takes a conversation over from the app, or gives it back.
    pub fn somebody_takes_or_gives(&mut self) -> Check {
        let Some((number, user)) = self.meta.somebody(&mut self.luck) else {
            return Ok(());
        };
        let now = self.clock();
        let until = match self.luck.chance(0.7) {
            true => now + self.luck.between(10_000, 8 * 60_000),
            false => now,
        };
        let stepped = self.step(|_, tx| match until > now {
            true => handover::take(tx, now, number, &user, until),
            false => handover::give(tx, now, number, &user),
        })?;
        if stepped.value.flatten().is_some() {
            self.note(|| format!("{user} is taken until {}", until - now));
            let taken = Some(until).filter(|until| *until > now);
            self.book.taken_over(number, &user, taken, now);
        }
        self.die_if(stepped.dies);
        Ok(())
    }
}
