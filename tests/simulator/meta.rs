//! Meta: customers write, statuses arise, and both become notifications that
//! are delivered until they are answered with 200, and sometimes after that.

use super::lanes::canonical;
use super::luck::{Faults, Luck};
use super::statuses::StatusOf;
use super::windows::{Person, Ways};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wabridge::wire::notification::Kind;
use wabridge::wire::sample::{self, Recipient, Sample, Status};

/// The business's numbers.
pub const NUMBERS: [&str; 4] = [
    "106540300000001",
    "106540300000002",
    "106540300000003",
    "106540300000004",
];
/// Its accounts: each has two of the numbers.
pub const WABAS: [&str; 2] = ["102290100000001", "102290100000002"];
/// The longest pause between two deliveries of one notification.
const AGAIN_MAX_MS: i64 = 5 * 60_000;

/// The account of a number.
pub fn waba_of(number: &str) -> &'static str {
    let place = NUMBERS.iter().position(|n| *n == number);
    WABAS[place.expect("it is one of ours") / 2]
}

/// Somebody the business talks with, by the ids Meta may name them with.
#[derive(Clone)]
struct Customer {
    number: &'static str,
    phone: Option<String>,
    bsuid: Option<String>,
    group: Option<String>,
    /// Ids they had before.
    former: Vec<String>,
    person: Person,
}

/// What Meta has to tell us, once.
pub struct Event {
    /// What makes it this event and no other.
    pub name: String,
    pub kind: Kind,
    pub field: &'static str,
    pub number: String,
    pub waba: &'static str,
    /// Ids that name one party in it.
    pub ids: Vec<String>,
    /// What it says about a message of ours.
    pub status: Option<StatusOf>,
    /// What the owner of the number wrote on the phone.
    pub echo: Option<Echo>,
    /// The customer's message's wamid, for read marks.
    pub wamid: String,
    /// The element; of what has none, the whole value.
    pub element: Value,
    contact: Option<Value>,
}

/// An answer from the phone.
pub struct Echo {
    pub wamid: String,
    /// It went out through us, and Meta tells of it in this way too.
    pub is_ours: bool,
    pub at: i64,
}

impl Event {
    /// When somebody wrote it, if Meta tells.
    pub fn written_at(&self) -> Option<i64> {
        let at: i64 = self.element["timestamp"].as_str()?.parse().ok()?;
        Some(at * 1_000)
    }

    /// Whether it is something said to us.
    pub fn is_said(&self) -> bool {
        self.kind == Kind::Message && self.element["type"] != "system"
    }

    /// Whether a person may be sent anything for a while after it.
    pub fn opens_a_window(&self) -> bool {
        let of_person = self.element["group_id"].is_null() && self.element["type"] != "system";
        self.kind == Kind::Message && of_person
    }
}

/// One POST.
pub struct Post {
    pub events: Vec<usize>,
    pub tries: u32,
}

pub struct Meta {
    customers: Vec<Customer>,
    pub events: Vec<Event>,
    /// Events not yet in a notification.
    pending: Vec<usize>,
}

