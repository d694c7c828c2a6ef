//! The rules in force, and what they make of a message that is tried.

use crate::edge::http::console::form::Form;
use crate::edge::http::console::visit::{Shown, Visit};
use crate::gateway::{Effect, Facts as Known};
use crate::handler::rules::{self, Rules, Trial, Tried, Untried, triable};
use serde::Serialize;
use std::path::Path;

/// A message has no more characters (Meta: text messages), and an id has fewer.
const TRIED_CHARS_MAX: usize = 4096;

#[derive(Serialize)]
struct Facts {
    /// The file; `None` when RULES_FILE is not set.
    file: Option<String>,
    /// The file is not any more what is in force: what is wrong with it, if
    /// anything.
    changed: Option<Vec<String>>,
    rules: Vec<Listed>,
    /// What can be tried.
    types: Vec<&'static str>,
    /// What was filled in.
    tried: Filled,
    outcome: Option<Outcome>,
}

#[derive(Serialize)]
struct Listed {
    rule: usize,
    name: Option<String>,
    line: usize,
    conditions: Vec<&'static str>,
    replies: usize,
    cooldown_ms: Option<i64>,
    hand_over: bool,
    /// It is the one that fits what was tried.
    fits: bool,
    /// Why it does not.
    passed: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Filled {
    text: String,
    #[serde(rename = "type")]
    type_: String,
    reply_id: String,
    from: String,
    first_contact: bool,
}

#[derive(Default, Serialize)]
struct Outcome {
    /// The rule that fits, counted from 1.
    rule: Option<usize>,
    /// As Graph would get them.
    messages: Vec<String>,
    /// Keys of `words.rules.effects`.
    effects: Vec<&'static str>,
    /// Why it could not be tried.
    wrong: Option<String>,
}

/// Draws it.
pub fn show(visit: &Visit) -> Shown {
    draw(visit, Filled::default(), None)
}

/// Tries a message. It changes nothing, and is a form all the same: what is tried
/// belongs into no address.
pub fn put(visit: &Visit, form: &Form) -> Shown {
    let cut = |name: &str| form.get(name).chars().take(TRIED_CHARS_MAX).collect();
    let filled = Filled {
        text: cut("text"),
        type_: cut("type"),
        reply_id: cut("reply_id"),
        from: cut("from"),
        first_contact: form.get("first_contact") == "yes",
    };
    let Some(rules) = in_force(visit) else {
        return draw(visit, filled, None);
    };
    let given = |text: &'static str| Some(text).filter(|text| !text.is_empty());
    let type_ = triable().find(|known| *known == filled.type_);
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (reply_id, from) = (some(&filled.reply_id), some(&filled.from));
    let trial = Trial {
        text: &filled.text,
        // A tap is one on a button unless another is named.
        type_: type_
            .and_then(given)
            .filter(|type_| reply_id.is_none() || *type_ != "text"),
        reply_id: reply_id.as_deref(),
        from: from.as_deref(),
        at: visit.now,
        ..Trial::default()
    };
    let known = Known {
        first_contact: filled.first_contact,
        ..Known::default()
    };
    let tried = trial.put_to(rules, &known);
    draw(visit, filled, Some(tried))
}

fn in_force<'v>(visit: &'v Visit) -> Option<&'v Rules> {
    let mut handlers = visit.live.handlers.iter();
    handlers.find_map(|handler| handler.rules())
}

fn draw(visit: &Visit, filled: Filled, tried: Option<Result<Tried, Untried>>) -> Shown {
    let file = visit.live.config.rules.as_deref();
    let rules = in_force(visit);
    let listed = rules.map(|rules| list(rules, tried.as_ref()));
    let facts = Facts {
        file: file.map(|path| path.display().to_string()),
        changed: rules
            .zip(file)
            .and_then(|(rules, path)| changed(rules, path)),
        rules: listed.unwrap_or_default(),
        types: triable().collect(),
        tried: filled,
        outcome: tried.map(outcome),
    };
    visit.page("rules.html", facts)
}

/// What is wrong with the file, if it is not what is in force.
fn changed(rules: &Rules, path: &Path) -> Option<Vec<String>> {
    match Rules::load(path) {
        Ok(now) if now.is_same(rules) => None,
        Ok(_) => Some(Vec::new()),
        Err(error) => Some(error.to_string().lines().map(str::to_owned).collect()),
    }
}

fn list(rules: &Rules, tried: Option<&Result<Tried, Untried>>) -> Vec<Listed> {
    let judged = tried.and_then(|tried| tried.as_ref().ok().map(|tried| &tried.judged));
    let fits = judged.and_then(|judged| judged.answer.as_ref().map(|answer| answer.rule));
    let listed = rules.list().map(|one: rules::Listed| Listed {
        rule: one.rule,
        name: one.name.map(str::to_owned),
        line: one.line,
        conditions: one.conditions,
        replies: one.replies,
        cooldown_ms: one.cooldown_ms,
        hand_over: one.hand_over,
        fits: fits == Some(one.rule),
        passed: judged.and_then(|judged| judged.passed.get(one.rule - 1).copied()),
    });
    listed.collect()
}

fn outcome(tried: Result<Tried, Untried>) -> Outcome {
    let Tried { judged, messages } = match tried {
        Ok(tried) => tried,
        Err(Untried::Unknown(wrong) | Untried::Failed(wrong)) => {
            return Outcome {
                wrong: Some(wrong),
                ..Outcome::default()
            };
        }
    };
    let pretty = messages.iter().map(serde_json::to_string_pretty);
    let effects = judged.answer.iter().flat_map(|answer| &answer.effects);
    Outcome {
        rule: judged.answer.as_ref().map(|answer| answer.rule),
        messages: pretty.map(Result::unwrap_or_default).collect(),
        effects: effects.map(key).collect(),
        wrong: None,
    }
}

fn key(effect: &Effect) -> &'static str {
    match effect {
        Effect::Rest { .. } => "rest",
        Effect::StopMarketing => "stop_marketing",
        Effect::StartMarketing => "start_marketing",
        Effect::HandOver => "hand_over",
    }
}
