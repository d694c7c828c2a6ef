//! From how things are to the steps that are taken, or what stands in their way.

use super::super::doctor::{AccountFacts, AppFacts, NumberFacts};
use super::*;
use crate::wire::setup::{Attached, Number, Refused, Subscription};

const URL: &str = "https://a.test/webhook";

/// One app with two accounts: attached to 102 and not to 103, which has no number.
fn facts() -> Facts {
    let subscription = Subscription {
        callback: Some("https://old.test/".into()),
        active: true,
        fields: vec!["messages".into(), "flows".into()],
    };
    let account = |id: &str, attached: Vec<Attached>| AccountFacts {
        id: id.into(),
        attached: Ok(attached),
    };
    let ours = Attached {
        app: "900".into(),
        name: None,
        callback: None,
    };
    Facts {
        app: Some(AppFacts {
            id: "900".into(),
            subscription: Some(Ok(Some(subscription))),
        }),
        accounts: vec![account("102", vec![ours]), account("103", vec![])],
        numbers: vec![NumberFacts {
            id: "106".into(),
            account: Some("102".into()),
            rate: 80,
            told: Some(Ok(Number::default())),
            health: None,
        }],
        ..Facts::default()
    }
}

fn wish(at: At, url: Option<&str>) -> Wish {
    let url = url.map(str::to_owned);
    Wish { at, url }
}

/// The steps as they are shown, or what stands in the way.
fn check(facts: &Facts, wish: &Wish, expected: &[&str]) {
    let said = match plan(facts, wish) {
        Ok(steps) => steps.iter().map(Step::to_string).collect(),
        Err(finding) => vec![format!("{}: {}", finding.about, finding.says)],
    };
    assert_eq!(said, expected);
}

#[test]
fn for_the_app_it_subscribes_and_what_lacks_is_attached() {
    let all = "app 900 subscribes to messages, flows, account_alerts, account_review_update, account_update, \
               message_template_quality_update, message_template_status_update, \
               phone_number_quality_update, security, smb_message_echoes, user_preferences, sent to \
               https://a.test/webhook";
    check(
        &facts(),
        &wish(At::App, Some(URL)),
        &[
            all,
            "account 103 is attached to the app, sent to the app's address",
        ],
    );
}

#[test]
fn for_accounts_and_numbers_the_apps_own_address_stays() {
    check(
        &facts(),
        &wish(At::Account, Some(URL)),
        &[
            "account 102 is attached to the app, sent to https://a.test/webhook",
            "account 103 is attached to the app, sent to https://a.test/webhook",
        ],
    );
    check(
        &facts(),
        &wish(At::Number, Some(URL)),
        &[
            "account 103 is attached to the app, sent to the app's address",
            "number 106 is sent to https://a.test/webhook",
        ],
    );
    let mut bare = facts();
    bare.app.as_mut().unwrap().subscription = Some(Ok(None));
    let steps = plan(&bare, &wish(At::Number, Some(URL))).unwrap();
    assert!(
        matches!(steps[0], Step::Subscribe { .. }),
        "without one nothing is sent: {steps:?}"
    );
}

#[test]
fn what_is_taken_back_touches_nothing_else() {
    check(
        &facts(),
        &wish(At::Number, None),
        &["number 106 has no address of its own any more"],
    );
    let mut one = facts();
    one.accounts.pop();
    check(
        &one,
        &wish(At::Account, None),
        &["account 102 is attached to the app, sent to the app's address"],
    );
}

#[test]
fn what_stands_in_the_way_is_said() {
    let mut none = facts();
    none.accounts.clear();
    none.numbers.clear();
    check(
        &none,
        &wish(At::Account, Some(URL)),
        &["account: none is known"],
    );
    check(
        &none,
        &wish(At::Number, Some(URL)),
        &["number: none is known"],
    );
    let mut refused = facts();
    let error = Refused::Strange(500);
    refused.app.as_mut().unwrap().subscription = Some(Err(error));
    let says = "app 900: the answer, HTTP 500, is not one of Graph's";
    check(&refused, &wish(At::App, Some(URL)), &[says]);
    refused.app = None;
    let says = "app: no token tells which app it is";
    check(&refused, &wish(At::App, Some(URL)), &[says]);
    let long = format!("https://a.test/{}", "x".repeat(200));
    let says = "--url: it has more than 200 characters, and Meta takes no more here";
    check(&facts(), &wish(At::Number, Some(&long)), &[says]);
    assert!(plan(&facts(), &wish(At::App, Some(&long))).is_ok());
}

#[test]
fn an_address_that_counts_before_the_new_one_is_pointed_out() {
    let told = |facts: &Facts, wish: &Wish| {
        let found = left_over(facts, wish).into_iter();
        found
            .map(|one| one.mend.unwrap())
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert_eq!(told(&facts(), &wish(At::App, Some(URL))), "");
    let mut own = facts();
    let account = own.accounts[0].attached.as_mut().unwrap();
    account[0].callback = Some("https://b.test/".into());
    let remove = "wabridge register --remove --at waba --waba 102";
    assert_eq!(told(&own, &wish(At::App, Some(URL))), remove);
    assert_eq!(
        told(&own, &wish(At::Account, Some(URL))),
        "",
        "it is replaced"
    );
    own.numbers[0].told = Some(Ok(Number {
        callback: Some("https://c.test/".into()),
        ..Number::default()
    }));
    let remove = "wabridge register --remove --at number --number 106";
    assert_eq!(told(&own, &wish(At::Account, Some(URL))), remove);
    let mut silent = facts();
    let app = silent.app.as_mut().unwrap().subscription.as_mut().unwrap();
    app.as_mut().unwrap().as_mut().unwrap().fields = vec!["flows".into()];
    assert!(told(&silent, &wish(At::Number, Some(URL))).contains("tick messages"));
}
