//! Random work on a database by two processes, one of which dies now and then,
//! beside a plain model of what must be found.

use super::*;
use crate::policy::priority::Priority;
use crate::policy::talk::{Talk, Turn};
use crate::policy::window::Seen;
use crate::store::{Access, Database, StoreError, Tx};
use crate::wire::notification::{Incoming, Kind, read};
use crate::wire::sample::mix;
use std::collections::BTreeMap;

const QUEUE: QueueId = 1;
const LANES: u64 = 5;
const KEYS: u64 = 300;
const STEPS: u64 = 500;

/// What must be in the store.
#[derive(Clone, Default)]
struct Model {
    /// Also those that were taken out: they are known again.
    events: BTreeMap<u64, EventId>,
    /// The newest that was ever stored.
    newest: (EventId, JobId),
    /// Each job's lane and whether it is open.
    jobs: BTreeMap<JobId, (ConversationId, bool)>,
    /// What was said in each conversation, without what was taken out.
    said: BTreeMap<EventId, ConversationId>,
    talks: BTreeMap<ConversationId, Talk>,
}

impl Model {
    fn first(&self, lane: ConversationId) -> Option<JobId> {
        let open = |(_, (of, open)): &(&JobId, &(ConversationId, bool))| *of == lane && *open;
        self.jobs.iter().find(open).map(|(id, _)| *id)
    }

    fn any(&self, open: bool, luck: u64) -> Option<JobId> {
        let all: Vec<JobId> = self
            .jobs
            .iter()
            .filter(|(_, (_, is_open))| *is_open == open)
            .map(|(id, _)| *id)
            .collect();
        (!all.is_empty()).then(|| all[luck as usize % all.len()])
    }
}

fn body(key: u64) -> String {
    format!(
        r#"{{"entry":[{{"changes":[{{"field":"messages","value":{{"messages":[{{"id":"{key}"}}]}}}}]}}]}}"#
    )
}

fn event(body: &str) -> Incoming<'_> {
    read(body.as_bytes()).unwrap().remove(0)
}

/// What is left of an event in its conversation is as receive leaves it.
fn hear(tx: &Tx<'_>, model: &mut Model, id: EventId, of: ConversationId, seen: Seen) -> Result<()> {
    let turn = Turn {
        event: id,
        kind: Kind::Message,
        field: "messages",
        type_: "",
        at: id,
        seen,
    };
    tx.set_talk(of, tx.talk(of)?.after(&turn));
    let talk = model.talks.entry(of).or_default();
    *talk = talk.after(&turn);
    model.said.insert(id, of);
    Ok(())
}

