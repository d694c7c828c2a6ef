//! Opening hours: tables of moments, written as they are in UTC.

use super::*;

/// Whether the shop with these hours is open at these moments.
fn check_hours(hours: &str, moments: &[(&str, bool)]) {
    let rules = rules(&format!(
        "[hours.shop]\n{hours}\n\
         [[rule]]\nopen = 'shop'\nreply = 'open'\n\
         [[rule]]\nclosed = 'shop'\nreply = 'closed'"
    ));
    for (moment, open) in moments {
        let now: jiff::Timestamp = moment.parse().unwrap();
        let answer = rules.answer(&said("a"), &Facts::default(), now.as_millisecond());
        let rule = answer.unwrap().rule;
        assert_eq!(rule, if *open { 1 } else { 2 }, "{moment} of {hours}");
    }
}

const BERLIN: &str = "timezone = 'Europe/Berlin'\n";

#[test]
fn hours_are_those_of_the_clocks_there() {
    let hours = format!("{BERLIN}mon-fri = ['9:00-12:30', '14-18:00']\nsat = '10:00-14:00'");
    check_hours(
        &hours,
        &[
            // A Monday in winter: one hour before UTC.
            ("2026-01-12T07:59:59.999Z", false),
            ("2026-01-12T08:00:00Z", true),
            ("2026-01-12T11:29:59Z", true),
            ("2026-01-12T11:30:00Z", false),
            ("2026-01-12T13:00:00Z", true),
            ("2026-01-12T17:00:00Z", false),
            // In summer: two hours.
            ("2026-07-13T06:59:59Z", false),
            ("2026-07-13T07:00:00Z", true),
            ("2026-07-13T15:59:59Z", true),
            ("2026-07-13T16:00:00Z", false),
            // Saturday and Sunday.
            ("2026-01-17T08:30:00Z", false),
            ("2026-01-17T09:00:00Z", true),
            ("2026-01-18T09:00:00Z", false),
        ],
    );
    check_hours(
        "timezone = 'Asia/Kolkata'\ndaily = '0:00-24:00'\nsunday = 'closed'"
            .replace("daily", "mon-sat")
            .as_str(),
        &[
            ("2026-01-17T18:29:59Z", true),
            ("2026-01-17T18:30:00Z", false),
            ("2026-01-18T18:30:00Z", true),
        ],
    );
    check_hours(
        "timezone = 'utc'\nfri-mon = '8-9'",
        &[
            ("2026-01-15T08:00:00Z", false),
            ("2026-01-16T08:00:00Z", true),
            ("2026-01-18T08:00:00Z", true),
            ("2026-01-19T08:00:00Z", true),
            ("2026-01-20T08:00:00Z", false),
        ],
    );
}

#[test]
fn hours_across_midnight_are_those_of_the_day_on_which_they_begin() {
    let hours = format!("{BERLIN}fri-sat = '18:00-2:00'\nmon = '22:00-0:00'");
    check_hours(
        &hours,
        &[
            ("2026-01-16T16:59:59Z", false),
            ("2026-01-16T17:00:00Z", true),
            ("2026-01-16T23:00:00Z", true),
            ("2026-01-17T00:59:59Z", true),
            ("2026-01-17T01:00:00Z", false),
            // Saturday's, on Sunday; then Sunday's: none.
            ("2026-01-18T00:30:00Z", true),
            ("2026-01-18T17:30:00Z", false),
            ("2026-01-19T00:30:00Z", false),
            // Up to midnight and no longer.
            ("2026-01-19T22:59:59Z", true),
            ("2026-01-19T23:00:00Z", false),
        ],
    );
}

#[test]
fn where_the_clocks_are_put_on_hours_end_with_the_jump() {
    // On 29 March 2026 at 1:00 UTC, 2:00 becomes 3:00 in Berlin.
    check_hours(
        &format!("{BERLIN}sat = '20:00-2:30'"),
        &[
            ("2026-03-29T00:59:59Z", true),
            ("2026-03-29T01:00:00Z", false),
            ("2026-03-29T01:30:00Z", false),
        ],
    );
    check_hours(
        &format!("{BERLIN}sun = '2:30-4:00'"),
        &[
            ("2026-03-29T00:59:59Z", false),
            ("2026-03-29T01:00:00Z", true),
            ("2026-03-29T01:59:59Z", true),
            ("2026-03-29T02:00:00Z", false),
        ],
    );
    check_hours(
        &format!("{BERLIN}sun = '2:10-2:50'"),
        &[
            ("2026-03-29T00:59:59Z", false),
            ("2026-03-29T01:00:00Z", false),
            ("2026-03-29T01:15:00Z", false),
            // A week later they take place.
            ("2026-04-05T00:15:00Z", true),
        ],
    );
    // Where midnight itself is skipped: in Cairo on 24 April 2026, 0:00 becomes 1:00.
    check_hours(
        "timezone = 'Africa/Cairo'\nfri = '0:00-3:00'",
        &[
            ("2026-04-23T21:59:59Z", false),
            ("2026-04-23T22:00:00Z", true),
            ("2026-04-23T23:59:59Z", true),
            ("2026-04-24T00:00:00Z", false),
        ],
    );
}

