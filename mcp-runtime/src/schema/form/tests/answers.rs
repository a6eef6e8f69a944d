//! What clients answer.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Status, Way, form};
use crate::schema::MAX_PROBLEMS;

#[derive(Debug, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct Booking {
    #[schemars(length(min = 2, max = 5))]
    name: String,
    #[schemars(email)]
    mail: Option<String>,
    #[schemars(range(min = 1, max = 14))]
    days: u32,
    guests: Option<u32>,
    #[schemars(range(min = 0.5))]
    rooms: Option<i32>,
    share: Option<f64>,
    sure: Option<bool>,
    way: Option<Way>,
    #[schemars(length(min = 1, max = 2))]
    status: Option<Vec<Status>>,
    #[schemars(extend("format" = "date"))]
    day: Option<String>,
}

#[test]
fn answers_that_fit_are_accepted() {
    let form = form::<Booking>();
    let table = [
        (json!({"name": "Ann", "days": 3}), json!({"name": "Ann", "days": 3})),
        (json!({"name": "Ann", "days": 3.0, "mail": null}), json!({"name": "Ann", "days": 3})),
        (json!({"name": "éééé", "days": 14, "share": 1}), json!({"name": "éééé", "days": 14, "share": 1})),
        (json!({"name": "Ann", "days": 1, "share": 1.0}), json!({"name": "Ann", "days": 1, "share": 1.0})),
        (
            json!({"name": "Ann", "days": 1, "mail": "a@b.c", "sure": false, "way": "mail", "status": ["active", "pending"], "day": "2026-07-28"}),
            json!({"name": "Ann", "days": 1, "mail": "a@b.c", "sure": false, "way": "mail", "status": ["active", "pending"], "day": "2026-07-28"}),
        ),
    ];
    for (content, expected) in table {
        assert_eq!(form.accept(&content), Ok(expected.clone()), "{content}");
        serde_json::from_value::<Booking>(expected).expect("fit for serde");
    }
}

#[test]
fn answers_that_do_not_fit_are_refused_in_sentences() {
    let form = form::<Booking>();
    let table = [
        (
            json!({}),
            vec![
                "name: required, but missing (expected a string)",
                "days: required, but missing (expected an integer from 1 to 14)",
            ],
        ),
        (
            Value::Null,
            vec![
                "name: required, but missing (expected a string)",
                "days: required, but missing (expected an integer from 1 to 14)",
            ],
        ),
        (json!([]), vec!["expected an object, got an empty array"]),
        (json!("accept"), vec!["expected an object, got \"accept\""]),
        (
            json!({"name": null, "days": null}),
            vec!["days: expected an integer from 1 to 14, got null", "name: expected a string, got null"],
        ),
        (
            json!({"name": "A", "days": 15}),
            vec!["days: expected an integer from 1 to 14, got 15", "name: expected a string of 2 to 5 characters, got 1"],
        ),
        (json!({"name": "Ann", "days": 1.5}), vec!["days: expected an integer from 1 to 14, got 1.5"]),
        (json!({"name": "Ann", "days": "3"}), vec!["days: expected an integer from 1 to 14, got \"3\""]),
        (
            json!({"name": "Ann", "days": 1, "guests": 5_000_000_000_u64}),
            vec!["guests: expected an integer from 0 to 4294967295, got 5000000000"],
        ),
        (json!({"name": "Ann", "days": 1, "rooms": 0}), vec!["rooms: expected an integer from 0.5 to 2147483647, got 0"]),
        (json!({"name": "Ann", "days": 1, "sure": "yes"}), vec!["sure: expected true or false, got \"yes\""]),
        (json!({"name": "Ann", "days": 1, "mail": "ann"}), vec!["mail: expected an email address, got \"ann\""]),
        (json!({"name": "Ann", "days": 1, "day": "28.7."}), vec!["day: expected a date such as 2026-07-28, got \"28.7.\""]),
        (json!({"name": "Ann", "days": 1, "status": []}), vec!["status: expected an array of 1 to 2 items, got 0"]),
        (
            json!({"name": "Ann", "days": 1, "status": ["active", "active"]}),
            vec!["status: expected items that are all different"],
        ),
        (
            json!({"name": "Ann", "days": 1, "status": ["a", "a", "a", "a"]}),
            vec!["status: expected each of the 3 choices once at most, got 4"],
        ),
        (
            json!({"name": "Ann", "days": 1, "status": ["activ"]}),
            vec!["status[0]: expected one of \"active\", \"inactive\", \"pending\", got \"activ\"; did you mean \"active\"?"],
        ),
        (
            json!({"name": "Ann", "days": 1, "nmae": 1}),
            vec![
                "nmae: unknown name; known are `day`, `days`, `guests`, `mail`, `name`, `rooms`, `share`, `status`, `sure`, `way`",
            ],
        ),
    ];
    for (content, expected) in table {
        assert_eq!(form.accept(&content), Err(expected.into_iter().map(str::to_owned).collect()), "{content}");
    }
}

#[test]
fn hostile_answers_are_refused_in_short_sentences() {
    let form = form::<Booking>();
    let mut deep = json!(1);
    for _ in 0..500 {
        deep = json!([{"a": deep}]);
    }
    let huge = "x\u{202e}".repeat(1 << 14);
    let many: serde_json::Map<String, Value> = (0..2_000).map(|index| (format!("{huge:.70}{index}"), json!(1))).collect();
    let values = [
        deep,
        Value::Null,
        json!([[], {}, null]),
        json!({"": {"": null}}),
        json!(huge),
        json!(1e308),
        json!(-0.0),
        json!(u64::MAX),
        json!(vec![json!(huge); 3]),
        json!(vec![json!("active"); 100_000]),
        many.into(),
    ];
    for value in values {
        let mut contents = vec![value.clone(), json!({ "unknown": value })];
        contents.extend(form.fields.iter().map(|field| json!({ field.name.as_str(): value })));
        contents.push(json!({"name": value, "mail": value, "days": value, "way": value, "status": value, "day": value}));
        for content in contents {
            let said = form.accept(&content).expect_err("refused");
            assert!(said.len() <= 2 * MAX_PROBLEMS, "{}", said.len());
            for sentence in said {
                assert!(sentence.chars().count() < 400, "{sentence}");
                assert!(!sentence.contains('\u{202e}'), "{sentence}");
            }
        }
    }
}
