//! What a form holds.

/// Fields of one form; the longest of ours has some dozens, and a list's
/// check boxes.
const FIELDS_MAX: usize = 1_000;

/// The fields of a form (`application/x-www-form-urlencoded`), in order.
#[derive(Clone, Debug, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form's body; fields over a bound are left out.
    pub fn read(body: &[u8]) -> Form {
        let fields = form_urlencoded::parse(body).take(FIELDS_MAX);
        Form(
            fields
                .map(|(k, v)| (k.into_owned(), v.into_owned()))
                .collect(),
        )
    }

    /// The first value of a field; empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// All values of a field, such as of check boxes.
    pub fn all<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        let fields = self.0.iter().filter(move |(key, _)| key == name);
        fields.map(|(_, value)| value.as_str())
    }
}
