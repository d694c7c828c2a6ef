//! Which page and which action stands where.

use super::form::Form;
use super::visit::{Shown, Visit};
use super::{login, pages};

/// A form's fields come to some kilobytes.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// Something to look at.
pub struct Page {
    /// Its path below the console's root; `{}` stands for any one part.
    pub path: &'static str,
    /// Draws it.
    pub show: fn(&Visit) -> Shown,
}

/// Who does an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doer {
    /// One of the few who draw pages: it is done in moments.
    Desk,
    /// A thread of its own, of which there are few too: it holds much, calls Graph or
    /// makes many commits, and no page waits for that.
    Aside,
}

/// Something that changes something: a form's target.
pub struct Action {
    /// As of a page.
    pub path: &'static str,
    /// The longest form it takes.
    pub body_bytes_max: usize,
    /// Who does it.
    pub doer: Doer,
    /// Does it.
    pub act: fn(&Visit, &Form) -> Shown,
}

const fn page(path: &'static str, show: fn(&Visit) -> Shown) -> Page {
    Page { path, show }
}

const fn action(path: &'static str, act: fn(&Visit, &Form) -> Shown) -> Action {
    Action {
        path,
        body_bytes_max: FORM_BYTES_MAX,
        doer: Doer::Desk,
        act,
    }
}

const fn long(path: &'static str, act: fn(&Visit, &Form) -> Shown) -> Action {
    Action {
        doer: Doer::Aside,
        ..action(path, act)
    }
}

/// What the navigation leads to, and its word's key in `words.nav`.
pub const SECTIONS: &[(&str, &str)] = &[
    ("overview", ""),
    ("conversations", "/conversations"),
    ("inbox", "/inbox"),
    ("outbox", "/outbox"),
    ("settings", "/settings"),
    ("rules", "/rules"),
    ("trail", "/trail"),
];

/// All pages. The first that fits a path is it.
pub const PAGES: &[Page] = &[
    page("", pages::overview::show),
    page("/conversations", pages::conversations::show),
    page("/conversations/{}", pages::thread::show),
    page("/inbox", pages::inbox::show),
    page("/inbox/{}", pages::inbox::show_one),
    page("/media/{}", pages::media::show),
    page("/outbox", pages::outbox::show),
    page("/outbox/{}", pages::outbox::show_one),
    page("/rules", pages::rules::show),
    page("/settings", pages::settings::show),
    page("/trail", pages::trail::show),
];

/// All actions.
pub const ACTIONS: &[Action] = &[
    action("/logout", login::end),
    action("/conversations/{}/text", pages::thread::act::text),
    Action {
        // Besides the file, its caption and what stands between parts.
        body_bytes_max: pages::thread::act::FILE_BYTES_MAX + FORM_BYTES_MAX,
        ..long("/conversations/{}/file", pages::thread::file::send)
    },
    action("/conversations/{}/forget", pages::thread::forget::begin),
    action("/conversations/{}/template", pages::thread::act::template),
    action("/conversations/{}/read", pages::thread::act::read),
    action("/conversations/{}/take", pages::thread::act::take),
    action("/conversations/{}/give", pages::thread::act::give),
    action("/inbox/selected", pages::inbox::selected),
    long("/inbox/all", pages::inbox::all_of_error),
    long("/inbox/drop", pages::inbox::drop_consumer),
    action("/inbox/{}/replay", pages::inbox::replay),
    action("/inbox/{}/give_up", pages::inbox::give_up),
    action("/outbox/selected", pages::outbox::selected),
    long("/outbox/all", pages::outbox::all_of_code),
    action("/outbox/{}/steer", pages::outbox::steer),
    action("/rules", pages::rules::put),
];

/// What is at a path below the console's root, and what stands in the places of
/// its `{}`.
pub fn find<'r, T>(
    routes: &'r [T],
    path_of: impl Fn(&T) -> &'static str,
    path: &str,
) -> Option<(&'r T, Vec<String>)> {
    let mut found = routes.iter();
    found.find_map(|route| fit(path_of(route), path).map(|parts| (route, parts)))
}

fn fit(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut parts = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(parts),
            (Some("{}"), Some(part)) if !part.is_empty() => parts.push(decoded(part)?),
            (Some(wanted), Some(part)) if wanted == part => {}
            _ => return None,
        }
    }
}

/// A part of a path without its percent-escapes.
fn decoded(part: &str) -> Option<String> {
    // A plus is a plus in a path, and a blank in a form.
    let part = part.replace('+', "%2B");
    let pair = form_urlencoded::parse(part.as_bytes()).next()?;
    let has_value = part.contains(['=', '&']);
    (!has_value).then(|| pair.0.into_owned())
}

/// A part of a path as it may stand in one.
pub fn encoded(part: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(part.as_bytes()).collect();
    encoded.replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, path: &str, expected: Option<&[&str]>) {
        let expected = expected.map(|parts| parts.iter().map(|p| (*p).to_owned()).collect());
        assert_eq!(fit(pattern, path), expected, "{pattern} {path}");
    }

    #[test]
    fn paths_lead_to_what_they_name() {
        check("", "", Some(&[]));
        check("", "/", None);
        check("/trail", "/trail", Some(&[]));
        check("/trail", "/trail/", None);
        check("/trail", "/trails", None);
        check("/inbox/{}", "/inbox/7", Some(&["7"]));
        check("/inbox/{}", "/inbox/", None);
        check("/inbox/{}", "/inbox", None);
        check("/inbox/{}/replay", "/inbox/7/replay", Some(&["7"]));
        check("/c/{}/{}", "/c/1/a%2Fb+c%20d", Some(&["1", "a/b+c d"]));
        check("/c/{}", "/c/a=b", None);
    }

    #[test]
    fn what_is_put_into_a_path_comes_out_of_it() {
        for part in ["1555", "US.1", "a/b", "a b+c=d&e%f?g#h", "é\u{202e}"] {
            let path = format!("/c/{}", encoded(part));
            check("/c/{}", &path, Some(&[part]));
            assert!(path.bytes().all(|b| b.is_ascii_graphic()), "{path}");
        }
    }
}
