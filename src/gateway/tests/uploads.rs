//! Files that Meta has from us, and how we learn that it has them no more.

use super::*;
use crate::wire::media::Digest;

const DIGEST: Digest = Digest([7; 32]);
const OTHER: Digest = Digest([8; 32]);

impl Bench {
    /// A file was uploaded, and its message goes out; the attempt.
    fn send_uploaded(&mut self, media_id: &str) -> Sending {
        let (gateway, now) = (&self.gateway, self.now);
        let body = format!(
            r#"{{"messaging_product":"whatsapp","to":"{ANN}","type":"image","image":{{"id":"{media_id}"}}}}"#
        );
        let post = Post {
            number: NUMBER.into(),
            body,
            idempotency_key: None,
        };
        let posted = self.database.commit(|tx| {
            gateway.keep_upload(tx, now, NUMBER, &DIGEST, "image/jpeg", media_id)?;
            gateway.keep_upload(tx, now, NUMBER, &OTHER, "image/jpeg", "other")?;
            gateway.post(tx, now, &post)
        });
        posted.unwrap();
        self.sends().remove(0)
    }

    fn knows(&self, digest: &Digest) -> bool {
        let look = |tx: &Tx<'_>| {
            let gateway = &self.gateway;
            gateway.uploaded(tx, self.now, NUMBER, digest, "image/jpeg")
        };
        self.database.read(look).unwrap().is_some()
    }

    fn failed(&mut self, wamid: &str, code: i64) {
        let body = sample::status(&Status {
            number: NUMBER,
            display: "15550109000",
            waba: "1",
            wamid,
            status: "failed",
            recipient: Recipient::Phone(ANN),
            user_id: None,
            opaque: None,
            error: Some((code, "x")),
            timestamp: 1,
        });
        self.receive(&body);
    }
}

/// How a refusal is heard of.
#[derive(Clone, Copy, Debug)]
enum Heard {
    Answer,
    Status,
    /// A status that came before the answer.
    EarlyStatus,
}

#[test]
fn an_id_that_may_be_gone_is_not_used_again_however_it_is_heard_of() {
    for heard in [Heard::Answer, Heard::Status, Heard::EarlyStatus] {
        for (code, forgotten) in [
            (100, true),
            (131_009, true),
            (131_053, true),
            (131_026, false),
            (131_047, false),
        ] {
            let mut bench = Bench::new();
            let sending = bench.send_uploaded("77");
            assert!(bench.knows(&DIGEST));
            match heard {
                Heard::Answer => {
                    bench.sent(&sending, &error(code, None));
                }
                Heard::Status => {
                    bench.sent(&sending, &accepted("w1"));
                    bench.failed("w1", code);
                }
                Heard::EarlyStatus => {
                    bench.failed("w1", code);
                    assert!(bench.knows(&DIGEST), "whose it is nobody knows yet");
                    bench.sent(&sending, &accepted("w1"));
                }
            }
            let state = bench.outbox(sending.outbox).0;
            assert_eq!(state, SendState::Failed, "{heard:?} {code}");
            assert_eq!(bench.knows(&DIGEST), !forgotten, "{heard:?} {code}");
            assert!(bench.knows(&OTHER), "{heard:?} {code}");
        }
    }
}

#[test]
fn what_passes_leaves_the_id() {
    let mut bench = Bench::new();
    let sending = bench.send_uploaded("77");
    bench.sent(&sending, &error(131_056, None));
    assert!(bench.knows(&DIGEST));
    bench.now += 60 * MINUTE;
    let sending = bench.sends().remove(0);
    bench.sent(&sending, &accepted("w1"));
    bench.status(&sending, "w1", "delivered", true);
    assert!(bench.knows(&DIGEST));
}

#[test]
fn an_id_is_used_for_as_long_as_its_message_may_wait_within_its_life() {
    let mut bench = Bench::new();
    bench.send_uploaded("77");
    let day = 24 * 60 * MINUTE;
    // SEND_MAX_AGE is a day, and a day is left for clocks that differ.
    bench.now += 28 * day;
    assert!(bench.knows(&DIGEST));
    bench.now += 1;
    assert!(!bench.knows(&DIGEST));
}
