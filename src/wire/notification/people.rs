//! Who a notification is about: the ids of elements and contacts, and which
//! contact belongs to which element.

use super::super::phone::{a_digit_more, is_digits, tail};
use super::super::raw::{self, Member};
use super::{Kind, Party};
use std::borrow::Cow;

/// The ids by which one object names a user. Parent BSUIDs are left out: they
/// belong to a group of portfolios, and nothing is ever addressed by them alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids<'a> {
    bsuid: Option<Cow<'a, str>>,
    phone: Option<Cow<'a, str>>,
}

impl<'a> Ids<'a> {
    pub(super) fn of_contact(members: &[Member<'a>]) -> Ids<'a> {
        Ids::read(members, "user_id", &["wa_id"])
    }

    /// The ids by which an element names the user it is about; `own` is the
    /// number of the business. Field names: Meta, webhooks reference and
    /// "Business-scoped user IDs".
    pub(super) fn of_element(kind: Kind, members: &[Member<'a>], own: &str) -> Ids<'a> {
        match kind {
            // recipient_id is the group; the contact, if any, is the member.
            Kind::Status if is_group_status(members) => Ids::read(
                members,
                "recipient_participant_user_id",
                &["recipient_participant_id", "participant_recipient_id"],
            ),
            Kind::Status => Ids::read(members, "recipient_user_id", &["recipient_id"]),
            _ if is_from_us(members, own) => Ids::read(members, "to_user_id", &["to"]),
            _ => Ids::read(members, "from_user_id", &["from"]),
        }
    }

    fn read(members: &[Member<'a>], bsuid: &str, phones: &[&str]) -> Ids<'a> {
        let id = |key: &&str| raw::get_text(members, key).map(normal);
        let known = |id: &Cow<str>| !id.is_empty();
        Ids {
            bsuid: id(&bsuid).filter(known),
            phone: phones.iter().filter_map(id).find(known),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bsuid.is_none() && self.phone.is_none()
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        [&self.bsuid, &self.phone]
            .into_iter()
            .flatten()
            .map(|id| &**id)
    }

    /// What a user may be looked up by: the ids, and the part of the number in
    /// which two spellings of it agree.
    fn handles(&self) -> impl Iterator<Item = &str> {
        self.all().chain(self.phone.as_deref().and_then(tail))
    }

    fn same_person(&self, other: &Ids<'_>) -> bool {
        if let (Some(a), Some(b)) = (&self.bsuid, &other.bsuid) {
            return a == b;
        }
        self.all().any(|id| other.all().any(|other| id == other))
            || matches!((&self.phone, &other.phone), (Some(a), Some(b)) if a_digit_more(a, b))
    }
}

/// For each element, which of the contacts is the user it names.
pub(super) fn owners(elements: &[&Ids<'_>], contacts: &[&Ids<'_>]) -> Vec<Option<usize>> {
    let handles = |index: usize| contacts[index].handles().map(move |handle| (handle, index));
    let mut by_handle: Vec<(&str, usize)> = (0..contacts.len()).flat_map(handles).collect();
    by_handle.sort_unstable();
    let owner = |ids: &&Ids<'_>| {
        let mut candidates = ids
            .handles()
            .flat_map(|handle| known_by(handle, &by_handle));
        candidates.find(|index| ids.same_person(contacts[*index]))
    };
    elements.iter().map(owner).collect()
}

/// Each contact that no element names, of those that are named by these elements first;
/// and the element that names the same person by another contact, if there is one.
pub(super) fn again(
    contacts: &[&Ids<'_>],
    named_by: &[Option<usize>],
) -> Vec<(usize, Option<usize>)> {
    let (named, unnamed): (Vec<usize>, Vec<usize>) =
        (0..contacts.len()).partition(|index| named_by[*index].is_some());
    if unnamed.is_empty() {
        return Vec::new();
    }
    let ids = |indices: &[usize]| indices.iter().map(|i| contacts[*i]).collect::<Vec<_>>();
    let people = owners(&ids(&unnamed), &ids(&named)).into_iter();
    let elements = people.map(|person| named_by[named[person?]]);
    unnamed.into_iter().zip(elements).collect()
}

/// The contacts with this handle: several may share one.
fn known_by<'x>(handle: &'x str, sorted: &'x [(&'x str, usize)]) -> impl Iterator<Item = usize> {
    let start = sorted.partition_point(|(other, _)| *other < handle);
    let same = sorted[start..]
        .iter()
        .take_while(move |(other, _)| *other == handle);
    same.map(|(_, index)| *index)
}

/// The party of one element, whose user is `contact` as well.
pub(super) fn party(
    kind: Kind,
    members: &[Member<'_>],
    own: &Ids<'_>,
    contact: Option<&Ids<'_>>,
) -> Option<Party> {
    let group = match kind {
        Kind::Status if is_group_status(members) => raw::get_text(members, "recipient_id"),
        Kind::Status => None,
        _ => raw::get_text(members, "group_id"),
    };
    if let Some(group) = group {
        return Some(Party::Group(group.into_owned()));
    }
    let contact = contact.cloned().unwrap_or_default();
    user([&own.bsuid, &contact.bsuid, &contact.phone, &own.phone])
}

/// The party of a change that is about one contact.
pub(super) fn contact_party(contact: &Ids<'_>) -> Option<Party> {
    user([&contact.bsuid, &contact.phone])
}

fn user<const N: usize>(ids: [&Option<Cow<'_, str>>; N]) -> Option<Party> {
    let mut known: Vec<String> = Vec::with_capacity(N);
    for id in ids.into_iter().flatten() {
        if !known.iter().any(|k| *k == **id) {
            known.push(id.clone().into_owned());
        }
    }
    (!known.is_empty()).then_some(Party::User(known))
}

/// A user's id as conversations are keyed by it: a phone number as its digits
/// alone (Meta writes and accepts `+`, blanks, dashes and brackets), anything
/// else as it is.
pub fn user_id(id: &str) -> String {
    normal(Cow::Borrowed(id)).into_owned()
}

/// Whether a user's id is a BSUID: `US.13491208655302741918`, or `US.ENT.…` of a
/// parent account (Meta: BSUIDs).
pub fn is_bsuid(id: &str) -> bool {
    let country = id.split_once('.').map(|(country, _)| country);
    country.is_some_and(|c| c.len() == 2 && c.bytes().all(|b| b.is_ascii_alphabetic()))
}

/// News of a person's ids, and which they are one person's: the new ones first.
///
/// `system` messages tell of a new number or BSUID; `from` is the old number
/// (Meta: system messages). Older ones have the old number in `customer` too, and
/// the new one in `new_wa_id`.
pub(super) fn of_system(members: &[Member<'_>]) -> Option<Vec<String>> {
    let system = raw::get(members, "system").and_then(raw::members)?;
    let kind = raw::get_text(&system, "type")?;
    if !SYSTEM_CHANGES.contains(&&*kind) {
        return None;
    }
    linked([
        raw::get_text(&system, "user_id"),
        raw::get_text(&system, "wa_id"),
        raw::get_text(&system, "new_wa_id"),
        raw::get_text(members, "from_user_id"),
        raw::get_text(members, "from"),
        raw::get_text(&system, "customer"),
    ])
}

/// Types of `system` messages that tell of new ids. Others name people too, and
/// it is not known which of them are one.
const SYSTEM_CHANGES: [&str; 3] = [
    "user_changed_number",
    "customer_changed_number",
    "user_changed_user_id",
];

/// An element of `user_id_update`: the BSUID before and after (Meta: BSUIDs).
pub(super) fn of_update(members: &[Member<'_>]) -> Option<Vec<String>> {
    let user_id = raw::get(members, "user_id").and_then(raw::members)?;
    linked([
        raw::get_text(&user_id, "current"),
        raw::get_text(members, "wa_id"),
        raw::get_text(&user_id, "previous"),
    ])
}

/// Whom the business wrote to.
pub(super) fn of_echo(members: &[Member<'_>]) -> Option<Vec<String>> {
    let ids = Ids::read(members, "to_user_id", &["to"]);
    match user([&ids.bsuid, &ids.phone])? {
        Party::User(ids) => Some(ids),
        _ => None,
    }
}

/// Ids of one person; `None` when there are not two to link.
fn linked<const N: usize>(ids: [Option<Cow<'_, str>>; N]) -> Option<Vec<String>> {
    let ids = ids.map(|id| id.map(normal).filter(|id| !id.is_empty()));
    match user(ids.each_ref())? {
        Party::User(ids) if ids.len() > 1 => Some(ids),
        _ => None,
    }
}

fn normal(id: Cow<'_, str>) -> Cow<'_, str> {
    let decoration = |c: char| matches!(c, '+' | ' ' | '-' | '(' | ')' | '.');
    match is_digits(&id) || !id.chars().all(|c| c.is_ascii_digit() || decoration(c)) {
        true => id,
        false => id.chars().filter(char::is_ascii_digit).collect(),
    }
}

/// The business wrote or called: in coexistence its own messages come back, and
/// its calls are reported. The user is at the other end.
pub(super) fn is_from_us(members: &[Member<'_>], own: &str) -> bool {
    let from = || raw::get_text(members, "from").map(normal);
    raw::text_is(members, "direction", "BUSINESS_INITIATED")
        || !own.is_empty() && from().is_some_and(|from| from == own)
}

/// About a message to a group, as a whole or as one member got it.
pub(super) fn is_group_status(members: &[Member<'_>]) -> bool {
    raw::text_is(members, "recipient_type", "group") || is_of_participant(members)
}

/// About one member of a group.
pub(super) fn is_of_participant(members: &[Member<'_>]) -> bool {
    let said = |key: &&str| raw::get_text(members, key).is_some();
    PARTICIPANT_KEYS.iter().any(said)
}

/// Both spellings and the BSUID form. Meta: group status webhooks.
pub(super) const PARTICIPANT_KEYS: [&str; 3] = [
    "recipient_participant_id",
    "participant_recipient_id",
    "recipient_participant_user_id",
];
