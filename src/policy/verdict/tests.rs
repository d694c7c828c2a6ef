//! One row an answer, one line a verdict: `check` is the only caller of [`read`].

use super::*;

/// A verdict as a line; the ids that `Debug` hides are shown, the reason is not.
fn line(verdict: &Verdict) -> String {
    let secs =
        |wait: &Option<Duration>| wait.map_or(String::new(), |w| format!(" {}s", w.as_secs()));
    let code = verdict
        .why()
        .and_then(|why| why.code)
        .map_or(String::new(), |code| format!(" #{code}"));
    let head = match verdict {
        Verdict::Accepted {
            wamid,
            wa_id,
            user_id,
        } => [wamid, wa_id, user_id]
            .map(|id| id.as_deref().unwrap_or("-").to_owned())
            .join(" "),
        Verdict::Retry { scope, wait, .. } => format!("retry {scope:?}{}", secs(wait)),
        Verdict::Refused { .. } => "refused".into(),
        Verdict::Halt { scope, .. } => format!("halt {scope:?}"),
        Verdict::Unknown {
            scope,
            wait,
            tries_max,
            ..
        } => {
            let tries = tries_max.map_or("as set".into(), |n| n.to_string());
            format!("unknown {scope:?} tries {tries}{}", secs(wait))
        }
    };
    head + &code
}

fn http(status: u16, retry_after: Option<u64>, body: &[u8]) -> Verdict {
    read(&Answer::Http {
        status,
        retry_after: retry_after.map(Duration::from_secs),
        body,
    })
}

#[track_caller]
fn check(rows: &[(u16, &str, &str)]) {
    check_waiting(None, rows);
}

#[track_caller]
fn check_waiting(retry_after: Option<u64>, rows: &[(u16, &str, &str)]) {
    for (status, body, expected) in rows {
        let verdict = http(*status, retry_after, body.as_bytes());
        assert_eq!(line(&verdict), *expected, "{status} {body}");
    }
}

