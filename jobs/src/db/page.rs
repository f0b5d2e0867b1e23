//! Lists come in pages: a limit, an offset and the total, as the contract has it.

/// Which part of a list is wanted. The API checks the limit against the list's maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows at most.
    pub limit: i64,
    /// Rows to skip.
    pub offset: i64,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed<T> {
    /// The rows of the page.
    pub rows: Vec<T>,
    /// Rows of the whole list.
    pub total: i64,
}
