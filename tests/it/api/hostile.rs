//! What a hostile or clumsy client sends: a table of requests with the status and class that each gets. None may be a 500,
//! and none may change anything.

use std::fmt::Write as _;

use jobs::crypto::api_key::{self, KeyKind};
use jobs::db::cloud_account::{self, NewCloudAccount};
use jobs::db::webhook_endpoint::{self, Headers, Settings, StoredSecret};
use jobs::domain::{CredentialType, Environment, Plan, Provider, Role, Scope};
use jobs::ids::{ApiKeyId, CloudAccountId, OrgId, WebhookEndpointId};
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::fixture::Fixture;
use super::wire::exchange;
use crate::support::{Api, Dns};

/// The cast of the table.
struct Stage {
    fixture: Fixture,
    /// Knows the name of the webhooks.
    _dns: Dns,
    org: OrgId,
    theirs: OrgId,
    owner: Api,
    reader: Api,
    revoked: Api,
    expired: Api,
    raw_key: String,
    raw_admin: String,
    /// A cloud account of the other organisation.
    account: CloudAccountId,
    /// A webhook endpoint of the other organisation.
    endpoint: WebhookEndpointId,
}

impl Stage {
    async fn set() -> Self {
        let dns = Dns::start().await;
        dns.set("hooks.example.com", &["93.184.215.14"]);
        let servers = dns.address.to_string();
        let fixture = Fixture::with(|command| command.env("PLUMBLINE_DNS_SERVERS", &servers)).await;
        let org = fixture.org("acme", Plan::Enterprise).await;
        let theirs = fixture.org("theirs", Plan::Enterprise).await;
        let owner = fixture.person(org, Role::Owner).await;
        let reader = fixture.key(org, Role::Viewer, &[Scope::Read]).await;
        let admin = fixture.key(org, Role::Admin, &[Scope::Write]).await;
        let (revoked, expired) = (
            fixture.key(org, Role::Admin, &[Scope::Write]).await,
            fixture.key(org, Role::Admin, &[Scope::Write]).await,
        );
        fixture.sql("UPDATE api_key SET revoked_at = now() WHERE id = $1", revoked.id).await;
        fixture.sql("UPDATE api_key SET expires_at = now() - interval '1 day' WHERE id = $1", expired.id).await;
        Self {
            org,
            theirs,
            owner,
            reader: fixture.api.with_key(&reader.raw),
            revoked: fixture.api.with_key(&revoked.raw),
            expired: fixture.api.with_key(&expired.raw),
            raw_key: reader.raw,
            raw_admin: admin.raw,
            account: account_of(&fixture, theirs).await,
            endpoint: endpoint_of(&fixture, theirs).await,
            _dns: dns,
            fixture,
        }
    }

    fn keys(&self) -> String {
        format!("/api/v2/orgs/{}/api-keys", self.org)
    }

    /// A creation of a key, with this body as it is.
    fn create(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.owner.request(Method::POST, &self.keys()).header(CONTENT_TYPE, "application/json").body(body)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.owner.request(Method::GET, path)
    }

