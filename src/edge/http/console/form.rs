//! What a form holds.

use crate::wire::multipart::{boundary, parts};

/// Fields of one form; the longest of ours has some dozens, and a list's
/// check boxes.
const FIELDS_MAX: usize = 1_000;

/// The fields of a form, in order, and its files.
#[derive(Clone, Debug, Default)]
pub struct Form {
    fields: Vec<(String, String)>,
    files: Vec<(String, Attached)>,
}

/// A file in a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// What the sender calls it: any text at all.
    pub filename: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Form {
    /// Reads a form's body: fields alone, or in parts with files. Fields over a
    /// bound are left out; what cannot be read has none, and so no token either.
    pub fn read(content_type: &str, body: &[u8]) -> Form {
        match boundary(content_type) {
            Some(boundary) => Form::of_parts(boundary, body),
            None => {
                let fields = form_urlencoded::parse(body).take(FIELDS_MAX);
                let fields = fields.map(|(k, v)| (k.into_owned(), v.into_owned()));
                Form {
                    fields: fields.collect(),
                    files: Vec::new(),
                }
            }
        }
    }

    fn of_parts(boundary: &str, body: &[u8]) -> Form {
        let mut form = Form::default();
        for part in parts(boundary, body).unwrap_or_default() {
            let name = part.name.to_owned();
            match part.filename {
                Some(filename) => {
                    let attached = Attached {
                        filename: filename.to_owned(),
                        bytes: part.value.to_vec(),
                    };
                    form.files.push((name, attached));
                }
                None => {
                    let value = String::from_utf8_lossy(part.value).into_owned();
                    form.fields.push((name, value));
                }
            }
        }
        form
    }

    /// The first value of a field; empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// All values of a field, such as of check boxes.
    pub fn all<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        let fields = self.fields.iter().filter(move |(key, _)| key == name);
        fields.map(|(_, value)| value.as_str())
    }

    /// The file in a field, if one was chosen.
    pub fn file(&self, name: &str) -> Option<&Attached> {
        let mut files = self.files.iter();
        let found = files.find(|(key, _)| key == name)?;
        Some(&found.1).filter(|file| !file.filename.is_empty() || !file.bytes.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_from_both_kinds_of_form() {
        let form = Form::read("application/x-www-form-urlencoded", b"a=1&b=%C3%A9+x&a=2");
        assert_eq!(
            (form.get("a"), form.get("b"), form.get("c")),
            ("1", "\u{e9} x", "")
        );
        assert_eq!(form.all("a").collect::<Vec<_>>(), ["1", "2"]);
        let body = "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
            --X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\n\r\nhi\r\n\
            --X\r\nContent-Disposition: form-data; name=\"none\"; filename=\"\"\r\n\r\n\r\n--X--";
        let form = Form::read("multipart/form-data; boundary=X", body.as_bytes());
        assert_eq!(form.get("a"), "1");
        let file = form.file("f").unwrap();
        assert_eq!(
            (file.filename.as_str(), file.bytes.as_slice()),
            ("x.txt", &b"hi"[..])
        );
        assert!(form.file("none").is_none() && form.file("a").is_none());
        let cut = Form::read("multipart/form-data; boundary=X", &body.as_bytes()[..40]);
        assert_eq!(cut.get("a"), "");
    }
}
