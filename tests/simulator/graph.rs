//! Graph: takes messages, or not, and says so, or not.

use super::halts::{Caller, Troubles};
use super::luck::{Luck, Plan};
use super::meta::waba_of;
use super::tokens::Token;
use serde_json::{Value, json};
use std::time::Duration;
use wabridge::gateway::{Gateway, Sending};
use wabridge::policy::verdict::{self, Answer, Verdict};

/// How long we wait for an answer before it counts as lost.
const TIMEOUT_MS: i64 = 30_000;

/// One request on its way.
#[derive(Clone)]
pub struct Call {
    pub sending: Sending,
    pub body: Value,
    pub token: Token,
    /// The settings it was claimed by, as the service's workers keep them.
    pub gateway: Gateway,
    /// Which life of the process made it.
    pub life: u32,
}

impl Call {
    pub fn new(sending: Sending, token: Token, gateway: Gateway, life: u32) -> Call {
        let body = serde_json::from_str(&sending.body).expect("the outbox holds JSON");
        Call {
            sending,
            body,
            token,
            gateway,
            life,
        }
    }

    pub fn is_mark(&self) -> bool {
        self.body["status"] == "read"
    }

    /// What tells this message from all others.
    pub fn name(&self) -> String {
        name_of(&self.body)
    }

    /// Who makes it, its account as far as the service has heard of it.
    pub fn caller<'a>(&'a self, waba: Option<&'a str>) -> Caller<'a> {
        Caller {
            number: &self.sending.number,
            token: self.token,
            waba,
        }
    }

    /// A template that took a message's place.
    pub fn is_substitute(&self) -> bool {
        self.body["template"]["components"].is_array()
    }

    pub fn is_file(&self) -> bool {
        self.body["type"] == "image"
    }

    /// Whether it may only go to a person who wrote a short time ago.
    pub fn needs_window(&self) -> bool {
        !self.is_mark() && self.body["type"] != "template"
    }

    pub fn to(&self) -> &str {
        let to = self.body["to"].as_str().or(self.body["recipient"].as_str());
        to.unwrap_or_default()
    }

    pub fn mark(&self) -> &str {
        let mark = self.body["biz_opaque_callback_data"].as_str();
        mark.unwrap_or_default()
    }
}

/// The name of a message, by its body: what it says, wherever it says it.
pub fn name_of(body: &Value) -> String {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let template = &body["template"];
    let gap = &template["components"][0]["parameters"][0]["text"];
    match (&body["status"], body["type"].as_str()) {
        (status, _) if status == "read" => format!("read {}", text(&body["message_id"])),
        (_, Some("template")) if gap.is_null() => text(&template["name"]),
        (_, Some("template")) => text(gap),
        (_, Some("image")) => text(&body["image"]["caption"]),
        _ => text(&body["text"]["body"]),
    }
}

/// What became of a call.
pub struct Answered {
    pub verdict: Verdict,
    pub after_ms: i64,
    /// Set when Graph took the message, whether or not we hear of it.
    pub wamid: Option<String>,
}

#[derive(Default)]
pub struct Graph {
    sent: u64,
    pub troubles: Troubles,
}

impl Graph {
    /// The request arrives, or is lost on the way.
    pub fn take(
        &mut self,
        luck: &mut Luck,
        plan: &Plan,
        call: &Call,
        other_id: Option<String>,
        too_late: bool,
        now: i64,
    ) -> Answered {
        let faults = &plan.faults;
        let after_ms = luck.between(40, plan.graph_ms);
        let no = |verdict| Answered {
            verdict,
            after_ms,
            wamid: None,
        };
        if luck.chance(faults.unreachable) {
            let reason = "connection refused".into();
            return no(verdict::read(&Answer::NotSent { reason }));
        }
        let caller = call.caller(Some(waba_of(&call.sending.number)));
        if let Some(code) = self.troubles.meets(caller, now) {
            return no(error(400, code, None));
        }
        if luck.chance(faults.throttled) {
            // Pair, number, app.
            let code = *luck.pick(&[131_056, 130_429, 4]);
            let wait = luck.chance(0.5).then(|| luck.between(1, 60) as u64);
            return no(error(429, code, wait));
        }
        if luck.chance(faults.refused) {
            return no(error(400, 131_026, None));
        }
        // Else it is taken, and a status tells later.
        if too_late && luck.chance(0.5) {
            return no(error(400, 131_047, None));
        }
        if luck.chance(faults.lost) {
            let arrived = luck.chance(0.5);
            let reason = "timed out".into();
            return Answered {
                verdict: verdict::read(&Answer::Lost { reason }),
                after_ms: TIMEOUT_MS,
                wamid: arrived.then(|| self.wamid()),
            };
        }
        if luck.chance(faults.errors) {
            let processed = luck.chance(0.3);
            return Answered {
                verdict: match luck.chance(0.5) {
                    true => error(500, *luck.pick(&[131_000, 2, 131_057]), None),
                    false => http(503, None, "<html>busy</html>"),
                },
                after_ms,
                wamid: processed.then(|| self.wamid()),
            };
        }
        let wamid = self.wamid();
        let body = match call.is_mark() {
            true => json!({"success": true}),
            false => accepted(luck, call.to(), &wamid, other_id),
        };
        Answered {
            verdict: http(200, None, &body.to_string()),
            after_ms,
            wamid: Some(wamid),
        }
    }

    fn wamid(&mut self) -> String {
        self.sent += 1;
        format!("wamid.out{}", self.sent)
    }
}

fn accepted(luck: &mut Luck, to: &str, wamid: &str, other_id: Option<String>) -> Value {
    let mut contact = json!({"input": to});
    let other = other_id.filter(|_| luck.chance(0.2));
    for id in [Some(to.to_owned()), other].into_iter().flatten() {
        let key = if id.starts_with("US.") {
            "user_id"
        } else {
            "wa_id"
        };
        contact[key] = json!(id);
    }
    json!({"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": wamid}]})
}

fn error(status: u16, code: i64, wait: Option<u64>) -> Verdict {
    let body = json!({"error": {"code": code, "message": "as simulated"}});
    http(status, wait, &body.to_string())
}

fn http(status: u16, wait: Option<u64>, body: &str) -> Verdict {
    verdict::read(&Answer::Http {
        status,
        retry_after: wait.map(Duration::from_secs),
        body: body.as_bytes(),
    })
}
