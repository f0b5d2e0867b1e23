//! All SQL but the queue's: one file a table, plain functions over a connection, so that every function can be part of the
//! caller's transaction.

pub mod audit;
