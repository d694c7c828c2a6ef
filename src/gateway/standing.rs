//! What Meta thinks of our numbers, for the overview.

use crate::policy::standing::{self, Standing};
use crate::store::rows::{Queue, QueueKind};
use crate::store::{Result, Tx};
use crate::wire::event::Event;
use crate::wire::notification::Incoming;
use crate::wire::setup;

/// A number that sends.
#[derive(Clone, Debug)]
pub struct Number {
    /// Its queue: its `phone_number_id`, its pace.
    pub queue: Queue,
    /// As people see it.
    pub display: Option<String>,
    /// What Meta told of it last, and when.
    pub told: Option<(Standing, i64)>,
}

/// Keeps what an event tells of a number.
pub(super) fn note(tx: &Tx<'_>, now: i64, event: &Incoming<'_>) -> Result<()> {
    if event.field != standing::FIELD {
        return Ok(());
    }
    let mut trouble = Ok(());
    let before = |digits: &str| match tx.standing(digits) {
        Ok(found) => found.map(|(standing, _)| standing),
        Err(error) => {
            trouble = Err(error);
            None
        }
    };
    let told = standing::told(&event.body, before);
    trouble?;
    match told {
        Some((digits, standing)) => tx.set_standing(&digits, &standing, now),
        None => Ok(()),
    }
}

/// Keeps what Graph told of numbers when it was asked, by their ids.
pub fn note_asked(tx: &Tx<'_>, now: i64, told: &[(String, setup::Number)]) -> Result<()> {
    for (id, told) in told {
        let display = match &told.display {
            Some(display) => Some(display.clone()),
            None => display_of(tx, id)?,
        };
        let digits = display.map(|display| standing::digits(&display));
        let Some(digits) = digits.filter(|digits| !digits.is_empty()) else {
            continue;
        };
        let before = tx.standing(&digits)?.map(|(standing, _)| standing);
        let after = standing::asked(told, before.unwrap_or_default());
        tx.set_standing(&digits, &after, now)?;
    }
    Ok(())
}

/// How a number is shown to people, as its events tell.
fn display_of(tx: &Tx<'_>, number: &str) -> Result<Option<String>> {
    let event = tx.any_event_of_number(number)?;
    let number = event.and_then(|event| Event::read(&event.body).number);
    Ok(number.and_then(|number| number.display_phone_number))
}

/// All numbers that have sent.
pub fn numbers(tx: &Tx<'_>) -> Result<Vec<Number>> {
    let queues = tx.queues()?.into_iter();
    let sending = queues.filter(|queue| queue.kind == QueueKind::Send);
    sending
        .map(|queue| {
            let display = display_of(tx, &queue.name)?;
            let told = match &display {
                Some(display) => tx.standing(&standing::digits(display))?,
                None => None,
            };
            Ok(Number {
                queue,
                display,
                told,
            })
        })
        .collect()
}