    fn bodies(&self) -> Vec<(&'static str, RequestBuilder)> {
        let deep = "[".repeat(50_000);
        vec![
            ("no body", self.create("")),
            ("truncated JSON", self.create(r#"{"name": "abc""#)),
            ("a comma too many", self.create(r#"{"name": "abc",}"#)),
            ("JSON and more", self.create(r#"{"name": "abc"} {"name": "abc"}"#)),
            ("not UTF-8", self.create(&b"{\"name\": \"\xff\xfe\"}"[..])),
            ("brackets without end", self.create(deep)),
            ("an array", self.create(r#"["abc"]"#)),
            ("null", self.create("null")),
            ("unknown field", self.create(r#"{"name": "abc", "is_admin": true}"#)),
            ("field twice", self.create(r#"{"name": "abc", "name": "def"}"#)),
            ("wrong type", self.create(r#"{"name": {"$ne": null}}"#)),
            ("missing field", self.create(r#"{"scopes": ["read"]}"#)),
            ("unknown word", self.create(r#"{"name": "abc", "scopes": ["read", "root"]}"#)),
            ("too short", self.create(r#"{"name": "a"}"#)),
            ("a NUL", self.create(r#"{"name": "abc\u0000"}"#)),
            ("quotes for the database", self.create(r#"{"name": "a'; DROP TABLE api_key; --", "role": "owner"}"#)),
            ("a cron where a time belongs", self.create(r#"{"name": "abc", "expires_at": "*/5 * * * *"}"#)),
            ("a body of 64 KiB and one byte", self.create(format!(r#"{{"name": "{}"}}"#, "x".repeat(65_526)))),
            ("a body of 10 MiB", self.create("x".repeat(10 << 20))),
            (
                "a form",
                self.owner
                    .request(Method::POST, &self.keys())
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body("name=abc"),
            ),
            ("no content type", self.owner.request(Method::POST, &self.keys()).body(r#"{"name": "abc"}"#)),
            ("gzip", self.create("x").header(CONTENT_ENCODING, "gzip")),
        ]
    }

    fn paths(&self) -> Vec<(&'static str, RequestBuilder)> {
        let keys = self.keys();
        vec![
            ("unknown path", self.get("/api/v1/orgs")),
            ("wrong method", self.owner.request(Method::PUT, &keys)),
            ("an invented method", self.owner.request(Method::from_bytes(b"BREW").unwrap(), &keys)),
            ("somebody else's organisation", self.get(&format!("/api/v2/orgs/{}/api-keys", self.theirs))),
            ("an organisation that is none", self.get(&format!("/api/v2/orgs/{}", OrgId::new()))),
            ("an id that is none", self.get("/api/v2/orgs/1%20OR%201=1")),
            ("dots", self.get("/api/v2/orgs/..%2f..%2fetc%2fpasswd")),
            ("not UTF-8 in the path", self.get(&format!("{keys}/%c3%28"))),
            ("a NUL in the path", self.get(&format!("{keys}/%00"))),
            ("somebody's key that is none", self.get(&format!("{keys}/{}", ApiKeyId::new()))),
            ("a negative limit", self.get(&format!("{keys}?limit=-1"))),
            ("a huge limit", self.get(&format!("{keys}?limit=1000000"))),
            ("a misspelt parameter", self.get(&format!("{keys}?ofset=10"))),
            ("a path of 60 kB", self.get(&format!("/api/v2/{}", "a/".repeat(30_000)))),
        ]
    }

    fn credentials(&self) -> Vec<(&'static str, RequestBuilder)> {
        let path = format!("/api/v2/orgs/{}", self.org);
        let nobody = || self.fixture.api.request(Method::GET, &path);
        let made_up = api_key::generate(KeyKind::Org(Environment::Live));
        let mistyped = format!("{}x", &made_up[..made_up.len() - 1]);
        vec![
            ("no credential", nobody()),
            ("a key that was made up", nobody().header("x-api-key", &made_up)),
            ("a key mistyped", nobody().header("x-api-key", mistyped)),
            ("a key of 8 kB", nobody().header("x-api-key", format!("pl_live_{}", "a".repeat(8_000)))),
            ("a revoked key", self.revoked.request(Method::GET, &path)),
            ("an expired key", self.expired.request(Method::GET, &path)),
            ("two credentials", self.reader.request(Method::GET, &path).bearer_auth(&self.raw_key)),
            ("a key sent twice", self.reader.request(Method::GET, &path).header("x-api-key", &self.raw_key)),
            ("basic authentication", nobody().basic_auth("root", Some("root"))),
            ("a token of nothing", nobody().header(AUTHORIZATION, "Bearer ..")),
            ("a token signed by nobody", nobody().bearer_auth("eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.")),
            ("an operator's key", nobody().header("x-api-key", api_key::generate(KeyKind::Operator))),
            ("a key that may only read", self.reader.request(Method::POST, &self.keys()).json(&json!({"name": "abc"}))),
            ("a key where a person is needed", {
                self.reader.request(Method::POST, "/api/v2/orgs").json(&json!({"slug": "a", "display_name": "A"}))
            }),
            ("another organisation in the header", self.get(&path).header("x-org-id", self.theirs.to_string())),
            ("an empty idempotency key", self.create(r#"{"name": "abc"}"#).header("idempotency-key", "")),
        ]
    }

    /// Accounts, states, scans and drift. There is no worker here: what is refused is refused before anything is enqueued.
    fn work(&self) -> Vec<(&'static str, RequestBuilder)> {
        let org = format!("/api/v2/orgs/{}", self.org);
        let nothing = ApiKeyId::new();
        let account = |changes: Value| {
            let mut body = json!({
                "display_name": "production", "provider": "aws", "external_account_id": "123456789012",
                "credential_type": "access_key", "credential_ref": "{}",
            });
            for (name, value) in changes.as_object().unwrap() {
                body[name] = value.clone();
            }
            self.owner.request(Method::POST, &format!("{org}/accounts")).json(&body)
        };
        let source = |body: Value| self.owner.request(Method::POST, &format!("{org}/state-sources")).json(&body);
        let scan = |body: Value| self.owner.request(Method::POST, &format!("{org}/scans")).json(&body);
        let bulk = |body: Value| self.owner.request(Method::POST, &format!("{org}/scans/bulk")).json(&body);
        vec![
            ("an account of 11 digits", account(json!({"external_account_id": "12345678901"}))),
            ("an account of a cloud nobody knows", account(json!({"provider": "mars"}))),
            ("an account in no region", account(json!({"default_region": "mars-north-1"}))),
            ("credentials that are no text", account(json!({"credential_ref": {"access_key_id": "x"}}))),
            ("a state in a bucket with a path", {
                source(json!({
                    "display_name": "s", "kind": "s3", "cloud_account_id": nothing,
                    "config": {"bucket": "../../etc", "key": "passwd", "region": "us-east-1"},
                }))
            }),
            ("a state of somebody's account", {
                source(json!({"display_name": "s", "kind": "upload", "cloud_account_id": self.account, "config": {}}))
            }),
            ("bytes for a source that is none", {
                self.owner.request(Method::PUT, &format!("{org}/state-sources/{nothing}/state")).body("{}")
            }),
            ("a cron where an account's id belongs", scan(json!({"cloud_account_id": "*/5 * * * *"}))),
            ("a scan of somebody's account", scan(json!({"cloud_account_id": self.account}))),
            ("a scan of no region", scan(json!({"cloud_account_id": nothing, "filter_regions": ["mars-north-1"]}))),
            ("many scans of one that is no id", bulk(json!({"account_ids": ["all"]}))),
            ("many scans of somebody's account", bulk(json!({"account_ids": [self.account]}))),
            ("a scan that is none", self.get(&format!("{org}/scans/{nothing}"))),
            ("drift of a scan that is none", self.get(&format!("{org}/scans/{nothing}/drift"))),
            ("drift computed of it", self.owner.request(Method::POST, &format!("{org}/scans/{nothing}/drift/compute"))),
            ("resources of a provider nobody knows", self.get(&format!("{org}/resources?provider=mars"))),
            ("a resource that is none enriched", {
                self.owner.request(Method::POST, &format!("{org}/resources/{nothing}/enrich"))
            }),
        ]
    }

    /// Schedules, and lines that are none.
    fn schedules(&self) -> Vec<(&'static str, RequestBuilder)> {
        let schedules = format!("/api/v2/orgs/{}/schedules", self.org);
        let nothing = ApiKeyId::new();
        let line =
            |line: &str| self.owner.request(Method::POST, &schedules).json(&json!({"name": "a", "schedule": line}));
        vec![
            ("a line of 6 fields", line("0 0 0 * * *")),
            ("minute 61", line("61 * * * *")),
            ("31 February", line("0 0 31 2 *")),
            ("a weekday in French", line("0 9 * * lundi")),
            ("a month in Chinese", line("0 9 1 三月 *")),
            ("a line of 500 characters", line(&format!("0 0 * * {}1", "1,".repeat(245)))),
            ("a line with a NUL", line("0 0 * * *\0")),
            ("a line with a newline and a command", line("* * * * *\n* * * * * root rm -rf /")),
            ("a huge number", line("99999999999999999999 * * * *")),
            ("a schedule in no zone", {
                let body = json!({"name": "a", "schedule": "@daily", "timezone": "../../etc/passwd"});
                self.owner.request(Method::POST, &schedules).json(&body)
            }),
            ("a schedule of somebody's account", {
                let body = json!({"name": "a", "schedule": "@daily", "cloud_account_id": self.account});
                self.owner.request(Method::POST, &schedules).json(&body)
            }),
            ("a schedule that tells somebody's endpoint", {
                let body = json!({"name": "a", "schedule": "@daily", "notify_webhook_config_ids": [self.endpoint]});
                self.owner.request(Method::POST, &schedules).json(&body)
            }),
            ("a schedule that is none, run", {
                self.owner.request(Method::POST, &format!("{schedules}/{nothing}/run"))
            }),
            ("a schedule that is none, changed", {
                self.owner.request(Method::PUT, &format!("{schedules}/{nothing}")).json(&json!({"enabled": true}))
            }),
            ("a preview of nothing", self.get(&format!("{schedules}/preview"))),
        ]
    }

    /// Webhook endpoints, deliveries and replays.
    fn webhooks(&self) -> Vec<(&'static str, RequestBuilder)> {
        let org = format!("/api/v2/orgs/{}", self.org);
        let endpoints = format!("{org}/webhook-endpoints");
        let one = format!("{endpoints}/{}", self.endpoint);
        let post = |path: &str, body: Value| self.owner.request(Method::POST, path).json(&body);
        let endpoint = |changes: Value| {
            let mut body = json!({"url": "https://hooks.example.com/", "events": ["drift.*"]});
            body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            post(&endpoints, body)
        };
        let url = |url: &str| endpoint(json!({"url": url}));
        let header = |name: &str, value: &str| endpoint(json!({"headers": {name: value}}));
        vec![
            ("a webhook over http", url("http://hooks.example.com/")),
            ("a webhook with credentials", url("https://ada:pw@hooks.example.com/")),
            ("a webhook with a fragment", url("https://hooks.example.com/#top")),
            ("a webhook to port 22", url("https://hooks.example.com:22/")),
            ("a webhook to a file", url("file:///etc/passwd")),
            ("a webhook of 2,000 characters", url(&format!("https://hooks.example.com/{}", "x".repeat(1_974)))),
            ("a webhook to an IPv4 address", url("https://127.0.0.1/")),
            ("the same, short", url("https://127.1/")),
            ("the same in octal", url("https://0177.0.0.1/")),
            ("the same in hexadecimal", url("https://0x7f.1/")),
            ("the same as one number", url("https://2130706433/")),
            ("the same, fullwidth", url("https://１２７．０．０．１/")),
            ("the same, percent-encoded", url("https://%31%32%37.0.0.1/")),
            ("a public IPv4 address", url("https://8.8.8.8/")),
            ("the metadata's address", url("https://169.254.169.254/latest/meta-data/")),
            ("a webhook to an IPv6 address", url("https://[::1]/")),
            ("an IPv4-mapped one", url("https://[::ffff:127.0.0.1]/")),
            ("an IPv4-compatible one", url("https://[::127.0.0.1]/")),
            ("one of NAT64", url("https://[64:ff9b::7f00:1]/")),
            ("one of 6to4", url("https://[2002:7f00:1::]/")),
            ("one with a zone", url("https://[fe80::1%25eth0]/")),
            ("an unknown event type", endpoint(json!({"events": ["scan.exploded"]}))),
            ("every event there is", endpoint(json!({"events": ["*"]}))),
            ("a cron where a type belongs", endpoint(json!({"events": ["*/5 * * * *"]}))),
            ("the header Host", header("Host", "evil.example.com")),
            ("the header Content-Length", header("content-length", "0")),
            ("the header webhook-id", header("Webhook-Id", "evt_1")),
            ("a header with a newline", header("X-A", "a\r\nWebhook-Id: evt_1")),
            ("a header's name with a newline", header("X-A\r\nHost", "evil.example.com")),
            ("a header of 64 kB", header("X-A", &"a".repeat(60_000))),
            ("an account of somebody's", endpoint(json!({"cloud_account_ids": [self.account]}))),
            ("a secret of one's own", endpoint(json!({"secret": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}))),
            ("somebody's endpoint", self.get(&one)),
            ("somebody's endpoint changed", self.owner.request(Method::PATCH, &one).json(&json!({"active": false}))),
            ("somebody's endpoint deleted", self.owner.request(Method::DELETE, &one)),
            ("somebody's secret rotated", post(&format!("{one}/rotate-secret"), json!({}))),
            ("somebody's endpoint tested", post(&format!("{one}/test"), json!({}))),
            ("somebody's deliveries", self.get(&format!("{one}/deliveries"))),
            ("a cron where a time belongs, replayed", post(&format!("{one}/replay"), json!({"since": "*/5 * * * *"}))),
            ("events of somebody's replayed", post(&format!("{one}/replay"), json!({"since": chrono::Utc::now()}))),
            ("a delivery that is none", post(&format!("{org}/webhook-deliveries/{}/replay", self.endpoint), json!({}))),
            ("an endpoint made by a key", {
                let body = json!({"url": "https://hooks.example.com/", "events": ["drift.*"]});
                self.fixture.api.with_key(&self.raw_admin).request(Method::POST, &endpoints).json(&body)
            }),
        ]
    }

    /// Requests below HTTP, or against it.
    fn bytes(&self) -> Vec<(&'static str, Vec<u8>)> {
        let head = |line: &str| format!("{line} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\n", self.raw_admin);
        let get = head("GET /api/v2/me");
        let post = head(&format!("POST {}", self.keys())) + "Content-Type: application/json\r\n";
        vec![
            ("not HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
            ("a space too many", b"GET  /api/v2/health HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
            ("a raw byte in the path", b"GET /api/v2/\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec()),
            ("two lengths", format!("{get}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab").into_bytes()),
            ("a length that is none", format!("{get}Content-Length: -1\r\n\r\n").into_bytes()),
            ("a body shorter than announced", { format!("{post}Content-Length: 100\r\n\r\n{{").into_bytes() }),
            ("200 headers", format!("{get}{}\r\n", "X-A: b\r\n".repeat(200)).into_bytes()),
            ("a header of 1 MB", format!("{get}X-A: {}\r\n\r\n", "a".repeat(1 << 20)).into_bytes()),
            (
                "a chunk that lies",
                format!("{post}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n").into_bytes(),
            ),
        ]
    }
}

async fn account_of(fixture: &Fixture, org: OrgId) -> CloudAccountId {
    let new = NewCloudAccount {
        id: CloudAccountId::new(),
        org_id: org,
        provider: Provider::Aws,
        external_account_id: "123456789012",
        display_name: "theirs",
        credential_type: CredentialType::AccessKey,
        credential: b"sealed",
        default_region: "us-east-1",
    };
    let mut conn = fixture.db.pool.acquire().await.unwrap();
    cloud_account::insert(&mut conn, &new).await.unwrap().id
}

async fn endpoint_of(fixture: &Fixture, org: OrgId) -> WebhookEndpointId {
    let id = WebhookEndpointId::new();
    let settings = Settings {
        url: "https://hooks.example.com/",
        description: "",
        events: &["drift.*".to_owned()],
        cloud_account_ids: &[],
        max_in_flight: 1,
        rate: None,
    };
    let (headers, secret) =
        (Headers { names: &[], sealed: None }, StoredSecret { sealed: b"sealed", prefix: "whsec_" });
    let mut conn = fixture.db.pool.acquire().await.unwrap();
    webhook_endpoint::insert(&mut conn, (org, id), settings, headers, secret).await.unwrap();
    id
}

#[tokio::test]
async fn nothing_a_client_sends_is_our_fault() {
    let stage = Stage::set().await;
    let mut table = String::new();
    let mut requests = 0;
    let mut row = |what: &str, status: u16, body: &Value| {
        let class = body["error_class"].as_str().unwrap_or("-");
        writeln!(table, "{what:<40} {status:>3} {class}").unwrap();
        assert!(status < 500, "{what}: {status} {body}");
        requests += 1;
    };
    let tables =
        [stage.bodies(), stage.paths(), stage.credentials(), stage.work(), stage.schedules(), stage.webhooks()];
    for (what, request) in tables.into_iter().flatten() {
        let answer = stage.fixture.api.send(request).await;
        if answer.status.is_client_error() && answer.header("content-type") == "application/problem+json" {
            assert_eq!(answer.body["request_id"], answer.header("x-request-id"), "{what}");
        }
        row(what, answer.status.as_u16(), &answer.body);
    }
    for (what, bytes) in stage.bytes() {
        let (status, body) = exchange(&stage.fixture.address, &bytes).await;
        row(what, status, &body);
    }
    assert!(requests >= 40, "{requests} requests");
    insta::assert_snapshot!(table);

    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM job").fetch_one(&stage.fixture.db.pool).await.unwrap();
    assert_eq!(jobs, 0, "nothing was enqueued");
    // The stage's own people and roles aside.
    let changes = "SELECT count(*) FROM audit_event WHERE actor_id <> 'fixture'";
    let changed: i64 = sqlx::query_scalar(changes).fetch_one(&stage.fixture.db.pool).await.unwrap();
    assert_eq!(changed, 0, "nothing was changed");
    stage.fixture.api.get("/healthz").await.expect(200);
    stage.reader.get(&format!("/api/v2/orgs/{}", stage.org)).await.expect(200);
}
