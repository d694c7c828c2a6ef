//! A job over which we panicked: a bug of ours. It costs that one event or message, and
//! not all that stands behind it or beside it: who claims, and who writes down what came
//! of an attempt, would panic over it again and again.

use super::Gateway;
use super::tally::became;
use crate::policy::ladder::SendState;
use crate::store::rows::*;
use crate::store::{Result, Tx};

/// What is kept with it.
const WHY: &str = "a bug of wabridge's: it panicked over this; the log tells where";

impl Gateway {
    /// Ends a job over which we panicked, and keeps what it was about for the operator: an
    /// event is a dead letter, a message is held. One that has ended meanwhile stays as it
    /// is. Whether it was open.
    pub fn give_up_spoiled(&self, tx: &Tx<'_>, now: i64, job: JobId) -> Result<bool> {
        let Some(job) = tx.job(job)?.filter(is_open) else {
            return Ok(false);
        };
        let message = match job.outbox {
            Some(id) => tx.message(id)?,
            None => None,
        };
        if let Some(message) = message.filter(|message| is_unsettled(message.state)) {
            let may_be_out = message.uncertain || message.state != SendState::Queued;
            let fault = Fault {
                code: None,
                text: match may_be_out {
                    true => format!("{WHY}; it may have gone out"),
                    false => WHY.to_owned(),
                },
            };
            if may_be_out {
                tx.set_uncertain(message.id)?;
            }
            let before = message.state;
            tx.set_message_state(message.id, SendState::Held, Some(&fault), now)?;
            became(tx, now, &message.type_, before, SendState::Held);
        }
        tx.end_job(&job, JobState::Dead, Some(WHY), now)?;
        Ok(true)
    }
}

fn is_open(job: &Job) -> bool {
    matches!(job.state, JobState::Waiting | JobState::Running)
}

fn is_unsettled(state: SendState) -> bool {
    use SendState::{Queued, Sending, Unknown};
    matches!(state, Queued | Sending | Unknown)
}
