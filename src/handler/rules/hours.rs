//! Opening hours: whether a shop is open at a moment, by the clocks of its time zone.
//!
//! Hours belong to the day on which they begin: `fri = "18:00-02:00"` ends on Saturday, also when
//! that is a holiday. They begin when the clock first shows or passes their beginning, and end when
//! it first shows or passes their end. So on the day when 2:00 becomes 3:00, hours until 2:30 end
//! with the jump and hours from 2:10 to 2:50 do not take place; on the day when 3:00 becomes 2:00
//! again, hours until 2:30 end at the first 2:30 and do not begin anew.
//!
//! The zones are jiff's bundled ones: a small machine may have none of its own.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp, ToSpan};

const DAY_MINUTES: i64 = 24 * 60;

/// When a shop is open.
pub(super) struct Hours {
    pub(super) zone: TimeZone,
    /// From Monday to Sunday.
    pub(super) week: [Vec<Shift>; 7],
    /// Days on which all is otherwise.
    pub(super) special: BTreeMap<Day, Vec<Shift>>,
    /// Days on which it is closed, unless they are special.
    pub(super) holidays: Vec<Holiday>,
}

/// From when to when, in minutes from the midnight with which the day begins; over 1,440 on the
/// next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    begin: i64,
    end: i64,
}

/// One day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Day {
    /// Of one year.
    Once(Date),
    /// Of every year: month and day.
    Yearly(i8, i8),
}

/// Days from the first to the last, both among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holiday {
    first: Day,
    last: Day,
}

impl Hours {
    /// Whether it is open at a time in Unix milliseconds.
    pub(super) fn open_at(&self, now: i64) -> bool {
        let Ok(now) = Timestamp::from_millisecond(now) else {
            return false;
        };
        let today = self.zone.to_datetime(now).date();
        // Yesterday's may reach into today; where a clock is set back over midnight, tomorrow's
        // have begun.
        let days = [-1, 0, 1].map(|days: i64| today.checked_add(days.days()));
        days.into_iter().flatten().any(|day| {
            let within = |shift: &Shift| {
                let begun = self.reached(day, shift.begin).is_some_and(|at| at <= now);
                begun && self.reached(day, shift.end).is_some_and(|at| now < at)
            };
            self.of(day).iter().any(within)
        })
    }

    /// The hours that begin on a day.
    fn of(&self, day: Date) -> &[Shift] {
        let yearly = Day::Yearly(day.month(), day.day());
        let special = [Day::Once(day), yearly];
        if let Some(shifts) = special.iter().find_map(|day| self.special.get(day)) {
            return shifts;
        }
        if self.holidays.iter().any(|holiday| holiday.includes(day)) {
            return &[];
        }
        let weekday = day.weekday().to_monday_zero_offset();
        &self.week[usize::try_from(weekday).unwrap_or(0)]
    }

    /// When the clocks first show, or pass, that many minutes after the midnight of a day.
    fn reached(&self, day: Date, minutes: i64) -> Option<Timestamp> {
        let shown = day.at(0, 0, 0, 0).checked_add(Span::new().minutes(minutes));
        let shown = shown.ok()?;
        match self.zone.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(shown).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(shown).ok(),
            // Never shown: passed when the clocks were put on.
            AmbiguousOffset::Gap { before, .. } => {
                let after = before.to_timestamp(shown).ok()?;
                let after = after.checked_add(1.nanosecond()).ok()?;
                Some(self.zone.preceding(after).next()?.timestamp())
            }
        }
    }
}

impl Shift {
    /// Reads `9:00-17:30`; an end that is not after the beginning is the next day's.
    ///
    /// # Errors
    /// The mend.
    pub(super) fn read(text: &str) -> Result<Shift, String> {
        let wrong = || format!("`{text}` are no hours: write them as in 9:00-17:30");
        let (begin, end) = text.split_once(['-', '–']).ok_or_else(wrong)?;
        let (begin, end) = (minutes(begin), minutes(end));
        match (begin.ok_or_else(wrong)?, end.ok_or_else(wrong)?) {
            (DAY_MINUTES, _) => Err(format!(
                "`{text}` begins at 24:00: write 0:00, on the next day"
            )),
            (begin, end) if begin == end => Err(format!(
                "`{text}` ends when it begins: write 0:00-24:00 for a whole day"
            )),
            (begin, end) if begin > end => Ok(Shift {
                begin,
                end: end + DAY_MINUTES,
            }),
            (begin, end) => Ok(Shift { begin, end }),
        }
    }
}

/// `9`, `9:00` or `24:00`, in minutes.
fn minutes(text: &str) -> Option<i64> {
    let text = text.trim();
    let (hours, minutes) = text.split_once(':').unwrap_or((text, "00"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hours) || !digits(minutes) || hours.is_empty() || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let time = (minutes < 60).then(|| hours.checked_mul(60)?.checked_add(minutes));
    time.flatten().filter(|time| *time <= DAY_MINUTES)
}

impl Day {
    /// Reads `2026-12-24`, or `12-24` for every year.
    ///
    /// # Errors
    /// The mend.
    pub(super) fn read(text: &str) -> Result<Day, String> {
        let wrong = || {
            format!(
                "`{text}` is no day: write it as in 2026-12-24, or 12-24 for that day of every year"
            )
        };
        let text = text.trim();
        match text.len() {
            // A leap year: 02-29 is a day of some years.
            5 => {
                let date: Date = format!("2000-{text}").parse().map_err(|_| wrong())?;
                Ok(Day::Yearly(date.month(), date.day()))
            }
            10 => text.parse().map(Day::Once).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

impl Holiday {
    /// Reads a day, or two of them as in `2026-12-24..2027-01-02`, or `12-24..01-02`.
    ///
    /// # Errors
    /// The mend.
    pub(super) fn read(text: &str) -> Result<Holiday, String> {
        let Some((first, last)) = text.split_once("..") else {
            let day = Day::read(text)?;
            return Ok(Holiday {
                first: day,
                last: day,
            });
        };
        let (first, last) = (Day::read(first)?, Day::read(last)?);
        match (first, last) {
            (Day::Once(first), Day::Once(last)) if first > last => Err(format!(
                "`{text}` ends before it begins: exchange the two days"
            )),
            (Day::Once(_), Day::Yearly(..)) | (Day::Yearly(..), Day::Once(_)) => Err(format!(
                "`{text}` has a year on one side only: write it on both, or on none"
            )),
            (first, last) => Ok(Holiday { first, last }),
        }
    }

    fn includes(self, day: Date) -> bool {
        match (self.first, self.last) {
            (Day::Yearly(..), Day::Yearly(..)) => {
                let day = Day::Yearly(day.month(), day.day());
                match self.first <= self.last {
                    true => self.first <= day && day <= self.last,
                    // Over New Year.
                    false => self.first <= day || day <= self.last,
                }
            }
            (first, last) => first <= Day::Once(day) && Day::Once(day) <= last,
        }
    }
}
