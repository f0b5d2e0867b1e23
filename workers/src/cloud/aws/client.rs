//! Clients of one AWS account: made from the account's own credentials and nothing else.
//!
//! A customer's account must never be read with what happens to lie around on this machine, so no profile, no
//! environment key and no instance metadata is looked at for it. The one exception is the *base* of `assume_role`: the
//! role is assumed by Plumbline's own identity, which comes from the usual chain of the SDK (or from
//! [`Options::base_credentials`]).
//!
//! All clients of the process share one HTTP client, so one connection pool and one parsing of root certificates; all
//! clients of one connected account share one retry budget.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::config::SharedHttpClient;
use aws_sdk_ec2::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_smithy_http_client::tls;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::app_name::AppName;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::patience::Patience;
use super::reach::{Reach, Watch};
use super::role::{AssumeRole, Role};
use crate::cloud::{CloudError, Credential};

/// A connection that does not come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// One attempt of one call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
/// One call with all its retries and waits.
const OPERATION_TIMEOUT: Duration = Duration::from_mins(1);
/// Attempts of one call; what really ends retrying is the budget and the operation's timeout.
const MAX_ATTEMPTS: u32 = 10;
/// The longest wait between two attempts (full jitter below it).
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// The retry budget of one connected account, in tokens: a retry costs 5 and a timed-out one 10; success gives them back.
const RETRY_BUDGET: usize = 1_000;
/// Tokens that come back each second.
const RETRY_REFILL: f32 = 10.0;

/// Where account-wide questions are asked when nobody says.
pub(super) const USUAL_REGION: &str = "us-east-1";

/// One pool of connections for the process.
static HTTP: LazyLock<SharedHttpClient> = LazyLock::new(|| {
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
        .build_https()
});

/// How to reach AWS; the same for all accounts of an installation.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Another endpoint for all services: `AWS_ENDPOINT_URL`. For moto, `MinIO` and private endpoints.
    pub endpoint_url: Option<String>,
    /// Where account-wide questions are asked. Its partition must be the account's.
    pub default_region: Option<String>,
    /// The identity that assumes customers' roles; `None` asks the SDK's own chain.
    pub base_credentials: Option<AccessKey>,
}

impl Options {
    /// The options that the process's environment gives.
    #[must_use]
    pub fn from_env() -> Self {
        Self { endpoint_url: std::env::var("AWS_ENDPOINT_URL").ok().filter(|url| !url.is_empty()), ..Self::default() }
    }
}

/// A key of an IAM user, or a temporary one: the text of an `access_key` credential.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    /// `AKIA…` or `ASIA…`.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// For temporary keys.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl From<AccessKey> for Credentials {
    fn from(key: AccessKey) -> Self {
        Self::new(key.access_key_id, key.secret_access_key, key.session_token, None, "plumbline")
    }
}

/// Where an account's credentials come from.
enum Source {
    Key(Credentials),
    Role(Role),
}

impl Source {
    fn parse(credential: &Credential) -> Result<Self, CloudError> {
        /// Serde's error without the text it complains about, which may be a secret.
        fn read<'a, T: Deserialize<'a>>(text: &'a str, expected: &'static str) -> Result<T, CloudError> {
            serde_json::from_str(text).map_err(|error| CloudError::MalformedCredential {
                expected,
                reason: format!("{:?} error at line {}, column {}", error.classify(), error.line(), error.column()),
            })
        }
        let text = &credential.credential_ref;
        match credential.credential_type.as_str() {
            "access_key" => {
                let key: AccessKey = read(text, r#"{"access_key_id","secret_access_key","session_token"?}"#)?;
                Ok(Self::Key(key.into()))
            }
            "assume_role" => {
                let role: AssumeRole = read(text, AssumeRole::SHAPE)?;
                Ok(Self::Role(role.check(credential)?))
            }
            other => Err(CloudError::MalformedCredential {
                expected: "access_key or assume_role",
                reason: format!("the type {other} is not known for aws"),
            }),
        }
    }
}

/// Makes clients of one account, for any region.
pub(super) struct Connector {
    source: Source,
    options: Options,
    retry: RetryPartition,
    credentials: OnceCell<SharedCredentialsProvider>,
}

impl Connector {
    pub(super) fn new(credential: &Credential, options: Options) -> Result<Self, CloudError> {
        let budget = TokenBucket::builder().capacity(RETRY_BUDGET).refill_rate(RETRY_REFILL).build();
        Ok(Self {
            source: Source::parse(credential)?,
            options,
            retry: RetryPartition::custom("plumbline").token_bucket(budget).build(),
            credentials: OnceCell::new(),
        })
    }

    /// Where account-wide questions are asked before the partition is known.
    pub(super) fn home_region(&self) -> &str {
        self.options.default_region.as_deref().unwrap_or(USUAL_REGION)
    }

