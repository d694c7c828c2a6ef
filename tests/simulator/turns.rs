//! Whose turn it was: replies before bulk, and bulk its share, by the order in which a number's
//! messages went, and who waited meanwhile.

use super::book::{Check, ensure};
use std::collections::HashSet;
use wabridge::policy::priority::Priority;
use wabridge::store::rows::{JobId, QueueId};
use wabridge::store::{Result, Tx};

/// So many replies go at most between two of bulk that waits.
const REPLIES_MAX: u32 = 4;
/// So much bulk goes at most between two replies, when one waits.
const BULK_MAX: u32 = 1;
/// More lanes than any world has.
const ALL: usize = 1_000;

/// What of a queue is due.
pub struct Due {
    replies: HashSet<JobId>,
    bulk: HashSet<JobId>,
}

impl Due {
    pub fn read(tx: &Tx<'_>, queue: QueueId, now: i64) -> Result<Due> {
        let of = |priority| -> Result<HashSet<JobId>> {
            let jobs = tx.due_jobs(queue, priority, now, ALL)?;
            Ok(jobs.into_iter().map(|job| job.id).collect())
        };
        Ok(Due {
            replies: of(Priority::Reply)?,
            bulk: of(Priority::Bulk)?,
        })
    }
}

/// A number's turns.
#[derive(Default)]
pub struct Turns {
    /// Replies in a row while bulk waited.
    replies: u32,
    /// Bulk in a row while a reply waited.
    bulk: u32,
}

impl Turns {
    /// One claim of a number: what was due before it, and after it, and what went between, in
    /// order, each with its name. What only became due in the claim may be of either kind: it
    /// is counted from there.
    pub fn went(&mut self, before: &Due, after: &Due, went: &[(JobId, String)]) -> Check {
        for (place, (job, name)) in went.iter().enumerate() {
            let later = &went[place + 1..];
            let waits = |class: &HashSet<JobId>, still: &HashSet<JobId>| {
                class
                    .iter()
                    .any(|job| still.contains(job) || later.iter().any(|(other, _)| other == job))
            };
            if before.bulk.contains(job) {
                self.bulk_went(name, waits(&before.replies, &after.replies))?;
            } else if before.replies.contains(job) {
                self.reply_went(name, waits(&before.bulk, &after.bulk))?;
            } else {
                *self = Turns::default();
            }
        }
        Ok(())
    }

    fn bulk_went(&mut self, name: &str, reply_waits: bool) -> Check {
        let answers = name.starts_with("reply ") || name.starts_with("read ");
        ensure(!answers, || format!("`{name}` is sent as bulk"))?;
        self.replies = 0;
        self.bulk = if reply_waits { self.bulk + 1 } else { 0 };
        ensure(self.bulk <= BULK_MAX, || {
            format!("`{name}` goes before a reply, and so did the one before it")
        })
    }

    fn reply_went(&mut self, name: &str, bulk_waits: bool) -> Check {
        ensure(!name.starts_with("campaign "), || {
            format!("`{name}` is sent as a reply")
        })?;
        self.bulk = 0;
        self.replies = if bulk_waits { self.replies + 1 } else { 0 };
        ensure(self.replies <= REPLIES_MAX, || {
            format!("`{name}` is reply number {} while bulk waits", self.replies)
        })
    }
}
