//! Configurations for tests.

use callboard_config::Config;
use serde_json::Value;

pub(crate) fn config(value: Value) -> Config {
    Config::from_value("app-config.yaml", value)
}
