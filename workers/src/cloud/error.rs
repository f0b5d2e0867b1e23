//! What can go wrong between us and a cloud, sorted by what somebody should do about it.
//!
//! - [`ReadError`]: one call of one reader failed. A reader raises it with `?` from any SDK call; it never ends a scan.
//! - [`ScanError`]: the same, as the scan reports it: which service, region and types could not be read. Resources of
//!   those slices must not be reported missing.
//! - [`CloudError`]: the scan cannot start at all (credentials, an unknown region).

use std::any::type_name;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jobs::ids::OrgId;
use serde::{Deserialize, Serialize};

use super::aws::NoPlatformIdentity;

/// Error codes that mean "slow down"; the union of what the services in use answer.
/// Source: the SDK's own list (`aws-runtime`, `retries/classifiers.rs`) and S3's and DynamoDB's error references.
const THROTTLING_CODES: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Error codes that mean "these credentials may not do this".
const DENIED_CODES: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "KMSAccessDeniedException",
    "UnauthorizedAccess",
    "UnauthorizedOperation",
];

/// Error codes that mean "these are no valid credentials", or none for this region (opt-in regions that are off
/// answer so).
const CREDENTIAL_CODES: &[&str] = &[
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "MissingAuthenticationToken",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "SubscriptionRequiredException",
    "UnrecognizedClientException",
];

/// Error codes that mean "no such operation here". Source: the common errors of the query and JSON protocols.
const UNSUPPORTED_CODES: &[&str] =
    &["InvalidAction", "NotImplemented", "UnknownOperation", "UnknownOperationException", "UnsupportedOperation"];

/// Why a call failed, in words that the API shows and that tests and metrics can count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The credentials are good but lack the permission.
    AccessDenied,
    /// The cloud does not accept the credentials (wrong, expired, or the region is not opted in).
    InvalidCredentials,
    /// Still told to slow down after the scan's retry budget was used up.
    Throttled,
    /// No connection, no name, or no answer in time.
    Unreachable,
    /// The service broke (5xx) or answered something that cannot be read.
    ServiceError,
    /// The service refused the request as such: ours to mend.
    BadRequest,
    /// The thing asked for is not there.
    NotFound,
    /// Whoever answers does not know the operation at all: an emulator that lacks it, or a region without the service.
    Unsupported,
    /// There is nobody to assume the account's role: see [`NoPlatformIdentity`].
    NoPlatformIdentity,
}

impl ErrorClass {
    /// The name on the wire, such as `access_denied`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::InvalidCredentials => "invalid_credentials",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::ServiceError => "service_error",
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::Unsupported => "unsupported",
            Self::NoPlatformIdentity => "no_platform_identity",
        }
    }
}

impl std::fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One call to a cloud failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {code}: {message}")]
pub struct ReadError {
    /// What to do about it.
    pub class: ErrorClass,
    /// The API operation, such as `DescribeVpcs`.
    pub operation: String,
    /// The cloud's own error code, such as `UnauthorizedOperation`; `Timeout` and the like when there was no answer.
    pub code: String,
    /// The cloud's own words.
    pub message: String,
}

impl ReadError {
    /// Whether the cloud's code is one of these. For answers that are no failure, such as `NoSuchBucketPolicy`; see
    /// [`OrAbsent`] for the usual case.
    #[must_use]
    pub fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }

    /// An answer that lacks what its documentation promises.
    #[must_use]
    pub fn incomplete(operation: &str, what: &str) -> Self {
        Self {
            class: ErrorClass::ServiceError,
            operation: operation.to_owned(),
            code: "IncompleteAnswer".to_owned(),
            message: format!("the answer lacks {what}"),
        }
    }
}

/// `DescribeVpcs` out of `aws_sdk_ec2::operation::describe_vpcs::DescribeVpcsError`: the SDK's error value does not carry
/// its operation's name, only its type does. For messages only.
fn operation_of<E>() -> String {
    let name = type_name::<E>();
    let last = name.rsplit("::").next().unwrap_or(name);
    last.strip_suffix("Error").unwrap_or(last).to_owned()
}

