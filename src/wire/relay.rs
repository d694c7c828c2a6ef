//! Calls that are passed on to Graph for somebody else: what of their paths,
//! heads and bodies goes through, and what of the answers comes back. Pure.
//!
//! The caller's key never goes to Graph, our token never comes to the caller,
//! and no path leads anywhere but to Graph.
//!
//! * [`path`]: paths and queries
//! * [`heads`]: which headers go through
//! * [`form`]: bodies with the caller's key taken out
//! * [`answer`]: answers with addresses that lead back to us
//! * [`link`]: addresses of files, sealed

pub mod answer;
pub mod form;
pub mod heads;
pub mod link;
pub mod path;

/// What a caller may bear to be let in, and what belongs to it: never passed
/// on, wherever it stands. Graph takes these as parameters of any kind.
pub const CREDENTIALS: &[&str] = &["access_token", "appsecret_proof", "appsecret_time"];

/// Whether a parameter of this name is one of the [`CREDENTIALS`], as a list
/// (`access_token[]`) too.
pub fn is_credential(name: &str) -> bool {
    let plain = name.trim().split('[').next().unwrap_or_default();
    CREDENTIALS
        .iter()
        .any(|own| plain.eq_ignore_ascii_case(own))
}
