//! What goes by its age, how fast, and how much of the file goes back to the
//! disk.

use std::time::Duration;

/// A day.
pub const DAY_MS: i64 = 24 * 3_600_000;

/// How long the digest of an event is kept by which it is known again. Meta
/// delivers again for 7 days (Meta: webhooks); 8 are certain here, whatever is
/// deleted, also when the clock was set by hours in between.
pub const DIGESTS_KEPT_MS: i64 = 9 * DAY_MS;

/// What is younger is not pruned: what callers' idempotency keys made is
/// remembered for so long. A day is promised; twice that, so that one given just
/// before midnight by somebody's batch is known the whole next day.
pub const AGE_MIN_MS: i64 = 2 * DAY_MS;

/// Meta forgets a file of ours after 30 days (Meta: media reference), and so do we.
pub const UPLOADS_KEPT_MS: i64 = 30 * DAY_MS;

/// How often the service looks for what has become old.
pub const ROUND_EVERY: Duration = Duration::from_secs(600);

/// What is left of a second to everybody else while old rows go: they are in
/// no hurry.
const PAUSE_FOR_WORK: u32 = 4;

const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long to pause after a step that took so long.
pub fn pause(took: Duration) -> Duration {
    (took * PAUSE_FOR_WORK).clamp(PAUSE_MIN, PAUSE_MAX)
}

/// Free pages that stay in the file: it takes what comes next without growing,
/// and nothing goes to and fro between the file and the disk. 4 MiB.
const PAGES_SPARE: i64 = 1_024;

/// Pages given back at once: each may move one from the end of the file to
/// where there is room.
const PAGES_AT_ONCE: i64 = 32;

/// How many pages to give back of a file that has so many, free ones included:
/// what is more than a tenth.
pub fn pages_to_give_back(pages: i64, free: i64) -> i64 {
    let spare = PAGES_SPARE.max(pages / 10);
    (free - spare).clamp(0, PAGES_AT_ONCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_the_time_is_everybody_elses() {
        for (took_us, pause_us) in [(0, 2_000), (1_000, 4_000), (900_000, 1_000_000)] {
            let paused = pause(Duration::from_micros(took_us));
            assert_eq!(paused, Duration::from_micros(pause_us), "{took_us}");
        }
    }

    #[test]
    fn a_tenth_of_the_file_stays_free_and_the_rest_goes_in_pieces() {
        let rows = [
            (0, 0, 0),
            (2_000, 1_024, 0),
            (2_000, 1_030, 6),
            (2_000, 1_900, 32),
            (100_000, 10_000, 0),
            (100_000, 10_001, 1),
        ];
        for (pages, free, expected) in rows {
            assert_eq!(
                pages_to_give_back(pages, free),
                expected,
                "{free} of {pages}"
            );
        }
    }
}
