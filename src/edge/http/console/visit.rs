//! What a page is given: who asks, what for, and the ways to read and to change.

use super::ROOT;
use super::desk::Desk;
use super::reply::Reply;
use crate::edge::live::InForce;
use crate::gateway::trail;
use crate::policy::session::Session;
use crate::store::rows::NewDeed;
use crate::store::{Reader, Result as StoreResult, StoreError, Tx};
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;
use std::sync::Arc;

/// What comes of a request.
pub type Shown = Result<Reply, Trouble>;

/// Why there is no page.
#[derive(Debug)]
pub enum Trouble {
    /// Nothing is there.
    NotFound,
    /// What was asked for cannot be: a key of `words.errors`.
    Bad(&'static str),
    /// The store cannot be used now.
    Store(StoreError),
    /// A template is wrong: a bug of ours.
    Template(minijinja::Error),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::Store(error)
    }
}

impl From<minijinja::Error> for Trouble {
    fn from(error: minijinja::Error) -> Trouble {
        Trouble::Template(error)
    }
}

/// A request of somebody who is logged in.
pub struct Visit<'d> {
    pub(super) desk: &'d Desk,
    pub(super) reader: &'d Reader,
    /// What is in force.
    pub live: Arc<InForce>,
    /// When, in Unix milliseconds.
    pub now: i64,
    pub(super) session: Session,
    pub(super) address: String,
    pub(super) parts: Vec<String>,
    pub(super) query: String,
    /// The path that was asked for, below the console's root.
    pub(super) path: String,
    /// Only the block `live` is wanted.
    pub(super) is_poll: bool,
    /// The browser reaches the proxy by TLS.
    pub(super) by_tls: bool,
}

impl Visit<'_> {
    /// What stands in the place of the path's `{}` of this index.
    pub fn part(&self, index: usize) -> &str {
        self.parts.get(index).map_or("", String::as_str)
    }

    /// A part of the path that is a number.
    ///
    /// # Errors
    /// [`Trouble::NotFound`]: no id looks like this.
    pub fn id(&self, index: usize) -> Result<i64, Trouble> {
        self.part(index).parse().map_err(|_| Trouble::NotFound)
    }

    /// A parameter of the query; `None` when it is not there or empty.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        let found = pairs.find(|(key, _)| key == name);
        let value = found.map(|(_, value)| value.into_owned());
        value.filter(|value| !value.is_empty())
    }

    /// Reads what is committed, beside the thread that commits for everybody.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn read<T>(&self, look: impl FnOnce(&Tx<'_>) -> StoreResult<T>) -> Result<T, Trouble> {
        Ok(self.reader.read(look)?)
    }

    /// Has the thread that commits for everybody bring what it holds back up to
    /// date, which is nobody's deed.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn refresh(
        &self,
        step: impl FnMut(&Tx<'_>) -> StoreResult<()> + Send + 'static,
    ) -> Result<(), Trouble> {
        Ok(self.desk.committer().commit(step)?)
    }

    /// Changes something, and writes down in the same commit who did what to what:
    /// `action` is a key of `words.deeds`, `subject` an id.
    ///
    /// # Errors
    /// When the store cannot be written; then nothing has changed.
    pub fn change<T: Send + 'static>(
        &self,
        action: &'static str,
        subject: &str,
        mut step: impl FnMut(&Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (at, session, address) = (self.now, self.session.name(), self.address.clone());
        let subject = subject.to_owned();
        let committed = self.desk.committer().commit(move |tx| {
            let changed = step(tx)?;
            let deed = NewDeed {
                at,
                session: &session,
                address: &address,
                action,
                subject: &subject,
            };
            trail::record(tx, &deed)?;
            Ok(changed)
        });
        let changed = committed?;
        self.desk.changed();
        Ok(changed)
    }

    /// A page from a template and what is to be seen on it.
    ///
    /// # Errors
    /// When the template is wrong.
    pub fn page(&self, template: &str, facts: impl Serialize) -> Shown {
        self.page_with(200, template, facts)
    }

    /// The same, with another status than 200.
    ///
    /// # Errors
    /// When the template is wrong.
    pub fn page_with(&self, status: u16, template: &str, facts: impl Serialize) -> Shown {
        let token = self.live.config.console.as_ref();
        let token = token.map(|console| console.sessions.form_token(&self.session));
        let frame = context! {
            here => self.path.clone(),
            token => self.desk.render().token(&token.unwrap_or_default()),
            notice => self.parameter("notice"),
            now => self.now,
            session => self.session.name(),
            ..Value::from(Serde(facts))
        };
        let html = match self.is_poll {
            true => self.desk.render().block(template, "live", frame)?,
            false => self.desk.render().page(template, frame)?,
        };
        Ok(Reply::page(status, html))
    }

    /// To a page of the console, after something was done: `path` is below the
    /// console's root and may have a query; `notice` is a key of `words.notices`.
    pub fn go(&self, path: &str, notice: Option<&str>) -> Shown {
        Ok(Reply::see(&address(path, notice)))
    }
}

/// The address of a page, with a notice to be shown on it.
pub(super) fn address(path: &str, notice: Option<&str>) -> String {
    match notice {
        None => format!("{ROOT}{path}"),
        Some(notice) => {
            let joint = if path.contains('?') { '&' } else { '?' };
            format!("{ROOT}{path}{joint}notice={notice}")
        }
    }
}
