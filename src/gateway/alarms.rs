//! Looks for what needs a person, and remembers what was noticed, so that each
//! cause is told once: also across restarts. Free functions: the command line
//! reads the same list.

use super::halts::covers;
use crate::policy::alarm::news::{self, News, Notice};
use crate::policy::alarm::{self, Alarm, Cause, Change, Facts, Limits, QueueFacts};
use crate::policy::retry::Backoff;
use crate::policy::verdict::HaltScope;
use crate::store::rows::{Halt, QueueKind};
use crate::store::tx::Alert;
use crate::store::{Result, Tx};
use crate::wire::setup::Number;

/// Of a queue's jobs so many are looked at for the oldest, those that are due
/// first.
const JOBS_LOOKED_AT: usize = 1_000;

/// Dead letters are counted no further.
const DEAD_MAX: usize = 100;

/// News read in one look; more come with the next.
const NEWS_MAX: usize = 500;

/// Notices that are kept. Templates are 250 an account, 6,000 at most.
const NOTICES_MAX: usize = 10_000;

/// Alerts that wait for ALERT_URL; of more, the oldest go.
const ALERTS_MAX: usize = 1_000;

/// An alert that could not be told for so long is given up.
const ALERT_AGE_MAX_MS: i64 = 3 * 86_400_000;

/// The waits between tries to tell one.
const AGAIN: Backoff = Backoff {
    first_ms: 2_000,
    max_ms: 5 * 60_000,
};

const DAY_MS: i64 = 86_400_000;

/// It is usual that something comes when so many events came at this time of day
/// before.
const USUAL: usize = 3;

/// What a look is made with.
#[derive(Clone, Debug)]
pub struct View {
    /// From when on it is too much.
    pub limits: Limits,
    /// Disks that we write to: the folder, free bytes, all bytes.
    pub disks: Vec<(String, u64, u64)>,
    /// ALERT_URL is set.
    pub alerts: bool,
}

/// What needs a person, as the service last saw it, the longest first.
pub fn standing(tx: &Tx<'_>) -> Result<Vec<Alarm>> {
    tx.alarms()
}

/// Whether a look would change anything; it writes nothing.
pub fn is_due(tx: &Tx<'_>, now: i64, view: &View) -> Result<bool> {
    if !tx.news_after(tx.news_upto()?, 1)?.is_empty() {
        return Ok(true);
    }
    let changes = changes(tx, now, view, tx.notices()?)?;
    Ok(!changes.is_empty())
}

/// Looks, and writes down what changed; that is returned, to be said.
pub fn look(tx: &Tx<'_>, now: i64, view: &View) -> Result<Vec<Change>> {
    let notices = read_news(tx)?;
    let changes = changes(tx, now, view, notices)?;
    for change in &changes {
        apply(tx, now, view, change)?;
    }
    tx.trim_alerts(ALERTS_MAX)?;
    Ok(changes)
}

fn apply(tx: &Tx<'_>, now: i64, view: &View, change: &Change) -> Result<()> {
    let alarm = |cause: &Cause, gone_at| {
        let known = tx.alarms()?.into_iter().find(|alarm| alarm.cause.is(cause));
        let known = known.unwrap_or(Alarm {
            cause: cause.clone(),
            since: now,
            gone_at: None,
            alerted: false,
        });
        Ok::<_, crate::store::StoreError>(Alarm { gone_at, ..known })
    };
    match change {
        Change::Raise(cause) => {
            let raised = alarm(cause, None)?;
            tx.put_alarm(&Alarm {
                alerted: view.alerts,
                ..raised
            })?;
            if view.alerts {
                tx.add_alert(now, cause, now, None)?;
            }
        }
        Change::Gone(cause) => tx.put_alarm(&alarm(cause, Some(now))?)?,
        Change::Back(cause) => tx.put_alarm(&alarm(cause, None)?)?,
        Change::Over(alarm) => {
            tx.end_alarm(&alarm.cause)?;
            if alarm.alerted && view.alerts {
                tx.add_alert(now, &alarm.cause, alarm.since, Some(now))?;
            }
        }
        Change::Alert(known) => {
            tx.add_alert(now, &known.cause, known.since, None)?;
            let alarm = alarm(&known.cause, known.gone_at)?;
            tx.put_alarm(&Alarm {
                alerted: true,
                ..alarm
            })?;
        }
    }
    Ok(())
}

fn changes(tx: &Tx<'_>, now: i64, view: &View, notices: Vec<Notice>) -> Result<Vec<Change>> {
    let facts = facts(tx, now, view, notices)?;
    let causes = alarm::causes(&facts, &view.limits, now);
    Ok(alarm::changes(&tx.alarms()?, &causes, view.alerts, now))
}

fn facts(tx: &Tx<'_>, now: i64, view: &View, notices: Vec<Notice>) -> Result<Facts> {
    let halts = tx.halts()?;
    let mut queues = Vec::new();
    for queue in tx.queues()? {
        if !queue.served || queue.kind == QueueKind::Fetch {
            continue;
        }
        queues.push(QueueFacts {
            sends: queue.kind == QueueKind::Send,
            halted: halts.iter().any(|halt| covers(halt, &queue)),
            down: queue.breaker.probing(),
            oldest: tx.oldest_of(queue.id, JOBS_LOOKED_AT)?,
            dead: tx.dead_at_most(queue.id, DEAD_MAX)?,
            name: queue.name,
        });
    }
    let newest_event = tx
        .events(i64::MAX, 1)?
        .first()
        .map(|event| event.received_at);
    let quiet = alarm::quiet_since(newest_event, &view.limits, now).is_some();
    Ok(Facts {
        halts: halts.iter().map(told).collect(),
        queues,
        newest_event,
        usual: quiet && usual(tx, now, view.limits.quiet_ms.unwrap_or(DAY_MS))?,
        disks: view.disks.clone(),
        notices,
    })
}

