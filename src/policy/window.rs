//! Whether anything but a template may be sent to a person now: the customer
//! service window and free entry points, from what was seen of the person.
//!
//! Refusing here what Graph would have taken loses a message, so only what is
//! certainly closed is called closed: a person we have seen nothing of may have
//! written before we were there, and then Graph decides.

/// For so long after a person last wrote or called, everything may be sent
/// (Meta: customer service windows).
const WINDOW_MS: i64 = 24 * 3_600_000;

/// Whoever comes by an ad or a button on a page, and is answered within
/// [`WINDOW_MS`], can be written to for so long (Meta: free entry points). Meta's
/// pages leave open whether it counts from the click or from the answer; from the
/// answer is later, and closed is only what is certainly closed.
const FREE_ENTRY_MS: i64 = 72 * 3_600_000;

/// We stop so long before Meta does. Meta's times are cut to seconds, clocks
/// differ by some, and the call takes a while to arrive. What comes too late is
/// accepted all the same and fails when the caller has stopped listening; what is
/// refused a moment too early is refused to its face, or becomes a template.
const MARGIN_MS: i64 = 10_000;

/// For so long after a person last wrote or called, all they do names their number;
/// after that somebody with a user name may be named by the BSUID alone (Meta:
/// BSUIDs).
const NUMBER_SHOWN_MS: i64 = 30 * 24 * 3_600_000;

/// What is known of a person that matters to the window. Times are Unix
/// milliseconds and only ever move forward, so that it does not matter in which
/// order, how late or how often events come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// When the person last wrote or called.
    pub opened_at: Option<i64>,
    /// When the person last came by an ad or a button on a page.
    pub entered_at: Option<i64>,
    /// When the free entry point ends, once it was answered.
    pub free_until: Option<i64>,
}

/// What keeps, or kept, a window open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The person wrote or called.
    CustomerService,
    /// The person came by an ad or a button on a page and was answered.
    FreeEntryPoint,
}

impl Kind {
    /// The word used in answers and listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::CustomerService => "customer_service",
            Kind::FreeEntryPoint => "free_entry_point",
        }
    }

    /// For how long at most it keeps a window open.
    pub fn lasts_ms(self) -> i64 {
        match self {
            Kind::CustomerService => WINDOW_MS,
            Kind::FreeEntryPoint => FREE_ENTRY_MS,
        }
    }
}

/// Whether anything but a template may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Nothing was seen of this person: only Graph knows.
    Unknown,
    /// Yes, before `until`.
    Open { until: i64, kind: Kind },
    /// No, since `since`, until the person writes again.
    Closed { since: i64, kind: Kind },
}

impl Seen {
    /// The window at `now`.
    pub fn window(&self, now: i64) -> Window {
        let wrote = self
            .opened_at
            .map(|at| (at.saturating_add(WINDOW_MS), Kind::CustomerService));
        let free = self.free_until.map(|end| (end, Kind::FreeEntryPoint));
        let Some((end, kind)) = [wrote, free].into_iter().flatten().max_by_key(|w| w.0) else {
            return Window::Unknown;
        };
        let end = end.saturating_sub(MARGIN_MS);
        match now < end {
            true => Window::Open { until: end, kind },
            false => Window::Closed { since: end, kind },
        }
    }

    /// The window at `now` of a person whose BSUID we do not know. Once their number
    /// need not be named any more they may have written, and we took them for
    /// somebody else: then only Graph knows.
    pub fn window_by_number(&self, now: i64) -> Window {
        let shown = |at: i64| now < at.saturating_add(NUMBER_SHOWN_MS);
        match self.window(now) {
            Window::Closed { .. } if !self.opened_at.is_some_and(shown) => Window::Unknown,
            window => window,
        }
    }

    /// What is known after the person wrote or called, at a time of Meta's (in
    /// Unix seconds), as received at `received_at`.
    pub fn heard(self, at_s: Option<i64>, from_ad: bool, received_at: i64) -> Seen {
        // Nobody wrote after we heard of it: a clock of ours that is behind, or a
        // time in milliseconds, must not keep a window open for years. Without a
        // time this is the latest it can have been.
        let at = at_s.map_or(received_at, |s| s.saturating_mul(1_000).min(received_at));
        Seen {
            opened_at: self.opened_at.max(Some(at)),
            entered_at: match from_ad {
                true => self.entered_at.max(Some(at)),
                false => self.entered_at,
            },
            ..self
        }
    }