/// `code` is `None` when the answer has none, which AWS's own answers always have (but for S3's `HEAD`).
fn class_of(code: Option<&str>, status: u16) -> ErrorClass {
    let Some(code) = code else {
        return match status {
            429 => ErrorClass::Throttled,
            401 | 403 => ErrorClass::AccessDenied,
            404 | 405 | 501 => ErrorClass::Unsupported,
            500.. => ErrorClass::ServiceError,
            _ => ErrorClass::BadRequest,
        };
    };
    let is = |codes: &[&str]| codes.contains(&code);
    match status {
        _ if is(UNSUPPORTED_CODES) => ErrorClass::Unsupported,
        _ if is(THROTTLING_CODES) => ErrorClass::Throttled,
        _ if is(DENIED_CODES) => ErrorClass::AccessDenied,
        _ if is(CREDENTIAL_CODES) => ErrorClass::InvalidCredentials,
        429 => ErrorClass::Throttled,
        401 | 403 => ErrorClass::AccessDenied,
        404 => ErrorClass::NotFound,
        500.. => ErrorClass::ServiceError,
        _ if code.contains("NotFound") || code.starts_with("NoSuch") => ErrorClass::NotFound,
        _ => ErrorClass::BadRequest,
    }
}

impl<E> From<SdkError<E, HttpResponse>> for ReadError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let operation = operation_of::<E>();
        let plain = |class, code: &str, message: String| Self {
            class,
            operation: operation_of::<E>(),
            code: code.to_owned(),
            message,
        };
        match &error {
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                let meta = service.err().meta();
                Self {
                    class: class_of(meta.code(), status),
                    operation,
                    message: meta.message().unwrap_or("the service gave no message").to_owned(),
                    code: meta.code().map_or_else(|| format!("Http{status}"), ToOwned::to_owned),
                }
            }
            SdkError::TimeoutError(_) => {
                plain(ErrorClass::Unreachable, "Timeout", "no answer in the time allowed".to_owned())
            }
            SdkError::DispatchFailure(_) if lacks_platform_identity(&error) => {
                plain(ErrorClass::NoPlatformIdentity, "NoPlatformIdentity", NoPlatformIdentity.to_string())
            }
            SdkError::DispatchFailure(failure) => {
                let (class, code) = if lacks_credentials(&error) {
                    (ErrorClass::InvalidCredentials, "NoCredentials")
                } else if failure.is_timeout() {
                    (ErrorClass::Unreachable, "ConnectTimeout")
                } else {
                    (ErrorClass::Unreachable, "ConnectionFailed")
                };
                plain(class, code, innermost(&error))
            }
            SdkError::ResponseError(_) => plain(ErrorClass::ServiceError, "UnreadableAnswer", innermost(&error)),
            SdkError::ConstructionFailure(_) => plain(ErrorClass::BadRequest, "NotSent", innermost(&error)),
            _ => plain(ErrorClass::ServiceError, "Unknown", innermost(&error)),
        }
    }
}

/// Whether a call was never sent because no credentials could be got for it, by a refusal and not by a lost connection. A role
/// that may not be assumed shows up so.
fn lacks_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    let chain: Vec<_> = std::iter::successors(Some(error), |error| error.source()).collect();
    let of_credentials = chain.iter().position(|error| error.is::<CredentialsError>());
    of_credentials.is_some_and(|at| !chain[at..].iter().any(|error| error.is::<ConnectorError>()))
}

/// Whether a role could not be assumed because there is nobody to assume it.
fn lacks_platform_identity(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<NoPlatformIdentity>)
}

/// The last error of a chain: "connection refused" says more than "dispatch failure".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

