//! `limit`, `offset` and filters of list operations.
//!
//! Parameters that an operation does not declare never get here: the service refuses them (see
//! [`crate::middleware`]), by the same document that this module writes them into.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use salvo::extract::{Extractible, Metadata};
use salvo::http::StatusCode;
use salvo::oapi::{self, BasicType, Components, EndpointArgRegister, Object, Operation, ParameterIn};
use salvo::prelude::{Depot, Request};

use crate::problem::{self, Problem};

/// The query's parameters by name.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a>(pub(super) &'a Request);

impl Query<'_> {
    /// A parameter's text; `None` where it is absent.
    ///
    /// # Errors
    /// 400 where it is given more than once.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.0.queries().get_vec(name).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([one]) => Ok(Some(one)),
            Some(_) => Err(Problem::bad_parameter(name, "is given more than once")),
        }
    }

    /// An id; `None` where it is absent.
    ///
    /// # Errors
    /// 400 where it is given more than once or is no UUID.
    pub fn id<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.text(name)?
            .map(|text| text.parse().map_err(|_| Problem::bad_parameter(name, "is not an id: a UUID is expected")))
            .transpose()
    }

    /// A time; `None` where it is absent.
    ///
    /// # Errors
    /// 400 where it is given more than once or is not written as RFC 3339 says.
    pub fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let time = DateTime::parse_from_rfc3339(text)
            .map_err(|_| Problem::bad_parameter(name, "is not a time: 2026-01-31T12:00:00Z is one"))?;
        Ok(Some(time.to_utc()))
    }

    /// A parameter's value; `None` where it is absent.
    ///
    /// # Errors
    /// 400 where it is given more than once or does not parse; the message is the parser's.
    pub fn value<T>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.text(name)?
            .map(|text| text.parse().map_err(|error: T::Err| Problem::bad_parameter(name, error.to_string())))
            .transpose()
    }
}

/// A query parameter, for the document.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// The words it takes; empty for any text.
    pub words: &'static [&'static str],
    /// Whether the operation needs it.
    pub required: bool,
}

/// What a list can be narrowed by.
pub trait Filter: Sized + Send {
    /// The parameters that [`Filter::parse`] reads.
    const PARAMETERS: &'static [Parameter];

    /// Reads them.
    ///
    /// # Errors
    /// 400 naming the parameter that is wrong.
    fn parse(query: Query<'_>) -> Result<Self, Problem>;
}

impl Filter for () {
    const PARAMETERS: &'static [Parameter] = &[];

    fn parse(_query: Query<'_>) -> Result<Self, Problem> {
        Ok(())
    }
}

/// Which part of a list is wanted: filters, at most `MAX` rows (`DEFAULT` where nothing is said), after `offset`.
#[derive(Clone, Copy, Debug)]
pub struct Page<F = (), const DEFAULT: i64 = 50, const MAX: i64 = 200> {
    /// Most rows, 1 to `MAX`.
    pub limit: i64,
    /// Rows to skip, from 0.
    pub offset: i64,
    /// The filters.
    pub filter: F,
}

impl<'ex, F: Filter, const DEFAULT: i64, const MAX: i64> Extractible<'ex> for Page<F, DEFAULT, MAX> {
    fn metadata() -> &'static Metadata {
        static METADATA: Metadata = Metadata::new("");
        &METADATA
    }

    #[allow(refining_impl_trait, reason = "the error type is part of what callers see")]
    async fn extract(req: &'ex mut Request, _depot: &'ex mut Depot) -> Result<Self, Problem> {
        let query = Query(req);
        let limit = number(query, "limit", 1, MAX)?.unwrap_or(DEFAULT);
        let offset = number(query, "offset", 0, i64::MAX)?.unwrap_or(0);
        Ok(Self { limit, offset, filter: F::parse(query)? })
    }
}

impl<F, const DEFAULT: i64, const MAX: i64> Page<F, DEFAULT, MAX> {
    /// Limit and offset, for the query.
    #[must_use]
    pub const fn rows(&self) -> jobs::db::Page {
        jobs::db::Page { limit: self.limit, offset: self.offset }
    }
}

pub(super) fn number(query: Query<'_>, name: &str, least: i64, most: i64) -> Result<Option<i64>, Problem> {
    let Some(text) = query.text(name)? else {
        return Ok(None);
    };
    match text.parse::<i64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ if most == i64::MAX => {
            Err(Problem::bad_parameter(name, format!("must be a whole number of at least {least}")))
        }
        _ => Err(Problem::bad_parameter(name, format!("must be a whole number from {least} to {most}"))),
    }
}

impl<F: Filter, const DEFAULT: i64, const MAX: i64> EndpointArgRegister for Page<F, DEFAULT, MAX> {
    fn register(components: &mut Components, operation: &mut Operation, _arg: &str) {
        let limit = Object::with_type(BasicType::Integer).minimum(1).maximum(MAX).default_value(DEFAULT.into());
        let offset = Object::with_type(BasicType::Integer).minimum(0).default_value(0.into());
        for (name, description, schema) in
            [("limit", "Most rows of the answer.", limit), ("offset", "Rows to skip.", offset)]
        {
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

/// The parameters of an operation that is no list.
#[derive(Clone, Copy, Debug)]
pub struct Only<F>(pub F);

impl<'ex, F: Filter> Extractible<'ex> for Only<F> {
    fn metadata() -> &'static Metadata {
        static METADATA: Metadata = Metadata::new("");
        &METADATA
    }

    #[allow(refining_impl_trait, reason = "the error type is part of what callers see")]
    async fn extract(req: &'ex mut Request, _depot: &'ex mut Depot) -> Result<Self, Problem> {
        F::parse(Query(req)).map(Self)
    }
}

impl<F: Filter> EndpointArgRegister for Only<F> {
    fn register(components: &mut Components, operation: &mut Operation, _arg: &str) {
        describe(operation, F::PARAMETERS);
        let response = problem::response(components, "A parameter is unknown or out of range", StatusCode::BAD_REQUEST);
        operation.responses.insert("400", response);
    }
}

pub(super) fn describe(operation: &mut Operation, parameters: &[Parameter]) {
    for parameter in parameters {
        let mut schema = Object::with_type(BasicType::String);
        if !parameter.words.is_empty() {
            schema = schema.enum_values(parameter.words.iter().copied());
        }
        operation.parameters.insert(
            oapi::Parameter::new(parameter.name)
                .location(ParameterIn::Query)
                .required(parameter.required)
                .description(parameter.description)
                .schema(schema),
        );
    }
}
