//! What a schedule's owner may choose, judged. All that is wrong with the form of it is told at once; what has to be asked of the database
//! comes after.

use jobs::cron::{Expression, Tz, zone};
use jobs::db::{cloud_account, webhook_endpoint};
use jobs::domain::Provider;
use jobs::ids::{CloudAccountId, OrgId, WebhookEndpointId};
use sqlx::PgConnection;

use crate::problem::{Faults, Problem};
use crate::routes::scans::judge_regions;

/// The most characters of a name.
const LONGEST_NAME: usize = 256;
/// The most characters of a channel's name.
const LONGEST_CHANNEL: usize = 128;
/// The most endpoints to tell: as many as an organisation can have.
const MOST_NOTIFIED: usize = 20;

/// What was sent; what is absent is not judged.
#[derive(Clone, Copy, Default)]
pub(super) struct Form<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) schedule: Option<&'a str>,
    pub(super) timezone: Option<&'a str>,
    pub(super) cloud_account_id: Option<&'a str>,
    pub(super) filter_regions: Option<&'a [String]>,
    pub(super) notify_webhook_config_ids: Option<&'a [String]>,
    pub(super) notify_slack_channel: Option<&'a str>,
}

/// What of it has another shape once it is judged.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) schedule: Option<Expression>,
    pub(super) timezone: Option<Tz>,
    pub(super) cloud_account_id: Option<CloudAccountId>,
    pub(super) notify_webhook_config_ids: Option<Vec<WebhookEndpointId>>,
}

impl Form<'_> {
    /// Judges what can be judged without asking anyone.
    pub(super) fn check(self) -> Result<Checked, Problem> {
        let mut faults = Faults::default();
        if let Some(name) = self.name {
            faults.text("name", name, LONGEST_NAME);
        }
        if let Some(channel) = self.notify_slack_channel {
            faults.text("notify_slack_channel", channel, LONGEST_CHANNEL);
        }
        let schedule = self.schedule.and_then(|line| faults.unless("schedule", line.parse::<Expression>()));
        let timezone = self.timezone.and_then(|name| faults.unless("timezone", zone(name)));
        let no_id = |_| "is not an id: a UUID is expected";
        let cloud_account_id =
            self.cloud_account_id.and_then(|id| faults.unless("cloud_account_id", id.parse().map_err(no_id)));
        let notify_webhook_config_ids = self.notify_webhook_config_ids.map(|given| notified(given, &mut faults));
        if let Some(regions) = self.filter_regions {
            judge_regions(regions, &mut faults);
        }
        faults.none()?;
        Ok(Checked { schedule, timezone, cloud_account_id, notify_webhook_config_ids })
    }
}

/// The endpoints' ids, each once.
fn notified(given: &[String], faults: &mut Faults) -> Vec<WebhookEndpointId> {
    const FIELD: &str = "notify_webhook_config_ids";
    let mut ids: Vec<WebhookEndpointId> = Vec::new();
    if given.len() > MOST_NOTIFIED {
        faults.add(FIELD, format!("must not have more than {MOST_NOTIFIED} entries"));
        return ids;
    }
    for (at, text) in given.iter().enumerate() {
        let id = text.parse().map_err(|_| "is not an id: a UUID is expected");
        ids.extend(faults.unless(&format!("{FIELD}[{at}]"), id).filter(|id| !ids.contains(id)));
    }
    ids
}

/// Checks that what a schedule refers to is the organisation's.
///
/// # Errors
/// 422 naming what is not.
pub(super) async fn check_references(
    conn: &mut PgConnection,
    org: OrgId,
    account: Option<CloudAccountId>,
    notified: &[WebhookEndpointId],
) -> Result<(), Problem> {
    let mut faults = Faults::default();
    if let Some(id) = account {
        match cloud_account::get(conn, org, id).await? {
            None => faults.add("cloud_account_id", "no such cloud account in this organisation".to_owned()),
            Some(account) if account.provider == Provider::Kubernetes => {
                faults.add("cloud_account_id", "a cluster reports itself and is not scanned".to_owned());
            }
            Some(_) => {}
        }
    }
    if !notified.is_empty() {
        let own = webhook_endpoint::own(conn, org, notified).await?;
        if let Some(foreign) = notified.iter().find(|id| !own.contains(id)) {
            let message = format!("no such webhook endpoint in this organisation: {foreign}");
            faults.add("notify_webhook_config_ids", message);
        }
    }
    faults.none()
}
