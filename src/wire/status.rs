//! What became of a message, a payment or a call of ours: one element of `value.statuses`, typed.
//!
//! Only reads. Whether a status may follow another (they arrive in any order) is decided elsewhere.

use std::fmt;

use serde_json::Value;

use super::event::lenient::{flag, hide, integer, object, records, seconds, text, text_of};

#[cfg(test)]
mod tests;

/// One element of `value.statuses` (Meta: webhooks, *messages* reference, status messages).
#[derive(Clone, PartialEq)]
pub struct Status {
    /// The `wamid` of the message, or the `wacid` of the call, that this is about. It may be one
    /// we have never seen: every app subscribed to the account gets the statuses of all.
    pub id: String,
    /// What happened.
    pub status: StatusName,
    /// To what it happened. Look here first: a *payment* that failed was a message that arrived.
    pub subject: Subject,
    /// When, in Unix seconds.
    pub timestamp: Option<i64>,
    /// The recipient's phone number, or the group's id when [`Status::to_group`]. Absent for a
    /// user known only by BSUID.
    pub recipient_id: Option<String>,
    /// The recipient's BSUID.
    pub recipient_user_id: Option<String>,
    /// The recipient's parent BSUID.
    pub recipient_parent_user_id: Option<String>,
    /// The message went to a group; Meta then sends one status for each member.
    pub to_group: bool,
    /// The member's phone number, for a group.
    pub recipient_participant_id: Option<String>,
    /// The member's BSUID, for a group.
    pub recipient_participant_user_id: Option<String>,
    /// The member's parent BSUID, for a group.
    pub recipient_participant_parent_user_id: Option<String>,
    /// Changes when the recipient moves to another device; only with Meta's identity check on.
    pub recipient_identity_key_hash: Option<String>,
    /// What the sender of the message gave along with it, returned untouched.
    pub biz_opaque_callback_data: Option<String>,
    /// The conversation the message was counted in; left out by recent versions.
    pub conversation: Option<Conversation>,
    /// What it cost. On `sent` and on one of `delivered` and `read`, hence often absent.
    pub pricing: Option<Pricing>,
    /// The state of a payment the message asked for.
    pub payment: Option<Payment>,
    /// Why, for `failed` and `warning`.
    pub errors: Vec<ReportedError>,
    /// The template, for messages sent through the marketing API.
    pub template_id: Option<String>,
}

/// The word in `status`, in whatever case Meta wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusName {
    /// Left Meta's servers: one tick.
    Sent,
    /// On a device: two ticks. Never comes if the chat was open and the message read at once.
    Delivered,
    /// Opened: blue ticks. Only if the user lets others see it.
    Read,
    /// A voice note was played for the first time.
    Played,
    /// Could not be sent or delivered; see [`Status::errors`].
    Failed,
    /// The user deleted the message. Older API versions.
    Deleted,
    /// Sent, though something in it is not available. Older API versions.
    Warning,
    /// A payment is under way.
    Pending,
    /// A payment was made.
    Captured,
    /// A call is ringing.
    Ringing,
    /// A call was accepted.
    Accepted,
    /// A call was declined.
    Rejected,
    /// A word that is not in Meta's reference, as it was written; empty if there was none.
    Other(String),
}

/// What a status is about. The same word means different things to each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A message: no `type` (today), or `message` (older).
    Message,
    /// A payment a message asked for (India, Brazil, Singapore).
    Payment,
    /// A call.
    Call,
    /// A `type` that is not in Meta's reference.
    Other(String),
}

/// A conversation as Meta counted them for billing (Meta: webhooks, status messages).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// The conversation; unique to the message since messages are billed one by one.
    pub id: Option<String>,
    /// When it ends, in Unix seconds; only on `sent`.
    pub expiration_timestamp: Option<i64>,
    /// Meta's `origin.type`: `marketing`, `service`, `authentication_international` (which
    /// [`Pricing::category`] spells with a hyphen), …
    pub origin: Option<String>,
}

/// What a message cost (Meta: pricing on the WhatsApp Business Platform).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pricing {
    /// Whether it is charged. Meta has announced to drop this in favour of kind and category.
    pub billable: Option<bool>,
    /// `PMP` (per message) or, before July 2025, `CBP` (per conversation).
    pub pricing_model: Option<String>,
    /// Meta's `type`: `regular`, `free_customer_service`, `free_entry_point`.
    pub kind: Option<String>,
    /// `marketing`, `utility`, `authentication`, `authentication-international`, `service`, …
    pub category: Option<String>,
}

/// The state of a payment (Meta: payments API, webhooks).
#[derive(Clone, PartialEq)]
pub struct Payment {
    /// The business's own reference, from the message that asked for the payment.
    pub reference_id: Option<String>,
    /// The amount times [`Payment::amount_offset`]: 2100 with 100 is 21.00.
    pub amount: Option<i64>,
    /// By what to divide the amount.
    pub amount_offset: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// The latest attempt to pay.
    pub transaction_id: Option<String>,
    /// `success`, `pending`, `failed`, …
    pub transaction_status: Option<String>,
    /// Why the attempt failed, in the payment provider's words.
    pub error_code: Option<String>,
    /// The whole object, for `receipt`, `notes`, `refunds` and what else a provider adds.
    pub value: Value,
}

/// An error as Meta reports it inside a webhook: beside a value, in a message that cannot be
/// shown, or in a failed status.
#[derive(Clone, PartialEq)]
pub struct ReportedError {
    /// What to decide on; texts change (Meta: error codes).
    pub code: Option<i64>,
    /// The name of the error.
    pub title: Option<String>,
    /// As a rule the title once more.
    pub message: Option<String>,
    /// What happened, in a sentence.
    pub details: Option<String>,
    /// Meta's page about it.
    pub href: Option<String>,
}