    /// Clients for regions, sharing this connector's credentials and budget.
    pub(super) async fn pool(&self) -> ClientPool {
        let credentials = self.credentials.get_or_init(|| self.provider()).await.clone();
        ClientPool {
            base: sdk_config(&self.options, credentials),
            path_style: self.options.endpoint_url.is_some(),
            retry: self.retry.clone(),
            regions: Mutex::default(),
        }
    }

    async fn provider(&self) -> SharedCredentialsProvider {
        match &self.source {
            Source::Key(key) => SharedCredentialsProvider::new(key.clone()),
            Source::Role(role) => {
                let config = own_config(&self.options, self.home_region()).await;
                SharedCredentialsProvider::new(role.provider(&config).await)
            }
        }
    }
}

/// How Plumbline itself speaks to AWS: the SDK's usual places, with what the options say above them.
pub(super) async fn own_config(options: &Options, region: &str) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(HTTP.clone())
        .timeout_config(timeouts())
        .region(Region::new(region.to_owned()));
    if let Some(base) = &options.base_credentials {
        loader = loader.credentials_provider(Credentials::from(base.clone()));
    }
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

fn sdk_config(options: &Options, credentials: SharedCredentialsProvider) -> SdkConfig {
    let retries = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS).with_max_backoff(MAX_BACKOFF);
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(HTTP.clone())
        .credentials_provider(credentials)
        .timeout_config(timeouts())
        .retry_config(retries);
    config.set_endpoint_url(options.endpoint_url.clone());
    config.set_app_name(AppName::new("plumbline").ok());
    config.build()
}

/// The clients of all regions, made as they are needed.
#[derive(Debug)]
pub(super) struct ClientPool {
    base: SdkConfig,
    path_style: bool,
    retry: RetryPartition,
    regions: Mutex<HashMap<String, Arc<Clients>>>,
}

impl ClientPool {
    /// The clients of a region (a real one, not `global`).
    pub(super) fn region(&self, region: &str) -> Arc<Clients> {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clients) = regions.get(region) {
            return Arc::clone(clients);
        }
        let sdk = self.base.to_builder().region(Region::new(region.to_owned())).build();
        let clients = Arc::new(Clients::new(sdk, self.path_style, self.retry.clone()));
        regions.insert(region.to_owned(), Arc::clone(&clients));
        clients
    }
}

/// The services that a plain configuration suits; S3 stands apart.
macro_rules! services {
    ($($name:ident: $krate:ident),+ $(,)?) => {
        /// One client for each service in one region.
        #[derive(Debug)]
        pub(super) struct Clients {
            sdk: SdkConfig,
            path_style: bool,
            retry: RetryPartition,
            reach: Arc<Reach>,
            s3: OnceLock<aws_sdk_s3::Client>,
            $($name: OnceLock<$krate::Client>,)+
        }

        impl Clients {
            fn new(sdk: SdkConfig, path_style: bool, retry: RetryPartition) -> Self {
                Self {
                    sdk,
                    path_style,
                    retry,
                    reach: Arc::default(),
                    s3: OnceLock::new(),
                    $($name: OnceLock::new(),)+
                }
            }

            $(
                pub(super) fn $name(&self) -> &$krate::Client {
                    self.$name.get_or_init(|| {
                        $krate::Client::from_conf(
                            $krate::config::Builder::from(&self.sdk)
                                .retry_partition(self.retry.clone())
                                .retry_classifier(Patience(Arc::clone(&self.reach)))
                                .interceptor(Watch(Arc::clone(&self.reach)))
                                .build(),
                        )
                    })
                }
            )+
        }
    };
}

services! {
    cloudwatch: aws_sdk_cloudwatch,
    cloudwatchlogs: aws_sdk_cloudwatchlogs,
    dynamodb: aws_sdk_dynamodb,
    ec2: aws_sdk_ec2,
    iam: aws_sdk_iam,
    kms: aws_sdk_kms,
    lambda: aws_sdk_lambda,
    rds: aws_sdk_rds,
    route53: aws_sdk_route53,
    secretsmanager: aws_sdk_secretsmanager,
    sns: aws_sdk_sns,
    sqs: aws_sdk_sqs,
    sts: aws_sdk_sts,
}

impl Clients {
    /// S3's client; with another endpoint the bucket goes into the path, since nobody resolves `bucket.127.0.0.1`, and
    /// answers may be worded a little differently.
    pub(super) fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| {
            let mut config = aws_sdk_s3::config::Builder::from(&self.sdk)
                .force_path_style(self.path_style)
                .retry_partition(self.retry.clone())
                .retry_classifier(Patience(Arc::clone(&self.reach)))
                .interceptor(Watch(Arc::clone(&self.reach)));
            if self.path_style {
                config.set_http_client(self.sdk.http_client().map(super::s3::dialect::tolerant));
            }
            aws_sdk_s3::Client::from_conf(config.build())
        })
    }

    /// Whether this region answers at all.
    pub(super) fn reach(&self) -> &Reach {
        &self.reach
    }
}