    /// What is known after Graph took a message to the person at `now`: the first
    /// one within the time to answer opens the free entry point, also while that of
    /// an earlier click lasts.
    pub fn answered(self, now: i64) -> Seen {
        let in_time = |at: &i64| now.saturating_sub(*at) <= WINDOW_MS;
        match self.entered_at.filter(in_time) {
            Some(at)
                if self
                    .free_until
                    .is_none_or(|end| end.saturating_sub(FREE_ENTRY_MS) < at) =>
            {
                Seen {
                    free_until: Some(now.saturating_add(FREE_ENTRY_MS)),
                    ..self
                }
            }
            _ => self,
        }
    }

    /// What is known after a status told when the free entry point ends (in Unix
    /// seconds), as received at `received_at`.
    pub fn told_free_until(self, end_s: i64, received_at: i64) -> Seen {
        let end = end_s.saturating_mul(1_000);
        Seen {
            free_until: self
                .free_until
                .max(Some(end.min(received_at.saturating_add(FREE_ENTRY_MS)))),
            ..self
        }
    }

    /// What is known of one person who was known as two.
    pub fn merge(self, other: Seen) -> Seen {
        Seen {
            opened_at: self.opened_at.max(other.opened_at),
            entered_at: self.entered_at.max(other.entered_at),
            free_until: self.free_until.max(other.free_until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_790_000_000_000;
    const S: i64 = 1_000;
    const H: i64 = 3_600 * S;

    /// The person does these things (event's time, by an ad?, received); at `now`
    /// the window is `expected`, times after T.
    fn check(heard: &[(i64, bool, i64)], answered: &[i64], now: i64, expected: &str) {
        let mut seen = Seen::default();
        for (at, from_ad, received) in heard {
            seen = seen.heard(Some((T + at) / S), *from_ad, T + received);
        }
        for at in answered {
            seen = seen.answered(T + at);
        }
        assert_eq!(shown(seen, now), expected, "{heard:?} {answered:?} {now}");
    }

    fn shown(seen: Seen, now: i64) -> String {
        match seen.window(T + now) {
            Window::Unknown => "unknown".into(),
            Window::Open { until, kind } => format!("open {} {}", kind.as_str(), until - T),
            Window::Closed { since, kind } => format!("closed {} {}", kind.as_str(), since - T),
        }
    }

    #[test]
    fn a_window_is_open_for_24_hours_less_a_margin() {
        let end = 24 * H - MARGIN_MS;
        let open = format!("open customer_service {end}");
        let closed = format!("closed customer_service {end}");
        for (now, expected) in [
            (0, &open),
            (H, &open),
            (end - 1, &open),
            (end, &closed),
            (24 * H, &closed),
            (100 * H, &closed),
            // A clock set back opens nothing for longer.
            (-H, &open),
        ] {
            check(&[(0, false, 0)], &[], now, expected);
        }
    }

    #[test]
    fn nobody_seen_is_unknown_and_not_closed() {
        check(&[], &[], 0, "unknown");
        check(&[], &[0], 100 * H, "unknown");
    }

    #[test]
    fn the_event_counts_from_when_it_happened_and_not_from_when_it_came() {
        // Meta delivered it 23 hours late, and then 25.
        let end = 24 * H - MARGIN_MS;
        let late = |came| {
            format!(
                "{} customer_service {end}",
                if came < end { "open" } else { "closed" }
            )
        };
        for came in [23 * H, 25 * H, 7 * 24 * H] {
            check(&[(0, false, came)], &[], came, &late(came));
        }
    }

    #[test]
    fn an_older_or_a_repeated_event_never_shortens_a_window() {
        let expected = format!("open customer_service {}", 5 * H + 24 * H - MARGIN_MS);
        let (old, new) = ((0, false, 6 * H), (5 * H, false, 5 * H));
        for heard in [&[new, old][..], &[old, new], &[new, old, new, old]] {
            check(heard, &[], 7 * H, &expected);
        }
    }

    #[test]
    fn a_time_after_its_arrival_counts_as_its_arrival() {
        let expected = format!("open customer_service {}", 24 * H - MARGIN_MS);
        // Our clock is five minutes behind; the time is in milliseconds; absurd.
        for at_s in [T / S + 300, T, i64::MAX] {
            let seen = Seen::default().heard(Some(at_s), false, T);
            assert_eq!(shown(seen, 0), expected, "{at_s}");
        }
        assert_eq!(shown(Seen::default().heard(None, false, T), 0), expected);
        let ancient = Seen::default().heard(Some(i64::MIN), false, T);
        assert!(matches!(ancient.window(T), Window::Closed { .. }));
    }

    #[test]
    fn who_is_known_by_number_alone_may_have_written_unknown_after_30_days() {
        let seen = Seen::default().heard(Some(T / S), false, T);
        let days = |d: i64| T + d * 24 * H;
        for (now, unsure) in [(0, false), (2, false), (30, true), (400, true)] {
            let expected = match unsure {
                true => Window::Unknown,
                false => seen.window(days(now)),
            };
            assert_eq!(seen.window_by_number(days(now)), expected, "day {now}");
        }
        assert_ne!(seen.window_by_number(days(30) - 1), Window::Unknown);
        // Nothing but the end of a free entry point is known.
        let told = Seen::default().told_free_until(T / S, T);
        assert_eq!(told.window_by_number(T), Window::Unknown);
        assert_eq!(Seen::default().window_by_number(T), Window::Unknown);
    }

    #[test]
    fn a_free_entry_point_lasts_72_hours_once_answered_within_24() {
        let ad = &[(0, true, 0)][..];
        let free = |answered: i64| format!("free_entry_point {}", answered + 72 * H - MARGIN_MS);
        let service = format!("customer_service {}", 24 * H - MARGIN_MS);
        check(ad, &[], 30 * H, &format!("closed {service}"));
        check(ad, &[H], 30 * H, &format!("open {}", free(H)));
        check(ad, &[24 * H], 30 * H, &format!("open {}", free(24 * H)));
        check(ad, &[24 * H + 1], 30 * H, &format!("closed {service}"));
        check(ad, &[H], 73 * H, &format!("closed {}", free(H)));
        // Further answers do not prolong it.
        check(
            ad,
            &[H, 2 * H, 23 * H],
            30 * H,
            &format!("open {}", free(H)),
        );
        // Nor does it end what the person opens later.
        let later = &[(0, true, 0), (70 * H, false, 70 * H)][..];
        let until = 70 * H + 24 * H - MARGIN_MS;
        check(
            later,
            &[H],
            80 * H,
            &format!("open customer_service {until}"),
        );
        // Without an ad there is none.
        check(&[(0, false, 0)], &[H], 30 * H, &format!("closed {service}"));
    }

    #[test]
    fn a_second_click_opens_a_second_free_entry_point() {
        let day = 24 * H;
        let first = Seen::default().heard(Some(T / S), true, T).answered(T + H);
        let second = first.heard(Some((T + 10 * day) / S), true, T + 10 * day);
        assert_eq!(
            second.answered(T + 10 * day).free_until,
            Some(T + 10 * day + 72 * H)
        );
    }

    #[test]
    fn a_status_tells_when_the_free_entry_point_ends() {
        let told = Seen::default().told_free_until((T + 50 * H) / S, T);
        assert_eq!(
            shown(told, 30 * H),
            format!("open free_entry_point {}", 50 * H - MARGIN_MS)
        );
        let absurd = Seen::default().told_free_until(i64::MAX, T);
        assert_eq!(absurd.free_until, Some(T + 72 * H));
        assert_eq!(told.told_free_until(T / S, T), told, "never shorter");
    }

    #[test]
    fn a_click_while_a_free_entry_point_lasts_opens_another_once_answered() {
        let clicks = &[(0, true, 0), (71 * H, true, 71 * H)][..];
        let free = |until: i64| format!("free_entry_point {}", until - MARGIN_MS);
        let (first, second) = (free(73 * H), free(72 * H + 72 * H));
        check(clicks, &[H, 72 * H], 140 * H, &format!("open {second}"));
        // One answer is the answer to all clicks before it.
        let both = &[(0, true, 0), (H / 2, true, H / 2)][..];
        check(both, &[H, 2 * H], 72 * H, &format!("open {first}"));
    }

    #[test]
    fn two_halves_of_one_person_know_what_both_knew() {
        let a = Seen::default().heard(Some(T / S), false, T);
        let b = Seen::default().heard(Some(T / S - 60), true, T).answered(T);
        let both = Seen {
            opened_at: a.opened_at,
            ..b
        };
        assert_eq!((a.merge(b), b.merge(a)), (both, both));
    }
}
