//! The forges that are known without configuration, for the tests of this crate.

use std::sync::Arc;

use callboard_config::Config;
use callboard_integrations::ScmIntegrations;
use callboard_sdk::ScmResolver;

pub(crate) fn scm() -> Arc<dyn ScmResolver> {
    Arc::new(ScmIntegrations::from_config(&Config::empty()).unwrap())
}
