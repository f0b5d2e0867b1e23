//! What could not be read: as it is stored, and what follows from it.

use jobs::db::scan_run::ScanError;
use jobs::queue::JobError;

use crate::cloud::{self, CloudError, GLOBAL};

/// The service under which a state source's failure is listed.
pub(super) const STATE: &str = "state";

/// A reader's failure as the run keeps it.
pub(super) fn stored(error: cloud::ScanError) -> ScanError {
    ScanError {
        service: error.service,
        region: error.region,
        provider_types: error.provider_types,
        error_class: error.error_class.as_str().to_owned(),
        operation: error.operation,
        message: error.message,
    }
}

/// The failure of the whole account.
pub(super) fn of_account(error: &JobError) -> ScanError {
    ScanError {
        service: "account".to_owned(),
        region: GLOBAL.to_owned(),
        provider_types: Vec::new(),
        error_class: error.error_class.to_owned(),
        operation: "scan".to_owned(),
        message: error.message.clone(),
    }
}

/// Why the cloud would not let a scan begin.
pub(super) fn refused(error: &CloudError) -> JobError {
    let message = error.to_string();
    match error {
        CloudError::Unavailable(_) => JobError::retry("cloud_unreachable", message),
        CloudError::Refused(_) => JobError::fail("credential_invalid", message),
        CloudError::UnknownRegions { .. } => JobError::fail("region_unknown", message),
        CloudError::MalformedCredential { .. } | CloudError::ForeignExternalId(_) => {
            JobError::fail("credential_malformed", message)
        }
        CloudError::AccountMismatch { .. } => JobError::fail("account_mismatch", message),
        // An instance's role may be out of reach for a while.
        CloudError::NoPlatformIdentity(_) => JobError::retry("no_platform_identity", message),
        CloudError::UnknownProvider(_) | CloudError::UnknownTypes(_) => JobError::fail("provider_unsupported", message),
    }
}

/// Nothing at all could be read; the first failure says why. Worth another try unless the cloud said no.
pub(super) fn nothing_read(first: &ScanError) -> JobError {
    let message = format!("nothing could be read; {} {}: {}", first.service, first.operation, first.message);
    match first.error_class.as_str() {
        "access_denied" => JobError::fail("access_denied", message),
        "invalid_credentials" => JobError::fail("credential_invalid", message),
        "throttled" => JobError::retry("throttled", message),
        "no_platform_identity" => JobError::retry("no_platform_identity", message),
        _ => JobError::retry("cloud_unreachable", message),
    }
}

/// The types and regions that a failure leaves unknown. A failure of a service without regions leaves its types unknown
/// everywhere: S3 is asked once, and its buckets are all over the world.
pub(super) fn slices(errors: &[ScanError]) -> Vec<(String, Option<String>)> {
    errors
        .iter()
        .flat_map(|error| {
            let region = (error.region != GLOBAL).then(|| error.region.clone());
            error.provider_types.iter().map(move |name| (name.clone(), region.clone()))
        })
        .collect()
}

/// Whether a type could be read in none of the regions.
pub(super) fn is_lost(errors: &[ScanError], provider_type: &str, regions: &[String]) -> bool {
    let failed = |region: &str| {
        errors
            .iter()
            .any(|error| error.region == region && error.provider_types.iter().any(|name| name == provider_type))
    };
    failed(GLOBAL) || (!regions.is_empty() && regions.iter().all(|region| failed(region)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(region: &str, types: &[&str]) -> ScanError {
        ScanError {
            service: "s".to_owned(),
            region: region.to_owned(),
            provider_types: types.iter().map(|name| (*name).to_owned()).collect(),
            error_class: "access_denied".to_owned(),
            operation: "Op".to_owned(),
            message: "no".to_owned(),
        }
    }

    #[test]
    fn a_type_is_lost_where_no_region_could_be_read() {
        let regions = ["a".to_owned(), "b".to_owned()];
        assert!(is_lost(&[error(GLOBAL, &["x"])], "x", &regions));
        assert!(is_lost(&[error("a", &["x"]), error("b", &["x", "y"])], "x", &regions));
        assert!(!is_lost(&[error("a", &["x"]), error("b", &["y"])], "x", &regions));
        assert!(!is_lost(&[error("a", &["x"])], "x", &[]));
    }

    #[test]
    fn a_failure_without_region_leaves_its_types_unknown_everywhere() {
        let slices = slices(&[error(GLOBAL, &["x"]), error("a", &["y"]), error(GLOBAL, &[])]);
        assert_eq!(slices, [("x".to_owned(), None), ("y".to_owned(), Some("a".to_owned()))]);
    }

    #[test]
    fn a_cloud_that_said_no_is_not_asked_again() {
        use jobs::queue::error::Decision;
        assert_eq!(nothing_read(&error("a", &["x"])).decision, Decision::Fail);
        let away = ScanError { error_class: "unreachable".to_owned(), ..error("a", &["x"]) };
        assert_eq!(nothing_read(&away).decision, Decision::Retry);
    }
}