impl Meta {
    pub fn new(luck: &mut Luck, customers: usize, numbers: usize) -> Meta {
        let customers = (0..customers)
            .map(|n| {
                // Every other one is from São Paulo, where numbers have two spellings.
                let phone = match n % 2 {
                    0 => Some(format!("1555010{n:04}")),
                    _ => Some(format!("55119{n:04}0000", n = 7_000 + n)),
                };
                let bsuid = Some(format!("US.{}", 9_000 + n));
                let number = *luck.pick(&NUMBERS[..numbers]);
                let (phone, bsuid, group) = match luck.below(6) {
                    0 => (phone, None, None),
                    1 => (None, bsuid, None),
                    2 => (phone, bsuid, Some(format!("G{n}=="))),
                    _ => (phone, bsuid, None),
                };
                Customer {
                    number,
                    phone,
                    bsuid,
                    group,
                    former: Vec::new(),
                    person: Person::default(),
                }
            })
            .collect();
        Meta {
            customers,
            events: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// A customer, this one or any, writes, moves to another number, or gets another
    /// BSUID; now and then the account has news instead. Who it was.
    pub fn write(
        &mut self,
        luck: &mut Luck,
        ways: &Ways,
        who: Option<usize>,
        now: i64,
    ) -> Option<usize> {
        let n = self.events.len();
        let is_new = who.is_none();
        let is_news = is_new && luck.chance(0.04);
        let place = who.unwrap_or_else(|| luck.below(self.customers.len()));
        let event = match is_news {
            true => Event {
                waba: WABAS[0],
                name: format!("news {n}"),
                kind: Kind::Other,
                field: "message_template_status_update",
                number: String::new(),
                ids: vec![format!("waba:{}", WABAS[0])],
                status: None,
                echo: None,
                wamid: String::new(),
                element: json!({"event": "APPROVED", "message_template_id": n}),
                contact: None,
            },
            false => {
                let who = &mut self.customers[place];
                let by_ad = ways.by_ad > 0.0 && luck.chance(ways.by_ad);
                // Nobody moves in the middle of what they say.
                match is_new && who.group.is_none() && luck.chance(0.09) {
                    true if who.bsuid.is_some() && luck.chance(0.3) => who.is_renamed(luck, n),
                    true => who.moves(luck, n, now),
                    false => who.writes(luck, n, by_ad, now),
                }
            }
        };
        self.pending.push(n);
        self.events.push(event);
        (!is_news).then_some(place)
    }

    /// The owner of a number answers somebody from the phone, or Meta tells in the same
    /// way of a message of ours, by its id.
    pub fn owner_writes(&mut self, luck: &mut Luck, ours: Option<String>, now: i64) {
        let n = self.events.len();
        let who = self.customers.iter().filter(|who| who.group.is_none());
        let who: Vec<&Customer> = who.collect();
        if who.is_empty() {
            return;
        }
        let who = *luck.pick(&who);
        let (phone, bsuid) = who.names(luck, None);
        let wamid = ours.clone().unwrap_or_else(|| format!("wamid.phone{n}"));
        let name = format!("echo {wamid}");
        if self.events.iter().any(|event| event.name == name) {
            return;
        }
        let mut echo = json!({"from": "15550109000", "id": wamid, "type": "text",
            "timestamp": (now / 1_000).to_string(), "text": {"body": "I am here"}});
        for (key, id) in [("to", &phone), ("to_user_id", &bsuid)] {
            if let Some(id) = id {
                echo[key] = json!(id);
            }
        }
        let mut value = about(who.number);
        value["message_echoes"] = json!([echo]);
        self.pending.push(n);
        self.events.push(Event {
            name,
            kind: Kind::Other,
            field: "smb_message_echoes",
            number: who.number.into(),
            waba: waba_of(who.number),
            ids: who.ids(phone, bsuid),
            status: None,
            echo: Some(Echo {
                wamid,
                is_ours: ours.is_some(),
                at: now / 1_000 * 1_000,
            }),
            wamid: String::new(),
            element: value,
            contact: None,
        });
    }

    /// The newest message of a customer is not told yet.
    pub fn keeps_back(&mut self) -> Option<usize> {
        let newest = self.events.last()?;
        match newest.kind {
            Kind::Message => self.pending.pop(),
            _ => None,
        }
    }

    /// That somebody has other ids now is not told yet, if that is the newest.
    pub fn keeps_back_who_it_is(&mut self) -> Option<usize> {
        let newest = self.events.last()?;
        let is_told = newest.field == "user_id_update" || newest.element["type"] == "system";
        is_told.then(|| self.pending.pop()).flatten()
    }

    pub fn brings(&mut self, event: usize) {
        self.pending.push(event);
    }

    /// Whether anything but a template may go there. Groups are not minded.
    pub fn is_open(&self, to: &str, now: i64) -> bool {
        let who = self.customers.iter().find(|c| c.is(to));
        who.is_none_or(|who| who.group.is_some() || who.person.is_open(now))
    }

    /// Graph took a message, and it was not too late.
    pub fn takes(&mut self, to: &str, now: i64) {
        if let Some(who) = self.customers.iter_mut().find(|c| c.is(to)) {
            who.person.sent.push(now);
        }
    }

    /// A customer with a number of ours, by one of the ids they can be written to.
    pub fn somebody(&self, luck: &mut Luck) -> Option<(&'static str, String)> {
        let people: Vec<&Customer> = self
            .customers
            .iter()
            .filter(|who| who.group.is_none())
            .collect();
        if people.is_empty() {
            return None;
        }
        let who = *luck.pick(&people);
        let ids = [&who.phone, &who.bsuid].into_iter().flatten();
        let ids: Vec<&String> = ids.chain(&who.former).collect();
        let id = (*luck.pick(&ids)).clone();
        Some((who.number, respelt(luck, &id)))
    }

    /// A message of ours got somewhere.
    pub fn status(&mut self, luck: &mut Luck, of: StatusOf, to: &str, mark: &str, now: i64) {
        let name = format!("status {} {}", of.wamid, of.word);
        if let Some(n) = self.events.iter().position(|e| e.name == name) {
            // The same again, as Meta does now and then.
            return self.pending.push(n);
        }
        let Some(who) = self.customers.iter().find(|c| c.is(to)).cloned() else {
            return;
        };
        let (phone, bsuid) = who.names(luck, Some(to));
        let recipient = match (&who.group, &phone, &bsuid) {
            (Some(group), ..) => Recipient::Group(group),
            (_, Some(phone), _) => Recipient::Phone(phone),
            (_, _, bsuid) => Recipient::User(bsuid.as_deref().unwrap_or_default()),
        };
        let text = sample::status(&Status {
            number: who.number,
            display: "15550109000",
            waba: waba_of(who.number),
            wamid: &of.wamid,
            status: of.word,
            recipient,
            // Both names are given below, with a failure too.
            user_id: None,
            opaque: of.marked.then_some(mark),
            error: of.code.map(|code| (code, "as simulated")),
            timestamp: now / 1_000,
        });
        let mut element = value_of(&text)["statuses"][0].take();
        if let (None, Some(_), Some(bsuid)) = (&who.group, &phone, &bsuid) {
            element["recipient_user_id"] = json!(bsuid);
        }
        self.pending.push(self.events.len());
        self.events.push(Event {
            name,
            kind: Kind::Status,
            field: "messages",
            number: who.number.into(),
            waba: waba_of(who.number),
            ids: who.ids(phone, bsuid),
            status: Some(of),
            echo: None,
            wamid: String::new(),
            element,
            contact: None,
        });
    }

    /// What waits becomes notifications.
    pub fn posts(&mut self, luck: &mut Luck, batch: usize) -> Vec<Post> {
        let mut posts = Vec::new();
        while !self.pending.is_empty() {
            let size = (1 + luck.below(batch)).min(self.pending.len());
            let events = self.pending.drain(..size).collect();
            posts.push(Post { events, tries: 0 });
        }
        posts
    }

    /// Not answered with 200: again later, perhaps in other company.
    pub fn again(&mut self, luck: &mut Luck, faults: &Faults, post: Post) -> Vec<(i64, Post)> {
        let tries = post.tries + 1;
        let wait = (2_000_i64 << tries.min(10)).min(AGAIN_MAX_MS);
        if !luck.chance(faults.regrouped) {
            return vec![(wait, Post { tries, ..post })];
        }
        let mut parts = vec![Vec::new(); 3];
        for event in post.events {
            parts[luck.below(3)].push(event);
        }
        parts.retain(|events| !events.is_empty());
        parts
            .into_iter()
            .map(|events| (luck.between(wait / 2, wait), Post { events, tries }))
            .collect()
    }

    /// The notification's bytes, and its events in the order in which they
    /// stand in it. The same post gives the same bytes.
    pub fn body(&self, post: &Post) -> (String, Vec<usize>) {
        let mut by_number: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for index in &post.events {
            let event = &self.events[*index];
            let key = (event.waba, event.number.as_str());
            by_number.entry(key).or_default().push(*index);
        }
        let mut entries: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        let mut order = Vec::new();
        for ((waba, number), events) in by_number {
            let changes = entries.entry(waba).or_default();
            let in_lists = |index: &usize| self.events[*index].field == "messages";
            let (in_lists, alone): (Vec<usize>, Vec<usize>) =
                events.into_iter().partition(in_lists);
            changes.extend(alone.iter().map(|index| self.news(*index, &mut order)));
            if !in_lists.is_empty() {
                changes.push(self.change(number, &in_lists, &mut order));
            }
        }
        let entry = |(waba, changes)| json!({"id": waba, "changes": changes});
        let entries: Vec<Value> = entries.into_iter().map(entry).collect();
        let body = json!({"object": "whatsapp_business_account", "entry": entries});
        (sample::wire_json(&body), order)
    }

    fn news(&self, index: usize, order: &mut Vec<usize>) -> Value {
        order.push(index);
        let event = &self.events[index];
        json!({"field": event.field, "value": event.element})
    }

    fn change(&self, number: &str, events: &[usize], order: &mut Vec<usize>) -> Value {
        let mut value = about(number);
        let contacts = events
            .iter()
            .filter_map(|i| self.events[*i].contact.clone());
        let contacts: Vec<Value> = contacts.collect();
        if !contacts.is_empty() {
            value["contacts"] = json!(contacts);
        }
        for (list, kind) in [("messages", Kind::Message), ("statuses", Kind::Status)] {
            let of_kind: Vec<usize> = events
                .iter()
                .copied()
                .filter(|i| self.events[*i].kind == kind)
                .collect();
            if !of_kind.is_empty() {
                let elements: Vec<&Value> =
                    of_kind.iter().map(|i| &self.events[*i].element).collect();
                value[list] = json!(elements);
                order.extend(of_kind);
            }
        }
        json!({"field": "messages", "value": value})
    }

    /// Another id of the person a message went to, as Graph's answer may name it.
    pub fn other_id(&self, to: &str) -> Option<String> {
        let who = self.customers.iter().find(|c| c.is(to))?;
        let ids = [who.phone.as_ref(), who.bsuid.as_ref()];
        let ids: Vec<&String> = ids.into_iter().flatten().collect();
        let is_own = ids.iter().any(|id| canonical(id) == canonical(to));
        let mut others = ids.into_iter().filter(|id| canonical(id) != canonical(to));
        let other = others.next().filter(|_| is_own && who.group.is_none());
        other.cloned()
    }
}

impl Customer {
    fn is(&self, id: &str) -> bool {
        let own = [&self.phone, &self.bsuid].into_iter().flatten();
        match &self.group {
            Some(group) => group == id,
            None => own
                .chain(&self.former)
                .any(|own| canonical(own) == canonical(id)),
        }
    }

    /// Another number, and with it another BSUID.
    fn moves(&mut self, luck: &mut Luck, n: usize, now: i64) -> Event {
        let mut event = self.clone().message(luck, n, now);
        let mut system = json!({"type": "user_changed_number", "body": "somebody moved"});
        let phone = self.phone.as_ref().map(|_| format!("1555019{n:04}"));
        let bsuid = self.bsuid.as_ref().map(|_| format!("US.{}", 90_000 + n));
        let old = [
            (&mut self.phone, "wa_id", phone),
            (&mut self.bsuid, "user_id", bsuid),
        ];
        for (own, key, new) in old {
            if let Some(new) = new {
                system[key] = json!(new);
                event.ids.push(new.clone());
                self.former.extend(own.replace(new));
            }
        }
        if let Some(element) = event.element.as_object_mut() {
            element.remove("text");
            element.insert("type".into(), json!("system"));
            element.insert("system".into(), system);
        }
        event.contact = None;
        event
    }

    /// Another BSUID, and the number stays.
    fn is_renamed(&mut self, luck: &mut Luck, n: usize) -> Event {
        let new = format!("US.{}", 90_000 + n);
        let old = self.bsuid.replace(new.clone()).expect("it is looked at");
        let phone = self.phone.clone().filter(|_| luck.chance(0.5));
        let phone = phone.map(|phone| respelt(luck, &phone));
        let mut update = json!({"user_id": {"previous": old, "current": new}});
        if let Some(phone) = &phone {
            update["wa_id"] = json!(phone);
        }
        let mut value = about(self.number);
        value["user_id_update"] = json!([update]);
        self.former.push(old.clone());
        Event {
            name: format!("ids {new}"),
            kind: Kind::Other,
            field: "user_id_update",
            number: self.number.into(),
            waba: waba_of(self.number),
            ids: [Some(new), phone, Some(old)]
                .into_iter()
                .flatten()
                .collect(),
            status: None,
            echo: None,
            wamid: String::new(),
            element: value,
            contact: None,
        }
    }

    /// The ids Meta gives this time: now one, now the other, now both.
    fn names(&self, luck: &mut Luck, known: Option<&str>) -> (Option<String>, Option<String>) {
        let is = |own: &&String| known.is_some_and(|id| canonical(own) == canonical(id));
        if let Some(id) = self.former.iter().find(is) {
            return match id.starts_with("US.") {
                true => (None, Some(id.clone())),
                false => (Some(respelt(luck, id)), None),
            };
        }
        let phone = self.phone.as_ref().map(|phone| respelt(luck, phone));
        let both = (phone, self.bsuid.clone());
        let (Some(phone), Some(_)) = &both else {
            return both;
        };
        // A status always repeats the id that was written to.
        let by_phone =
            known.map_or_else(|| luck.chance(0.5), |id| canonical(id) == canonical(phone));
        match (luck.chance(0.2), by_phone) {
            (true, _) => both,
            (false, true) => (both.0, None),
            (false, false) => (None, both.1),
        }
    }

    fn ids(&self, phone: Option<String>, bsuid: Option<String>) -> Vec<String> {
        match &self.group {
            Some(group) => vec![group.clone()],
            None => bsuid.into_iter().chain(phone).collect(),
        }
    }

    /// A message, by an ad or not.
    fn writes(&mut self, luck: &mut Luck, n: usize, by_ad: bool, now: i64) -> Event {
        self.person.wrote.push((now, by_ad));
        let mut event = self.clone().message(luck, n, now);
        if by_ad {
            event.element["referral"] = json!({"source_type": "ad", "ctwa_clid": "x"});
        }
        event
    }

    fn message(self, luck: &mut Luck, n: usize, now: i64) -> Event {
        let (phone, bsuid) = self.names(luck, None);
        let from = phone.as_deref().unwrap_or_default();
        let wamid = format!("wamid.in{n}");
        let text = sample::notification(
            "text",
            &Sample {
                number: self.number,
                waba: waba_of(self.number),
                from,
                user_id: bsuid.as_deref(),
                text: &format!("message {n}"),
                id: &wamid,
                timestamp: now / 1_000,
                ..Sample::default()
            },
        );
        let mut value = value_of(&text.expect("text is a kind"));
        let mut element = value["messages"][0].take();
        if let Some(group) = &self.group {
            element["group_id"] = json!(group);
        }
        Event {
            name: format!("message {wamid}"),
            kind: Kind::Message,
            field: "messages",
            number: self.number.into(),
            waba: waba_of(self.number),
            ids: self.ids(phone, bsuid),
            status: None,
            echo: None,
            wamid,
            element,
            contact: Some(value["contacts"][0].take()),
        }
    }
}

/// A value that is about a number.
fn about(number: &str) -> Value {
    json!({"messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550109000", "phone_number_id": number}})
}

/// A number of São Paulo in either spelling; everything else as it is.
fn respelt(luck: &mut Luck, id: &str) -> String {
    match (canonical(id) == id, luck.chance(0.5)) {
        (false, true) => canonical(id),
        _ => id.to_owned(),
    }
}

/// The value of a notification's only change.
pub fn value_of(body: &str) -> Value {
    let mut body: Value = serde_json::from_str(body).expect("it was written as JSON");
    body["entry"][0]["changes"][0]["value"].take()
}

/// The names of all events in a delivered body.
pub fn names_of(body: &str) -> Vec<String> {
    let value = value_of(body);
    let name = |message: &Value| format!("message {}", message["id"].as_str().unwrap_or_default());
    match value["messages"].as_array() {
        Some(messages) => messages.iter().map(name).collect(),
        None => vec![name_of(body)],
    }
}

/// The name of the one event in a stored body.
pub fn name_of(body: &str) -> String {
    let value = value_of(body);
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let (message, status) = (&value["messages"][0], &value["statuses"][0]);
    let (echo, update) = (&value["message_echoes"][0], &value["user_id_update"][0]);
    match (message.is_object(), status.is_object()) {
        _ if echo.is_object() => format!("echo {}", text(&echo["id"])),
        _ if update.is_object() => format!("ids {}", text(&update["user_id"]["current"])),
        (true, _) => format!("message {}", text(&message["id"])),
        (_, true) => format!("status {} {}", text(&status["id"]), text(&status["status"])),
        _ => format!("news {}", value["message_template_id"]),
    }
}
