//! Which files a configuration is made of.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::error::ConfigError;

/// Everything that decides about a configuration besides the contents of files.
#[derive(Clone, Default)]
pub struct Sources {
    /// The `--config` arguments, in order. If there are any, the default files do not count.
    pub args: Vec<PathBuf>,
    /// The environment: `APP_CONFIG_*`, `BACKSTAGE_ENV`, and what `${NAME}` refers to.
    pub env: BTreeMap<String, String>,
    /// What `--config` paths are relative to.
    pub cwd: PathBuf,
    /// Where the default files are.
    pub root: PathBuf,
    /// Whether it is fine if there is no `app-config.yaml`.
    pub allow_missing_default: bool,
}

/// The environment is full of secrets, so its values are not shown.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("args", &self.args)
            .field("env", &format_args!("{} variables", self.env.len()))
            .field("cwd", &self.cwd)
            .field("root", &self.root)
            .field("allow_missing_default", &self.allow_missing_default)
            .finish()
    }
}

/// A file that is or may be a layer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) path: PathBuf,
    pub(crate) is_required: bool,
}

impl Sources {
    /// The layers, lowest first, without the environment.
    pub(crate) fn layers(&self) -> Result<Vec<Layer>, ConfigError> {
        if !self.args.is_empty() {
            return self.args.iter().map(|argument| self.explicit(argument)).collect();
        }
        let environments: Vec<_> = self
            .env
            .get("BACKSTAGE_ENV")
            .into_iter()
            .flat_map(|names| names.split(','))
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        let base =
            Layer { path: self.root.join("app-config.yaml"), is_required: !self.allow_missing_default };
        let optional = |name: String| Layer { path: self.root.join(name), is_required: false };
        let shared = environments.iter().map(|name| optional(format!("app-config.{name}.yaml")));
        let local = environments.iter().map(|name| optional(format!("app-config.{name}.local.yaml")));
        Ok(std::iter::once(base)
            .chain(shared)
            .chain([optional("app-config.local.yaml".to_owned())])
            .chain(local)
            .collect())
    }

    fn explicit(&self, argument: &PathBuf) -> Result<Layer, ConfigError> {
        let text = argument.to_string_lossy();
        if is_url_with_host(&text) {
            return Err(ConfigError::Remote { argument: text.into_owned() });
        }
        Ok(Layer { path: self.cwd.join(argument), is_required: true })
    }

    /// The value of an environment variable as substitution sees it.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).map(|value| value.trim().to_owned())
    }
}

/// `C:\a.yaml` and `file:///a.yaml` are paths.
fn is_url_with_host(argument: &str) -> bool {
    let Some((scheme, rest)) = argument.split_once("://") else {
        return false;
    };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme && !rest.is_empty() && !rest.starts_with('/')
}
