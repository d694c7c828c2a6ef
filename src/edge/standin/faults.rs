//! What can go wrong at the stand-in, and when: values and dice, no sockets, no clock.
//!
//! The dice are seeded, so one seed gives one sequence of faults; which call meets which fault
//! still depends on the order in which calls arrive.

use std::time::Duration;

use crate::wire::sample::mix;

/// When a fault happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Chance {
    /// Every time.
    Always,
    /// The next so many times, then no more.
    Next(u32),
    /// Not the first so many times, then so many times, then no more.
    After(u32, u32),
    /// That share of times, from 0.0 to 1.0.
    Share(f64),
    /// Every time from then to then, counted from when the faults were set.
    During(Duration, Duration),
}

impl Chance {
    /// `since`: how long the faults are in force.
    fn fires(&mut self, dice: &mut Dice, since: Duration) -> bool {
        match self {
            Chance::Always => true,
            Chance::Next(left) => {
                let fires = *left > 0;
                *left = left.saturating_sub(1);
                fires
            }
            Chance::After(0, left) => {
                let fires = *left > 0;
                *left = left.saturating_sub(1);
                fires
            }
            Chance::After(skip, _) => {
                *skip -= 1;
                false
            }
            Chance::Share(share) => dice.share() < *share,
            Chance::During(from, to) => (*from..*to).contains(&since),
        }
    }
}

/// What happens to a `POST …/messages` that is in order.
#[derive(Clone, Debug, PartialEq)]
pub enum CallFault {
    /// 400 with code 130429: the number's throughput is reached.
    Throttled,
    /// 400 with code 131056: too many messages to one recipient.
    PairLimited,
    /// HTTP 429 with `Retry-After` in seconds.
    TooManyRequests(u32),
    /// 500 with code 131000. Nothing was accepted, but a client cannot know.
    ServerError,
    /// 502 with a page of HTML, as from a proxy. Nothing was accepted.
    BadGateway,
    /// A page of HTML with that status, as from a proxy on the way. Nothing was accepted.
    Page(u16),
    /// The message is accepted, and a page of HTML with that status is all the client gets.
    PageAfter(u16),
    /// An error of Graph's: HTTP status, code and title.
    Refused(u16, i64, String),
    /// The connection closes without an answer; nothing was accepted.
    LostBefore,
    /// The message is accepted, then the connection closes without an answer.
    LostAfter,
    /// The message is accepted, then the connection closes in the middle of the answer.
    CutAfter,
    /// Nothing happens for so long, then the call is served as usual: accepted even when the
    /// client has gone meanwhile.
    StallBefore(Duration),
    /// The message is accepted at once, its answer comes so much later.
    StallAfter(Duration),
    /// The message is accepted at once, its answer comes byte by byte, so far apart.
    TrickleAfter(Duration),
}

/// What happens to the statuses of an accepted message. Several may meet.
#[derive(Clone, Debug, PartialEq)]
pub enum StatusFault {
    /// No status ever comes.
    Silent,
    /// The first status is delivered before Graph's answer to the send.
    Early,
    /// Every status comes so much later.
    Late(Duration),
    /// Each status is delivered twice, both acknowledged.
    Doubled,
    /// `read` comes first, `sent` last.
    Reversed,
    /// All at once, in whatever order the threads bring them.
    AtOnce,
    /// Instead of the others: `failed` with that code and title.
    Failed(i64, String),
}

/// The faults in force. Of `calls` the first one that fires happens, in the order they are
/// listed; of `statuses` all that fire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Faults of calls.
    pub calls: Vec<(Chance, CallFault)>,
    /// Faults of statuses.
    pub statuses: Vec<(Chance, StatusFault)>,
    /// Every call is answered 401 with code 190, as when the token has expired.
    pub token_expired: bool,
}

impl Faults {
    /// None at all.
    pub fn none() -> Self {
        Faults::default()
    }

    /// With one more fault of calls.
    pub fn call(mut self, chance: Chance, fault: CallFault) -> Self {
        self.calls.push((chance, fault));
        self
    }

    /// With one more fault of statuses.
    pub fn status(mut self, chance: Chance, fault: StatusFault) -> Self {
        self.statuses.push((chance, fault));
        self
    }

    /// With the token expired.
    pub fn expired(mut self) -> Self {
        self.token_expired = true;
        self
    }

    pub(super) fn next_call(&mut self, dice: &mut Dice, since: Duration) -> Option<CallFault> {
        self.calls
            .iter_mut()
            .find_map(|(chance, fault)| chance.fires(dice, since).then(|| fault.clone()))
    }

    pub(super) fn next_statuses(&mut self, dice: &mut Dice, since: Duration) -> Vec<StatusFault> {
        self.statuses
            .iter_mut()
            .filter_map(|(chance, fault)| chance.fires(dice, since).then(|| fault.clone()))
            .collect()
    }
}

/// How long after what a status comes.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// From the acceptance to `sent` (or `failed`).
    pub sent: Duration,
    /// From the acknowledged `sent` to `delivered`.
    pub delivered: Duration,
    /// From the acknowledged `delivered` to `read`.
    pub read: Duration,
    /// The wait before the second attempt at a callback that did not answer 200; doubles with
    /// each further one …
    pub redeliver_first: Duration,
    /// … up to this.
    pub redeliver_max: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Delays {
            sent: Duration::from_millis(5),
            delivered: Duration::from_millis(5),
            read: Duration::from_millis(5),
            redeliver_first: Duration::from_millis(50),
            redeliver_max: Duration::from_secs(1),
        }
    }
}

