//! What was seen of the clock: whether it can be believed outlives the process.

use super::*;
use crate::policy::clock::Believed;

const SET_AHEAD_AT: &str = "clock_set_ahead_at";
const SEEN: &str = "clock_seen";
const AHEAD: &str = "clock_ahead";
const SINCE: &str = "clock_ahead_since";

impl Tx<'_> {
    /// When the clock was set ahead last, under the eyes of a service.
    pub fn clock_set_ahead_at(&self) -> Result<Option<i64>> {
        self.meta_number(SET_AHEAD_AT)
    }

    /// Writes down when the clock was set ahead.
    pub fn set_clock_set_ahead_at(&self, at: i64) -> Result<()> {
        self.set_meta_number(SET_AHEAD_AT, at)
    }

    /// By which time the old goes, as it was at the last look.
    pub fn believed_clock(&self) -> Result<Option<Believed>> {
        let all = [SEEN, AHEAD, SINCE].map(|name| self.meta_number(name));
        let [seen, ahead_ms, since] = all;
        Ok(match (seen?, ahead_ms?, since?) {
            (Some(seen), Some(ahead_ms), Some(since)) => Some(Believed {
                seen,
                ahead_ms,
                since,
            }),
            _ => None,
        })
    }

    /// Writes it down.
    pub fn set_believed_clock(&self, clock: &Believed) -> Result<()> {
        self.set_meta_number(SEEN, clock.seen)?;
        self.set_meta_number(AHEAD, clock.ahead_ms)?;
        self.set_meta_number(SINCE, clock.since)
    }
}
