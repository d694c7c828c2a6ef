//! A form in parts (`multipart/form-data`, RFC 7578): where its parts are parted, and one
//! that is held whole, such as a browser sends with a file. Those that pass through piece
//! by piece are `relay::form`'s.

/// Parts of one form; ours have a handful.
const PARTS_MAX: usize = 100;

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'b> {
    /// The field's name.
    pub name: &'b str,
    /// What the sender calls the file, if it is one: any text at all.
    pub filename: Option<&'b str>,
    /// The value.
    pub value: &'b [u8],
}

/// The boundary in a `Content-Type`, if it is that of a form in parts.
pub fn boundary(content_type: &str) -> Option<&str> {
    let (type_, rest) = content_type.split_once(';')?;
    if !type_.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut parameters = rest.split(';').filter_map(|pair| pair.split_once('='));
    let found = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"));
    let boundary = found.map(|(_, value)| value.trim().trim_matches('"'));
    // RFC 2046: at most 70 characters.
    boundary.filter(|boundary| (1..=70).contains(&boundary.len()))
}

/// The parts of a body, in order; `None` when it is no such form, or was cut.
/// Parts without a name are passed over.
pub fn parts<'b>(boundary: &str, body: &'b [u8]) -> Option<Vec<Part<'b>>> {
    let delimiter = format!("--{boundary}");
    let mut rest = body.strip_prefix(delimiter.as_bytes())?;
    let between = format!("\r\n{delimiter}");
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let end = find(rest, between.as_bytes())?;
        let (whole, after) = rest.split_at(end);
        rest = &after[between.len()..];
        if parts.len() == PARTS_MAX {
            return None;
        }
        let head_ends = find(whole, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&whole[..head_ends]).ok()?;
        parts.extend(read(head, &whole[head_ends + 4..]));
    }
}

fn read<'b>(head: &'b str, value: &'b [u8]) -> Option<Part<'b>> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let disposition = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-disposition"));
    let (_, disposition) = disposition?;
    Some(Part {
        name: parameter(disposition, "name")?,
        filename: parameter(disposition, "filename"),
        value,
    })
}

/// `name="value"`: browsers write quotes in it as `%22` (HTML, multipart form data).
fn parameter<'b>(disposition: &'b str, name: &str) -> Option<&'b str> {
    let mut rest = disposition;
    while let Some((_, after)) = rest.split_once(';') {
        let after = after.trim_start();
        let (key, value) = after.split_once('=')?;
        let value = value.strip_prefix('"')?;
        let (value, further) = value.split_once('"')?;
        if key.eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = further;
    }
    None
}

/// Where `what` begins.
pub(super) fn find(in_: &[u8], what: &[u8]) -> Option<usize> {
    // By its first byte, which is rare in most files: a comparison at each place
    // would take seconds for a film.
    let first = *what.first()?;
    let mut from = 0;
    while let Some(at) = in_[from..].iter().position(|byte| *byte == first) {
        let start = from + at;
        if in_[start..].starts_with(what) {
            return Some(start);
        }
        from = start + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_is_read_as_browsers_write_it() {
        for (content_type, expected) in [
            (
                "multipart/form-data; boundary=----WebKitFormBoundaryX",
                Some("----WebKitFormBoundaryX"),
            ),
            (
                "Multipart/Form-Data;charset=utf-8; Boundary=\"a b\"",
                Some("a b"),
            ),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data", None),
            ("multipart/mixed; boundary=abc", None),
            ("application/x-www-form-urlencoded; boundary=x", None),
        ] {
            assert_eq!(boundary(content_type), expected, "{content_type}");
        }
        let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
        assert_eq!(boundary(&long), None);
    }

    /// Name, file's name and value of each part.
    fn check(body: &str, expected: Option<&[(&str, Option<&str>, &str)]>) {
        let found = parts("X", body.as_bytes());
        let found = found.map(|parts| {
            let shown = |part: &Part| {
                let value = String::from_utf8_lossy(part.value).into_owned();
                (
                    part.name.to_owned(),
                    part.filename.map(str::to_owned),
                    value,
                )
            };
            parts.iter().map(shown).collect::<Vec<_>>()
        });
        let expected = expected.map(|rows| {
            let owned = |(name, file, value): &(&str, Option<&str>, &str)| {
                (
                    (*name).to_owned(),
                    file.map(str::to_owned),
                    (*value).to_owned(),
                )
            };
            rows.iter().map(owned).collect::<Vec<_>>()
        });
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn fields_and_files_are_told_apart() {
        check(
            "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\ntwo\r\n\
             --X\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; name=\"f\"; \
             filename=\"a;b=%22c.txt\"\r\n\r\n--Y-\r\n--Y\r\n--X--\r\n",
            Some(&[
                ("a", None, "one\r\ntwo"),
                ("f", Some("a;b=%22c.txt"), "--Y-\r\n--Y"),
            ]),
        );
        check("--X--", Some(&[]));
        check(
            "--X\r\nContent-Disposition: form-data\r\n\r\nx\r\n--X--",
            Some(&[]),
        );
        let empty =
            "--X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\n\r\n\r\n--X--";
        check(empty, Some(&[("f", Some(""), "")]));
    }

    #[test]
    fn what_is_cut_is_no_form_wherever_it_is_cut() {
        let whole = "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--X--";
        assert!(parts("X", whole.as_bytes()).is_some());
        for end in 0..whole.len() {
            assert_eq!(parts("X", &whole.as_bytes()[..end]), None, "{end}");
        }
        assert_eq!(parts("Y", whole.as_bytes()), None);
    }

    #[test]
    fn a_form_has_a_hundred_parts_at_most() {
        let part = "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X";
        let body = |count: usize| format!("--X{}--", part.repeat(count));
        assert!(parts("X", body(PARTS_MAX).as_bytes()).is_some());
        assert!(parts("X", body(PARTS_MAX + 1).as_bytes()).is_none());
    }
}
