//! Customers' files on their way to us.

use super::*;
use crate::gateway::inbox::MediaState;
use crate::policy::fetch::{LIFE_MS, Stored};
use crate::wire::media::{Digest, Kinds};

fn bench(kinds: &str) -> Bench {
    Bench::with(Limits {
        media_kinds: Kinds::parse(kinds).unwrap(),
        ..Limits::default()
    })
}

impl Bench {
    /// Somebody sends a file; `n` is its media id, too.
    pub(super) fn send_file(&mut self, kind: &str, n: u64, from: &str) -> Received {
        let body = format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"id":"1","changes":[{{"field":"messages",
            "value":{{"metadata":{{"phone_number_id":"{NUMBER}"}},"messages":[{{"id":"wamid.f{n}",
            "from":"{from}","type":"{kind}","{kind}":{{"id":"{n}","mime_type":"image/jpeg"}}}}]}}}}]}}]}}"#
        );
        self.receive(&body)
    }

    /// State, attempts and error of the only file of an event.
    fn file(&self, event: EventId) -> (MediaState, u32, Option<String>) {
        let row = self.database.read(|tx| inbox::event(tx, event)).unwrap();
        let file = row.unwrap().media.remove(0);
        (file.state, file.attempts, file.error)
    }
}

pub(super) fn stored() -> Fetch {
    Fetch::Fetched(Stored {
        file: "abc.jpg".into(),
        bytes: 3,
        sha256: Digest([7; 32]),
        mime_type: Some("image/png".into()),
    })
}

#[test]
fn files_of_wanted_kinds_are_queued_with_their_event_and_come_in_parallel() {
    let mut bench = bench("image,document");
    let received = bench.send_file("image", 1, ANN);
    assert!(received.to_fetch && received.to_deliver);
    bench.send_file("document", 2, ANN);
    assert!(!bench.send_file("video", 3, ANN).to_fetch);
    assert!(!bench.send_file("image", 1, ANN).to_fetch, "a duplicate");
    assert!(!bench.write(ANN, None).to_fetch);
    // The delivery of the first does not hold them up, nor they it.
    let fetches = bench.fetches();
    let ids: Vec<&str> = fetches.iter().map(|f| f.media_id.as_str()).collect();
    assert_eq!(ids, ["1", "2"]);
    assert_eq!(fetches[0].number, NUMBER);
    assert_eq!(bench.deliveries().len(), 1);
}

#[test]
fn nothing_is_fetched_when_nobody_asked_for_it() {
    let mut bench = Bench::new();
    assert!(!bench.send_file("image", 1, ANN).to_fetch);
    assert!(bench.fetches().is_empty());
}

#[test]
fn a_fetched_file_is_found_by_its_id_and_fetched_no_more() {
    let mut bench = bench("all");
    bench.send_file("image", 77, ANN);
    let find = |bench: &Bench| bench.database.read(|tx| tx.fetched_media("77")).unwrap();
    assert!(find(&bench).is_none());
    let fetching = bench.fetches().remove(0);
    assert_eq!(bench.file(1).0, MediaState::Pending);
    bench.fetched(&fetching, &stored());
    let media = find(&bench).unwrap();
    assert_eq!(media.file.as_deref(), Some("abc.jpg"));
    assert_eq!(
        (media.bytes, media.mime_type.as_deref()),
        (Some(3), Some("image/png"))
    );
    assert_eq!(bench.file(1), (MediaState::Fetched, 1, None));
    // The same outcome once more, from a worker that was thought lost.
    bench.fetched(&fetching, &Fetch::WrongDigest);
    assert_eq!(bench.file(1).0, MediaState::Fetched);
    assert!(bench.fetches().is_empty());
}

#[test]
fn a_file_that_cannot_be_had_is_tried_again_and_then_given_up() {
    let mut bench = bench("all");
    bench.send_file("image", 1, ANN);
    for attempt in 1..=4 {
        let fetching = bench.fetches().remove(0);
        assert_eq!(fetching.attempt, attempt);
        bench.fetched(&fetching, &Fetch::WrongDigest);
        assert!(bench.fetches().is_empty(), "it waits first");
        bench.now += MINUTE;
    }
    let (state, attempts, error) = bench.file(1);
    assert_eq!((state, attempts), (MediaState::Failed, 4));
    assert!(error.unwrap().contains("SHA-256"));
    assert!(bench.fetches().is_empty());
    // A replay of the event tries it anew.
    let delivery = bench.deliveries().remove(0);
    bench.delivered(&delivery, &done());
    let now = bench.now;
    let replayed = bench.database.commit(|tx| inbox::replay(tx, now, 1));
    assert_eq!(replayed.unwrap(), inbox::Replayed::Again);
    assert_eq!(bench.fetches().remove(0).attempt, 1);
}

