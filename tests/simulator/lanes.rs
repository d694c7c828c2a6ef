//! Which ids are one person's, and how fast a pair and a number were sent to:
//! the simulator's own arithmetic, to compare the gateway's with.

use std::collections::HashMap;

/// A lane, before it may have been joined with others.
pub type Lane = usize;

/// The lanes of all conversations: a union of the ids seen together.
#[derive(Default)]
pub struct Lanes {
    by_id: HashMap<(String, String), Lane>,
    joined_into: Vec<Lane>,
    pairs: Vec<Meter>,
}

impl Lanes {
    /// The lane of an id, a new one if it was never seen.
    pub fn of(&mut self, number: &str, id: &str) -> Lane {
        let new = self.joined_into.len();
        let key = (number.to_owned(), canonical(id));
        let lane = *self.by_id.entry(key).or_insert(new);
        if lane == new {
            self.joined_into.push(new);
            self.pairs.push(Meter::new(6_000_000, 45));
        }
        self.root(lane)
    }

    /// These ids are one person's. What the pair was sent in either lane counts
    /// together from now on.
    pub fn join(&mut self, number: &str, ids: &[String], now: i64) -> Lane {
        let mut lane = self.of(number, &ids[0]);
        for id in &ids[1..] {
            let other = self.of(number, id);
            if other == lane {
                continue;
            }
            let (into, from) = (lane.min(other), lane.max(other));
            let level = self.pairs[from].level_at(now);
            self.pairs[into].raise(now, level);
            self.joined_into[from] = into;
            lane = into;
        }
        lane
    }

    /// None of the ids of a lane is known any more.
    pub fn forget(&mut self, lane: Lane) {
        let joined_into = std::mem::take(&mut self.joined_into);
        let root = |mut lane: Lane| {
            while joined_into[lane] != lane {
                lane = joined_into[lane];
            }
            lane
        };
        self.by_id.retain(|_, other| root(*other) != lane);
        self.joined_into = joined_into;
    }

    pub fn root(&self, mut lane: Lane) -> Lane {
        while self.joined_into[lane] != lane {
            lane = self.joined_into[lane];
        }
        lane
    }

    /// What was borrowed before means nothing any more.
    pub fn clock_was_set(&mut self) {
        self.pairs.iter_mut().for_each(|pair| pair.level_us = 0);
    }

    /// A message goes to the pair. Whether it may.
    pub fn send(&mut self, lane: Lane, now: i64) -> bool {
        let root = self.root(lane);
        self.pairs[root].take(now)
    }
}

/// Numbers of São Paulo have two spellings: the one without the 9.
pub fn canonical(id: &str) -> String {
    match id.len() == 13 && id.starts_with("55119") {
        true => format!("{}{}", &id[..4], &id[5..]),
        false => id.to_owned(),
    }
}

/// A leaking bucket: each message raises the level, time lowers it.
pub struct Meter {
    each_us: i64,
    most_us: i64,
    level_us: i64,
    at_us: i64,
}

impl Meter {
    pub fn new(each_us: i64, burst: i64) -> Meter {
        Meter {
            each_us,
            most_us: each_us * burst,
            level_us: 0,
            at_us: 0,
        }
    }

    fn level_at(&self, now_ms: i64) -> i64 {
        (self.level_us - (now_ms * 1_000 - self.at_us)).max(0)
    }

    fn raise(&mut self, now_ms: i64, by_us: i64) {
        self.level_us = self.level_at(now_ms) + by_us;
        self.at_us = now_ms * 1_000;
    }

    /// One message. Whether it stays below the limit.
    pub fn take(&mut self, now_ms: i64) -> bool {
        self.raise(now_ms, self.each_us);
        self.level_us <= self.most_us
    }
}
