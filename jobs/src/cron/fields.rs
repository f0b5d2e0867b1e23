//! The five fields, and the sets of values they hold.

use std::fmt;

/// One of the five fields, in the order of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
}

impl Field {
    /// The order of the line.
    pub(super) const ALL: [Self; 5] = [Self::Minute, Self::Hour, Self::DayOfMonth, Self::Month, Self::DayOfWeek];

    /// The lowest and the highest number that may be written. Sunday is 0 and 7.
    pub(super) const fn bounds(self) -> (u8, u8) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
        }
    }

    /// How many different values there are: seven days of the week, although eight numbers.
    pub(super) const fn size(self) -> u8 {
        match self {
            Self::Minute => 60,
            Self::Hour => 24,
            Self::DayOfMonth => 31,
            Self::Month => 12,
            Self::DayOfWeek => 7,
        }
    }

    /// The names that may stand for numbers, the first for the lowest.
    pub(super) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Minute | Self::Hour | Self::DayOfMonth => &[],
            Self::Month => &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
            Self::DayOfWeek => &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

/// Numbers from 0 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Set(u64);

impl Set {
    pub(super) const fn insert(&mut self, value: u8) {
        self.0 |= 1 << value;
    }

    pub(super) const fn contains(self, value: u32) -> bool {
        value < u64::BITS && self.0 >> value & 1 == 1
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The values, lowest first.
    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        (0..64_u8).filter(move |&value| self.contains(u32::from(value)))
    }
}

impl FromIterator<u8> for Set {
    fn from_iter<I: IntoIterator<Item = u8>>(values: I) -> Self {
        let mut set = Self::default();
        for value in values {
            set.insert(value);
        }
        set
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spec {
    /// The values; Sunday is 0.
    pub(super) values: Set,
    /// Whether it is written with a `*` at its beginning, which is what Vixie cron and its descendants look at.
    pub(super) starred: bool,
    /// Whether it holds every value, however it is written.
    pub(super) full: bool,
}

impl Spec {
    pub(super) fn new(field: Field, values: Set, starred: bool) -> Self {
        Self { values, starred, full: values.len() == u32::from(field.size()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_nothing_beyond_its_width() {
        let set: Set = [0, 59, 63].into_iter().collect();
        assert!(
            set.contains(0) && set.contains(63) && !set.contains(1) && !set.contains(64) && !set.contains(u32::MAX)
        );
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 59, 63]);
        assert_eq!(set.len(), 3);
    }

    #[test]
    fn names_and_sizes_agree() {
        for field in Field::ALL {
            let (low, high) = field.bounds();
            let numbers = high - low + 1;
            assert!(field.size() == numbers || (field == Field::DayOfWeek && field.size() == numbers - 1));
            assert!(field.names().is_empty() || field.names().len() == usize::from(field.size()));
        }
    }
}
