//! Where a cloud no longer matches its Terraform: bytes and rows in, a report out.
//!
//! Pure: no runtime, no database, no clock, no I/O beyond a [`std::io::Read`] argument. So everything here can be tested
//! with values, run offline (`plumbline drift`), and repeated to the same bytes.

pub mod children;
pub mod compare;
pub mod declared;
pub mod defaults;
pub mod identity;
pub mod live;
pub mod normalise;
pub mod region;
pub mod rules;
pub mod schema;
pub mod sensitive;
pub mod state;

pub use declared::DeclaredResource;
pub use live::LiveResource;
