//! Meta's error codes as data: what each means for the queue, and how a person mends it.
//!
//! Codes and meanings: Meta: Cloud API error codes page, and Meta's pages on calling, groups, flows,
//! user blocking and templates; general Graph codes: Meta: Graph API error handling page. What to do
//! about a code is our decision. Nothing here reads an answer; `verdict` does.
//!
//! Codes that a message send cannot return have their row too: they come in statuses and in answers
//! that are relayed, and a number alone helps nobody.

use super::verdict::{HaltScope, Scope};

/// How often a message that may have gone out is tried in all: each try can double it for the
/// recipient, and what Graph has not managed in three is seldom managed in ten.
pub(super) const SOME_TRIES: u32 = 3;

/// In maintenance (a throughput upgrade, a minute as a rule; Meta: throughput page) a message is
/// almost never processed, and giving it up after three tries would lose it to a planned event.
const MAINTENANCE_TRIES: u32 = 8;
const MAINTENANCE_SECS: u64 = 60;

/// What a code means for the message that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// Not processed, may be repeated after so many seconds; 0: by the caller's backoff.
    Retry(Scope, u64),
    /// May have been processed: so many tries in all, so many seconds apart at least.
    Unknown(Scope, u32, u64),
    Refused,
    Halt(HaltScope),
}

use HaltScope as H;
use Means::{Halt, Refused, Retry, Unknown};

/// A code, what it means, and what happened with the mend.
type Row = (i64, Means, &'static str);

/// What an error code means, in a sentence with the mend; `None` for a code this version does not
/// know. For lists of failed messages: 131026, 131047, 131049 and the like come in statuses.
pub fn explain(code: i64) -> Option<&'static str> {
    find(code, None).map(|(_, reason)| reason)
}

pub(super) fn find(code: i64, subcode: Option<i64>) -> Option<(Means, &'static str)> {
    let by_subcode = || {
        let wanted = subcode?;
        let row = SUBCODES.iter().find(|r| (r.0, r.1) == (code, wanted))?;
        Some((row.2, row.3))
    };
    let by_code = || {
        let row = TABLE.iter().find(|row| row.0 == code)?;
        Some((row.1, row.2))
    };
    // 200005 to 200007 are template codes with rows of their own, far outside this range.
    let by_range = || (200..=299).contains(&code).then_some(PERMISSION);
    by_subcode().or_else(by_code).or_else(by_range)
}

/// For the test that each row is tested.
#[cfg(test)]
pub(super) fn rows() -> usize {
    TABLE.len()
}

/// Codes 200 to 299.
const PERMISSION: (Means, &str) = (
    Halt(H::Number),
    "the token lacks a permission: grant whatsapp_business_messaging on this account to the system user, then make a new token",
);

/// Subcodes that say more than their code. Meta withdraws subcodes, so nothing else hangs on them.
#[rustfmt::skip]
static SUBCODES: &[(i64, i64, Means, &str)] = &[
    // The usual answer to a wrong id in the path (netflie/whatsapp-cloud-api issue 42): without
    // this, each message of a misconfigured number would be refused on its own.
    (100, 33, Halt(H::Number), "the phone_number_id does not exist or this token may not use it: take the id (not the number) from App dashboard → WhatsApp → API setup, and give the token's system user access"),
    (190, 458, Halt(H::Token), "the app was removed from the token's user: add it again and make a new token"),
    (190, 460, Halt(H::Token), "the token ended with a password change: make a new one, best for a system user"),
    (190, 463, Halt(H::Token), "the token has expired: make a new one, best for a system user and without expiry"),
    (190, 467, Halt(H::Token), "the token was revoked: make a new one"),
];

