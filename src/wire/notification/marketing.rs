//! What tells whether a template is marketing, and whether a person wants any.

use crate::wire::raw::{self, Member};

/// What a template is for, as far as it matters to somebody who wants no
/// marketing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Advertising.
    Marketing,
    /// News of an order, a code, an answer: utility and authentication.
    Service,
}

/// By the category under which Meta priced a message (Meta: webhooks, status
/// messages, `pricing.category`). Of other categories (`service`,
/// `referral_conversion`) nothing follows for the template.
pub(super) fn purpose(status: &[Member<'_>]) -> Option<Purpose> {
    let pricing = raw::get(status, "pricing").and_then(raw::members)?;
    let category = raw::get_text(&pricing, "category")?;
    match &*category {
        "marketing" | "marketing_lite" => Some(Purpose::Marketing),
        "utility" | "authentication" | "authentication-international" => Some(Purpose::Service),
        _ => None,
    }
}

/// Whether a person wants marketing, as an event of the field `user_preferences`
/// tells of one person (Meta: webhooks, *user_preferences* reference).
pub fn wants_marketing(body: &str) -> Option<bool> {
    let first = |members: &[Member<'_>], key| {
        let list = raw::elements(raw::get(members, key)?)?;
        list.first().map(|first| (*first).to_owned())
    };
    let entry = first(&raw::members(body)?, "entry")?;
    let change = first(&raw::members(&entry)?, "changes")?;
    let change = raw::members(&change)?;
    let value = raw::members(raw::get(&change, "value")?)?;
    let preference = first(&value, "user_preferences")?;
    let preference = raw::members(&preference)?;
    let category = raw::get_text(&preference, "category")?;
    match raw::get_text(&preference, "value").as_deref() {
        Some("stop") if category == "marketing_messages" => Some(false),
        Some("resume") if category == "marketing_messages" => Some(true),
        _ => None,
    }
}