/// A halt's scope and whom it met, why, and the mend.
fn told(halt: &Halt) -> (String, String, String) {
    let (reason, mend) = halt.reason_and_mend();
    let scope = halt.scope.as_str();
    let subject = match halt.scope {
        HaltScope::App => scope.to_owned(),
        HaltScope::Account => format!("{scope} {}", halt.subject),
        // A token's own name is its digest, which tells nobody anything.
        HaltScope::Token | HaltScope::Number => format!("{scope} of {}", halt.number),
    };
    (subject, reason.into(), mend.into())
}

/// Whether something came yesterday or a week ago at this time of day; true as
/// well when that is not known.
fn usual(tx: &Tx<'_>, now: i64, span_ms: i64) -> Result<bool> {
    let Some((_, oldest)) = tx.event_from(i64::MIN)? else {
        return Ok(false);
    };
    if oldest > now - DAY_MS - span_ms {
        return Ok(true);
    }
    for ago in [DAY_MS, 7 * DAY_MS] {
        let (from, to) = (now - ago - span_ms, now - ago);
        let Some(first) = first_event_at(tx, from)? else {
            continue;
        };
        let came = tx.events_after(first - 1, USUAL)?;
        let then = came.iter().filter(|event| event.received_at < to);
        if then.count() == USUAL {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The first event that came at that time or later: ids go up with time, so it is
/// found by halves.
fn first_event_at(tx: &Tx<'_>, at: i64) -> Result<Option<i64>> {
    let newest = tx.events(i64::MAX, 1)?;
    let Some(newest) = newest.first().filter(|event| event.received_at >= at) else {
        return Ok(None);
    };
    let Some((mut low, _)) = tx.event_from(i64::MIN)? else {
        return Ok(None);
    };
    let mut high = newest.id;
    while low < high {
        let middle = low + (high - low) / 2;
        match tx.event_from(middle)? {
            Some((id, came)) if came < at => low = id + 1,
            _ => high = middle,
        }
    }
    Ok(tx.event_from(low)?.map(|(id, _)| id))
}

/// Reads what Meta told since the last look; all that stands then.
fn read_news(tx: &Tx<'_>) -> Result<Vec<Notice>> {
    let came = tx.news_after(tx.news_upto()?, NEWS_MAX)?;
    let Some((last, ..)) = came.last() else {
        return tx.notices();
    };
    let room = NOTICES_MAX.saturating_sub(tx.notices()?.len());
    let mut added = 0;
    for (_, at, body) in &came {
        match news::read(body, *at) {
            Some(News::Stands(notice)) if added < room => {
                tx.put_notice(&notice)?;
                added += 1;
            }
            Some(News::Over(kind, subject)) => tx.end_notice(kind, &subject)?,
            _ => {}
        }
    }
    tx.set_news_upto(*last)?;
    tx.notices()
}

/// Writes down what Graph told of numbers when it was asked.
pub fn note_numbers(tx: &Tx<'_>, now: i64, told: &[(String, Number)]) -> Result<()> {
    let news = told
        .iter()
        .flat_map(|(id, told)| news::of_number(id, told, now));
    for one in news {
        match one {
            News::Stands(notice) => tx.put_notice(&notice)?,
            News::Over(kind, subject) => tx.end_notice(kind, &subject)?,
        }
    }
    Ok(())
}

/// Writes down when tokens end, by the settings they are in: those that were
/// asked about. What is known of settings that are not there any more goes.
pub fn note_tokens(tx: &Tx<'_>, settings: &[String], ends: &[(String, Option<i64>)]) -> Result<()> {
    for notice in tx.notices()? {
        if notice.kind == alarm::Kind::Token && !settings.contains(&notice.subject) {
            tx.end_notice(notice.kind, &notice.subject)?;
        }
    }
    for (setting, at) in ends {
        match at {
            Some(at) => tx.put_notice(&Notice::of_token(setting, *at))?,
            None => tx.end_notice(alarm::Kind::Token, setting)?,
        }
    }
    Ok(())
}

/// The alert to be told now, if one is due.
pub fn next_alert(tx: &Tx<'_>, now: i64) -> Result<Option<Alert>> {
    let next = tx.next_alert()?;
    // No wait is that long: the clock was set back.
    let due = |alert: &Alert| alert.due <= now || alert.due > now + AGAIN.max_ms;
    Ok(next.filter(due))
}

/// What came of telling it; whether it is given up.
pub fn alert_told(tx: &Tx<'_>, now: i64, alert: &Alert, heard: bool, luck: f64) -> Result<bool> {
    let given_up = !heard && now - alert.created_at > ALERT_AGE_MAX_MS;
    match heard || given_up {
        true => tx.end_alert(alert.id)?,
        false => tx.put_alert_off(alert.id, now + AGAIN.after(alert.attempts + 1, luck))?,
    }
    Ok(given_up)
}

/// Takes back what is to be told: ALERT_URL is not set any more.
pub fn forget_alerts(tx: &Tx<'_>) -> Result<()> {
    tx.trim_alerts(0)
}
