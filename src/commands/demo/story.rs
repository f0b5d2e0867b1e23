//! What a customer does: register the account and its state, scan, poll, and read the drift. All of it over the API.

use super::say;
use anyhow::{Context as _, Result, bail};
use drift::compare::Report;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;
use workers::outbound::local::{Answer, LocalClient};

/// The recorded account.
const ACCOUNT: &str = "123456789012";
/// Where its resources are. The double is one slow process, so it is not asked about the regions where nothing can be.
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
/// How long the scan may take.
const PATIENCE: Duration = Duration::from_mins(5);
/// Between two polls.
const POLL: Duration = Duration::from_millis(200);

/// A customer with a key.
#[derive(Debug)]
pub struct Story {
    api: LocalClient,
    place: String,
}

impl Story {
    /// A customer of an organisation.
    pub fn begin(url: &str, key: &str, org: &str) -> Result<Self> {
        Ok(Self { api: LocalClient::new(url, key)?, place: format!("/api/v2/orgs/{org}") })
    }

    /// The organisation's place in the API.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Goes all the way; the drift.
    pub async fn tell(&self, state: Vec<u8>) -> Result<Report> {
        let account = self.register_account().await?;
        self.upload_state(&account, state).await?;
        let scan = self.scan(&account).await?;
        let drift = self.api.get(&format!("{}/scans/{scan}/drift", self.place)).await?;
        serde_json::from_value(drift.body).context("the drift is not what the contract says")
    }

    async fn register_account(&self) -> Result<String> {
        say(&format!("registering the account {ACCOUNT}; its credentials are tried first"));
        let credential = json!({"access_key_id": "test", "secret_access_key": "test"}).to_string();
        let body = json!({
            "provider": "aws", "display_name": "demo", "external_account_id": ACCOUNT, "default_region": REGIONS[0],
            "credential_type": "access_key", "credential_ref": credential,
        });
        created(&self.api.post(&format!("{}/accounts", self.place), &body).await?)
    }

    async fn upload_state(&self, account: &str, state: Vec<u8>) -> Result<()> {
        say(&format!("uploading its Terraform state, {} kB", state.len() / 1000));
        let body = json!({"kind": "upload", "display_name": "demo", "config": {}, "cloud_account_id": account});
        let source = created(&self.api.post(&format!("{}/state-sources", self.place), &body).await?)?;
        self.api.put(&format!("{}/state-sources/{source}/state", self.place), state).await?;
        Ok(())
    }

    /// Enqueues a scan and follows it until drift is computed; its id.
    async fn scan(&self, account: &str) -> Result<String> {
        let body = json!({"cloud_account_id": account, "filter_regions": REGIONS});
        let scan = created(&self.api.post(&format!("{}/scans", self.place), &body).await?)?;
        say(&format!("scan {scan} is queued; polling it"));
        let (start, mut shown) = (Instant::now(), String::new());
        while start.elapsed() < PATIENCE {
            let run = self.api.get(&format!("{}/scans/{scan}", self.place)).await?.body;
            let line = progress(&run);
            if line != shown {
                say(&format!("  {:5.1} s  {line}", start.elapsed().as_secs_f64()));
                shown = line;
            }
            match (run["status"].as_str(), run["drift_status"].as_str()) {
                (Some("error"), _) | (_, Some("error")) => bail!("the scan failed: {run}"),
                (Some("done"), Some("done")) => return finished(&run).map(|()| scan),
                _ => sleep(POLL).await,
            }
        }
        bail!("the scan did not end in {} s; its last state: {shown}", PATIENCE.as_secs())
    }
}

/// The id in the answer to something that was created.
fn created(answer: &Answer) -> Result<String> {
    let id = answer.body["id"].as_str();
    Ok(id.with_context(|| format!("answered {} without an id: {}", answer.status, answer.body))?.to_owned())
}

/// A scan that is done, and whole.
fn finished(run: &Value) -> Result<()> {
    if run["status_kind"] != "ok" {
        bail!("the scan is not whole: {}", run["scan_errors"]);
    }
    Ok(())
}

/// One line about where a scan is.
fn progress(run: &Value) -> String {
    let word = |name: &str| run[name].as_str().unwrap_or("-").to_owned();
    let steps = match (&run["progress"]["phase"], &run["progress"]["done"], &run["progress"]["total"]) {
        (Value::String(phase), done, total) if total.is_u64() => format!(", {phase} {done} of {total}"),
        (Value::String(phase), ..) => format!(", {phase}"),
        _ => String::new(),
    };
    let found = run["resource_count"].as_u64().map(|n| format!(", {n} resources")).unwrap_or_default();
    format!("scan {}{steps}{found}, drift {}", word("status"), word("drift_status"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_what_is_known() {
        let pending = json!({"status": "pending", "drift_status": null, "progress": null, "resource_count": null});
        assert_eq!(progress(&pending), "scan pending, drift -");
        let running = json!({"status": "running", "progress": {"phase": "discover", "done": 3, "total": 17}, "resource_count": 12});
        assert_eq!(progress(&running), "scan running, discover 3 of 17, 12 resources, drift -");
    }

    #[test]
    fn a_scan_with_errors_is_not_whole() {
        assert!(finished(&json!({"status_kind": "ok"})).is_ok());
        let partial = json!({"status_kind": "partial", "scan_errors": [{"service": "s3"}]});
        assert!(finished(&partial).unwrap_err().to_string().contains("s3"));
    }
}