#[test]
fn a_file_is_tried_as_long_as_meta_keeps_it() {
    let mut bench = bench("all");
    bench.send_file("image", 1, ANN);
    let later = Fetch::Later {
        reason: "cut off".into(),
        wait: None,
        down: false,
    };
    let start = bench.now;
    while let [fetching] = &bench.fetches()[..] {
        bench.fetched(fetching, &later);
        bench.now += 20 * MINUTE;
        assert!(bench.now < start + LIFE_MS + 60 * MINUTE, "no end");
    }
    assert!(bench.now > start + LIFE_MS);
    let (state, _, error) = bench.file(1);
    assert_eq!(
        (state, error.unwrap().contains("7 days")),
        (MediaState::Failed, true)
    );
}

#[test]
fn when_meta_is_down_one_file_at_a_time_tries() {
    let mut bench = bench("all");
    (1..=9).for_each(|n| _ = bench.send_file("image", n, ANN));
    for fetching in bench.fetches() {
        bench.fetched(&fetching, &Fetch::down("refused"));
    }
    bench.now += 10 * MINUTE;
    let probe = bench.fetches();
    assert_eq!(probe.len(), 1);
    bench.fetched(&probe[0], &stored());
    assert_eq!(bench.fetches().len(), 8);
    // Deliveries never felt it.
    assert_eq!(bench.deliveries().len(), 1);
}

#[test]
fn meta_is_given_the_pause_it_asks_for() {
    let mut bench = bench("all");
    bench.send_file("image", 1, ANN);
    bench.send_file("image", 2, ANN);
    let fetches = bench.fetches();
    let throttled = Fetch::Later {
        reason: "throttled".into(),
        wait: Some(Duration::from_secs(90)),
        down: true,
    };
    bench.fetched(&fetches[0], &throttled);
    bench.send_file("image", 3, ANN);
    let claimed = bench.claim(QueueKind::Fetch);
    assert!(claimed.work.is_empty());
    assert_eq!(claimed.next_due, Some(bench.now + 90_000));
}

#[test]
fn a_fetch_that_a_crash_cut_off_is_made_again() {
    let mut bench = bench("all");
    bench.send_file("image", 1, ANN);
    bench.fetches();
    let recovered = bench.restart("token");
    assert_eq!((recovered.fetches, recovered.deliveries), (1, 0));
    assert_eq!(bench.fetches().remove(0).attempt, 2);
}

#[test]
fn a_file_keeps_its_lane_when_conversations_become_one() {
    let mut bench = bench("all");
    bench.write(ANN, None);
    bench.write("", Some(ANN_BSUID));
    for n in 1..=3 {
        bench.send_file("image", n, BOB);
    }
    bench.write(ANN, Some(ANN_BSUID));
    assert_eq!(bench.fetches().len(), 3);
}

/// MEDIA_DIR was taken out, and its event stayed for ever, with all after it.
#[test]
fn what_nobody_fetches_is_given_up_when_meta_has_it_no_more() {
    let mut bench = bench("all");
    let old = bench.send_file("image", 1, ANN).first.unwrap();
    bench.now += LIFE_MS;
    let young = bench.send_file("image", 2, BOB).first.unwrap();
    let give_up = |bench: &mut Bench| {
        let now = bench.now;
        let step = |tx: &Tx<'_>| fetch::give_up_old(tx, now, 10);
        bench.database.commit(step).unwrap()
    };
    assert_eq!(give_up(&mut bench), 0);
    bench.now += 1;
    assert_eq!(give_up(&mut bench), 1);
    assert_eq!(give_up(&mut bench), 0);
    assert_eq!(bench.file(old).0, MediaState::Failed);
    assert_eq!(bench.file(young).0, MediaState::Pending);
    assert_eq!(bench.fetches().len(), 1);
}
