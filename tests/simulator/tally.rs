//! What was played, for a line at the end.

use std::fmt;

/// What a world did, to see that it did something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub events: u64,
    pub replies: u64,
    pub calls: u64,
    pub crashes: u64,
    pub twice: u64,
    pub too_late: u64,
    pub templates: u64,
    pub files: u64,
    /// Deliveries of several messages.
    pub bursts: u64,
    /// Deliveries to observers.
    pub copies: u64,
    /// Halts that only statuses told of.
    pub late_halts: u64,
    /// Rows that were old.
    pub pruned: u64,
    /// People.
    pub forgotten: u64,
    pub acts: u64,
    pub seconds: u64,
}

impl Tally {
    pub fn plus(self, other: &Tally) -> Tally {
        Tally {
            events: self.events + other.events,
            replies: self.replies + other.replies,
            calls: self.calls + other.calls,
            crashes: self.crashes + other.crashes,
            twice: self.twice + other.twice,
            too_late: self.too_late + other.too_late,
            templates: self.templates + other.templates,
            files: self.files + other.files,
            late_halts: self.late_halts + other.late_halts,
            bursts: self.bursts + other.bursts,
            copies: self.copies + other.copies,
            pruned: self.pruned + other.pruned,
            forgotten: self.forgotten + other.forgotten,
            acts: self.acts + other.acts,
            seconds: self.seconds + other.seconds,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{} events, {} replies in {} calls ({} twice, with leave), \
             {} too late, {} templates instead, {} files first, \
             {} halts told late, {} bursts, {} copies to observers, {} rows pruned, {} people forgotten, \
             {} crashes, \
             {} steps in {} simulated hours",
            self.events,
            self.replies,
            self.calls,
            self.twice,
            self.too_late,
            self.templates,
            self.files,
            self.late_halts,
            self.bursts,
            self.copies,
            self.pruned,
            self.forgotten,
            self.crashes,
            self.acts,
            self.seconds / 3_600
        )
    }
}
