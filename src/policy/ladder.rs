//! A message's state on its way out, and what a status does to it.
//!
//! Statuses come in any order and more than once. The merge is a maximum over
//! a ladder, so that every order of arrival ends in the same state.

/// Where a message of ours stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendState {
    /// In the outbox, not tried or to be tried again.
    Queued,
    /// Being handed to Graph.
    Sending,
    /// Graph may or may not have it; waiting for a status that tells.
    Unknown,
    /// Graph took it and gave it a wamid.
    Accepted,
    /// Left Meta's servers.
    Sent,
    /// On the recipient's device.
    Delivered,
    /// Opened, or a voice note played.
    Read,
    /// Will not arrive.
    Failed,
    /// Waiting for an operator's decision.
    Held,
    /// Taken back by an operator before it was sent.
    Cancelled,
}

use SendState::*;

impl SendState {
    /// All of them, in order.
    pub const ALL: [SendState; 10] = [
        Queued, Sending, Unknown, Accepted, Sent, Delivered, Read, Failed, Held, Cancelled,
    ];

    /// The word used in listings and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Queued => "queued",
            Sending => "sending",
            Unknown => "unknown",
            Accepted => "accepted",
            Sent => "sent",
            Delivered => "delivered",
            Read => "read",
            Failed => "failed",
            Held => "held",
            Cancelled => "cancelled",
        }
    }

    /// The state a stored word names.
    pub fn parse(word: &str) -> Option<SendState> {
        SendState::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
    }

    /// Higher is later. States before Graph took the message have none: any
    /// status proves that it did.
    fn rung(self) -> u8 {
        match self {
            Queued | Sending | Unknown | Held | Cancelled => 0,
            Accepted => 1,
            Sent => 2,
            Delivered => 3,
            Read => 4,
            Failed => 5,
        }
    }

    /// Graph took it, as far as is known, whatever came after.
    pub fn is_out(self) -> bool {
        self.rung() > 0
    }

    /// What is known beside a failure, for a status under an id that is not the
    /// message's own: nothing. That it failed was our own word then (given up, or
    /// refused at another try), or is true of the other id alone.
    pub fn beside_a_failure(self) -> SendState {
        match self {
            Failed => Unknown,
            other => other,
        }
    }

    /// It left Meta for the recipient.
    pub fn went_out(self) -> bool {
        matches!(
            self,
            SendState::Sent | SendState::Delivered | SendState::Read
        )
    }

    /// The state after `other` is learned as well.
    pub fn merge(self, other: SendState) -> SendState {
        match other.rung() > self.rung() {
            true => other,
            false => self,
        }
    }
}

/// The state Meta's status word stands for; `None` for words that say nothing
/// of how far the message got (`deleted`, `warning`, and what may come).
/// A failure for one member of a group is not the message's failure.
pub fn of_status(word: &str, of_participant: bool) -> Option<SendState> {
    match word {
        "sent" => Some(Sent),
        "delivered" => Some(Delivered),
        "read" | "played" => Some(Read),
        "failed" if !of_participant => Some(Failed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies the statuses in the given order, then in reverse.
    fn check(statuses: &[&str], expected: SendState) {
        let merged = |words: &mut dyn Iterator<Item = &&str>| {
            words
                .filter_map(|word| of_status(word, false))
                .fold(Accepted, SendState::merge)
        };
        assert_eq!(merged(&mut statuses.iter()), expected, "{statuses:?}");
        assert_eq!(
            merged(&mut statuses.iter().rev()),
            expected,
            "{statuses:?} reversed"
        );
    }

    #[test]
    fn a_status_never_goes_back_in_whatever_order_they_come() {
        check(&["sent", "delivered", "read"], Read);
        check(&["sent", "read"], Read);
        check(&["read", "delivered"], Read);
        check(&["sent", "sent"], Sent);
        check(&["played", "read"], Read);
        check(&["sent", "failed"], Failed);
        check(&["failed", "delivered"], Failed);
        check(&["deleted"], Accepted);
        check(&["warning", "sent"], Sent);
        check(&["a word of the future"], Accepted);
        check(&[], Accepted);
    }

    #[test]
    fn a_status_settles_a_message_whose_answer_was_lost() {
        for state in [Queued, Sending, Unknown, Held] {
            assert_eq!(state.merge(Sent), Sent);
        }
    }

    #[test]
    fn one_members_failure_is_not_the_messages() {
        assert_eq!(of_status("failed", true), None);
        assert_eq!(of_status("read", true), Some(Read));
    }

    #[test]
    fn words_are_read_back() {
        for state in SendState::ALL {
            assert_eq!(SendState::parse(state.as_str()), Some(state));
        }
        assert_eq!(SendState::parse("gone"), None);
    }
}
