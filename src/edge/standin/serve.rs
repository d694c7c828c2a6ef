//! From a request to its answer: routes, token, faults, and what is accepted.
//! Calls that are not about messages are in `rest`.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::check::{Call, Message, check};
use super::faults::plan;
use super::graph::{self, GraphError};
use super::http::{Answer, Reply, Request};
use super::limits::Window;
use super::post::{Job, Sent};
use super::{
    Accepted, CallFault, Choice, ChoiceKind, Happening, Inner, Number, Receipt, State, StatusFault,
};
use crate::wire::sample;

/// So many accepted messages are remembered; from then on Graph is "overloaded".
const ACCEPTED_MAX: usize = 1_000_000;
/// So many statuses may wait for the callback; from then on Graph is "overloaded".
const PENDING_MAX: usize = 300_000;

impl Inner {
    pub(super) fn serve(&self, request: &Request) -> Reply {
        let call = {
            let mut state = self.state();
            state.tally.calls += 1;
            state.tally.calls
        };
        let mut reply = self.route(request).unwrap_or_else(|error| {
            self.state().tally.refused += 1;
            self.tell(Happening::Refused {
                http: error.http,
                code: error.code,
            });
            // Not from the dice: those are for faults alone, so that a seed gives the same ones.
            Reply::Answer(error.answer(sample::mix(self.seed ^ call)))
        });
        self.changed.notify_all();
        if let Reply::Answer(answer) = &mut reply {
            let now = SystemTime::now() + self.state().app.clock_ahead;
            answer.headers.push(("Date", httpdate::fmt_http_date(now)));
        }
        reply
    }

    fn route(&self, request: &Request) -> Result<Reply, GraphError> {
        let unknown = || GraphError::unknown_path(&request.path);
        if request.path == "/attachments/" {
            self.check_bearer(request)?;
            return self.attachment(request);
        }
        let path = without_version(&request.path).ok_or_else(unknown)?;
        self.check_token(request)?;
        let (id, edge) = path.split_once('/').unwrap_or((path, ""));
        match (request.method.as_str(), edge) {
            ("POST", "messages") => self.messages(self.number(id)?, request),
            _ => self.other_call(id, edge, request),
        }
    }

    /// The token, and the proof that goes with it.
    fn check_token(&self, request: &Request) -> Result<(), GraphError> {
        self.check_bearer(request)?;
        let token = request.bearer().unwrap_or_default();
        let proof = parameter(&request.query, "appsecret_proof");
        match proof {
            None if self.needs_proof => Err(GraphError::no_proof(false)),
            Some(proof) if proof != self.hooks.proof(token) => Err(GraphError::no_proof(true)),
            _ => Ok(()),
        }
    }

    fn check_bearer(&self, request: &Request) -> Result<(), GraphError> {
        let state = self.state();
        let borne = request.bearer().unwrap_or_default();
        if borne == self.app_token(&state) && is_of_app(&request.path) {
            return Ok(());
        }
        if borne != state.token {
            return Err(GraphError::wrong_token());
        }
        if state.faults.token_expired {
            return Err(GraphError::expired_token());
        }
        Ok(())
    }

    pub(super) fn number(&self, id: &str) -> Result<Number, GraphError> {
        let numeric = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        if self.numbers.is_empty() && numeric {
            let sample = sample::Sample::default();
            return Ok(Number {
                id: id.to_owned(),
                display: sample.display.to_owned(),
                waba: sample.waba.to_owned(),
            });
        }
        let found = self.numbers.iter().find(|number| number.id == id);
        found.cloned().ok_or_else(|| GraphError::unknown_object(id))
    }

    fn messages(&self, number: Number, request: &Request) -> Result<Reply, GraphError> {
        let (call, body) = check(&request.body)?;
        self.state().files.check_message(&body)?;
        let fault = {
            let mut state = self.state();
            let since = state.faults_since.elapsed();
            let State { faults, dice, .. } = &mut *state;
            faults.next_call(dice, since)
        };
        match &fault {
            Some(CallFault::Throttled) => return Err(GraphError::throttled()),
            Some(CallFault::PairLimited) => return Err(GraphError::pair_limited()),
            Some(CallFault::TooManyRequests(after)) => {
                return Err(GraphError::too_many_requests(*after));
            }
            Some(CallFault::ServerError) => return Err(GraphError::server_error()),
            Some(CallFault::BadGateway) => return Ok(self.page(502)),
            Some(CallFault::Page(status)) => return Ok(self.page(*status)),
            Some(CallFault::Refused(http, code, title)) => {
                return Err(GraphError::new(*http, *code, title));
            }
            Some(CallFault::LostBefore) => return Ok(self.lost(None, None)),
            Some(CallFault::StallBefore(wait)) => self.stall(*wait),
            Some(
                CallFault::LostAfter
                | CallFault::CutAfter
                | CallFault::StallAfter(_)
                | CallFault::TrickleAfter(_)
                | CallFault::PageAfter(_),
            )
            | None => {}
        }
        let (wamid, answer) = match call {
            Call::Message(message) => self.accept(number, message, body)?,
            Call::Receipt { message_id, typing } => {
                let number = number.id;
                self.read(Receipt {
                    number,
                    message_id,
                    typing,
                });
                (
                    None,
                    Answer::json(200, json!({"success": true}).to_string()),
                )
            }
        };
        Ok(match fault {
            Some(CallFault::LostAfter) => self.lost(wamid, None),
            Some(CallFault::CutAfter) => self.lost(wamid, Some(answer)),
            Some(CallFault::StallAfter(wait)) => {
                self.stall(wait);
                Reply::Answer(answer)
            }
            Some(CallFault::TrickleAfter(gap)) => Reply::Trickle(answer, gap),
            Some(CallFault::PageAfter(status)) => {
                self.tell(Happening::Lost { wamid });
                self.page(status)
            }
            _ => Reply::Answer(answer),
        })
    }

