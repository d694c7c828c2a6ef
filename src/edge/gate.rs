//! The last step before a call to Graph. A worker sleeps until its call may
//! begin, and on a busy machine may wake late, together with others: this keeps
//! what they do then within what the number may send in a second.

use super::clock;
use crate::gateway::Sending;
use crate::policy::pacing::{Begun, LEAD_MS, Rate};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// No send is handed out longer before its time.
const BOOKED_AHEAD: Duration = Duration::from_millis(LEAD_MS as u64);

/// Nobody is late by more than what is booked, so nobody waits longer.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// When the numbers' last calls began.
#[derive(Default)]
pub struct Gate {
    numbers: Mutex<HashMap<String, Begun>>,
}

impl Gate {
    /// Waits until this call may begin.
    pub fn pass(&self, sending: &Sending, rate: Rate) {
        clock::sleep_until(sending.start_at, BOOKED_AHEAD);
        let at_us = {
            let mut numbers = self.numbers.lock().unwrap_or_else(|e| e.into_inner());
            let begun = numbers.entry(sending.number.clone()).or_default();
            begun.next(rate, clock::monotonic_us())
        };
        clock::sleep_until_us(at_us, WAIT_MAX);
    }
}
