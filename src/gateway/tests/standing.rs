//! What Meta thinks of our numbers.

use super::*;
use crate::gateway::standing;
use crate::policy::standing::Quality;
use crate::wire::setup;

#[test]
fn a_number_is_known_by_how_it_is_shown_and_stands_as_was_told_last() {
    let mut bench = Bench::new();
    bench.queue(ANN, 1);
    let numbers = |bench: &Bench| bench.database.read(standing::numbers).unwrap();
    let known = numbers(&bench).remove(0);
    assert_eq!((known.queue.name.as_str(), known.told), (NUMBER, None));
    let display = known.display.unwrap();
    let tell = |bench: &mut Bench, event: &str, limit: &str| {
        bench.now += MINUTE;
        let body = format!(
            r#"{{"entry":[{{"id":"1","time":{},"changes":[{{"field":"phone_number_quality_update","value":{{"display_phone_number":"{display}","event":"{event}","current_limit":"{limit}"}}}}]}}]}}"#,
            bench.now
        );
        bench.receive(&body);
    };
    tell(&mut bench, "UPGRADE", "TIER_10K");
    tell(&mut bench, "FLAGGED", "TIER_1K");
    let (standing, at) = numbers(&bench).remove(0).told.unwrap();
    assert_eq!(standing.quality, Some(Quality::Low));
    assert_eq!(
        (standing.limit.as_deref(), at),
        (Some("TIER_1K"), bench.now)
    );
    assert_eq!(numbers(&bench).len(), 1, "news of numbers open no queue");
    let asked = setup::Number {
        quality: Some("GREEN".into()),
        ..setup::Number::default()
    };
    let (now, asked) = (bench.now + MINUTE, [(NUMBER.to_owned(), asked)]);
    let note = |tx: &Tx<'_>| standing::note_asked(tx, now, &asked);
    bench.database.commit(note).unwrap();
    let (standing, at) = numbers(&bench).remove(0).told.unwrap();
    assert_eq!((standing.quality, at), (Some(Quality::Fine), now));
    assert_eq!(standing.limit.as_deref(), Some("TIER_1K"));
}

#[test]
fn how_a_number_is_shown_is_known_at_once() {
    let mut bench = Bench::new();
    let shown = |bench: &Bench| {
        let look = |tx: &Tx<'_>| tx.any_event_of_number(NUMBER);
        let shown = bench.database.read(look).unwrap();
        shown.map(|event| event.id)
    };
    assert_eq!(shown(&bench), None);
    bench.write(ANN, None);
    assert_eq!(shown(&bench), Some(1));
}
