//! Templates, with one place changed.

use serde_json::{Value, json};

use super::check_rows;

#[test]
fn templates_are_checked() {
    let text = |text: &str| json!({"type": "text", "text": text});
    let named = json!({"type": "text", "text": "v", "parameter_name": "n"});
    let nested = json!([{"type": "carousel", "cards": []}]);
    let params = |n: usize, list: Value| (format!("/template/components/{n}/parameters"), list);
    let rows = [
        ("/template/name".into(), json!("n".repeat(512)), "ok"),
        ("/template/name".into(), json!("n".repeat(513)), "100"),
        ("/template/name".into(), json!("Order update"), "132001"),
        ("/template/name".into(), json!(null), "131008"),
        ("/template/language".into(), json!("en"), "100"),
        ("/template/language/code".into(), json!(null), "131008"),
        ("/template/language/policy".into(), json!("fallback"), "100"),
        ("/template/components".into(), json!(null), "ok"),
        ("/template/components".into(), json!({}), "100"),
        ("/template/components/0/type".into(), json!("HEADER"), "ok"),
        ("/template/components/0/type".into(), json!("footer"), "100"),
        ("/template/components/0/type".into(), json!(null), "131008"),
        ("/template/components/3/index".into(), json!(0), "ok"),
        ("/template/components/3/index".into(), json!("0"), "131009"),
        ("/template/components/3/index".into(), json!(10), "131009"),
        (
            "/template/components/3/index".into(),
            json!("one"),
            "131009",
        ),
        ("/template/components/3/index".into(), json!(null), "131008"),
        (
            "/template/components/3/sub_type".into(),
            json!("link"),
            "100",
        ),
        (
            "/template/components/3/sub_type".into(),
            json!(null),
            "131008",
        ),
        ("/template/components/6/cards".into(), json!([]), "131009"),
        ("/template/components/6/cards".into(), json!(null), "131008"),
        (
            "/template/components/6/cards/1/card_index".into(),
            json!(0),
            "131009",
        ),
        (
            "/template/components/6/cards/1/card_index".into(),
            json!(10),
            "131009",
        ),
        (
            "/template/components/6/cards/1/card_index".into(),
            json!(null),
            "131008",
        ),
        (
            "/template/components/6/cards/1/components".into(),
            nested,
            "100",
        ),
    ];
    check_rows(
        rows.iter()
            .map(|(pointer, value, expected): &(String, Value, &str)| {
                ("template", pointer.as_str(), value.clone(), *expected)
            })
            .collect(),
    );
    let rows = [
        (params(0, json!([text("a"), text("b")])), "131009"),
        (
            params(0, json!([{"type": "payload", "payload": "p"}])),
            "100",
        ),
        (params(0, json!([{"type": "image"}])), "131008"),
        (params(0, json!([{"type": "image", "image": {}}])), "131008"),
        (
            params(0, json!([{"type": "product", "product": {}}])),
            "131008",
        ),
        (
            params(
                0,
                json!([{"type": "location", "location": {"latitude": 1}}]),
            ),
            "131008",
        ),
        (params(1, json!([])), "ok"),
        (params(1, json!([named, named])), "ok"),
        (params(1, json!([text("a"), named])), "132012"),
        (params(1, json!([text("")])), "131008"),
        (params(1, json!([text("two\nlines")])), "132018"),
        (params(1, json!([text("a\ttab")])), "132018"),
        (params(1, json!([text("four    blanks")])), "ok"),
        (params(1, json!([text("five     blanks")])), "132018"),
        (params(1, json!([{"text": "no type"}])), "131008"),
        (params(1, json!([{"type": "rhyme"}])), "100"),
        (params(1, json!(["Ana"])), "100"),
        (
            params(
                1,
                json!([{"type": "currency", "currency": {"code": "USD"}}]),
            ),
            "131008",
        ),
        (
            params(1, json!([{"type": "date_time", "date_time": {}}])),
            "131008",
        ),
        (params(2, json!([text("payload by its old name")])), "ok"),
        (params(2, json!([{"type": "payload"}])), "131008"),
        (
            params(3, json!([{"type": "payload", "payload": "p"}])),
            "100",
        ),
        (
            params(
                4,
                json!([{"type": "coupon_code", "coupon_code": "x".repeat(20)}]),
            ),
            "ok",
        ),
        (
            params(
                4,
                json!([{"type": "coupon_code", "coupon_code": "x".repeat(21)}]),
            ),
            "100",
        ),
        (params(5, json!([{"type": "action"}])), "131008"),
        (params(7, json!([])), "131009"),
        (
            params(
                7,
                json!([{"type": "limited_time_offer", "limited_time_offer": {}}]),
            ),
            "131008",
        ),
    ];
    for ((pointer, value), expected) in rows {
        check_rows(vec![("template", &pointer, value, expected)]);
    }
}
