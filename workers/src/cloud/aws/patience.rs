//! How long to go on asking.
//!
//! The SDK counts all attempts alike, but the cases differ: whoever is told to slow down should wait long (up to the
//! client's attempts, the retry budget and the operation's timeout), a service that breaks is asked a few times more, and a
//! region that has never answered not at all (see [`super::reach`]).

use std::sync::Arc;

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority, RetryReason,
};
use aws_smithy_types::retry::ErrorKind;

use super::reach::Reach;

/// Attempts of a call that fails otherwise than by throttling.
const ATTEMPTS_WHEN_BROKEN: u32 = 3;

/// Runs after the SDK's own classifiers and narrows (for 429: widens) what they say.
#[derive(Debug)]
pub(super) struct Patience(pub(super) Arc<Reach>);

impl ClassifyRetry for Patience {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        self.classify_retry_v2(context, &RetryAction::NoActionIndicated)
    }

    fn classify_retry_v2(&self, context: &InterceptorContext, previous: &RetryAction) -> RetryAction {
        let Some(response) = context.response() else {
            let forbidden = !self.0.has_answered() || attempt(context) >= ATTEMPTS_WHEN_BROKEN;
            return if forbidden { RetryAction::RetryForbidden } else { RetryAction::NoActionIndicated };
        };
        match previous {
            RetryAction::RetryIndicated(RetryReason::RetryableError { kind, .. }) => {
                let tired = *kind != ErrorKind::ThrottlingError && attempt(context) >= ATTEMPTS_WHEN_BROKEN;
                if tired { RetryAction::RetryForbidden } else { RetryAction::NoActionIndicated }
            }
            _ if response.status().as_u16() == 429 => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "plumbline-patience"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// Which attempt this was, as the SDK itself tells AWS: `amz-sdk-request: attempt=2; max=10`.
fn attempt(context: &InterceptorContext) -> u32 {
    let header = context.request().and_then(|request| request.headers().get("amz-sdk-request"));
    let number = header.and_then(|text| text.split(';').find_map(|part| part.trim().strip_prefix("attempt=")));
    number.and_then(|number| number.parse().ok()).unwrap_or(1)
}
