//! The recorded accounts against their states: everything that the oracles want is found, and nothing else is reported.

use crate::support::account::{account, discover, report};
use crate::support::moto::{Moto, Server};
use crate::support::oracle::judge;

struct Fixture {
    name: &'static str,
    recordings: &'static [&'static str],
    regions: &'static [&'static str],
}

const CORE: Fixture =
    Fixture { name: "aws-core", recordings: &["apply", "tamper"], regions: &["us-east-1", "eu-west-1"] };
const CLEAN: Fixture = Fixture { name: "aws-clean", recordings: &["apply"], regions: &["us-east-2"] };
const SERVICES: Fixture = Fixture { name: "aws-services", recordings: &["apply"], regions: &["us-west-2"] };

async fn check(fixture: &Fixture, server: Server) {
    let moto = Moto::start(server, fixture.name, fixture.recordings);
    let found = discover(&*account(&moto.url), fixture.regions).await.expect("a readable account");
    assert!(found.errors.is_empty(), "all of the account can be read: {:#?}", found.errors);
    let mut wrong = Vec::new();
    for state in ["terraform.tfstate", "terraform.raw.tfstate"] {
        let verdict = judge(fixture.name, &report(fixture.name, state, fixture.regions, &found));
        println!("{:<10} {server:<8?} {state:<22} {verdict}", fixture.name);
        let lost = verdict.lost.iter().map(|lost| format!("{state}: not found: {lost}"));
        let false_reports = verdict.false_reports.iter().map(|report| format!("{state}: false: {report}"));
        wrong.extend(lost.chain(false_reports));
    }
    assert!(wrong.is_empty(), "{} {server:?}\n{}", fixture.name, wrong.join("\n"));
}

#[tokio::test]
async fn core_on_the_fixture_server() {
    check(&CORE, Server::Fixture).await;
}

#[tokio::test]
async fn core_on_plain_moto() {
    check(&CORE, Server::Plain).await;
}

#[tokio::test]
async fn clean_on_the_fixture_server() {
    check(&CLEAN, Server::Fixture).await;
}

#[tokio::test]
async fn clean_on_plain_moto() {
    check(&CLEAN, Server::Plain).await;
}

#[tokio::test]
async fn services_on_the_fixture_server() {
    check(&SERVICES, Server::Fixture).await;
}

#[tokio::test]
async fn services_on_plain_moto() {
    check(&SERVICES, Server::Plain).await;
}
