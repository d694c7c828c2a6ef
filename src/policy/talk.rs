//! What the events of a conversation leave behind in passing: what is to be known
//! of it at the next one.

use super::window::Seen;
use crate::wire::message::says_something;
use crate::wire::notification::Kind;

/// What the events of a conversation so far have left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Talk {
    /// The newest event of its thread.
    pub last_event: Option<i64>,
    /// The first message the person wrote; 0 when it is only known that there
    /// was one.
    pub first_message: Option<i64>,
    /// When the person wrote last, in Unix milliseconds; 0: never.
    pub wrote_at: i64,
    /// What the customer service window hangs on.
    pub seen: Seen,
}

/// One event, as far as it matters to [`Talk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn<'a> {
    /// Its id.
    pub event: i64,
    /// What it is.
    pub kind: Kind,
    /// Meta's field it came under.
    pub field: &'a str,
    /// Meta's type of message or status.
    pub type_: &'a str,
    /// When it was received, in Unix milliseconds.
    pub at: i64,
    /// What it alone says of the window.
    pub seen: Seen,
}

impl Talk {
    /// What is left after one more event. To go once more through some of the
    /// events, in their order and up to the newest, changes nothing.
    pub fn after(self, turn: &Turn<'_>) -> Talk {
        let mut talk = Talk {
            seen: self.seen.merge(turn.seen),
            ..self
        };
        if turn.kind.is_said() {
            talk.last_event = Some(turn.event);
        }
        if is_written(turn.kind, turn.field) {
            talk.wrote_at = turn.at;
            if says_something(turn.type_) {
                talk.first_message.get_or_insert(turn.event);
            }
        }
        talk
    }
}

/// Whether a person wrote it. Echoes of what the business wrote elsewhere come
/// under other fields.
pub fn is_written(kind: Kind, field: &str) -> bool {
    kind == Kind::Message && field == "messages"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(event: i64, kind: Kind, field: &'static str, type_: &'static str) -> Turn<'static> {
        let seen = Seen {
            opened_at: (event % 3 == 0).then_some(100 - event),
            ..Seen::default()
        };
        Turn {
            event,
            kind,
            field,
            type_,
            at: event * 10,
            seen,
        }
    }

    fn all() -> Vec<Turn<'static>> {
        vec![
            turn(1, Kind::Status, "messages", "read"),
            turn(2, Kind::Message, "smb_message_echoes", "text"),
            turn(3, Kind::Message, "messages", "reaction"),
            turn(4, Kind::Message, "messages", "text"),
            turn(5, Kind::Call, "calls", "connect"),
            turn(6, Kind::Message, "messages", "image"),
            turn(7, Kind::Status, "messages", "read"),
            turn(8, Kind::Other, "account_update", ""),
        ]
    }

    #[test]
    fn each_event_leaves_what_it_is() {
        let left = |count: usize| {
            let turns = all();
            let after = |talk: Talk, turn: &Turn<'_>| talk.after(turn);
            let talk = turns[..count].iter().fold(Talk::default(), after);
            (
                talk.last_event,
                talk.first_message,
                talk.wrote_at,
                talk.seen.opened_at,
            )
        };
        let cases = [
            (1, (None, None, 0, None)),
            (2, (Some(2), None, 0, None)),
            (3, (Some(3), None, 30, Some(97))),
            (4, (Some(4), Some(4), 40, Some(97))),
            (5, (Some(5), Some(4), 40, Some(97))),
            (6, (Some(6), Some(4), 60, Some(97))),
            (8, (Some(6), Some(4), 60, Some(97))),
        ];
        for (count, expected) in cases {
            assert_eq!(left(count), expected, "after {count}");
        }
    }

    #[test]
    fn to_go_through_the_newest_once_more_changes_nothing() {
        let turns = all();
        let after = |talk: Talk, turn: &Turn<'_>| talk.after(turn);
        let whole = turns.iter().fold(Talk::default(), after);
        for first in 0..=turns.len() {
            assert_eq!(turns[first..].iter().fold(whole, after), whole);
        }
    }
}
