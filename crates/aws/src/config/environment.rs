use std::borrow::Cow;

use aws_config::profile::ProfileSet;
use aws_runtime::env_config::EnvConfigValue;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};
use polycloud_core::{Error, Result};

/// The variables and files that settings come from. Nothing else reads them, but for the chain of
/// credentials.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    variables: Env,
    files: Fs,
}

impl Environment {
    #[cfg(test)]
    pub(crate) fn new(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Self {
        Self { variables: Env::from_slice(variables), files: Fs::from_slice(files) }
    }

    /// Reads the files of profiles, and selects one: the named one, that of `AWS_PROFILE`, or `default`.
    pub(crate) async fn settings(&self, profile: Option<&str>) -> Result<Settings> {
        let named = profile.map(str::to_owned).or_else(|| self.variable("AWS_PROFILE"));
        let selected = named.clone().map(Cow::Owned);
        let files = EnvConfigFiles::default();
        let profiles = aws_config::profile::load(&self.files, &self.variables, &files, selected)
            .await
            .map_err(|error| {
                Error::config(
                    "the files of profiles (~/.aws/config, ~/.aws/credentials) are broken",
                )
                .with_source(error)
            })?;
        match named {
            Some(name) if profiles.get_profile(&name).is_none() => Err(Error::config(format!(
                "there is no profile {name:?} in ~/.aws/config or ~/.aws/credentials"
            ))),
            _ => Ok(Settings { variables: self.variables.clone(), profiles }),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).ok().filter(|value| !value.is_empty())
    }
}

/// Variables, and the settings of a profile.
pub(crate) struct Settings {
    variables: Env,
    profiles: ProfileSet,
}

impl Settings {
    /// The region: of a variable, or of the profile.
    pub(crate) fn region(&self) -> Option<String> {
        let variable = |name| self.variables.get(name).ok().filter(|value| !value.is_empty());
        variable("AWS_REGION")
            .or_else(|| variable("AWS_DEFAULT_REGION"))
            .or_else(|| self.profiles.get("region").map(str::to_owned))
    }

    /// The endpoint of a service, which is named as in `AWS_ENDPOINT_URL_…`: of a variable, or of the
    /// profile; for the service alone, or for all services.
    pub(crate) fn endpoint(&self, service: &str) -> Option<String> {
        if self.ignores_endpoints() {
            return None;
        }
        self.look_up("AWS_ENDPOINT_URL", "endpoint_url", Some(service))
    }

    fn ignores_endpoints(&self) -> bool {
        let (variable, field) =
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls");
        let ignores = self.look_up(variable, field, None);
        ignores.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn look_up(&self, variable: &str, field: &str, service: Option<&str>) -> Option<String> {
        let mut value = EnvConfigValue::new().env(variable).profile(field);
        if let Some(service) = service {
            value = value.service_id(service);
        }
        let (value, _) = value.load(&self.variables, Some(&self.profiles))?;
        Some(value.into_owned()).filter(|value| !value.is_empty())
    }
}
