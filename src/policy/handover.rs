//! Whether a person has taken a conversation over from the bot, and until when.
//!
//! A hand-over always ends by itself: nobody is left unanswered for days because
//! somebody forgot to give a conversation back. Each further answer of the person
//! renews it. Times are Unix milliseconds.

use super::clock::FAR_MS;

/// Who took a conversation over, or for whom it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The operator, by the command line or the API.
    Operator,
    /// The owner of the number, who answered from the phone.
    Phone,
    /// The business's own logic wants a person.
    Bot,
}

impl By {
    /// The word in listings and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            By::Operator => "operator",
            By::Phone => "phone",
            By::Bot => "bot",
        }
    }

    /// Who a word names.
    pub fn parse(word: &str) -> Option<By> {
        let mut all = [By::Operator, By::Phone, By::Bot].into_iter();
        all.find(|by| by.as_str() == word)
    }
}

/// A hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Who began it.
    pub by: By,
    /// When it began.
    pub since: i64,
    /// When it ends by itself.
    pub until: i64,
}

/// In whose hands a conversation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hands {
    /// The last hand-over, which may be over.
    pub taken: Option<Taken>,
    /// When it was last given back.
    pub given_at: Option<i64>,
}

impl Hands {
    /// The hand-over in force at `now`. One that was begun by a clock that was far ahead
    /// would keep the bot silent until that time comes.
    pub fn taken_at(&self, now: i64) -> Option<Taken> {
        let has_begun = |taken: &Taken| taken.since <= now.saturating_add(FAR_MS);
        self.taken
            .filter(|taken| now < taken.until && has_begun(taken))
    }

    /// The operator takes it until then; a time that was set before is replaced.
    pub fn take(self, now: i64, until: i64) -> Hands {
        let taken = self.prolonged(By::Operator, now, until);
        Hands {
            taken: Some(Taken { until, ..taken }),
            ..self
        }
    }

    /// The bot wants a person for so long.
    pub fn wanted(self, now: i64, for_ms: i64) -> Hands {
        let taken = self.prolonged(By::Bot, now, now.saturating_add(for_ms));
        Hands {
            taken: Some(taken),
            ..self
        }
    }

    /// The owner answered from the phone at a time of Meta's (in Unix seconds), as
    /// was heard at `now`: theirs for so long after that. What was answered before
    /// it was given back, and is told late, takes nothing.
    pub fn answered(self, at_s: Option<i64>, for_ms: i64, now: i64) -> Hands {
        let at = at_s.map_or(now, |s| s.saturating_mul(1_000).min(now));
        let until = at.saturating_add(for_ms);
        if until <= now || self.given_at.is_some_and(|given| at <= given) {
            return self;
        }
        let taken = self.prolonged(By::Phone, now, until);
        Hands {
            taken: Some(taken),
            ..self
        }
    }

    /// It is the bot's again.
    pub fn give(self, now: i64) -> Hands {
        Hands {
            taken: None,
            given_at: Some(now),
        }
    }

    /// Of two conversations that are one person's: in a person's hands when either is.
    pub fn merge(self, other: Hands) -> Hands {
        let taken = self.taken.into_iter().chain(other.taken);
        Hands {
            taken: taken.max_by_key(|taken| taken.until),
            given_at: self.given_at.max(other.given_at),
        }
    }

    fn prolonged(&self, by: By, now: i64, until: i64) -> Taken {
        match self.taken_at(now) {
            Some(taken) => Taken {
                until: taken.until.max(until),
                ..taken
            },
            None => Taken {
                by,
                since: now,
                until,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000;
    const HOUR: i64 = 3_600 * S;
    const T: i64 = 1_790_000_000 * S;

    enum Does {
        Takes(i64),
        Wants,
        /// From the phone, so long ago.
        Answers(i64),
        Gives,
    }
    use Does::*;

    /// These happen, each so long after T; at the end it is whose, until when after T?
    fn check(happens: &[(i64, Does)], now: i64, expected: Option<(&str, i64)>) {
        let mut hands = Hands::default();
        for (at, does) in happens {
            let at = T + at;
            hands = match does {
                Takes(for_ms) => hands.take(at, at + for_ms),
                Wants => hands.wanted(at, HOUR),
                Answers(ago) => hands.answered(Some((at - ago) / S), HOUR, at),
                Gives => hands.give(at),
            };
        }
        let taken = hands.taken_at(T + now);
        let found = taken.map(|taken| (taken.by.as_str(), taken.until - T));
        assert_eq!(found, expected, "after {} things", happens.len());
    }

    #[test]
    fn a_hand_over_ends_by_itself_or_when_given_back() {
        check(&[], 0, None);
        check(&[(0, Takes(HOUR))], HOUR - 1, Some(("operator", HOUR)));
        check(&[(0, Takes(HOUR))], HOUR, None);
        check(&[(0, Takes(HOUR)), (1, Gives)], 2, None);
        check(&[(0, Wants)], 0, Some(("bot", HOUR)));
        check(&[(0, Gives)], 0, None);
    }

    #[test]
    fn each_answer_from_the_phone_renews_it() {
        check(&[(0, Answers(0))], 0, Some(("phone", HOUR)));
        let two = [(0, Answers(0)), (50 * S, Answers(0))];
        check(&two, 60 * S, Some(("phone", HOUR + 50 * S)));
        // Told in the wrong order, it is not shortened.
        let swapped = [(60 * S, Answers(0)), (61 * S, Answers(50 * S))];
        check(&swapped, 62 * S, Some(("phone", HOUR + 60 * S)));
        // It counts from when it was, not from when it came.
        check(&[(50 * S, Answers(50 * S))], 50 * S, Some(("phone", HOUR)));
        check(&[(2 * HOUR, Answers(2 * HOUR))], 2 * HOUR, None);
        // A clock that is behind.
        check(&[(0, Answers(-HOUR))], 0, Some(("phone", HOUR)));
        let longer = [(0, Takes(9 * HOUR)), (HOUR, Answers(0))];
        check(&longer, HOUR, Some(("operator", 9 * HOUR)));
    }

    #[test]
    fn an_answer_before_it_was_given_back_takes_nothing() {
        let late = [(0, Answers(0)), (10 * S, Gives), (11 * S, Answers(5 * S))];
        check(&late, 12 * S, None);
        let new = [(0, Answers(0)), (10 * S, Gives), (20 * S, Answers(0))];
        check(&new, 20 * S, Some(("phone", HOUR + 20 * S)));
    }

    #[test]
    fn the_operator_says_until_when() {
        let shorter = [(0, Takes(9 * HOUR)), (1, Takes(HOUR))];
        check(&shorter, 2, Some(("operator", HOUR + 1)));
        let wanted = [(0, Takes(9 * HOUR)), (1, Wants)];
        check(&wanted, 2, Some(("operator", 9 * HOUR)));
    }

    #[test]
    fn of_two_conversations_the_longer_hand_over_counts() {
        let (short, long) = (
            Hands::default().take(T, T + 1),
            Hands::default().wanted(T, HOUR),
        );
        let given = Hands::default().give(T + 5);
        for all in [
            [short, long, given],
            [given, long, short],
            [long, given, short],
        ] {
            let merged = all.into_iter().reduce(Hands::merge).unwrap();
            assert_eq!(merged.taken, long.taken);
            assert_eq!(merged.given_at, Some(T + 5));
        }
    }

    #[test]
    fn each_word_is_read_back() {
        for by in [By::Operator, By::Phone, By::Bot] {
            assert_eq!(By::parse(by.as_str()), Some(by));
        }
        assert_eq!(By::parse("nobody"), None);
    }
}
