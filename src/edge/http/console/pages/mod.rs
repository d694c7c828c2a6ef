//! The pages, one file each.

pub mod overview;
pub mod trail;
