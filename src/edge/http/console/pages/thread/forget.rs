//! Forgetting a person. It looks through all that is stored, which can take
//! minutes; so it is done beside the pages, and the trail says when it is over and
//! what went.

use crate::edge::clock;
use crate::edge::http::console::Form;
use crate::edge::http::console::visit::{Shown, Trouble, Visit};
use crate::edge::upkeep::{Forgotten, Inside, Upkeep};
use crate::gateway::trail;
use crate::store::rows::NewDeed;
use crate::store::{Committer, Result};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// One at a time: each reads the whole store.
static UNDER_WAY: AtomicBool = AtomicBool::new(false);

/// Begins it.
pub fn begin(visit: &Visit, form: &Form) -> Shown {
    if form.get("sure").is_empty() {
        return Err(Trouble::Bad("not_sure"));
    }
    let id = visit.id(0)?;
    let names = visit.read(|tx| tx.conversation_names(id))?;
    let (number, user, _) = names.ok_or(Trouble::NotFound)?;
    if UNDER_WAY.swap(true, Ordering::SeqCst) {
        return visit.go(&format!("/conversations/{id}"), Some("still_forgetting"));
    }
    let begun = Lock;
    visit.change("forget", &id.to_string(), |_| Ok(()))?;
    let config = &visit.live.config;
    let job = Job {
        committer: visit.desk.committer().clone(),
        database: config.database.clone(),
        media: config.media.as_ref().map(|media| media.folder.clone()),
        subject: id.to_string(),
        session: visit.session.name(),
        address: visit.address.clone(),
    };
    let started = thread::Builder::new().name("forget".into()).spawn(move || {
        let _begun = begun;
        job.run(&number, &user);
    });
    match started {
        Ok(_) => visit.go("/conversations", Some("forgetting")),
        Err(_) => Err(Trouble::Bad("store")),
    }
}

/// Whoever drops it lets the next one begin.
struct Lock;

impl Drop for Lock {
    fn drop(&mut self) {
        UNDER_WAY.store(false, Ordering::SeqCst);
    }
}

struct Job {
    committer: Committer,
    database: PathBuf,
    media: Option<PathBuf>,
    subject: String,
    session: String,
    address: String,
}

impl Job {
    fn run(self, number: &str, user: &str) {
        let inside = Inside::new(self.committer.clone(), &self.database);
        let mut upkeep = Upkeep::new(inside, self.media.as_deref());
        let forgotten = upkeep.forget(Some(number), user);
        let given_back = upkeep.give_back();
        let told = match (&forgotten, &given_back) {
            (Ok(Some(forgotten)), Ok(())) => {
                self.tell("forgotten", &went(&self.subject, forgotten))
            }
            (Ok(None), Ok(())) => self.tell("forgotten", &self.subject),
            (Err(error), _) | (_, Err(error)) => {
                log::error!("msg=\"a person could not be forgotten: try again\" error=\"{error}\"");
                self.tell("not_forgotten", &self.subject)
            }
        };
        if let Err(error) = told {
            log::warn!(
                "msg=\"the trail does not tell that a person was forgotten\" error=\"{error}\""
            );
        }
    }

    fn tell(&self, action: &'static str, subject: &str) -> Result<()> {
        let (session, address) = (self.session.clone(), self.address.clone());
        let subject = subject.to_owned();
        self.committer.commit(move |tx| {
            let deed = NewDeed {
                at: clock::now_ms(),
                session: &session,
                address: &address,
                action,
                subject: &subject,
            };
            trail::record(tx, &deed)
        })
    }
}

/// What went, without who it was.
fn went(subject: &str, forgotten: &Forgotten) -> String {
    let removed = &forgotten.removed;
    format!(
        "{subject}: events {}, messages {}, files {}",
        removed.events, removed.messages, forgotten.files
    )
}
