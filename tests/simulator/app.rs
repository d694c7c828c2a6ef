//! The business's app: what it makes of an event.

use super::luck::{Faults, Luck, Plan};
use super::windows::Ways;
use std::time::Duration;
use wabridge::gateway::{Delivery, Outcome};
use wabridge::wire::notification::Kind;

#[derive(Default)]
pub struct App {
    down_until: i64,
    /// Each reply has a text of its own, so that one sent twice or from a
    /// forgotten attempt is seen.
    replies: u64,
}

impl App {
    /// Once a minute: does it go down for a while?
    pub fn minute(&mut self, luck: &mut Luck, faults: &Faults, now: i64) {
        if luck.chance(faults.app_down) {
            self.down_until = now + luck.between(20_000, 6 * 60_000);
        }
    }

    pub fn mend(&mut self) {
        self.down_until = 0;
    }

    /// How long it takes over an event.
    pub fn takes_ms(luck: &mut Luck) -> i64 {
        match luck.chance(0.1) {
            true => luck.between(1_000, 40_000),
            false => luck.between(5, 900),
        }
    }

    pub fn answer(
        &mut self,
        luck: &mut Luck,
        plan: &Plan,
        ways: &Ways,
        delivery: &Delivery,
        now: i64,
    ) -> Outcome {
        if now < self.down_until {
            return retry("the app is down", None, true);
        }
        if luck.chance(plan.faults.app_retries) {
            let wait = luck.chance(0.5).then(|| luck.between(1, 90));
            let down = luck.chance(0.5);
            return retry("the app wants it later", wait, down);
        }
        if luck.chance(plan.faults.app_gives_up) {
            let reason = "the app never wants it".into();
            return Outcome::Dead { reason };
        }
        let replies = match delivery.kind {
            Kind::Message => (0..luck.below(plan.replies + 1))
                .map(|_| self.reply(ways, delivery.event))
                .chain(luck.chance(0.2).then(|| r#"{"type":"read"}"#.into()))
                .collect(),
            _ => Vec::new(),
        };
        Outcome::done(replies)
    }

    fn reply(&mut self, ways: &Ways, event: i64) -> String {
        self.replies += 1;
        let text = format!("reply {} to event {event}", self.replies);
        match ways.is_file(self.replies) {
            true => format!(r#"{{"type":"image","image":{{"id":"1","caption":"{text}"}}}}"#),
            false => format!(r#"{{"type":"text","text":{{"body":"{text}"}}}}"#),
        }
    }
}

fn retry(reason: &str, wait_secs: Option<i64>, down: bool) -> Outcome {
    Outcome::Retry {
        reason: reason.into(),
        wait: wait_secs.map(|secs| Duration::from_secs(secs as u64)),
        down,
    }
}
