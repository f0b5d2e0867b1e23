//! What must be absent, and what must come in pairs: the rules of ARCHITECTURE.md that a compiler does not see.
//!
//! Each rule collects everything that breaks it before it fails, so that one run shows all there is to mend.

use crate::support::TestDb;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders with our code.
const ROOTS: [&str; 7] = ["src", "api", "workers", "scheduler", "jobs", "drift", "tests"];

/// No source file is longer.
const LONGEST: usize = 500;

/// A file of ours, with its path from the repository's root.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Whether it lies under one of these places (or is one of them).
    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| Path::new(&self.path).starts_with(place))
    }

    /// Its lines with their numbers, without comments and without the unit tests, which stand at a file's end.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let shipped = self.text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
        shipped
            .lines()
            .enumerate()
            .map(|(i, line)| (i + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Whether it only holds tests.
    fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of ours with one of these endings.
fn sources(roots: &[&str], endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = roots.iter().map(|name| root().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                // Recordings and vendored scripts are not ours to shape.
                if !["target", "fixtures", "vendor", "snapshots"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn rust() -> Vec<Source> {
    sources(&ROOTS, &[".rs"])
}

/// Fails with the list of what breaks a rule.
#[track_caller]
fn none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// Words in shipped code that stand outside of the places where they may.
fn outside(words: &[&str], places: &[&str]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in rust().iter().filter(|source| !source.is_in(places) && !source.is_in(&["tests"])) {
        for (number, line) in source.code().filter(|(_, line)| words.iter().any(|word| line.contains(word))) {
            broken.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
    }
    broken
}

#[test]
fn sql_stands_in_two_rooms() {
    let words = [
        "sqlx::query",
        "query!(",
        "query_as!(",
        "query_scalar!(",
        "query_as(",
        "query_scalar(",
        "QueryBuilder",
        "raw_sql",
    ];
    none("SQL belongs in jobs/src/db or jobs/src/queue", &outside(&words, &["jobs/src/db", "jobs/src/queue"]));
}

#[test]
fn each_library_stands_in_its_room() {
    none("salvo belongs in api", &outside(&["salvo::", "use salvo"], &["api"]));
    let queue = ["jobs/src/queue", "workers/src/runtime.rs"];
    none("apalis belongs in the queue and the runtime", &outside(&["apalis::", "apalis_core::", "use apalis"], &queue));
    let http = ["workers/src/outbound", "workers/tests/outbound", "workers/src/cloud", "api/src/auth"];
    none("reqwest belongs in outbound, the cloud clients and api/src/auth", &outside(&["reqwest::"], &http));
    none(
        "delays of the backoff crate stand behind jobs/src/retry.rs",
        &outside(&["backoff::Exp", "use backoff"], &["jobs/src/retry.rs"]),
    );
}

#[test]
fn the_aws_crates_stand_in_the_cloud_room() {
    let mut broken = outside(&["aws_sdk_"], &["workers/src/cloud", "jobs/src/artifacts"]);
    for source in rust().iter().filter(|source| source.is_in(&["jobs/src/artifacts"])) {
        let other = source.code().filter(|(_, line)| line.replace("aws_sdk_s3", "").contains("aws_sdk_"));
        broken.extend(other.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim())));
    }
    none("the AWS service crates belong in workers/src/cloud, aws-sdk-s3 also in jobs/src/artifacts", &broken);
}

#[test]
fn drift_is_pure() {
    let mut broken = Vec::new();
    for source in sources(&["drift/src"], &[".rs"]) {
        for (number, line) in source.code() {
            for word in [
                "tokio",
                "sqlx",
                "std::fs",
                "TcpStream",
                "UdpSocket",
                "ToSocketAddrs",
                "std::time",
                "SystemTime",
                "Instant",
                "chrono",
            ] {
                if line.contains(word) {
                    broken.push(format!("{}:{number}: {word}", source.path));
                }
            }
        }
    }
    for name in dependencies("drift") {
        if ["tokio", "sqlx", "chrono", "reqwest"].contains(&name.as_str()) {
            broken.push(format!("drift/Cargo.toml: {name}"));
        }
    }
    none("drift takes bytes and rows and gives a report: no I/O and no clock", &broken);
}

#[test]
fn schedules_go_by_the_databases_clock() {
    let mut broken = Vec::new();
    for source in rust().iter().filter(|source| source.is_in(&["scheduler/src", "jobs/src/schedules", "jobs/src/cron"]))
    {
        let clocks = ["Utc::now", "Local::now", "SystemTime", "now_v7"];
        for (number, line) in source.code().filter(|(_, line)| clocks.iter().any(|clock| line.contains(clock))) {
            broken.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
    }
    none("two schedulers must agree on the time: ask the database", &broken);
}

/// The names under `[dependencies]` of a crate.
fn dependencies(krate: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_crates_point_one_way() {
    let arrows: [(&str, &[&str]); 5] = [
        ("api", &["jobs", "drift"]),
        ("workers", &["jobs", "drift"]),
        ("scheduler", &["jobs"]),
        ("jobs", &[]),
        ("drift", &[]),
    ];
    let mut broken = Vec::new();
    for (krate, allowed) in arrows {
        for name in dependencies(krate) {
            if arrows.iter().any(|(ours, _)| *ours == name) && !allowed.contains(&name.as_str()) {
                broken.push(format!("{krate} → {name}"));
            }
        }
    }
    none("arrows that ARCHITECTURE.md does not draw", &broken);
}

#[test]
fn no_file_is_long() {
    let mut all = sources(&ROOTS, &[".rs", ".sh", ".html"]);
    all.extend(sources(&["migrations"], &[".sql"]));
    let lengths = all.iter().map(|source| (source.text.lines().count(), &source.path));
    let broken: Vec<String> =
        lengths.filter(|(lines, _)| *lines > LONGEST).map(|(lines, path)| format!("{path}: {lines} lines")).collect();
    none(&format!("no source file over {LONGEST} lines"), &broken);
}

#[test]
fn nothing_is_left_undone() {
    // Spelled in pieces, or this file would break its own rule.
    let marks = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!("), concat!("#[ign", "ore")];
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let mut broken = Vec::new();
    for source in rust() {
        for (i, line) in source.text.lines().enumerate() {
            if marks.iter().chain(&words).any(|mark| line.contains(mark)) {
                broken.push(format!("{}:{}: {}", source.path, i + 1, line.trim()));
            }
        }
        if source.path.ends_with("utils.rs") || source.path.ends_with("helpers.rs") {
            broken.push(format!("{}: name it after what it holds", source.path));
        }
    }
    none("unfinished work", &broken);
}

#[test]
fn shipped_code_does_not_panic_on_an_error() {
    let mut broken = Vec::new();
    for source in rust().iter().filter(|source| !source.is_test()) {
        for (number, line) in
            source.code().filter(|(_, line)| line.contains(".unwrap()") || line.contains(".expect(\""))
        {
            broken.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
    }
    none("unwrap and expect are for tests", &broken);
}

#[test]
fn tests_wait_for_conditions() {
    let mut broken = Vec::new();
    for source in
        rust().iter().filter(|source| source.is_test() && !source.is_in(&["tests/it/support", "tests/it/tidy.rs"]))
    {
        let sleeps = source.text.lines().enumerate().filter(|(_, line)| line.contains("sleep("));
        broken.extend(sleeps.map(|(i, line)| format!("{}:{}: {}", source.path, i + 1, line.trim())));
    }
    none("a sleep in a test hides a race; use support::eventually", &broken);
}

#[test]
fn every_kind_has_its_handler_and_its_tests() {
    let mut broken = Vec::new();
    for source in sources(&["jobs/src/kinds"], &[".rs"]) {
        let name = Path::new(&source.path).file_name().unwrap().to_str().unwrap();
        if name == "mod.rs" {
            continue;
        }
        for twin in ["workers/src/handlers", "tests/it/jobs"] {
            if !root().join(twin).join(name).is_file() {
                broken.push(format!("{} lacks {twin}/{name}", source.path));
            }
        }
    }
    none("every kind has a handler and tests", &broken);
}

#[tokio::test]
async fn every_table_and_column_says_what_it_is() {
    let db = TestDb::new().await;
    let broken: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname || coalesce('.' || a.attname, '')
         FROM pg_class c
         JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
           AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition AND c.relname <> '_sqlx_migrations'
           AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)
         ORDER BY 1",
    )
    .fetch_all(&db.pool)
    .await
    .unwrap();
    none("tables and columns without a comment", &broken);
}
