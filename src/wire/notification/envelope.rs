//! The skeleton of a notification: the parts events are cut from, found in one
//! walk through the text, and the envelope narrowed to one of them.

use super::super::raw::{self, Cursor, Edit, Member};
use super::people::{self, Ids};
use super::{
    EVENTS_MAX, Incoming, Kind, Party, SPLIT_BYTES_MAX, echoes, element, opening, other_key, whole,
};
use std::borrow::Cow;

pub(super) struct Envelope<'a> {
    members: Vec<Member<'a>>,
    entries: Vec<Entry<'a>>,
}

/// `at`, here and below: which of the holder's members it was found in. A key
/// given twice is legal, and nothing may be lost by it.
struct Entry<'a> {
    at: usize,
    text: &'a str,
    /// `None` when it is not an object.
    members: Option<Vec<Member<'a>>>,
    changes: Vec<Change<'a>>,
}

struct Change<'a> {
    at: usize,
    text: &'a str,
    members: Vec<Member<'a>>,
    value: Value<'a>,
}

/// The first `value` that is an object; empty when there is none.
#[derive(Default)]
struct Value<'a> {
    at: usize,
    text: &'a str,
    members: Vec<Member<'a>>,
    number: Cow<'a, str>,
    elements: Vec<Element<'a>>,
    contacts: Vec<Contact<'a>>,
    /// The members that elements and contacts were found in.
    lists: Vec<usize>,
}

struct Element<'a> {
    at: usize,
    kind: Kind,
    text: &'a str,
    members: Vec<Member<'a>>,
    ids: Ids<'a>,
    /// The contact with one of these ids.
    contact: Option<usize>,
    /// Contacts that go with it beside that one, so as not to be lost.
    others: Vec<usize>,
    /// The business did it, not the user.
    is_ours: bool,
}

struct Contact<'a> {
    at: usize,
    text: &'a str,
    ids: Ids<'a>,
}

/// Where one event sits.
struct Place<'e, 'a> {
    entry: &'e Entry<'a>,
    change: Option<&'e Change<'a>>,
    element: Option<&'e Element<'a>>,
}

