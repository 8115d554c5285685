//! `integrations.azure`.

use std::collections::BTreeSet;

use callboard_config::Config;

use super::{Entry, Kind, has_secret, located};
use crate::IntegrationsError;

const HOST: &str = "dev.azure.com";

pub(super) fn read(config: &Config) -> Result<Entry, IntegrationsError> {
    let host = config.get_opt_str("host")?.unwrap_or_else(|| HOST.to_owned());
    let host = Kind::Azure.valid_host(host)?;
    if let Some(removed) = ["credential", "token"].into_iter().find(|key| config.has(key)) {
        let reason = "'credential' and 'token' have been removed. Use 'credentials' instead.";
        return Err(located(Kind::Azure.invalid(reason), config, removed));
    }
    let credentials = config.get_opt_configs("credentials")?.unwrap_or_default();
    let mut organizations = BTreeSet::new();
    let mut defaults = 0;
    for (position, credential) in (1..).zip(&credentials) {
        let is_valid = match Credential::read(credential)? {
            Credential::PersonalAccessToken => true,
            Credential::OfApp => host == HOST,
            Credential::Invalid => false,
        };
        if !is_valid {
            let reason = format!("credential at position {position} is not a valid credential");
            return Err(Kind::Azure.invalid(reason));
        }
        let of_credential = credential.get_opt_strs("organizations")?.unwrap_or_default();
        defaults += usize::from(of_credential.is_empty());
        for organization in of_credential {
            if let Some(twice) = organizations.replace(organization) {
                return Err(
                    Kind::Azure.invalid(format_args!("organization '{twice}' has several credentials"))
                );
            }
        }
    }
    if defaults > 1 {
        return Err(Kind::Azure.invalid("at most one credential may have no 'organizations'"));
    }
    Ok(Entry::new(Kind::Azure, host))
}

enum Credential {
    PersonalAccessToken,
    /// Of a service principal or a managed identity; these exist on dev.azure.com only.
    OfApp,
    Invalid,
}

impl Credential {
    fn read(config: &Config) -> Result<Self, IntegrationsError> {
        let token = has_secret(config, "personalAccessToken")?;
        let secret = has_secret(config, "clientSecret")?;
        let client = config.get_opt_str("clientId")?.is_some();
        let tenant = config.get_opt_str("tenantId")?.is_some();
        let identity = config.get_opt_str("managedIdentityClientId")?.is_some();
        Ok(match (token, client, secret, tenant, identity) {
            (true, false, false, false, false) => Self::PersonalAccessToken,
            (false, true, true, true, false)
            | (false, true, false, true, true)
            | (false, true, false, false, false) => Self::OfApp,
            _ => Self::Invalid,
        })
    }
}