    fn accept(
        &self,
        number: Number,
        message: Message,
        body: Value,
    ) -> Result<(Option<String>, Answer), GraphError> {
        let mut state = self.state();
        if state.accepted.len() >= ACCEPTED_MAX || state.queue.pending >= PENDING_MAX {
            return Err(GraphError::overloaded());
        }
        let window = state
            .meters
            .admit(&self.limits, &number.id, &message, Instant::now())?;
        let serial = sample::mix(self.seed).wrapping_add(state.accepted.len() as u64);
        let wamid = sample::wamid_sent(serial, message.to.id());
        let (text, choices) = (words(&body), choices(&body));
        state.tally.accepted += 1;
        state.accepted.push(Accepted {
            wamid: wamid.clone(),
            number: number.id.clone(),
            to: message.to.id().to_owned(),
            body,
            at: Instant::now(),
        });
        let since = state.faults_since.elapsed();
        let State { faults, dice, .. } = &mut *state;
        let mut faults = faults.next_statuses(dice, since);
        if window == Window::Closed {
            faults.push(StatusFault::Failed(131_047, "Re-engagement message".into()));
        }
        let plan = plan(&faults, &self.delays);
        state.queue.pending += plan.steps.len();
        drop(state);
        self.changed.notify_all();
        self.tell(Happening::Accepted {
            wamid: wamid.clone(),
            number: number.id.clone(),
            to: message.to.id().to_owned(),
            kind: message.kind.clone(),
            text,
            choices,
        });
        let answer = graph::accepted(&message, &wamid);
        let sent = Sent {
            number,
            wamid: wamid.clone(),
            to: message.to,
            opaque: message.opaque,
        };
        self.schedule(
            Job::all(Arc::new(sent), plan.steps, plan.in_turn),
            plan.early,
        );
        Ok((Some(wamid), answer))
    }

    fn read(&self, receipt: Receipt) {
        let mut state = self.state();
        if state.receipts.len() < ACCEPTED_MAX {
            state.receipts.push(receipt.clone());
        }
        drop(state);
        self.tell(Happening::Read(receipt));
    }

    fn lost(&self, wamid: Option<String>, cut: Option<Answer>) -> Reply {
        self.state().tally.lost += 1;
        self.tell(Happening::Lost { wamid });
        cut.map_or(Reply::Nothing, Reply::Half)
    }

    /// What a proxy on the way would say.
    fn page(&self, status: u16) -> Reply {
        self.state().tally.refused += 1;
        self.tell(Happening::Refused {
            http: status,
            code: 0,
        });
        let page = format!("<html><body><h1>{status}</h1></body></html>");
        Reply::Answer(Answer {
            content_type: "text/html".into(),
            ..Answer::json(status, page)
        })
    }

    fn stall(&self, wait: Duration) {
        self.wait(wait, |_| false);
    }
}

/// The value of a parameter in a query.
pub(super) fn parameter(query: &str, wanted: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.into_owned())
}

pub(super) fn ok(body: &Value) -> Reply {
    Reply::Answer(Answer::json(200, body.to_string()))
}

/// Whether an app asks there by itself.
fn is_of_app(path: &str) -> bool {
    path.ends_with("/debug_token") || path.ends_with("/subscriptions")
}

/// `/v25.0/x/y` → `x/y`.
fn without_version(path: &str) -> Option<&str> {
    let (version, rest) = path.strip_prefix("/v")?.split_once('/')?;
    let (major, minor) = version.split_once('.')?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (digits(major) && digits(minor) && !rest.is_empty()).then_some(rest)
}

/// What a customer could tap in a message: its reply buttons, or the rows of its list.
fn choices(body: &Value) -> Vec<Choice> {
    let action = &body["interactive"]["action"];
    let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let choice = |kind, from: &Value| {
        Some(Choice {
            kind,
            id: from["id"].as_str()?.to_owned(),
            title: from["title"].as_str()?.to_owned(),
        })
    };
    let buttons = list(&action["buttons"]).into_iter();
    let buttons = buttons.filter_map(|button| choice(ChoiceKind::Button, &button["reply"]));
    let sections = list(&action["sections"]).into_iter();
    let rows = sections.flat_map(|section| list(&section["rows"]));
    let rows = rows.filter_map(|row| choice(ChoiceKind::Row, &row));
    buttons.chain(rows).collect()
}

/// What a customer would read of a message.
fn words(body: &Value) -> Option<String> {
    let kind = body.get("type").and_then(Value::as_str).unwrap_or("text");
    let found = ["body", "caption", "body/text", "name", "emoji"]
        .iter()
        .find_map(|key| body.pointer(&format!("/{kind}/{key}"))?.as_str());
    found.map(str::to_owned)
}
