//! How a problem looks on the wire: RFC 9457 `application/problem+json` with the contract's `error`, `error_class` and
//! `request_id` beside the standard members.

use salvo::http::header::{self, HeaderValue};
use salvo::http::{ResBody, StatusCode};
use salvo::oapi::{
    Components, Content, EndpointOutRegister, Operation, RefOr, Response as ApiResponse, Schema, ToSchema,
};
use salvo::prelude::{Depot, Request, Response, Writer, async_trait};
use serde::Serialize;

use super::{FieldError, Problem};
use crate::context;

/// Media type of every error.
const MEDIA_TYPE: &str = "application/problem+json";

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "Problem",
    example = json!({
        "type": "urn:plumbline:problem:invalid_value",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "name: must be 3 to 128 characters",
        "error": "name: must be 3 to 128 characters",
        "error_class": "invalid_value",
        "request_id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "field": "name",
        "errors": [{"field": "name", "message": "must be 3 to 128 characters"}]
    })
))]
pub struct ProblemBody {
    /// A URN that ends in the error class.
    pub r#type: String,
    /// The status in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do, for a person.
    pub detail: String,
    /// The same as `detail`.
    pub error: String,
    /// Stable name of the error, for programs.
    pub error_class: &'static str,
    /// The request's id: quote it when asking for help.
    pub request_id: String,
    /// The field, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[salvo(schema(required = false))]
    pub field: Option<String>,
    /// What is wrong with which fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[salvo(schema(required = false))]
    pub errors: Vec<FieldError>,
    /// The plan's limit, with status 402.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[salvo(schema(skip))]
    pub payment_required: Option<PaymentRequired>,
}

/// What a 402 tells beside the usual.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "PaymentRequired",
    example = json!({
        "type": "urn:plumbline:problem:plan_limit_exceeded",
        "title": "Payment Required",
        "status": 402,
        "detail": "the free plan allows 2 API keys, and 2 are in use: remove one or choose a larger plan",
        "error": "the free plan allows 2 API keys, and 2 are in use: remove one or choose a larger plan",
        "error_class": "plan_limit_exceeded",
        "request_id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "code": "plan_limit_exceeded",
        "limit": 2,
        "used": 2,
        "plan": "free"
    })
))]
pub struct PaymentRequired {
    /// Which limit: `plan_limit_exceeded`, `plan_schedule_frequency`, …
    pub code: &'static str,
    /// What the plan allows.
    pub limit: i64,
    /// What is in use.
    pub used: i64,
    /// The plan.
    pub plan: &'static str,
}

impl ProblemBody {
    fn new(problem: &Problem, request_id: &str) -> Self {
        let status = problem.status();
        let detail = problem.to_string();
        let errors = problem.fields();
        Self {
            r#type: format!("urn:plumbline:problem:{}", problem.class()),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            error: detail.clone(),
            detail,
            error_class: problem.class(),
            request_id: request_id.to_owned(),
            field: match errors.as_slice() {
                [one] => Some(one.field.clone()),
                _ => None,
            },
            errors,
            payment_required: match problem {
                Problem::PaymentRequired(limit) => Some(PaymentRequired {
                    code: limit.code,
                    limit: limit.exceeded.limit,
                    used: limit.exceeded.used,
                    plan: limit.exceeded.plan.as_str(),
                }),
                _ => None,
            },
        }
    }
}

/// Writes a problem as the answer, replacing what may be there, and logs its cause if it is ours.
pub fn render(problem: &Problem, request_id: &str, res: &mut Response) {
    if let Problem::Internal(cause) = problem {
        tracing::error!(request_id, cause = ?cause, "request failed");
    }
    let body = ProblemBody::new(problem, request_id);
    res.status_code(problem.status());
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    res.replace_body(ResBody::Once(bytes.into()));
    let headers = res.headers_mut();
    headers.remove(header::LOCATION);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    if let Some(after) = problem.retry_after() {
        // Rounded up: whoever waits exactly that long must not be too early.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    if let Problem::Unauthenticated { class, .. } = problem {
        headers.insert(header::WWW_AUTHENTICATE, challenge(class));
    }
}

/// RFC 6750: no `error` where no credential was sent.
fn challenge(class: &'static str) -> HeaderValue {
    if class == "credential_missing" {
        return HeaderValue::from_static("Bearer realm=\"plumbline\"");
    }
    HeaderValue::try_from(format!("Bearer realm=\"plumbline\", error=\"invalid_token\", error_description=\"{class}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("Bearer realm=\"plumbline\""))
}

#[async_trait]
impl Writer for Problem {
    async fn write(self, _req: &mut Request, depot: &mut Depot, res: &mut Response) {
        render(&self, context::request_id(depot), res);
    }
}

/// An error's schema, as a response of an operation.
pub fn response(components: &mut Components, description: &str, status: StatusCode) -> ApiResponse {
    let mut schema = ProblemBody::to_schema(components);
    if status == StatusCode::PAYMENT_REQUIRED {
        let _ = PaymentRequired::to_schema(components);
        schema = RefOr::Type(Schema::AllOf(
            salvo::oapi::schema::AllOf::new().item(schema).item(PaymentRequired::to_schema(components)),
        ));
    }
    ApiResponse::new(description).add_content(MEDIA_TYPE, Content::new(schema))
}

/// Every operation may answer with a problem; which statuses depends on its arguments, which register theirs.
impl EndpointOutRegister for Problem {
    fn register(components: &mut Components, operation: &mut Operation) {
        let internal = response(components, "Our fault; quote the request id", StatusCode::INTERNAL_SERVER_ERROR);
        operation.responses.insert("500", internal);
    }
}

#[cfg(test)]
mod tests {
    use jobs::plan::{Exceeded, Plan};
    use serde_json::json;

    use super::*;
    use crate::problem::PlanLimit;

    fn body(problem: &Problem) -> serde_json::Value {
        serde_json::to_value(ProblemBody::new(problem, "r-1")).unwrap()
    }

    #[test]
    fn an_internal_error_does_not_tell_its_cause() {
        let told = body(&Problem::internal("password=hunter2"));
        assert!(!told.to_string().contains("hunter2"));
        assert_eq!(told["status"], 500);
        assert_eq!(told["request_id"], "r-1");
    }

    #[test]
    fn a_plan_limit_tells_numbers() {
        let told = body(&Problem::PaymentRequired(PlanLimit::exceeded(
            "API keys",
            Exceeded { plan: Plan::Free, limit: 2, used: 2 },
        )));
        assert_eq!(told["code"], "plan_limit_exceeded");
        assert_eq!((&told["limit"], &told["used"], &told["plan"]), (&json!(2), &json!(2), &json!("free")));
        assert_eq!(
            told["error"],
            "the free plan allows 2 API keys, and 2 are in use: remove one or choose a larger plan"
        );
    }

    #[test]
    fn one_field_is_named_twice_and_many_are_listed() {
        let one = body(&Problem::invalid("name", "too short"));
        assert_eq!(one["field"], "name");
        assert_eq!(one["errors"], json!([{"field": "name", "message": "too short"}]));
        let none = body(&Problem::not_found("API key"));
        assert!(none.get("errors").is_none() && none.get("field").is_none());
    }
}
