//! Which business numbers and accounts the store has seen, and since when
//! nothing came.

use crate::store::rows::{EventId, QueueKind};
use crate::store::{Result, Tx};

/// What the store has seen of Meta's side.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// There is a store; else the rest says nothing.
    pub looked: bool,
    /// Numbers that sent or got something, each with its account once a
    /// notification told.
    pub numbers: Vec<(String, Option<String>)>,
    /// When the newest event came, in Unix milliseconds.
    pub newest_event: Option<i64>,
}

/// All that there is to know.
pub fn known(tx: &Tx<'_>) -> Result<Known> {
    let queues = tx.queues()?.into_iter();
    let sending = queues.filter(|queue| queue.kind == QueueKind::Send);
    let mut numbers: Vec<_> = sending.map(|queue| (queue.name, queue.waba)).collect();
    for number in tx.numbers()? {
        if !number.is_empty() && numbers.iter().all(|(known, _)| *known != number) {
            numbers.push((number, None));
        }
    }
    let newest = tx.events(EventId::MAX, 1)?;
    Ok(Known {
        looked: true,
        numbers,
        newest_event: newest.first().map(|event| event.received_at),
    })
}
