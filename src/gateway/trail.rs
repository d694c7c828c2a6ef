//! What operators did on the console, written down in the commit that did it;
//! and which of their sessions are over before their time.

use crate::policy::session::Session;
use crate::store::rows::{Deed, NewDeed};
use crate::store::{Result, Tx};

/// Deeds kept; a year of thirty a day.
const KEPT: i64 = 10_000;

/// Of what a deed is about, what is kept at most.
const SUBJECT_CHARS_MAX: usize = 200;

/// Writes down what somebody did.
pub fn record(tx: &Tx<'_>, deed: &NewDeed<'_>) -> Result<()> {
    let cut = deed.subject.char_indices().nth(SUBJECT_CHARS_MAX);
    let subject = cut.map_or(deed.subject, |(at, _)| &deed.subject[..at]);
    tx.insert_deed(&NewDeed { subject, ..*deed }, KEPT)
}

/// What was done before a deed (`i64::MAX`: the newest), the newest first.
pub fn deeds(tx: &Tx<'_>, before: i64, limit: usize) -> Result<Vec<Deed>> {
    tx.deeds(before, limit)
}

/// Ends a session: whoever has its cookie is not let in any more.
pub fn end_session(tx: &Tx<'_>, session: &Session, now: i64) -> Result<()> {
    tx.end_session(&session.id, session.over_at(), now)
}

/// Whether a session was ended.
pub fn is_ended(tx: &Tx<'_>, session: &Session) -> Result<bool> {
    tx.is_session_ended(&session.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::session::LASTS_MS;
    use crate::store::Database;

    fn deed(at: i64, subject: &str) -> NewDeed<'_> {
        NewDeed {
            at,
            session: "aa",
            address: "::1",
            action: "try",
            subject,
        }
    }

    #[test]
    fn the_newest_deeds_are_kept_and_listed_page_by_page() {
        let mut database = Database::in_memory().unwrap();
        let last = KEPT + 5;
        let write = |tx: &Tx<'_>| (1..=last).try_for_each(|at| record(tx, &deed(at, "")));
        database.commit(write).unwrap();
        let ats = |before, limit| -> Vec<i64> {
            let found = database.read(|tx| deeds(tx, before, limit)).unwrap();
            found.into_iter().map(|deed| deed.at).collect()
        };
        assert_eq!(ats(i64::MAX, 3), [last, last - 1, last - 2]);
        assert_eq!(ats(last - 2, 2), [last - 3, last - 4]);
        assert_eq!(ats(i64::MAX, usize::MAX >> 1).len(), KEPT as usize);
        assert_eq!(ats(7, 9), [6]);
    }

    #[test]
    fn what_a_deed_is_about_is_cut_between_characters() {
        let mut database = Database::in_memory().unwrap();
        let long = "é".repeat(SUBJECT_CHARS_MAX + 1);
        database.commit(|tx| record(tx, &deed(1, &long))).unwrap();
        let found = database.read(|tx| deeds(tx, i64::MAX, 1)).unwrap();
        assert_eq!(found[0].subject.chars().count(), SUBJECT_CHARS_MAX);
    }

    #[test]
    fn an_ended_session_is_remembered_until_it_would_be_over() {
        let mut database = Database::in_memory().unwrap();
        let session = |first, started| Session::begin([first; 16], started);
        let (one, two) = (session(1, 10), session(2, 20));
        let ended = |database: &Database, whose| database.read(|tx| is_ended(tx, whose)).unwrap();
        assert!(!ended(&database, &one));
        database.commit(|tx| end_session(tx, &one, 30)).unwrap();
        database.commit(|tx| end_session(tx, &one, 40)).unwrap();
        assert!(ended(&database, &one) && !ended(&database, &two));
        let over = |tx: &Tx<'_>| end_session(tx, &two, 10 + LASTS_MS);
        database.commit(over).unwrap();
        assert!(!ended(&database, &one) && ended(&database, &two));
    }
}
