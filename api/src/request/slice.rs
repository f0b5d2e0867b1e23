//! `limit` and `cursor`, for lists that change while somebody reads them, or are too long for an offset.

use jobs::cursor;
use salvo::extract::{Extractible, Metadata};
use salvo::http::StatusCode;
use salvo::oapi::{self, BasicType, Components, EndpointArgRegister, Object, Operation, ParameterIn};
use salvo::prelude::{Depot, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::page::{Filter, Query, describe, number};
use crate::problem::{self, Problem};

/// Which part of a list is wanted: filters, at most `MAX` rows (`DEFAULT` where nothing is said), after a place `C`.
#[derive(Clone, Copy, Debug)]
pub struct Slice<F, C, const DEFAULT: i64 = 50, const MAX: i64 = 200> {
    /// Most rows, 1 to `MAX`.
    pub limit: i64,
    /// Behind which row to begin; `None` for the beginning.
    pub after: Option<C>,
    /// The filters.
    pub filter: F,
}

impl<F, C: Serialize, const DEFAULT: i64, const MAX: i64> Slice<F, C, DEFAULT, MAX> {
    /// How many rows to ask the database for: one more tells whether there are more.
    #[must_use]
    pub const fn asked(&self) -> i64 {
        self.limit + 1
    }

    /// The rows to show, and `next_cursor`.
    #[must_use]
    pub fn cut<T>(&self, rows: Vec<T>, place: impl Fn(&T) -> C) -> (Vec<T>, Option<String>) {
        cursor::cut(rows, self.limit, place)
    }
}

impl<'ex, F: Filter, C: DeserializeOwned + Send, const DEFAULT: i64, const MAX: i64> Extractible<'ex>
    for Slice<F, C, DEFAULT, MAX>
{
    fn metadata() -> &'static Metadata {
        static METADATA: Metadata = Metadata::new("");
        &METADATA
    }

    #[allow(refining_impl_trait, reason = "the error type is part of what callers see")]
    async fn extract(req: &'ex mut Request, _depot: &'ex mut Depot) -> Result<Self, Problem> {
        let query = Query(req);
        let limit = number(query, "limit", 1, MAX)?.unwrap_or(DEFAULT);
        let unknown = || Problem::bad_parameter("cursor", "is none of this list: leave it out to begin anew");
        let after = query.text("cursor")?.map(|word| cursor::decode(word).ok_or_else(unknown)).transpose()?;
        Ok(Self { limit, after, filter: F::parse(query)? })
    }
}

impl<F: Filter, C, const DEFAULT: i64, const MAX: i64> EndpointArgRegister for Slice<F, C, DEFAULT, MAX> {
    fn register(components: &mut Components, operation: &mut Operation, _arg: &str) {
        let limit = Object::with_type(BasicType::Integer).minimum(1).maximum(MAX).default_value(DEFAULT.into());
        let cursor = Object::with_type(BasicType::String);
        for (name, description, schema) in [
            ("limit", "Most rows of the answer.", limit),
            ("cursor", "`next_cursor` of the answer before; without it, the list's beginning.", cursor),
        ] {
            operation.parameters.insert(
                oapi::Parameter::new(name)
                    .location(ParameterIn::Query)
                    .required(false)
                    .description(description)
                    .schema(schema),
            );
        }
        describe(operation, F::PARAMETERS);
        let response = problem::response(components, "A parameter is unknown or out of range", StatusCode::BAD_REQUEST);
        operation.responses.insert("400", response);
    }
}
