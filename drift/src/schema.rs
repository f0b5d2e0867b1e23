//! What the AWS provider's schema says, as far as a comparison needs it: which types there are, which attributes are sets
//! or maps, which are read-only.
//!
//! Source: the resource schemas of hashicorp/aws 5.100.0. `data/aws_types.txt` names every resource type;
//! `data/aws_schema.txt` has a line for each: `TYPE [set=PATHS] [map=PATHS] [read-only=NAMES]`, paths written with dots through
//! nested blocks, separated by commas. An attribute named nowhere is a list, a block or a scalar: its value tells which.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

const TYPES: &str = include_str!("../data/aws_types.txt");
const SCHEMA: &str = include_str!("../data/aws_schema.txt");

/// The shape of one type's attributes.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    sets: HashSet<&'static str>,
    maps: HashSet<&'static str>,
    read_only: HashSet<&'static str>,
}

impl Shape {
    /// Whether the attribute at this path (dots through blocks, no indices) is a set.
    pub(crate) fn is_set(&self, path: &str) -> bool {
        self.sets.contains(path)
    }

    /// Whether the attribute at this path is a map: its keys are data, not attributes.
    pub(crate) fn is_map(&self, path: &str) -> bool {
        self.maps.contains(path)
    }

    /// Whether nobody can set this attribute.
    pub(crate) fn is_read_only(&self, name: &str) -> bool {
        self.read_only.contains(name)
    }
}

static KNOWN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| TYPES.lines().collect());

static SHAPES: LazyLock<HashMap<&'static str, Shape>> = LazyLock::new(|| {
    let mut shapes = HashMap::new();
    for line in SCHEMA.lines() {
        let mut words = line.split(' ');
        let Some(name) = words.next() else { continue };
        let mut shape = Shape::default();
        for word in words {
            let Some((kind, paths)) = word.split_once('=') else { continue };
            let paths = paths.split(',');
            match kind {
                "set" => shape.sets.extend(paths),
                "map" => shape.maps.extend(paths),
                _ => shape.read_only.extend(paths),
            }
        }
        shapes.insert(name, shape);
    }
    shapes
});

/// Whether the provider has a resource type of this name.
#[must_use]
pub fn is_known_type(provider_type: &str) -> bool {
    KNOWN.contains(provider_type)
}

/// Every resource type of the provider, in alphabetical order.
pub fn known_types() -> impl Iterator<Item = &'static str> {
    TYPES.lines()
}

/// The shape of a type; none for types that the list does not know.
pub(crate) fn shape(provider_type: &str) -> Option<&'static Shape> {
    SHAPES.get(provider_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_shape_and_the_list_is_sorted() {
        let types: Vec<_> = known_types().collect();
        assert!(types.is_sorted());
        assert!(types.iter().all(|t| shape(t).is_some()));
        assert_eq!(types.len(), SHAPES.len());
    }

    #[test]
    fn shapes_tell_sets_maps_and_read_only_attributes() {
        let instance = shape("aws_instance").unwrap();
        assert!(instance.is_set("vpc_security_group_ids"));
        assert!(instance.is_read_only("public_ip"));
        assert!(!instance.is_read_only("instance_type"));
        assert!(shape("aws_lambda_function").unwrap().is_map("environment.variables"));
        assert!(shape("aws_security_group").unwrap().is_set("ingress.security_groups"));
    }
}