/// One of the things that happen, done to the store and to the model.
fn act(tx: &Tx<'_>, model: &mut Model, luck: &mut impl FnMut() -> u64) -> Result<()> {
    let lane = 1 + (luck() % LANES) as ConversationId;
    match luck() % 11 {
        0..=3 => {
            let key = luck() % KEYS;
            let body = body(key);
            let seen = Seen {
                opened_at: luck().is_multiple_of(2).then(|| (luck() % 100) as i64),
                ..Seen::default()
            };
            let at = model.newest.0 + 1;
            let stored = tx.insert_event(&event(&body), lane, None, seen, at)?;
            match model.events.get(&key) {
                Some(known) => assert_eq!(stored, None, "{key} is event {known}"),
                None => {
                    let id = stored.expect("it is new");
                    assert!(id > model.newest.0, "{id} was another event's");
                    model.newest.0 = id;
                    model.events.insert(key, id);
                    hear(tx, model, id, lane, seen)?;
                }
            }
        }
        4 | 5 => {
            let event = model.events.values().max().copied();
            let id = tx.push_job(QUEUE, lane, event, None, Priority::Reply, 0)?;
            assert!(id > model.newest.1, "{id} was another job's");
            model.newest.1 = id;
            model.jobs.insert(id, (lane, true));
        }
        6 | 7 => {
            if let Some(id) = model.any(true, luck()) {
                let job = tx.job(id)?.expect("it is in the model");
                tx.end_job(&job, JobState::Done, None, 0)?;
                model.jobs.insert(id, (job.lane, false));
            }
        }
        8 => {
            if let Some(id) = model.any(false, luck()) {
                let job = tx.job(id)?.expect("it is in the model");
                tx.reopen_job(&Job { lane, ..job }, 0)?;
                model.jobs.insert(id, (lane, true));
            }
        }
        9 => {
            let events: Vec<EventId> = model.events.values().copied().collect();
            // Of the newest ones the ids are in danger.
            let id = match luck() % 2 {
                0 => events.iter().max().copied(),
                _ => events.get(luck() as usize % events.len().max(1)).copied(),
            };
            for job in tx.jobs_of_event(id.unwrap_or(0))? {
                if model.jobs.remove(&job.id).is_some_and(|(_, open)| open) {
                    tx.end_job(&job, JobState::Done, None, 0)?;
                }
            }
            let id = id.unwrap_or(0);
            tx.remove_event(id)?;
            if let Some(of) = model.said.remove(&id) {
                let last = model.said.iter().rfind(|(_, other)| **other == of);
                let (last, talk) = (last.map(|(id, _)| *id), model.talks.entry(of).or_default());
                if talk.last_event == Some(id) {
                    tx.set_chain(Log::Events, of, last)?;
                    talk.last_event = last;
                }
            }
        }
        _ => {
            let into = 1 + (luck() % LANES) as ConversationId;
            if into != lane {
                for queue in tx.merge_conversation(lane, into, 0)? {
                    tx.settle_lane(queue, into, 0)?;
                }
                let moved = |(of, open): &(ConversationId, bool)| *of == lane && *open;
                let jobs = model.jobs.values_mut();
                jobs.filter(|job| moved(job)).for_each(|job| job.0 = into);
                let from = model.talks.get(&lane).copied().unwrap_or_default();
                let talk = model.talks.entry(into).or_default();
                talk.seen = talk.seen.merge(from.seen);
                let first = [talk.first_message, from.first_message];
                talk.first_message = first.into_iter().flatten().min();
            }
        }
    }
    Ok(())
}

fn compare(tx: &Tx<'_>, model: &Model) {
    let open = model.jobs.values().filter(|(_, open)| *open).count();
    assert_eq!(tx.depth(QUEUE).unwrap().open, open as i64);
    let lanes = 1..=LANES as ConversationId;
    let mut expected: Vec<JobId> = lanes.filter_map(|lane| model.first(lane)).collect();
    expected.sort_unstable();
    let due = tx.due_jobs(QUEUE, Priority::Reply, 0, 100).unwrap();
    let mut due: Vec<JobId> = due.into_iter().map(|job| job.id).collect();
    due.sort_unstable();
    assert_eq!(
        due, expected,
        "the first of each lane, and no other, is due"
    );
    for (id, expected) in &model.talks {
        let talk = tx.talk(*id).unwrap();
        // When the newest was taken out it may be when one before it came.
        assert!(talk.wrote_at <= expected.wrote_at);
        let wrote_at = expected.wrote_at;
        assert_eq!(Talk { wrote_at, ..talk }, *expected, "conversation {id}");
    }
    let mut last: Vec<_> = model.talks.iter().collect();
    last.sort_unstable_by_key(|(_, talk)| std::cmp::Reverse(talk.last_event));
    let last: Vec<_> = last
        .into_iter()
        .filter_map(|(id, talk)| Some((talk.last_event?, *id)))
        .collect();
    for limit in [1, 3, 10] {
        let words = tx.last_events(EventId::MAX, 0, limit).unwrap();
        let words: Vec<_> = words.iter().map(|w| (w.id, w.conversation)).collect();
        assert_eq!(words, last[..limit.min(last.len())], "{limit}");
    }
}

/// Plays one world in which rows are held back so long.
fn check(seed: u64, filing: Filing) {
    let mut state = seed;
    let mut luck = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(state)
    };
    let another = |database: &Database| database.beside().unwrap().with_filing(filing);
    let mut service = Database::in_memory().unwrap().with_filing(filing);
    let mut visitor = another(&service);
    let made = service.commit(|tx| tx.queue(QueueKind::Deliver, "q"));
    assert_eq!(made.unwrap(), QUEUE);
    for lane in 1..=LANES {
        let made = service.commit(|tx| tx.insert_conversation("1", &lane.to_string()));
        assert_eq!(made.unwrap(), lane as ConversationId);
    }
    let mut model = Model::default();
    for _ in 0..STEPS {
        match luck() % 60 {
            0 => service = another(&visitor),
            1 => std::mem::swap(&mut service, &mut visitor),
            _ => {}
        }
        let (mut after, undone) = (model.clone(), luck().is_multiple_of(20));
        let outcome = service.commit(|tx| {
            for _ in 0..1 + luck() % 4 {
                act(tx, &mut after, &mut luck)?;
            }
            match undone {
                true => Err(StoreError::Full),
                false => Ok(()),
            }
        });
        if undone {
            assert!(matches!(outcome, Err(StoreError::Full)));
        } else {
            outcome.unwrap();
            model = after;
        }
        compare(&service.tx(), &model);
        if luck().is_multiple_of(5) {
            let compared = visitor.read(|tx| {
                compare(tx, &model);
                Ok(())
            });
            compared.unwrap();
        }
    }
    assert_eq!(service.damage().unwrap(), Vec::<String>::new());
}

