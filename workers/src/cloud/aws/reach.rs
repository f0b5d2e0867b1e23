//! Giving up on a region quickly.
//!
//! A region that cannot be reached would cost every reader its connect timeout times its attempts. So the clients of a
//! region share a [`Reach`]: while nothing in the region has ever answered, a call that gets no connection is not
//! retried ([`Patience`](super::patience::Patience)), and after [`LIMIT`] such calls the engine stops asking. Once anything has answered (a refusal
//! counts), lost connections are retried like any other passing fault.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;

/// Calls without any answer after which a region counts as unreachable. Two, because a single one may be one service
/// that the region does not have.
const LIMIT: u32 = 2;

/// What is known of a region's reachability.
#[derive(Debug, Default)]
pub(super) struct Reach {
    answered: AtomicBool,
    unreachable: AtomicU32,
}

impl Reach {
    /// Whether asking any further is useless.
    pub(super) fn is_closed(&self) -> bool {
        !self.has_answered() && self.unreachable.load(Ordering::Relaxed) >= LIMIT
    }

    /// Whether anything here ever answered.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// A slice got no connection.
    pub(super) fn record_unreachable(&self) {
        self.unreachable.fetch_add(1, Ordering::Relaxed);
    }
}

/// Notes that a region answers.
#[derive(Debug)]
pub(super) struct Watch(pub(super) Arc<Reach>);

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "plumbline-reach"
    }

    fn read_before_deserialization(
        &self,
        _: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.answered.store(true, Ordering::Relaxed);
        Ok(())
    }
}
