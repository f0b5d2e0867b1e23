//! Reading a fixture's account and comparing it with its state, as a worker would.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::ControlFlow;

use drift::LiveResource;
use drift::compare::{Declared, Inputs, Report, Settings, Unreadable, compare};
use drift::rules::{Catalogue, OrgRules, Policy};
use drift::sensitive::SensitiveKey;
use drift::state::{self, Limits};
use jobs::ids::OrgId;
use tokio_util::sync::CancellationToken;
use workers::cloud::aws::{Options, readable_types};
use workers::cloud::{CloudError, CloudProvider, Credential, DiscoverRequest, Event, Progress, ScanError, connect};

use super::moto::fixtures;

/// What a discovery found.
#[derive(Debug, Default)]
pub struct Found {
    /// All resources.
    pub live: Vec<LiveResource>,
    /// All that could not be read.
    pub errors: Vec<ScanError>,
    /// The progress reports, in order.
    pub progress: Vec<Progress>,
}

/// The account `test` behind an endpoint.
pub fn account(endpoint: &str) -> Box<dyn CloudProvider> {
    let credential = Credential {
        org_id: OrgId::new(),
        account_id: "123456789012".to_owned(),
        credential_type: "access_key".to_owned(),
        credential_ref: r#"{"access_key_id":"test","secret_access_key":"test"}"#.to_owned(),
    };
    let options = Options { endpoint_url: Some(endpoint.to_owned()), ..Options::default() };
    connect("aws", &credential, options).expect("a well-formed credential")
}

/// Reads regions of an account to the end.
pub async fn discover(account: &dyn CloudProvider, regions: &[&str]) -> Result<Found, CloudError> {
    let request =
        DiscoverRequest { regions: regions.iter().map(ToString::to_string).collect(), provider_types: Vec::new() };
    let mut discovery = account.discover(request, CancellationToken::new()).await?;
    let mut found = Found::default();
    while let Some(event) = discovery.next().await {
        match event {
            Event::Resources(batch) => found.live.extend(batch),
            Event::Failed(error) => found.errors.push(error),
            Event::Progress(progress) => found.progress.push(progress),
        }
    }
    Ok(found)
}

/// Compares what was found with a state of a fixture.
pub fn report(fixture: &str, state_file: &str, regions: &[&str], found: &Found) -> Report {
    let key = SensitiveKey::new([7; 32]);
    let mut declared = Vec::new();
    let file = File::open(fixtures().join(fixture).join(state_file)).expect("the fixture's state");
    let sink = |resource| {
        declared.push(Declared { state_source_id: "state".to_owned(), resource });
        ControlFlow::Continue(())
    };
    let summary = state::read(file, &Limits::default(), &key, sink).expect("a readable state");
    assert_eq!(summary.parse_failure_count, 0, "{summary:?}");

    let catalogue = Catalogue::load().expect("the shipped catalogue");
    let policy = Policy::new(&catalogue, &OrgRules::default()).expect("a policy");
    let readable: BTreeSet<String> = readable_types().into_iter().map(ToOwned::to_owned).collect();
    let regions: BTreeSet<String> = regions.iter().map(ToString::to_string).collect();
    let unreadable: Vec<Unreadable> = found.errors.iter().map(unreadable).collect();
    compare(Inputs {
        declared,
        live: found.live.iter().cloned(),
        settings: Settings {
            readable_types: &readable,
            unreadable: &unreadable,
            regions: Some(&regions),
            account: Some("123456789012"),
            cloud_account_id: None,
            parse_failure_count: 0,
            policy: &policy,
            key: &key,
        },
    })
}

fn unreadable(error: &ScanError) -> Unreadable {
    Unreadable {
        provider_types: error.provider_types.clone(),
        region: Some(error.region.clone()),
        reason: format!("{}: {}", error.error_class, error.message),
    }
}
