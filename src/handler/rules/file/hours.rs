//! Opening hours, as they stand in the file: tables `[hours.NAME]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Reader, kind};
use crate::handler::rules::hours::{Day, Holiday, Hours, Shift};

/// From Monday on, as they may be written.
const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

impl Reader<'_> {
    /// All tables of hours. Those with mistakes are kept too: rules that name them have none.
    pub(super) fn all_hours(&mut self, value: &Spanned<DeValue>) {
        let DeValue::Table(tables) = value.get_ref() else {
            self.problem(
                value.span(),
                "hours have a name: begin them with [hours.shop]",
            );
            return;
        };
        for (name, value) in tables {
            match value.get_ref() {
                DeValue::Table(table) => {
                    let hours = Arc::new(self.hours(value, table));
                    self.hours.insert(name.get_ref().to_string(), hours);
                }
                _ => self.problem(
                    name.span(),
                    "hours have a name: begin them with [hours.shop]",
                ),
            }
        }
    }

    fn hours(&mut self, whole: &Spanned<DeValue>, table: &DeTable) -> Hours {
        let mut hours = Hours {
            zone: TimeZone::UTC,
            week: Default::default(),
            special: BTreeMap::new(),
            holidays: Vec::new(),
        };
        let (mut has_zone, mut named) = (false, [false; 7]);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "timezone" => {
                    has_zone = true;
                    hours.zone = self.zone(value);
                }
                "holidays" => hours.holidays = self.holidays(value),
                "special" => hours.special = self.special(value),
                days => match weekdays(days) {
                    Some(days) => {
                        let shifts = self.shifts(value);
                        for day in days {
                            if std::mem::replace(&mut named[day], true) {
                                let text = format!("{} has its hours twice: leave one of them out", WEEKDAYS[day]);
                                self.problem(key.span(), text);
                            }
                            hours.week[day].clone_from(&shifts);
                        }
                    }
                    None => self.problem(
                        key.span(),
                        format!("unknown key {days}: hours have timezone, days such as mon, sat-sun or daily, holidays and special"),
                    ),
                },
            }
        }
        if !has_zone {
            let text = "the hours have no timezone: add one, as in timezone = \"Europe/Berlin\"";
            self.problem(whole.span(), text);
        }
        if named == [false; 7] {
            let text = "the hours name no day: add some, as in mon-fri = \"9:00-17:30\"";
            self.problem(whole.span(), text);
        }
        hours
    }

    fn zone(&mut self, value: &Spanned<DeValue>) -> TimeZone {
        let found = match value.get_ref() {
            DeValue::String(name) => TimeZoneDatabase::bundled().get(name).ok(),
            _ => None,
        };
        found.unwrap_or_else(|| {
            let text = "timezone is none that we know: write one of the IANA database, as in \"Europe/Berlin\"";
            self.problem(value.span(), text);
            TimeZone::UTC
        })
    }

    /// `"9:00-12:00"`, a list of such, or `"closed"`.
    fn shifts(&mut self, value: &Spanned<DeValue>) -> Vec<Shift> {
        let list = match value.get_ref() {
            DeValue::String(word) if word == "closed" => &[],
            DeValue::Array(list) => list.as_ref(),
            _ => std::slice::from_ref(value),
        };
        let mut shifts = Vec::new();
        for one in list {
            let shift = match one.get_ref() {
                DeValue::String(text) => Shift::read(text),
                other => Err(format!(
                    "hours are a text as in \"9:00-17:30\", a list of such or \"closed\", and this is {}",
                    kind(other)
                )),
            };
            match shift {
                Ok(shift) => shifts.push(shift),
                Err(mend) => self.problem(one.span(), mend),
            }
        }
        shifts
    }

    fn holidays(&mut self, value: &Spanned<DeValue>) -> Vec<Holiday> {
        let DeValue::Array(list) = value.get_ref() else {
            let text = "holidays are a list, as in [\"12-25\", \"2026-12-28..2027-01-02\"]";
            self.problem(value.span(), text);
            return Vec::new();
        };
        let mut holidays = Vec::new();
        for one in list {
            let holiday = match one.get_ref() {
                DeValue::String(text) => Holiday::read(text),
                DeValue::Datetime(day) => Holiday::read(&day.to_string()),
                other => Err(format!(
                    "a holiday is a day as in \"2026-12-25\", and this is {}",
                    kind(other)
                )),
            };
            match holiday {
                Ok(holiday) => holidays.push(holiday),
                Err(mend) => self.problem(one.span(), mend),
            }
        }
        holidays
    }

    fn special(&mut self, value: &Spanned<DeValue>) -> BTreeMap<Day, Vec<Shift>> {
        let DeValue::Table(table) = value.get_ref() else {
            let text = "special are days with their hours, as in { \"12-24\" = \"9:00-13:00\" }";
            self.problem(value.span(), text);
            return BTreeMap::new();
        };
        let mut special = BTreeMap::new();
        for (key, value) in table {
            let shifts = self.shifts(value);
            match Day::read(key.get_ref()) {
                Ok(day) => _ = special.insert(day, shifts),
                Err(mend) => self.problem(key.span(), mend),
            }
        }
        special
    }
}

/// `mon`, `monday`, `mon-fri`, `sat-mon` or `daily`: days counted from Monday, which is 0.
fn weekdays(text: &str) -> Option<Vec<usize>> {
    if text == "daily" {
        return Some((0..7).collect());
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (weekday(first)?, weekday(last)?);
    let days = (last + 7 - first) % 7;
    Some((0..=days).map(|day| (first + day) % 7).collect())
}

fn weekday(text: &str) -> Option<usize> {
    let mut names = WEEKDAYS.iter();
    names.position(|name| *name == text || name[..3] == *text)
}