impl Status {
    /// Reads one element of `statuses`, also of one nested deeper, as `standby` has them.
    pub fn read(element: &Value) -> Status {
        let id = text(element, "id").unwrap_or_default();
        let conversation = object(element, "conversation");
        Status {
            status: StatusName::read(text(element, "status").unwrap_or_default()),
            subject: Subject::read(element, &id),
            id,
            timestamp: seconds(element, "timestamp"),
            // The oldest versions had it one level deeper.
            recipient_id: text(element, "recipient_id")
                .or_else(|| text(&element["message"], "recipient_id")),
            recipient_user_id: text(element, "recipient_user_id"),
            // Renamed in May 2026; the third spelling is from a draft of the reference.
            recipient_parent_user_id: text_of(
                element,
                &[
                    "recipient_parent_user_id",
                    "parent_recipient_user_id",
                    "parent_user_id",
                ],
            ),
            to_group: text(element, "recipient_type").as_deref() == Some("group"),
            // Printed in both spellings in Meta's groups reference.
            recipient_participant_id: text_of(
                element,
                &["recipient_participant_id", "participant_recipient_id"],
            ),
            recipient_participant_user_id: text_of(
                element,
                &[
                    "recipient_participant_user_id",
                    "participant_recipient_user_id",
                ],
            ),
            recipient_participant_parent_user_id: text(
                element,
                "recipient_participant_parent_user_id",
            ),
            recipient_identity_key_hash: text(element, "recipient_identity_key_hash"),
            biz_opaque_callback_data: text(element, "biz_opaque_callback_data"),
            conversation: conversation.map(Conversation::read),
            // One of Meta's group samples prints the price inside the conversation.
            pricing: object(element, "pricing")
                .or_else(|| object(conversation?, "pricing"))
                .map(Pricing::read),
            payment: object(element, "payment").map(Payment::read),
            errors: ReportedError::read_list(element),
            template_id: text(element, "template_id"),
        }
    }
}

/// Prints no recipient and nothing the sender gave along.
impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Status")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("subject", &self.subject)
            .field("errors", &self.errors)
            .finish_non_exhaustive()
    }
}

impl StatusName {
    fn read(word: String) -> StatusName {
        // Statuses of messages are in lower case, those of calls in upper.
        match word.to_ascii_lowercase().as_str() {
            "sent" => StatusName::Sent,
            "delivered" => StatusName::Delivered,
            "read" => StatusName::Read,
            "played" => StatusName::Played,
            "failed" => StatusName::Failed,
            "deleted" => StatusName::Deleted,
            "warning" => StatusName::Warning,
            "pending" => StatusName::Pending,
            "captured" => StatusName::Captured,
            "ringing" => StatusName::Ringing,
            "accepted" => StatusName::Accepted,
            "rejected" => StatusName::Rejected,
            _ => StatusName::Other(word),
        }
    }

    /// The word, in lower case if it is a known one.
    pub fn as_str(&self) -> &str {
        match self {
            StatusName::Sent => "sent",
            StatusName::Delivered => "delivered",
            StatusName::Read => "read",
            StatusName::Played => "played",
            StatusName::Failed => "failed",
            StatusName::Deleted => "deleted",
            StatusName::Warning => "warning",
            StatusName::Pending => "pending",
            StatusName::Captured => "captured",
            StatusName::Ringing => "ringing",
            StatusName::Accepted => "accepted",
            StatusName::Rejected => "rejected",
            StatusName::Other(word) => word,
        }
    }
}

impl Subject {
    fn read(element: &Value, id: &str) -> Subject {
        match text(element, "type").as_deref() {
            Some("message") => Subject::Message,
            Some("payment") => Subject::Payment,
            Some("call") => Subject::Call,
            Some(other) => Subject::Other(other.to_owned()),
            None if object(element, "payment").is_some() => Subject::Payment,
            None if id.starts_with("wacid.") => Subject::Call,
            None => Subject::Message,
        }
    }
}

impl Conversation {
    fn read(value: &Value) -> Conversation {
        Conversation {
            id: text(value, "id"),
            expiration_timestamp: seconds(value, "expiration_timestamp"),
            origin: text(&value["origin"], "type"),
        }
    }
}

impl Pricing {
    fn read(value: &Value) -> Pricing {
        Pricing {
            billable: flag(value, "billable"),
            pricing_model: text(value, "pricing_model"),
            kind: text(value, "type"),
            category: text(value, "category"),
        }
    }
}

impl Payment {
    fn read(value: &Value) -> Payment {
        let transaction = &value["transaction"];
        Payment {
            reference_id: text(value, "reference_id"),
            amount: integer(&value["amount"], "value"),
            amount_offset: integer(&value["amount"], "offset"),
            currency: text(value, "currency"),
            transaction_id: text(transaction, "id"),
            transaction_status: text(transaction, "status"),
            error_code: text(&transaction["error"], "code"),
            value: value.clone(),
        }
    }
}

hide!(Payment);

impl ReportedError {
    /// The `errors` of a value, message or status.
    pub(crate) fn read_list(holder: &Value) -> Vec<ReportedError> {
        records(holder, "errors", ReportedError::read)
    }

    fn read(error: &Value) -> ReportedError {
        ReportedError {
            code: integer(error, "code"),
            title: text(error, "title"),
            message: text(error, "message"),
            // Older API versions had the details beside the title.
            details: text(&error["error_data"], "details").or_else(|| text(error, "details")),
            href: text(error, "href"),
        }
    }
}

/// Prints Meta's code and title; the details can name a person's number.
impl fmt::Debug for ReportedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportedError")
            .field("code", &self.code)
            .field("title", &self.title)
            .finish_non_exhaustive()
    }
}
