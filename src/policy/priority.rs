//! Whose message goes first when a number has more to send than it may: a reply
//! to a customer who waits, before bulk, which gets its share all the same.

/// How urgent a message is. Lanes keep their order: a lane counts as its first
/// message does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// A customer waits for it.
    Reply = 0,
    /// Nobody waits: campaigns, notices, a program that writes first.
    Bulk = 1,
}

/// Of so many messages in a row at least one is bulk, when both wait.
const BULK_ONE_IN: u32 = 5;

/// How long one answer may take to be given: a program answers with several
/// messages, one request after the other.
const ANSWER_MS: i64 = 60_000;

/// A customer waits for an answer for so long at most; it is also how long one
/// may be given freely (Meta: customer service window).
const WAITS_MS: i64 = 24 * 3_600_000;

/// When a customer wrote last, and when the first answer to that was queued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// In Unix milliseconds; 0: never.
    pub wrote_at: i64,
    /// In Unix milliseconds; 0: not yet.
    pub answered_at: i64,
}

impl Waiting {
    /// How urgent a message to that customer is that a program hands over now.
    /// Templates are for those who do not wait.
    pub fn priority(self, now_ms: i64, template: bool) -> Priority {
        let waits = self.wrote_at > 0 && now_ms - self.wrote_at < WAITS_MS;
        let answering = self.answered_at < self.wrote_at || now_ms - self.answered_at < ANSWER_MS;
        match waits && answering && !template {
            true => Priority::Reply,
            false => Priority::Bulk,
        }
    }
}

/// Whose turn is next. `replies` is how many went in a row while bulk waited.
pub fn turn(replies: u32, reply_waits: bool, bulk_waits: bool) -> Option<Priority> {
    match (reply_waits, bulk_waits) {
        (true, true) if replies + 1 < BULK_ONE_IN => Some(Priority::Reply),
        (_, true) => Some(Priority::Bulk),
        (true, false) => Some(Priority::Reply),
        (false, false) => None,
    }
}

/// The count for the next turn.
pub fn after(replies: u32, went: Priority, bulk_waits: bool) -> u32 {
    match went {
        Priority::Bulk => 0,
        Priority::Reply if bulk_waits => replies + 1,
        Priority::Reply => replies,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Priority::{Bulk, Reply};

    #[test]
    fn bulk_gets_its_share_and_no_more() {
        let mut replies = 0;
        let order: Vec<Priority> = (0..10)
            .map(|_| {
                let next = turn(replies, true, true).unwrap();
                replies = after(replies, next, true);
                next
            })
            .collect();
        let five = [Reply, Reply, Reply, Reply, Bulk];
        assert_eq!(order, [five, five].concat());
    }

    #[test]
    fn who_waits_alone_goes() {
        assert_eq!(turn(9, true, false), Some(Reply));
        assert_eq!(turn(0, false, true), Some(Bulk));
        assert_eq!(turn(0, false, false), None);
        assert_eq!(after(2, Reply, false), 2);
    }

    #[test]
    fn a_message_is_a_reply_while_its_customer_waits() {
        let hour = 3_600_000;
        let now = 100 * hour;
        let cases = [
            ((0, 0), false, Bulk),
            ((now - hour, 0), false, Reply),
            ((now - hour, 0), true, Bulk),
            ((now - 25 * hour, 0), false, Bulk),
            ((now - hour, now - 30_000), false, Reply),
            ((now - hour, now - hour / 2), false, Bulk),
            ((now - hour, now - 2 * hour), false, Reply),
        ];
        for ((wrote_at, answered_at), template, expected) in cases {
            let waiting = Waiting {
                wrote_at,
                answered_at,
            };
            assert_eq!(waiting.priority(now, template), expected, "{waiting:?}");
        }
    }
}
