//! What an endpoint's owner may choose, judged. All that is wrong with the form of it is told at once; what has to be asked of
//! name servers and of the database comes after, one thing at a time.

use std::ops::RangeInclusive;

use jobs::addresses::Allowed;
use jobs::db::cloud_account;
use jobs::ids::{CloudAccountId, OrgId};
use jobs::webhooks::address::{self, Url};
use jobs::webhooks::endpoint::CustomHeaders;
use jobs::webhooks::{headers, subscription};
use sqlx::PgConnection;

use crate::app::App;
use crate::problem::{Faults, Problem};

/// The most characters of a description.
const LONGEST_DESCRIPTION: usize = 500;
/// The most cloud accounts that an endpoint names.
const MOST_ACCOUNTS: usize = 100;
/// Deliveries at once.
const IN_FLIGHT: RangeInclusive<i32> = 1..=100;
/// Deliveries that begin in a second.
const RATES: RangeInclusive<f64> = 0.1..=1000.0;

/// What was sent; what is absent is not judged.
#[derive(Clone, Copy, Default)]
pub(super) struct Form<'a> {
    pub(super) url: Option<&'a str>,
    pub(super) events: Option<&'a [String]>,
    pub(super) description: Option<&'a str>,
    pub(super) headers: Option<&'a CustomHeaders>,
    pub(super) cloud_account_ids: Option<&'a [String]>,
    pub(super) max_in_flight: Option<i64>,
    pub(super) rate_per_second: Option<f64>,
}

/// What of it has another shape once it is judged.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) url: Option<Url>,
    pub(super) events: Option<Vec<String>>,
    pub(super) cloud_account_ids: Option<Vec<CloudAccountId>>,
    pub(super) max_in_flight: Option<i32>,
}

impl Form<'_> {
    /// Judges what can be judged without asking anyone.
    pub(super) fn check(self, allowed: &Allowed) -> Result<Checked, Problem> {
        let mut faults = Faults::default();
        let url = self.url.and_then(|text| faults.unless("url", address::parse(text, allowed)));
        let events = self.events.and_then(|given| faults.unless("events", subscription::parse(given)));
        if self.description.is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
            faults.add("description", format!("must be at most {LONGEST_DESCRIPTION} characters"));
        }
        if let Some(Err(error)) = self.headers.map(headers::check) {
            faults.add(&error.field, error.reason.to_string());
        }
        let cloud_account_ids = self.cloud_account_ids.map(|given| accounts(given, &mut faults));
        let max_in_flight = self.max_in_flight.and_then(|given| {
            let fits = i32::try_from(given).ok().filter(|number| IN_FLIGHT.contains(number));
            let wrong = format!("must be {} to {} deliveries at once", IN_FLIGHT.start(), IN_FLIGHT.end());
            faults.unless("max_in_flight", fits.ok_or(wrong))
        });
        if self.rate_per_second.is_some_and(|rate| !RATES.contains(&rate)) {
            let limits = format!("must be {} to {} deliveries a second", RATES.start(), RATES.end());
            faults.add("rate_per_second", limits + "; null or nothing: any number");
        }
        faults.none()?;
        Ok(Checked { url, events, cloud_account_ids, max_in_flight })
    }
}

/// The accounts' ids, each once.
fn accounts(given: &[String], faults: &mut Faults) -> Vec<CloudAccountId> {
    let mut ids: Vec<CloudAccountId> = Vec::new();
    if given.len() > MOST_ACCOUNTS {
        faults.add("cloud_account_ids", format!("must not have more than {MOST_ACCOUNTS} entries"));
        return ids;
    }
    for (at, text) in given.iter().enumerate() {
        let id = text.parse().map_err(|_| "is not an id: a UUID is expected");
        ids.extend(faults.unless(&format!("cloud_account_ids[{at}]"), id).filter(|id| !ids.contains(id)));
    }
    ids
}

/// Asks where a URL leads. Not within a transaction: name servers may take their time.
///
/// # Errors
/// 422 where its host cannot be found, or has an address that may not be called.
pub(super) async fn check_address(app: &App, url: &Url) -> Result<(), Problem> {
    let outbound = app.outbound();
    let found = address::check(url, &outbound.resolver, &outbound.allowed).await;
    found.map(drop).map_err(|error| Problem::invalid("url", error.to_string()))
}

/// Checks that accounts are the organisation's.
///
/// # Errors
/// 422 naming the first that is not.
pub(super) async fn check_accounts(
    conn: &mut PgConnection,
    org: OrgId,
    asked: &[CloudAccountId],
) -> Result<(), Problem> {
    if asked.is_empty() {
        return Ok(());
    }
    let own = cloud_account::own(conn, org, asked).await?;
    match asked.iter().find(|id| !own.contains(id)) {
        None => Ok(()),
        Some(foreign) => {
            Err(Problem::invalid("cloud_account_ids", format!("no such cloud account in this organisation: {foreign}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(form: Form<'_>) -> Vec<String> {
        match form.check(&Allowed::default()) {
            Ok(_) => Vec::new(),
            Err(Problem::Unprocessable { fields, .. }) => fields.into_iter().map(|fault| fault.field).collect(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let headers = CustomHeaders::from([("Host".to_owned(), "x".to_owned())]);
        let form = Form {
            url: Some("http://hooks.example.com"),
            events: Some(&[]),
            description: Some(&"x".repeat(501)),
            headers: Some(&headers),
            cloud_account_ids: Some(&["all".to_owned(), CloudAccountId::new().to_string(), String::new()]),
            max_in_flight: Some(i64::from(i32::MAX) + 2),
            rate_per_second: Some(0.0999),
        };
        let wrong = [
            "url",
            "events",
            "description",
            "headers.Host",
            "cloud_account_ids[0]",
            "cloud_account_ids[2]",
            "max_in_flight",
            "rate_per_second",
        ];
        assert_eq!(faults(form), wrong);
    }

    #[test]
    fn the_limits_themselves_are_fine_and_one_beyond_is_not() {
        for (number, fits) in [(0, false), (1, true), (100, true), (101, false), (-1, false)] {
            assert_eq!(faults(Form { max_in_flight: Some(number), ..Form::default() }).is_empty(), fits, "{number}");
        }
        for (rate, fits) in [(0.0, false), (0.1, true), (1000.0, true), (1000.1, false), (-1.0, false)] {
            assert_eq!(faults(Form { rate_per_second: Some(rate), ..Form::default() }).is_empty(), fits, "{rate}");
        }
        for (length, fits) in [(0, true), (500, true), (501, false)] {
            let text = "ä".repeat(length);
            assert_eq!(faults(Form { description: Some(&text), ..Form::default() }).is_empty(), fits, "{length}");
        }
    }

    #[test]
    fn an_account_that_is_named_twice_counts_once() {
        let id = CloudAccountId::new();
        let given = [id.to_string(), id.to_string().to_uppercase()];
        let form = Form { cloud_account_ids: Some(&given), ..Form::default() };
        assert_eq!(form.check(&Allowed::default()).unwrap().cloud_account_ids, Some(vec![id]));
        let many: Vec<String> = (0..=MOST_ACCOUNTS).map(|_| CloudAccountId::new().to_string()).collect();
        assert_eq!(faults(Form { cloud_account_ids: Some(&many), ..Form::default() }), ["cloud_account_ids"]);
        assert!(faults(Form { cloud_account_ids: Some(&many[1..]), ..Form::default() }).is_empty());
    }
}