impl<'a> Envelope<'a> {
    /// `None` when there is no list of entries to split.
    pub(super) fn read(mut cursor: Cursor<'a>) -> Option<Envelope<'a>> {
        let mut found = false;
        let mut entries = Vec::new();
        let members = cursor.members(|at, key, cursor| {
            if key == "entry" {
                found |= cursor.elements(|cursor| entries.push(Entry::read(at, cursor)));
            }
        })?;
        found.then_some(Envelope { members, entries })
    }

    /// `None` when there are too many to split.
    pub(super) fn events(&self, body: &'a str) -> Option<Vec<Incoming<'a>>> {
        let places = self.places();
        if let [place] = &places[..] {
            return Some(vec![self.event(place, Cow::Borrowed(body))]);
        }
        if places.len() > EVENTS_MAX {
            return None;
        }
        let mut bytes = 0;
        let mut events = Vec::with_capacity(places.len());
        for place in &places {
            let body = self.narrow(place);
            bytes += body.len();
            if bytes > SPLIT_BYTES_MAX {
                return None;
            }
            events.push(self.event(place, Cow::Owned(body)));
        }
        Some(events)
    }

    fn places(&self) -> Vec<Place<'_, 'a>> {
        let mut places = Vec::new();
        for entry in &self.entries {
            let place = Place {
                entry,
                change: None,
                element: None,
            };
            if entry.is_event() {
                places.push(place);
            }
            for change in &entry.changes {
                let place = |element| Place {
                    entry,
                    change: Some(change),
                    element,
                };
                match &change.value.elements[..] {
                    [] => places.push(place(None)),
                    elements => places.extend(elements.iter().map(|e| place(Some(e)))),
                }
            }
        }
        places
    }

    /// The envelope with everything that belongs to other events left out.
    fn narrow(&self, place: &Place<'_, 'a>) -> String {
        let entry = place
            .change
            .map_or(Cow::Borrowed(place.entry.text), |change| {
                Cow::Owned(place.entry.narrow(change, place.element))
            });
        only(&self.members, place.entry.at, &entry)
    }

    fn event(&self, place: &Place<'_, 'a>, body: Cow<'a, str>) -> Incoming<'a> {
        let entry = place.entry.members.as_deref().unwrap_or_default();
        let waba = raw::get_text(entry, "id").unwrap_or_default();
        let Some(change) = place.change else {
            return Incoming {
                waba: waba.clone().into_owned(),
                party: Party::Account(waba.into_owned()),
                body,
                ..whole(place.entry.text)
            };
        };
        // Two of Meta's samples print `field` outside the change.
        let field = [&change.members, entry, &self.members]
            .into_iter()
            .find_map(|members| raw::get_text(members, "field"))
            .unwrap_or_default()
            .into_owned();
        match place.element {
            Some(element) => change.value.element_event(element, field, &waba, body),
            None => {
                let time = raw::get(entry, "time").unwrap_or_default();
                change.event(field, &waba, time, body)
            }
        }
    }
}

impl<'a> Entry<'a> {
    fn read(at: usize, cursor: &mut Cursor<'a>) -> Entry<'a> {
        let start = cursor.at();
        let mut changes = Vec::new();
        let members = cursor.members(|at, key, cursor| {
            if key == "changes" {
                cursor.elements(|cursor| changes.push(Change::read(at, cursor)));
            }
        });
        Entry {
            at,
            text: cursor.since(start),
            members,
            changes,
        }
    }

    /// Whether it holds no change and yet says something, so that it is an
    /// event by itself. `changed_fields` comes when an app has values switched
    /// off, and says nothing.
    fn is_event(&self) -> bool {
        let says_nothing = |m: &Member<'_>| match m.key.as_ref() {
            "id" | "time" | "changed_fields" => true,
            "changes" => m.value == "null" || m.value.starts_with('['),
            _ => false,
        };
        let members = self.members.as_ref();
        self.changes.is_empty() && !members.is_some_and(|m| m.iter().all(says_nothing))
    }

    fn narrow(&self, change: &Change<'a>, element: Option<&Element<'a>>) -> String {
        let value = element.map(|element| change.value.narrow(element));
        let text = value.map_or(Cow::Borrowed(change.text), |value| {
            Cow::Owned(change.with_value(&value))
        });
        only(
            self.members.as_deref().unwrap_or_default(),
            change.at,
            &text,
        )
    }
}

impl<'a> Change<'a> {
    fn read(at: usize, cursor: &mut Cursor<'a>) -> Change<'a> {
        let start = cursor.at();
        let mut value = None;
        let members = cursor.members(|at, key, cursor| {
            if key == "value" && value.is_none() {
                value = Value::read(at, cursor);
            }
        });
        Change {
            at,
            text: cursor.since(start),
            members: members.unwrap_or_default(),
            value: value.unwrap_or_default(),
        }
    }

    fn with_value(&self, value: &str) -> String {
        raw::rewrite(&self.members, |at, _| match at == self.value.at {
            true => Edit::Replace(value.to_owned()),
            false => Edit::Keep,
        })
    }

    fn event(&self, field: String, waba: &str, time: &str, body: Cow<'a, str>) -> Incoming<'a> {
        let text = match self.value.text {
            "" => self.text,
            value => value,
        };
        let links = self.value.links();
        let (echoes, written_to) = match field == echoes::FIELD {
            true => echoes::read(&self.value.members),
            false => (Vec::new(), None),
        };
        Incoming {
            kind: Kind::Other,
            type_: self.value.type_(),
            key: other_key(&field, &[waba, time, text]),
            field,
            number: self.value.number.clone().into_owned(),
            waba: waba.to_owned(),
            party: self
                .value
                .party(&links)
                .or(written_to)
                .unwrap_or_else(|| Party::Account(waba.to_owned())),
            id: None,
            status: None,
            opening: None,
            links,
            echoes,
            body,
        }
    }
}

impl<'a> Value<'a> {
    fn read(at: usize, cursor: &mut Cursor<'a>) -> Option<Value<'a>> {
        let start = cursor.at();
        let (mut elements, mut contacts, mut about_us) = (Vec::new(), Vec::new(), Vec::new());
        let members = cursor.members(|at, key, cursor| {
            let kind = match key {
                "messages" => Kind::Message,
                "statuses" => Kind::Status,
                "calls" => Kind::Call,
                "contacts" => {
                    cursor.elements(|cursor| contacts.push(Contact::read(at, cursor)));
                    return;
                }
                // Conversation routing names our number under `recipient`.
                "metadata" | "recipient" => {
                    about_us.extend(cursor.members(|_, _, _| {}).into_iter().flatten());
                    return;
                }
                _ => return,
            };
            cursor.elements(|cursor| elements.push(Element::read(at, kind, cursor)));
        })?;
        let mut value = Value {
            at,
            text: cursor.since(start),
            members,
            number: raw::get_text(&about_us, "phone_number_id").unwrap_or_default(),
            lists: lists(&elements, &contacts),
            elements,
            contacts,
        };
        let own = raw::get_text(&about_us, "display_phone_number").unwrap_or_default();
        value.match_contacts(&people::user_id(&own));
        Some(value)
    }

    /// A contact belongs to the elements that name it; a second one of the same person
    /// goes with the first of these. One of nobody that an element names belongs to
    /// those that name nobody; several such cannot be told apart and go with the first
    /// element.
    fn match_contacts(&mut self, own: &str) {
        for element in &mut self.elements {
            element.ids = Ids::of_element(element.kind, &element.members, own);
            element.is_ours = people::is_from_us(&element.members, own);
        }
        let elements: Vec<_> = self.elements.iter().map(|e| &e.ids).collect();
        let contacts: Vec<_> = self.contacts.iter().map(|c| &c.ids).collect();
        let owners = people::owners(&elements, &contacts);

        let mut named_by: Vec<Option<usize>> = vec![None; self.contacts.len()];
        for (element, contact) in owners.iter().enumerate() {
            if let Some(contact) = contact {
                named_by[*contact].get_or_insert(element);
            }
        }
        let again = people::again(&contacts, &named_by);
        for (element, contact) in self.elements.iter_mut().zip(owners) {
            element.contact = contact;
        }
        let mut orphans = Vec::new();
        for (contact, element) in again {
            match element {
                Some(element) => self.elements[element].others.push(contact),
                None => orphans.push(contact),
            }
        }
        let nameless = |element: &&mut Element<'_>| element.ids.is_empty();
        let mut takers = self.elements.iter_mut().filter(nameless).peekable();
        match orphans[..] {
            [lone] if takers.peek().is_some() => takers.for_each(|e| e.others.push(lone)),
            _ => self
                .elements
                .iter_mut()
                .take(1)
                .for_each(|e| e.others.append(&mut orphans)),
        }
    }

    fn contacts_of<'v>(
        &'v self,
        element: &'v Element<'a>,
    ) -> impl Iterator<Item = &'v Contact<'a>> {
        let indices = element.contact.iter().chain(&element.others);
        indices.map(|index| &self.contacts[*index])
    }

    fn narrow(&self, element: &Element<'a>) -> String {
        raw::rewrite(&self.members, |at, _| {
            if at == element.at {
                return Edit::Replace(format!("[{}]", element.text));
            }
            if !self.lists.contains(&at) {
                return Edit::Keep;
            }
            let own = self.contacts_of(element).filter(|c| c.at == at);
            let texts: Vec<&str> = own.map(|c| c.text).collect();
            match texts.is_empty() {
                true => Edit::Drop,
                false => Edit::Replace(format!("[{}]", texts.join(","))),
            }
        })
    }

    fn element_event(
        &self,
        element: &Element<'a>,
        field: String,
        waba: &str,
        body: Cow<'a, str>,
    ) -> Incoming<'a> {
        let Element { kind, text, .. } = *element;
        let members = &element.members;
        let type_ = element::type_of(kind, members).into_owned();
        Incoming {
            kind,
            key: element::key(kind, &type_, &field, waba, text, members),
            opening: opening::of(kind, &type_, &field, element.is_ours, members),
            links: match type_ == "system" {
                true => people::of_system(members).into_iter().collect(),
                false => Vec::new(),
            },
            echoes: Vec::new(),
            type_,
            field,
            number: self.number.clone().into_owned(),
            waba: waba.to_owned(),
            party: people::party(kind, members, &element.ids, self.user_of(element))
                .unwrap_or_else(|| Party::Account(waba.to_owned())),
            id: raw::get_text(members, "id").map(Cow::into_owned),
            status: (kind == Kind::Status)
                .then(|| element::status_facts(members))
                .flatten(),
            body,
        }
    }

    /// The contact that certainly is the user an element is about. To take one
    /// for another would make two people's conversations one.
    fn user_of(&self, element: &Element<'a>) -> Option<&Ids<'a>> {
        let lone = match element.others[..] {
            [index] if element.ids.is_empty() => Some(index),
            _ => None,
        };
        let index = element.contact.or(lone)?;
        Some(&self.contacts[index].ids)
    }

    /// People whose BSUID has changed.
    fn links(&self) -> Vec<Vec<String>> {
        let updates = raw::get(&self.members, "user_id_update").and_then(raw::elements);
        let updates = updates.unwrap_or_default().into_iter();
        updates
            .filter_map(|update| people::of_update(&raw::members(update)?))
            .collect()
    }

    /// The party of a change without elements: its one contact, the one person
    /// whose ids it is about or its one group if it is about exactly one.
    fn party(&self, links: &[Vec<String>]) -> Option<Party> {
        if let [contact] = &self.contacts[..]
            && let Some(user) = people::contact_party(&contact.ids)
        {
            return Some(user);
        }
        if let [person] = links {
            return Some(Party::User(person.clone()));
        }
        let groups = raw::get(&self.members, "groups").and_then(raw::elements)?;
        let [group] = groups[..] else {
            return None;
        };
        let id = raw::get_text(&raw::members(group)?, "group_id")?;
        Some(Party::Group(id.into_owned()))
    }

    /// A change's own word for what happened, or the name of what it holds.
    fn type_(&self) -> String {
        let said = ["event", "type"]
            .iter()
            .find_map(|key| raw::get_text(&self.members, key));
        let list = |m: &&Member<'a>| m.key != "contacts" && m.value.starts_with('[');
        let held = || self.members.iter().find(list).map(|m| m.key.clone());
        said.or_else(held).unwrap_or_default().into_owned()
    }
}

/// The members that elements and contacts were found in.
fn lists(elements: &[Element<'_>], contacts: &[Contact<'_>]) -> Vec<usize> {
    let elements = elements.iter().map(|e| e.at);
    let mut lists: Vec<usize> = elements.chain(contacts.iter().map(|c| c.at)).collect();
    lists.dedup();
    lists
}

impl<'a> Element<'a> {
    fn read(at: usize, kind: Kind, cursor: &mut Cursor<'a>) -> Element<'a> {
        let start = cursor.at();
        let members = cursor.members(|_, _, _| {});
        Element {
            at,
            kind,
            text: cursor.since(start),
            members: members.unwrap_or_default(),
            ids: Ids::default(),
            contact: None,
            others: Vec::new(),
            is_ours: false,
        }
    }
}

impl<'a> Contact<'a> {
    fn read(at: usize, cursor: &mut Cursor<'a>) -> Contact<'a> {
        let start = cursor.at();
        let members = cursor.members(|_, _, _| {});
        Contact {
            at,
            text: cursor.since(start),
            ids: Ids::of_contact(members.as_deref().unwrap_or_default()),
        }
    }
}

/// An object with the list at `at` holding only `text`. Further lists under the
/// same key are left out: what they hold is an event of its own.
fn only(members: &[Member<'_>], at: usize, text: &str) -> String {
    let key = &members[at].key;
    raw::rewrite(members, |index, member| {
        if index == at {
            return Edit::Replace(format!("[{text}]"));
        }
        match member.key == *key && member.value.starts_with('[') {
            true => Edit::Drop,
            false => Edit::Keep,
        }
    })
}
