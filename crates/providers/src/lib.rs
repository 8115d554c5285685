//! The built-in entity providers.
//!
//! One file for each. They depend on nothing but what every plugin author has: `callboard-sdk`.
#![warn(missing_docs)]

mod config_location;

pub use config_location::{ConfigLocationProvider, LocationsError, absolute_file_target};
