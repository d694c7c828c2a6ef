//! Files of older versions with rows in them are brought to this one; those of newer
//! versions and of other programs are left alone.

use super::super::rows::JobState;
use super::super::{Access, Database, Tx};
use super::*;
use crate::policy::handover::Hands;
use crate::policy::priority::Priority;
use crate::policy::talk::Talk;
use crate::policy::window::{Seen, Window};
use std::path::PathBuf;

fn file(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("wabridge-schema-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

#[test]
fn a_file_of_a_newer_version_is_refused_with_the_mend() {
    let path = file("newer.db");
    drop(Database::open(&path, Access::Serve).unwrap());
    Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = Database::open(&path, Access::Serve).err().unwrap();
    assert!(
        matches!(error, StoreError::Newer { found: 99, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("use the newer wabridge"));
}

#[test]
fn a_visit_changes_no_file_of_an_older_version() {
    let path = version_1("visited-1.db", "");
    for _ in 0..2 {
        let error = Database::open(&path, Access::Visit).err().unwrap();
        assert!(matches!(error, StoreError::Older { found: 1, .. }));
        let said = error.to_string();
        assert!(said.contains("`wabridge serve` brings it up to date"));
    }
    drop(Database::open(&path, Access::Serve).unwrap());
    Database::open(&path, Access::Visit).unwrap();
}

#[test]
fn nothing_is_written_into_a_file_that_is_not_ours() {
    let path = file("others.db");
    let _ = std::fs::remove_file(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE other(x)").unwrap();
    drop(other);
    let noise = file("noise.db");
    std::fs::write(&noise, [0x55; 8192]).unwrap();
    for path in [path, noise] {
        let before = std::fs::read(&path).unwrap();
        for access in [Access::Serve, Access::Visit] {
            let error = Database::open(&path, access).err().unwrap();
            assert!(matches!(error, StoreError::Foreign), "{error}");
        }
        assert!(std::fs::read(&path).unwrap() == before);
    }
}

/// A file as version 1 left it, with these rows.
fn version_1(name: &str, rows: &str) -> PathBuf {
    let path = file(name);
    let _ = std::fs::remove_file(&path);
    let old = Connection::open(&path).unwrap();
    old.execute_batch(VERSION_1).unwrap();
    old.execute_batch(rows).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    path
}

#[test]
fn a_file_of_version_1_keeps_its_rows() {
    let path = version_1(
        "version-1.db",
        "INSERT INTO queue(id, kind, name, failures, closed_until, full_at_us)
           VALUES(7, 1, '106540300000001', 2, 5, 9);
         INSERT INTO outbox(id, number, conversation, recipient, type, body, state, wamid,
                            created_at, changed_at)
           VALUES(17, '106540300000001', 3, '15550100001', 'text', '{}', 'sent', 'w', 1, 2);
         INSERT INTO job(id, queue, lane, outbox, state, attempts) VALUES(4, 7, 3, 17, 2, 1);
         INSERT INTO queue(id, kind, name, failures, closed_until, halt, halt_scope,
                           token_digest, halt_since)
           VALUES(8, 1, '2', 3, 90, 'expired: make a new one', 'token', 'aa', 60),
                 (9, 1, '3', 3, 80, 'expired: make a new one', 'token', 'aa', 60),
                 (10, 1, '4', 1, 70, 'locked: appeal', 'account', 'bb', 50),
                 (11, 1, '5', 0, 0, 'no token', 'token', '', 40);
         INSERT INTO conversation(id, number, user) VALUES(3, '106540300000001', '15550100001');",
    );
    let database = Database::open(&path, Access::Serve).unwrap();
    let tx = database.tx();
    let queue = tx.queue_row(7).unwrap().unwrap();
    assert_eq!(
        (queue.name.as_str(), queue.next_us, queue.waba),
        ("106540300000001", 9, None)
    );
    assert_eq!(
        (queue.breaker.failures, queue.breaker.closed_until_ms),
        (2, 5)
    );
    let halts = tx.halts().unwrap();
    let halts: Vec<_> = halts
        .iter()
        .map(|h| (h.scope.as_str(), h.subject.as_str(), h.since, h.probe_at))
        .collect();
    assert_eq!(halts, [("number", "4", 50, 70), ("token", "aa", 60, 90)]);
    let halted = tx.queue_row(9).unwrap().unwrap();
    assert_eq!(halted.token_digest.as_deref(), Some("aa"));
    assert_eq!(halted.breaker, crate::policy::breaker::Breaker::WELL);
    let message = tx.message(17).unwrap().unwrap();
    assert_eq!(message.wamid.as_deref(), Some("w"));
    let job = tx.job_of_outbox(17).unwrap().unwrap();
    assert_eq!((job.attempts, job.media), (1, None));
    assert!(tx.fetched_media("1").unwrap().is_none());
    assert_eq!((message.uncertain, message.resent), (false, 0));
    assert_eq!(message.substitute, None);
    assert_eq!(tx.seen_of(3).unwrap(), Seen::default());
    assert_eq!(tx.hands(3).unwrap(), Hands::default());
    tx.learn_waba("106540300000001", "5").unwrap();
    let queue = tx.queue_row(7).unwrap().unwrap();
    assert_eq!(queue.waba.as_deref(), Some("5"));
}

#[test]
fn what_meta_told_before_version_2_is_no_news() {
    let event = |id: u8| {
        format!(
            "INSERT INTO event VALUES({id}, x'0{id}', 3, 'account_update', '', 'k', 1, 5, '{{}}');"
        )
    };
    let path = version_1("news-1.db", &(event(1) + &event(2)));
    let database = Database::open(&path, Access::Serve).unwrap();
    let tx = database.tx();
    assert_eq!(tx.news_upto().unwrap(), 2);
    assert_eq!(tx.news_after(0, 9).unwrap().len(), 2, "the index has them");
    assert!(tx.alarms().unwrap().is_empty() && tx.next_alert().unwrap().is_none());
}

#[test]
fn the_windows_of_version_1_are_unknown_until_people_write_again() {
    let path = version_1(
        "windows-1.db",
        "INSERT INTO conversation(id, number, user) VALUES(3, '1', 'a');
         INSERT INTO event(id, digest, kind, field, type, key, conversation, received_at, body)
           VALUES(5, 'a', 0, 'messages', 'text', 'a', 3, 1, '');",
    );
    let database = Database::open(&path, Access::Serve).unwrap();
    let (tx, day) = (database.tx(), 86_400_000);
    let window = |now| tx.seen_of(3).unwrap().window(now);
    assert_eq!(window(100 * day), Window::Unknown);
    let seen = tx.seen_of(3).unwrap();
    tx.set_seen(3, seen.heard(None, false, 100 * day)).unwrap();
    assert!(matches!(window(100 * day), Window::Open { .. }));
    assert!(matches!(window(102 * day), Window::Closed { .. }));
}

#[test]
fn what_version_1_had_in_its_indexes_is_found() {
    let path = version_1(
        "version-1-indexes.db",
        "INSERT INTO queue(id, kind, name) VALUES(7, 0, 'bot');
         INSERT INTO job(id, queue, lane, state, due)
           VALUES(4, 7, 3, 2, NULL), (5, 7, 3, 0, 1), (6, 7, 3, 0, NULL);
         INSERT INTO event(id, digest, kind, field, type, key, conversation, received_at, body)
           VALUES(8, x'000102030405060708090a0b0c0d0e0f', 0, 'messages', 'text', 'k', 3, 1, '{}');",
    );
    let database = Database::open(&path, Access::Serve).unwrap();
    let tx = database.tx();
    let digest = std::array::from_fn(|byte| byte as u8);
    assert_eq!(tx.event_by_digest(&digest).unwrap().unwrap().id, 8);
    let first = tx.job(5).unwrap().unwrap();
    tx.end_job(&first, JobState::Done, None, 2).unwrap();
    let due = tx.due_jobs(7, Priority::Reply, 2, 10).unwrap();
    assert_eq!(due.iter().map(|job| job.id).collect::<Vec<_>>(), [6]);
    let pushed = tx.push_job(7, 3, None, None, Priority::Reply, 2);
    assert_eq!(pushed.unwrap(), 7);
    assert_eq!(database.damage().unwrap(), Vec::<String>::new());
}

#[test]
fn the_first_messages_of_version_1_are_known() {
    let path = version_1(
        "contacts-1.db",
        "INSERT INTO conversation(id, number, user, merged_into)
           VALUES(1, '1', 'a', NULL), (2, '1', 'b', 1), (3, '1', 'c', NULL), (4, '1', 'd', NULL);
         INSERT INTO event(id, digest, kind, field, type, key, conversation, received_at, body)
           VALUES(5, 'a', 0, 'messages', 'text', 'a', 2, 1, ''),
                 (6, 'b', 1, 'messages', 'sent', 'b', 3, 1, ''),
                 (7, 'c', 0, 'messages', 'text', 'c', 3, 1, ''),
                 (8, 'd', 0, 'messages', 'text', 'd', 3, 1, ''),
                 (9, 'e', 0, 'history', 'text', 'e', 4, 1, '');",
    );
    let database = Database::open(&path, Access::Serve).unwrap();
    let first = |id| database.tx().contact(id).unwrap().first_message;
    assert_eq!(
        [first(1), first(3), first(4)],
        [Some(0), Some(7), None],
        "joined ones wrote before; a status and a history are no message to us"
    );
}

#[test]
fn jobs_of_version_1_are_claimed_by_their_priority() {
    let path = version_1(
        "version-1-jobs.db",
        "INSERT INTO queue(id, kind, name) VALUES(1, 0, 'bot'), (2, 1, '106540300000001');
         INSERT INTO outbox(id, number, conversation, recipient, type, body, state,
                            created_at, changed_at)
           VALUES(1, '106540300000001', 3, 'a', 'text', '{}', 'queued', 1, 1),
                 (2, '106540300000001', 4, 'b', 'template', '{}', 'queued', 1, 1),
                 (3, '106540300000001', 4, 'b', 'text', '{}', 'queued', 1, 1),
                 (4, '106540300000001', 5, 'c', 'template', '{}', 'unknown', 1, 1),
                 (5, '106540300000001', 6, 'd', 'text', '{}', 'sending', 1, 1);
         INSERT INTO job(id, queue, lane, event, outbox, state, due, attempts)
           VALUES(1, 1, 3, 9, NULL, 0, 10, 0),
                 (2, 2, 3, NULL, 1, 0, 10, 0),
                 (3, 2, 4, NULL, 2, 0, 11, 0),
                 (4, 2, 4, NULL, 3, 0, NULL, 0),
                 (5, 2, 5, NULL, 4, 0, 90, 1),
                 (6, 2, 6, NULL, 5, 1, NULL, 1);",
    );
    let mut database = Database::open(&path, Access::Serve).unwrap();
    let due = |database: &Database, queue, priority, now| -> Vec<i64> {
        let jobs = database.tx().due_jobs(queue, priority, now, 9).unwrap();
        jobs.into_iter().map(|job| job.id).collect()
    };
    assert_eq!(due(&database, 1, Priority::Reply, 50), [1]);
    assert_eq!(due(&database, 2, Priority::Reply, 50), [2]);
    assert_eq!(due(&database, 2, Priority::Bulk, 50), [3]);
    assert_eq!(due(&database, 2, Priority::Bulk, 90), [3, 5]);
    assert_eq!(database.tx().running_jobs().unwrap().len(), 1);
    // What comes after one in its lane has its own priority.
    let end = |tx: &Tx<'_>| {
        let job = tx.job(3)?.expect("it is above");
        assert_eq!(job.burst, None);
        tx.start_job(&job)?;
        tx.end_job(&job, JobState::Done, None, 50)
    };
    database.commit(end).unwrap();
    assert_eq!(due(&database, 2, Priority::Reply, 50), [2, 4]);
}

#[test]
fn what_version_1_stored_is_one_thread_a_conversation() {
    let path = version_1(
        "version-1-thread.db",
        "INSERT INTO conversation(id, number, user, merged_into)
           VALUES(1, '1', 'a', NULL), (2, '1', 'b', 1), (3, '1', 'c', 1), (4, '1', 'd', NULL);
         INSERT INTO event(id, digest, kind, field, type, key, conversation, received_at, body)
           VALUES(1, x'01', 0, 'messages', 'text', 'k', 1, 10, '{}'),
                 (2, x'02', 1, 'messages', 'sent', 'k', 1, 11, '{}'),
                 (3, x'03', 0, 'messages', 'text', 'k', 2, 12, '{}'),
                 (4, x'04', 0, 'messages', 'text', 'k', 3, 13, '{}'),
                 (5, x'05', 2, 'calls', 'connect', 'k', 1, 14, '{}');
         INSERT INTO outbox(id, number, conversation, recipient, type, body, state, created_at,
                            changed_at)
           VALUES(6, '1', 1, 'a', 'text', '{}', 'sent', 15, 15),
                 (7, '1', 1, 'a', 'read', '{}', 'sent', 16, 16),
                 (8, '1', 1, 'a', 'text', '{}', 'sent', 17, 17);",
    );
    let database = Database::open(&path, Access::Serve).unwrap();
    let tx = database.tx();
    let ends = |id| {
        let ends = tx.thread_ends(id).unwrap().unwrap();
        (
            ends.last_event,
            ends.last_message,
            ends.joined,
            ends.next_joined,
        )
    };
    assert_eq!(ends(1), (Some(5), Some(8), Some(3), None));
    assert_eq!(ends(2), (Some(3), None, None, None));
    assert_eq!(ends(3), (Some(4), None, None, Some(2)));
    assert_eq!(ends(4), (None, None, None, None));
    assert_eq!(tx.event_in_thread(5).unwrap().unwrap().1, Some(1));
    assert_eq!(tx.event_in_thread(2).unwrap().unwrap().1, None);
    assert_eq!(tx.message_in_thread(8).unwrap().unwrap().1, Some(6));
    assert_eq!(tx.names_learned().unwrap(), 0, "names are learned from it");
}

#[test]
fn jobs_of_version_3_were_never_opened_again() {
    let path = file("jobs-of-version-3.db");
    let _ = std::fs::remove_file(&path);
    let old = Connection::open(&path).unwrap();
    for version in [VERSION_1, VERSION_2, VERSION_3] {
        old.execute_batch(version).unwrap();
    }
    old.execute_batch("INSERT INTO job(id, queue, lane, outbox, state) VALUES(4, 7, 3, 17, 3)")
        .unwrap();
    old.pragma_update(None, "user_version", 3).unwrap();
    let mut database = Database::open(&path, Access::Serve).unwrap();
    let again = database.commit(|tx| {
        let job = tx.job(4)?.expect("it was kept");
        assert_eq!(job.reopened_at, None);
        tx.reopen_job(&job, 9)?;
        tx.job(4)
    });
    assert_eq!(again.unwrap().unwrap().reopened_at, Some(9));
}

#[test]
fn what_version_2_wrote_of_conversations_is_kept_and_goes_on() {
    let path = file("version-2.db");
    let _ = std::fs::remove_file(&path);
    let old = Connection::open(&path).unwrap();
    old.execute_batch(VERSION_1).unwrap();
    old.execute_batch(VERSION_2).unwrap();
    old.execute_batch(
        "INSERT INTO conversation(id, number, user, last_event, first_message, wrote_at, opened_at)
           VALUES(3, '1', 'a', 6, 5, 20, 10);
         INSERT INTO event(id, digest, kind, field, type, key, conversation, received_at, body)
           VALUES(5, 'a', 0, 'messages', 'text', 'a', 3, 1, ''),
                 (6, 'b', 0, 'messages', 'text', 'b', 3, 20, '');
         INSERT INTO seen VALUES('a', 5), ('b', 6);
         UPDATE filed SET upto = 6 WHERE log = 'event';",
    )
    .unwrap();
    old.pragma_update(None, "user_version", 2).unwrap();
    let database = Database::open(&path, Access::Serve).unwrap();
    let talk = database.read(|tx| tx.talk(3)).unwrap();
    let expected = Talk {
        last_event: Some(6),
        first_message: Some(5),
        wrote_at: 20,
        seen: Seen {
            opened_at: Some(10),
            ..Seen::default()
        },
    };
    assert_eq!(talk, expected);
}

#[test]
fn messages_of_version_3_keep_their_id_and_remember_it_from_then_on() {
    let path = file("version-3.db");
    let _ = std::fs::remove_file(&path);
    let old = Connection::open(&path).unwrap();
    for version in [VERSION_1, VERSION_2, VERSION_3] {
        old.execute_batch(version).unwrap();
    }
    old.execute_batch(
        "INSERT INTO outbox(id, number, conversation, recipient, type, body, state, wamid,
                            created_at, changed_at)
           VALUES(7, '1', 3, 'a', 'text', '{}', 'failed', 'w1', 1, 2);",
    )
    .unwrap();
    old.pragma_update(None, "user_version", 3).unwrap();
    let database = Database::open(&path, Access::Serve).unwrap();
    let tx = database.tx();
    let found = |wamid| {
        tx.message_by_wamid(wamid)
            .unwrap()
            .map(|message| message.id)
    };
    assert_eq!((found("w1"), found("w2")), (Some(7), None));
    tx.set_wamid(7, "w2").unwrap();
    assert_eq!((found("w1"), found("w2")), (Some(7), Some(7)));
}
