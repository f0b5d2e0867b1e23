//! Collecting all that is wrong with a body, so that it is told at once.

use std::fmt;

use super::{FieldError, Problem};

/// What is wrong so far.
#[derive(Debug, Default)]
pub struct Faults(Vec<FieldError>);

impl Faults {
    /// One more.
    pub fn add(&mut self, field: &str, message: String) {
        self.0.push(FieldError { field: field.to_owned(), message });
    }

    /// The value, or a fault more.
    pub fn unless<T>(&mut self, field: &str, judged: Result<T, impl fmt::Display>) -> Option<T> {
        judged.map_err(|error| self.add(field, error.to_string())).ok()
    }

    /// A fault more where a text that people see is empty, only of spaces, or longer than `longest` characters.
    pub fn text(&mut self, field: &str, text: &str, longest: usize) {
        if text.trim().is_empty() || text.chars().count() > longest {
            self.add(field, format!("must have 1 to {longest} characters"));
        }
    }

    /// Whether there were none.
    ///
    /// # Errors
    /// 422 with all of them.
    pub fn none(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(self.0)) }
    }
}
