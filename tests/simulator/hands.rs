//! Which conversations a person has taken over, and until when: by an operator,
//! or by an answer from the phone.

use super::lanes::{Lane, Lanes};
use std::collections::BTreeMap;

/// `HANDOVER_FOR`.
pub const HANDOVER_MS: i64 = 4 * 60_000;

/// By what was a lane of its own once: of lanes that became one all counts.
#[derive(Default)]
pub struct Hands {
    taken_until: BTreeMap<Lane, i64>,
    given_at: BTreeMap<Lane, i64>,
}

impl Hands {
    /// An operator takes a lane until then, whatever was said before.
    pub fn take(&mut self, lanes: &Lanes, lane: Lane, until: i64) {
        self.forget(lanes, lane);
        self.taken_until.insert(lane, until);
    }

    /// An operator gives it back.
    pub fn give(&mut self, lanes: &Lanes, lane: Lane, now: i64) {
        self.forget(lanes, lane);
        self.given_at.insert(lane, now);
    }

    /// The owner answered from the phone: what was before it was given back, or too
    /// long ago, takes nothing.
    pub fn answered(&mut self, lanes: &Lanes, lane: Lane, at: i64, now: i64) {
        let at = at.min(now);
        let given = latest(&self.given_at, lanes, lane);
        let until = at + HANDOVER_MS;
        if until <= now || given.is_some_and(|given| at <= given) {
            return;
        }
        let before = latest(&self.taken_until, lanes, lane).filter(|until| now < *until);
        self.take(
            lanes,
            lane,
            before.map_or(until, |before| before.max(until)),
        );
    }

    pub fn have(&self, lanes: &Lanes, lane: Lane, now: i64) -> bool {
        latest(&self.taken_until, lanes, lane).is_some_and(|until| now < until)
    }

    fn forget(&mut self, lanes: &Lanes, lane: Lane) {
        let root = lanes.root(lane);
        let other = |of: &Lane, _: &mut i64| lanes.root(*of) != root;
        self.taken_until.retain(other);
    }
}

fn latest(times: &BTreeMap<Lane, i64>, lanes: &Lanes, lane: Lane) -> Option<i64> {
    let root = lanes.root(lane);
    let own = times.iter().filter(|(of, _)| lanes.root(**of) == root);
    own.map(|(_, at)| *at).max()
}