fn error(code: i64) -> String {
    format!(r##"{{"error":{{"message":"(#{code}) x","type":"OAuthException","code":{code}}}}}"##)
}

const SENT: &str = r#"{"messaging_product":"whatsapp","contacts":[{"input":"+1 555","wa_id":"1555","user_id":"US.1"}],"messages":[{"id":"wamid.A","message_status":"accepted"}]}"#;

#[test]
fn accepted_names_the_ids_graph_gave() {
    check(&[
        (200, SENT, "wamid.A 1555 US.1"),
        (201, SENT, "wamid.A 1555 US.1"),
        (
            200,
            r#"{"contacts":[{"input":"+1","wa_id":"1"}],"messages":[{"id":"w"}]}"#,
            "w 1 -",
        ),
        (
            200,
            r#"{"contacts":[{"user_id":"US.1"}],"messages":[{"id":"w"}]}"#,
            "w - US.1",
        ),
        (200, r#"{"messages":[{"id":"w","group_id":"g"}]}"#, "w - -"),
        (200, r#"{"contacts":null,"messages":[{"id":"w"}]}"#, "w - -"),
        (
            200,
            r#"{"messages":[{"id":"w","message_status":"held_for_quality_assessment"}]}"#,
            "w - -",
        ),
        // A message with an id exists, whatever stands beside it.
        (
            206,
            r#"{"messages":[{"id":"w"}],"error":{"code":131201}}"#,
            "w - -",
        ),
        (200, r#"{"success":true}"#, "- - -"),
        (200, " \n{\"success\": true}\n", "- - -"),
    ]);
}

#[test]
fn a_success_that_proves_nothing_is_unknown() {
    let unknown = "unknown Message tries as set";
    check(&[
        (200, "", unknown),
        (204, "", unknown),
        (200, "{}", unknown),
        (200, "null", unknown),
        (200, "[]", unknown),
        (200, "OK", unknown),
        (200, "<!DOCTYPE html><title>Welcome</title>", unknown),
        (200, r#"{"success":false}"#, unknown),
        (200, r#"{"success":"true"}"#, unknown),
        (200, r#"{"messages":[]}"#, unknown),
        (200, r#"{"messages":[{}]}"#, unknown),
        (200, r#"{"messages":[{"id":""}]}"#, unknown),
        (200, r#"{"messages":[{"id":7}]}"#, unknown),
        (200, r#"{"messages":{"id":"w"}}"#, unknown),
        (200, r#"{"error":null}"#, unknown),
        // The same words in a failure are no acceptance either.
        (500, SENT, unknown),
        (502, r#"{"success":true}"#, unknown),
    ]);
}

#[test]
fn half_an_answer_is_unknown_wherever_it_was_cut() {
    for end in 0..SENT.len() {
        let verdict = http(200, None, &SENT.as_bytes()[..end]);
        assert_eq!(
            line(&verdict),
            "unknown Message tries as set",
            "cut at {end}"
        );
    }
    let mut not_utf8 = SENT.as_bytes().to_vec();
    not_utf8[60] = 0xff;
    assert_eq!(
        line(&http(200, None, &not_utf8)),
        "unknown Message tries as set"
    );
    let deep = "[".repeat(100_000);
    assert_eq!(
        line(&http(200, None, deep.as_bytes())),
        "unknown Message tries as set"
    );
}

/// The HTTP status must not matter to a known code: Meta has final 500s and passing 400s.
#[test]
fn every_known_code_means_the_same_under_any_status() {
    let groups: &[(&str, &[i64])] = &[
        ("halt Token", &[0, 102, 190]),
        ("halt App", &[3]),
        ("halt Account", &[368, 131031, 131042]),
        (
            "halt Number",
            &[
                10, 200, 250, 299, 33, 131005, 131037, 131045, 133000, 133006, 133010,
            ],
        ),
        ("retry App", &[4, 341, 613]),
        ("retry Token", &[17]),
        ("retry Account", &[80007, 80008]),
        ("retry Number", &[130429, 131208, 138002, 138005]),
        ("retry Pair", &[131056]),
        ("retry Number 300s", &[133015]),
        ("retry Message 600s", &[134101]),
        ("unknown Message tries 3", &[1, 131000, 138004, 139103]),
        ("unknown Number tries 3", &[2, 131016, 133004]),
        ("unknown Number tries 8 60s", &[131057, 2494100]),
        (
            "refused",
            &[
                100, 130403, 130472, 130497, 130501, 131008, 131009, 131014, 131020, 131021,
                131026, 131030, 131041, 131044, 131047, 131048, 131049, 131050, 131051, 131052,
                131053, 131055, 131059, 131060, 131062, 131063, 131064, 131201, 131202, 131204,
                131207, 131209, 131210, 131211, 131212, 131213, 131214, 131215, 132000, 132001,
                132005, 132007, 132008, 132012, 132015, 132016, 132018, 132068, 132069, 133005,
                133008, 133009, 133016, 134011, 134100, 134102, 135000, 136024, 136025, 137000,
                138000, 138001, 138003, 138006, 138007, 138009, 138011, 138012, 138013, 138014,
                138015, 138017, 138018, 138019, 138020, 138021, 138022, 138023, 138024, 138025,
                139000, 139001, 139002, 139003, 139004, 139006, 139100, 139101, 139102, 147001,
                147002, 147003, 147004, 147005, 200005, 200006, 200007, 1752041, 2388001, 2388012,
                2388019, 2388040, 2388047, 2388072, 2388073, 2388091, 2388093, 2388103, 2388293,
                2388299, 2593079, 2593085, 2593107, 2593108, 2593109,
            ],
        ),
    ];
    for (expected, codes) in groups {
        for code in *codes {
            let expected = format!("{expected} #{code}");
            for status in [200, 206, 400, 401, 403, 404, 429, 500, 503] {
                check(&[(status, &error(*code), &expected)]);
            }
            assert!(explain(*code).is_some(), "{code} is not explained");
        }
    }
    let checked: usize = groups.iter().map(|(_, codes)| codes.len()).sum();
    let of_the_range = [200, 250, 299].len();
    assert_eq!(
        checked - of_the_range,
        codes::rows(),
        "rows of the table without a test"
    );
}

#[test]
fn an_unknown_code_goes_by_its_class() {
    let transient = |code: i64| format!(r#"{{"error":{{"code":{code},"is_transient":true}}}}"#);
    check(&[
        (400, &error(199), "refused #199"),
        (400, &error(300), "refused #300"),
        (400, &error(200008), "refused #200008"),
        (403, &error(999999), "refused #999999"),
        (404, &error(999999), "refused #999999"),
        (401, &error(999999), "halt Number #999999"),
        (408, &error(999999), "retry Message #999999"),
        (429, &error(999999), "retry App #999999"),
        (500, &error(999999), "unknown Message tries 3 #999999"),
        (503, &error(-1), "unknown Message tries 3 #-1"),
        (206, &error(999999), "unknown Message tries 3 #999999"),
        (400, &transient(999999), "unknown Message tries 3 #999999"),
        (401, &transient(999999), "unknown Message tries 3 #999999"),
        (429, &transient(999999), "retry App #999999"),
        // A code we know is not overruled.
        (400, &transient(131047), "refused #131047"),
        (
            500,
            r#"{"error":{"fbtrace_id":"Az8"}}"#,
            "unknown Message tries 3",
        ),
        (
            404,
            r#"{"error":{"fbtrace_id":"Az8","code":404}}"#,
            "refused #404",
        ),
    ]);
}

#[test]
fn an_answer_that_is_not_graphs_goes_by_what_stood_in_the_way() {
    let rows: &[(&str, &[u16])] = &[
        (
            "unknown Message tries as set",
            &[200, 202, 500, 501, 502, 503, 504, 520, 599, 100, 0],
        ),
        ("halt App", &[301, 302, 307, 308, 404, 405, 407]),
        ("halt Number", &[401]),
        ("retry App", &[429]),
        (
            "retry Message",
            &[402, 403, 406, 408, 409, 421, 425, 451, 499],
        ),
        ("refused", &[400, 411, 413, 414, 415, 422, 431]),
    ];
    let bodies = [
        "",
        "<html><h1>Sorry</h1></html>",
        r#"{"error":"no route"}"#,
        r#"{"error":{"message":"no route"}}"#,
        r#"{"error":{"code":"no_route","message":"x"}}"#,
        r#"{"code":131056}"#,
    ];
    for (expected, statuses) in rows {
        for status in *statuses {
            if *status >= 400 {
                check(&[(*status, &error((*status).into()), expected)]);
            }
            for body in bodies {
                check(&[(*status, body, expected)]);
            }
        }
    }
}

#[test]
fn without_an_answer_only_a_written_request_may_have_arrived() {
    let reason = || "connect timeout".to_owned();
    let not_sent = read(&Answer::NotSent { reason: reason() });
    assert_eq!(line(&not_sent), "retry Graph");
    let lost = read(&Answer::Lost { reason: reason() });
    assert_eq!(line(&lost), "unknown Message tries as set");
    for verdict in [not_sent, lost] {
        assert!(
            verdict
                .why()
                .is_some_and(|w| w.reason.ends_with(": connect timeout"))
        );
    }
}

#[test]
fn retry_after_is_kept_and_bounded() {
    check_waiting(
        Some(7),
        &[
            (400, &error(131056), "retry Pair 7s #131056"),
            (429, "", "retry App 7s"),
            (503, "", "unknown Message tries as set 7s"),
            (500, &error(999999), "unknown Message tries 3 7s #999999"),
            // Shorter than the code calls for.
            (500, &error(131057), "unknown Number tries 8 60s #131057"),
            (400, &error(134101), "retry Message 600s #134101"),
            (400, &error(131047), "refused #131047"),
        ],
    );
    check_waiting(
        Some(1800),
        &[(400, &error(134101), "retry Message 1800s #134101")],
    );
    check_waiting(
        Some(u64::MAX),
        &[
            (429, "", "retry App 3600s"),
            (400, &error(4), "retry App 3600s #4"),
        ],
    );
}

#[test]
fn codes_and_error_data_are_read_in_every_shape() {
    let cases = [
        (r#"{"code":"131047"}"#, "refused #131047", None),
        (r#"{"code":" 190 "}"#, "halt Token #190", None),
        (
            r#"{"code":100,"error_subcode":33}"#,
            "halt Number #100",
            None,
        ),
        (
            r#"{"code":100,"error_subcode":"33"}"#,
            "halt Number #100",
            None,
        ),
        (
            r#"{"code":100,"error_subcode":2494010}"#,
            "refused #100",
            None,
        ),
        (
            r#"{"code":131047,"error_data":{"details":"d","x":1},"message":"m"}"#,
            "refused #131047",
            Some("d"),
        ),
        (
            r#"{"code":131047,"error_data":"s","message":"m"}"#,
            "refused #131047",
            Some("s"),
        ),
        (
            r#"{"code":131047,"error_data":{},"error_user_msg":"u","message":"m"}"#,
            "refused #131047",
            Some("u"),
        ),
        (
            r#"{"code":131047,"error_data":null,"message":"m"}"#,
            "refused #131047",
            Some("m"),
        ),
        (
            r#"{"code":131047,"error_data":[1],"message":7}"#,
            "refused #131047",
            None,
        ),
        (
            r#"{"code":131047,"message":" a\nb\u001b[31m "}"#,
            "refused #131047",
            Some("a b [31m"),
        ),
    ];
    for (error, expected, details) in cases {
        let verdict = http(400, None, format!(r#"{{"error":{error}}}"#).as_bytes());
        assert_eq!(line(&verdict), expected, "{error}");
        assert_eq!(
            verdict.why().unwrap().details.as_deref(),
            details,
            "{error}"
        );
    }
}

#[test]
fn a_subcode_sharpens_the_reason_of_a_token() {
    let reason = |body: &str| {
        http(401, None, body.as_bytes())
            .why()
            .unwrap()
            .reason
            .clone()
    };
    let expired = reason(r#"{"error":{"code":190,"error_subcode":463}}"#);
    assert!(expired.contains("has expired"), "{expired}");
    let other = reason(r#"{"error":{"code":190,"error_subcode":1}}"#);
    assert_eq!(other, explain(190).unwrap());
}

#[test]
fn details_are_cut_between_characters() {
    for letter in ["a", "ü", "語", "🙂"] {
        let long = letter.repeat(DETAILS_CHARS_MAX + 1);
        let body = format!(r#"{{"error":{{"code":100,"error_data":{{"details":"{long}"}}}}}}"#);
        let verdict = http(400, None, body.as_bytes());
        let kept = verdict.why().unwrap().details.clone().unwrap();
        assert_eq!(kept, letter.repeat(DETAILS_CHARS_MAX));
    }
}

#[test]
fn only_something_like_a_trace_id_is_kept_for_the_log() {
    let id = |id: &str| {
        let body = format!(r#"{{"error":{{"code":1,"fbtrace_id":"{id}"}}}}"#);
        http(400, None, body.as_bytes())
            .why()
            .unwrap()
            .fbtrace_id
            .clone()
    };
    assert_eq!(
        id("Az8or2yhqkZfEZ-_4Qn_Bam").as_deref(),
        Some("Az8or2yhqkZfEZ-_4Qn_Bam")
    );
    assert_eq!(id("a level=error"), None);
    assert_eq!(id(&"a".repeat(65)), None);
    assert_eq!(id(""), None);
}

#[test]
fn what_a_log_shows_holds_no_phone_number() {
    let refused = r#"{"error":{"code":131030,"message":"15550001234","error_data":{"details":"15550001234 is not allowed"}}}"#;
    let accepted =
        r#"{"contacts":[{"wa_id":"15550001234"}],"messages":[{"id":"wamid.15550001234"}]}"#;
    for (status, body) in [(400, refused), (200, accepted)] {
        let verdict = http(status, None, body.as_bytes());
        let shown = format!("{verdict:?} {:?}", verdict.why());
        let reason = verdict
            .why()
            .map_or(String::new(), |w| format!("{w}{}", w.reason));
        assert!(!(shown + &reason).contains("15550001234"), "{body}");
    }
    let verdict = http(400, None, refused.as_bytes());
    let told = verdict.why().unwrap().with_details();
    assert!(told.ends_with(" — 15550001234 is not allowed"), "{told}");
}

#[test]
fn of_several_errors_in_a_status_the_telling_one_is_read() {
    let rows: [(&[i64], Option<i64>, Option<HaltScope>); 8] = [
        (&[131026], Some(131026), None),
        (&[131000, 131026], Some(131026), None),
        (&[135000, 131047], Some(131047), None),
        (&[131026, 131042], Some(131042), Some(HaltScope::Account)),
        (&[131047, 131026], Some(131047), None),
        (&[1, 999999], Some(999999), None),
        (&[131049], Some(131049), None),
        (&[], None, None),
    ];
    for (codes, code, halt) in rows {
        let failure = failed_status(codes);
        assert_eq!((failure.code, failure.halt), (code, halt), "{codes:?}");
        if let Some(ours) = code.and_then(explain) {
            assert_eq!(failure.reason, ours, "{codes:?}");
        }
        assert!(!failure.reason.is_empty());
    }
}
