//! How many may be at something at once. Who finds no free seat is told so at once, and does
//! not wait for one: waiting takes a thread too.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Seats, some of them taken.
#[derive(Debug)]
pub struct Seats(Arc<AtomicUsize>);

/// One of them; free again when it is dropped.
#[derive(Debug)]
pub struct Seat(Arc<AtomicUsize>);

impl Seats {
    /// So many, all free.
    pub fn new(count: usize) -> Seats {
        Seats(Arc::new(AtomicUsize::new(count)))
    }

    /// Takes one; `None` when none is free.
    pub fn take(&self) -> Option<Seat> {
        let taken = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |free| {
                free.checked_sub(1)
            });
        taken.ok().map(|_| Seat(Arc::clone(&self.0)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_sit_as_there_are_seats_and_who_leaves_makes_room() {
        let seats = Seats::new(2);
        let (one, two) = (seats.take(), seats.take());
        assert!(one.is_some() && two.is_some() && seats.take().is_none());
        drop(one);
        let again = seats.take();
        assert!(again.is_some() && seats.take().is_none());
    }
}
