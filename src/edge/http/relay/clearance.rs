//! Whose token a relayed call gets, and whether it may have one.

use super::super::Answer;
use super::super::graph_api::answers::refuse;
use super::SMALL_BYTES_MAX;
use super::clerk::Clerk;
use crate::config::{Secret, Tokens};
use crate::edge::graph::{CALL, Call, Payload, Target};
use crate::store::rows::{Queue, QueueKind};
use crate::wire::raw;
use crate::wire::relay::path::{self, Standing};
use std::collections::HashMap;
use std::io::Read;
use std::sync::MutexGuard;

/// Ids of accounts and files whose token was found by asking.
const KNOWN_MAX: usize = 10_000;

/// Tokens that are tried for an id; a service with more sets `phone_number_id`.
const TRIED_MAX: usize = 16;

/// A call that may be made.
pub(super) struct Cleared<'c> {
    /// Whose token it is: a number's, or nobody's, for the common one.
    pub owner: String,
    pub token: &'c Secret,
}

/// What was learnt of an id by asking Graph.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// Whose token sees it.
    owner: Option<String>,
    /// It is a number or an account.
    ours: bool,
}

impl Clerk<'_> {
    /// The token for a call, unless it may have none.
    pub(super) fn clear(&self, parts: &[String], query: &str) -> Result<Cleared<'_>, Answer> {
        let standing = path::standing(parts);
        if standing == Standing::Foreign {
            return Err(refuse(
                403,
                10,
                "only WhatsApp numbers, their accounts and what belongs to these can be called, by their ids",
            ));
        }
        let owners = self.owners();
        if owners.is_empty() {
            let text = "no token is set for calls to Graph: set WHATSAPP_TOKEN";
            return Err(refuse(400, 100, text));
        }
        let id = &parts[0];
        let owner = self.owner(id, query, &owners).ok_or_else(|| {
            refuse(
                400,
                100,
                "it is not known which number's token sees this id: say so with ?phone_number_id=…, or set WHATSAPP_TOKEN",
            )
        })?;
        // An owner is taken from those that have a token.
        let token = self.token(&owner).unwrap_or(owners[0].1);
        if standing == Standing::IfOurs && !self.is_ours(id, token) {
            return Err(refuse(
                403,
                10,
                "this id is no WhatsApp number or account that our token sees",
            ));
        }
        Ok(Cleared { owner, token })
    }

    /// The token of an owner: a number, or nobody for the common one.
    pub(super) fn token(&self, owner: &str) -> Option<&Secret> {
        match owner {
            "" => self.tokens().common.as_ref(),
            number => self.tokens().by_number.get(number),
        }
    }

    fn tokens(&self) -> &Tokens {
        &self.live.config.tokens
    }

    /// Every token once, and a number it belongs to; the common one first, of
    /// no number.
    fn owners(&self) -> Vec<(&str, &Secret)> {
        let common = self.tokens().common.iter().map(|token| ("", token));
        let own = self.tokens().by_number.iter();
        let own = own.map(|(number, token)| (number.as_str(), token));
        let mut owners: Vec<(&str, &Secret)> = Vec::new();
        for (number, token) in common.chain(own) {
            if !owners.iter().any(|(_, known)| *known == token) {
                owners.push((number, token));
            }
        }
        owners
    }

    fn owner(&self, id: &str, query: &str, owners: &[(&str, &Secret)]) -> Option<String> {
        let own = |number: &str| self.tokens().by_number.contains_key(number);
        if own(id) {
            return Some(id.to_owned());
        }
        let named = path::parameter(query, "phone_number_id").filter(|number| own(number));
        if named.is_some() {
            return named;
        }
        if let [(only, _)] = owners {
            return Some((*only).to_owned());
        }
        let account = |queue: &Queue| queue.waba.as_deref() == Some(id) && own(&queue.name);
        if let Some(queue) = self.numbers().into_iter().find(account) {
            return Some(queue.name);
        }
        if self.tokens().common.is_some() {
            return Some(String::new());
        }
        let known = self.known().get(id).and_then(|known| known.owner.clone());
        known.or_else(|| {
            let path = format!("{id}?fields=id");
            let mut tried = owners.iter().take(TRIED_MAX);
            let (owner, _) = tried.find(|(_, token)| self.ask(&path, token).is_some())?;
            self.learn(id, |known| known.owner = Some((*owner).to_owned()));
            Some((*owner).to_owned())
        })
    }

    /// Whether an id is a WhatsApp number or account: ours by the settings, by
    /// what was received, or by what Graph says.
    fn is_ours(&self, id: &str, token: &Secret) -> bool {
        let known = || self.known().get(id).is_some_and(|known| known.ours);
        let received = |queue: &Queue| queue.name == id || queue.waba.as_deref() == Some(id);
        if self.tokens().by_number.contains_key(id)
            || known()
            || self.numbers().iter().any(received)
        {
            return true;
        }
        let has = |path: &str, key: &str| {
            let answer = self.ask(path, token);
            let members = answer.as_deref().and_then(raw::members);
            members.is_some_and(|members| raw::get(&members, key).is_some())
        };
        let ours = has(&format!("{id}/phone_numbers?fields=id&limit=1"), "data")
            || has(
                &format!("{id}?fields=display_phone_number"),
                "display_phone_number",
            );
        if ours {
            self.learn(id, |known| known.ours = true);
        }
        ours
    }

    /// What Graph answers to a question of our own, if it answers 200.
    fn ask(&self, path: &str, token: &Secret) -> Option<String> {
        let answered = self.live.graph.call(Call {
            method: "GET",
            target: Target::Path(path),
            token,
            headers: &[],
            body: Payload::Nothing,
            within: CALL,
        });
        let answered = answered.ok().filter(|answered| answered.status == 200)?;
        let mut text = String::new();
        let body = answered.body.take(SMALL_BYTES_MAX as u64);
        { body }.read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// The numbers that have sent, or been written to.
    fn numbers(&self) -> Vec<Queue> {
        let queues = self.desk.committer.commit(|tx| tx.queues());
        let mut queues = queues.unwrap_or_default();
        queues.retain(|queue| queue.kind == QueueKind::Send);
        queues
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.desk.known.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn learn(&self, id: &str, what: impl FnOnce(&mut Known)) {
        let mut known = self.known();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        what(known.entry(id.to_owned()).or_default());
    }
}