#[test]
fn what_is_filed_and_what_is_not_are_the_whole() {
    for seed in 0..4 {
        for (most, at_least) in [(0, 0), (2, 0), (10, 0), (10, 1), (30, 8), (10_000, 0)] {
            check(seed, Filing { most, at_least });
        }
    }
}

#[test]
fn what_is_in_memory_has_a_limit_and_so_has_what_a_start_must_file() {
    let most = 50;
    let mut database = Database::in_memory()
        .unwrap()
        .with_filing(Filing { most, at_least: 0 });
    let bodies: Vec<String> = (0..5_000).map(body).collect();
    for some in bodies.chunks(7) {
        let step = |tx: &Tx<'_>| {
            for body in some {
                tx.insert_event(&event(body), 1, None, Seen::default(), 0)?;
                let job = tx.push_job(QUEUE, 1, None, None, Priority::Reply, 0)?;
                // Most jobs end at once; one in ten waits.
                if job % 10 > 0 {
                    let job = tx.job(job)?.expect("just made");
                    tx.end_job(&job, JobState::Done, None, 0)?;
                }
            }
            Ok(())
        };
        database.commit(step).unwrap();
        let unfiled = database.unfiled.borrow();
        in_limits(&unfiled.events);
        in_limits(&unfiled.jobs);
        assert!(unfiled.talks.is_within(most as i64), "events to be read");
    }
}

#[test]
fn a_start_files_what_the_process_before_it_held_back() {
    let bodies: Vec<String> = (0..100).map(body).collect();
    let mut before = Database::in_memory().unwrap();
    let step = |tx: &Tx<'_>| {
        for body in &bodies {
            let id = tx.insert_event(&event(body), 1, None, Seen::default(), 0)?;
            tx.push_job(QUEUE, 1, id, None, Priority::Reply, 0)?;
        }
        Ok(())
    };
    before.commit(step).unwrap();
    let after = before.beside().unwrap();
    let in_index = |table| after.count_of(table).unwrap();
    assert_eq!((in_index("seen"), in_index("lane")), (0, 0));
    after.take_up_rest().unwrap();
    assert_eq!((in_index("seen"), in_index("lane")), (100, 100));
    let unfiled = after.unfiled.borrow();
    assert!(unfiled.events.held && unfiled.jobs.held);
}

fn in_limits<R: Row>(recent: &Recent<R>) {
    let (rows, behind) = (recent.rows.len(), recent.newest - recent.filed);
    assert!(rows <= recent.most + 1, "{rows} {} in memory", R::LOG);
    let most = (BEHIND_MAX + 1) * recent.most;
    assert!(behind <= most as i64, "{behind} {} to be filed", R::LOG);
}

#[test]
fn writing_the_log_back_is_nobody_elses_commit() {
    let name = format!("wabridge-filing-{}.db", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut database = Database::open(&path, Access::Serve).unwrap();
    let beside = Connection::open(&path).unwrap();
    for key in 1..=20 {
        let body = body(key);
        let stored =
            database.commit(|tx| tx.insert_event(&event(&body), 1, None, Seen::default(), 0));
        assert!(stored.unwrap().is_some());
        // Wholly written back, so that the next commit begins the log anew.
        let write_back = "PRAGMA wal_checkpoint(PASSIVE)";
        beside.query_row(write_back, [], |_| Ok(())).unwrap();
        assert_eq!(database.unfiled.borrow().events.rows.len(), key as usize);
    }
    drop((database, beside));
    for end in ["", "-lock", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
}
