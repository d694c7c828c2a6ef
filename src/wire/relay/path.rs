//! Paths and queries of callers: taken apart, decoded, and written anew from
//! what may stand in them, so that a path can never leave Graph's host.

use super::is_credential;
use form_urlencoded::parse;

/// Graph's paths have few parts, and ids of some hundred characters at most
/// (upload sessions).
const PARTS_MAX: usize = 6;
const PART_BYTES_MAX: usize = 512;

/// Graph's ids of accounts, numbers, templates and files have some fifteen
/// digits; ours begin at 1.
const ID_DIGITS_MIN: usize = 8;

/// Why a path is none of Graph's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPath {
    /// It does not begin with a version.
    NoVersion,
    /// It holds what no path of Graph's holds: a character, an empty part, too
    /// many or too long parts.
    Malformed,
}

/// What follows the version in a path, or all of one that begins with an id: its
/// parts, decoded, each of which may be written as it is into a path of ours. A final
/// slash means nothing.
pub fn parts(path: &str) -> Result<Vec<String>, BadPath> {
    let rest = path.strip_prefix('/').ok_or(BadPath::NoVersion)?;
    let (first, after) = rest.split_once('/').unwrap_or((rest, ""));
    // Graph takes a path without a version, and whatsapp-api-js has some: they begin with an id.
    let rest = match first {
        version if is_version(version) => after,
        id if is_id(id) => rest,
        _ => return Err(BadPath::NoVersion),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let parts: Vec<String> = rest
        .split('/')
        .map(|part| decode(part).filter(|part| is_plain(part)))
        .collect::<Option<_>>()
        .ok_or(BadPath::Malformed)?;
    match parts.len() <= PARTS_MAX {
        true => Ok(parts),
        false => Err(BadPath::Malformed),
    }
}

/// The wamid a path asks for. A wamid is base64 with slashes, and callers
/// write these encoded or not.
pub fn wamid(path: &str) -> Option<String> {
    let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
    let id = decode(rest).filter(|id| id.starts_with("wamid."))?;
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/=-_.".contains(&b);
    let is_wamid = id.len() <= PART_BYTES_MAX && id.bytes().all(is_base64);
    (is_version(version) && is_wamid).then_some(id)
}

/// `v26.0`, or any other: the one Graph is called with is ours to choose.
fn is_version(part: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = part.strip_prefix('v').and_then(|v| v.split_once('.'));
    number.is_some_and(|(major, minor)| digits(major) && digits(minor))
}

/// Percent-decoded, once. A plus is a plus in a path.
fn decode(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                (digit()? << 4 | digit()?) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Whether a part is written in a path as it is, and leads down, not up.
fn is_plain(part: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~:=+,".contains(&b);
    let leads_down = part.bytes().any(|b| b != b'.');
    leads_down && part.len() <= PART_BYTES_MAX && part.bytes().all(plain)
}

/// A query as it is passed on: without the caller's credentials, and with
/// nothing in it that ends a query.
pub fn query(raw: &str) -> String {
    let kept = raw.split('&').filter(|pair| !pair.is_empty());
    let kept = kept.filter(|pair| !parse(pair.as_bytes()).any(|(name, _)| is_credential(&name)));
    let mut query = kept.collect::<Vec<_>>().join("&");
    let is_open = |c: char| c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:@/?%".contains(c);
    if !query.chars().all(is_open) {
        let mut bytes = [0; 4];
        query = query.chars().fold(String::new(), |mut out, c| {
            match is_open(c) {
                true => out.push(c),
                false => {
                    let hex = |b: &u8| format!("%{b:02X}");
                    out.extend(c.encode_utf8(&mut bytes).as_bytes().iter().map(hex));
                }
            }
            out
        });
    }
    query
}

/// The value of a parameter in a query.
pub fn parameter(query: &str, wanted: &str) -> Option<String> {
    let mut pairs = parse(query.as_bytes());
    let found = pairs.find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.into_owned())
}

/// What is known of a path by its looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is WhatsApp's: of a number, an account, or of what belongs to one.
    WhatsApp,
    /// It is WhatsApp's if its id is a number or an account.
    IfOurs,
    /// Our token is not for this.
    Foreign,
}

