//! What others think of our webhooks: the official Python library of our signatures, a validator of our schemas; and whether
//! the page for subscribers is that of the code. (The Rust library's word is a unit test beside the signature; JavaScript's is
//! had with `scripts/verify-webhooks-js.sh`.)

use crate::support::{Plumbline, moto};
use jobs::events::EventType;
use jobs::ids::EventId;
use jobs::webhooks::secret::Secret;
use jobs::webhooks::signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use std::path::Path;
use std::process::Command;

#[path = "../webhooks/messages.rs"]
mod messages;

/// Runs one of the scripts in `tests/webhooks` on a file with this content; what it says in the end.
fn judge(script: &str, content: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/webhooks").join(script);
    let output = Command::new(moto::python())
        .arg(script)
        .arg(file.path())
        .output()
        .expect("python; set PLUMBLINE_PYTHON or run `make setup`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn pythons_library_verifies_a_thousand_messages_with_each_of_their_secrets() {
    assert_eq!(judge("verify.py", &messages::lines(1_000)), "1500 signatures verified");
}

#[test]
fn every_example_fits_the_schema_of_its_type_and_of_no_other() {
    assert_eq!(judge("schemas.py", &Plumbline::new(&["events", "--json"]).stdout()), "12 types checked");
}

#[test]
fn the_documented_request_is_one_that_we_would_send() {
    let document = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/webhooks.md")).unwrap();
    let (_, rest) = document.split_once("```http\n").expect("a request");
    let (request, rest) = rest.split_once("\n```\n").expect("its end");
    let (head, body) = request.split_once("\n\n").expect("a body");
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find_map(|(found, value)| (found == name).then_some(value)).expect(name)
    };
    let example = EventType::DriftDetected.entry().unwrap().example;
    assert_eq!(body.as_bytes(), example.bytes().unwrap());
    assert_eq!(header("content-length"), body.len().to_string());
    let (_, secret) = rest.split_once("signed with `").expect("its secret");
    let secret = Secret::parse(secret.split('`').next().unwrap()).unwrap();
    let (id, timestamp) = (header(ID_HEADER), header(TIMESTAMP_HEADER).parse().unwrap());
    assert_eq!(header(SIGNATURE_HEADER), sign(&[&secret], id, timestamp, body.as_bytes()));
    assert!(id.strip_prefix("evt_").expect("its prefix").parse::<EventId>().is_ok());
}

#[test]
fn the_documented_events_are_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/webhooks.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- events: made from the code -->\n", "<!-- end of events -->\n");
    let (head, rest) = document.split_once(begin).expect("the catalogue's beginning");
    let (catalogue, tail) = rest.split_once(end).expect("the catalogue's end");
    let expected = Plumbline::new(&["events", "--markdown"]).stdout();
    if catalogue != expected {
        std::fs::write(&path, [head, begin, &expected, end, tail].concat()).unwrap();
        panic!("docs/webhooks.md was out of date and has been written anew: look at it and commit it");
    }
}