#[test]
fn where_the_clocks_are_put_back_hours_end_once() {
    // On 25 October 2026 at 1:00 UTC, 3:00 becomes 2:00 in Berlin.
    check_hours(
        &format!("{BERLIN}sat = '20:00-2:30'"),
        &[
            ("2026-10-25T00:29:59Z", true),
            ("2026-10-25T00:30:00Z", false),
            ("2026-10-25T01:15:00Z", false),
        ],
    );
    check_hours(
        &format!("{BERLIN}sun = '2:30-4:00'"),
        &[
            ("2026-10-25T00:29:59Z", false),
            ("2026-10-25T00:30:00Z", true),
            ("2026-10-25T01:15:00Z", true),
            ("2026-10-25T02:59:59Z", true),
            ("2026-10-25T03:00:00Z", false),
        ],
    );
    // At midnight: in Havana on 2 November 2025, 1:00 becomes 0:00.
    check_hours(
        "timezone = 'America/Havana'\nsun = '0:30-2:00'",
        &[
            ("2025-11-02T04:29:59Z", false),
            ("2025-11-02T04:30:00Z", true),
            ("2025-11-02T05:15:00Z", true),
            ("2025-11-02T06:59:59Z", true),
            ("2025-11-02T07:00:00Z", false),
        ],
    );
}

#[test]
fn on_holidays_it_is_closed_and_special_days_have_hours_of_their_own() {
    let hours = format!(
        "{BERLIN}daily = '9:00-17:00'\n\
         thu = []\n\
         holidays = ['2026-06-10', 12-25, '2026-07-01..2026-07-03', '12-30..01-02']\n\
         special = {{ '2026-07-02' = '10-11', '12-24' = '9-13', '12-26' = '20:00-1:00' }}"
    )
    .replace("daily = '9:00-17:00'\nthu = []", "fri-wed = '9:00-17:00'")
    .replace("12-25,", "'12-25',");
    check_hours(
        &hours,
        &[
            ("2026-06-09T10:00:00Z", true),
            ("2026-06-10T10:00:00Z", false),
            ("2027-06-10T10:00:00Z", false), // a Thursday
            ("2028-06-10T10:00:00Z", true),
            // The first and the last of several; on one of them it is open for an hour.
            ("2026-06-30T10:00:00Z", true),
            ("2026-07-01T10:00:00Z", false),
            ("2026-07-02T08:00:00Z", true),
            ("2026-07-02T10:00:00Z", false),
            ("2026-07-03T10:00:00Z", false),
            ("2026-07-04T10:00:00Z", true),
            // Every year, and over New Year.
            ("2026-12-24T11:59:59Z", true), // a Thursday, but special
            ("2026-12-24T12:00:00Z", false),
            ("2026-12-25T10:00:00Z", false),
            ("2029-12-25T10:00:00Z", false),
            ("2026-12-26T19:00:00Z", true),
            ("2026-12-26T23:59:59Z", true),
            ("2026-12-27T00:00:00Z", false),
            ("2026-12-29T10:00:00Z", true),
            ("2026-12-30T10:00:00Z", false),
            ("2027-01-02T10:00:00Z", false),
            ("2027-01-03T10:00:00Z", true),
        ],
    );
    // The night before a holiday goes on into it; and a date may stand without quotes.
    check_hours(
        &format!("{BERLIN}daily = '18:00-2:00'\nholidays = [2026-05-01]"),
        &[
            ("2026-04-30T23:00:00Z", true),
            ("2026-05-01T17:00:00Z", false),
            ("2026-05-01T23:00:00Z", false),
            ("2026-05-02T17:00:00Z", true),
        ],
    );
}

#[test]
fn shops_have_hours_of_their_own() {
    let rules = rules(
        "[hours.kitchen]\ntimezone = 'UTC'\ndaily = '12-14'\n\
         [hours.bar]\ntimezone = 'UTC'\ndaily = '13-20'\n\
         [[rule]]\nopen = ['kitchen', 'bar']\nclosed = 'bar'\nreply = 'kitchen only'\n\
         [[rule]]\nopen = 'kitchen'\nreply = 'both'\n\
         [[rule]]\nclosed = ['kitchen', 'bar']\nnot = { open = 'bar' }\nreply = 'none'",
    );
    let at = |hour: i64| {
        let answer = rules.answer(&said("a"), &Facts::default(), hour * 3_600_000);
        answer.map(|answer| answer.rule)
    };
    assert_eq!(
        [at(12), at(13), at(15), at(21)],
        [Some(1), Some(2), None, Some(3)]
    );
}
