//! What is asked for with every event and hardly ever changes, remembered from
//! the tables: which account a number belongs to, whose ids these are.

use crate::store::rows::ConversationId;
use crate::wire::notification::key_digest;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

/// Accounts of numbers that are remembered; a bound, far above what anybody has.
const WABAS_MAX: usize = 1_000;

/// People that are remembered, at some 30 bytes each.
const PEOPLE_MAX: usize = 16 * 1024;

/// A number of the business, and all ids by which somebody was named to it.
type Named = [u8; 16];

/// What is remembered. It is as the tables are, or it is not there.
#[derive(Default)]
pub(in crate::store) struct Known {
    /// The accounts of numbers, as their queues, if any, have them.
    wabas: BTreeMap<String, String>,
    people: HashMap<Named, ConversationId>,
}

impl Known {
    /// Whether the number is known to belong to this account.
    pub(in crate::store) fn is_of(&self, number: &str, waba: &str) -> bool {
        self.wabas.get(number).is_some_and(|known| known == waba)
    }

    /// The number belongs to this account.
    pub(in crate::store) fn learn_waba(&mut self, number: &str, waba: &str) {
        // Also where there is no room for it: what it was before is not so.
        self.wabas.remove(number);
        if self.wabas.len() < WABAS_MAX {
            self.wabas.insert(number.to_owned(), waba.to_owned());
        }
    }

    /// The number's account is to be looked up again.
    pub(in crate::store) fn forget_waba(&mut self, number: &str) {
        self.wabas.remove(number);
    }

    /// The conversation in which the number knows a person by all of these ids.
    pub(in crate::store) fn person(&self, number: &str, ids: &[String]) -> Option<ConversationId> {
        self.people.get(&named(number, ids)).copied()
    }

    /// In that conversation the number knows a person by all of these ids.
    pub(in crate::store) fn learn_person(
        &mut self,
        number: &str,
        ids: &[String],
        id: ConversationId,
    ) {
        // All at once: who is still about is soon known again.
        if self.people.len() >= PEOPLE_MAX {
            self.people.clear();
        }
        self.people.insert(named(number, ids), id);
    }

    /// Who is who is to be looked up again.
    pub(in crate::store) fn forget_people(&mut self) {
        self.people.clear();
    }
}

fn named(number: &str, ids: &[String]) -> Named {
    let mut all = String::new();
    for part in std::iter::once(number).chain(ids.iter().map(String::as_str)) {
        // With its length, lest two read like one.
        let _ = write!(all, "{} {part} ", part.len());
    }
    key_digest(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn people_are_told_apart_by_number_and_ids() {
        let mut known = Known::default();
        let people = [
            ("1", ids(&["a", "b"])),
            ("1", ids(&["a b"])),
            ("1", ids(&["a 1 b"])),
            ("1", ids(&["b", "a"])),
            ("1", ids(&["a"])),
            ("2", ids(&["a"])),
            ("1 1 a", ids(&["b"])),
        ];
        for (id, (number, ids)) in people.iter().enumerate() {
            known.learn_person(number, ids, id as ConversationId);
        }
        for (id, (number, ids)) in people.iter().enumerate() {
            assert_eq!(known.person(number, ids), Some(id as ConversationId));
        }
        assert_eq!(known.person("1", &ids(&["b"])), None);
        known.forget_people();
        assert_eq!(known.person("1", &people[0].1), None);
    }

    #[test]
    fn a_number_belongs_to_one_account_however_many_there_are() {
        let mut known = Known::default();
        for number in 0..=WABAS_MAX {
            known.learn_waba(&number.to_string(), "a");
        }
        known.learn_waba("0", "b");
        assert!(!known.is_of("0", "a"));
        known.learn_waba("1000", "b");
        assert!(!known.is_of("1000", "a") && known.wabas.len() <= WABAS_MAX);
    }

    #[test]
    fn no_more_people_are_remembered_than_there_is_room_for() {
        let mut known = Known::default();
        for id in 0..3 * PEOPLE_MAX as ConversationId {
            let named = [id.to_string()];
            known.learn_person("1", &named, id);
            assert!(known.people.len() <= PEOPLE_MAX);
            assert_eq!(known.person("1", &named), Some(id));
        }
    }
}
