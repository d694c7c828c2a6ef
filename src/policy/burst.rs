//! Which messages of a conversation are one burst: people write in pieces, and
//! whoever answers the first piece has answered half a question.
//!
//! A burst is made of messages that came soon one after the other, by when they
//! came and not by when they are handed over: an app that was down for an hour
//! gets the same bursts as one that was not.

/// Messages in one burst. More than people write in one go, and what an app can
/// deal with in one call.
pub const MESSAGES_MAX: usize = 20;

/// Bytes in one burst, unless a single message has more.
pub const BYTES_MAX: usize = 1 << 20;

/// A burst is over after so many silences that did not come.
const SILENCES_MAX: i64 = 10;

/// Nobody waits longer than this because more might come.
pub const WAIT_MAX_MS: i64 = 5 * 60_000;

/// How messages become bursts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debounce {
    /// When nothing has come for so long, the burst is over.
    pub silence_ms: i64,
}

/// A message that may be part of a burst.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// When it came, in Unix milliseconds.
    pub received_at: i64,
    /// How long its envelope is.
    pub bytes: usize,
}

/// Whether a burst is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Burst {
    /// The first so many messages are one, and no other will join them.
    Whole(usize),
    /// More may come until then.
    OpenUntil(i64),
}

impl Debounce {
    /// The burst that begins with the first of these messages, which stand in the
    /// order in which they came. `cut_off`: what follows them cannot be part of it.
    pub fn burst(self, pieces: &[Piece], cut_off: bool, now: i64) -> Burst {
        let Some(first) = pieces.first() else {
            return Burst::Whole(0);
        };
        let last_at = first.received_at.saturating_add(self.longest_ms());
        let mut bytes = first.bytes;
        let mut before = first.received_at;
        let mut count = 1;
        for piece in &pieces[1..] {
            bytes = bytes.saturating_add(piece.bytes);
            let too_late =
                piece.received_at > (before.saturating_add(self.silence_ms)).min(last_at);
            if too_late || bytes > BYTES_MAX || count == MESSAGES_MAX {
                return Burst::Whole(count);
            }
            before = piece.received_at;
            count += 1;
        }
        let until = before.saturating_add(self.silence_ms).min(last_at);
        // What came in the future came before the clock was set back: no one knows
        // how long it has waited.
        let is_set_back = pieces.iter().any(|piece| piece.received_at > now);
        match cut_off || is_set_back || count == MESSAGES_MAX || until <= now {
            true => Burst::Whole(count),
            false => Burst::OpenUntil(until),
        }
    }

    /// From the first message of a burst to its end, at most.
    pub fn longest_ms(self) -> i64 {
        self.silence_ms
            .saturating_mul(SILENCES_MAX)
            .min(WAIT_MAX_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Burst::*;

    const T: i64 = 1_790_000_000_000;
    const S: i64 = 1_000;
    const FIVE: Debounce = Debounce { silence_ms: 5 * S };

    fn pieces(at: &[i64], bytes: usize) -> Vec<Piece> {
        let piece = |at: &i64| Piece {
            received_at: T + at,
            bytes,
        };
        at.iter().map(piece).collect()
    }

    /// These came so many milliseconds after T; what are they at that time?
    #[track_caller]
    fn check(at: &[i64], now: i64, expected: Burst) {
        let expected = match expected {
            OpenUntil(at) => OpenUntil(T + at),
            whole => whole,
        };
        assert_eq!(FIVE.burst(&pieces(at, 1), false, T + now), expected);
    }

    #[test]
    fn a_burst_is_over_when_nothing_has_come_for_a_while() {
        check(&[0], 0, OpenUntil(5 * S));
        check(&[0], 5 * S - 1, OpenUntil(5 * S));
        check(&[0], 5 * S, Whole(1));
        check(&[0, 3 * S], 5 * S, OpenUntil(8 * S));
        check(&[0, 3 * S], 8 * S, Whole(2));
        check(&[0, 5 * S], 5 * S, OpenUntil(10 * S));
        check(&[], 0, Whole(0));
    }

    #[test]
    fn what_comes_after_a_silence_is_another_burst_however_late_it_is_looked_at() {
        check(&[0, 5 * S + 1], 5 * S + 1, Whole(1));
        check(&[0, S, 10 * S, 11 * S], 3_600 * S, Whole(2));
    }

    #[test]
    fn who_never_stops_writing_is_answered_all_the_same() {
        let each_4_s: Vec<i64> = (0..20).map(|n| n * 4 * S).collect();
        check(&each_4_s[..12], 44 * S, OpenUntil(49 * S));
        check(&each_4_s[..13], 48 * S, OpenUntil(50 * S));
        check(&each_4_s[..13], 50 * S, Whole(13));
        check(&each_4_s, 80 * S, Whole(13));
        let slow = Debounce {
            silence_ms: 4 * 60 * S,
        };
        assert_eq!(slow.longest_ms(), 5 * 60 * S);
        let burst = slow.burst(&pieces(&[0, 200 * S], 1), false, T + 200 * S);
        assert_eq!(burst, OpenUntil(T + 300 * S));
    }

    #[test]
    fn a_burst_has_bounds() {
        let many: Vec<i64> = (0..30).collect();
        check(&many[..19], 30, OpenUntil(18 + 5 * S));
        check(&many[..20], 30, Whole(20));
        check(&many, 30, Whole(20));
        let large = |bytes| FIVE.burst(&pieces(&[0, 1, 2], bytes), false, T + 3);
        assert_eq!(large(BYTES_MAX / 3), OpenUntil(T + 2 + 5 * S));
        assert_eq!(large(BYTES_MAX / 2), Whole(2));
        assert_eq!(large(BYTES_MAX), Whole(1));
        assert_eq!(large(usize::MAX), Whole(1));
    }

    #[test]
    fn nobody_waits_for_more_when_no_more_can_come() {
        let cut_off = FIVE.burst(&pieces(&[0, 1], 1), true, T + 1);
        assert_eq!(cut_off, Whole(2));
        // The clock was set back since.
        check(&[0, 1], -3_600 * S, Whole(2));
        check(&[0, -3_600 * S], -3_599 * S, Whole(2));
        check(&[0, -3_600 * S], 0, Whole(2));
    }
}