impl Delays {
    /// The wait after attempt number `attempt` (from 1) failed.
    pub(super) fn again_after(&self, attempt: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        self.redeliver_first
            .saturating_mul(doubled)
            .min(self.redeliver_max)
    }
}

/// One status to deliver.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub status: &'static str,
    pub after: Duration,
    pub error: Option<(i64, String)>,
}

/// The statuses of one message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub steps: Vec<Step>,
    /// The first step is attempted before the send is answered.
    pub early: bool,
    /// Each step waits until the one before was acknowledged.
    pub in_turn: bool,
}

/// What the statuses of a message become under these faults.
pub(super) fn plan(faults: &[StatusFault], delays: &Delays) -> Plan {
    let step = |status, after| Step {
        status,
        after,
        error: None,
    };
    let mut plan = Plan {
        steps: vec![
            step("sent", delays.sent),
            step("delivered", delays.delivered),
            step("read", delays.read),
        ],
        early: false,
        in_turn: true,
    };
    // Which statuses come is settled before how they come, whatever the order of the faults.
    for fault in faults {
        match fault {
            StatusFault::Silent => plan.steps.clear(),
            StatusFault::Failed(code, title) if !plan.steps.is_empty() => {
                let error = Some((*code, title.clone()));
                plan.steps = vec![Step {
                    error,
                    ..step("failed", delays.sent)
                }];
            }
            _ => {}
        }
    }
    for fault in faults {
        match fault {
            StatusFault::Early => plan.early = true,
            StatusFault::Late(by) => plan.steps.iter_mut().for_each(|step| step.after += *by),
            StatusFault::Doubled => {
                plan.steps = plan
                    .steps
                    .into_iter()
                    .flat_map(|step| [step.clone(), step])
                    .collect();
            }
            StatusFault::Reversed => plan.steps.reverse(),
            StatusFault::AtOnce => plan.in_turn = false,
            StatusFault::Silent | StatusFault::Failed(..) => {}
        }
    }
    plan
}

/// SplitMix64: small, seeded, good enough for faults.
pub(super) struct Dice(pub u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        let now = self.0;
        // `mix` adds this constant itself, so the state walks in step with the reference generator.
        self.0 = now.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(now)
    }

    fn share(&mut self) -> f64 {
        // The upper 53 bits fill an f64 exactly.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(faults: &[StatusFault]) -> String {
        let plan = plan(faults, &Delays::default());
        let steps: Vec<_> = plan.steps.iter().map(|step| step.status).collect();
        format!(
            "{}{}{}",
            if plan.early { "early " } else { "" },
            if plan.in_turn { "" } else { "at once " },
            steps.join(" ")
        )
    }

    #[test]
    fn status_faults_change_what_comes() {
        use StatusFault::*;
        let failed = Failed(131_026, "Message undeliverable".into());
        let rows: &[(&[StatusFault], &str)] = &[
            (&[], "sent delivered read"),
            (&[Silent], ""),
            (&[Early], "early sent delivered read"),
            (&[Reversed], "read delivered sent"),
            (&[Doubled], "sent sent delivered delivered read read"),
            (&[AtOnce], "at once sent delivered read"),
            (&[Early, Reversed], "early read delivered sent"),
            (std::slice::from_ref(&failed), "failed"),
            (&[Doubled, failed.clone()], "failed failed"),
            (&[Silent, failed.clone()], ""),
        ];
        for (faults, expected) in rows {
            assert_eq!(words(faults), *expected, "{faults:?}");
        }
        let late = plan(
            &[StatusFault::Late(Duration::from_secs(9))],
            &Delays::default(),
        );
        assert!(
            late.steps
                .iter()
                .all(|step| step.after > Duration::from_secs(9))
        );
    }

    #[test]
    fn chances_fire_as_they_say() {
        let dice = &mut Dice(7);
        let second = Duration::from_secs(1);
        let rows = [
            (Chance::Always, "xxxxx"),
            (Chance::Next(2), "xx..."),
            (Chance::After(1, 2), ".xx.."),
            (Chance::During(second, 3 * second), ".xx.."),
            (Chance::Share(0.0), "....."),
            (Chance::Share(1.0), "xxxxx"),
        ];
        for (mut chance, expected) in rows {
            let fired: String = (0..5)
                .map(|n| {
                    if chance.fires(dice, n * second) {
                        'x'
                    } else {
                        '.'
                    }
                })
                .collect();
            assert_eq!(fired, expected, "{chance:?}");
        }
        let mut share = Chance::Share(0.25);
        let fired = (0..10_000).filter(|_| share.fires(dice, second)).count();
        assert!((2_300..2_700).contains(&fired), "{fired}");
    }

    #[test]
    fn one_seed_is_one_sequence() {
        // The first outputs of the reference SplitMix64 for seed 0.
        let mut dice = Dice(0);
        assert_eq!(
            [dice.next(), dice.next()],
            [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]
        );
    }

    #[test]
    fn the_first_fault_that_fires_happens_and_is_used_up() {
        let mut faults = Faults::none()
            .call(Chance::Next(1), CallFault::Throttled)
            .call(Chance::Next(1), CallFault::LostAfter);
        let dice = &mut Dice(1);
        let met: Vec<_> = (0..3)
            .map(|_| faults.next_call(dice, Duration::ZERO))
            .collect();
        assert_eq!(
            met,
            [Some(CallFault::Throttled), Some(CallFault::LostAfter), None]
        );
    }

    #[test]
    fn redelivery_backs_off_to_its_bound() {
        let delays = Delays::default();
        let waits: Vec<_> = [1, 2, 3, 6, 60]
            .map(|attempt| delays.again_after(attempt).as_millis())
            .into();
        assert_eq!(waits, [50, 100, 200, 1_000, 1_000]);
    }
}
