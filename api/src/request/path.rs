//! Ids in the path.

use std::fmt;
use std::str::FromStr;

use salvo::extract::{Extractible, Metadata};
use salvo::oapi::{
    BasicType, Components, EndpointArgRegister, KnownFormat, Object, Operation, Parameter, ParameterIn, SchemaFormat,
};
use salvo::prelude::{Depot, Request};

use crate::problem::Problem;

/// A typed id from the path; the argument's name is the parameter's name in the route. What is not a UUID is 404, for
/// nothing can be there.
#[derive(Clone, Copy, Debug)]
pub struct PathId<T>(pub T);

impl<'ex, T: FromStr + Send + fmt::Debug> Extractible<'ex> for PathId<T> {
    fn metadata() -> &'static Metadata {
        static METADATA: Metadata = Metadata::new("");
        &METADATA
    }

    #[allow(refining_impl_trait, reason = "the error type is part of what callers see")]
    async fn extract(_req: &'ex mut Request, _depot: &'ex mut Depot) -> Result<Self, Problem> {
        Err(Problem::internal("a path id needs its argument's name"))
    }

    #[allow(refining_impl_trait, reason = "the error type is part of what callers see")]
    async fn extract_with_arg(req: &'ex mut Request, _depot: &'ex mut Depot, arg: &str) -> Result<Self, Problem> {
        parse(req, arg).map(Self)
    }
}

/// The id in the path under this name.
///
/// # Errors
/// 404 where it is not a UUID.
pub fn parse<T: FromStr>(req: &Request, name: &str) -> Result<T, Problem> {
    req.params().get(name).and_then(|text| text.parse().ok()).ok_or(Problem::not_found("resource"))
}

/// A UUID parameter in the path, for the document.
pub fn describe(name: &str, description: &str) -> Parameter {
    Parameter::new(name)
        .location(ParameterIn::Path)
        .required(true)
        .description(description)
        .schema(Object::with_type(BasicType::String).format(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
}

impl<T> EndpointArgRegister for PathId<T> {
    fn register(_components: &mut Components, operation: &mut Operation, arg: &str) {
        let description = format!("The id of the {}.", arg.trim_end_matches("_id").replace('_', " "));
        operation.parameters.insert(describe(arg, &description));
    }
}