/// Turns "there is none" answers into `None`: `client.get_bucket_policy()…send().await.or_absent(&["NoSuchBucketPolicy"])?`.
pub trait OrAbsent<T> {
    /// `Ok(None)` for an error with one of these codes.
    ///
    /// # Errors
    /// Every other error.
    fn or_absent(self, codes: &[&str]) -> Result<Option<T>, ReadError>;
}

impl<T, E: Into<ReadError>> OrAbsent<T> for Result<T, E> {
    fn or_absent(self, codes: &[&str]) -> Result<Option<T>, ReadError> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let error = error.into();
                if error.is(codes) { Ok(None) } else { Err(error) }
            }
        }
    }
}

/// A part of an account that could not be read. The scan goes on and ends `partial`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanError {
    /// The cloud's service, such as `ec2`.
    pub service: String,
    /// The region, or `global`.
    pub region: String,
    /// The Terraform types of which this scan knows nothing in this region.
    pub provider_types: Vec<String>,
    /// Why, for machines.
    pub error_class: ErrorClass,
    /// The operation that failed.
    pub operation: String,
    /// Why, for people: the cloud's code and words.
    pub message: String,
}

/// A scan or validation cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// The account's credential text is not what its type says.
    #[error("the credential is not readable as {expected}: {reason}")]
    MalformedCredential {
        /// The shape that was expected.
        expected: &'static str,
        /// What is wrong; never the credential's text.
        reason: String,
    },
    /// A role is to be assumed with an external id that is not the organisation's, which is named.
    #[error(
        "external_id is not this organisation's: roles are assumed with {0}, so require that as sts:ExternalId in the role's \
         trust policy and leave external_id out"
    )]
    ForeignExternalId(OrgId),
    /// The role is of another account than the one claimed.
    #[error(
        "role_arn belongs to account {actual}, not to {claimed}: correct external_account_id or give a role of that account"
    )]
    AccountMismatch {
        /// The role's account.
        actual: String,
        /// The account that the credential is said to belong to.
        claimed: String,
    },
    /// There is nobody to assume the account's role.
    #[error(transparent)]
    NoPlatformIdentity(#[from] NoPlatformIdentity),
    /// The cloud does not accept the credentials.
    #[error("the cloud refused the credentials: {0}")]
    Refused(ReadError),
    /// The cloud did not answer, or told us to slow down: worth another try later.
    #[error("the cloud could not be asked: {0}")]
    Unavailable(ReadError),
    /// Regions were asked for that the account does not have.
    #[error("unknown or disabled regions: {}; this account has {}", unknown.join(", "), known.join(", "))]
    UnknownRegions {
        /// What was asked for and is not there.
        unknown: Vec<String>,
        /// What could have been asked for.
        known: Vec<String>,
    },
    /// Resource types were asked for that no reader reads.
    #[error("no reader for {}; GET /api/v2/providers lists the readable types", .0.join(", "))]
    UnknownTypes(Vec<String>),
    /// This build has no such provider.
    #[error("no such cloud provider: {0}")]
    UnknownProvider(String),
}

impl CloudError {
    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<ReadError> for CloudError {
    fn from(error: ReadError) -> Self {
        match error.class {
            ErrorClass::Throttled | ErrorClass::Unreachable | ErrorClass::ServiceError => Self::Unavailable(error),
            ErrorClass::NoPlatformIdentity => Self::NoPlatformIdentity(NoPlatformIdentity),
            _ => Self::Refused(error),
        }
    }
}

/// One resource could not be read again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnrichError {
    /// It is no longer there.
    #[error("{provider_type} {id} is no longer in {region}")]
    NotFound {
        /// Terraform's type.
        provider_type: String,
        /// The cloud's id.
        id: String,
        /// Where it was looked for.
        region: String,
    },
    /// No reader reads this type.
    #[error("no reader for {0}")]
    UnknownType(String),
    /// The cloud refused or failed; see its class.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The credentials cannot be used at all.
    #[error(transparent)]
    Cloud(#[from] CloudError),
}
