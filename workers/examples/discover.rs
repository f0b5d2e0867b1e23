//! Reads an AWS account with the readers of this crate and prints what it found, one `LiveResource` a line: for trying a
//! reader by hand, and for making input for `plumbline drift`.
//!
//! ```text
//! AWS_ENDPOINT_URL=http://127.0.0.1:5600 cargo run -p workers --example discover -- --regions us-east-1,eu-west-1
//! ```
//!
//! `--endpoint URL`, `--regions a,b`, `--types aws_vpc,aws_subnet`. Credentials: `AWS_ACCESS_KEY_ID` and
//! `AWS_SECRET_ACCESS_KEY`, else `test`. stdout is data, stderr is talk; exit 1 when something could not be read.

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use jobs::ids::OrgId;
use tokio_util::sync::CancellationToken;
use workers::cloud::aws::Options;
use workers::cloud::{CloudError, Credential, DiscoverRequest, Event, connect};

fn list(text: &str) -> Vec<String> {
    text.split(',').map(ToOwned::to_owned).collect()
}

#[tokio::main]
async fn main() -> Result<ExitCode, CloudError> {
    let mut options = Options::from_env();
    let mut request = DiscoverRequest::default();
    let mut args = env::args().skip(1);
    while let Some(flag) = args.next() {
        match (flag.as_str(), args.next()) {
            ("--endpoint", Some(url)) => options.endpoint_url = Some(url),
            ("--regions", Some(regions)) => request.regions = list(&regions),
            ("--types", Some(types)) => request.provider_types = list(&types),
            _ => {
                eprintln!("usage: discover [--endpoint URL] [--regions a,b] [--types t,u]");
                return Ok(ExitCode::from(2));
            }
        }
    }
    let variable = |name| env::var(name).unwrap_or_else(|_| "test".to_owned());
    let credential = Credential {
        org_id: OrgId::new(),
        account_id: "123456789012".to_owned(),
        credential_type: "access_key".to_owned(),
        credential_ref: serde_json::json!({
            "access_key_id": variable("AWS_ACCESS_KEY_ID"),
            "secret_access_key": variable("AWS_SECRET_ACCESS_KEY"),
        })
        .to_string(),
    };

    let started = Instant::now();
    let account = connect("aws", &credential, options)?;
    let mut discovery = account.discover(request, CancellationToken::new()).await?;
    let (mut found, mut failed, mut slices) = (0_usize, 0_usize, 0_usize);
    while let Some(event) = discovery.next().await {
        match event {
            Event::Resources(batch) => {
                for resource in batch {
                    found += 1;
                    println!("{}", serde_json::to_string(&resource).unwrap_or_default());
                }
            }
            Event::Failed(error) => {
                failed += 1;
                eprintln!("{}", serde_json::to_string(&error).unwrap_or_default());
            }
            Event::Progress(progress) => slices = progress.total,
        }
    }
    eprintln!(
        "{found} resources, {failed} errors, {slices} slices, {} regions, account {}, {:.1} s",
        discovery.regions.len(),
        discovery.identity.account_id,
        started.elapsed().as_secs_f64()
    );
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
