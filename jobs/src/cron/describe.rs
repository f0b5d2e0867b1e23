//! Stub.
use super::next::Timetable;
impl Timetable {
    /// Words.
    #[must_use]
    pub fn describe(&self) -> String {
        String::new()
    }
}
