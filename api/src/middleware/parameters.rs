//! Unknown query parameters are refused: a misspelt filter must not look as if it had matched everything.
//!
//! What an operation knows stands in its description, so nothing has to be listed twice.

use std::collections::{HashMap, HashSet};

use salvo::oapi::{OpenApi, ParameterIn, PathItemType};
use salvo::prelude::Request;

use crate::problem::Problem;

/// The query parameters of each `GET /path/{template}`.
#[derive(Debug)]
pub struct Parameters(HashMap<String, HashSet<String>>);

impl Parameters {
    /// As the document declares them.
    #[must_use]
    pub fn of(document: &OpenApi) -> Self {
        let mut known = HashMap::new();
        for (path, item) in document.paths.iter() {
            for (method, operation) in item.operations.iter() {
                let names = operation
                    .parameters
                    .iter_inline()
                    .filter(|parameter| parameter.parameter_in == ParameterIn::Query)
                    .map(|parameter| parameter.name.clone())
                    .collect();
                known.insert(entry(method_name(*method), path), names);
            }
        }
        Self(known)
    }

    /// Checks a request against its route. Routes outside the document take what they like.
    ///
    /// # Errors
    /// 400 naming the parameter.
    pub fn check(&self, req: &Request, route: &str) -> Result<(), Problem> {
        let method = match req.method().as_str() {
            "HEAD" => "GET",
            method => method,
        };
        let Some(known) = self.0.get(&entry(method, route)) else {
            return Ok(());
        };
        match req.queries().keys().find(|name| !known.contains(*name)) {
            None => Ok(()),
            Some(name) => {
                let shown: String = name.chars().take(64).collect();
                Err(Problem::bad_parameter(&shown, "is not a parameter of this operation"))
            }
        }
    }
}

fn entry(method: &str, path: &str) -> String {
    format!("{method} {path}")
}

const fn method_name(method: PathItemType) -> &'static str {
    match method {
        PathItemType::Get => "GET",
        PathItemType::Post => "POST",
        PathItemType::Put => "PUT",
        PathItemType::Delete => "DELETE",
        PathItemType::Patch => "PATCH",
        _ => "other",
    }
}