#[rustfmt::skip]
static TABLE: &[Row] = &[
    // Authorization. 3 is a 500 that must not be repeated.
    (0, Halt(H::Token), "the token is expired or revoked: make a new one in Business settings → System users"),
    (3, Halt(H::App), "the app lacks a capability or permission: check the app's access level and permissions in the App dashboard"),
    (10, Halt(H::Number), "permission not granted or taken away: grant whatsapp_business_messaging to the token's system user, and check that the number may send"),
    (102, Halt(H::Token), "the token's session is invalid: make a new token in Business settings → System users"),
    (190, Halt(H::Token), "the token is expired or invalid: make a new one in Business settings → System users"),
    (131005, Halt(H::Number), "access denied: grant whatsapp_business_messaging on this account to the token's system user"),

    // Integrity and policy. Repeating makes these worse.
    (368, Halt(H::Account), "Meta restricted or disabled the account for a policy violation: see Business support home, and appeal there"),
    (130497, Refused, "this account may not message people in the recipient's country: see Meta's list of restricted countries for your line of business"),
    (131031, Halt(H::Account), "Meta locked the account, or a two-step PIN was wrong: see Business support home, and check the PIN"),
    (131064, Refused, "held back by the messaging limit: wait a day, and look at quality and limit in WhatsApp manager"),

    // Pace: refused before processing, safe to repeat.
    (4, Retry(Scope::App, 0), "the app's limit of calls is reached: it clears by itself within the hour"),
    (17, Retry(Scope::Token, 0), "the token's limit of calls is reached: it clears by itself within the hour"),
    (341, Retry(Scope::App, 0), "the app's limit is reached: it clears by itself"),
    (613, Retry(Scope::App, 0), "a limit of calls is reached: it clears by itself"),
    (80007, Retry(Scope::Account, 0), "the account's limit of calls is reached: it clears by itself within the hour"),
    (80008, Retry(Scope::Account, 0), "the account's limit of calls is reached: it clears by itself within the hour"),
    (130429, Retry(Scope::Number, 0), "the number sends faster than Meta allows: lower RATE_PER_NUMBER if this happens often (20 a second for a number shared with the app)"),
    (131056, Retry(Scope::Pair, 0), "too many messages to one recipient in a short time: it clears by itself"),
    (131208, Retry(Scope::Number, 0), "too many group operations: it clears by itself"),
    (138002, Retry(Scope::Number, 0), "too many calls at the same time: wait until some have ended"),
    (138005, Retry(Scope::Number, 0), "too many calls in a short time: it clears by itself"),
    // Passing, but no throttle: held back before processing.
    (133015, Retry(Scope::Number, 300), "the number was deleted a moment ago: it can be used again after five minutes"),
    (134101, Retry(Scope::Message, 600), "the template is still being prepared for the marketing endpoint: ready after some ten minutes"),
    // Not repeated, though they sound like pace.
    (131048, Refused, "too many recipients blocked or reported this number: do not repeat, look at its quality in WhatsApp manager"),
    (132069, Refused, "the flow is throttled to 10 messages an hour: mend its endpoint, see the flow in WhatsApp manager"),
    (133016, Refused, "registered or deregistered more than 10 times in 72 hours: wait 72 hours"),

    // Graph's own trouble: the message may have gone out.
    (1, Unknown(Scope::Message, SOME_TRIES, 0), "Graph failed for a reason it does not name: if it goes on, check the message against Meta's reference and see metastatus.com"),
    (2, Unknown(Scope::Number, SOME_TRIES, 0), "Graph is down or overloaded: see metastatus.com"),
    (131000, Unknown(Scope::Message, SOME_TRIES, 0), "something went wrong at Meta: if it goes on, open a ticket with the fbtrace_id"),
    (131016, Unknown(Scope::Number, SOME_TRIES, 0), "a service at Meta is unavailable: see metastatus.com"),
    (131057, Unknown(Scope::Number, MAINTENANCE_TRIES, MAINTENANCE_SECS), "the number is in maintenance, often for a throughput upgrade: over in a few minutes"),
    (133004, Unknown(Scope::Number, SOME_TRIES, 0), "Meta's server is unavailable for the moment: see metastatus.com"),
    (2494100, Unknown(Scope::Number, MAINTENANCE_TRIES, MAINTENANCE_SECS), "the number is in maintenance: over in a few minutes"),
    (138004, Unknown(Scope::Message, SOME_TRIES, 0), "the call failed to connect: try again"),
    (139103, Unknown(Scope::Message, SOME_TRIES, 0), "the block list could not be changed at the moment: try again"),

    // The number or the account cannot send at all. 131045 and 133000 are 500s not to be repeated.
    (33, Halt(H::Number), "the phone_number_id was deleted or is not visible to this token: check the id and the token's access"),
    (131037, Halt(H::Number), "the display name of this number is not approved: have it approved in WhatsApp manager"),
    (131042, Halt(H::Account), "payment trouble: add or mend the payment method in Business settings → Billing"),
    (131045, Halt(H::Number), "the number is not registered properly: register it again with POST /{phone_number_id}/register"),
    (133000, Halt(H::Number), "an earlier deregistration was left half done: deregister the number again, then register it"),
    (133006, Halt(H::Number), "the number is not verified: request a code and verify it"),
    (133010, Halt(H::Number), "the number is not registered: register it with POST /{phone_number_id}/register"),

    // The recipient.
    (130403, Refused, "the recipient is blocked by the business or cannot be written to: unblock first"),
    (130472, Refused, "not delivered: Meta keeps this person in an experiment without marketing messages; no charge, do not repeat"),
    (131021, Refused, "the recipient is the sending number itself: send to another number"),
    (131026, Refused, "could not be delivered: not on WhatsApp, terms not accepted, or too old a version; check the number, do not repeat"),
    (131030, Refused, "a test number writes only to listed recipients: add this one in App dashboard → WhatsApp → API setup"),
    (131047, Refused, "more than 24 hours since the person last wrote: send a template"),
    (131049, Refused, "not delivered: Meta limits marketing messages to each person; try no sooner than 24 hours from now"),
    (131050, Refused, "the person has stopped marketing messages from this business: record it and send none"),
    (131062, Refused, "this message cannot go to a BSUID: send it to the phone number"),
    (137000, Refused, "the recipient's identity key changed (a new device, as a rule): verify the person again before sending"),

    // The message.
    (100, Refused, "a parameter is unknown, misspelt, too long or wrong: correct the message, see the details"),
    (130501, Refused, "this type of message is not supported in groups: send another type"),
    (131008, Refused, "a required parameter is missing: correct the message, see the details"),
    (131009, Refused, "a parameter's value is not valid: correct the message, see the details"),
    (131014, Refused, "the media link could not be fetched: check that it is public and answers with 200"),
    (131051, Refused, "this type of message is not supported: send another type"),
    (131052, Refused, "media from the person could not be downloaded: ask for it once more, below 100 MB"),
    (131053, Refused, "the media could not be fetched or used: check link, type and size against Meta's list of media types"),
    (131055, Refused, "this method is not allowed on the marketing endpoint: use /messages"),
    (131059, Refused, "the paging cursor is not valid: start from the first page"),
    (131060, Refused, "the person wrote from a device that is not supported: ask to write from the phone"),
    (131063, Refused, "marketing templates of this account must use the marketing endpoint: send to /marketing_messages"),
    (134011, Refused, "the terms for payments are not accepted: accept them in WhatsApp manager"),
    (134100, Refused, "only marketing templates are allowed on this endpoint: use /messages"),
    (134102, Refused, "this template cannot be used on the marketing endpoint: use /messages, or edit the template"),
    (135000, Refused, "Meta could not use the message and does not say why: compare its parameters with Meta's reference"),
    (136024, Refused, "the verification code was asked for too often or could not be checked: wait, then ask for a new one"),
    (136025, Refused, "the verification code was asked for too often or could not be checked: wait, then ask for a new one"),

    // Templates.
    (132000, Refused, "the number of parameters differs from the template's: correct the message"),
    (132001, Refused, "no approved template with this name in this language: check name, language and approval in WhatsApp manager"),
    (132005, Refused, "the template's text is too long once filled in: shorten the parameters"),
    (132007, Refused, "the template violates a policy: see the reason in WhatsApp manager and edit it"),
    (132008, Refused, "a template parameter's value is not valid: correct the message"),
    (132012, Refused, "a template parameter has the wrong format: compare it with the template"),
    (132015, Refused, "the template is paused for low quality: edit it, or wait until Meta takes the pause off"),
    (132016, Refused, "the template is disabled for good after repeated pauses: make a new one"),
    (132018, Refused, "the template message is not valid: compare its parts with the template"),
    (132068, Refused, "the flow is blocked: mend it in WhatsApp manager"),
    (200005, Refused, "template insights are not available for this account"),
    (200006, Refused, "template insights cannot be switched off"),
    (200007, Refused, "template insights are not enabled: confirm them in WhatsApp manager"),
    (2388019, Refused, "the account has its 250 templates: delete some"),
    (2388040, Refused, "a field of the template is too long: shorten it"),
    (2388047, Refused, "the template's header has the wrong format: correct it"),
    (2388072, Refused, "the template's body has the wrong format: correct it"),
    (2388073, Refused, "the template's footer has the wrong format: correct it"),
    (2388293, Refused, "the template has too many variables for its length: write more text or use fewer"),
    (2388299, Refused, "the template begins or ends with a variable: put text around it"),

    // Registration, migration, onboarding: they concern the request, not the queue.
    (133005, Refused, "the two-step PIN is wrong: use the right one, or set a new one in WhatsApp manager"),
    (133008, Refused, "too many wrong PINs: wait as long as the details say"),
    (133009, Refused, "the PIN was entered too fast: wait as long as the details say"),
    (2388001, Refused, "the number cannot be migrated as it stands: see the details"),
    (2388012, Refused, "the number cannot be migrated as it stands: see the details"),
    (2388091, Refused, "the number cannot be migrated as it stands: see the details"),
    (2388093, Refused, "the number cannot be migrated as it stands: see the details"),
    (2388103, Refused, "the number cannot be migrated as it stands: see the details"),
    (2593079, Refused, "the account is still in the old on-behalf-of model: move it to shared ownership"),
    (2593085, Refused, "the account is still in the old on-behalf-of model: move it to shared ownership"),
    (2593107, Refused, "contacts and history can be synchronised once only: to do it again, onboard the number again"),
    (2593108, Refused, "synchronisation must start within 24 hours of onboarding: onboard the number again"),
    (2593109, Refused, "the business did not agree to share its chat history: switch sharing on while onboarding"),
    (147001, Refused, "this business username cannot be had: choose another, or see the details for what is missing"),
    (147002, Refused, "this business username cannot be had: choose another, or see the details for what is missing"),
    (147003, Refused, "this business username cannot be had: choose another, or see the details for what is missing"),
    (147004, Refused, "this business username cannot be had: choose another, or see the details for what is missing"),
    (147005, Refused, "this business username cannot be had: choose another, or see the details for what is missing"),
    (1752041, Refused, "this onboarding request was made before: nothing to do"),

    // Groups. 131201 comes with HTTP 206: some participants were done, so it must not be repeated.
    (131020, Refused, "nobody else is in the group: invite people first"),
    (131041, Refused, "the group is unknown, or the number is not in it: check the group id"),
    (131201, Refused, "done for some participants only: see the answer's errors for each of them"),
    (131202, Refused, "a participant is listed twice: list each once"),
    (131204, Refused, "too many participants: list fewer"),
    (131207, Refused, "the group is suspended: see WhatsApp manager"),
    (131209, Refused, "the group picture is not square: crop it"),
    (131210, Refused, "the group picture is too small: use 192 pixels or more"),
    (131211, Refused, "the number has as many groups as it may: delete some"),
    (131212, Refused, "this person is not in the group: check the id"),
    (131213, Refused, "the join request is gone: nothing to do"),
    (131214, Refused, "group creation is switched off after too much marketing: see WhatsApp manager"),
    (131215, Refused, "the number may not use groups: see Meta's conditions for groups"),

    // Calling. 138000 and 138006 are 401s that have nothing to do with the token.
    (131044, Refused, "payment trouble for calls: mend the payment method in Business settings → Billing"),
    (138000, Refused, "calling is not enabled on this number: enable it in the number's settings"),
    (138001, Refused, "this person cannot be called: send a message"),
    (138003, Refused, "a call with this person is already going on: wait until it has ended"),
    (138006, Refused, "the person has not allowed calls: send a call permission request"),
    (138007, Refused, "the call's SDP was not applied in time: start the call again"),
    (138009, Refused, "this person was asked for call permission too often: wait a day"),
    (138011, Refused, "too little has been exchanged with this person to call: exchange messages first"),
    (138012, Refused, "the limit of calls to this person in 24 hours is reached: the details say when it ends"),
    (138013, Refused, "calling is not available for this number: see Meta's conditions for calling"),
    (138014, Refused, "calling is switched off for low quality: see WhatsApp manager"),
    (138015, Refused, "calling cannot be enabled on this number: see the details"),
    (138017, Refused, "the person has allowed calls for good: nothing to ask for"),
    (138018, Refused, "calling cannot be enabled yet: meet the conditions in the details"),
    (138019, Refused, "the call could not be set up: check the media connection"),
    (138020, Refused, "the call's relay failed: check the media connection"),
    (138021, Refused, "no media arrived from the business: check the media server"),
    (138022, Refused, "no media could be sent to the business: check the media server"),
    (138023, Refused, "no media signals in the call: check the media server"),
    (138024, Refused, "calling has a problem: see the number's health status"),
    (138025, Refused, "calling has a problem: see the number's health status"),

    // Flows and the block list.
    (139000, Refused, "the flow cannot be used, the account has an integrity problem: see WhatsApp manager"),
    (139001, Refused, "the flow is already published: make a new one to change it"),
    (139002, Refused, "the flow cannot be published in its state: mend its errors first"),
    (139003, Refused, "the flow was never published: delete it instead"),
    (139004, Refused, "a published flow cannot be deleted: deprecate it"),
    (139006, Refused, "not enough data yet for the flow's metrics: ask later"),
    (139100, Refused, "some people could not be blocked: only who wrote within 24 hours can be"),
    (139101, Refused, "the block list holds its 64,000 people: unblock some"),
    (139102, Refused, "the block list was changed by somebody else: read it and try again"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_row() {
        let mut codes: Vec<i64> = TABLE.iter().map(|row| row.0).collect();
        codes.sort_unstable();
        let twice: Vec<_> = codes.windows(2).filter(|w| w[0] == w[1]).collect();
        assert!(twice.is_empty(), "more than one row: {twice:?}");
        assert!(!codes.iter().any(|c| (200..=299).contains(c)));
    }

    #[test]
    fn reasons_are_written_in_one_manner() {
        let subcodes = SUBCODES.iter().map(|row| (row.0, row.3));
        let rows = TABLE.iter().map(|row| (row.0, row.2));
        for (code, reason) in rows.chain(subcodes).chain([(200, PERMISSION.1)]) {
            let first = reason.chars().next().expect("a reason is not empty");
            let a_name = ["Meta", "Graph"].iter().any(|n| reason.starts_with(n));
            assert!(first.is_lowercase() || a_name, "{code}: {reason}");
            assert!(!reason.ends_with(['.', ' ']), "{code}: {reason}");
            assert!(reason.chars().count() <= 220, "{code}: {reason}");
        }
    }

    #[test]
    fn waits_stay_below_the_bound_of_a_header() {
        for (code, means, _) in TABLE {
            if let Retry(_, secs) | Unknown(_, _, secs) = means {
                let max = crate::wire::retry_after::MAX.as_secs();
                assert!(*secs <= max, "{code} waits {secs} s");
            }
        }
    }
}