/// Whether our token may be used for a path. A token may well reach pages,
/// advertising accounts and the person behind it too, and a key to this API is
/// not meant to.
pub fn standing(parts: &[String]) -> Standing {
    let Some((id, rest)) = parts.split_first() else {
        return Standing::Foreign;
    };
    // A resumable upload's session.
    if id.starts_with("upload:") && rest.is_empty() {
        return Standing::WhatsApp;
    }
    if !is_id(id) {
        return Standing::Foreign;
    }
    match rest.first() {
        // A file, a template, a flow: by its own id.
        None => Standing::WhatsApp,
        Some(edge) if EDGES.contains(&edge.as_str()) => Standing::WhatsApp,
        Some(_) => Standing::IfOurs,
    }
}

/// Whether it may be an id of Graph's.
pub fn is_id(text: &str) -> bool {
    text.len() >= ID_DIGITS_MIN && text.bytes().all(|b| b.is_ascii_digit())
}

/// What only WhatsApp's objects have (Meta: WhatsApp Business Platform,
/// reference): asked for, nothing needs to be known of the id.
const EDGES: &[&str] = &[
    // of a number
    "block_users",
    "call_permissions",
    "calls",
    "conversational_automation",
    "deregister",
    "groups",
    "marketing_messages",
    "media",
    "message_qrdls",
    "official_business_account",
    "register",
    "request_code",
    "smb_app_data",
    "username",
    "username_suggestions",
    "verify_code",
    "whatsapp_business_encryption",
    "whatsapp_business_profile",
    "whatsapp_commerce_settings",
    // of an account
    "conversation_analytics",
    "flows",
    "message_template_previews",
    "message_templates",
    "phone_numbers",
    "pricing_analytics",
    "template_analytics",
    "template_group_analytics",
    "upsert_message_templates",
    // of a flow
    "assets",
    "deprecate",
    "publish",
    // of an app: files for templates and profile pictures
    "uploads",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        let read = match parts(path) {
            Ok(parts) => parts.join(" "),
            Err(bad) => format!("{bad:?}"),
        };
        assert_eq!(read, expected, "{path}");
    }

    #[test]
    fn a_path_is_read_part_by_part() {
        check("/v26.0/106540300000001/media", "106540300000001 media");
        check("/v1.99/106540300000001/", "106540300000001");
        check(
            "/106540300000001/block_users",
            "106540300000001 block_users",
        );
        check("/1065/block_users", "NoVersion");
        check("/v26.0/%31%30/%6dedia", "10 media");
        check(
            "/v26.0/upload:MTphdHRh=?",
            "Malformed", // the query is split off before
        );
        check("/v26.0/upload:MTphdHRh%3D%3D", "upload:MTphdHRh==");
    }

    #[test]
    fn no_path_leads_anywhere_but_down() {
        for path in [
            "/v26.0/../me",
            "/v26.0/1/..",
            "/v26.0/1/./media",
            "/v26.0/1/%2e%2e/me",
            "/v26.0/1/%2E%2E%2Fme",
            "/v26.0/.%2e/me",
            "/v26.0/1/...",
            "/v26.0/1%2Fmedia",
            "/v26.0/1%2fmedia",
            "/v26.0/1%5Cmedia",
            "/v26.0/1\\media",
            "/v26.0//media",
            "/v26.0/1//media",
            "/v26.0/1/media//",
            "/v26.0/@evil.example/x",
            "/v26.0/1%40evil.example",
            "/v26.0/1@evil.example",
            "/v26.0/1%00",
            "/v26.0/1%0d%0aHost:x",
            "/v26.0/1%20x",
            "/v26.0/1%23x",
            "/v26.0/1#x",
            "/v26.0/1%3Fx",
            "/v26.0/1%252e%252e",
            "/v26.0/1%",
            "/v26.0/1%2",
            "/v26.0/1%zz",
            "/v26.0/1%+1",
            "/v26.0/%ff",
            "/v26.0/%c3%a4",
            "/v26.0/",
            "/v26.0",
            "/v26.0/1/2/3/4/5/6/7",
        ] {
            check(path, "Malformed");
        }
        for path in [
            "",
            "/",
            "//evil.example/v26.0/1",
            "http://evil.example/v26.0/1",
            "v26.0/1",
            "/v26/1",
            "/v26.x/1",
            "/v.0/1",
            "/%76%32%36.0/1",
            "/me",
            "/../v26.0/1",
            "*",
        ] {
            check(path, "NoVersion");
        }
        check(&format!("/v26.0/{}", "1".repeat(513)), "Malformed");
    }

    #[test]
    fn a_wamid_is_found_however_it_is_written() {
        for path in [
            "/v26.0/wamid.HBg/a+b==",
            "/v26.0/wamid.HBg%2Fa+b==",
            "/v26.0/wamid.HBg%2fa%2Bb%3D%3d",
            "/v26.0/%77amid.HBg%2Fa%2Bb%3D%3D",
        ] {
            assert_eq!(wamid(path).as_deref(), Some("wamid.HBg/a+b=="), "{path}");
        }
        for path in [
            "/v26.0/1",
            "/x/wamid.A",
            "/v26.0/wamid.A%20",
            "/v26.0/wamid.A@b",
        ] {
            assert_eq!(wamid(path), None, "{path}");
        }
    }

    #[test]
    fn the_callers_credentials_are_taken_out_of_a_query() {
        let rows = [
            ("fields=id,name&limit=3", "fields=id,name&limit=3"),
            ("access_token=key", ""),
            ("a=1&access_token=key&b=2", "a=1&b=2"),
            ("acces%73_token=key&a=1", "a=1"),
            (
                "ACCESS_TOKEN=key&access_token[]=key&access_token%5B0%5D=key",
                "",
            ),
            ("+access_token=key", ""),
            ("appsecret_proof=x&appsecret_time=1&&a", "a"),
            ("access_tokens=1", "access_tokens=1"),
            ("fields=a{b}&q=\"x\"", "fields=a%7Bb%7D&q=%22x%22"),
            ("a=1#frag", "a=1%23frag"),
            ("a=%20b+c", "a=%20b+c"),
        ];
        for (raw, expected) in rows {
            assert_eq!(query(raw), expected, "{raw}");
        }
        assert_eq!(parameter("a=1&b=x%20y", "b").as_deref(), Some("x y"));
        assert_eq!(parameter("a=1", "b"), None);
    }

    #[test]
    fn our_token_is_for_whatsapp_alone() {
        use Standing::*;
        let rows = [
            ("106540300000001 media", WhatsApp),
            ("106540300000001", WhatsApp),
            ("102290100000001 message_templates", WhatsApp),
            ("102290100000001 subscribed_apps", IfOurs),
            ("102290100000001 something_new", IfOurs),
            ("upload:MTphdHRh==", WhatsApp),
            ("upload:x feed", Foreign),
            ("me", Foreign),
            ("me accounts", Foreign),
            ("debug_token", Foreign),
            ("oauth access_token", Foreign),
            ("act_106540300000001 ads", Foreign),
            ("17", Foreign),
            ("4 media", Foreign),
        ];
        for (path, expected) in rows {
            let parts: Vec<String> = path.split(' ').map(str::to_owned).collect();
            assert_eq!(standing(&parts), expected, "{path}");
        }
        assert_eq!(standing(&[]), Foreign);
    }
}
